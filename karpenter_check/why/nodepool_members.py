"""The nodes of a NodePool in numbers, and whose pods run on them."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from karpenter_check.disruption.allowance import Unknown
from karpenter_check.disruption.expiry import expiry
from karpenter_check.disruption.pods import is_mirror
from karpenter_check.disruption.timing import drift
from karpenter_check.snapshot import NO_TIME, Kind, NodeClaim, NodePool, Ref, Snapshot
from karpenter_check.snapshot.quantity import Milli, total

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Workload:
    """Pods of one owner on its nodes, and what they request together, in thousandths."""

    owner: Ref
    pods: int
    requests: Milli


@dataclass(frozen=True)
class Members:
    """Its nodes and NodeClaims in numbers; None where that could not be seen."""

    nodes: int
    ready: int
    initialized: int
    terminating: int
    without_node: int | None
    """NodeClaims without a Node, as far as they are not being deleted."""
    drifted: int | None
    overdue: int | None
    expiring_in_a_day: int | None
    expiring_in_a_week: int | None
    """Those of the day included. What is overdue or being deleted does not count."""


def workloads_on(snapshot: Snapshot, nodepool: NodePool) -> tuple[Workload, ...] | Unknown:
    """Whose pods run on its nodes, those that ask most first; DaemonSets and static pods apart."""
    for kind in (Kind.NODE, Kind.POD):
        if not snapshot.covered(kind).sufficient:
            return Unknown(f"{kind} is {snapshot.covered(kind)}")
    pods, requests = Counter[Ref](), defaultdict[Ref, list[Milli]](list)
    for node in snapshot.nodes_of_nodepool.get(nodepool.name, ()):
        for pod in snapshot.pods_on_node.get(node.name, ()):
            if pod.active and not pod.daemonset_uid and not is_mirror(pod):
                owner = snapshot.owner(pod)
                pods[owner] += 1
                requests[owner].append(pod.shape.requests)
    found = [Workload(owner, number, total(requests[owner])) for owner, number in pods.items()]
    return tuple(
        sorted(found, key=lambda one: (-one.requests.get("cpu", 0), -one.requests.get("memory", 0), -one.pods, str(one.owner)))
    )


def members_of(snapshot: Snapshot, nodepool: NodePool) -> Members | Unknown:
    """Its nodes, by their label, and its NodeClaims."""
    if not snapshot.covered(Kind.NODE).sufficient:
        return Unknown(f"Node is {snapshot.covered(Kind.NODE)}")
    nodes = snapshot.nodes_of_nodepool.get(nodepool.name, ())
    joined = {node.name: snapshot.nodeclaim_of_node.get(node.name) for node in nodes}
    going = [node for node in nodes if _goes(node.metadata.deletion_timestamp, joined[node.name])]
    claims = [claim for claim in snapshot.nodeclaims if claim.nodepool == nodepool.name and not claim.metadata.deletion_timestamp]
    seen, timed = snapshot.whole(Kind.NODECLAIM), snapshot.taken_at != NO_TIME
    due = list(_until_expiry(snapshot, claims))
    return Members(
        nodes=len(nodes),
        ready=sum(node.ready for node in nodes),
        initialized=sum(node.initialized for node in nodes),
        terminating=len(going),
        without_node=sum(claim.name not in snapshot.node_of_nodeclaim for claim in claims) if seen else None,
        drifted=sum(drift(claim) is not None for claim in claims) if seen else None,
        overdue=sum(left < timedelta() for left in due) if seen and timed else None,
        expiring_in_a_day=sum(timedelta() <= left <= _DAY for left in due) if seen and timed else None,
        expiring_in_a_week=sum(timedelta() <= left <= 7 * _DAY for left in due) if seen and timed else None,
    )


def _goes(deleted: object, claim: NodeClaim | None) -> bool:
    return deleted is not None or (claim is not None and claim.metadata.deletion_timestamp is not None)


def _until_expiry(snapshot: Snapshot, claims: list[NodeClaim]) -> Iterator[timedelta]:
    for claim in claims:
        if expires := expiry(snapshot, claim):
            yield expires - snapshot.taken_at
