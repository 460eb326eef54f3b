"""What a pod's own words mean to Karpenter when it disrupts the pod's node.

Source: `pkg/utils/pod/scheduling.go` (1.13).
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from karpenter_check.scheduling.taints import tolerates
from karpenter_check.snapshot import Pod, Snapshot, Version
from karpenter_check.snapshot.duration import duration
from karpenter_check.snapshot.node import Taint
from karpenter_check.snapshot.once import once
from karpenter_check.snapshot.workload import PodDisruptionBudget

DISRUPTED_TAINT = Taint("karpenter.sh/disrupted", "NoSchedule")
_KNOWS_DURATIONS = Version(1, 12)
_STUCK_AFTER = timedelta(minutes=1)
"""So long after its deletionTimestamp, which lies at the end of its grace, a drain waits for a pod no more."""


def says_do_not_disrupt(pod: Pod, now: datetime, version: Version | None) -> bool:
    """Whether the pod's do-not-disrupt annotation holds: `true`, or since 1.12 a positive duration that has not elapsed.

    The duration counts from `status.startTime`; without one it holds. Any other value is ignored by Karpenter. Of an unknown
    version a duration is taken as one that it knows.
    """
    value = pod.metadata.annotations.do_not_disrupt
    if value == "true":
        return True
    lasts = duration(value)
    if lasts is None or lasts.total_seconds() <= 0 or (version and version < _KNOWS_DURATIONS):
        return False
    return pod.start_time is None or now < pod.start_time + lasts


def is_mirror(pod: Pod) -> bool:
    """Whether a node owns it, as it owns its static pods."""
    return any((owner.kind, owner.api_version) == ("Node", "v1") for owner in pod.metadata.owner_references)


def is_waited_for(pod: Pod, now: datetime) -> bool:
    """Whether a drain waits for the pod to go (`IsWaitingEviction`): not what tolerates the disrupted taint, is static or never ends."""
    ends = pod.metadata.deletion_timestamp
    if is_mirror(pod) or pod.phase in {"Succeeded", "Failed"} or (ends and now - ends > _STUCK_AFTER):
        return False
    return not any(tolerates(toleration, DISRUPTED_TAINT) for toleration in pod.shape.tolerations)


def is_reschedulable(pod: Pod) -> bool:
    """Whether the pod would have to run elsewhere if its node went (`IsReschedulable`); a StatefulSet's, even while it terminates."""
    stateful = any((owner.kind, owner.api_version) == ("StatefulSet", "apps/v1") for owner in pod.metadata.owner_references)
    comes_again = stateful and pod.metadata.deletion_timestamp is not None
    return (pod.active or comes_again) and not pod.daemonset_uid and not is_mirror(pod)


@once
def _budgets_by_namespace(snapshot: Snapshot) -> Mapping[str, Sequence[PodDisruptionBudget]]:
    found: dict[str, list[PodDisruptionBudget]] = defaultdict(list)
    for budget in snapshot.poddisruptionbudgets:
        found[budget.metadata.namespace].append(budget)
    return found


def budgets_of(snapshot: Snapshot, pod: Pod) -> tuple[PodDisruptionBudget, ...]:
    """The PodDisruptionBudgets whose selector matches the pod, in its namespace; a missing selector matches nothing."""
    return tuple(
        budget
        for budget in _budgets_by_namespace(snapshot).get(pod.metadata.namespace, ())
        if budget.spec.selector is not None and budget.spec.selector.matches(pod.metadata.labels)
    )
