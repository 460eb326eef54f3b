"""Nodes on which less is left for pods than Karpenter counted on when it bought them.

The prediction stays in the NodeClaim's status (`nodeclaim/lifecycle/launch.go`, 1.13); the node says what came of it.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from karpenter_check.finding import Confidence, Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity, earliest, verification
from karpenter_check.rule import Stage, rule
from karpenter_check.scheduling.nomination import Nominee, node_ref, nominees, target_node
from karpenter_check.scheduling.room import room_on
from karpenter_check.snapshot import NO_TIME, Kind, Node, NodeClaim, Snapshot
from karpenter_check.snapshot.counted import few, plural
from karpenter_check.snapshot.event import Event, by_karpenter
from karpenter_check.snapshot.once import once
from karpenter_check.snapshot.quantity import milli, shown

_RESOURCES = ("memory", "cpu", "pods")
_INSTANCE_TYPE = "node.kubernetes.io/instance-type"
_UNKNOWN = "unknown-resource"
_CONSISTENT = 0.9
"""Karpenter's own check fails below that part of the capacity that it expected."""
# the name of a resource is a prefix of 253 characters at the most, a slash, and a name of 63
_FAILED = re.compile(r"expected \S+ of resource (?P<resource>\S{1,317}), but found \S+ \(")
_MECHANISM = {
    "memory": "Karpenter takes a share off for the machine (vmMemoryOverheadPercent, 7.5 % on AWS by default), and what the node class lets the kubelet keep; the kubelet has less, or keeps more",
    "cpu": "the kubelet keeps more for itself and the system than the node class says",
    "pods": "the kubelet's maxPods is not what the node class says: user data or the network plugin set it otherwise",
}  # fmt: skip
_REMEDIES = {
    "memory": "set kubeReserved, systemReserved and evictionHard in the node class as the kubelet has them; if they agree, raise VM_MEMORY_OVERHEAD_PERCENT of Karpenter's Deployment",
    "cpu": "set kubeReserved and systemReserved in the node class as the kubelet has them, not in user data",
    "pods": "set maxPods in the node class, not in user data",
}  # fmt: skip


@dataclass(frozen=True)
class _Small:
    """A node that is smaller than its NodeClaim says, by one resource, in thousandths; nothing is known of amounts where both are 0."""

    node: Node
    claim: NodeClaim
    resource: str
    predicted: int
    real: int
    failed: bool
    """Whether Karpenter's own check says so, too."""

    @property
    def share(self) -> float:
        """What is missing, of what was predicted."""
        return 1 - self.real / self.predicted if self.predicted else 0.0

    @property
    def instance_type(self) -> str:
        """The node's instance type."""
        return self.node.metadata.labels.get(_INSTANCE_TYPE, "")


@rule(severity=Severity.MEDIUM, needs={Kind.NODE, Kind.NODECLAIM}, since="0.1.0", stage=Stage.NODECLAIM)
def node_smaller_than_predicted(snapshot: Snapshot, *, warn_share: float = 0.03, fail_share: float = 0.05) -> Iterator[Finding]:
    """Nodes have less room for pods than Karpenter counted on when it bought them."""
    found: dict[tuple[Ref, str], list[_Small]] = defaultdict(list)
    for (nodepool, _), pairs in _by_type(snapshot).items():
        for small in _small(snapshot, pairs, warn_share):
            owner = (
                Ref("NodePool", nodepool, "karpenter.sh/v1") if nodepool else Ref("NodeClaim", small.claim.name, "karpenter.sh/v1")
            )
            found[owner, small.resource].append(small)
    for (owner, resource), nodes in found.items():
        worst_first = sorted(nodes, key=lambda entry: (not entry.failed, -entry.share, entry.node.name))
        yield _finding(snapshot, owner, resource, worst_first, fail_share)


