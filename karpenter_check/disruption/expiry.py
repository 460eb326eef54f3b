"""When a NodeClaim's time to live runs out, and whether that is what ended it.

Since v1 expiry is forceful and leaves no trace: no event, no condition (`nodeclaim/expiration/controller.go`). So that a node
died of it is inferred.
"""

import re
from datetime import datetime, timedelta

from karpenter_check.snapshot import NodeClaim, Snapshot
from karpenter_check.snapshot.duration import duration, later

_RFC3339 = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(?:Z|[-+][0-9]{2}:[0-9]{2})")
_EARLY = timedelta(seconds=5)
_LATE = timedelta(minutes=2)
"""How far a deletion may lie from the expiry: clocks differ a little, and the controller may be busy."""
INTERRUPTIONS = (
    "SpotInterrupted", "CapacityReservationInstanceInterrupted", "InstanceStopping", "InstanceTerminating",
    "InstanceUnhealthy", "TerminatingOnInterruption",
)  # fmt: skip
"""What providers say of an instance that is taken away (karpenter-provider-aws `pkg/controllers/interruption/events`, 1.13)."""


def time_to_live(snapshot: Snapshot, nodeclaim: NodeClaim) -> timedelta | None:
    """The claim's own expireAfter (v1), else its v1beta1 NodePool's; None for `Never`."""
    if nodeclaim.spec.expire_after:
        return nodeclaim.expire_after
    nodepool = snapshot.nodepools_by_name.get(nodeclaim.nodepool)
    return duration(nodepool.spec.disruption.expire_after) if nodepool else None


def expiry(snapshot: Snapshot, nodeclaim: NodeClaim) -> datetime | None:
    """Creation of the NodeClaim (not of its Node) plus its time to live; Karpenter adds no jitter. None if it never expires."""
    created, lives = nodeclaim.metadata.creation_timestamp, time_to_live(snapshot, nodeclaim)
    return later(created, lives)


def died_of_expiry(snapshot: Snapshot, nodeclaim: NodeClaim) -> bool:
    """Whether the claim is being deleted and nothing but its expiry explains it.

    Graceful disruption sets DisruptionReason, interruptions leave an event; a deletion by hand at that very moment cannot be told apart.
    v1beta1 expires gracefully, later than due, and says so in the claim's Expired condition.
    """
    deleted, due = nodeclaim.metadata.deletion_timestamp, expiry(snapshot, nodeclaim)
    if deleted is None or due is None or nodeclaim.condition("DisruptionReason"):
        return False
    said = not nodeclaim.spec.expire_after and nodeclaim.is_true("Expired") and deleted >= due
    if not said and not -_EARLY <= deleted - due <= _LATE:
        return False
    about = {nodeclaim.name, nodeclaim.status.node_name} - {""}
    return not any(
        event.involved_object.name in about for reason in INTERRUPTIONS for event in snapshot.events_by_reason.get(reason, ())
    )


def forced_end(nodeclaim: NodeClaim) -> datetime | None:
    """When a claim that is being deleted has its pods deleted by force; None where it drains for ever.

    What its termination-timestamp annotation says, which repair sets to its own time (`node/termination:nodeTerminationTime`), else what
    Karpenter is about to write there: deletion and terminationGracePeriod (`nodeclaim/lifecycle/controller.go`). With an annotation that
    is no time Karpenter fails again and again, and forces nothing.
    """
    deleted, written = nodeclaim.metadata.deletion_timestamp, nodeclaim.metadata.annotations.termination_timestamp
    if not deleted or not written:
        return later(deleted, nodeclaim.termination_grace_period)
    return _time(written)


def _time(written: str) -> datetime | None:
    """The time that RFC 3339 writes so, or None."""
    if not _RFC3339.fullmatch(written):
        return None
    try:
        return datetime.fromisoformat(written)
    except ValueError:
        return None


def latest_end(snapshot: Snapshot, nodeclaim: NodeClaim) -> datetime | None:
    """When the claim's pods go by force at the latest: its forced end, or that of its expiry.

    None where nothing sets an end, nor of one that is overdue: its end is counted from a deletion that did not come.
    """
    if nodeclaim.metadata.deletion_timestamp:
        return forced_end(nodeclaim)
    if overdue(snapshot, nodeclaim) is not None:
        return None
    return later(expiry(snapshot, nodeclaim), nodeclaim.termination_grace_period)


def overdue(snapshot: Snapshot, nodeclaim: NodeClaim) -> timedelta | None:
    """How long ago a claim that nobody deletes should have expired; None where it is not due.

    Karpenter deletes it at that very moment. v1beta1 expires gracefully, when it can, so nothing is overdue there.
    """
    due = expiry(snapshot, nodeclaim) if nodeclaim.spec.expire_after else None
    if nodeclaim.metadata.deletion_timestamp or due is None or due > snapshot.taken_at:
        return None
    return snapshot.taken_at - due
