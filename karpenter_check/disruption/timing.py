"""When a node's time comes: since when it has drifted, and when it may be consolidated.

Source: `nodeclaim/disruption/consolidation.go`, `pkg/utils/disruption:IsUnderConsolidateAfter` (1.0 to 1.14). Expiry is in `expiry`.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from karpenter_check.snapshot import NodeClaim, NodePool, Snapshot, Version
from karpenter_check.snapshot.duration import duration
from karpenter_check.snapshot.metadata import Condition

_V1 = Version(1, 0)


class Stage(StrEnum):
    """How far a NodeClaim is on its way to be consolidatable."""

    CONSOLIDATABLE = "consolidatable"
    """Karpenter says so in the claim's condition."""
    WAITING = "waiting"
    """consolidateAfter runs since the last pod came or went."""
    DUE = "due"
    """Its time has come, and Karpenter has not said so yet."""
    NOT_INITIALIZED = "not_initialized"
    NEVER = "never"
    """Its NodePool does not consolidate."""
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Consolidation:
    """Whether and when a node may be consolidated, emptiness included."""

    stage: Stage
    because: str
    """The settings and the field that say so."""
    at: datetime | None = None
    """Since when it is consolidatable, or when it will be if no pod comes or goes; a pod of a DaemonSet does not count."""


def drift(nodeclaim: NodeClaim) -> Condition | None:
    """The claim's Drifted condition, if it is True: why and since when it has drifted."""
    condition = nodeclaim.condition("Drifted")
    return condition if condition and condition.status == "True" else None


def consolidation(snapshot: Snapshot, nodepool: NodePool, nodeclaim: NodeClaim) -> Consolidation:
    """When the claim's node may be consolidated; not known before 1.0, which keeps it in memory for all but empty nodes."""
    version, written = snapshot.karpenter_version, nodepool.spec.disruption.consolidate_after or "0s"
    if version and version < _V1:
        return Consolidation(Stage.UNKNOWN, f"Karpenter {version} does not say when nodes become consolidatable")
    if nodepool.static:
        return Consolidation(Stage.NEVER, "its NodePool has replicas, and consolidates nothing")
    if written == "Never":
        return Consolidation(Stage.NEVER, "consolidateAfter Never")
    after, initialized = duration(written), nodeclaim.condition("Initialized")
    if not initialized or initialized.status != "True":
        return Consolidation(Stage.NOT_INITIALIZED, "its NodeClaim is not initialized")
    condition = nodeclaim.condition("Consolidatable")
    if condition and condition.status == "True":
        return Consolidation(Stage.CONSOLIDATABLE, f"Consolidatable, consolidateAfter {written}", condition.last_transition_time)
    start, field = nodeclaim.status.last_pod_event_time, "lastPodEventTime"
    if start is None or after is None or not after:
        start, field = initialized.last_transition_time, "Initialized"
    if start is None or after is None:
        return Consolidation(Stage.UNKNOWN, f"consolidateAfter {written}, since when is not said")
    try:
        at = start + after
    except OverflowError:
        return Consolidation(Stage.NEVER, f"consolidateAfter {written}")
    stage = Stage.WAITING if snapshot.taken_at < at else Stage.DUE
    return Consolidation(stage, f"{field} and consolidateAfter {written}", at)
