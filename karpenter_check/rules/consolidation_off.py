"""NodePools whose settings keep consolidation from nodes that are little used."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from karpenter_check.disruption.candidate import is_empty
from karpenter_check.disruption.due import LITTLE, little_used
from karpenter_check.disruption.pods import is_reschedulable, says_do_not_disrupt
from karpenter_check.disruption.remedies import command
from karpenter_check.disruption.timing import Stage, consolidation
from karpenter_check.finding import Confidence, Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity, verification
from karpenter_check.rule import NotProven, rule
from karpenter_check.scheduling.nomination import node_ref
from karpenter_check.scheduling.volumes import bound_volumes
from karpenter_check.snapshot import Kind, Node, NodePool, Pod, Snapshot
from karpenter_check.snapshot.counted import plural
from karpenter_check.snapshot.duration import duration, spoken
from karpenter_check.snapshot.moments import at

NEVER, WHEN_EMPTY, RHYTHM = "never", "when-empty", "pods-rhythm"
_APART = timedelta(minutes=1)
"""Pods that came within so long of each other came together."""
_TIMES = 3
"""A rhythm is of so many moments, and to be judged a node must be so many consolidateAfter old."""


@dataclass(frozen=True)
class _Idle:
    """A node that is empty, or of which its pods ask for little."""

    node: Node
    empty: bool


@rule(severity=Severity.INFO, needs={Kind.NODEPOOL, Kind.NODE, Kind.NODECLAIM, Kind.POD}, since="0.1.0")
def consolidation_off(snapshot: Snapshot, *, minimum_age: timedelta = timedelta(hours=1), share: float = 0.5) -> Iterator[Finding]:
    """A NodePool keeps nodes that are little used, because of how its consolidation is set."""
    pods = snapshot.covered(Kind.POD)
    if not snapshot.whole(Kind.POD) and pods.sufficient:
        raise NotProven(f"how much is asked of nodes is not known: Pod is {pods}")
    for nodepool in sorted(snapshot.nodepools, key=lambda entry: entry.name):
        if nodepool.static or nodepool.metadata.deletion_timestamp:
            continue
        nodes = [node for node in snapshot.nodes_of_nodepool.get(nodepool.name, ()) if _settled(snapshot, node, minimum_age)]
        idle = [
            _Idle(node, empty)
            for node in nodes
            if ((empty := is_empty(snapshot, node)) or little_used(snapshot, node)) and not _stays_anyway(snapshot, node)
        ]  # fmt: skip
        disruption = nodepool.spec.disruption
        if disruption.consolidate_after == "Never":
            if idle:
                yield _never(nodepool, nodes, idle)
            continue
        used = [entry for entry in idle if not entry.empty]
        if disruption.consolidation_policy == "WhenEmpty":
            if used and len(used) > share * len(nodes) and not _only_jobs(snapshot, used):
                yield _when_empty(nodepool, nodes, used)
        elif rhythmic := _kept_by_rhythm(snapshot, nodepool, nodes, used):
            yield _rhythm(snapshot, nodepool, nodes, rhythmic)


def _settled(snapshot: Snapshot, node: Node, minimum_age: timedelta) -> bool:
    born = node.metadata.creation_timestamp
    old = born is not None and snapshot.taken_at - born >= minimum_age
    return old and node.initialized and node.metadata.deletion_timestamp is None


def _stays_anyway(snapshot: Snapshot, node: Node) -> bool:
    """Whether somebody asked that it is kept, or its pods keep others off or have their volumes there, so that consolidation would pack them no closer."""
    now, version = snapshot.taken_at, snapshot.karpenter_version
    return node.metadata.annotations.do_not_disrupt == "true" or any(
        pod.shape.neighbours
        or says_do_not_disrupt(pod, now, version)
        or any(bound.on_one_host for bound in bound_volumes(snapshot, pod))
        for pod in _pods(snapshot, node)
    )


def _pods(snapshot: Snapshot, node: Node) -> list[Pod]:
    return [pod for pod in snapshot.pods_on_node.get(node.name, ()) if is_reschedulable(pod)]


def _only_jobs(snapshot: Snapshot, idle: Sequence[_Idle]) -> bool:
    """Whether only Jobs run there: WhenEmpty is what is advised for them."""
    return all(snapshot.owner(pod).kind in {"Job", "CronJob"} for entry in idle for pod in _pods(snapshot, entry.node))


def _kept_by_rhythm(
    snapshot: Snapshot, nodepool: NodePool, nodes: Sequence[Node], used: Sequence[_Idle]
) -> list[tuple[Node, list[datetime]]]:
    """The little-used nodes whose time never comes, with when pods came; none where Karpenter calls one node of the NodePool consolidatable.

    A pod of no DaemonSet that comes or goes begins the wait anew (`nodeclaim/podevents`, `nodeclaim/disruption/consolidation.go`, 1.13).
    """
    after = duration(nodepool.spec.disruption.consolidate_after or "0s")
    claims = [snapshot.nodeclaim_of_node.get(node.name) for node in nodes]
    if not after or any(claim is not None and claim.is_true("Consolidatable") for claim in claims):
        return []
    found = []
    for entry in used:
        claim, born = snapshot.nodeclaim_of_node.get(entry.node.name), entry.node.metadata.creation_timestamp
        if claim is None or born is None or snapshot.taken_at - born < _TIMES * after:
            continue
        moments = _moments(snapshot, entry.node)
        waits = consolidation(snapshot, nodepool, claim).stage is Stage.WAITING
        if waits and _is_rhythm([*moments, snapshot.taken_at], after):
            found.append((entry.node, moments))
    return found


def _moments(snapshot: Snapshot, node: Node) -> list[datetime]:
    """When pods came that are still listed, finished ones too, without those that came together."""
    pods = snapshot.pods_on_node.get(node.name, ())
    starts = sorted(pod.start_time for pod in pods if pod.start_time and not pod.daemonset_uid)
    found: list[datetime] = []
    for start in starts:
        if not found or start - found[-1] >= _APART:
            found.append(start)
    return found[-_TIMES:]


def _is_rhythm(moments: Sequence[datetime], after: timedelta) -> bool:
    """Whether pods came several times, each time before consolidateAfter had run, and not all at once as in a roll-out."""
    gaps = [later - earlier for earlier, later in pairwise(moments)]
    return len(moments) > _TIMES and all(timedelta() <= gap < after for gap in gaps) and moments[-1] - moments[0] >= after / 2


def _never(nodepool: NodePool, nodes: Sequence[Node], idle: Sequence[_Idle]) -> Finding:
    empty = sum(entry.empty for entry in idle)
    what = (
        f"{empty} of them without any pod but DaemonSets'"
        if empty
        else f"less than {LITTLE:.0%} of their cpu and memory is asked for"
    )
    fix = Fix("fix", command("edit", Ref("NodePool", nodepool.name)), "set spec.disruption.consolidateAfter to minutes",
              "nodes then go when they are empty, and by the consolidationPolicy others too; no node drifts")  # fmt: skip
    return _finding(
        nodepool,
        NEVER,
        f"consolidateAfter Never: {_some(len(idle), nodes)} empty or little used, and {'stay' if len(idle) > 1 else 'stays'}",
        f"Karpenter takes away neither empty nor under-used nodes of such a NodePool; {what}",
        [entry.node for entry in idle],
        (fix,),
    )


def _when_empty(nodepool: NodePool, nodes: Sequence[Node], used: Sequence[_Idle]) -> Finding:
    fix = Fix("fix", command("edit", Ref("NodePool", nodepool.name)), "set spec.disruption.consolidationPolicy to WhenEmptyOrUnderutilized",
              "Karpenter then evicts pods to pack them on fewer nodes, as budgets and PodDisruptionBudgets let it; no node drifts")  # fmt: skip
    return _finding(
        nodepool,
        WHEN_EMPTY,
        f"consolidationPolicy WhenEmpty: {_some(len(used), nodes)} little used, and {'stay' if len(used) > 1 else 'stays'} as long as one pod is there",
        f"less than {LITTLE:.0%} of the cpu and memory of each is asked for; Karpenter waits till they are empty",
        [entry.node for entry in used],
        (fix,),
    )


def _rhythm(snapshot: Snapshot, nodepool: NodePool, nodes: Sequence[Node], kept: Sequence[tuple[Node, list[datetime]]]) -> Finding:
    after = nodepool.spec.disruption.consolidate_after
    node, moments = kept[0]
    came = ", ".join(at(snapshot, moment) for moment in moments)
    fix = Fix("fix", command("edit", Ref("NodePool", nodepool.name)), f"set spec.disruption.consolidateAfter below {spoken(_shortest(kept))}, "
              "or have those pods run on other nodes", "a shorter wait lets more pods be evicted; no node drifts")  # fmt: skip
    return _finding(
        nodepool,
        RHYTHM,
        f"{_some(len(kept), nodes)} little used, and pods come to {'them' if len(kept) > 1 else 'it'} more often than consolidateAfter {after}",
        f"each pod that comes or goes begins the wait anew, but for DaemonSets'; to {node.name} they came at {came}, and no node of the "
        "NodePool is Consolidatable",
        [entry for entry, _ in kept],
        (fix,),
        Confidence.POSSIBLE,
    )


def _shortest(kept: Sequence[tuple[Node, list[datetime]]]) -> timedelta:
    return min(later - earlier for _, moments in kept for earlier, later in pairwise(moments))


def _some(number: int, nodes: Sequence[Node]) -> str:
    return f"{number} of {plural(len(nodes), 'node')} {'are' if number > 1 else 'is'}"


def _finding(
    nodepool: NodePool,
    cause: str,
    message: str,
    why: str,
    nodes: Sequence[Node],
    fix: Sequence[Fix],
    confidence: Confidence = Confidence.LIKELY,
) -> Finding:
    owner, disruption = Ref("NodePool", nodepool.name, "karpenter.sh/v1"), nodepool.spec.disruption
    return Finding(
        object=owner,
        owner=owner,
        nodepool=nodepool.name,
        cause=cause,
        confidence=confidence,
        message=message,
        why=why,
        cost=f"{plural(len(nodes), 'node')} that may not be needed",
        impact=Impact(nodes=len(nodes)),
        evidence=(
            Evidence(owner, "spec.disruption.consolidateAfter", disruption.consolidate_after or "0s"),
            Evidence(owner, "spec.disruption.consolidationPolicy", disruption.consolidation_policy or "WhenEmptyOrUnderutilized"),
        ),
        occurrences=tuple(Occurrence(node_ref(node.name), node.metadata.uid, node.name, cause) for node in nodes),
        fix=(*fix, verification("consolidation-off", nodepool=nodepool.name)),
    )
