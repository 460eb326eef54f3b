"""How many pods a node may hold: instances of one type that differ in it, and nodes that are full by it alone."""

import shlex
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from karpenter_check.finding import Confidence, Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity, verification
from karpenter_check.rule import Stage, rule
from karpenter_check.scheduling.nomination import node_ref
from karpenter_check.scheduling.room import room_on
from karpenter_check.snapshot import NO_TIME, Kind, Node, NodeClaim, Snapshot
from karpenter_check.snapshot.counted import few, plural
from karpenter_check.snapshot.node import NODEPOOL_LABEL
from karpenter_check.snapshot.once import once
from karpenter_check.snapshot.quantity import milli

_INSTANCE_TYPE = "node.kubernetes.io/instance-type"
_TOO_MANY = "Too many pods"
"""What kube-scheduler says of a node without a free slot (`plugins/noderesources/fit.go`, v1.36)."""
_MOST = 3
_COLUMNS = r"NODE:.metadata.name,TYPE:.metadata.labels.node\.kubernetes\.io/instance-type,MADE:.metadata.creationTimestamp,PODS:.status.allocatable.pods"


@dataclass(frozen=True)
class _InService:
    """An initialized node that is not being deleted."""

    node: Node
    claim: NodeClaim

    @property
    def slots(self) -> int:
        """How many pods it may hold; 0 where it does not say."""
        return milli(self.node.status.allocatable.get("pods", 0)) // 1000

    @property
    def instance_type(self) -> str:
        """Its instance type."""
        return self.node.metadata.labels.get(_INSTANCE_TYPE, "")

    @property
    def drifted(self) -> bool:
        """Whether it is no longer as its NodePool and node class want it."""
        return self.claim.is_true("Drifted")


@rule(severity=Severity.MEDIUM, needs={Kind.NODE, Kind.NODECLAIM, Kind.POD}, since="0.1.0", stage=Stage.NODECLAIM)
def max_pods_inconsistent(
    snapshot: Snapshot, *, full_share: float = 0.95, idle_share: float = 0.5, minimum_nodes: int = 2
) -> Iterator[Finding]:
    """Nodes of one instance type may hold different numbers of pods, or nodes are full of pods and else idle."""
    for nodepool, nodes in _in_service(snapshot).items():
        differing = list(_differing(nodes))
        if differing:
            yield _differs(nodepool, differing)
        full = [entry for entry in nodes if _is_full(snapshot, entry, full_share, idle_share)]
        if full and len(full) >= minimum_nodes:
            yield _full(snapshot, nodepool, full, idle_share)


@once
def _in_service(snapshot: Snapshot) -> Mapping[str, Sequence[_InService]]:
    """The nodes of each NodePool, in the order in which they were bought."""
    found: dict[str, list[_InService]] = defaultdict(list)
    for name, claim in snapshot.nodeclaim_of_node.items():
        node = snapshot.nodes_by_name[name]
        deleted = node.metadata.deletion_timestamp or claim.metadata.deletion_timestamp
        if claim.nodepool and node.initialized and not deleted:
            found[claim.nodepool].append(_InService(node, claim))
    for nodes in found.values():
        nodes.sort(key=lambda entry: (entry.claim.metadata.creation_timestamp or NO_TIME, entry.node.name))
    return found


def _differing(nodes: Sequence[_InService]) -> Iterator[Sequence[_InService]]:
    """The nodes of each instance type and node class that may hold different numbers of pods."""
    alike: dict[tuple[str, str, str, str], list[_InService]] = defaultdict(list)
    for entry in nodes:
        reference = entry.claim.spec.node_class_ref
        if entry.slots and entry.instance_type:
            alike[entry.instance_type, reference.api_group, reference.kind, reference.name].append(entry)
    yield from (group for group in alike.values() if len({entry.slots for entry in group}) > 1)


def _changed_over(group: Sequence[_InService]) -> bool:
    """Whether that is a change which nodes take over as they are replaced: the others have drifted, or are all older."""
    fresh = [entry for entry in group if not entry.drifted]
    return len({entry.slots for entry in fresh}) < 2 or len(list(groupby(entry.slots for entry in group))) == 2


def _pool(nodepool: str) -> Ref:
    return Ref("NodePool", nodepool, "karpenter.sh/v1")


def _occurrences(nodes: Sequence[_InService], cause: str) -> tuple[Occurrence, ...]:
    return tuple(Occurrence(node_ref(entry.node.name), entry.node.metadata.uid, entry.node.name, cause) for entry in nodes)


