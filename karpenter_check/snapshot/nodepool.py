"""NodePools, NodeClaims and node classes, of karpenter.sh/v1 and v1beta1 alike."""

from datetime import timedelta

import msgspec

from karpenter_check.snapshot.duration import duration
from karpenter_check.snapshot.metadata import Annotations, Condition, Metadata, condition, is_true
from karpenter_check.snapshot.node import NODEPOOL_LABEL, Taint
from karpenter_check.snapshot.part import Part, Timestamp
from karpenter_check.snapshot.quantity import Quantity


class NodeClassRef(Part, frozen=True):
    """Which node class is used; v1beta1 says `apiVersion` where v1 says `group`."""

    kind: str = ""
    name: str = ""
    group: str = ""
    api_version: str = ""

    @property
    def api_group(self) -> str:
        """The group of either version."""
        return self.group or self.api_version.partition("/")[0]


class Requirement(Part, frozen=True):
    """An entry of `requirements`."""

    key: str
    operator: str
    values: tuple[str, ...] = ()
    min_values: int | None = None
    """How many of the label's values the instance types of one purchase must have between them."""


class TemplateMetadata(Part, frozen=True):
    """`spec.template.metadata`."""

    labels: dict[str, str] = {}
    annotations: Annotations = Annotations()


class TemplateSpec(Part, frozen=True):
    """`spec.template.spec`."""

    requirements: tuple[Requirement, ...] = ()
    taints: tuple[Taint, ...] = ()
    startup_taints: tuple[Taint, ...] = ()
    node_class_ref: NodeClassRef = NodeClassRef()
    expire_after: str = ""
    """Only v1 has it here; v1beta1 has it in `spec.disruption`."""
    termination_grace_period: str = ""


class Template(Part, frozen=True):
    """`spec.template`: what a NodePool's nodes are made from."""

    metadata: TemplateMetadata = TemplateMetadata()
    spec: TemplateSpec = TemplateSpec()


class Budget(Part, frozen=True):
    """An entry of `spec.disruption.budgets`."""

    nodes: str = "10%"
    schedule: str = ""
    reasons: tuple[str, ...] | None = None
    """None means every reason; an empty list, which the API takes, means none (`apis/v1/nodepool.go:GetAllowedDisruptionsByReason`)."""
    duration: str = ""
    """How long it is active after each hit of its schedule."""


class Disruption(Part, frozen=True):
    """`spec.disruption`."""

    consolidate_after: str = ""
    consolidation_policy: str = ""
    expire_after: str = ""
    """Only v1beta1 has it here; v1 has it in the template, and each NodeClaim carries its own."""
    budgets: tuple[Budget, ...] = (Budget(),)


class NodePoolSpec(Part, frozen=True):
    """`spec` of a NodePool."""

    template: Template = Template()
    disruption: Disruption = Disruption()
    limits: dict[str, Quantity] = {}
    replicas: int | None = None
    weight: int = 0


class NodePoolStatus(Part, frozen=True):
    """`status` of a NodePool."""

    conditions: tuple[Condition, ...] = ()
    resources: dict[str, Quantity] = {}
    """The capacity of its nodes, and their number as `nodes`."""


class NodePool(Part, frozen=True):
    """A NodePool."""

    metadata: Metadata
    spec: NodePoolSpec = NodePoolSpec()
    status: NodePoolStatus = NodePoolStatus()

    @property
    def name(self) -> str:
        """`metadata.name`."""
        return self.metadata.name

    @property
    def static(self) -> bool:
        """Whether it keeps a fixed number of nodes; Karpenter simulates no pods for such a pool."""
        return self.spec.replicas is not None

    @property
    def readiness(self) -> Condition | None:
        """Its Ready condition, or None where it has no status, as in a manifest."""
        return condition(self.status.conditions, "Ready")


class NodeClaimResources(Part, frozen=True):
    """`spec.resources`: what Karpenter sized the node for."""

    requests: dict[str, Quantity] = {}


