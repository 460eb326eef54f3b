"""What a snapshot shows of Karpenter's own life: what it said last, and what it wrote last. That nothing is seen proves nothing.

Its events come from memory and are kept for an hour, and a controller that has nothing to do says nothing.
"""

from collections.abc import Iterator
from datetime import datetime

from karpenter_check.finding import Fix
from karpenter_check.scheduling.labels import EKS_AUTO_MODE
from karpenter_check.snapshot import Kind, Ref, Snapshot
from karpenter_check.snapshot.clip import clip
from karpenter_check.snapshot.duration import spoken
from karpenter_check.snapshot.event import Event, by_karpenter
from karpenter_check.snapshot.once import once


@once
def last_word(snapshot: Snapshot) -> Event | None:
    """The newest of Karpenter's events that carry a time."""
    spoken_of = [event for event in snapshot.events if event.last_seen and by_karpenter(event)]
    return max(spoken_of, key=lambda event: event.last_seen or snapshot.taken_at, default=None)


@once
def last_write(snapshot: Snapshot) -> datetime | None:
    """When a condition of a NodeClaim last changed: nobody but Karpenter writes those."""
    conditions = (condition for claim in snapshot.nodeclaims for condition in claim.status.conditions)
    return max((condition.last_transition_time for condition in conditions if condition.last_transition_time), default=None)


def signs_of_life(snapshot: Snapshot) -> str:
    """What Karpenter last said and wrote, as a clause: `Karpenter last said something 2m ago (Unconsolidatable), …`."""
    word, written = last_word(snapshot), last_write(snapshot)
    if word and word.last_seen:
        said = f"Karpenter last said something {_ago(snapshot, word.last_seen)} ({clip(word.reason) or 'without a reason'})"
    elif snapshot.covered(Kind.EVENT).sufficient:
        said = "no event of Karpenter's is in what was read, which alone proves nothing"
    else:
        said = f"what Karpenter last said is not known: Event is {snapshot.covered(Kind.EVENT)}"
    return said + (
        f"; a condition of a NodeClaim, which nobody else writes, last changed {_ago(snapshot, written)}" if written else ""
    )


def _ago(snapshot: Snapshot, moment: datetime) -> str:
    """Lists follow one another, so what a later one holds may be younger than the snapshot."""
    return f"{spoken(snapshot.taken_at - moment)} ago" if moment < snapshot.taken_at else "just now"


@once
def newest_time(snapshot: Snapshot) -> datetime | None:
    """The newest time that anything in the snapshot carries: nothing shows that it was read later than that."""
    return max(_times(snapshot), default=None)


def _times(snapshot: Snapshot) -> Iterator[datetime]:
    seen = [event.last_seen for event in snapshot.events]
    seen += [claim.metadata.creation_timestamp for claim in snapshot.nodeclaims]
    seen += [node.metadata.creation_timestamp for node in snapshot.nodes]
    seen += [condition.last_transition_time for node in snapshot.nodes for condition in node.status.conditions]
    seen += [entry.time for node in snapshot.nodes for entry in node.metadata.managed_fields]
    seen += [pod.metadata.creation_timestamp for pod in snapshot.pods]
    yield from (moment for moment in (*seen, last_write(snapshot)) if moment)


def where_to_look(group: str) -> Fix:
    """Where Karpenter itself is to be looked at, by the group of the node class that it serves."""
    if group == EKS_AUTO_MODE:
        return Fix(
            "fix", text="EKS Auto Mode's Karpenter is run by AWS: open a support case with the NodeClaim's name and these times"
        )
    return Fix(
        "fix",
        "kubectl get pods -A -l app.kubernetes.io/name=karpenter",
        text="see whether one of them is Ready and leads (Lease karpenter-leader-election), and what its log says",
    )


def unlaunched(snapshot: Snapshot, before: datetime) -> Ref | None:
    """A NodeClaim of before then without a providerID: while there is one, Karpenter neither provisions nor disrupts.

    Source: `state/cluster.go:Synced` (1.13). An instance that is being launched has none for a moment.
    """
    for claim in snapshot.nodeclaims:
        created = claim.metadata.creation_timestamp
        if created and created <= before and not claim.status.provider_id and snapshot.settled(created):
            return Ref("NodeClaim", claim.name, "karpenter.sh/v1")
    return None
