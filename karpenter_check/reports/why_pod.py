"""The answer to "why pod": for people on one screen, and as JSON."""

from collections.abc import Iterator
from typing import Any

import msgspec
from rich.text import Text

from karpenter_check.reports.answer_json import run_of
from karpenter_check.reports.document import encoded
from karpenter_check.reports.headed import INDENT, headed, laid_out
from karpenter_check.reports.printable import printable, printable_json
from karpenter_check.reports.story import Line
from karpenter_check.scheduling.last_word import reason_in
from karpenter_check.scheduling.nodepool import NotReady
from karpenter_check.scheduling.refusal import NoOverlap, UndefinedLabel, UntoleratedTaint
from karpenter_check.scheduling.verdict import Answer, Hindrance, Verdict
from karpenter_check.snapshot import NO_TIME, Snapshot
from karpenter_check.snapshot.clip import clip
from karpenter_check.snapshot.duration import spoken
from karpenter_check.snapshot.node import NODEPOOL_LABEL
from karpenter_check.snapshot.quantity import shown
from karpenter_check.why.pod import Conclusion, PodAnswer, Said

SCHEMA = "karpenter-check/why-pod/v1"
_MARKS = {Answer.TAKES: "✓", Answer.REFUSES: "✗", Answer.UNPROVEN: "?"}
_NARROWEST = 30
"""Columns that an answer needs beside its NodePool's name; with less it stands below."""
_LONGEST_SAID = 150
_TAINT = "did not tolerate taint"
"""How Karpenter begins what it says of a NodePool whose taint keeps the pod off."""


def render_why_pod(snapshot: Snapshot, answer: PodAnswer, *, width: int, color: bool) -> str:
    """The answer in lines, `width` columns wide."""
    return laid_out(_lines(snapshot, answer, width), width=width, color=color)


def _lines(snapshot: Snapshot, answer: PodAnswer, width: int) -> Iterator[Line]:
    yield from headed("WHAT", _what(snapshot, answer))
    asked = ", ".join(f"{shown(name, amount)} {name}" for name, amount in answer.pod.shape.requests.items() if amount)
    yield from headed("ASKS", "; ".join(part for part in (asked or "nothing", " or ".join(answer.asks)) if part))
    if answer.ignored:
        yield from headed("IGNORED", f"Karpenter does not look at it: {answer.ignored.said}", style="bold")
    yield from headed("POOLS", _conclusion(answer), style="bold")
    yield from _pools(answer, width)
    yield from headed("NODES", *_nodes(answer))
    if answer.nomination:
        yield from headed("NOMINATED", answer.nomination)
    yield from headed(
        "SAID", *(_told(snapshot, said) for said in answer.said if not (answer.nomination and said.reason == "Nominated"))
    )
    if answer.unseen:
        yield from headed("UNSEEN", *answer.unseen)
    for step in answer.fix:
        heading = f"{'DO' if step is answer.fix[0] else step.step:{INDENT}}"
        if step.command:
            yield Line([Text(printable(step.command), "bold")], heading, command=True)
            heading = " " * INDENT
        for words in (step.text, step.risk):
            if words:
                yield Line([Text(printable(words))], heading)
                heading = " " * INDENT


def _what(snapshot: Snapshot, answer: PodAnswer) -> str:
    pod, ref = answer.pod, f"Pod {answer.pod.metadata.namespace}/{answer.pod.metadata.name}"
    of = f" of {answer.owner}" if answer.owner.kind != "Pod" else ""
    if pod.node_name:
        return f"{ref}{of}, on node {pod.node_name}"
    known = answer.since is not None and snapshot.taken_at != NO_TIME
    waits = f", waits {spoken(snapshot.taken_at - answer.since)}" if known and answer.since else ", waits"
    return f"{ref}{of}{waits}" + (f", and {answer.others} more like it" if answer.others else "")


def _conclusion(answer: PodAnswer) -> str:
    if not answer.nodepools:
        return "there is no NodePool here"
    if answer.pod.daemonset_uid:
        return "none buys a node for a DaemonSet's pod; whether each counts it when it sizes nodes:"
    refusing = sum(verdict.answer is Answer.REFUSES for verdict in answer.nodepools)
    match answer.conclusion:
        case Conclusion.BOUND:
            return "what each would answer to it"
        case Conclusion.IGNORED:
            return "what each would answer to it, that apart"
        case Conclusion.WOULD_TAKE:
            return f"{_count(answer, Answer.TAKES)} of {len(answer.nodepools)} would take it, as far as the objects show"
        case Conclusion.NOT_PROVEN:
            return f"not proven: {refusing} of {len(answer.nodepools)} refuse; that the others take it cannot be proven"
        case Conclusion.NO_NODEPOOL_CAN:
            return f"no NodePool can take it: {answer.common}" if answer.common else "no NodePool can take it"


def _count(answer: PodAnswer, of: Answer) -> int:
    return sum(verdict.answer is of for verdict in answer.nodepools)


