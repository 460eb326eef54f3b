"""Nodes that are there or on their way, as Karpenter's simulation sees them.

Its view is not kube-scheduler's: a node that still boots counts as if its startup taints were gone, and room is kept for DaemonSets.
Source: `controllers/state/statenode.go` and `provisioning/scheduling/existingnode.go` (1.13).
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from karpenter_check.scheduling.asked import Asked
from karpenter_check.scheduling.daemonset import DaemonSetPod, daemonset_pod
from karpenter_check.scheduling.labels import HOSTNAME, provider_of
from karpenter_check.scheduling.pod import pod_requirements, rounds
from karpenter_check.scheduling.refusal import Refusal
from karpenter_check.scheduling.room import holds_room
from karpenter_check.scheduling.taints import PREFER_NO_SCHEDULE, untolerated
from karpenter_check.scheduling.template import REGISTERED_LABEL
from karpenter_check.snapshot import Node, NodeClaim, Pod, Snapshot, Version
from karpenter_check.snapshot.node import Taint
from karpenter_check.snapshot.once import once
from karpenter_check.snapshot.pod import PodShape
from karpenter_check.snapshot.quantity import Milli, milli, shown, total

KNOWS_READINESS_TAINTS = Version(1, 13)
"""From here on taints of the Node Readiness Controller are expected to go."""
_EPHEMERAL = frozenset({
    Taint("node.kubernetes.io/not-ready", "NoSchedule"), Taint("node.kubernetes.io/not-ready", "NoExecute"),
    Taint("node.kubernetes.io/unreachable", "NoSchedule"), Taint("karpenter.sh/unregistered", "NoExecute"),
})  # fmt: skip
_BY_CLOUD = Taint("node.cloudprovider.kubernetes.io/uninitialized", "NoSchedule", "true")


@dataclass(frozen=True)
class NoRoom:
    """What is left on a node is less than the pod asks; amounts in thousandths."""

    resource: str
    missing: int
    cause: str = "no-room"

    def __str__(self) -> str:
        return f"is {shown(self.resource, self.missing)} {self.resource} short"


@dataclass(frozen=True, eq=False)
class ExistingNode:
    """A node, or a NodeClaim whose node has not joined, as pods are placed on it in the simulation."""

    snapshot: Snapshot
    node: Node | None
    claim: NodeClaim | None
    name: str
    labels: Mapping[str, str]
    taints: tuple[Taint, ...]
    group: str
    """The API group of its node class, which tells its provider."""
    _left: dict[str, int] = field(default_factory=dict)

    def left(self, resource: str) -> int:
        """What is left of a resource, the room taken off that is still kept for DaemonSets (`NewExistingNode`); it may be negative."""
        if resource not in self._left:
            pods = self.snapshot.pods_on_node.get(self.node.name, ()) if self.node else ()
            here = sum(_amount(pod.held, resource) for pod in pods if holds_room(pod))
            counted = _counted(self).get(resource, 0)
            bound = sum(_amount(pod.shape.requests, resource) for pod in _daemonset_pods(self)) if counted else 0
            self._left[resource] = _allocatable(self.node, self.claim, resource) - here - max(0, counted - bound)
        return self._left[resource]


def _amount(requests: Milli, resource: str) -> int:
    """What a pod takes of a resource; one slot of the pods."""
    return 1000 if resource == "pods" else requests.get(resource, 0)


def known_ephemeral(taint: Taint, version: Version | None) -> bool:
    """Whether a taint is expected to go while a node is made ready (`scheduling/taints.go:IsKnownEphemeralTaint`): by key and effect."""
    bare = Taint(taint.key, taint.effect)
    readiness = taint.key.startswith("readiness.k8s.io/") and (version is None or version >= KNOWS_READINESS_TAINTS)
    return bare in _EPHEMERAL or bare == Taint(_BY_CLOUD.key, _BY_CLOUD.effect) or readiness


def _taints(node: Node | None, claim: NodeClaim | None, version: Version | None) -> tuple[Taint, ...]:
    """`StateNode.Taints`: the claim's until the node is registered; while it is made ready, without what is expected to go."""
    registered = node is not None and node.metadata.labels.get(REGISTERED_LABEL) == "true"
    taints = claim.spec.taints if claim and not registered else node.spec.taints if node else ()
    if claim is None or (node and node.initialized):
        return taints
    startup = {(taint.key, taint.effect) for taint in claim.spec.startup_taints}
    return tuple(taint for taint in taints if not known_ephemeral(taint, version) and (taint.key, taint.effect) not in startup)


def _allocatable(node: Node | None, claim: NodeClaim | None, resource: str) -> int:
    """`StateNode.Allocatable`: until the node is initialized, what Karpenter expects stands in for what the node does not say."""
    real = milli(node.status.allocatable.get(resource, 0)) if node else 0
    if claim is None or (node and node.initialized):
        return real
    return real or milli(claim.status.allocatable.get(resource, 0))


