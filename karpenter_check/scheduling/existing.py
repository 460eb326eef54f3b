"""Nodes that are there or on their way, as Karpenter's simulation sees them.

Its view is not kube-scheduler's: a node that still boots counts as if its startup taints were gone, and room is kept for DaemonSets.
Source: `controllers/state/statenode.go` and `provisioning/scheduling/existingnode.go` (1.13).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from karpenter_check.scheduling.daemonset import daemonset_pod
from karpenter_check.scheduling.labels import HOSTNAME, Provider, provider_of
from karpenter_check.scheduling.pod import pod_requirements, rounds
from karpenter_check.scheduling.refusal import Refusal
from karpenter_check.scheduling.requirement import Requirement
from karpenter_check.scheduling.requirements import Requirements
from karpenter_check.scheduling.room import holds_room, taken_by
from karpenter_check.scheduling.taints import PREFER_NO_SCHEDULE, untolerated
from karpenter_check.scheduling.template import REGISTERED_LABEL
from karpenter_check.snapshot import Node, NodeClaim, Snapshot, Version
from karpenter_check.snapshot.node import Taint
from karpenter_check.snapshot.once import once
from karpenter_check.snapshot.pod import PodShape
from karpenter_check.snapshot.quantity import Milli, amounts, shown, total

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
    requirements: Requirements
    taints: tuple[Taint, ...]
    provider: Provider

    @cached_property
    def available(self) -> Milli:
        """What is left of it, the room taken off that is still kept for DaemonSets (`NewExistingNode`)."""
        pods = self.snapshot.pods_on_node.get(self.node.name, ()) if self.node else ()
        here, counted = taken_by(pods), total(_counted(self))
        bound = total({**pod.shape.requests, "pods": 1000} for pod in pods if pod.daemonset_uid and holds_room(pod))
        kept = {resource: max(0, amount - bound.get(resource, 0)) for resource, amount in counted.items()}
        has = _allocatable(self.node, self.claim)
        return {resource: amount - here.get(resource, 0) - kept.get(resource, 0) for resource, amount in has.items()}


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


def _allocatable(node: Node | None, claim: NodeClaim | None) -> Milli:
    """`StateNode.Allocatable`: until the node is initialized, what Karpenter expects stands in for what the node does not say."""
    real = amounts(node.status.allocatable) if node else {}
    if claim is None or (node and node.initialized):
        return real
    expected = amounts(claim.status.allocatable)
    return {name: real.get(name) or expected.get(name, 0) for name in real | expected}


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
    provider = provider_of(claim.spec.node_class_ref.api_group if claim else "")
    requirements = Requirements.of([
        *(Requirement.of(key, "In", (value,)) for key, value in labels.items() if key != HOSTNAME),
        Requirement.of(HOSTNAME, "In", (labels.get(HOSTNAME, name),)),
    ])  # fmt: skip
    taints = _taints(node, claim, snapshot.karpenter_version)
    return ExistingNode(snapshot, node, claim, name, requirements, taints, provider)


def _counted(existing: ExistingNode) -> Iterator[Milli]:
    """What the DaemonSets ask that count for a real node: its labels must be there, and only the first required term is tried.

    Source: `provisioning/scheduling/scheduler.go:getCompatibleDaemonPods`.
    """
    for daemonset in existing.snapshot.daemonsets:
        pod = daemonset_pod(existing.snapshot, daemonset)
        asked = pod_requirements(existing.provider, pod.node_selector, pod.terms[:1])
        taints = any(untolerated(existing.taints, (*pod.tolerations, PREFER_NO_SCHEDULE)))
        if not pod.claims_devices and not taints and not any(existing.requirements.refusals(asked, None)):
            yield {**pod.requests, "pods": 1000}


def refusals_of_existing(shape: PodShape, existing: ExistingNode) -> tuple[Refusal | NoRoom, ...]:
    """Why Karpenter would not place the pod on the node; empty if it would: volumes, host ports and the pods around it apart.

    Room is looked at only where taints and labels let the pod come.
    Labels that are not there are not there: a real node gets no benefit of the doubt. Required terms
    and preferences are given up in Karpenter's order.
    """
    taints = tuple(untolerated(existing.taints, (*shape.tolerations, PREFER_NO_SCHEDULE)))
    labels = min((tuple(existing.requirements.refusals(need, None)) for need, _ in rounds(shape, existing.provider)), key=len)
    if taints or labels:
        return (*taints, *labels)
    asked = {**shape.requests, "pods": 1000}
    left = {name: max(0, existing.available.get(name, 0)) for name in asked}
    return tuple(NoRoom(name, amount - left[name]) for name, amount in asked.items() if amount > left[name])
