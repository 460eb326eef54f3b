"""Which nodes Karpenter would take away if nothing stood in its way."""

from dataclasses import dataclass
from datetime import datetime

from karpenter_check.disruption.pods import is_reschedulable
from karpenter_check.snapshot import Node, NodeClaim, NodePool, Snapshot

DRIFTED, EMPTY, UNDERUTILIZED = "Drifted", "Empty", "Underutilized"


@dataclass(frozen=True)
class Wanted:
    """Why a node should go, and since when."""

    reason: str
    """Drifted, Empty or Underutilized, as Karpenter names its reasons. Underutilized is a maybe: only Karpenter's prices decide it."""
    since: datetime | None
    because: str
    """The condition and the settings that say so."""


def is_empty(snapshot: Snapshot, node: Node) -> bool:
    """Whether no pod on the node would have to run elsewhere (`disruption/emptiness.go`, to 1.13)."""
    return not any(is_reschedulable(pod) for pod in snapshot.pods_on_node.get(node.name, ()))


def wanted_gone(snapshot: Snapshot, node: Node, nodeclaim: NodeClaim, nodepool: NodePool) -> Wanted | None:
    """Why Karpenter's graceful disruption wants the node gone, or None if it does not.

    Sources: `disruption/drift.go`, `disruption/emptiness.go`, `disruption/consolidation.go` (`ShouldDisrupt`, 1.13).
    """
    if not node.initialized or nodeclaim.metadata.deletion_timestamp or node.metadata.deletion_timestamp:
        return None
    drifted = nodeclaim.condition("Drifted")
    if drifted and drifted.status == "True":
        return Wanted(DRIFTED, drifted.last_transition_time, f"Drifted: {drifted.reason}")
    consolidatable = nodeclaim.condition("Consolidatable")
    disruption = nodepool.spec.disruption
    if not consolidatable or consolidatable.status != "True" or nodepool.static or disruption.consolidate_after == "Never":
        return None
    policy = disruption.consolidation_policy or "WhenEmptyOrUnderutilized"
    settings = f"{policy}, consolidateAfter {disruption.consolidate_after or '0s'}"
    if is_empty(snapshot, node):
        return Wanted(EMPTY, consolidatable.last_transition_time, f"Consolidatable ({settings})")
    if policy == "WhenEmpty":
        return None
    return Wanted(UNDERUTILIZED, consolidatable.last_transition_time, f"Consolidatable ({settings})")
