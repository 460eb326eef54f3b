"""Node repair: whether Karpenter replaces a node that is not Ready, and what stops it.

Sources: `controllers/node/health/controller.go` (1.1 to 1.14), `disruption/repair.go` (1.15), `operator/options/options.go`:
the feature gate NodeRepair is off unless somebody sets it. What is repaired, and after how long, says the cloud provider
(`RepairPolicies`): a Ready that is not True after 30 minutes on AWS, after 10 on kwok.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from karpenter_check.snapshot import Kind, Node, Snapshot, Version
from karpenter_check.snapshot.once import once

GATE = "NodeRepair"
_KNOWS_REPAIR = Version(1, 1)
_AUTO_MODE = "eks.amazonaws.com"
"""The group of EKS Auto Mode's node classes; its Karpenter repairs nodes, and its settings are not in the cluster."""
_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
"""What Go's `strconv.ParseBool` takes for true."""
_SHARE = 5
"""Repair stops where more than one node in five of a NodePool is unhealthy, rounded up (`allowedUnhealthyPercent`)."""


def gate_is_on(gates: str, name: str) -> bool | None:
    """What a list of feature gates as `NodeRepair=true,NodeOverlay=false` says of one; None where it does not name it."""
    entries = (entry.partition("=") for entry in gates.split(","))
    values = [value.strip() for key, _, value in entries if key.strip() == name]
    return values[-1] in _TRUE if values else None


@once
def _repairs(snapshot: Snapshot) -> bool | None:
    """What Karpenter's Deployments say; None where none was seen, where the gates stand elsewhere, or where two differ."""
    if snapshot.karpenter_version and snapshot.karpenter_version < _KNOWS_REPAIR:
        return False
    said = set()
    for deployment in snapshot.deployments if snapshot.whole(Kind.DEPLOYMENT) else ():
        if deployment.metadata.labels.get("app.kubernetes.io/name") != "karpenter":
            continue
        for variable in (entry for container in deployment.spec.template.spec.containers for entry in container.env):
            if variable.name == "FEATURE_GATES":
                said.add(None if variable.value_from else bool(gate_is_on(variable.value, GATE)))
    return said.pop() if len(said) == 1 else None


def repairs(snapshot: Snapshot, group: str) -> bool | None:
    """Whether Karpenter replaces nodes that are not Ready, by the group of their node class; None where nothing tells."""
    return True if group == _AUTO_MODE else _repairs(snapshot)


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
