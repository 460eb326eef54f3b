"""Times of a snapshot, as answers and findings say them."""

from datetime import datetime

from karpenter_check.snapshot.duration import spoken
from karpenter_check.snapshot.snapshot import NO_TIME, Snapshot


def at(snapshot: Snapshot, moment: datetime) -> str:
    """A moment in UTC: of the snapshot's own day the time alone, to the second."""
    return f"{moment:%H:%M:%SZ}" if moment.date() == snapshot.taken_at.date() else f"{moment:%Y-%m-%d %H:%MZ}"


def distance(snapshot: Snapshot, moment: datetime) -> str:
    """How far a moment lies from the snapshot: `5m ago`, `in 5m`; empty where the snapshot carries no time."""
    if snapshot.taken_at == NO_TIME:
        return ""
    span = spoken(moment - snapshot.taken_at)
    return f"in {span}" if moment > snapshot.taken_at else f"{span} ago"


def at_and_distance(snapshot: Snapshot, moment: datetime) -> str:
    """Both, as in `08:02:26Z (14m48s ago)`."""
    far = distance(snapshot, moment)
    return at(snapshot, moment) + (f" ({far})" if far else "")
