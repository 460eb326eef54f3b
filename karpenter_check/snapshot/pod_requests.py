"""What a pod asks of its node."""

from karpenter_check.snapshot.pod_object import Container, PodSpec
from karpenter_check.snapshot.quantity import amounts, total


def effective_requests(spec: PodSpec, *, limits_as_requests: bool = False) -> dict[str, int]:
    """What the pod asks of its node, in thousandths: the larger of its containers together and each init step, plus overhead.

    A restartable init container (a sidecar) runs beside all that follows it. Source: k8s.io/component-helpers/resource
    `PodRequests` (v1.36). `limits_as_requests` fills a missing request from the limit, as the API server's defaulting does for
    pods but not for templates.
    """

    def requests(container: Container) -> dict[str, int]:
        asked = amounts(container.resources.requests)
        return {**amounts(container.resources.limits), **asked} if limits_as_requests else asked

    running = total(requests(container) for container in spec.containers)
    sidecars: dict[str, int] = {}
    peak: dict[str, int] = {}
    for container in spec.init_containers:
        asked = requests(container)
        if container.restart_policy == "Always":
            running = total((running, asked))
            sidecars = total((sidecars, asked))
            step = sidecars
        else:
            step = total((sidecars, asked))
        peak = {name: max(peak.get(name, 0), step.get(name, 0)) for name in peak | step}
    larger = {name: max(running.get(name, 0), peak.get(name, 0)) for name in running | peak}
    return total((larger, amounts(spec.overhead)))
