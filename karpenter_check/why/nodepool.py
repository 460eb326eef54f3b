"""What is it with this NodePool: what it may buy, what it has, and what may go of it?"""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from karpenter_check.disruption.allowance import Unknown
from karpenter_check.disruption.budgets import Unreadable
from karpenter_check.finding import Fix
from karpenter_check.scheduling.nodepool import LimitReached, Unavailable, in_order, unavailable
from karpenter_check.scheduling.overhead import Overhead, overheads
from karpenter_check.scheduling.requirement import Requirement
from karpenter_check.scheduling.template import nodepool_templates
from karpenter_check.snapshot import Kind, NodePool, Ref, Snapshot, Status
from karpenter_check.why.nodepool_advice import advice
from karpenter_check.why.nodepool_disruption import Kept, ReasonAnswer, kept_nodes, reason_answers, unreadable_budgets
from karpenter_check.why.nodepool_limits import Limit, limits_of, short_of
from karpenter_check.why.nodepool_members import Members, Workload, members_of, workloads_on
from karpenter_check.why.subject import NotFound

_KINDS = frozenset({"nodepool", "nodepools", "nodepool.karpenter.sh", "nodepools.karpenter.sh"})


@dataclass(frozen=True)
class NodePoolAnswer:
    """All that a snapshot tells of a NodePool."""

    nodepool: NodePool
    node_class: str
    """How its node class is, in words."""
    place: int
    """Where Karpenter tries it, from 1; of `others` and itself."""
    others: int
    faults: tuple[Unavailable, ...]
    """What keeps it from buying anything."""
    requirements: tuple[Requirement, ...]
    limits: tuple[Limit, ...]
    short_of: Mapping[Ref, tuple[LimitReached, ...]]
    """Workloads with pods that wait, and that nothing but these limits keeps off it."""
    workloads: tuple[Workload, ...] | Unknown
    """Those that ask most first."""
    overhead: Overhead | Unknown
    members: Members | Unknown
    reasons: tuple[ReasonAnswer, ...]
    unreadable: tuple[Unreadable, ...]
    kept: tuple[Kept, ...] | Unknown
    fix: tuple[Fix, ...]
    unseen: tuple[str, ...]
    """Kinds that were not seen, or not whole, and why."""


def why_nodepool(snapshot: Snapshot, name: str) -> NodePoolAnswer:
    """The answer for the NodePool of that name, which may be `nodepool/NAME`. Raises `subject.NotFound`."""
    nodepool = _meant(snapshot, name)
    faults = unavailable(snapshot)[nodepool.name]
    limits, waiting = limits_of(snapshot, nodepool), short_of(snapshot, nodepool)
    reasons, unreadable = reason_answers(snapshot, nodepool), unreadable_budgets(nodepool)
    template = nodepool_templates(snapshot)[nodepool.name]
    keys = dict.fromkeys(template.provider.normalize(entry.key) for entry in nodepool.spec.template.spec.requirements)
    counted = snapshot.covered(Kind.DAEMONSET)
    return NodePoolAnswer(
        nodepool=nodepool,
        node_class=_node_class(snapshot, nodepool),
        place=in_order(snapshot).index(nodepool) + 1,
        others=len(snapshot.nodepools) - 1,
        faults=faults,
        requirements=tuple(template.requirements.by_key[key] for key in keys),
        limits=limits,
        short_of=waiting,
        workloads=workloads_on(snapshot, nodepool),
        overhead=overheads(snapshot)[nodepool.name] if counted.sufficient else Unknown(f"DaemonSet is {counted}"),
        members=members_of(snapshot, nodepool),
        reasons=reasons,
        unreadable=unreadable,
        kept=kept_nodes(snapshot, nodepool, reasons),
        fix=tuple(advice(nodepool, faults, limits, waiting, unreadable)),
        unseen=tuple(
            f"{kind}: {coverage}"
            for kind in (
                Kind.NODEPOOL, Kind.NODECLASS, Kind.NODE, Kind.NODECLAIM, Kind.POD, Kind.DAEMONSET, Kind.PODDISRUPTIONBUDGET, Kind.EVENT,
            )
            if (coverage := snapshot.covered(kind)).status is not Status.COMPLETE
        ),
    )  # fmt: skip


def _meant(snapshot: Snapshot, name: str) -> NodePool:
    kind, slash, bare = name.rpartition("/")
    if slash and kind.lower() not in _KINDS:
        raise NotFound(f"{kind!r} is not NodePool")
    if bare in snapshot.nodepools_by_name:
        return snapshot.nodepools_by_name[bare]
    close = get_close_matches(bare, sorted(snapshot.nodepools_by_name), n=3)
    seen = "" if snapshot.whole(Kind.NODEPOOL) else f" among those that were seen (NodePool is {snapshot.covered(Kind.NODEPOOL)})"
    raise NotFound(f"there is no NodePool {bare!r}{seen}" + (f": did you mean {' or '.join(close)}?" if close else ""))


def _node_class(snapshot: Snapshot, nodepool: NodePool) -> str:
    """Whether its node class is there and ready; nothing where that is not known."""
    reference = nodepool.spec.template.spec.node_class_ref
    named = f"{reference.kind} {reference.name}"
    if not reference.kind:
        return "no node class named"
    coverage, found = snapshot.covered(Kind.NODECLASS), snapshot.nodeclass_of(nodepool)
    if found is None:
        if not snapshot.whole(Kind.NODECLASS):
            return f"{named} (not seen: NodeClass is {coverage})"
        # each provider has a kind of its own, and of another one's nothing may have been asked
        listed = any(entry.kind == reference.kind for entry in snapshot.nodeclasses)
        return f"{named} (is not there)" if listed else f"{named} (was not seen)"
    ready = next((entry for entry in found.status.conditions if entry.type == "Ready"), None)
    if ready is None:
        return f"{named} (does not say whether it is Ready)"
    return f"{named} (Ready)" if ready.status == "True" else f"{named} (not Ready: {ready.message or ready.reason})"
