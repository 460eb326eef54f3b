"""What a NodePool may choose from when it buys, as far as its requirements write it out: how many types there are is not guessed."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from karpenter_check.scheduling.labels import CAPACITY_TYPE, EKS_AUTO_MODE, provider_of
from karpenter_check.scheduling.requirement import Requirement
from karpenter_check.scheduling.template import nodepool_templates
from karpenter_check.snapshot import NodePool, Snapshot
from karpenter_check.snapshot.node import NODEPOOL_LABEL
from karpenter_check.snapshot.once import once

INSTANCE_TYPE, ZONE, ZONE_ID = "node.kubernetes.io/instance-type", "topology.kubernetes.io/zone", "topology.k8s.aws/zone-id"
_PREFIXES = ("karpenter.k8s.aws/instance-", "eks.amazonaws.com/instance-")
_ASKED_FOR_BY_PODS = frozenset({"kubernetes.io/arch", "kubernetes.io/os"})
_SPECIAL = re.compile(r"(?:p|g|gr|inf|trn|dl|vt|f|hpc|u|mac)(?:[0-9-].*)?|Standard_N.*")
"""Families, categories and types of GPUs, accelerators, and machines of which there is little choice, of AWS and Azure."""
_SPECIAL_WORDS = ("gpu", "nvidia", "neuron", "accelerator")
_BURSTABLE = re.compile(r"t(?:[0-9].*)?")


@dataclass(frozen=True)
class Choice:
    """What a NodePool buys; None where its requirements leave that open."""

    types: frozenset[str] | None
    zones: frozenset[str] | None
    zones_by: str
    """What says so: `spec.template.spec.requirements`, or its node class' `status.subnets`."""
    capacity_types: frozenset[str] | None
    burstable: tuple[str, ...]
    """The categories, families or types, where it buys nothing that does not live on CPU credits (AWS)."""
    special: bool
    """Whether it is made for GPUs or other hardware of which there is little choice."""
    requirements: Mapping[str, Requirement]

    @property
    def spot(self) -> bool:
        """Whether it may buy spot, by what it says."""
        return self.capacity_types is not None and "spot" in self.capacity_types

    @property
    def spot_alone(self) -> bool:
        """Whether it buys nothing but spot."""
        return self.capacity_types == frozenset({"spot"})


@once
def choices(snapshot: Snapshot) -> Mapping[str, Choice]:
    """The choice of each NodePool, by its name."""
    return {nodepool.name: _choice(snapshot, nodepool) for nodepool in snapshot.nodepools}


def _choice(snapshot: Snapshot, nodepool: NodePool) -> Choice:
    asked = nodepool_templates(snapshot)[nodepool.name].requirements.by_key
    zones, zones_by = _written(asked, ZONE) or _written(asked, ZONE_ID), "spec.template.spec.requirements"
    node_class = snapshot.nodeclass_of(nodepool)
    if zones is None and node_class and node_class.status.subnets and all(subnet.zone for subnet in node_class.status.subnets):
        zones, zones_by = frozenset(subnet.zone for subnet in node_class.status.subnets), "status.subnets"
    kinds = [asked[key] for prefix in _PREFIXES for key in (f"{prefix}category", f"{prefix}family") if key in asked]
    kinds += [asked[INSTANCE_TYPE]] if INSTANCE_TYPE in asked else []
    listed = [sorted(entry.values) for entry in kinds if entry.operator == "In"]
    aws = nodepool.spec.template.spec.node_class_ref.api_group in {"karpenter.k8s.aws", EKS_AUTO_MODE}
    burstable = next((values for values in listed if aws and all(map(_BURSTABLE.fullmatch, values))), [])
    special = (
        any(all(map(_SPECIAL.fullmatch, values)) for values in listed)
        or any(word in key for key, entry in asked.items() if not entry.excludes for word in _SPECIAL_WORDS)
        or any(word in taint.key for taint in nodepool.spec.template.spec.taints for word in _SPECIAL_WORDS)
    )
    return Choice(
        _written(asked, INSTANCE_TYPE), zones, zones_by, _written(asked, CAPACITY_TYPE), tuple(burstable), special, asked
    )  # fmt: skip


def _written(asked: Mapping[str, Requirement], key: str) -> frozenset[str] | None:
    """The values of a requirement that lists them."""
    entry = asked.get(key)
    return entry.values if entry and entry.operator == "In" else None


def may_take_pods_of(snapshot: Snapshot, nodepool: NodePool, other: NodePool) -> bool:
    """Whether another NodePool may take the pods of one: it has no taint that the one lacks, and no label that they may select differs.

    Which pods select a label that only one of them has is not asked, nor which types and zones they want.
    """
    if other.name == nodepool.name or other.metadata.deletion_timestamp or other.static:
        return False
    ours, theirs = choices(snapshot)[nodepool.name].requirements, choices(snapshot)[other.name].requirements
    tolerated = {(taint.key, taint.value, taint.effect) for taint in nodepool.spec.template.spec.taints}
    kept_off = {
        (taint.key, taint.value, taint.effect) for taint in other.spec.template.spec.taints if taint.effect != "PreferNoSchedule"
    }
    known = provider_of(nodepool.spec.template.spec.node_class_ref.api_group)
    reference = nodepool.spec.template.spec.node_class_ref
    own = {NODEPOOL_LABEL, f"{reference.api_group}/{reference.kind.lower()}"}
    keys = {key for key in ours.keys() & theirs.keys() - own if key in _ASKED_FOR_BY_PODS or not known.knows(key)}
    return kept_off <= tolerated and all(ours[key].has_intersection(theirs[key]) for key in keys)
