"""NodePools of equal weight that would take the same pods: the order of their names decides."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from karpenter_check.finding import Evidence, Finding, Fix, Occurrence, Ref, Severity, verification
from karpenter_check.rule import rule
from karpenter_check.scheduling.nodepool import in_order, unavailable
from karpenter_check.scheduling.requirement import Requirement
from karpenter_check.scheduling.template import nodepool_templates
from karpenter_check.snapshot import Kind, NodePool, Snapshot
from karpenter_check.snapshot.node import NODEPOOL_LABEL, Taint

_Rank: TypeAlias = tuple[str, int, frozenset[Taint]]
_Asked: TypeAlias = Mapping[str, Requirement]
_NAMED = 5
"""So many NodePools are named in a message."""


@rule(severity=Severity.INFO, needs={Kind.NODEPOOL}, since="0.1.0", judges_ages=False, of_manifests=True)
def nodepool_overlap(snapshot: Snapshot) -> Iterator[Finding]:
    """NodePools of equal weight would take the same pods, and the one with the last name always does."""
    ranks: dict[_Rank, list[NodePool]] = defaultdict(list)
    for nodepool in in_order(snapshot):
        if not unavailable(snapshot)[nodepool.name]:
            ranks[_rank(nodepool)].append(nodepool)
    for nodepools in ranks.values():
        asked = {nodepool.name: _asked(snapshot, nodepool) for nodepool in nodepools}
        told: set[str] = set()
        for place, winner in enumerate(nodepools):
            later = [other for other in nodepools[place + 1 :] if other.name not in told]
            if shadowed := [other for other in later if _overlap(asked[winner.name], asked[other.name])]:
                told |= {other.name for other in shadowed}
                yield _finding(winner, shadowed)


def _rank(nodepool: NodePool) -> _Rank:
    """What two NodePools must share for the order of their names to decide: provider, weight, and taints.

    PreferNoSchedule taints too: Karpenter passes such a NodePool by until no other one takes the pod
    (`scheduling/taints.go:Tolerates`, `provisioning/scheduling/preferences.go:toleratePreferNoScheduleTaints`, 1.13).
    """
    spec = nodepool.spec.template.spec
    return spec.node_class_ref.api_group, nodepool.spec.weight, frozenset(spec.taints)


def _asked(snapshot: Snapshot, nodepool: NodePool) -> _Asked:
    """Its requirements and labels, without those that say which NodePool and node class it is."""
    reference = nodepool.spec.template.spec.node_class_ref
    own = {NODEPOOL_LABEL, f"{reference.api_group}/{reference.kind.lower()}"}
    return {key: entry for key, entry in nodepool_templates(snapshot)[nodepool.name].requirements.by_key.items() if key not in own}


def _overlap(ours: _Asked, theirs: _Asked) -> bool:
    """Whether no label keeps them apart (as `scheduling/requirements.go:Intersects`, 1.13)."""
    return all(
        ours[key].has_intersection(theirs[key]) or (ours[key].excludes and theirs[key].excludes)
        for key in ours.keys() & theirs.keys()
    )


def _ref(nodepool: NodePool) -> Ref:
    return Ref("NodePool", nodepool.name, "karpenter.sh/v1")


def _listed(names: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`; of many, the first and how many more."""
    named = [*names[:_NAMED], *([f"{len(names) - _NAMED} more"] if len(names) > _NAMED else [])]
    return " and ".join(part for part in (", ".join(named[:-1]), named[-1]) if part)


def _finding(winner: NodePool, shadowed: Sequence[NodePool]) -> Finding:
    ref, others = _ref(winner), _listed([other.name for other in shadowed])
    weight = str(winner.spec.weight or "unset")
    limited = ", until its limits are reached" if winner.spec.limits else ""
    return Finding(
        object=ref,
        owner=ref,
        nodepool=winner.name,
        cause="equal-weight",
        message=f"{winner.name} takes every pod that {others} could take too: of equal weight, the last name wins",
        why=f"they have the same taints, and no requirement or label keeps them apart; Karpenter tries {winner.name} first{limited}",
        evidence=tuple(Evidence(_ref(nodepool), "spec.weight", weight) for nodepool in (winner, *shadowed)),
        occurrences=tuple(Occurrence(_ref(other), other.metadata.uid) for other in shadowed),
        fix=(
            Fix("fix", text="give the one that shall come first a higher spec.weight, or make them exclusive by a taint or a label",
                risk="a weight drifts no node; a taint or label drifts the nodes of its NodePool"),
            verification("nodepool-overlap"),
        ),
    )  # fmt: skip
