"""How far drift has come in a NodePool: since when its nodes have drifted, and whether others take their place."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from karpenter_check.disruption.candidate import DRIFTED
from karpenter_check.disruption.openings import windows
from karpenter_check.disruption.timing import drift
from karpenter_check.snapshot import NodeClaim, NodePool, Snapshot
from karpenter_check.snapshot.once import once
from karpenter_check.snapshot.quantity import milli

_RECENT = timedelta(days=1)
"""A roll-out that goes on has made a node within so long."""


@once
def claims_of_nodepool(snapshot: Snapshot) -> Mapping[str, Sequence[NodeClaim]]:
    """The NodeClaims of each NodePool."""
    found: dict[str, list[NodeClaim]] = defaultdict(list)
    for claim in snapshot.nodeclaims:
        if claim.nodepool:
            found[claim.nodepool].append(claim)
    return found


def drifted_since(claim: NodeClaim, nodepool: NodePool | None) -> datetime | None:
    """Since when it has drifted; None where it has not, or where that is not known.

    It is not of one whose hash is another version's: such a claim stays Drifted whatever it was (`nodepool/hash/controller.go`, 1.13).
    """
    condition = drift(claim)
    if condition is None:
        return None
    ours, pools = claim.metadata.annotations, nodepool.metadata.annotations if nodepool else None
    other_version = pools is not None and ours.nodepool_hash_version != pools.nodepool_hash_version
    return None if other_version and condition.reason == "NodePoolDrifted" else condition.last_transition_time


def last_progress(snapshot: Snapshot, nodepool: str) -> datetime | None:
    """When a roll-out in a NodePool last got on, if within a day: a node came that has not drifted, or a drifted one was begun with.

    A new node counts once it is initialized: one that never gets ready replaces nothing.
    """
    moments = []
    for claim in claims_of_nodepool(snapshot).get(nodepool, ()):
        begun = claim.condition("DisruptionReason")
        if begun and begun.status == "True" and begun.reason == DRIFTED:
            moments.append(begun.last_transition_time)
        elif drift(claim) is None and claim.is_true("Initialized") and not claim.metadata.deletion_timestamp:
            moments.append(claim.metadata.creation_timestamp)
    return max((moment for moment in moments if moment and snapshot.taken_at - moment <= _RECENT), default=None)


def waits_for_hours(snapshot: Snapshot, nodepool: NodePool, nodes: int) -> bool:
    """Whether its budgets let drifted nodes go at some hours of the week, and not at others."""
    return len({window.opens for window in windows(nodepool, DRIFTED, nodes, snapshot.taken_at)}) > 1


def no_room_to_replace(nodepool: NodePool) -> bool:
    """Whether a static NodePool's limit leaves no room for a replacement beside its replicas (`disruption/staticdrift.go`, 1.13)."""
    limit, replicas = nodepool.spec.limits.get("nodes"), nodepool.spec.replicas
    return limit is not None and replicas is not None and milli(limit) <= 1000 * replicas
