"""Which kinds are read, where the API serves them, and what they decode to."""

from dataclasses import dataclass

import msgspec

from karpenter_check.snapshot import DaemonSet, Kind, Node, NodeClaim, NodePool
from karpenter_check.snapshot.event import Event
from karpenter_check.snapshot.installation import CustomResourceDefinition, Lease
from karpenter_check.snapshot.nodepool import NodeClass
from karpenter_check.snapshot.pod_object import PodObject
from karpenter_check.snapshot.storage import PersistentVolume, PersistentVolumeClaim, StorageClass, VolumeAttachment
from karpenter_check.snapshot.workload import Deployment, PodDisruptionBudget, ReplicaSet, StatefulSet


@dataclass(frozen=True)
class Resource:
    """A kind of the API: its group, the versions that are read in the order of preference, its plural, and its type.

    `NodeClass` has neither group nor plural here: each provider has its own, and discovery finds it.
    """

    kind: Kind
    group: str
    versions: tuple[str, ...]
    plural: str
    type: type[msgspec.Struct]
    metadata_only: bool = False
    """Whether its spec and status need not be sent."""

    def path(self, version: str) -> str:
        """Where the whole cluster's objects are listed."""
        return f"/apis/{self.group}/{version}/{self.plural}" if self.group else f"/api/{version}/{self.plural}"


RESOURCES = {
    resource.kind: resource
    for resource in (
        Resource(Kind.NODEPOOL, "karpenter.sh", ("v1", "v1beta1"), "nodepools", NodePool),
        Resource(Kind.NODECLAIM, "karpenter.sh", ("v1", "v1beta1"), "nodeclaims", NodeClaim),
        Resource(Kind.NODECLASS, "", (), "", NodeClass),
        Resource(Kind.NODE, "", ("v1",), "nodes", Node),
        Resource(Kind.DAEMONSET, "apps", ("v1",), "daemonsets", DaemonSet),
        Resource(Kind.POD, "", ("v1",), "pods", PodObject),
        Resource(Kind.REPLICASET, "apps", ("v1",), "replicasets", ReplicaSet, metadata_only=True),
        Resource(Kind.DEPLOYMENT, "apps", ("v1",), "deployments", Deployment),
        Resource(Kind.STATEFULSET, "apps", ("v1",), "statefulsets", StatefulSet),
        Resource(Kind.PODDISRUPTIONBUDGET, "policy", ("v1",), "poddisruptionbudgets", PodDisruptionBudget),
        Resource(Kind.EVENT, "", ("v1",), "events", Event),
        Resource(Kind.STORAGECLASS, "storage.k8s.io", ("v1",), "storageclasses", StorageClass),
        Resource(Kind.PERSISTENTVOLUME, "", ("v1",), "persistentvolumes", PersistentVolume),
        Resource(Kind.PERSISTENTVOLUMECLAIM, "", ("v1",), "persistentvolumeclaims", PersistentVolumeClaim),
        Resource(Kind.VOLUMEATTACHMENT, "storage.k8s.io", ("v1",), "volumeattachments", VolumeAttachment),
        Resource(Kind.LEASE, "coordination.k8s.io", ("v1",), "leases", Lease),
        Resource(
            Kind.CUSTOMRESOURCEDEFINITION, "apiextensions.k8s.io", ("v1",), "customresourcedefinitions", CustomResourceDefinition
        ),
    )
}
"""In the order of collection: what changes fastest last, so that references mostly point backwards, and then the optional kinds.

Leases and CustomResourceDefinitions are not listed: those of Karpenter are asked for by name."""

_BY_NAME = {str(kind): resource for kind, resource in RESOURCES.items() if kind is not Kind.NODECLASS}

LEGACY_KINDS = frozenset({"Provisioner", "Machine", "AWSNodeTemplate"})
"""Of karpenter.sh/v1alpha5 and karpenter.k8s.aws/v1alpha1: recognised, not judged."""


def kind_of(kind: str, api_version: str) -> Kind | None:
    """The kind that an object is read as, or None for one that is not read."""
    group = api_version.rpartition("/")[0]
    if kind.endswith("NodeClass") and "." in group:
        return Kind.NODECLASS
    known = _BY_NAME.get(kind)
    return known.kind if known and known.group == group else None
