"""Karpenter's own last words of a node, and whether they agree with what is seen."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from karpenter_check.disruption.blocked_events import word_of
from karpenter_check.disruption.blocker import Word
from karpenter_check.disruption.state_node import StateNode
from karpenter_check.snapshot import NO_TIME, NodePool, Snapshot
from karpenter_check.snapshot.event import Event, by_karpenter

REPEATED_WITHIN = timedelta(minutes=2, seconds=30)
"""Karpenter says again what still holds after 2 minutes, at its next look at the node (`events/recorder.go`)."""
_JUST_NOW = timedelta(seconds=30)
"""What was said again so lately can hardly have passed: Karpenter looks every 10 s."""
_OF_DISRUPTION = ("DisruptionBlocked", "Unconsolidatable")
_OF_TERMINATION = ("FailedDraining", "AwaitingVolumeDetachment", "TerminationGracePeriodExpiring", "FailedTermination", "DisruptionTerminating", "DisruptionBlocked")  # fmt: skip


@dataclass(frozen=True)
class NodeSaid:
    """The last that Karpenter said with one reason, of the node, its NodeClaim or its NodePool."""

    about: str
    """`node` or `NodePool`."""
    reason: str
    message: str
    times: int
    last: datetime | None
    agrees: bool | None
    """Whether that is what is seen; None where it was too long ago to tell, or is of another kind."""
    note: str


def node_said(
    snapshot: Snapshot,
    state: StateNode,
    nodepool: NodePool | None,
    blocking: Sequence[Word],
    *,
    unasked: Mapping[Word, str],
    since: datetime | None,
    terminating: bool,
) -> Iterator[NodeSaid]:
    """What it said last with each reason.

    `blocking` are the blockers that are seen, in Karpenter's order, `unasked` those that were not looked for, with why, and `since` is
    since when the node is wanted gone.
    """
    names = {(ref.kind, ref.name) for ref in state.refs}
    if state.nodeclaim and state.nodeclaim.status.node_name:
        names.add(("Node", state.nodeclaim.status.node_name))
    for reason in _OF_TERMINATION if terminating else _OF_DISRUPTION:
        last = _last(snapshot, reason, names)
        if last:
            agrees, note = _judged(snapshot, last, blocking, unasked)
            if (
                reason == "Unconsolidatable"
                and snapshot.taken_at != NO_TIME
                and since
                and last.last_seen
                and last.last_seen < since
            ):
                note = "that has passed"
            yield NodeSaid("node", reason, last.message, last.times, last.last_seen, agrees, note)
    if nodepool and Word.BUDGET in blocking:
        last = _last(snapshot, "DisruptionBlocked", {("NodePool", nodepool.name)})
        if last:
            yield NodeSaid("NodePool", last.reason, last.message, last.times, last.last_seen, None, "")


def _last(snapshot: Snapshot, reason: str, names: set[tuple[str, str]]) -> Event | None:
    found = [
        event
        for event in snapshot.events_by_reason.get(reason, ())
        if (event.involved_object.kind, event.involved_object.name) in names and by_karpenter(event) and event.last_seen
    ]
    return max(found, key=lambda event: (event.last_seen or snapshot.taken_at, event.times, event.message), default=None)


def _judged(snapshot: Snapshot, event: Event, blocking: Sequence[Word], unasked: Mapping[Word, str]) -> tuple[bool | None, str]:
    word = word_of(event.message)
    if event.reason == "FailedDraining":
        word = Word.TERMINATING
    elif event.reason != "DisruptionBlocked":
        return None, ""
    fresh = event.last_seen is not None and snapshot.taken_at - event.last_seen <= REPEATED_WITHIN
    if word is None or snapshot.taken_at == NO_TIME:
        return None, ""
    if not fresh:
        return None, "not repeated since" if word in blocking else "that has passed"
    if word in blocking:
        return True, "agrees" if blocking[0] is word else "agrees, though another one comes first"
    if word in unasked:
        return None, unasked[word]
    if event.times == 1 or (event.last_seen and snapshot.taken_at - event.last_seen > _JUST_NOW):
        return None, "not seen now: it may have passed"
    return False, "does not agree: that is not seen here"
