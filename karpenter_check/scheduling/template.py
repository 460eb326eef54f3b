"""What Karpenter simulates a new node from."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from karpenter_check.scheduling.labels import Provider, provider_of
from karpenter_check.scheduling.requirement import Requirement
from karpenter_check.scheduling.requirements import Requirements
from karpenter_check.snapshot import NodeClaim, NodePool, Snapshot, Version
from karpenter_check.snapshot import nodepool as api
from karpenter_check.snapshot.node import INITIALIZED_LABEL, NODEPOOL_LABEL, Taint
from karpenter_check.snapshot.once import once

SIMULATES_LIFECYCLE_LABELS = Version(1, 14)
"""From here on a simulated node carries the labels of `LIFECYCLE_LABELS`."""
REGISTERED_LABEL = "karpenter.sh/registered"
LIFECYCLE_LABELS = frozenset({REGISTERED_LABEL, INITIALIZED_LABEL})


@dataclass(frozen=True, eq=False)
class NodeTemplate:
    """Requirements and taints of nodes that are not there yet, and the provider that would make them. It hashes by identity."""

    requirements: Requirements
    taints: tuple[Taint, ...]
    provider: Provider


def _requirements(
    provider: Provider, written: Iterable[api.Requirement], labels: Mapping[str, str], version: Version | None
) -> Requirements:
    simulated = {}
    if version and version >= SIMULATES_LIFECYCLE_LABELS:
        simulated = dict.fromkeys(sorted(LIFECYCLE_LABELS), "true")
    return Requirements.of([
        *(Requirement.of(provider.normalize(entry.key), entry.operator, entry.values, entry.min_values) for entry in written),
        *(Requirement.of(provider.normalize(key), "In", (value,)) for key, value in {**labels, **simulated}.items()),
    ])  # fmt: skip


def template_of_nodepool(nodepool: NodePool, version: Version | None = None) -> NodeTemplate:
    """What a NodePool's next node would be (`nodeclaimtemplate.go:NewNodeClaimTemplate`); startup taints do not count."""
    template = nodepool.spec.template
    reference = template.spec.node_class_ref
    provider = provider_of(reference.api_group)
    labels = {**template.metadata.labels, NODEPOOL_LABEL: nodepool.name}
    if reference.kind:
        labels[f"{reference.api_group}/{reference.kind.lower()}"] = reference.name
    return NodeTemplate(_requirements(provider, template.spec.requirements, labels, version), template.spec.taints, provider)


def template_of_nodeclaim(nodeclaim: NodeClaim, version: Version | None = None) -> NodeTemplate:
    """What a NodeClaim was made from: its requirements are its NodePool's at that time, narrowed by the pods it was for.

    Its labels are left out: at launch they take the values of the instance that was bought, which the simulation did not know.
    """
    provider = provider_of(nodeclaim.spec.node_class_ref.api_group)
    return NodeTemplate(_requirements(provider, nodeclaim.spec.requirements, {}, version), nodeclaim.spec.taints, provider)


@once
def nodepool_templates(snapshot: Snapshot) -> Mapping[str, NodeTemplate]:
    """The template of each NodePool, by its name."""
    return {nodepool.name: template_of_nodepool(nodepool, snapshot.karpenter_version) for nodepool in snapshot.nodepools}


class _ClaimTemplates:
    """What NodeClaims were made from, each made when first asked for; alike claims share one template."""

    def __init__(self, version: Version | None) -> None:
        self._version = version
        self._by_name: dict[str, NodeTemplate] = {}
        self._shared: dict[object, NodeTemplate] = {}

    def of(self, claim: NodeClaim) -> NodeTemplate:
        """The claim's."""
        known = self._by_name.get(claim.name)
        if known is None:
            key = (claim.spec.requirements, claim.spec.taints, claim.spec.node_class_ref.api_group)
            known = self._shared.get(key) or self._shared.setdefault(key, template_of_nodeclaim(claim, self._version))
            self._by_name[claim.name] = known
        return known


@once
def _claim_templates(snapshot: Snapshot) -> _ClaimTemplates:
    return _ClaimTemplates(snapshot.karpenter_version)


def nodeclaim_template(snapshot: Snapshot, claim: NodeClaim) -> NodeTemplate:
    """What a NodeClaim of the snapshot was made from; alike claims share one template."""
    return _claim_templates(snapshot).of(claim)


def drifted_from(nodeclaim: NodeClaim, nodepool: NodePool) -> bool:
    """Whether the claim was made from an older form of its NodePool's template.

    True by its Drifted condition, or by differing hashes of the same hash version (`nodeclaim/disruption/drift.go:areStaticFieldsDrifted`).
    """
    return nodeclaim.is_true("Drifted") or of_other_template(nodeclaim, nodepool)


def of_other_template(nodeclaim: NodeClaim, nodepool: NodePool) -> bool:
    """Whether the NodePool's template was another when the claim was made: their hashes, of the same hash version, differ."""
    ours, theirs = nodeclaim.metadata.annotations, nodepool.metadata.annotations
    return (
        bool(ours.nodepool_hash)
        and bool(theirs.nodepool_hash)
        and ours.nodepool_hash_version == theirs.nodepool_hash_version
        and ours.nodepool_hash != theirs.nodepool_hash
    )
