"""Nodes that should be gone, kept by what they or their pods say: annotations, PodDisruptionBudgets, a label that is missing."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from karpenter_check.disruption.blocked_events import TOLD_AGAIN, blocked_events, word_of
from karpenter_check.disruption.blocker import Blocker, Lasts, Word, certainty
from karpenter_check.disruption.due import Way
from karpenter_check.disruption.kept import REASONS, Kept, kept
from karpenter_check.disruption.remedies import command, remedies
from karpenter_check.finding import (
    Blame,
    Confidence,
    Evidence,
    Finding,
    Fix,
    Impact,
    Occurrence,
    Ref,
    Severity,
    clip,
    earliest,
    verification,
)
from karpenter_check.rule import Stage, rule
from karpenter_check.scheduling.nomination import node_ref
from karpenter_check.snapshot import Kind, Snapshot
from karpenter_check.snapshot.counted import plural
from karpenter_check.snapshot.duration import spoken
from karpenter_check.snapshot.event import Event
from karpenter_check.snapshot.moments import at, at_and_distance

_FEW = 3
_QUOTED = 120
_OF_PODS = frozenset({Word.DO_NOT_DISRUPT_POD, Word.MULTIPLE_PDBS, Word.PDB})
_SURENESS = list(Confidence)


@dataclass(frozen=True)
class _Judged:
    """A node that is kept, for how long, and how bad that is."""

    kept: Kept
    severity: Severity
    confidence: Confidence
    since: datetime

    @property
    def first(self) -> Blocker:
        return self.kept.own[0]

    @property
    def order(self) -> tuple[int, int, datetime, str]:
        return self.severity.rank, _SURENESS.index(self.confidence), self.since, self.kept.node.name


@rule(severity=Severity.MEDIUM, needs={Kind.NODE, Kind.POD, Kind.NODEPOOL, Kind.NODECLAIM}, since="0.1.0", stage=Stage.DISRUPTION)
def node_reaping_blocked(
    snapshot: Snapshot,
    *,
    warn_after: timedelta = timedelta(minutes=10),
    fail_after: timedelta = timedelta(hours=1),
    finishing_after: timedelta = timedelta(hours=24),
) -> Iterator[Finding]:
    """A node that Karpenter would take away is kept by its own or its pods' annotations, or by PodDisruptionBudgets."""
    found: dict[tuple[str, Word], list[_Judged]] = defaultdict(list)
    for name, claim in snapshot.nodeclaim_of_node.items():
        held = kept(snapshot, snapshot.nodes_by_name[name])
        judged = _judged(snapshot, held, warn_after, fail_after, finishing_after) if held else None
        if judged:
            found[claim.nodepool, judged.first.word].append(judged)
    for (nodepool, word), nodes in found.items():
        yield _finding(snapshot, nodepool, word, sorted(nodes, key=lambda entry: entry.order))


def _judged(
    snapshot: Snapshot, held: Kept, warn_after: timedelta, fail_after: timedelta, finishing_after: timedelta
) -> _Judged | None:
    """The node by the worst of what keeps it; None where all of that may be normal for so long."""
    seen = certainty(snapshot, Kind.POD) or Confidence.POSSIBLE
    wanted = seen if held.due.way is Way.EMPTY else held.due.confidence
    found = []
    for blocker in held.own:
        since = held.stands_since(blocker)
        if since is None or not snapshot.settled(since):
            continue
        steps = _steps(blocker, snapshot.taken_at - since, warn_after, fail_after, finishing_after)
        if steps is not None:
            severity = Severity.MEDIUM.lowered(steps + (held.due.way is Way.UNDERUTILIZED))
            found.append(_Judged(held, severity, max(wanted, blocker.confidence, key=_SURENESS.index), since))
    return min(found, key=lambda entry: entry.order, default=None)


def _steps(
    blocker: Blocker, age: timedelta, warn_after: timedelta, fail_after: timedelta, finishing_after: timedelta
) -> int | None:
    """How far below medium it is that the node has been kept so long; None where that is normal."""
    if blocker.lasts is Lasts.FOR_EVER:
        return 0
    if blocker.word is Word.DO_NOT_DISRUPT_POD:  # a Job's, or a duration: somebody asked for just that
        return 1 if age >= finishing_after else None
    return 0 if age >= fail_after else 2 if age >= warn_after else None


