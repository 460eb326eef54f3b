"""The kinds of object that a snapshot holds."""

from enum import StrEnum


class Kind(StrEnum):
    """A kind that is collected.

    `NODECLASS` stands for every provider's node class (EC2NodeClass, AKSNodeClass, KWOKNodeClass, …).
    """

    NODE = "Node"
    POD = "Pod"
    DAEMONSET = "DaemonSet"
    NODEPOOL = "NodePool"
    NODECLAIM = "NodeClaim"
    NODECLASS = "NodeClass"
    PODDISRUPTIONBUDGET = "PodDisruptionBudget"
    REPLICASET = "ReplicaSet"
    DEPLOYMENT = "Deployment"
    STATEFULSET = "StatefulSet"
    EVENT = "Event"
    PERSISTENTVOLUMECLAIM = "PersistentVolumeClaim"
    PERSISTENTVOLUME = "PersistentVolume"
    STORAGECLASS = "StorageClass"
    VOLUMEATTACHMENT = "VolumeAttachment"
    LEASE = "Lease"
    """Only that of Karpenter's leader."""
    CUSTOMRESOURCEDEFINITION = "CustomResourceDefinition"
    """Only those of Karpenter and its providers."""

    @property
    def optional(self) -> bool:
        """Whether a scan is complete without it: rules that need it are skipped then, and say so (docs/decisions/0011-optional-kinds.md)."""
        return self in _OPTIONAL


_OPTIONAL = frozenset(
    {
        Kind.PERSISTENTVOLUMECLAIM,
        Kind.PERSISTENTVOLUME,
        Kind.STORAGECLASS,
        Kind.VOLUMEATTACHMENT,
        Kind.LEASE,
        Kind.CUSTOMRESOURCEDEFINITION,
    }
)
