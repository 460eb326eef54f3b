"""Karpenter's own word of what keeps a node: its DisruptionBlocked events.

It tells the first blocker alone, and nothing of the same object again for 2 minutes, whatever keeps it then (`disruption/types.go`,
`events/recorder.go`, 1.13). Events are lost, too: that none is there proves nothing.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import timedelta

from karpenter_check.disruption.blocker import Word
from karpenter_check.disruption.state_node import StateNode
from karpenter_check.snapshot import Snapshot
from karpenter_check.snapshot.event import Event, by_karpenter
from karpenter_check.snapshot.once import once

TOLD_AGAIN = timedelta(minutes=3)
"""What goes on is told again within so long: 2 minutes in which Karpenter repeats no event, and its rounds, which take their time."""
_WORDS = {
    "does not have an associated node": Word.NO_NODE,
    "node isn't initialized": Word.NOT_INITIALIZED,
    "deleting or marked for deletion": Word.TERMINATING,
    "node is marked for deletion": Word.TERMINATING,
    "nominated for a pending pod": Word.NOMINATED,
    "disruption is blocked ": Word.DO_NOT_DISRUPT_NODE,
    "doesn't have required label": Word.MISSING_LABEL,
    "nodepool not found": Word.NODEPOOL_NOT_FOUND,
    'has "karpenter.sh/do-not-disrupt" annotation': Word.DO_NOT_DISRUPT_POD,
    "eviction does not support multiple pdbs": Word.MULTIPLE_PDBS,
    "prevents pod evictions": Word.PDB,
    "not all pods would schedule": Word.PODS_WOULD_NOT_SCHEDULE,
}
"""What Karpenter says of each blocker, in the words that its versions share (`state/statenode.go`, `pkg/utils/pdb`, 1.0 to 1.14)."""


def word_of(message: str) -> Word | None:
    """The blocker that a DisruptionBlocked event of a node tells of."""
    lower = message.lower()
    return next((word for said, word in _WORDS.items() if said in lower), None)


@once
def _events(snapshot: Snapshot) -> Mapping[tuple[str, str], Sequence[Event]]:
    """By the kind and the name of what they are about."""
    found: dict[tuple[str, str], list[Event]] = defaultdict(list)
    for event in snapshot.events_by_reason.get("DisruptionBlocked", ()):
        if event.last_seen and by_karpenter(event):
            found[event.involved_object.kind, event.involved_object.name].append(event)
    return found


def blocked_events(snapshot: Snapshot, state: StateNode) -> Sequence[Event]:
    """The events about the Node or its NodeClaim, the latest first; each has a time."""
    found = [event for ref in state.refs for event in _events(snapshot).get((ref.kind, ref.name), ())]
    return sorted(found, key=lambda event: event.last_seen or snapshot.taken_at, reverse=True)
