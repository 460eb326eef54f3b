"""Pods, and the scheduling shape that pods of one workload share."""

from datetime import datetime

import msgspec

from karpenter_check.snapshot.metadata import Condition, Metadata, condition
from karpenter_check.snapshot.part import Timestamp
from karpenter_check.snapshot.pod_object import (
    ContainerPort,
    NodeAffinity,
    NodeSelector,
    NodeSelectorTerm,
    PodObject,
    PodSpec,
    Toleration,
)
from karpenter_check.snapshot.pod_requests import effective_requests, resized
from karpenter_check.snapshot.quantity import Milli


class PodShape(msgspec.Struct, frozen=True, eq=False, gc=False):
    """What the scheduler looks at in a pod. Pods that ask for the same hold the same object, so it hashes by identity.

    A DaemonSet pod's pin to its node (`matchFields` on `metadata.name`) is not part of it: it would make every such pod
    a shape of its own.
    """

    node_selector: dict[str, str]
    node_affinity: NodeAffinity
    tolerations: tuple[Toleration, ...]
    requests: Milli
    """Effective requests in thousandths, without the pod's own slot of `pods`."""
    host_ports: tuple[ContainerPort, ...]
    claims_devices: bool = False
    """Whether it asks for devices by Dynamic Resource Allocation."""
    neighbours: tuple[str, ...] = ()
    """What it asks of the pods around it, in words: required spread and (anti-)affinity, with their topology keys."""


class Pod(msgspec.Struct, frozen=True, gc=False):
    """A pod in a snapshot."""

    metadata: Metadata
    shape: PodShape
    node_name: str
    pinned_to: str
    """The one node its affinity names by `metadata.name`, as the DaemonSet controller does; else empty."""
    scheduler_name: str
    priority_class_name: str
    priority: int
    """What its priority class means, written into the pod when it was admitted."""
    claims: tuple[str, ...]
    """The names of the PersistentVolumeClaims that it mounts; those that are made for generic ephemeral volumes are not read."""
    phase: str
    nominated_node_name: str
    start_time: Timestamp | None
    ready: bool
    """Whether its Ready condition is True."""
    unready: bool
    """Whether its Ready condition is False; one without that condition is neither."""
    scheduled: Condition | None
    """Its PodScheduled condition."""
    held: Milli
    """What it takes of its node: its shape's requests, but while it is resized in place."""
    termination_grace_period_seconds: int | None
    """How long it may take to stop; the API server writes 30 where its author says nothing."""
    unready_since: Timestamp | None = None
    """Since when its Ready condition is False, of one that is `unready`."""

    @property
    def has_claims(self) -> bool:
        """Whether it mounts a PersistentVolumeClaim."""
        return bool(self.claims)

    @property
    def active(self) -> bool:
        """Neither finished nor being deleted (`utils/pod:IsActive`)."""
        return self.phase not in {"Succeeded", "Failed"} and self.metadata.deletion_timestamp is None

    @property
    def unschedulable(self) -> bool:
        """Unbound, and a scheduler has said so: Karpenter provisions for it (`utils/pod:FailedToSchedule`)."""
        return not self.node_name and self.scheduled is not None and self.scheduled.reason == "Unschedulable"

    @property
    def unscheduled_since(self) -> datetime | None:
        """Of an unbound pod: since when its PodScheduled condition is as it is, else since it was created."""
        return (self.scheduled and self.scheduled.last_transition_time) or self.metadata.creation_timestamp

    @property
    def daemonset_uid(self) -> str:
        """The UID of the DaemonSet that controls it; else empty (`utils/pod:IsOwnedByDaemonSet`)."""
        controller = self.metadata.controller
        return controller.uid if controller and (controller.kind, controller.api_version) == ("DaemonSet", "apps/v1") else ""


