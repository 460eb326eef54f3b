"""The fourth founding problem: nodes that should be gone, kept alive by a nomination that renews for ever."""

import shlex
from collections.abc import Iterator
from datetime import timedelta

from karpenter_check.disruption.candidate import UNDERUTILIZED, Wanted, wanted_gone
from karpenter_check.finding import Blame, Confidence, Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity
from karpenter_check.rule import rule
from karpenter_check.scheduling.nomination import Nominee, node_ref, nominees, obstacle, pod_ref, target_node
from karpenter_check.snapshot import Kind, Node, Snapshot
from karpenter_check.snapshot.duration import spoken
from karpenter_check.snapshot.event import Event
from karpenter_check.snapshot.quantity import shown

_LIVE = timedelta(minutes=3)
"""A nomination's event is at most so old: 20 s of life, and 2 minutes in which Karpenter does not repeat an event."""
_REPEATS = timedelta(minutes=4)
"""A block that lasts is told again at least so often; rarer ones are single nominations of a busy node."""


@rule(severity=Severity.HIGH, needs={Kind.NODE, Kind.POD, Kind.NODEPOOL, Kind.NODECLAIM, Kind.EVENT}, since="0.1.0")
def node_reaping_nominated(
    snapshot: Snapshot, *, warn_count: int = 3, fail_after: timedelta = timedelta(minutes=10)
) -> Iterator[Finding]:
    """A node that Karpenter would take away is kept by the nomination of a pod that never comes."""
    holders: dict[str, list[Nominee]] = {}
    for nominee in nominees(snapshot).values():
        node, last = target_node(snapshot, nominee), nominee.latest.last_seen
        if node and last and snapshot.taken_at - last <= _LIVE and nominee.pod.node_name != node.name and nominee.pod.active:
            holders.setdefault(node.name, []).append(nominee)
    for name, pods in sorted(holders.items()):
        node = snapshot.nodes_by_name[name]
        claim, nodepool = snapshot.nodeclaim_of_node.get(name), snapshot.nodepools_by_name.get(node.nodepool)
        wanted = wanted_gone(snapshot, node, claim, nodepool) if claim and nodepool else None
        block = _standing_block(snapshot, {name, claim.name if claim else name}, warn_count)
        if wanted and block and block.first_seen:
            lasting = snapshot.taken_at - block.first_seen >= fail_after
            yield _finding(snapshot, node, wanted, block, sorted(pods, key=lambda entry: entry.since), lasting=lasting)


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


def _finding(snapshot: Snapshot, node: Node, wanted: Wanted, block: Event, pods: list[Nominee], *, lasting: bool) -> Finding:
    holder = pods[0]
    owner = Ref("NodePool", node.nodepool, "karpenter.sh/v1")
    why_not = obstacle(snapshot, holder)
    unsure = wanted.reason == UNDERUTILIZED
    requests = ", ".join(f"{shown(name, amount)} {name}" for name, amount in sorted(holder.pod.shape.requests.items())) or "nothing"
    waited = spoken(snapshot.taken_at - holder.since)
    name = pod_ref(holder.pod)
    severity = Severity.HIGH.lowered(0 if lasting and not unsure else 1 if lasting else 2)
    return Finding(
        object=node_ref(node.name),
        owner=owner,
        nodepool=node.nodepool,
        cause=why_not.reason,
        severity=severity,
        confidence=Confidence.POSSIBLE if unsure else Confidence.LIKELY,
        message=f"should be gone as {wanted.reason}; kept for {spoken(snapshot.taken_at - (block.first_seen or snapshot.taken_at))} by the nomination of {name}",
        why=f"Karpenter sees {name.qualified_name} (asks {requests}) fit here and renews a 20 s nomination; it has waited {waited}: {why_not.said}",
        cost=f"node {node.name}, {wanted.because}" + (f" since {wanted.since:%H:%M:%SZ}" if wanted.since else ""),
        impact=Impact(nodes=1, pods=len(pods)),
        evidence=(
            Evidence.of_event(block),
            Evidence.of_event(holder.latest, holder.times),
            Evidence(node_ref(node.name), "NodeClaim status.conditions", wanted.because),
        ),
        occurrences=(Occurrence(node_ref(node.name), node.metadata.uid, node.name, "nominated", block.first_seen),),
        since=block.first_seen,
        fix=(
            Fix(
                "fix", f"kubectl describe pod -n {shlex.quote(name.namespace)} {shlex.quote(name.name)}",
                text="remove what keeps the pod from its node, or the pod; the node then goes by itself",
                risk="restarting Karpenter frees the node only until it nominates again",
            ),
            Fix("verify", f"karpenter-check scan --select node-reaping-nominated --nodepool {shlex.quote(node.nodepool)}"),
        ),
        blames=(Blame(snapshot.owner(holder.pod)), *(Blame(culprit) for culprit in why_not.culprits)),
    )  # fmt: skip
