"""Node repair: whether Karpenter replaces a node that is not Ready, and what stops it.

Sources: `controllers/node/health/controller.go` (1.1 to 1.14), `disruption/repair.go` (1.15), `operator/options/options.go`:
the feature gate NodeRepair is off unless somebody sets it. What is repaired, and after how long, says the cloud provider
(`RepairPolicies`): a Ready that is not True after 30 minutes on AWS, after 10 on kwok.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from karpenter_check.disruption.feature_gates import NODE_REPAIR, feature_gate
from karpenter_check.scheduling.labels import EKS_AUTO_MODE
from karpenter_check.snapshot import Node, Snapshot, Version

_KNOWS_REPAIR = Version(1, 1)
_SHARE = 5
"""Repair stops where more than one node in five of a NodePool is unhealthy, rounded up (`allowedUnhealthyPercent`)."""


def _repairs(snapshot: Snapshot) -> bool | None:
    if snapshot.karpenter_version and snapshot.karpenter_version < _KNOWS_REPAIR:
        return False
    return feature_gate(snapshot, NODE_REPAIR)


def repairs(snapshot: Snapshot, group: str) -> bool | None:
    """Whether Karpenter replaces nodes that are not Ready, by the group of their node class; None where nothing tells."""
    return True if group == EKS_AUTO_MODE else _repairs(snapshot)


@dataclass(frozen=True)
class Unhealthy:
    """How many of a NodePool's nodes are not Ready; other conditions that a cloud provider repairs are not counted."""

    number: int
    of: int

    @property
    def stops_repair(self) -> bool:
        """Whether they are so many that Karpenter repairs none of them (`isNodePoolHealthy`)."""
        return self.number > -(-self.of // _SHARE)


def unhealthy(nodes: Iterable[Node]) -> Unhealthy:
    """How many of these nodes are not Ready; one that says nothing of it does not count."""
    readiness = [node.readiness for node in nodes]
    return Unhealthy(sum(1 for entry in readiness if entry and entry.status in {"False", "Unknown"}), len(readiness))
