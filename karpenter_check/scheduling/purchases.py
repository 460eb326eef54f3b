"""Nodes that Karpenter bought for a workload that never came to stay."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from karpenter_check.scheduling.nomination import nominations
from karpenter_check.scheduling.preemption import WINDOW, owner_of_event, preemptions
from karpenter_check.snapshot import NodeClaim, Pod, Ref, Snapshot, Version
from karpenter_check.snapshot.once import once
from karpenter_check.snapshot.quantity import amounts

TELLS_POD_EVENTS = Version(1, 0)
"""From here on a NodeClaim says when a pod last came to it or left it (`lastPodEventTime`); before, nothing says that none did."""


@dataclass(frozen=True)
class Purchases:
    """NodeClaims of one NodePool that were bought for one owner's pods, and that no workload's pod occupies."""

    owner: Ref
    nodepool: str
    nodeclaims: tuple[NodeClaim, ...]
    """Oldest first."""
    waiting: tuple[Pod, ...]
    """The owner's pods that wait unbound."""
    initialized: int
    """How many of the claims could take a pod for a minute and longer; the others still boot, and empty is what they then are."""
    elsewhere: int
    """How many of the initialized ones have a nominated pod that runs on another node."""

    @property
    def excess(self) -> int:
        """How many of the claims could take a pod, and no waiting one accounts for them."""
        return min(len(self.nodeclaims) - len(self.waiting), self.initialized)

    @property
    def first(self) -> datetime | None:
        """When the oldest was bought."""
        return self.nodeclaims[0].metadata.creation_timestamp

    @property
    def last(self) -> datetime | None:
        """When the newest was bought."""
        return self.nodeclaims[-1].metadata.creation_timestamp


def _signature(nodeclaim: NodeClaim) -> tuple[str, frozenset[tuple[str, int]]]:
    """What a claim was sized for, and where: claims bought for the same pod have the same."""
    return nodeclaim.nodepool, frozenset(amounts(nodeclaim.spec.resources.requests).items())


def _occupied(snapshot: Snapshot, nodeclaim: NodeClaim) -> bool:
    """Whether its node has, or had, another pod than a DaemonSet's or a static one: one that has finished used it too."""
    node = snapshot.node_of_nodeclaim.get(nodeclaim.name)
    pods = snapshot.pods_on_node.get(node.name if node else nodeclaim.status.node_name, ())
    return any(not pod.daemonset_uid and snapshot.owner(pod).kind != "Node" for pod in pods)


def _could_take_pods(snapshot: Snapshot, nodeclaim: NodeClaim) -> bool:
    """Whether its node was ready for pods for so long that one which was bought for it is seen there, if it has come."""
    initialized = nodeclaim.condition("Initialized")
    return initialized is not None and initialized.status == "True" and snapshot.settled(initialized.last_transition_time)


def _named_by_events(snapshot: Snapshot) -> tuple[Mapping[str, set[Ref]], Mapping[str, list[Pod]]]:
    """Of each NodeClaim that a creating `Nominated` event names: the owners of the nominated pods, and those that are still there.

    The creating event names the claim alone; later ones name the node too.
    """
    owners: dict[str, set[Ref]] = defaultdict(set)
    pods: dict[str, list[Pod]] = defaultdict(list)
    for event, target in nominations(snapshot):
        owner = None if target.node else owner_of_event(snapshot, event)
        if owner:
            owners[target.nodeclaim].add(owner)
            if pod := snapshot.pods_by_uid.get(event.involved_object.uid):
                pods[target.nodeclaim].append(pod)
    return owners, pods


def _bought_in_vain(snapshot: Snapshot) -> Sequence[NodeClaim]:
    """The NodeClaims of the window that no workload's pod occupies, and that never held one, or lost it to a preemptor."""
    preempted_on = {node for found in preemptions(snapshot) for node in found.nodes}
    tells = snapshot.karpenter_version is None or snapshot.karpenter_version >= TELLS_POD_EVENTS
    found = []
    for claim in snapshot.nodeclaims:
        created = claim.metadata.creation_timestamp
        if claim.metadata.deletion_timestamp or not created or snapshot.taken_at - created > WINDOW:
            continue
        never_used = tells and claim.status.last_pod_event_time is None
        if (never_used or claim.status.node_name in preempted_on) and not _occupied(snapshot, claim):
            found.append(claim)
    return found


@once
def purchases(snapshot: Snapshot) -> tuple[Purchases, ...]:
    """The unoccupied NodeClaims bought within the window, by the owner that they were bought for.

    A claim belongs to the owner that its creating `Nominated` event names. Karpenter deduplicates these events, so an unnamed
    claim belongs to the one owner whose named claims of the same NodePool were sized the same. A claim that once held a pod
    (`lastPodEventTime`) counts only where its pod was preempted: what was scaled down is not a purchase in vain.
    """
    empty = _bought_in_vain(snapshot)
    if not empty:
        return ()
    owners, pods = _named_by_events(snapshot)
    by_signature: dict[tuple[str, frozenset[tuple[str, int]]], set[Ref]] = defaultdict(set)
    for name, named in owners.items():
        if claim := snapshot.nodeclaims_by_name.get(name):
            by_signature[_signature(claim)] |= named
    bought: dict[tuple[Ref, str], list[NodeClaim]] = defaultdict(list)
    for claim in empty:
        candidates = owners.get(claim.name) or by_signature.get(_signature(claim), set())
        if len(candidates) == 1:
            bought[next(iter(candidates)), claim.nodepool].append(claim)
    return tuple(
        Purchases(
            owner, nodepool,
            nodeclaims=tuple(sorted(claims, key=lambda claim: (claim.metadata.creation_timestamp or snapshot.taken_at, claim.name))),
            waiting=tuple(pod for pod in snapshot.pods_of_owner.get(owner, ()) if pod.unschedulable and pod.active),
            initialized=sum(_could_take_pods(snapshot, claim) for claim in claims),
            elsewhere=sum(_could_take_pods(snapshot, claim) and any(pod.node_name for pod in pods.get(claim.name, ())) for claim in claims),
        )
        for (owner, nodepool), claims in bought.items()
    )  # fmt: skip
