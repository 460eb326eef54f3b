"""Does Karpenter count a DaemonSet when it sizes a NodePool's nodes?"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from karpenter_check.scheduling.pod import pod_requirements
from karpenter_check.scheduling.refusal import Refusal
from karpenter_check.scheduling.taints import PREFER_NO_SCHEDULE, untolerated
from karpenter_check.scheduling.template import NodeTemplate
from karpenter_check.snapshot import DaemonSet, Snapshot, Version
from karpenter_check.snapshot.once import once
from karpenter_check.snapshot.pod_object import ContainerPort, NodeSelectorTerm, Toleration
from karpenter_check.snapshot.quantity import Milli

REVISION_LABEL = "controller-revision-hash"
COUNTS_RESIZES = Version(1, 14)
"""From here on a pod counts for what it holds while it is resized in place (`utils/resources:Ceiling`)."""
RELAXES_TERMS = Version(1, 2)
"""From here on OR-terms are tried one by one, preferred terms are ignored and PreferNoSchedule is tolerated."""


def counts_resizes(version: Version | None) -> bool:
    """Whether Karpenter counts what containers hold, and not only what their specs ask."""
    return version is not None and version >= COUNTS_RESIZES


@dataclass(frozen=True)
class DaemonSetPod:
    """The pod that stands for a DaemonSet in Karpenter's simulation."""

    node_selector: dict[str, str]
    terms: tuple[NodeSelectorTerm, ...]
    preferred: tuple[tuple[int, NodeSelectorTerm], ...]
    tolerations: tuple[Toleration, ...]
    requests: Milli
    host_ports: tuple[ContainerPort, ...] = ()
    claims_devices: bool = False
    """Whether it asks for devices by Dynamic Resource Allocation: then it is left out (`IGNORE_DRA_REQUESTS`)."""
    revision: str = ""
    """The revision of the DaemonSet that it is of; empty where no pod tells."""


@once
def _daemonset_pods(snapshot: Snapshot) -> Mapping[tuple[str, str], DaemonSetPod]:
    """The pod of each DaemonSet, by namespace and name: asked for again with every node."""
    return {
        (daemonset.metadata.namespace, daemonset.metadata.name): _daemonset_pod(snapshot, daemonset)
        for daemonset in snapshot.daemonsets
    }


def daemonset_pod(snapshot: Snapshot, daemonset: DaemonSet) -> DaemonSetPod:
    """The newest pod that the DaemonSet controls, with the template's required affinity put back; without pods, its template.

    So requests and tolerations are those after admission. Source: `state/cluster.go:UpdateDaemonSet`, `provisioner.go:getDaemonSetPods`.
    """
    return _daemonset_pods(snapshot)[daemonset.metadata.namespace, daemonset.metadata.name]


def _daemonset_pod(snapshot: Snapshot, daemonset: DaemonSet) -> DaemonSetPod:
    template = snapshot.daemonset_shapes[daemonset.metadata.namespace, daemonset.metadata.name]
    pods = snapshot.pods_of_daemonset.get(daemonset.metadata.uid, ())
    newest = max(pods, key=lambda pod: (pod.metadata.creation_timestamp or snapshot.taken_at, pod.metadata.name), default=None)
    shape = newest.shape if newest else template
    required = template.node_affinity.required or shape.node_affinity.required
    return DaemonSetPod(
        node_selector=shape.node_selector,
        terms=required.node_selector_terms if required else (),
        preferred=tuple((term.weight, term.preference) for term in shape.node_affinity.preferred),
        tolerations=shape.tolerations,
        requests=newest.held if newest and counts_resizes(snapshot.karpenter_version) else shape.requests,
        host_ports=shape.host_ports,
        claims_devices=shape.claims_devices,
        revision=newest.metadata.labels.get(REVISION_LABEL, "") if newest else "",
    )


def _alternatives(pod: DaemonSetPod, version: Version | None) -> Iterator[Sequence[NodeSelectorTerm]]:
    """The sets of terms that Karpenter tries in turn; one that is admitted is enough."""
    if version and version < RELAXES_TERMS:
        heaviest = max(pod.preferred, key=lambda weighted: weighted[0], default=None)
        yield [*pod.terms[:1], *([heaviest[1]] if heaviest else [])]
    elif pod.terms:
        yield from ([term] for term in pod.terms)
    else:
        yield []


def refusals(pod: DaemonSetPod, template: NodeTemplate, version: Version | None = None) -> tuple[Refusal, ...]:
    """Why Karpenter leaves the DaemonSet out of the template's nodes; empty if it counts it.

    `version` is Karpenter's; without one, 1.2 to 1.13. At 1.14 and later it also asks each instance type, so an empty answer
    is then no proof that the DaemonSet is counted for every one. Source: `provisioning/scheduling/scheduler.go:isDaemonPodCompatible`.
    """
    tolerations = pod.tolerations
    if version is None or version >= RELAXES_TERMS:
        tolerations = (*tolerations, PREFER_NO_SCHEDULE)
    if taints := tuple(untolerated(template.taints, tolerations)):
        return taints
    first: tuple[Refusal, ...] = ()
    for terms in _alternatives(pod, version):
        asked = pod_requirements(template.provider, pod.node_selector, terms)
        refused = tuple(template.requirements.refusals(asked, template.provider))
        if not refused:
            return ()
        first = first or refused
    return first
