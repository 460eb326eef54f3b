"""The fourth founding problem: nodes that should be gone, kept alive by a nomination that renews for ever."""

import shlex
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from karpenter_check.disruption.candidate import UNDERUTILIZED, Wanted, wanted_gone
from karpenter_check.disruption.nominated import nomination_window, renewed, standing_word
from karpenter_check.disruption.state_node import state_node
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
from karpenter_check.rule import Stage, rule
from karpenter_check.scheduling.nomination import Nominee, Obstacle, node_ref, obstacle, pod_ref
from karpenter_check.snapshot import GRACE, Kind, Node, Snapshot
from karpenter_check.snapshot.duration import spoken
from karpenter_check.snapshot.event import Event
from karpenter_check.snapshot.quantity import shown


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


@rule(
    severity=Severity.HIGH,
    needs={Kind.NODE, Kind.POD, Kind.NODEPOOL, Kind.NODECLAIM, Kind.EVENT},
    since="0.1.0",
    stage=Stage.DISRUPTION,
)
def node_reaping_nominated(
    snapshot: Snapshot,
    *,
    warn_count: int = 3,
    warn_after: timedelta = timedelta(minutes=2),
    fail_after: timedelta = timedelta(minutes=10),
) -> Iterator[Finding]:
    """A node that Karpenter would take away is kept by the nomination of a pod that never comes."""
    kept: dict[tuple[str, str], list[_Kept]] = defaultdict(list)
    latest = snapshot.taken_at - max(GRACE, warn_after)
    for name, pods in sorted(renewed(snapshot).items()):
        node, holders = snapshot.nodes_by_name[name], [nominee for nominee in pods if nominee.since <= latest]
        if holders and (found := _kept(snapshot, node, holders, warn_count, fail_after)):
            kept[node.nodepool, found.obstacle.reason].append(found)
    for (nodepool, cause), nodes in kept.items():
        yield _finding(snapshot, nodepool, cause, sorted(nodes, key=lambda entry: (entry.severity.rank, entry.since)))


def _kept(snapshot: Snapshot, node: Node, holders: Sequence[Nominee], warn_count: int, fail_after: timedelta) -> _Kept | None:
    """The node, if Karpenter wants it gone and says again and again that a nomination forbids it."""
    claim, nodepool = snapshot.nodeclaim_of_node.get(node.name), snapshot.nodepools_by_name.get(node.nodepool)
    wanted = wanted_gone(snapshot, node, claim, nodepool) if claim and nodepool else None
    block = standing_word(snapshot, state_node(snapshot, node), warn_count)
    if not (wanted and block and block.first_seen):
        return None
    since = max(block.first_seen, holders[0].since)  # what blocked it before was another pod, which has come or gone
    if not snapshot.settled(since):
        return None
    lasting = snapshot.taken_at - since >= fail_after
    unsure = wanted.reason == UNDERUTILIZED
    severity = Severity.HIGH.lowered(0 if lasting and not unsure else 1 if lasting else 2)
    return _Kept(node, wanted, tuple(holders), obstacle(snapshot, holders[0]), block, since, severity)


def _finding(snapshot: Snapshot, nodepool: str, cause: str, nodes: Sequence[_Kept]) -> Finding:
    worst = nodes[0]
    node, holder, wanted = worst.node, worst.holders[0], worst.wanted
    owner = Ref("NodePool", nodepool, "karpenter.sh/v1")
    requests = ", ".join(f"{shown(name, amount)} {name}" for name, amount in sorted(holder.pod.shape.requests.items())) or "nothing"
    pod = pod_ref(holder.pod)
    window = nomination_window(snapshot).total_seconds()
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
        why=f"Karpenter sees {pod.qualified_name} (asks {requests}) fit here and renews a {window:.0f} s nomination; it has {waited}: {worst.obstacle.said}",
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
