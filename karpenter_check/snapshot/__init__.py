"""The typed, frozen model of a cluster: what is read of each kind, the indexes over it, and what was not seen."""

from karpenter_check.snapshot.coverage import LOOSE_MANIFESTS, CollectionError, Coverage, Status
from karpenter_check.snapshot.kind import Kind
from karpenter_check.snapshot.metadata import Ref
from karpenter_check.snapshot.node import Node
from karpenter_check.snapshot.nodepool import NodeClaim, NodePool
from karpenter_check.snapshot.pod import Pod
from karpenter_check.snapshot.snapshot import GRACE, NO_TIME, Snapshot
from karpenter_check.snapshot.version import Version
from karpenter_check.snapshot.workload import DaemonSet

__all__ = [
    "GRACE",
    "LOOSE_MANIFESTS",
    "NO_TIME",
    "CollectionError",
    "Coverage",
    "DaemonSet",
    "Kind",
    "Node",
    "NodeClaim",
    "NodePool",
    "Pod",
    "Ref",
    "Snapshot",
    "Status",
    "Version",
]
