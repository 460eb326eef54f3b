"""Pods as the API serves them."""

import msgspec

from karpenter_check.snapshot.metadata import Condition, Metadata
from karpenter_check.snapshot.part import Part, Timestamp
from karpenter_check.snapshot.quantity import Quantity


class Toleration(Part, frozen=True):
    """An entry of `spec.tolerations`; no operator means `Equal`, no effect means every effect."""

    key: str = ""
    operator: str = ""
    value: str = ""
    effect: str = ""


class NodeSelectorRequirement(Part, frozen=True):
    """A `matchExpressions` or `matchFields` entry."""

    key: str
    operator: str
    values: tuple[str, ...] = ()


class NodeSelectorTerm(Part, frozen=True):
    """One term of a node selector: its requirements are ANDed."""

    match_expressions: tuple[NodeSelectorRequirement, ...] = ()
    match_fields: tuple[NodeSelectorRequirement, ...] = ()


class NodeSelector(Part, frozen=True):
    """Terms that are ORed."""

    node_selector_terms: tuple[NodeSelectorTerm, ...] = ()


class PreferredSchedulingTerm(Part, frozen=True):
    """A preferred term and its weight, 1 to 100."""

    weight: int = 0
    preference: NodeSelectorTerm = NodeSelectorTerm()


class NodeAffinity(Part, frozen=True):
    """`spec.affinity.nodeAffinity`."""

    required: NodeSelector | None = msgspec.field(name="requiredDuringSchedulingIgnoredDuringExecution", default=None)
    preferred: tuple[PreferredSchedulingTerm, ...] = msgspec.field(
        name="preferredDuringSchedulingIgnoredDuringExecution", default=()
    )


class PodAffinityTerm(Part, frozen=True):
    """A required term of a pod's (anti-)affinity to other pods; whom it selects is not read."""

    topology_key: str = ""


class PodAffinity(Part, frozen=True):
    """`spec.affinity.podAffinity` or `podAntiAffinity`."""

    required: tuple[PodAffinityTerm, ...] = msgspec.field(name="requiredDuringSchedulingIgnoredDuringExecution", default=())


class Affinity(Part, frozen=True):
    """`spec.affinity`."""

    node_affinity: NodeAffinity = NodeAffinity()
    pod_affinity: PodAffinity = PodAffinity()
    pod_anti_affinity: PodAffinity = PodAffinity()


class TopologySpreadConstraint(Part, frozen=True):
    """An entry of `spec.topologySpreadConstraints`; whom it selects is not read."""

    topology_key: str = ""
    when_unsatisfiable: str = ""


class ContainerPort(Part, frozen=True):
    """A port that a container opens on its node."""

    host_port: int = 0
    host_ip: str = msgspec.field(name="hostIP", default="")
    protocol: str = "TCP"


class ResourceRequirements(Part, frozen=True):
    """`resources` of a container."""

    requests: dict[str, Quantity] = {}
    limits: dict[str, Quantity] = {}


class Container(Part, frozen=True):
    """What a container asks of its node; its image, command and environment are not decoded."""

    resources: ResourceRequirements = ResourceRequirements()
    ports: tuple[ContainerPort, ...] = ()
    restart_policy: str = ""
    name: str = ""


class PersistentVolumeClaimVolumeSource(Part, frozen=True):
    """`persistentVolumeClaim` of a volume."""

    claim_name: str = ""


class Volume(Part, frozen=True):
    """A volume; of it only the claim is read."""

    persistent_volume_claim: PersistentVolumeClaimVolumeSource | None = None


class PodResourceClaim(Part, frozen=True):
    """An entry of `spec.resourceClaims`: a device that the pod claims by Dynamic Resource Allocation."""

    name: str = ""


class PodSpec(Part, frozen=True):
    """`spec` of a pod or of a pod template."""

    node_name: str = ""
    scheduler_name: str = "default-scheduler"
    priority_class_name: str = ""
    priority: int = 0
    node_selector: dict[str, str] = {}
    affinity: Affinity | None = None
    tolerations: tuple[Toleration, ...] = ()
    containers: tuple[Container, ...] = ()
    init_containers: tuple[Container, ...] = ()
    overhead: dict[str, Quantity] = {}
    volumes: tuple[Volume, ...] = ()
    resources: ResourceRequirements | None = None
    """Requests of the pod as a whole, which stand above its containers'."""
    resource_claims: tuple[PodResourceClaim, ...] = ()
    topology_spread_constraints: tuple[TopologySpreadConstraint, ...] = ()
    termination_grace_period_seconds: int | None = None


class ContainerStatus(Part, frozen=True):
    """What the kubelet says that a container has: `resources` in force, `allocatedResources` granted to it."""

    name: str = ""
    resources: ResourceRequirements | None = None
    allocated_resources: dict[str, Quantity] = {}


class PodStatus(Part, frozen=True):
    """`status` of a pod."""

    phase: str = ""
    nominated_node_name: str = ""
    start_time: Timestamp | None = None
    conditions: tuple[Condition, ...] = ()
    container_statuses: tuple[ContainerStatus, ...] = ()
    init_container_statuses: tuple[ContainerStatus, ...] = ()


class PodObject(Part, frozen=True):
    """A pod as the API serves it; `share` turns it into the `Pod` that a snapshot keeps."""

    metadata: Metadata
    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()