class NodeClaimSpec(Part, frozen=True):
    """`spec` of a NodeClaim; v1beta1 has no `expireAfter` here, so such a claim shows none."""

    requirements: tuple[Requirement, ...] = ()
    resources: NodeClaimResources = NodeClaimResources()
    taints: tuple[Taint, ...] = ()
    node_class_ref: NodeClassRef = NodeClassRef()
    expire_after: str = ""
    termination_grace_period: str = ""
    startup_taints: tuple[Taint, ...] = ()


class NodeClaimStatus(Part, frozen=True):
    """`status` of a NodeClaim."""

    node_name: str = ""
    provider_id: str = msgspec.field(name="providerID", default="")
    last_pod_event_time: Timestamp | None = None
    conditions: tuple[Condition, ...] = ()
    capacity: dict[str, Quantity] = {}
    """What Karpenter expects the instance to have, before what the kubelet keeps for itself."""
    allocatable: dict[str, Quantity] = {}
    """What it expects pods to have of it."""
    image_id: str = msgspec.field(name="imageID", default="")
    """What its instance was started from."""


class NodeClaim(Part, frozen=True):
    """A NodeClaim."""

    metadata: Metadata
    spec: NodeClaimSpec = NodeClaimSpec()
    status: NodeClaimStatus = NodeClaimStatus()

    @property
    def name(self) -> str:
        """`metadata.name`."""
        return self.metadata.name

    @property
    def nodepool(self) -> str:
        """The NodePool that made it; else empty."""
        return self.metadata.labels.get(NODEPOOL_LABEL, "")

    @property
    def expire_after(self) -> timedelta | None:
        """Its time to live, or None for `Never`."""
        return duration(self.spec.expire_after)

    @property
    def termination_grace_period(self) -> timedelta | None:
        """After how long its pods are deleted by force, or None where it drains for ever."""
        return duration(self.spec.termination_grace_period)

    def condition(self, of_type: str) -> Condition | None:
        """Its condition of that type, or None."""
        return condition(self.status.conditions, of_type)

    def is_true(self, of_type: str) -> bool:
        """Whether its condition of that type is True."""
        return is_true(self.status.conditions, of_type)


class Subnet(Part, frozen=True):
    """An entry of `status.subnets` of an EC2NodeClass."""

    zone: str = ""


class Image(Part, frozen=True):
    """An entry of `status.amis` of an EC2NodeClass: an image, and the nodes that it is for."""

    id: str = ""
    deprecated: bool = False
    """Whether its owner's date of deprecation is past."""
    requirements: tuple[Requirement, ...] = ()


class NodeClassStatus(Part, frozen=True):
    """`status` of a node class; `subnets` and `amis` are EC2NodeClass'."""

    conditions: tuple[Condition, ...] = ()
    subnets: tuple[Subnet, ...] = ()
    amis: tuple[Image, ...] = ()


class SelectorTerm(Part, frozen=True):
    """An entry of a node class' `…SelectorTerms`, by which Karpenter finds subnets, security groups and images."""

    tags: dict[str, str] = {}
    id: str = ""
    name: str = ""
    alias: str = ""
    """A family of images and a version, as in `al2023@latest`."""
    owner: str = ""
    ssm_parameter: str = ""

    def __str__(self) -> str:
        words = [f"tag {key}={value}" for key, value in self.tags.items()]
        fields = {"id": self.id, "name": self.name, "alias": self.alias, "owner": self.owner, "ssmParameter": self.ssm_parameter}
        words += [f"{field} {value}" for field, value in fields.items() if value]
        return " and ".join(words) or "nothing"


class NodeClassSpec(Part, frozen=True):
    """`spec` of a node class; of AWS' own and of EKS Auto Mode's."""

    subnet_selector_terms: tuple[SelectorTerm, ...] = ()
    security_group_selector_terms: tuple[SelectorTerm, ...] = ()
    ami_selector_terms: tuple[SelectorTerm, ...] = ()
    role: str = ""
    instance_profile: str = ""


class NodeClass(Part, frozen=True):
    """A node class of any provider."""

    metadata: Metadata
    kind: str = ""
    api_version: str = ""
    spec: NodeClassSpec = NodeClassSpec()
    status: NodeClassStatus = NodeClassStatus()
