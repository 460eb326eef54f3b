"""Nodes that are deleted and do not go."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from karpenter_check.disruption.hold import LATE, Cause, Firm, Hold, hold
from karpenter_check.disruption.remedies import by_hand, command, ways_to_end
from karpenter_check.disruption.state_node import StateNode, state_node
from karpenter_check.disruption.termination import FINALIZER, Termination, termination
from karpenter_check.finding import Blame, Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity, earliest, verification
from karpenter_check.rule import Stage, rule
from karpenter_check.scheduling.nomination import pod_ref
from karpenter_check.snapshot import GRACE, NO_TIME, Kind, Snapshot
from karpenter_check.snapshot.counted import plural
from karpenter_check.snapshot.duration import spoken
from karpenter_check.snapshot.moments import at, at_and_distance

_STEPS = ("Drained", "VolumesDetached", "InstanceTerminating")
_SAID = ("FailedDraining", "AwaitingVolumeDetachment")
_FORCED = frozenset({Cause.DO_NOT_DISRUPT, Cause.MULTIPLE_PDBS, Cause.PDB, Cause.PODS, Cause.VOLUMES, Cause.UNKNOWN})
"""What the forced end ends."""
_KARPENTERS = frozenset({Cause.PODS, Cause.NOT_FORCED, Cause.NOT_BEGUN})
"""What Karpenter itself leaves undone."""


@dataclass(frozen=True)
class _Stuck:
    """A node that does not go, since when it waits for the same thing, and what holds it."""

    state: StateNode
    ending: Termination
    hold: Hold
    began: datetime
    severity: Severity


@rule(severity=Severity.HIGH, needs={Kind.NODE, Kind.NODECLAIM}, since="0.1.0", stage=Stage.DISRUPTION)
def node_terminating_stuck(
    snapshot: Snapshot,
    *,
    warn_after: timedelta = timedelta(minutes=15),
    fail_after: timedelta = timedelta(minutes=60),
    blocked_after: timedelta = timedelta(minutes=5),
) -> Iterator[Finding]:
    """A node was deleted, and its termination does not come to an end."""
    found: dict[tuple[str, str, Cause], list[_Stuck]] = defaultdict(list)
    for state in _states(snapshot):
        of = state.nodeclaim or state.node
        ending = termination(snapshot, of) if of else None
        held = hold(snapshot, ending) if ending else None
        if not ending or not held:
            continue
        began = _began(state, ending)
        severity = _severity(snapshot, ending, held, snapshot.taken_at - began, (warn_after, fail_after, blocked_after))
        if severity:
            nodepool = _nodepool(state)
            found[nodepool, "" if nodepool else state.name, held.cause].append(_Stuck(state, ending, held, began, severity))
    for (nodepool, _, _), nodes in sorted(found.items()):
        yield _finding(snapshot, nodepool, sorted(nodes, key=lambda entry: (entry.severity.rank, entry.began, entry.state.name)))


def _states(snapshot: Snapshot) -> Iterator[StateNode]:
    """Every NodeClaim with its Node, and the Nodes of Karpenter's whose NodeClaim is gone."""
    for claim in snapshot.nodeclaims:
        yield state_node(snapshot, claim)
    for node in snapshot.nodes:
        if node.name not in snapshot.nodeclaim_of_node and (node.nodepool or FINALIZER in node.metadata.finalizers):
            yield state_node(snapshot, node)


def _nodepool(state: StateNode) -> str:
    return (state.nodeclaim.nodepool if state.nodeclaim else "") or (state.node.nodepool if state.node else "")


def _uid(state: StateNode) -> str:
    thing = state.nodeclaim or state.node
    return thing.metadata.uid if thing else ""


def _began(state: StateNode, ending: Termination) -> datetime:
    """Since when it is at what it is at: a long drain that was right does not make what follows look old."""
    if ending.since:
        return ending.since
    conditions = [state.nodeclaim.condition(step) for step in _STEPS] if state.nodeclaim else []
    steps = [entry.last_transition_time for entry in conditions if entry and entry.last_transition_time]
    return max([ending.deleted, *steps])


def _severity(
    snapshot: Snapshot, ending: Termination, held: Hold, age: timedelta, limits: tuple[timedelta, timedelta, timedelta]
) -> Severity | None:
    """How bad it is, or None as long as it is not; `limits` are the settings in their order."""
    if age < GRACE:
        return None
    warn_after, fail_after, blocked_after = limits
    if held.firm is Firm.FOR_EVER and age >= blocked_after:
        return Severity.HIGH
    end = ending.forced_end if held.cause in _FORCED else None
    patient = held.firm is Firm.RIGHTLY or (end is not None and snapshot.taken_at - end < LATE)
    if age >= fail_after and not patient:
        return Severity.HIGH
    return Severity.HIGH.lowered(2) if age >= (fail_after if patient else warn_after) else None


