"""Pods reduced to what a snapshot keeps, as a list of them streams by: each distinct part is decoded once, told apart by its bytes."""

from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias, TypeVar

import msgspec

from karpenter_check.snapshot.listed_pod import ListedContainer, ListedContainerStatus, ListedPod, ListedSpec, ListedStatus
from karpenter_check.snapshot.metadata import Annotations, Condition, Metadata, OwnerReference
from karpenter_check.snapshot.pod import Pod, PodShape, PodShapes
from karpenter_check.snapshot.pod_object import (
    Affinity,
    Container,
    ContainerPort,
    ContainerStatus,
    PersistentVolumeClaimVolumeSource,
    PodResourceClaim,
    PodSpec,
    PodStatus,
    ResourceRequirements,
    Toleration,
    TopologySpreadConstraint,
)
from karpenter_check.snapshot.pod_requests import effective_requests, resized
from karpenter_check.snapshot.quantity import Milli, Quantity

Value = TypeVar("Value")
_Asked: TypeAlias = tuple[tuple[str, bytes, bytes, str], ...]
"""Of each container: name, resources, ports, restart policy."""
_Had: TypeAlias = tuple[tuple[str, bytes, bytes], ...]
"""Of each container status: name, resources, allocated resources."""

_REMEMBERED = 1024
"""Distinct parts at a time: a list comes in the order of names, so what repeats is near."""
_PIN = b'{"key":"metadata.name","operator":"In","values":["%s"]}'
"""How the DaemonSet controller pins a pod to its node (`pkg/controller/daemon/util:ReplaceDaemonSetPodNodeNameNodeAffinity`, v1.36)."""
_ANY_NODE = "*"
"""No node has this name."""
_PIN_TO_ANY = _PIN % _ANY_NODE.encode()
_NO_ANNOTATIONS = Annotations()
_NO_AFFINITY = Affinity()


def _decoded(of: type[Value], absent: Value) -> Callable[[bytes], Value]:
    """A decoder that remembers; no bytes at all are an absent field. It raises msgspec.MsgspecError."""
    decode: Callable[[bytes], Value] = msgspec.json.Decoder(of).decode
    return lru_cache(_REMEMBERED)(lambda data: decode(data) if data else absent)


_labels = _decoded(dict[str, str], {})
_owners = _decoded(tuple[OwnerReference, ...], ())
_finalizers = _decoded(tuple[str, ...], ())
_node_selector = _decoded(dict[str, str], {})
_affinity = _decoded(Affinity, _NO_AFFINITY)
_tolerations = _decoded(tuple[Toleration, ...], ())
_ports = _decoded(tuple[ContainerPort, ...], ())
_resources = _decoded(ResourceRequirements, ResourceRequirements())
_amounts = _decoded(dict[str, Quantity], {})
_claims = _decoded(tuple[PodResourceClaim, ...], ())
_claim = _decoded(PersistentVolumeClaimVolumeSource, PersistentVolumeClaimVolumeSource())
_spread = _decoded(tuple[TopologySpreadConstraint, ...], ())


class _Alike(NamedTuple):
    """What pods have in common whose repeating parts have the same bytes."""

    owners: tuple[OwnerReference, ...]
    shape: PodShape
    pinned_to: str
    scheduler_name: str
    priority_class_name: str
    may_be_resized: bool