def _by_type(snapshot: Snapshot) -> Mapping[tuple[str, str], Sequence[tuple[Node, NodeClaim]]]:
    """The nodes in service of each NodePool and instance type, newest first, with their NodeClaims."""
    found: dict[tuple[str, str], list[tuple[Node, NodeClaim]]] = defaultdict(list)
    for name, claim in snapshot.nodeclaim_of_node.items():
        node = snapshot.nodes_by_name[name]
        deleted = node.metadata.deletion_timestamp or claim.metadata.deletion_timestamp
        if node.initialized and claim.is_true("Initialized") and not deleted:
            found[claim.nodepool, node.metadata.labels.get(_INSTANCE_TYPE, "")].append((node, claim))
    for pairs in found.values():
        pairs.sort(key=lambda pair: (pair[1].metadata.creation_timestamp or NO_TIME, pair[0].name), reverse=True)
    return found


def _small(snapshot: Snapshot, pairs: Sequence[tuple[Node, NodeClaim]], warn_share: float) -> Iterator[_Small]:
    """Those that are too small. Where the newest of the type is as predicted, Karpenter has learned better since."""
    told: set[str] = set()
    for resource in _RESOURCES:
        measured = [_measured(snapshot, node, claim, resource) for node, claim in pairs]
        for entry in measured if measured[0].share > warn_share else ():
            if entry.share > warn_share:
                told |= {entry.claim.name} if entry.failed else set()
                yield entry
    for node, claim in pairs:
        if _inconsistent(claim) and claim.name not in told:
            yield _Small(node, claim, _resource_of(_said(snapshot).get(claim.name)), 0, 0, failed=True)


def _measured(snapshot: Snapshot, node: Node, claim: NodeClaim, resource: str) -> _Small:
    predicted, real = milli(claim.status.allocatable.get(resource, 0)), milli(node.status.allocatable.get(resource, 0))
    if resource not in node.status.allocatable:
        predicted = 0
    elif resource == "memory":
        # what somebody set aside as huge pages is not lost
        real += sum(milli(amount) for name, amount in node.status.allocatable.items() if name.startswith("hugepages-"))
    said = _resource_of(_said(snapshot).get(claim.name))
    failed = _inconsistent(claim) and (said == resource or (said == _UNKNOWN and real < _CONSISTENT * predicted))
    return _Small(node, claim, resource, predicted, real, failed)


def _inconsistent(claim: NodeClaim) -> bool:
    """Whether Karpenter found less than 90 % of a requested resource's capacity (`nodeclaim/consistency/nodeshape.go`, 1.13)."""
    condition = claim.condition("ConsistentStateFound")
    return condition is not None and condition.status == "False"


@once
def _said(snapshot: Snapshot) -> Mapping[str, Event]:
    """Karpenter's latest `FailedConsistencyCheck` of each NodeClaim, by its name."""
    events = [event for event in snapshot.events_by_reason.get("FailedConsistencyCheck", ()) if by_karpenter(event)]
    return {event.involved_object.name: event for event in sorted(events, key=lambda event: event.last_seen or NO_TIME)}


def _resource_of(event: Event | None) -> str:
    form = _FAILED.match(event.message) if event else None
    return form["resource"] if form else _UNKNOWN


def _waiting(snapshot: Snapshot, nodes: Sequence[_Small]) -> Sequence[Nominee]:
    """The pods that were nominated to these nodes, and would fit, were they as predicted."""
    by_name = {entry.node.name: entry for entry in nodes}
    found = []
    for nominee in nominees(snapshot).values():
        node = target_node(snapshot, nominee)
        small = by_name.get(node.name) if node else None
        if node and small and nominee.pod.unschedulable:
            missing = room_on(snapshot, node).short_of(nominee.pod.shape.requests).get(small.resource, 0)
            if 0 < missing <= small.predicted - small.real:
                found.append(nominee)
    return found


def _severity(worst: _Small, share: float, fail_share: float, *, hurts: bool) -> Severity:
    if worst.failed or (hurts and share > fail_share):
        return Severity.MEDIUM
    return Severity.LOW if hurts or share > fail_share else Severity.INFO


