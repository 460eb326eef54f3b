"""Names, labels, owners, conditions: what every object of the API carries."""

import msgspec
from msgspec.structs import force_setattr

from karpenter_check.snapshot.clip import MAXIMUM_MESSAGE, capped
from karpenter_check.snapshot.part import Part, Present, Timestamp


class Ref(Part, frozen=True):
    """Which object is meant. Cluster-scoped objects have no namespace."""

    kind: str
    name: str
    api_version: str = ""
    namespace: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.qualified_name}"

    @property
    def qualified_name(self) -> str:
        """`namespace/name`, or the name alone."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


class Annotations(Part, frozen=True):
    """The annotations that some rule reads; no other one is decoded, so none can leak."""

    do_not_disrupt: str = msgspec.field(name="karpenter.sh/do-not-disrupt", default="")
    nodepool_hash: str = msgspec.field(name="karpenter.sh/nodepool-hash", default="")
    min_values_relaxed: str = msgspec.field(name="karpenter.sh/nodeclaim-min-values-relaxed", default="")
    nodepool_hash_version: str = msgspec.field(name="karpenter.sh/nodepool-hash-version", default="")
    termination_timestamp: str = msgspec.field(name="karpenter.sh/nodeclaim-termination-timestamp", default="")
    """When the pods of a NodeClaim that is being deleted go by force (RFC 3339)."""
    pod_deletion_cost: str = msgspec.field(name="controller.kubernetes.io/pod-deletion-cost", default="")
    do_not_evict: str = msgspec.field(name="karpenter.sh/do-not-evict", default="")
    """Of pods; it means nothing since 1.0, as does `do_not_consolidate` of nodes."""
    do_not_consolidate: str = msgspec.field(name="karpenter.sh/do-not-consolidate", default="")
    ignore: str = msgspec.field(name="karpenter-check/ignore", default="")
    """Rules whose findings about this object somebody leaves be, with commas between them."""
    ignore_reason: str = msgspec.field(name="karpenter-check/ignore-reason", default="")
    ignore_until: str = msgspec.field(name="karpenter-check/ignore-until", default="")
    selected_node: str = msgspec.field(name="volume.kubernetes.io/selected-node", default="")
    """The node for which kube-scheduler has a volume made for a claim."""
    generator_version: str = msgspec.field(name="controller-gen.kubebuilder.io/version", default="")
    """What made a CustomResourceDefinition, of which Karpenter's say no other version."""


class OwnerReference(Part, frozen=True):
    """An entry of `metadata.ownerReferences`."""

    kind: str
    name: str
    uid: str = ""
    api_version: str = ""
    controller: bool = False


class Metadata(Part, frozen=True):
    """`metadata` of any object."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    creation_timestamp: Timestamp | None = None
    deletion_timestamp: Timestamp | None = None
    labels: dict[str, str] = {}
    annotations: Annotations = Annotations()
    owner_references: tuple[OwnerReference, ...] = ()
    finalizers: tuple[str, ...] = ()

    @property
    def controller(self) -> OwnerReference | None:
        """The owner that manages this object, if one does."""
        return next((owner for owner in self.owner_references if owner.controller), None)


class FieldsOfMetadata(Part, frozen=True):
    """`f:metadata` of a managedFields entry."""

    labels: dict[str, Present] = msgspec.field(name="f:labels", default={})


class FieldsOfSpec(Part, frozen=True):
    """`f:spec` of a managedFields entry."""

    taints: Present | None = msgspec.field(name="f:taints", default=None)


class Fields(Part, frozen=True):
    """`fieldsV1` of a managedFields entry."""

    metadata: FieldsOfMetadata = msgspec.field(name="f:metadata", default=FieldsOfMetadata())
    spec: FieldsOfSpec = msgspec.field(name="f:spec", default=FieldsOfSpec())


class ManagedFields(Part, frozen=True):
    """An entry of `metadata.managedFields`: which labels and whether the taints were written by `manager`, and when."""

    manager: str = ""
    time: Timestamp | None = None
    fields: Fields = msgspec.field(name="fieldsV1", default=Fields())


class Condition(Part, frozen=True):
    """An entry of `status.conditions`. `status` is `True`, `False` or `Unknown`."""

    type: str
    status: str
    reason: str = ""
    message: str = ""
    last_transition_time: Timestamp | None = None

    def __post_init__(self) -> None:
        if len(self.message) > MAXIMUM_MESSAGE:
            force_setattr(self, "message", capped(self.message))


def condition(conditions: tuple[Condition, ...], of_type: str) -> Condition | None:
    """The condition of that type, or None where the object has none."""
    for entry in conditions:  # asked for some hundred thousand times a scan, which a generator would double
        if entry.type == of_type:
            return entry
    return None


def is_true(conditions: tuple[Condition, ...], of_type: str) -> bool:
    """Whether the condition stands and is True; an absent one is not."""
    found = condition(conditions, of_type)
    return found is not None and found.status == "True"