class PodReduction:
    """The way from listed pods to the pods of one snapshot."""

    def __init__(self, shapes: PodShapes) -> None:
        self._shapes = shapes
        self._same: dict[str, str] = {}
        self._decoded = lru_cache(_REMEMBERED)(self._decode)
        self._last: tuple[tuple[Any, ...], _Alike] | tuple[None, None] = None, None
        self._shape = lru_cache(_REMEMBERED)(self._decoded_shape)

    def pod(self, listed: ListedPod) -> Pod:
        """The pod as a snapshot keeps it, as `PodShapes.share` makes it of a `PodObject`.

        Raises msgspec.MsgspecError or ValueError where some part of it is not what it should be.
        """
        metadata, spec, status, same = listed.metadata, listed.spec, listed.status, self._same.setdefault
        affinity = bytes(spec.affinity)
        others = (
            bytes(spec.node_selector),
            bytes(spec.tolerations),
            _asked(spec.containers),
            _asked(spec.init_containers) if spec.init_containers else (),
            bytes(spec.overhead),
            bytes(spec.resources),
            bytes(spec.resource_claims),
            bytes(spec.topology_spread_constraints),
            bytes(metadata.owner_references),
            spec.scheduler_name,
            spec.priority_class_name,
            _had(status.container_statuses),
            _had(status.init_container_statuses) if status.init_container_statuses else (),
        )
        node_name = same(spec.node_name, spec.node_name)
        alike = None
        if affinity and node_name:
            # pods of a DaemonSet differ by their pins alone, and are looked up without them
            pin = _PIN % node_name.encode()
            if affinity.count(pin) == 1:
                alike = self._alike((affinity.replace(pin, _PIN_TO_ANY), *others))
        if alike is not None and alike.pinned_to == _ANY_NODE:
            pinned_to = node_name
        else:
            alike = self._alike((affinity, *others))
            pinned_to = same(alike.pinned_to, alike.pinned_to)
        ready: str | None = None
        scheduled: Condition | None = None
        for entry in status.conditions:
            if entry.type == "Ready":
                if ready is None:
                    ready = entry.status
            elif entry.type == "PodScheduled" and scheduled is None:
                scheduled = Condition(
                    "PodScheduled", same(entry.status, entry.status), entry.reason, entry.message, entry.last_transition_time
                )
        mounted: tuple[str, ...] = ()
        for volume in spec.volumes:
            if claim := bytes(volume.persistent_volume_claim):
                mounted = (*mounted, _claim(claim).claim_name)
        held = _held(spec, status) if alike.may_be_resized else None
        annotations = metadata.annotations
        return Pod(
            Metadata(
                metadata.name,
                same(metadata.namespace, metadata.namespace),
                metadata.uid,
                metadata.creation_timestamp,
                metadata.deletion_timestamp,
                _labels(bytes(metadata.labels)),
                _NO_ANNOTATIONS if annotations == _NO_ANNOTATIONS else annotations,
                alike.owners,
                _finalizers(bytes(metadata.finalizers)),
            ),
            alike.shape,
            node_name,
            pinned_to,
            alike.scheduler_name,
            alike.priority_class_name,
            spec.priority,
            mounted,
            same(status.phase, status.phase),
            same(status.nominated_node_name, status.nominated_node_name),
            status.start_time,
            ready == "True",
            ready == "False",
            scheduled,
            alike.shape.requests if held is None else held,
            spec.termination_grace_period_seconds,
            _unready_since(status) if ready == "False" else None,
        )

    def _alike(self, parts: tuple[Any, ...]) -> _Alike:
        """What parts of a pod say; mostly, they are those of the pod before."""
        last, alike = self._last
        if alike is None or parts != last:
            alike = self._decoded(parts)
            self._last = parts, alike
        return alike

    def _decode(self, parts: tuple[Any, ...]) -> _Alike:
        """What parts of a pod say, in the order of `pod`."""
        *of_shape, owners, scheduler_name, priority_class_name, had, had_first = parts
        shape, pinned_to = self._shape(*of_shape)
        may_be_resized = _may_be_resized(of_shape[3] + of_shape[4], had + had_first)
        return _Alike(_owners(owners), shape, pinned_to, scheduler_name, priority_class_name, may_be_resized)

    def _decoded_shape(
        self,
        affinity: bytes,
        node_selector: bytes,
        tolerations: bytes,
        asked: "_Asked",
        asked_first: "_Asked",
        overhead: bytes,
        resources: bytes,
        claims: bytes,
        spread: bytes,
    ) -> tuple[PodShape, str]:
        return self._shapes.shape(
            PodSpec(
                node_selector=_node_selector(node_selector),
                affinity=_affinity(affinity),
                tolerations=_tolerations(tolerations),
                containers=_containers(asked),
                init_containers=_containers(asked_first),
                overhead=_amounts(overhead),
                resources=_resources(resources) if resources else None,
                resource_claims=_claims(claims),
                topology_spread_constraints=_spread(spread),
            )
        )


def _asked(containers: tuple[ListedContainer, ...]) -> _Asked:
    return tuple([(entry.name, bytes(entry.resources), bytes(entry.ports), entry.restart_policy) for entry in containers])


def _had(statuses: tuple[ListedContainerStatus, ...]) -> _Had:
    return tuple([(entry.name, bytes(entry.resources), bytes(entry.allocated_resources)) for entry in statuses])


def _containers(asked: _Asked) -> tuple[Container, ...]:
    return tuple(Container(_resources(resources), _ports(ports), policy, name) for name, resources, ports, policy in asked)


def _unready_since(status: ListedStatus) -> datetime | None:
    return next(entry.last_transition_time for entry in status.conditions if entry.type == "Ready")


def _held(spec: ListedSpec, status: ListedStatus) -> Milli | None:
    """What the pod takes of its node, where that is not what it asks for (`resized`)."""
    whole = PodSpec(
        containers=_containers(_asked(spec.containers)),
        init_containers=_containers(_asked(spec.init_containers)),
        overhead=_amounts(bytes(spec.overhead)),
        resources=_resources(bytes(spec.resources)) if bytes(spec.resources) else None,
    )
    had = PodStatus(
        conditions=tuple(Condition(entry.type, entry.status, entry.reason) for entry in status.conditions),
        container_statuses=_statuses(status.container_statuses),
        init_container_statuses=_statuses(status.init_container_statuses),
    )
    return effective_requests(whole, status=had) if resized(whole, had) else None


def _may_be_resized(asked: _Asked, had: _Had) -> bool:
    """Whether some container's resources are written differently in spec and status."""
    written = {name: resources for name, resources, _, _ in asked}
    return any(
        (resources or allocated) and (resources != written.get(name) or (allocated and b'"requests":' + allocated not in resources))
        for name, resources, allocated in had
    )


def _statuses(listed: tuple[ListedContainerStatus, ...]) -> tuple[ContainerStatus, ...]:
    return tuple(
        ContainerStatus(
            entry.name,
            _resources(bytes(entry.resources)) if bytes(entry.resources) else None,
            _amounts(bytes(entry.allocated_resources)),
        )
        for entry in listed
    )