def _finding(snapshot: Snapshot, owner: Ref, resource: str, nodes: Sequence[_Small], fail_share: float) -> Finding:
    worst, waiting = nodes[0], _waiting(snapshot, nodes)
    largest = max(entry.share for entry in nodes)
    nodepool = owner.name if owner.kind == "NodePool" else ""
    return Finding(
        object=node_ref(worst.node.name) if len(nodes) == 1 else owner,
        owner=owner,
        nodepool=nodepool,
        cause=resource,
        severity=_severity(worst, largest, fail_share, hurts=bool(waiting)),
        confidence=Confidence.CERTAIN,
        message=_message(nodes, largest),
        why=_why(worst),
        cost=_cost(snapshot, waiting),
        impact=Impact(nodes=len(nodes), pods=len(waiting) or None, share=round(largest, 3) or None),
        evidence=tuple(_evidence(snapshot, worst)),
        occurrences=tuple(
            Occurrence(node_ref(entry.node.name), entry.node.metadata.uid, entry.node.name, resource, _since(entry)) for entry in nodes
        ),
        since=earliest(_since(entry) for entry in nodes),
        fix=(
            Fix("fix", text=_REMEDIES.get(resource, "see what its instances really have of it"), risk="a change of the node class drifts its nodes"),
            verification("node-smaller-than-predicted", nodepool=nodepool),
        ),
    )  # fmt: skip


def _since(small: _Small) -> datetime | None:
    initialized = small.claim.condition("Initialized")
    return initialized.last_transition_time if initialized else None


def _message(nodes: Sequence[_Small], largest: float) -> str:
    worst, of = nodes[0], list(dict.fromkeys(entry.instance_type for entry in nodes if entry.instance_type))
    types = f" ({few(of, 3)})" if of else ""
    what = f"less {worst.resource}" if worst.resource != _UNKNOWN else "less of something"
    if not worst.predicted:
        number = "has" if len(nodes) == 1 else f"{len(nodes)} nodes have"
        return f"{number} {what} than 90 % of what Karpenter expected{types}"
    if len(nodes) == 1:
        return f"has {100 * largest:.1f} % {what} for pods than Karpenter expected{types}"
    return f"{len(nodes)} nodes have {what} for pods than Karpenter expected, by up to {100 * largest:.1f} %{types}"


def _why(worst: _Small) -> str:
    name = worst.resource
    checked = "Karpenter's own check of it failed (ConsistentStateFound is False)"
    if not worst.predicted:
        return checked
    said = f"of {worst.node.name} it expected {shown(name, worst.predicted)} {name} allocatable, and there is {shown(name, worst.real)}; {_MECHANISM[name]}"
    return f"{said}; {checked}" if worst.failed else said


def _cost(snapshot: Snapshot, waiting: Sequence[Nominee]) -> str:
    if waiting:
        owners = list(dict.fromkeys(str(snapshot.owner(nominee.pod)) for nominee in waiting))
        return f"{plural(len(waiting), 'pod')} of {few(owners, 3)} wait{'s' * (len(waiting) == 1)}: on a node as expected there would be room"
    unseen = [kind for kind in (Kind.POD, Kind.EVENT) if not snapshot.covered(kind).sufficient]
    known = "; whether pods wait for that is not known: " + ", ".join(f"{kind} is {snapshot.covered(kind)}" for kind in unseen)
    return "a pod that just fits what Karpenter expects does not come to the node that is bought for it" + (known if unseen else "")


def _evidence(snapshot: Snapshot, worst: _Small) -> Iterator[Evidence]:
    claim, name = Ref("NodeClaim", worst.claim.name, "karpenter.sh/v1"), worst.resource
    if worst.predicted:
        yield Evidence(claim, f"status.allocatable.{name}", str(worst.claim.status.allocatable[name]))
        yield Evidence(node_ref(worst.node.name), f"status.allocatable.{name}", str(worst.node.status.allocatable[name]))
    if worst.failed:
        yield Evidence(claim, "status.conditions ConsistentStateFound", "False")
    if event := _said(snapshot).get(worst.claim.name):
        yield Evidence.of_event(event)
