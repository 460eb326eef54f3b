"""What a pod asks of its node."""

from collections.abc import Mapping

from karpenter_check.snapshot.metadata import condition
from karpenter_check.snapshot.pod_object import Container, PodSpec, PodStatus
from karpenter_check.snapshot.quantity import Milli, amounts, total

_OF_WHOLE_PODS = frozenset({"cpu", "memory"})
"""What a pod may ask for as a whole (`supportedPodLevelResources`), huge pages beside."""


def _largest(*lists: Milli) -> dict[str, int]:
    """Resource by resource, the largest."""
    return {
        name: max(amount.get(name, 0) for amount in lists) for name in dict.fromkeys(name for amount in lists for name in amount)
    }


def effective_requests(spec: PodSpec, *, limits_as_requests: bool = False, status: PodStatus | None = None) -> dict[str, int]:
    """What the pod asks of its node, in thousandths: the larger of its containers together and each init step, plus overhead.

    A restartable init container (a sidecar) runs beside all that follows it; requests of the pod as a whole stand above its
    containers'. Source: k8s.io/component-helpers/resource `PodRequests` (v1.35).
    `limits_as_requests` fills a missing request from the limit, as the API server's defaulting does for pods but not for templates.
    With `status`, what a container holds while it is resized in place counts too (`UseStatusResources`).
    """
    held = _held(status) if status else {}
    refused = _refused_resize(status) if status else False

    def written(container: Container) -> Milli:
        asked = amounts(container.resources.requests)
        return {**amounts(container.resources.limits), **asked} if limits_as_requests else asked

    def requests(container: Container) -> Milli:
        asked = written(container)
        now = held.get(container.name)
        return asked if now is None else now if refused else _largest(asked, now)

    running = total(requests(container) for container in spec.containers)
    sidecars: dict[str, int] = {}
    peak: dict[str, int] = {}
    for container in spec.init_containers:
        if container.restart_policy == "Always":
            asked = requests(container)
            running = total((running, asked))
            sidecars = total((sidecars, asked))
            peak = _largest(peak, sidecars)
        else:
            peak = _largest(peak, total((sidecars, written(container))))
    larger = _largest(running, peak)
    if spec.resources:
        whole = amounts(spec.resources.requests)
        larger |= {name: amount for name, amount in whole.items() if name in _OF_WHOLE_PODS or name.startswith("hugepages-")}
    return total((larger, amounts(spec.overhead)))


def _held(status: PodStatus) -> Mapping[str, Milli]:
    """What each container holds: the larger of what is in force and what it was granted; nothing where the kubelet does not say."""
    return {
        entry.name: _largest(amounts(entry.resources.requests), amounts(entry.allocated_resources))
        for entry in (*status.container_statuses, *status.init_container_statuses)
        if entry.resources
    }


def _refused_resize(status: PodStatus) -> bool:
    """Whether the node can never grant the resize that is asked for, so that it does not count."""
    pending = condition(status.conditions, "PodResizePending")
    return pending is not None and pending.reason == "Infeasible"


def resized(spec: PodSpec, status: PodStatus) -> bool:
    """Whether some container holds other amounts than its spec asks for."""
    if not any(entry.resources for entry in (*status.container_statuses, *status.init_container_statuses)):
        return False
    asked = {container.name: container.resources.requests for container in (*spec.containers, *spec.init_containers)}
    return any(
        entry.resources
        and (entry.resources.requests != asked.get(entry.name) or entry.allocated_resources not in ({}, entry.resources.requests))
        for entry in (*status.container_statuses, *status.init_container_statuses)
    )
