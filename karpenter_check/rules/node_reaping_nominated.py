"""The fourth founding problem: nodes that should be gone, kept alive by a nomination that renews for ever."""

import shlex
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from karpenter_check.disruption.candidate import UNDERUTILIZED, Wanted, wanted_gone
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
    earliest,
    verification,
)
from karpenter_check.rule import rule
from karpenter_check.scheduling.nomination import Nominee, Obstacle, node_ref, nominees, obstacle, pod_ref, target_node
from karpenter_check.snapshot import GRACE, Kind, Node, Snapshot
from karpenter_check.snapshot.duration import spoken
from karpenter_check.snapshot.event import Event
from karpenter_check.snapshot.quantity import shown

_LIVE = timedelta(minutes=3)
"""A nomination's event is at most so old: 20 s of life, and 2 minutes in which Karpenter does not repeat an event."""
_REPEATS = timedelta(minutes=4)
"""A block that lasts is told again at least so often; rarer ones are single nominations of a busy node."""


@dataclass(frozen=True)
class _Kept:
    """A node that should be gone, what says that it is nominated, and the pods that it is nominated for."""

    node: Node
    wanted: Wanted
    holders: tuple[Nominee, ...]
    """Longest nominated first."""
    obstacle: Obstacle
    """What keeps the first of them away."""
    block: Event
    since: datetime
    severity: Severity


@rule(severity=Severity.HIGH, needs={Kind.NODE, Kind.POD, Kind.NODEPOOL, Kind.NODECLAIM, Kind.EVENT}, since="0.1.0")
def node_reaping_nominated(
    snapshot: Snapshot,
    *,
    warn_count: int = 3,
    warn_after: timedelta = timedelta(minutes=2),
    fail_after: timedelta = timedelta(minutes=10),
) -> Iterator[Finding]:
    """A node that Karpenter would take away is kept by the nomination of a pod that never comes."""
    holders: dict[str, list[Nominee]] = defaultdict(list)
    for nominee in nominees(snapshot).values():
        node, last = target_node(snapshot, nominee), nominee.latest.last_seen
        waited = snapshot.taken_at - nominee.since >= max(GRACE, warn_after)
        if node and last and waited and snapshot.taken_at - last <= _LIVE and _comes_again(snapshot, nominee, node):
            holders[node.name].append(nominee)
    kept: dict[tuple[str, str], list[_Kept]] = defaultdict(list)
    for name, pods in sorted(holders.items()):
        node = snapshot.nodes_by_name[name]
        if found := _kept(snapshot, node, pods, warn_count, fail_after):
            kept[node.nodepool, found.obstacle.reason].append(found)
    for (nodepool, cause), nodes in kept.items():
        yield _finding(snapshot, nodepool, cause, sorted(nodes, key=lambda entry: (entry.severity.rank, entry.since)))


def _comes_again(snapshot: Snapshot, nominee: Nominee, node: Node) -> bool:
    """Whether Karpenter goes on nominating the pod: it waits, or it runs on another node that is on its way out."""
    pod = nominee.pod
    if not pod.active or pod.node_name == node.name:
        return False
    host = snapshot.nodes_by_name.get(pod.node_name)
    return not pod.node_name or (host is not None and host.metadata.deletion_timestamp is not None)


def _kept(snapshot: Snapshot, node: Node, pods: Sequence[Nominee], warn_count: int, fail_after: timedelta) -> _Kept | None:
    """The node, if Karpenter wants it gone and says again and again that a nomination forbids it."""
    claim, nodepool = snapshot.nodeclaim_of_node.get(node.name), snapshot.nodepools_by_name.get(node.nodepool)
    wanted = wanted_gone(snapshot, node, claim, nodepool) if claim and nodepool else None
    block = _standing_block(snapshot, {node.name, claim.name if claim else node.name}, warn_count)
    if not (wanted and block and block.first_seen):
        return None
    longest = tuple(sorted(pods, key=lambda entry: (entry.since, entry.pod.metadata.namespace, entry.pod.metadata.name)))
    since = max(block.first_seen, longest[0].since)  # what blocked it before was another pod, which has come or gone
    if not snapshot.settled(since):
        return None
    lasting = snapshot.taken_at - since >= fail_after
    unsure = wanted.reason == UNDERUTILIZED
    severity = Severity.HIGH.lowered(0 if lasting and not unsure else 1 if lasting else 2)
    return _Kept(node, wanted, longest, obstacle(snapshot, longest[0]), block, since, severity)


