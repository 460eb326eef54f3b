"""Taints of Karpenter's that stay on a node although what they were set for is over, or never comes to its end.

Source: `disruption/controller.go:Reconcile`, `disruption/queue.go`, `nodeclaim/lifecycle/registration.go` (1.13, 1.14).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from karpenter_check.disruption.pods import DISRUPTED_TAINT
from karpenter_check.finding import Confidence
from karpenter_check.snapshot import Node, NodeClaim, Snapshot, Version
from karpenter_check.snapshot.clip import clip
from karpenter_check.snapshot.event import by_karpenter
from karpenter_check.snapshot.moments import at_and_distance
from karpenter_check.snapshot.node import Taint
from karpenter_check.snapshot.once import once

DISRUPTED, UNREGISTERED, DISRUPTION = "disrupted", "unregistered", "disruption"
_CAUSES = {
    (DISRUPTED_TAINT.key, DISRUPTED_TAINT.effect): DISRUPTED,
    ("karpenter.sh/unregistered", "NoExecute"): UNREGISTERED,
    ("karpenter.sh/disruption", "NoSchedule"): DISRUPTION,
}
"""By key and effect, which is how Karpenter finds its taints; the value does not count (`Taint.MatchTaint`)."""
_MARKS_CLAIMS = Version(1, 2)
"""Since then a NodeClaim says DisruptionReason from the start of a command to its end (`disruption/queue.go:markDisrupted`)."""
_FORGOT_DISRUPTION = Version(1, 1)
_LOOP = ("DisruptionLaunching", "DisruptionWaitingReadiness", "DisruptionBlocked", "Unconsolidatable", "ConsolidationCandidate")
"""Events of a Karpenter that disrupts nodes, or looks for nodes to disrupt: it may then hold a command in its memory."""


@dataclass(frozen=True)
class LeftTaint:
    """A taint that was left on a node."""

    node: Node
    claim: NodeClaim
    taint: Taint
    cause: str
    """Which one it is: `disrupted`, `unregistered` or `disruption`."""
    since: datetime | None
    """Since when at the latest it has been there in vain, where something tells."""
    said: str
    """What says so, as a clause."""
    confidence: Confidence = Confidence.CERTAIN


def left_taints(snapshot: Snapshot, node: Node, *, fail_after: timedelta, command_timeout: timedelta) -> Iterator[LeftTaint]:
    """The taints that were left on a node of Karpenter's for `fail_after`; where a command may be under way, for `command_timeout`.

    None on nodes that are being deleted, and none on cordoned ones, which somebody means to be closed to pods.
    """
    claim = snapshot.nodeclaim_of_node.get(node.name) if node.spec.taints else None
    if claim is None or node.spec.unschedulable or _going(node, claim):
        return
    for taint in node.spec.taints:
        match _CAUSES.get((taint.key, taint.effect)):
            case "disrupted":
                left = _disrupted(snapshot, node, claim, taint, fail_after, max(command_timeout, fail_after))
            case "unregistered":
                left = _unregistered(snapshot, node, claim, taint, fail_after)
            case "disruption":
                left = _disruption(snapshot, node, claim, taint, fail_after)
            case _:
                left = None
        if left:
            yield left


def looked_since(snapshot: Snapshot, moment: datetime) -> bool:
    """Whether Karpenter said since then that it disrupts nodes, or looks for nodes to disrupt."""
    last = _last_loop(snapshot)
    return last is not None and last > moment


@once
def _last_loop(snapshot: Snapshot) -> datetime | None:
    events = (event for reason in _LOOP for event in snapshot.events_by_reason.get(reason, ()) if by_karpenter(event))
    return max((event.last_seen for event in events if event.last_seen), default=None)


def _going(node: Node, claim: NodeClaim) -> bool:
    return bool(node.metadata.deletion_timestamp or claim.metadata.deletion_timestamp) or claim.is_true("InstanceTerminating")


def _disrupted(
    snapshot: Snapshot, node: Node, claim: NodeClaim, taint: Taint, fail_after: timedelta, command_timeout: timedelta
) -> LeftTaint | None:
    """A command gives up after an hour at most (`Queue.GetMaxRetryDuration`); a NodeClaim without the condition is in none.

    managedFields say when the taints changed last, at the latest: whoever wrote them may have written other fields since.
    """
    now, version, reason = snapshot.taken_at, snapshot.karpenter_version, claim.condition("DisruptionReason")
    if reason and reason.status == "True":
        begun = reason.last_transition_time
        if begun is None or now - begun < command_timeout:
            return None
        said = f"Karpenter began to disrupt it as {clip(reason.reason)} at {at_and_distance(snapshot, begun)}, and neither ended nor gave up"
        return LeftTaint(node, claim, taint, DISRUPTED, begun, said)
    marked = version is None or version >= _MARKS_CLAIMS
    idle = marked and not looked_since(snapshot, now - fail_after)
    said = "its NodeClaim is not being deleted" + (" and has no DisruptionReason" if marked else "")
    writer = node.taints_writer()
    if writer is None or writer.time is None:
        said += "; since when it has the taint is not known, as the input has no managedFields"
        return LeftTaint(node, claim, taint, DISRUPTED, None, said, Confidence.POSSIBLE) if idle else None
    if now - writer.time < (fail_after if idle else command_timeout):
        return None
    said += f", and its taints have not changed since {at_and_distance(snapshot, writer.time)}"
    return LeftTaint(node, claim, taint, DISRUPTED, writer.time, said, Confidence.CERTAIN if idle else Confidence.LIKELY)


def _unregistered(snapshot: Snapshot, node: Node, claim: NodeClaim, taint: Taint, fail_after: timedelta) -> LeftTaint | None:
    """Karpenter takes it away in the moment before it calls the claim Registered, and looks at no registered claim again."""
    registered, created = claim.condition("Registered"), node.metadata.creation_timestamp
    if not registered or registered.status != "True" or not registered.last_transition_time or not created:
        return None
    since = max(registered.last_transition_time, created)
    if snapshot.taken_at - since < fail_after:
        return None
    said = f"its NodeClaim is Registered since {at_and_distance(snapshot, registered.last_transition_time)}"
    return LeftTaint(
        node, claim, taint, UNREGISTERED, since, f"{said}; Karpenter takes this taint away just before, and never again"
    )


def _disruption(snapshot: Snapshot, node: Node, claim: NodeClaim, taint: Taint, fail_after: timedelta) -> LeftTaint | None:
    """What Karpenter before 1.0 marked its candidates with. NodeClaims of v1, which carry expireAfter, show that it is past that."""
    version, writer = snapshot.karpenter_version, node.taints_writer()
    written = writer.time if writer else None
    past = version >= _FORGOT_DISRUPTION if version else bool(claim.spec.expire_after)
    if not past or (written and snapshot.taken_at - written < fail_after):
        return None
    who = f"Karpenter {version}" if version else "the Karpenter of this cluster"
    said = f"Karpenter before 1.0 set it; {who} goes by {DISRUPTED_TAINT.key}, and takes no other away"
    return LeftTaint(node, claim, taint, DISRUPTION, written, said, Confidence.CERTAIN if version else Confidence.LIKELY)
