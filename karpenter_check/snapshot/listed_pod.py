"""Pods of a list, as the API server writes them: what many pods have in common is left as JSON.

A cluster's pods come from few templates, and the API server writes equal values alike, so these parts need be decoded once for each
of their distinct texts, see `pod_reduction`. Field by field a `ListedPod` is a `PodObject`.
"""

import msgspec

from karpenter_check.snapshot.metadata import Annotations
from karpenter_check.snapshot.part import Timestamp

_NOTHING = msgspec.Raw()
"""Of a field that is not there."""


class _Listed(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """A piece of a listed pod; see `Part`, which these stand in for."""


class ListedMetadata(_Listed, frozen=True):
    """`metadata` of a pod."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    creation_timestamp: Timestamp | None = None
    deletion_timestamp: Timestamp | None = None
    labels: msgspec.Raw = _NOTHING
    annotations: Annotations = Annotations()
    owner_references: msgspec.Raw = _NOTHING
    finalizers: msgspec.Raw = _NOTHING


class ListedContainer(_Listed, frozen=True):
    """A container of a pod."""

    resources: msgspec.Raw = _NOTHING
    ports: msgspec.Raw = _NOTHING
    restart_policy: str = ""
    name: str = ""


class ListedVolume(_Listed, frozen=True):
    """A volume of a pod."""

    persistent_volume_claim: msgspec.Raw = _NOTHING


class ListedSpec(_Listed, frozen=True):
    """`spec` of a pod."""

    node_name: str = ""
    scheduler_name: str = "default-scheduler"
    priority_class_name: str = ""
    priority: int = 0
    node_selector: msgspec.Raw = _NOTHING
    affinity: msgspec.Raw = _NOTHING
    tolerations: msgspec.Raw = _NOTHING
    containers: tuple[ListedContainer, ...] = ()
    init_containers: tuple[ListedContainer, ...] = ()
    overhead: msgspec.Raw = _NOTHING
    volumes: tuple[ListedVolume, ...] = ()
    resources: msgspec.Raw = _NOTHING
    resource_claims: msgspec.Raw = _NOTHING
    topology_spread_constraints: msgspec.Raw = _NOTHING
    termination_grace_period_seconds: int | None = None


class ListedCondition(_Listed, frozen=True):
    """An entry of `status.conditions`."""

    type: str
    status: str
    reason: str = ""
    message: str = ""
    last_transition_time: Timestamp | None = None


class ListedContainerStatus(_Listed, frozen=True):
    """What the kubelet says that a container has."""

    name: str = ""
    resources: msgspec.Raw = _NOTHING
    allocated_resources: msgspec.Raw = _NOTHING


class ListedStatus(_Listed, frozen=True):
    """`status` of a pod."""

    phase: str = ""
    nominated_node_name: str = ""
    start_time: Timestamp | None = None
    conditions: tuple[ListedCondition, ...] = ()
    container_statuses: tuple[ListedContainerStatus, ...] = ()
    init_container_statuses: tuple[ListedContainerStatus, ...] = ()


class ListedPod(_Listed, frozen=True):
    """A pod of a list."""

    metadata: ListedMetadata
    spec: ListedSpec = ListedSpec()
    status: ListedStatus = ListedStatus()
