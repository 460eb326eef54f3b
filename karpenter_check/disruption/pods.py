"""What a pod's own words mean to Karpenter when it disrupts the pod's node.

Source: `pkg/utils/pod/scheduling.go` (1.13, 1.14).
"""

from datetime import datetime, timedelta

from karpenter_check.scheduling.taints import tolerates
from karpenter_check.snapshot import Pod, Version
from karpenter_check.snapshot.duration import duration, later
from karpenter_check.snapshot.node import Taint

DISRUPTED_TAINT = Taint("karpenter.sh/disrupted", "NoSchedule")
_DISRUPTION_TAINT = Taint("karpenter.sh/disruption", "NoSchedule", "disrupting")
"""What it was before 1.0."""
KNOWS_DURATIONS = Version(1, 12)
"""Before, only `true` says do-not-disrupt."""
_V1 = Version(1, 0)
STUCK_AFTER = timedelta(minutes=1)
"""So long after its deletionTimestamp, which lies at the end of its grace, a drain waits for a pod no more."""


def says_do_not_disrupt(pod: Pod, now: datetime, version: Version | None) -> bool:
    """Whether the pod's do-not-disrupt annotation holds: `true`, or since 1.12 a positive duration that has not elapsed.

    The duration counts from `status.startTime`; without one it holds. Any other value is ignored by Karpenter. Of an unknown
    version a duration is taken as one that it knows (`IsDoNotDisruptActive`).
    """
    value = pod.metadata.annotations.do_not_disrupt
    if value == "true":
        return True
    lasts = duration(value)
    if lasts is None or lasts.total_seconds() <= 0 or (version and version < KNOWS_DURATIONS):
        return False
    return pod.start_time is None or now - pod.start_time < lasts


def do_not_disrupt_until(pod: Pod) -> datetime | None:
    """When the pod's do-not-disrupt annotation elapses; None where it is no duration, the pod has not started, or that is never."""
    return later(pod.start_time, duration(pod.metadata.annotations.do_not_disrupt))


def is_owned_by(pod: Pod, api_version: str, kind: str) -> bool:
    """Whether an owner of the pod is such an object, controller or not (`IsOwnedBy`)."""
    return any((owner.kind, owner.api_version) == (kind, api_version) for owner in pod.metadata.owner_references)


def is_mirror(pod: Pod) -> bool:
    """Whether a node owns it, as it owns its static pods (`IsOwnedByNode`)."""
    return is_owned_by(pod, "v1", "Node")


def disruption_taint(version: Version | None = None) -> Taint:
    """The taint of nodes that are disrupted, by the version."""
    return _DISRUPTION_TAINT if version and version < _V1 else DISRUPTED_TAINT


def tolerates_disruption(pod: Pod, version: Version | None = None) -> bool:
    """Whether the pod tolerates the taint of nodes that are disrupted, so that it is neither evicted nor waited for."""
    taint = disruption_taint(version)
    return any(tolerates(toleration, taint) for toleration in pod.shape.tolerations)


def is_evictable(pod: Pod, now: datetime, version: Version | None) -> bool:
    """Whether Karpenter asks the API server to evict the pod from a node that it drains (`IsEvictable`)."""
    settled = not pod.active or is_mirror(pod) or tolerates_disruption(pod, version)
    return not settled and not says_do_not_disrupt(pod, now, version)


def is_disruptable(pod: Pod, now: datetime, version: Version | None) -> bool:
    """Whether the pod lets its node be disrupted; DaemonSet pods and static pods are asked, too (`IsDisruptable`)."""
    return not pod.active or not says_do_not_disrupt(pod, now, version)


def is_drainable(pod: Pod, now: datetime, version: Version | None = None) -> bool:
    """Whether a drain removes the pod, or waits until somebody else does (`IsDrainable`)."""
    ends = pod.metadata.deletion_timestamp
    stuck = ends is not None and now - ends > STUCK_AFTER
    return not stuck and not is_mirror(pod) and not tolerates_disruption(pod, version)


def is_waited_for(pod: Pod, now: datetime, version: Version | None = None) -> bool:
    """Whether a drain waits for the pod to go (`IsWaitingEviction`): not what tolerates the disrupted taint, is static or never ends."""
    return pod.phase not in {"Succeeded", "Failed"} and is_drainable(pod, now, version)


def is_reschedulable(pod: Pod) -> bool:
    """Whether the pod would have to run elsewhere if its node went (`IsReschedulable`); a StatefulSet's, even while it terminates."""
    comes_again = pod.metadata.deletion_timestamp is not None and is_owned_by(pod, "apps/v1", "StatefulSet")
    return (pod.active or comes_again) and not is_owned_by(pod, "apps/v1", "DaemonSet") and not is_mirror(pod)