def _standing_block(snapshot: Snapshot, names: set[str], warn_count: int) -> Event | None:
    """The event that says that the node is nominated, if it is recent and has come again and again."""
    for event in snapshot.events_by_reason.get("DisruptionBlocked", ()):
        first, last = event.first_seen, event.last_seen
        about = event.involved_object.name in names and event.involved_object.kind in {"Node", "NodeClaim"}
        if not (about and first and last and "nominated for a pending pod" in event.message.lower()):
            continue
        steady = event.times * _REPEATS >= last - first
        if snapshot.taken_at - last <= _LIVE and event.times >= warn_count and steady:
            return event
    return None


def _finding(snapshot: Snapshot, nodepool: str, cause: str, nodes: Sequence[_Kept]) -> Finding:
    worst = nodes[0]
    node, holder, wanted = worst.node, worst.holders[0], worst.wanted
    owner = Ref("NodePool", nodepool, "karpenter.sh/v1")
    requests = ", ".join(f"{shown(name, amount)} {name}" for name, amount in sorted(holder.pod.shape.requests.items())) or "nothing"
    pod = pod_ref(holder.pod)
    kept_for = spoken(snapshot.taken_at - worst.since)
    waited = f"{'not come in' if holder.pod.node_name else 'waited'} {spoken(snapshot.taken_at - holder.since)}"
    some = "should be gone" if len(nodes) == 1 else f"{len(nodes)} nodes should be gone"
    reasons = " and ".join(dict.fromkeys(entry.wanted.reason for entry in nodes))
    others = f"; and {len(nodes) - 1} more" if len(nodes) > 1 else ""
    owners = [snapshot.owner(entry.holders[0].pod) for entry in nodes]
    culprits = [culprit for entry in nodes for culprit in entry.obstacle.culprits]
    return Finding(
        object=node_ref(node.name) if len(nodes) == 1 else owner,
        owner=owner,
        nodepool=nodepool,
        cause=cause,
        severity=worst.severity,
        confidence=Confidence.POSSIBLE if wanted.reason == UNDERUTILIZED else Confidence.LIKELY,
        message=f"{some} as {reasons}; kept for {kept_for} by the nomination of {pod}",
        why=f"Karpenter sees {pod.qualified_name} (asks {requests}) fit here and renews a 20 s nomination; it has {waited}: {worst.obstacle.said}",
        cost=f"node {node.name}, {wanted.because}" + (f" since {wanted.since:%H:%M:%SZ}" if wanted.since else "") + others,
        impact=Impact(nodes=len(nodes), pods=len({entry.pod.metadata.uid for kept in nodes for entry in kept.holders})),
        evidence=(
            Evidence.of_event(worst.block),
            Evidence.of_event(holder.latest, holder.times),
            Evidence(node_ref(node.name), "NodeClaim status.conditions", wanted.because),
        ),
        occurrences=tuple(
            Occurrence(node_ref(entry.node.name), entry.node.metadata.uid, entry.node.name, "nominated", entry.since) for entry in nodes
        ),
        since=earliest(entry.since for entry in nodes),
        fix=(
            Fix(
                "fix", f"kubectl describe pod -n {shlex.quote(pod.namespace)} {shlex.quote(pod.name)}",
                text="remove what keeps the pod from its node, or the pod; the node then goes by itself, unless something else blocks it, too",
                risk="restarting Karpenter frees the node only until it nominates again",
            ),
            verification("node-reaping-nominated", nodepool=nodepool),
        ),
        blames=tuple(Blame(ref) for ref in dict.fromkeys([*owners, *culprits])),
    )  # fmt: skip
