"""The limits of a NodePool, and who waits for them."""

from collections.abc import Mapping
from dataclasses import dataclass

from karpenter_check.scheduling.ignored import ignored
from karpenter_check.scheduling.nodepool import LimitReached
from karpenter_check.scheduling.verdict import verdicts
from karpenter_check.snapshot import Kind, NodePool, Ref, Snapshot
from karpenter_check.snapshot.quantity import amounts, total


@dataclass(frozen=True)
class Limit:
    """One of its limits, in thousandths; `nodes` is their number."""

    resource: str
    limit: int
    used: int | None
    """What its status says; None where that says nothing."""
    claims: int | None
    """What its NodeClaims come to together; None where not all were seen, or some do not say."""


def limits_of(snapshot: Snapshot, nodepool: NodePool) -> tuple[Limit, ...]:
    """Its limits as it writes them."""
    limits, used = amounts(nodepool.spec.limits), amounts(nodepool.status.resources)
    claims = [claim for claim in snapshot.nodeclaims if claim.nodepool == nodepool.name]
    told = snapshot.whole(Kind.NODECLAIM) and all(claim.status.capacity for claim in claims)
    together = {**total(amounts(claim.status.capacity) for claim in claims), "nodes": 1000 * len(claims)}
    return tuple(
        Limit(name, limit, used.get(name, 0) if used else None, together.get(name, 0) if told else None)
        for name, limit in limits.items()
    )


def short_of(snapshot: Snapshot, nodepool: NodePool) -> Mapping[Ref, tuple[LimitReached, ...]]:
    """The workloads with pods that wait, and that nothing but its limits keeps off it."""
    found: dict[Ref, tuple[LimitReached, ...]] = {}
    for pod in snapshot.unbound_pods if nodepool.spec.limits else ():
        if not (pod.active and pod.unschedulable) or pod.daemonset_uid or snapshot.owner(pod) in found or ignored(snapshot, pod):
            continue
        answer = next(verdict for verdict in verdicts(snapshot, pod.shape) if verdict.nodepool == nodepool.name)
        reached = tuple(entry for entry in answer.hindrances if isinstance(entry, LimitReached))
        if reached and len(reached) == len(answer.hindrances):
            found[snapshot.owner(pod)] = reached
    return found