def _differs(nodepool: str, groups: Sequence[Sequence[_InService]]) -> Finding:
    worst = min(groups, key=lambda group: (_changed_over(group), group[0].instance_type))
    over = _changed_over(worst)
    counts: dict[int, list[_InService]] = defaultdict(list)
    for entry in worst:
        counts[entry.slots].append(entry)
    numbers = ", ".join(f"{slots} on {plural(len(nodes), 'node')}" for slots, nodes in sorted(counts.items()))
    more = f"; and {plural(len(groups) - 1, 'other type')}" if len(groups) > 1 else ""
    affected = [entry for group in groups for entry in group]
    newest = worst[-1]
    why = (
        f"the newest node, {newest.node.name}, has {newest.slots}, and those that differ are older or have drifted: a change that nodes take over as they are replaced"
        if over
        else "nodes of either number were bought in turn, so that no single change explains it: maxPods is set by something else than the node class, as user data, or how the network plugin was set when they booted"
    )
    return Finding(
        object=_pool(nodepool),
        owner=_pool(nodepool),
        nodepool=nodepool,
        cause="capacity-differs",
        severity=Severity.LOW if over else Severity.MEDIUM,
        confidence=Confidence.CERTAIN,
        message=f"{worst[0].instance_type} holds {' or '.join(map(str, sorted(counts)))} pods, by node{more}",
        why=f"{numbers}; {why}",
        cost="Karpenter counts on one number for a type: where a node has fewer, pods that it was bought for do not come; where it has more, addresses may run out",
        impact=Impact(nodes=len(affected)),
        evidence=tuple(
            Evidence(node_ref(nodes[0].node.name), "status.allocatable.pods", str(slots)) for slots, nodes in sorted(counts.items())[:_MOST]
        ),
        occurrences=_occurrences(affected, "capacity-differs"),
        fix=(
            Fix(
                "fix",
                f"kubectl get nodes -l {shlex.quote(f'{NODEPOOL_LABEL}={nodepool}')} -o custom-columns={shlex.quote(_COLUMNS)}",
                "set maxPods in the node class, and nowhere else",
                "a change of the node class drifts its nodes",
            ),
            verification("max-pods-inconsistent", nodepool=nodepool),
        ),
    )  # fmt: skip


def _is_full(snapshot: Snapshot, entry: _InService, full_share: float, idle_share: float) -> bool:
    """Whether pods take its slots, and ask for little else. Pods that were not all seen prove nothing of what is idle."""
    if not snapshot.whole(Kind.POD) or not entry.slots or not snapshot.settled(entry.node.metadata.creation_timestamp):
        return False
    room = room_on(snapshot, entry.node)
    idle = all(
        room.allocatable.get(name, 0) > 0 and room.taken.get(name, 0) < idle_share * room.allocatable[name]
        for name in ("cpu", "memory")
    )
    return idle and room.taken.get("pods", 0) >= full_share * room.allocatable["pods"]


def _full(snapshot: Snapshot, nodepool: str, nodes: Sequence[_InService], idle_share: float) -> Finding:
    worst = max(nodes, key=lambda entry: (entry.slots, entry.node.name))
    room, ref = room_on(snapshot, worst.node), node_ref(worst.node.name)
    asked = " and ".join(
        f"{room.taken.get(name, 0) / room.allocatable[name]:.0%} of its {name}".replace("%", " %") for name in ("cpu", "memory")
    )
    types = few(sorted({entry.instance_type for entry in nodes if entry.instance_type}), _MOST)
    waiting = _waiting(snapshot)
    taken = room.taken.get("pods", 0) // 1000
    return Finding(
        object=_pool(nodepool),
        owner=_pool(nodepool),
        nodepool=nodepool,
        cause="slots-full",
        severity=Severity.MEDIUM if waiting else Severity.LOW,
        confidence=Confidence.CERTAIN,
        message=f"{plural(len(nodes), 'node')} ha{'s' if len(nodes) == 1 else 've'} no room for more pods, though less than {100 * idle_share:.0f} % of their cpu and memory is asked for",
        why=f"{worst.node.name} holds {taken} pods of {worst.slots} at the most, which ask for {asked}; types: {types}",
        cost=f"{plural(len(nodes), 'node')} paid for and used in part; Karpenter buys others for the next pods"
        + (f"; kube-scheduler says of {plural(waiting, 'pod')} that nodes hold too many pods" if waiting else ""),
        impact=Impact(nodes=len(nodes), pods=waiting or None),
        evidence=(Evidence(ref, "status.allocatable.pods", str(worst.slots)), Evidence(ref, "its pods", str(taken))),
        occurrences=_occurrences(nodes, "slots-full"),
        fix=(
            Fix(
                "fix",
                text="let nodes hold more pods: maxPods in the node class, and on AWS prefix delegation of the VPC CNI; or leave out the small instance types with a requirement of the NodePool",
                risk="a change of either drifts nodes; each pod takes an address of the subnets",
            ),
            verification("max-pods-inconsistent", nodepool=nodepool),
        ),
    )  # fmt: skip


@once
def _waiting(snapshot: Snapshot) -> int:
    """The pods of which kube-scheduler says that some node holds too many pods for them."""
    return sum(
        1 for pod in snapshot.unbound_pods
        if pod.unschedulable and pod.scheduled and _TOO_MANY in pod.scheduled.message and snapshot.settled(pod.scheduled.last_transition_time)
    )  # fmt: skip