@once
def existing_nodes(snapshot: Snapshot) -> Sequence[ExistingNode]:
    """The nodes in the order in which Karpenter tries them: initialized ones first, then by name. What is being deleted takes nothing."""
    pairs: list[tuple[Node | None, NodeClaim | None]] = [
        (node, snapshot.nodeclaim_of_node.get(node.name)) for node in snapshot.nodes
    ]
    pairs += [
        (None, claim) for claim in snapshot.nodeclaims if claim.status.provider_id and claim.name not in snapshot.node_of_nodeclaim
    ]
    alive = [(node, claim) for node, claim in pairs if not any(one and one.metadata.deletion_timestamp for one in (node, claim))]
    alive.sort(
        key=lambda pair: (not (pair[0] and pair[0].initialized), pair[0].name if pair[0] else pair[1].name if pair[1] else "")
    )
    return [_existing(snapshot, node, claim) for node, claim in alive]


def _existing(snapshot: Snapshot, node: Node | None, claim: NodeClaim | None) -> ExistingNode:
    registered = node is not None and (claim is None or node.metadata.labels.get(REGISTERED_LABEL) == "true")
    labels = node.metadata.labels if node and registered else claim.metadata.labels if claim else {}
    name = node.name if node else claim.name if claim else ""
    taints, group = _taints(node, claim, snapshot.karpenter_version), claim.spec.node_class_ref.api_group if claim else ""
    return ExistingNode(snapshot, node, claim, name, labels if HOSTNAME in labels else {**labels, HOSTNAME: name}, taints, group)


@dataclass(frozen=True)
class _Placing:
    """What is asked of nodes again and again: by pods of a shape, and by DaemonSets."""

    rounds: dict[tuple[PodShape, str], Sequence[Asked]] = field(default_factory=dict)
    """Of a shape, by the nodes' provider."""
    daemonsets: dict[str, Sequence[tuple[DaemonSetPod, Asked]]] = field(default_factory=dict)
    """The DaemonSets that count, by the nodes' provider."""
    counted: dict[object, Milli] = field(default_factory=dict)
    """What they ask together of nodes that they cannot tell apart."""


@once
def _placing(_snapshot: Snapshot) -> _Placing:
    return _Placing()


@once
def _daemonset_pods_by_node(snapshot: Snapshot) -> Mapping[str, Sequence[Pod]]:
    found: dict[str, list[Pod]] = defaultdict(list)
    for pods in snapshot.pods_of_daemonset.values():
        for pod in pods:
            if pod.node_name and holds_room(pod):
                found[pod.node_name].append(pod)
    return found


def _daemonset_pods(existing: ExistingNode) -> Sequence[Pod]:
    """The DaemonSets' pods that are on it."""
    return _daemonset_pods_by_node(existing.snapshot).get(existing.node.name, ()) if existing.node else ()


def _daemonsets(existing: ExistingNode) -> Sequence[tuple[DaemonSetPod, Asked]]:
    """The DaemonSets that may count, and what the first required term of each asks."""
    known, group, snapshot = _placing(existing.snapshot).daemonsets, existing.group, existing.snapshot
    if group not in known:
        pods = [pod for pod in (daemonset_pod(snapshot, daemonset) for daemonset in snapshot.daemonsets) if not pod.claims_devices]
        provider = provider_of(group)
        known[group] = [(pod, Asked(pod_requirements(provider, pod.node_selector, pod.terms[:1]))) for pod in pods]
    return known[group]


def _counted(existing: ExistingNode) -> Milli:
    """What the DaemonSets ask that count for a real node: its labels must be there, and only the first required term is tried.

    Source: `provisioning/scheduling/scheduler.go:getCompatibleDaemonPods`.
    """
    daemonsets, known = _daemonsets(existing), _placing(existing.snapshot).counted
    labels = tuple(existing.labels.get(key) for _, asked in daemonsets for key in asked.keys)
    alike = existing.group, existing.taints, labels
    if alike not in known:
        known[alike] = total(
            {**pod.requests, "pods": 1000}
            for pod, asked in daemonsets
            if not any(untolerated(existing.taints, (*pod.tolerations, PREFER_NO_SCHEDULE))) and not asked.refusals(existing.labels)
        )
    return known[alike]


def _rounds(shape: PodShape, existing: ExistingNode) -> Sequence[Asked]:
    known, key = _placing(existing.snapshot).rounds, (shape, existing.group)
    if key not in known:
        known[key] = [Asked(need) for need, _ in rounds(shape, provider_of(existing.group))]
    return known[key]


def unwelcome(shape: PodShape, existing: ExistingNode) -> tuple[Refusal, ...]:
    """The taints and labels for which Karpenter would not place the pod on the node.

    Labels that are not there are not there: a real node gets no benefit of the doubt. Required terms
    and preferences are given up in Karpenter's order.
    """
    taints = tuple(untolerated(existing.taints, (*shape.tolerations, PREFER_NO_SCHEDULE))) if existing.taints else ()
    return (*taints, *min((asked.refusals(existing.labels) for asked in _rounds(shape, existing)), key=len))


def refusals_of_existing(shape: PodShape, existing: ExistingNode) -> tuple[Refusal | NoRoom, ...]:
    """Why Karpenter would not place the pod on the node; empty if it would: volumes, host ports and the pods around it apart.

    Room is looked at only where taints and labels let the pod come.
    """
    if refusals := unwelcome(shape, existing):
        return refusals
    asked = {**shape.requests, "pods": 1000}
    left = {name: max(0, existing.left(name)) for name in asked}
    return tuple(NoRoom(name, amount - left[name]) for name, amount in asked.items() if amount > left[name])
