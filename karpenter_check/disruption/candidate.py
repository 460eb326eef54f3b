"""Which nodes Karpenter would take away if nothing stood in its way."""

import re
from dataclasses import dataclass
from datetime import datetime

from karpenter_check.disruption.pods import is_reschedulable
from karpenter_check.disruption.timing import drift
from karpenter_check.snapshot import Node, NodeClaim, NodePool, Pod, Snapshot, Version

_COUNTS_COSTS = Version(1, 14)
_NUMBER = re.compile(r"-?[0-9]{1,10}")
DRIFTED, EMPTY, UNDERUTILIZED = "Drifted", "Empty", "Underutilized"


@dataclass(frozen=True)
class Wanted:
    """Why a node should go, and since when."""

    reason: str
    """Drifted, Empty or Underutilized, as Karpenter names its reasons. Underutilized is a maybe: only Karpenter's prices decide it."""
    since: datetime | None
    because: str
    """The condition and the settings that say so."""


def eviction_cost(pod: Pod) -> float:
    """What it costs Karpenter to evict the pod, -10 to 10, for most pods 1 (`pkg/utils/disruption:EvictionCost`)."""
    said = pod.metadata.annotations.pod_deletion_cost
    deletion_cost = int(said) if _NUMBER.fullmatch(said) else 0
    return min(10.0, max(-10.0, 1 + deletion_cost / 2**27 + pod.priority / 2**25))


def is_empty(snapshot: Snapshot, node: Node) -> bool:
    """Whether no pod on the node would have to run elsewhere (`disruption/emptiness.go`); since 1.14, none that costs anything.

    A pod costs nothing with a priority below -2^25 or so, or a pod-deletion-cost below -2^27 (`Candidate.IsEmpty`).
    """
    version = snapshot.karpenter_version
    free = version is not None and version >= _COUNTS_COSTS
    there = (pod for pod in snapshot.pods_on_node.get(node.name, ()) if is_reschedulable(pod))
    return all(free and eviction_cost(pod) <= 0 for pod in there)


def never(nodepool: NodePool, reason: str) -> str:
    """Why Karpenter never disrupts the NodePool's nodes for a reason (`disruption/emptiness.go`, `consolidation.go`, 1.13); else empty."""
    settings = nodepool.spec.disruption
    if reason == DRIFTED:
        return ""
    if nodepool.static:
        return "static"
    if settings.consolidate_after == "Never":
        return "consolidateAfter Never"
    return "WhenEmpty" if reason == UNDERUTILIZED and settings.consolidation_policy == "WhenEmpty" else ""


def wanted_gone(snapshot: Snapshot, node: Node, nodeclaim: NodeClaim, nodepool: NodePool) -> Wanted | None:
    """Why Karpenter's graceful disruption wants the node gone, drift first, or None if it does not."""
    return next(iter(ways_out(snapshot, node, nodeclaim, nodepool)), None)


def ways_out(snapshot: Snapshot, node: Node, nodeclaim: NodeClaim, nodepool: NodePool) -> tuple[Wanted, ...]:
    """Every reason for which graceful disruption wants the node gone: a drifted node that a budget keeps may still go as an empty one.

    Sources: `disruption/drift.go`, `disruption/emptiness.go`, `disruption/consolidation.go` (`ShouldDisrupt`, 1.13).
    """
    if not node.initialized or nodeclaim.metadata.deletion_timestamp or node.metadata.deletion_timestamp:
        return ()
    drifted, consolidated = drift(nodeclaim), _consolidated(snapshot, node, nodeclaim, nodepool)
    found = (Wanted(DRIFTED, drifted.last_transition_time, f"Drifted: {drifted.reason}") if drifted else None, consolidated)
    return tuple(wanted for wanted in found if wanted)


def _consolidated(snapshot: Snapshot, node: Node, nodeclaim: NodeClaim, nodepool: NodePool) -> Wanted | None:
    consolidatable = nodeclaim.condition("Consolidatable")
    disruption = nodepool.spec.disruption
    if not consolidatable or consolidatable.status != "True":
        return None
    policy = disruption.consolidation_policy or "WhenEmptyOrUnderutilized"
    reason = EMPTY if is_empty(snapshot, node) else UNDERUTILIZED
    if never(nodepool, reason):
        return None
    because = f"Consolidatable ({policy}, consolidateAfter {disruption.consolidate_after or '0s'})"
    return Wanted(reason, consolidatable.last_transition_time, because)
