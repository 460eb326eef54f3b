"""Who is hurt by pods that Karpenter did not count."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from karpenter_check.scheduling.nomination import nominees, target_node
from karpenter_check.scheduling.preemption import Preemptions, preemptions
from karpenter_check.scheduling.purchases import purchases
from karpenter_check.scheduling.room import room_on
from karpenter_check.scheduling.uncounted import Place
from karpenter_check.snapshot import Pod, Ref, Snapshot
from karpenter_check.snapshot.once import once

LOOP = 3
"""So many preemptions, or NodeClaims that no waiting pod accounts for, make a loop."""


@dataclass(frozen=True)
class Harm:
    """What uncounted pods do to others."""

    preempted: tuple[Preemptions, ...]
    bought_in_vain: int
    """NodeClaims bought for those whom they preempt, and that no waiting pod accounts for."""
    starving: tuple[Ref, ...]
    """The owners of nominated pods that would fit, were the uncounted ones not there."""

    @property
    def critical(self) -> bool:
        """Whether it goes round in a loop, or somebody starves."""
        return sum(len(found.events) for found in self.preempted) >= LOOP or self.bought_in_vain >= LOOP or bool(self.starving)


@dataclass(frozen=True)
class _Victims:
    """Everybody on a snapshot whom somebody hurts: looked up once, asked for each DaemonSet."""

    preempted: Mapping[tuple[Ref, str], Sequence[Preemptions]]
    """By preemptor and NodePool."""
    bought: Mapping[tuple[Ref, str], int]
    """By owner and NodePool."""
    waiting: Mapping[str, Sequence[Pod]]
    """Nominated pods for which a node has no room, by node."""


@once
def _victims(snapshot: Snapshot) -> _Victims:
    preempted: dict[tuple[Ref, str], list[Preemptions]] = defaultdict(list)
    for found in preemptions(snapshot):
        preempted[found.by, found.nodepool].append(found)
    waiting: dict[str, list[Pod]] = defaultdict(list)
    for nominee in nominees(snapshot).values():
        node, pod = target_node(snapshot, nominee), nominee.pod
        if node and pod.unschedulable and room_on(snapshot, node).short_of(pod.shape.requests):
            waiting[node.name].append(pod)
    return _Victims(preempted, {(found.owner, found.nodepool): found.excess for found in purchases(snapshot)}, waiting)


def harm(snapshot: Snapshot, daemonset: Ref, nodepool: str, places: Iterable[Place]) -> Harm:
    """What a DaemonSet's uncounted pods in these places of a NodePool do."""
    victims = _victims(snapshot)
    preempted = tuple(victims.preempted.get((daemonset, nodepool), ()))
    bought = sum(victims.bought.get((owner, nodepool), 0) for owner in {found.owner for found in preempted})
    ours: dict[str, list[Pod]] = defaultdict(list)
    for place in places:
        if place.pod.node_name in victims.waiting:
            ours[place.pod.node_name].append(place.pod)
    starving: dict[Ref, None] = {}
    for node_name, pods in ours.items():
        room = room_on(snapshot, snapshot.nodes_by_name[node_name], without=pods)
        for pod in victims.waiting[node_name]:
            if not room.short_of(pod.shape.requests):
                starving[snapshot.owner(pod)] = None
    return Harm(preempted, bought, tuple(starving))
