"""What Karpenter keeps of a NodePool's next node for DaemonSets."""

from collections.abc import Mapping
from dataclasses import dataclass

from karpenter_check.scheduling.daemonset import daemonset_pod, refusals
from karpenter_check.scheduling.template import nodepool_templates
from karpenter_check.snapshot import Ref, Snapshot
from karpenter_check.snapshot.once import once
from karpenter_check.snapshot.pod_object import ContainerPort
from karpenter_check.snapshot.quantity import Milli, total


@dataclass(frozen=True)
class Overhead:
    """The DaemonSets that are counted for a NodePool, and what they take together in thousandths, their slots included."""

    daemonsets: tuple[Ref, ...]
    requests: Milli
    host_ports: tuple[tuple[ContainerPort, Ref], ...]
    """The host ports that they hold, and who holds each."""


@once
def overheads(snapshot: Snapshot) -> Mapping[str, Overhead]:
    """The overhead of each NodePool, by its name (`provisioning/scheduling/scheduler.go:getDaemonOverhead`, `getDaemonHostPortUsage`, 1.13).

    From 1.14 on Karpenter counts by instance type, which no object shows: this is then the most that it keeps.
    """
    simulated = [
        (Ref("DaemonSet", entry.metadata.name, "apps/v1", entry.metadata.namespace), daemonset_pod(snapshot, entry))
        for entry in snapshot.daemonsets
    ]
    found = {}
    for name, template in nodepool_templates(snapshot).items():
        counted = [
            (ref, pod)
            for ref, pod in simulated
            if not pod.claims_devices and not refusals(pod, template, snapshot.karpenter_version)
        ]
        found[name] = Overhead(
            daemonsets=tuple(ref for ref, _ in counted),
            requests={**total(pod.requests for _, pod in counted), "pods": 1000 * len(counted)},
            host_ports=tuple((port, ref) for ref, pod in counted for port in pod.host_ports),
        )
    return found
