"""Why a node has to go: what makes whatever keeps it, or its pods, harmful.

That a PodDisruptionBudget or an annotation keeps a node is what they are there for; the harm is that of a node which should be gone.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from karpenter_check.disruption.candidate import DRIFTED, UNDERUTILIZED, ways_out
from karpenter_check.disruption.expiry import expiry, forced_end
from karpenter_check.disruption.state_node import StateNode, state_node
from karpenter_check.finding import Confidence, Severity
from karpenter_check.scheduling.room import room_on
from karpenter_check.snapshot import Kind, Node, NodeClaim, Snapshot

LOOK_AHEAD = timedelta(days=7)
LITTLE = 0.3
"""A node of which its pods ask for less, of cpu and of memory, is taken for under-used; Karpenter's own answer depends on prices."""


class Way(StrEnum):
    """How a node has to go, the most urgent first."""

    TERMINATING = "terminating"
    EXPIRING = "expiring"
    DRIFTED = "drifted"
    EMPTY = "empty"
    UNDERUTILIZED = "underutilized"


@dataclass(frozen=True)
class Due:
    """One reason for which a node has to go."""

    way: Way
    said: str
    """What follows the node's name: `Drifted: NodePoolDrifted`."""
    at: datetime | None
    """Since when; of an expiry that lies ahead, when."""
    harm: Severity
    """How bad it is that a pod which never leaves holds it: high where it then drains for ever, low where no such pod holds it."""
    pods_keep: bool = True
    """Whether a pod that is not evicted keeps it: not from drift with a terminationGracePeriod (`EventualDisruptionClass`)."""
    confidence: Confidence = Confidence.CERTAIN


def due(snapshot: Snapshot, of: Node | NodeClaim, look_ahead: timedelta = LOOK_AHEAD) -> tuple[Due, ...]:
    """Every reason for which Karpenter's node has to go now or within `look_ahead`, the most urgent first; none of other nodes."""
    state = state_node(snapshot, of)
    claim = state.nodeclaim
    if claim is None:
        return ()
    deleted = min(
        (entry.metadata.deletion_timestamp for entry in (claim, state.node) if entry and entry.metadata.deletion_timestamp),
        default=None,
    )
    if deleted:
        return (_terminating(claim, deleted),)
    found = [_expiring(snapshot, claim, look_ahead), *_graceful(snapshot, state, claim)]
    return tuple(entry for entry in found if entry)


def _terminating(claim: NodeClaim, deleted: datetime) -> Due:
    end = forced_end(claim)
    ends = f"its pods go by force at {end:%Y-%m-%d %H:%MZ}" if end else "nothing ends its drain by force"
    return Due(Way.TERMINATING, f"being deleted, and {ends}", deleted, Severity.MEDIUM if end else Severity.HIGH)


def _expiring(snapshot: Snapshot, claim: NodeClaim, look_ahead: timedelta) -> Due | None:
    """Expiry asks nobody; in v1beta1 it was graceful, and no drain then begins that could hang."""
    at = expiry(snapshot, claim) if claim.spec.expire_after else None
    if at is None or at - snapshot.taken_at > look_ahead:
        return None
    endless = claim.termination_grace_period is None
    then = (
        "without a terminationGracePeriod" if endless else f"with a terminationGracePeriod of {claim.spec.termination_grace_period}"
    )
    return Due(Way.EXPIRING, f"expires at {at:%Y-%m-%d %H:%MZ} {then}", at, Severity.HIGH if endless else Severity.LOW)


def _graceful(snapshot: Snapshot, state: StateNode, claim: NodeClaim) -> list[Due]:
    node, nodepool = state.node, snapshot.nodepools_by_name.get(claim.nodepool)
    if node is None or nodepool is None:
        return []
    found = []
    for wanted in ways_out(snapshot, node, claim, nodepool):
        if wanted.reason == UNDERUTILIZED:
            if little_used(snapshot, node):
                said = f"{wanted.because}, less than {LITTLE:.0%} of it asked for"
                found.append(Due(Way.UNDERUTILIZED, said, wanted.since, Severity.MEDIUM, confidence=Confidence.POSSIBLE))
            continue
        way = Way.DRIFTED if wanted.reason == DRIFTED else Way.EMPTY
        keeps = way is Way.EMPTY or claim.termination_grace_period is None
        found.append(Due(way, wanted.because, wanted.since, Severity.MEDIUM if keeps else Severity.LOW, keeps))
    return found


def little_used(snapshot: Snapshot, node: Node) -> bool:
    """Whether its pods are known to ask for little of its cpu and of its memory; DaemonSets' pods count as Karpenter counts them."""
    if not snapshot.whole(Kind.POD):
        return False
    room = room_on(snapshot, node)
    known = all(room.allocatable.get(name, 0) > 0 for name in ("cpu", "memory"))
    return known and all(room.taken.get(name, 0) < LITTLE * room.allocatable[name] for name in ("cpu", "memory"))