def _pools(answer: PodAnswer, width: int) -> Iterator[Line]:
    """A line for each NodePool; where there is no room beside its name, what it says stands on the next one."""
    longest = max((len(printable(verdict.nodepool)) for verdict in answer.nodepools), default=0)
    for verdict in answer.nodepools:
        head = f"{'':{INDENT}}{_MARKS[verdict.answer]} {printable(verdict.nodepool):{longest}}  "
        text = Text(printable(_verdict(answer, verdict)))
        if width - len(head) >= _NARROWEST:
            yield Line([text], head, " " * len(head))
        else:
            yield Line([Text()], head.rstrip())
            yield Line([text], " " * (INDENT + 2), " " * (INDENT + 2))


def _verdict(answer: PodAnswer, verdict: Verdict) -> str:
    """What a NodePool says, without what all say and stands above already."""
    if verdict.answer is not Answer.REFUSES:
        return verdict.because if answer.pod.daemonset_uid else str(verdict)
    if answer.pod.daemonset_uid:
        return "leaves it out: " + "; ".join(_brief(entry) for entry in verdict.hindrances)
    if any(_is_another(entry) for entry in verdict.hindrances):
        return "is not the NodePool that it selects"
    own = [entry for entry in verdict.hindrances if entry.cause != answer.common_cause]
    return "; ".join(_brief(entry) for entry in own or verdict.hindrances)


def _is_another(hindrance: Hindrance) -> bool:
    return isinstance(hindrance, NoOverlap) and hindrance.key == NODEPOOL_LABEL


def _brief(hindrance: Hindrance) -> str:
    """What the NodePool's side is; the pod's side stands above, once."""
    match hindrance:
        case UntoleratedTaint(taint):
            return f"taint {taint}"
        case UndefinedLabel(asked):
            return f"declares no {asked.key}"
        case NoOverlap(declared):
            return f"has {declared}"
        case NotReady(reason, message):
            return f"not Ready: {clip(message or reason, _LONGEST_SAID)}"
        case _:
            return str(hindrance)


def _nodes(answer: PodAnswer) -> Iterator[str]:
    nodes = answer.nodes
    if answer.pod.node_name:
        return
    total = len(nodes.could) + sum(nodes.cannot.values())
    if nodes.could:
        more = len(nodes.could) - 3
        listed = ", ".join(nodes.could[:3]) + (f" and {more} more" if more > 0 else "")
        unchecked = f"; {' and '.join(nodes.unchecked)} not checked" if nodes.unchecked else ""
        yield f"nothing that was checked keeps it from {listed}{unchecked}"
    elif total:
        yield f"none of {total} can: " + ", ".join(f"{number} {word}" for word, number in nodes.cannot.items())
    else:
        yield "there are none"
    for name, why in [entry for entry in nodes.only_karpenter if entry[0] not in answer.nomination][:2]:
        yield f"Karpenter sees room on {name}, but {why}"


def _told(snapshot: Snapshot, said: Said) -> str:
    """Somebody's words; of Karpenter's, what it says of each NodePool, the taints and its lists of requirements left out."""
    ago = f", {spoken(snapshot.taken_at - said.last)} ago" if said.last else ""
    times = f" x{said.times}" if said.times > 1 else ""
    message = said.message
    if said.by == "Karpenter" and said.reason == "FailedScheduling":
        parts = reason_in(message).split("; ")
        other = [part for part in parts if _TAINT not in part]
        left_out = len(parts) - len(other)
        other = [part.partition(", requirements=")[0] for part in other]
        message = "; ".join(dict.fromkeys(other)) + (f" (and {left_out} taints)" if left_out else "") if other else message
    elif said.by != "Karpenter":
        message = message.partition(" no new claims to deallocate")[0].partition(" preemption:")[0]
    return f'{said.by} {said.reason}{times}{ago}: "{clip(message, _LONGEST_SAID)}"'


def render_why_pod_json(snapshot: Snapshot, answer: PodAnswer, version: str) -> str:
    """The answer as one JSON document, `karpenter-check/why-pod/v1`."""
    overlooked = answer.ignored
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "run": run_of(snapshot, version),
        "pod": {"kind": "Pod", "namespace": answer.pod.metadata.namespace, "name": answer.pod.metadata.name},
        "owner": answer.owner,
        "node": answer.pod.node_name or None,
        "waitsSince": answer.since,
        "asks": {
            "requests": {name: shown(name, amount) for name, amount in answer.pod.shape.requests.items()},
            "labels": answer.asks,
        },
        "conclusion": str(answer.conclusion),
        "common": answer.common,
        "ignored": overlooked and {"reason": str(overlooked.reason), "said": overlooked.said, "path": overlooked.path},
        "nodePools": [
            {
                "name": verdict.nodepool,
                "answer": str(verdict.answer),
                "reasons": [{"cause": entry.cause, "text": str(entry)} for entry in verdict.hindrances],
                "because": verdict.because,
                "certain": verdict.certain,
            }
            for verdict in answer.nodepools
        ],
        "nodes": {
            "could": answer.nodes.could,
            "cannot": answer.nodes.cannot,
            "onlyKarpenter": [{"name": name, "why": why} for name, why in answer.nodes.only_karpenter],
            "unchecked": answer.nodes.unchecked,
        },
        "nomination": answer.nomination,
        "said": [
            {"by": said.by, "reason": said.reason, "message": clip(said.message), "count": said.times, "last": said.last}
            for said in answer.said
        ],
        "fix": answer.fix,
        "unseen": answer.unseen,
    }
    return printable_json(msgspec.json.format(encoded(document), indent=2)) + "\n"
