"""What a NodePool's budgets let go, now and in the days to come, and which of its nodes want to go and are kept."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from karpenter_check.disruption.allowance import Remaining, Unknown, remaining
from karpenter_check.disruption.blocker import Word
from karpenter_check.disruption.blockers import blockers
from karpenter_check.disruption.budget import UnreadableBudget, entries, schedule_of, value
from karpenter_check.disruption.budgets import Unreadable
from karpenter_check.disruption.candidate import DRIFTED, EMPTY, UNDERUTILIZED, never, ways_out
from karpenter_check.disruption.openings import WEEK, Window, next_opening, windows
from karpenter_check.snapshot import NO_TIME, Kind, Node, NodeClaim, NodePool, Snapshot

REASONS = (EMPTY, UNDERUTILIZED, DRIFTED)
CONSOLIDATION = "Empty or Underutilized"
"""Where it cannot be told which, as not every pod was seen."""


@dataclass(frozen=True)
class ReasonAnswer:
    """What may go for one reason."""

    reason: str
    never: str
    """Why it never comes to it here: the setting that says so; empty where it may."""
    now: Remaining | Unknown
    ahead: tuple[Window, ...] = ()
    """The next seven days; empty where that is not known, and where a budget is a share of nodes and there are none."""
    around: tuple[Window, ...] = ()
    """The same with a week before and after, so that windows which began before and end later are whole."""
    opens: datetime | None = None
    """When the budgets let a node go next, used or not; None if not within seven days."""


@dataclass(frozen=True)
class Kept:
    """Nodes that should go, for one reason, and that one thing keeps."""

    reason: str
    word: Word | None
    """The first thing that keeps them, in Karpenter's order; None where nothing that was seen does."""
    said: str
    """What keeps the first of them, in words."""
    nodes: tuple[str, ...]


def reason_answers(snapshot: Snapshot, nodepool: NodePool) -> tuple[ReasonAnswer, ...]:
    """The answer for each reason for which Karpenter disrupts gracefully."""
    return tuple(_answer(snapshot, nodepool, reason) for reason in REASONS)


def _answer(snapshot: Snapshot, nodepool: NodePool, reason: str) -> ReasonAnswer:
    kept_by = never(nodepool, reason)
    if snapshot.taken_at == NO_TIME:
        return ReasonAnswer(reason, kept_by, Unknown("the input carries no time, and --at gives none"))
    now = remaining(snapshot, nodepool, reason)
    nodes = now.total if isinstance(now, Remaining) else 0
    if not nodes and any(_is_share(entry.budget.nodes) for entry in entries(nodepool)):
        return ReasonAnswer(reason, kept_by, now)
    ahead = windows(nodepool, reason, nodes, snapshot.taken_at)
    around = windows(nodepool, reason, nodes, snapshot.taken_at - WEEK, 3 * WEEK)
    return ReasonAnswer(reason, kept_by, now, ahead, around, next_opening(ahead))


def _is_share(nodes: str) -> bool:
    """Whether what a budget allows depends on how many nodes there are."""
    return nodes.endswith("%") and nodes != "0%"


def unreadable_budgets(nodepool: NodePool) -> tuple[Unreadable, ...]:
    """The budgets that Karpenter cannot read, active or not."""
    found = []
    for entry in entries(nodepool):
        try:
            schedule_of(entry.budget)
            value(entry.budget, 0)
        except UnreadableBudget as error:
            found.append(Unreadable(entry, str(error)))
    return tuple(found)


def kept_nodes(snapshot: Snapshot, nodepool: NodePool, reasons: tuple[ReasonAnswer, ...]) -> tuple[Kept, ...] | Unknown:
    """The nodes that should go now, by the reason and the first thing that keeps them, the most nodes first."""
    for kind in (Kind.NODE, Kind.NODECLAIM):
        if not snapshot.covered(kind).sufficient:
            return Unknown(f"{kind} is {snapshot.covered(kind)}")
    by_reason = {answer.reason: answer for answer in reasons}
    found: dict[tuple[str, Word | None], Kept] = {}
    for node, claim in _members(snapshot, nodepool):
        ways = []
        for wanted in ways_out(snapshot, node, claim, nodepool):
            reason = CONSOLIDATION if wanted.reason == EMPTY and not snapshot.whole(Kind.POD) else wanted.reason
            asked = [by_reason[one] for one in ((EMPTY, UNDERUTILIZED) if reason == CONSOLIDATION else (reason,))]
            ways.append((reason, *_first(snapshot, node, asked, eventual=reason == DRIFTED)))
        if not ways:
            continue
        # what keeps it from one way out need not keep it from the other
        reason, word, said = min(ways, key=lambda way: (way[1] is not None, way[1] is not Word.UNKNOWN))
        before = found.get((reason, word))
        found[reason, word] = Kept(reason, word, before.said if before else said, (*(before.nodes if before else ()), node.name))
    return tuple(sorted(found.values(), key=lambda kept: (-len(kept.nodes), kept.reason, kept.word or "")))


def _members(snapshot: Snapshot, nodepool: NodePool) -> Iterator[tuple[Node, NodeClaim]]:
    for node in snapshot.nodes_of_nodepool.get(nodepool.name, ()):
        claim = snapshot.nodeclaim_of_node.get(node.name)
        if claim:
            yield node, claim


def _first(snapshot: Snapshot, node: Node, asked: Sequence[ReasonAnswer], *, eventual: bool) -> tuple[Word | None, str]:
    """The first thing that keeps the node; what could not be looked at, only where nothing else does."""
    found = blockers(snapshot, node, eventual=eventual)
    known = next((blocker for blocker in found if blocker.word is not Word.UNKNOWN), None)
    if known:
        return known.word, known.said
    if all(isinstance(answer.now, Remaining) and answer.now.left == 0 for answer in asked):
        return Word.BUDGET, "the budgets leave none now"
    if found:
        return Word.UNKNOWN, found[0].said
    if len(asked) > 1 or any(isinstance(answer.now, Unknown) for answer in asked):
        return Word.UNKNOWN, "what the budgets leave is not known"
    return None, ""
