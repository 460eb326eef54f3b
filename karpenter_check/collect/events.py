"""Which events are worth their bytes: a cluster's events may be its largest list, and rules read few of them.

What kube-scheduler says of a pod stands in the pod's own PodScheduled condition.
"""

from collections.abc import Iterable

from karpenter_check.scheduling.labels import EKS_AUTO_MODE
from karpenter_check.snapshot import NodePool
from karpenter_check.snapshot.event import AUTO_MODE_REPORTER, KARPENTER_REPORTER

_REASONS = ("Preempted", "FailedCreatePodSandBox")
"""Of other components: whose pod was pushed off a node, and which pod's sandbox could not be made."""


def field_selectors(nodepools: Iterable[NodePool] | None, groups: Iterable[str]) -> tuple[str, ...]:
    """The field selectors of the lists of events: three, or four where EKS Auto Mode and another Karpenter may work in one cluster.

    `nodepools` is None where not all of them are known, `groups` are the API groups that the server serves.
    `source` is the reporting controller where an event has no source (`registry/core/event/strategy.go:ToSelectableFields`, v1.36).
    """
    auto_mode = EKS_AUTO_MODE in groups
    named = (
        {EKS_AUTO_MODE, ""}
        if nodepools is None
        else {nodepool.spec.template.spec.node_class_ref.api_group for nodepool in nodepools}
    )
    reporters = [KARPENTER_REPORTER] if not auto_mode or named != {EKS_AUTO_MODE} else []
    reporters += [AUTO_MODE_REPORTER] if auto_mode else []
    return (*(f"source={reporter}" for reporter in reporters), *(f"reason={reason}" for reason in _REASONS))