def _finding(snapshot: Snapshot, nodepool: str, word: Word, nodes: Sequence[_Judged]) -> Finding:
    worst, owner = nodes[0], Ref("NodePool", nodepool, "karpenter.sh/v1")
    held, name = worst.kept, worst.kept.node.name
    reasons = " and ".join(dict.fromkeys(REASONS[entry.kept.due.way] for entry in nodes))
    perhaps = "perhaps " if all(entry.kept.due.way is Way.UNDERUTILIZED for entry in nodes) else ""
    lasts = spoken(snapshot.taken_at - worst.since)
    message = f"should {perhaps}be gone as {reasons}; kept for {lasts} by {_whom(held)}"
    if len(nodes) > 1:
        message = f"{len(nodes)} nodes should {perhaps}be gone as {reasons}, and are kept; {name} for {lasts} by {_whom(held)}"
    said = _said(snapshot, held)
    since = f" since {at(snapshot, held.due.at)}" if held.due.at else ""
    return Finding(
        object=node_ref(name) if len(nodes) == 1 else owner,
        owner=owner,
        nodepool=nodepool,
        cause=word,
        severity=worst.severity,
        confidence=worst.confidence,
        message=message,
        why=_why(snapshot, held, said),
        cost=f"node {name}, {held.due.said}{since}" + (f"; and {plural(len(nodes) - 1, 'more node')}" if len(nodes) > 1 else ""),
        impact=Impact(nodes=len(nodes), pods=len({ref for entry in nodes for own in entry.kept.own for ref in own.objects if ref.kind == "Pod"})),
        evidence=(
            *([Evidence.of_event(said)] if said else []),
            Evidence(node_ref(name), "NodeClaim status.conditions", held.due.said),
            *(_evidence(held, own) for own in held.own[:_FEW]),
        ),
        occurrences=tuple(
            Occurrence(node_ref(entry.kept.node.name), entry.kept.node.metadata.uid, entry.kept.node.name, word, entry.since)
            for entry in nodes
        ),
        since=earliest(entry.since for entry in nodes),
        fix=(*_fix(held), verification("node-reaping-blocked", nodepool=nodepool)),
        blames=tuple(Blame(ref) for ref in dict.fromkeys(_culprits(snapshot, nodes))),
    )  # fmt: skip


def _evidence(held: Kept, own: Blocker) -> Evidence:
    """The field that keeps the node."""
    about, annotation = own.objects[0], "metadata.annotations.karpenter.sh/do-not-disrupt"
    match own.word:
        case Word.PDB:
            return Evidence(about, "status.disruptionsAllowed", "0")
        case Word.DO_NOT_DISRUPT_POD:
            return Evidence(about, annotation, held.pods[about].metadata.annotations.do_not_disrupt)
        case Word.DO_NOT_DISRUPT_NODE:
            return Evidence(about, annotation, held.state.annotations.do_not_disrupt)
        case _:
            return Evidence(about, "spec.selector" if own.word is Word.MULTIPLE_PDBS else "metadata.labels", own.said)


def _whom(held: Kept) -> str:
    """Who keeps the node, the first one in Karpenter's order."""
    first, more = held.own[0], len(held.own) - 1
    match first.word:
        case Word.MULTIPLE_PDBS:
            budgets = [ref.qualified_name for ref in first.objects if ref.kind == "PodDisruptionBudget"]
            whom = f"PodDisruptionBudgets {' and '.join(budgets)} together"
        case Word.PDB:
            whom = str(first.objects[0])
        case Word.MISSING_LABEL:
            whom = "a label that it lacks"
        case _:
            whom = f"the do-not-disrupt of {first.objects[0]}"
    return whom + (f", and by {more} more" if more else "")


def _why(snapshot: Snapshot, held: Kept, said: Event | None) -> str:
    """All that keeps the node, in Karpenter's order, and what Karpenter said where that is something else than the first."""
    told = [
        blocker.said + (f", until {at_and_distance(snapshot, blocker.until)}" if blocker.until else "") for blocker in held.blockers
    ]
    if len(told) > 1:
        told = [f"{place}. {text}" for place, text in enumerate(told, 1)]
        more = f"; and {len(told) - _FEW - 1} more" if len(told) > _FEW + 1 else ""
        why = f"in Karpenter's order: {'; '.join(told[: _FEW + 1])}{more}"
    else:
        why = told[0]
    lasting = any(own.lasts is Lasts.FOR_EVER for own in held.own)
    why += f"; Karpenter leaves the node alone until {'somebody changes that' if lasting else 'that passes'}"
    word = word_of(said.message) if said else None
    if said and said.last_seen and word not in {None, held.blockers[0].word}:
        ago = spoken(snapshot.taken_at - said.last_seen)
        why += f'; Karpenter, which tells only the first that it meets, said {ago} ago: "{clip(said.message, _QUOTED)}"'
    return why


def _said(snapshot: Snapshot, held: Kept) -> Event | None:
    """What Karpenter itself said lately of what keeps the node."""
    latest = next(iter(blocked_events(snapshot, held.state)), None)
    return latest if latest and latest.last_seen and snapshot.taken_at - latest.last_seen <= TOLD_AGAIN else None


def _fix(held: Kept) -> Iterator[Fix]:
    yield from list(dict.fromkeys(fix for blocker in held.blockers for fix in remedies(blocker)))[:_FEW]
    if any(own.word is Word.MISSING_LABEL for own in held.own):
        yield Fix("fix", command("get", held.state.refs[-1], "-o jsonpath='{.metadata.labels}'"), "put the label back on the node")
    claim = held.state.nodeclaim
    if held.due.way is Way.DRIFTED and claim and claim.termination_grace_period is None and held.own[0].word in _OF_PODS:
        text = "or set a terminationGracePeriod in the NodePool's template: drift then asks neither pods nor PodDisruptionBudgets, of nodes made from then on"
        yield Fix("fix", text=text, risk="a change of the template drifts the NodePool's nodes")


def _culprits(snapshot: Snapshot, nodes: Iterable[_Judged]) -> Iterator[Ref]:
    """The PodDisruptionBudgets, and the owners of the pods that say do-not-disrupt or are matched by several."""
    for held in (entry.kept for entry in nodes):
        for own in held.own:
            yield from (ref for ref in own.objects if ref.kind == "PodDisruptionBudget")
            if own.word is not Word.PDB:
                yield from (snapshot.owner(held.pods[ref]) for ref in own.objects if ref in held.pods)
