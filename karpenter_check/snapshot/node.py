"""Nodes."""

from datetime import datetime

import msgspec

from karpenter_check.snapshot.metadata import Condition, ManagedFields, Metadata, condition, is_true
from karpenter_check.snapshot.part import Part
from karpenter_check.snapshot.quantity import Quantity

NODEPOOL_LABEL = "karpenter.sh/nodepool"
INITIALIZED_LABEL = "karpenter.sh/initialized"


class Taint(Part, frozen=True):
    """A taint of a node or of a template."""

    key: str
    effect: str = ""
    value: str = ""

    def __str__(self) -> str:
        return f"{self.key}={self.value}:{self.effect}" if self.value else f"{self.key}:{self.effect}"


class NodeMetadata(Metadata, frozen=True):
    """`metadata` of a node, with who wrote its labels and taints."""

    managed_fields: tuple[ManagedFields, ...] = ()


class NodeSpec(Part, frozen=True):
    """`spec` of a node."""

    taints: tuple[Taint, ...] = ()
    unschedulable: bool = False
    provider_id: str = msgspec.field(name="providerID", default="")


class NodeInfo(Part, frozen=True):
    """`status.nodeInfo` of a node: what runs on it, as its kubelet says."""

    kubelet_version: str = ""
    os_image: str = ""


class NodeStatus(Part, frozen=True):
    """`status` of a node."""

    node_info: NodeInfo = NodeInfo()
    allocatable: dict[str, Quantity] = {}
    conditions: tuple[Condition, ...] = ()


class Writer(msgspec.Struct, frozen=True):
    """A field manager, and when it last wrote."""

    manager: str
    time: datetime | None


class Node(Part, frozen=True):
    """A node."""

    metadata: NodeMetadata
    spec: NodeSpec = NodeSpec()
    status: NodeStatus = NodeStatus()

    @property
    def name(self) -> str:
        """`metadata.name`."""
        return self.metadata.name

    @property
    def nodepool(self) -> str:
        """The NodePool that its label names; else empty."""
        return self.metadata.labels.get(NODEPOOL_LABEL, "")

    @property
    def initialized(self) -> bool:
        """Whether Karpenter has marked it initialized; only such nodes can be disrupted gracefully."""
        return self.metadata.labels.get(INITIALIZED_LABEL) == "true"

    @property
    def ready(self) -> bool:
        """Whether its Ready condition is True."""
        return is_true(self.status.conditions, "Ready")

    @property
    def readiness(self) -> Condition | None:
        """Its Ready condition."""
        return condition(self.status.conditions, "Ready")

    def label_writer(self, key: str) -> Writer | None:
        """Who last wrote the label, or None where the input does not say (kubectl drops managedFields by default)."""
        return _latest([entry for entry in self.metadata.managed_fields if f"f:{key}" in entry.fields.metadata.labels])

    def taints_writer(self) -> Writer | None:
        """Who last wrote the taints, or None where the input does not say."""
        return _latest([entry for entry in self.metadata.managed_fields if entry.fields.spec.taints is not None])


def _latest(entries: list[ManagedFields]) -> Writer | None:
    entries.sort(key=lambda entry: (entry.time is not None, entry.time))
    return Writer(entries[-1].manager, entries[-1].time) if entries else None
