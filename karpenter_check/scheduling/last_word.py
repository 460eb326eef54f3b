"""What Karpenter said last of a pod."""

from collections.abc import Mapping

from karpenter_check.scheduling.nomination import nominees
from karpenter_check.snapshot import Pod, Snapshot
from karpenter_check.snapshot.event import Event, by_karpenter
from karpenter_check.snapshot.once import once


def is_later(event: Event, other: Event) -> bool:
    """Whether an event was last seen after another; without a time nothing is later."""
    return bool(event.last_seen and other.last_seen and event.last_seen > other.last_seen)


def reason_in(refusal: str) -> str:
    """Why Karpenter refused a pod, in its event's message (`provisioning/scheduling/events.go:PodFailedToScheduleEvent`, 1.13)."""
    return refusal.removeprefix("Failed to schedule pod, ")


@once
def karpenters_refusals(snapshot: Snapshot) -> Mapping[str, Event]:
    """Karpenter's latest `FailedScheduling` of each pod, by the pod's UID. It says so again every five minutes at most."""
    found: dict[str, Event] = {}
    for event in snapshot.events_by_reason.get("FailedScheduling", ()):
        known = found.get(event.involved_object.uid)
        if by_karpenter(event) and event.last_seen and (known is None or is_later(event, known)):
            found[event.involved_object.uid] = event
    return found


def karpenters_last_word(snapshot: Snapshot, pod: Pod) -> Event | None:
    """The latest of its `Nominated` and `FailedScheduling` events of the pod, or None."""
    refusal, nominee = karpenters_refusals(snapshot).get(pod.metadata.uid), nominees(snapshot).get(pod.metadata.uid)
    if refusal is None or nominee is None:
        return refusal or (nominee.latest if nominee else None)
    return refusal if is_later(refusal, nominee.latest) else nominee.latest