def _without_pin(affinity: NodeAffinity) -> tuple[NodeAffinity, str]:
    """The affinity with the pin to one node taken out of its terms, and that node's name.

    A term that is nothing but the pin leaves nothing to ask, whatever the terms beside it ask: they are ORed.
    """
    terms = affinity.required.node_selector_terms if affinity.required else ()
    pins = {field.values for term in terms for field in term.match_fields if (field.key, field.operator) == ("metadata.name", "In")}
    if len(pins) != 1 or not all(len(term.match_fields) == 1 for term in terms):
        return affinity, ""
    (names,) = pins
    if len(names) != 1:
        return affinity, ""
    unpinned = tuple(NodeSelectorTerm(term.match_expressions) for term in terms)
    required = NodeSelector(unpinned) if all(term.match_expressions for term in unpinned) else None
    return NodeAffinity(required, affinity.preferred), names[0]


def _neighbours(spec: PodSpec) -> tuple[str, ...]:
    """What the pod asks of other pods and cannot do without."""
    asked = [
        f"topology spread over {entry.topology_key}"
        for entry in spec.topology_spread_constraints
        if entry.when_unsatisfiable == "DoNotSchedule"
    ]
    if spec.affinity:
        asked += [f"pod affinity over {term.topology_key}" for term in spec.affinity.pod_affinity.required]
        asked += [f"pod anti-affinity over {term.topology_key}" for term in spec.affinity.pod_anti_affinity.required]
    return tuple(dict.fromkeys(asked))


class PodShapes:
    """The distinct shapes seen so far; one instance serves one snapshot."""

    def __init__(self) -> None:
        self._shapes: dict[bytes, PodShape] = {}
        self._encoder = msgspec.json.Encoder(order="sorted")

    def __len__(self) -> int:
        return len(self._shapes)

    def shape(self, spec: PodSpec, *, limits_as_requests: bool = False) -> tuple[PodShape, str]:
        """The shared shape of a pod spec, and the node that it is pinned to.

        Raises ValueError where a request is no quantity.
        """
        affinity, pinned_to = _without_pin(spec.affinity.node_affinity if spec.affinity else NodeAffinity())
        neighbours = _neighbours(spec)
        key = self._encoder.encode(
            (
                spec.node_selector,
                affinity,
                spec.tolerations,
                [(container.resources, container.ports) for container in spec.containers],
                [(container.resources, container.restart_policy) for container in spec.init_containers],
                spec.overhead,
                spec.resources,
                bool(spec.resource_claims),
                neighbours,
                limits_as_requests,
            )
        )
        found = self._shapes.get(key)
        if found is None:
            ports = tuple(port for container in spec.containers for port in container.ports if port.host_port)
            requests = effective_requests(spec, limits_as_requests=limits_as_requests)
            found = self._shapes[key] = PodShape(
                spec.node_selector, affinity, spec.tolerations, requests, ports, bool(spec.resource_claims), neighbours
            )
        return found, pinned_to

    def share(self, pod: PodObject) -> Pod:
        """The pod as a snapshot keeps it. Raises ValueError where a request is no quantity."""
        shape, pinned_to = self.shape(pod.spec)
        readiness = condition(pod.status.conditions, "Ready")
        return Pod(
            metadata=pod.metadata,
            shape=shape,
            node_name=pod.spec.node_name,
            pinned_to=pinned_to,
            scheduler_name=pod.spec.scheduler_name,
            priority_class_name=pod.spec.priority_class_name,
            priority=pod.spec.priority,
            claims=tuple(
                volume.persistent_volume_claim.claim_name for volume in pod.spec.volumes if volume.persistent_volume_claim
            ),
            phase=pod.status.phase,
            nominated_node_name=pod.status.nominated_node_name,
            start_time=pod.status.start_time,
            ready=readiness is not None and readiness.status == "True",
            unready=readiness is not None and readiness.status == "False",
            unready_since=readiness.last_transition_time if readiness is not None and readiness.status == "False" else None,
            scheduled=condition(pod.status.conditions, "PodScheduled"),
            held=effective_requests(pod.spec, status=pod.status) if resized(pod.spec, pod.status) else shape.requests,
            termination_grace_period_seconds=pod.spec.termination_grace_period_seconds,
        )
