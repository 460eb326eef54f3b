"""What may go of a NodePool, and what is kept, in words."""

from collections.abc import Iterator, Sequence
from datetime import tzinfo

from karpenter_check.disruption.allowance import Unknown
from karpenter_check.disruption.budgets import Allowance
from karpenter_check.reports.week import at, week_in_words
from karpenter_check.snapshot.clip import clip
from karpenter_check.snapshot.counted import few, plural
from karpenter_check.why.nodepool import NodePoolAnswer
from karpenter_check.why.nodepool_disruption import Kept, ReasonAnswer

_MOST = 3
"""Lines of one kind."""
_LONGEST = 200


def _grouped(texts: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Texts of reasons, those with the same text together."""
    together: dict[str, list[str]] = {}
    for reason, text in texts:
        together.setdefault(text, []).append(reason)
    yield from (f"{', '.join(reasons)}: {text}" for text, reasons in together.items())


def disruption_lines(answer: NodePoolAnswer, zone: tzinfo | None) -> Iterator[str]:
    """What may go now, for each reason."""
    yield from _grouped([(one.reason, _now(one, zone)) for one in answer.reasons])
    for broken in answer.unreadable[:_MOST]:
        yield f"Karpenter cannot read {broken.entry.path}: {clip(broken.why, _LONGEST)}"
    if len(answer.unreadable) > _MOST:
        yield f"nor {len(answer.unreadable) - _MOST} more budgets"


def _now(one: ReasonAnswer, zone: tzinfo | None) -> str:
    if one.never:
        return f"never ({one.never})"
    now = one.now
    if isinstance(now, Unknown):
        return f"not known: {now.why}"
    allowed, total = now.allowance.allowed, plural(now.total, "node")
    if not now.total:
        return "there is no initialized node to let go"
    users = few([f"{user.node} ({user.why})" for user in now.disrupting], 2)
    used = f", {len(now.disrupting)} used by {users}" if now.disrupting else ", none used"
    if allowed is None:
        return f"any of {total} allowed now, as no budget holds{used}"
    if now.disrupting:
        maybe = f" ({now.left_at_most} if Karpenter gives up what it has begun)" if now.left_at_most != now.left else ""
        used += f", {now.left}{maybe} left"
    text = f"{min(allowed, now.total)} of {total} allowed now{used}; by {_deciding(now.allowance)}"
    if allowed:
        return text
    if now.allowance.unreadable:
        return f"{text}; no opening until that is mended"
    return f"{text}; next opening {at(one.opens, zone)}" if one.opens else f"{text}; no opening within 7 days"


def _deciding(allowance: Allowance) -> str:
    return few([entry.said for entry in allowance.deciding], 2)


def ahead_lines(answer: NodePoolAnswer, zone: tzinfo | None) -> Iterator[str]:
    """What may go in the next seven days, for each reason."""
    reasons = [one for one in answer.reasons if not one.never]
    texts = [(one.reason, week_in_words(one.around, one.ahead, zone) if one.ahead else _no_week(one)) for one in reasons]
    yield from _grouped(texts)


def _no_week(one: ReasonAnswer) -> str:
    """Why nothing is said of the days to come."""
    if isinstance(one.now, Unknown):
        return "not known either"
    return "a percentage of nodes, of which there are none"


def blocked_lines(kept: tuple[Kept, ...] | Unknown) -> Iterator[str]:
    """The nodes that should go, and what keeps them."""
    if isinstance(kept, Unknown):
        yield f"not known: {kept.why}"
        return
    for one in kept[:_MOST]:
        reason = "may be Underutilized" if one.reason == "Underutilized" else one.reason
        names = few(one.nodes, 2)
        if one.word is None:
            yield f"{reason}, nothing that was seen keeps it: {plural(len(one.nodes), 'node')}: {names}"
        else:
            yield f"{reason}, kept by {one.word}: {plural(len(one.nodes), 'node')}: {names}: {clip(one.said, _LONGEST)}"
    if len(kept) > _MOST:
        yield f"and {sum(len(one.nodes) for one in kept[_MOST:])} more nodes"
    if not kept:
        yield "no node that was seen wants to go"