def _finding(snapshot: Snapshot, nodepool: str, nodes: Sequence[_Stuck]) -> Finding:
    worst = nodes[0]
    held, ending = worst.hold, worst.ending
    owner = Ref("NodePool", nodepool, "karpenter.sh/v1") if nodepool else worst.state.ref
    age = spoken(snapshot.taken_at - ending.deleted)
    some = f"terminating for {age}" if len(nodes) == 1 else f"{len(nodes)} nodes terminating, {worst.state.name} for {age}"
    pods = sum(len(entry.ending.held) for entry in nodes)
    unseen = (
        ""
        if not ending.unseen
        else "; more may hold it: " + ", ".join(f"{kind} is {snapshot.covered(kind)}" for kind in ending.unseen)
    )
    culprits = [entry for node in nodes for entry in node.hold.pods if entry.by and held.cause not in _KARPENTERS]
    blamed = [ref for entry in culprits for ref in (snapshot.owner(entry.pod), *entry.budgets)]
    return Finding(
        object=worst.state.ref if len(nodes) == 1 else owner,
        owner=owner,
        nodepool=nodepool,
        cause=held.cause,
        severity=worst.severity,
        confidence=held.confidence,
        message=f"{some}{', and never ends' if held.firm is Firm.FOR_EVER else ''}: {held.said}",
        why="; ".join(part for part in (held.why, _limit(snapshot, worst)) if part)
        + (unseen if held.cause is not Cause.UNKNOWN else ""),
        cost=_cost(snapshot, nodes, pods),
        impact=Impact(nodes=len(nodes), pods=pods or None),
        evidence=tuple(_evidence(snapshot, worst)),
        occurrences=tuple(
            Occurrence(
                entry.state.ref,
                _uid(entry.state),
                entry.state.node.name if entry.state.node else "",
                str(entry.ending.phase),
                entry.ending.deleted,
            )
            for entry in nodes
        ),
        since=earliest(entry.ending.deleted for entry in nodes),
        fix=tuple(_fix(worst, nodepool)),
        blames=tuple(Blame(ref) for ref in dict.fromkeys(blamed)),
    )


def _cost(snapshot: Snapshot, nodes: Sequence[_Stuck], pods: int) -> str:
    since = at(snapshot, min(entry.ending.deleted for entry in nodes))
    if nodes[0].hold.cause is Cause.FINALIZER:
        return f"{plural(len(nodes), 'object')} to go since {since}, without an instance; a NodePool that is deleted waits for its NodeClaims"
    return f"{plural(len(nodes), 'node')} to go since {since}, and paid for" + (
        f"; {plural(pods, 'pod')} still there" if pods else ""
    )


def _limit(snapshot: Snapshot, stuck: _Stuck) -> str:
    """What ends it by force, and when."""
    claim = stuck.state.nodeclaim
    if stuck.hold.cause not in _FORCED:
        return ""
    if stuck.ending.forced_end:
        return f"its forced end {'is' if stuck.ending.forced_end > snapshot.taken_at else 'was'} {at_and_distance(snapshot, stuck.ending.forced_end)}"
    if claim and claim.termination_grace_period is not None and claim.metadata.annotations.termination_timestamp:
        return "its annotation karpenter.sh/nodeclaim-termination-timestamp is no time, so nothing forces it"
    return "no terminationGracePeriod, so nothing forces it"


def _evidence(snapshot: Snapshot, stuck: _Stuck) -> Iterator[Evidence]:
    state = stuck.state
    for ref, thing in zip(state.refs, [entry for entry in (state.node, state.nodeclaim) if entry], strict=True):
        if deleted := thing.metadata.deletion_timestamp:
            yield Evidence(ref, "metadata.deletionTimestamp", f"{deleted:%Y-%m-%dT%H:%M:%SZ}")
        if others := [name for name in thing.metadata.finalizers if name != FINALIZER]:
            yield Evidence(ref, "metadata.finalizers", ", ".join(others))
    steps = [condition for step in _STEPS if state.nodeclaim and (condition := state.nodeclaim.condition(step))]
    if steps:
        yield Evidence(state.refs[-1], f"status.conditions.{steps[-1].type}", steps[-1].status)
    for entry in stuck.hold.pods[:1]:
        if entry.by and not entry.budgets:
            value = entry.pod.metadata.annotations.do_not_disrupt
            yield Evidence(pod_ref(entry.pod), "metadata.annotations.karpenter.sh/do-not-disrupt", value)
        for budget in entry.budgets:
            yield Evidence(budget, "spec.selector", f"matches {pod_ref(entry.pod)}")
    names = {ref.name for ref in state.refs}
    said = [event for reason in _SAID for event in snapshot.events_by_reason.get(reason, ()) if event.involved_object.name in names]
    latest = max(said, key=lambda event: event.last_seen or NO_TIME, default=None)
    if latest:
        yield Evidence.of_event(latest)


def _fix(stuck: _Stuck, nodepool: str) -> Iterator[Fix]:
    kept = [entry for entry in stuck.hold.pods if entry.by]
    if kept and stuck.hold.cause in {Cause.PDB, Cause.MULTIPLE_PDBS}:
        yield by_hand(kept[0])
    if stuck.hold.cause not in _KARPENTERS:
        yield from ways_to_end(stuck.ending)
    else:
        yield Fix(
            "fix",
            text="read Karpenter's log for this node, then restart its controller",
            risk="for a minute nothing is bought or taken away",
        )
    if stuck.hold.cause in {Cause.INSTANCE, Cause.NEVER_REGISTERED}:
        text = "see whether the cloud still has its instance, and read Karpenter's log for why it is not deleted"
        yield Fix("fix", command("describe", stuck.state.refs[-1]), text)
    yield verification("node-terminating-stuck", nodepool=nodepool)
