"""What a node has, what its pods take of it, and who they are."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from karpenter_check.scheduling.host_ports import clash
from karpenter_check.snapshot import Node, Pod, Snapshot
from karpenter_check.snapshot.once import once
from karpenter_check.snapshot.pod_object import ContainerPort
from karpenter_check.snapshot.quantity import Milli, amounts, total


@dataclass(frozen=True)
class Room:
    """What a node has, and what its pods take of it, in thousandths by resource."""

    allocatable: Milli
    taken: Milli

    def free(self, resource: str) -> int:
        """What is left; negative where more is taken than there is."""
        return self.allocatable.get(resource, 0) - self.taken.get(resource, 0)

    def short_of(self, requests: Milli) -> dict[str, int]:
        """By how much each resource falls short for one more pod with these requests; empty if it fits."""
        asked = {**requests, "pods": 1000}
        return {name: asked[name] - self.free(name) for name in asked if asked[name] > max(0, self.free(name))}

    def share(self, requests: Milli) -> tuple[float, str]:
        """The largest part of what the node has that the requests take, and of which resource; empty where nothing is known.

        A pod's slot counts only where no slot is left.
        """
        shares = [(requests.get(name, 0) / have, name) for name in ("cpu", "memory") if (have := self.allocatable.get(name, 0)) > 0]
        if (slots := self.allocatable.get("pods", 0)) > 0 and self.free("pods") <= 0:
            shares.append((1000 / slots, "pods"))
        return max(shares, default=(0.0, ""))


def holds_room(pod: Pod) -> bool:
    """Whether a bound pod takes room: until it has finished, even while it is being deleted."""
    return pod.phase not in {"Succeeded", "Failed"}


def taken_by(pods: Iterable[Pod]) -> Milli:
    """What bound pods take, their slots included."""
    holding = [pod for pod in pods if holds_room(pod)]
    return {**total(pod.held for pod in holding), "pods": 1000 * len(holding)}


@dataclass(frozen=True, eq=False)
class Occupants:
    """The pods of one node. Each sum and each order over them is made when first asked for."""

    pods: Sequence[Pod]
    _by_size: dict[str, Sequence[Pod]] = field(default_factory=dict)

    @cached_property
    def taken(self) -> Milli:
        """What they take."""
        return taken_by(self.pods)

    @cached_property
    def host_ports(self) -> Sequence[tuple[ContainerPort, Pod]]:
        """The host ports that they hold."""
        return [(port, pod) for pod in self.pods if holds_room(pod) for port in pod.shape.host_ports]

    def largest(self, resource: str) -> Sequence[Pod]:
        """Those that take of the resource, the one that takes most first."""
        if resource not in self._by_size:
            pods = [pod for pod in self.pods if holds_room(pod) and pod.held.get(resource)]
            pods.sort(key=lambda pod: (-pod.held[resource], pod.metadata.namespace, pod.metadata.name))
            self._by_size[resource] = pods
        return self._by_size[resource]


_NOBODY = Occupants(())


@once
def _occupants_by_node(snapshot: Snapshot) -> Mapping[str, Occupants]:
    return {name: Occupants(pods) for name, pods in snapshot.pods_on_node.items()}


def occupants(snapshot: Snapshot, node: Node) -> Occupants:
    """The pods of a node."""
    return _occupants_by_node(snapshot).get(node.name, _NOBODY)


def room_on(snapshot: Snapshot, node: Node, without: Iterable[Pod] = ()) -> Room:
    """The node's room, as if its pods in `without` were not on it."""
    taken, left_out = occupants(snapshot, node).taken, taken_by(without)
    kept = {name: amount - left_out.get(name, 0) for name, amount in taken.items()}
    return Room(amounts(node.status.allocatable), kept)


def share_of(node: Node, requests: Milli, slots_taken: int) -> tuple[float, str]:
    """`Room.share` of a node of which only the number of its pods is known: nothing else counts for it."""
    return Room(amounts(node.status.allocatable), {"pods": 1000 * slots_taken}).share(requests)


def slots_taken(snapshot: Snapshot, node: Node) -> int:
    """How many pods hold a slot of the node."""
    return sum(1 for pod in occupants(snapshot, node).pods if holds_room(pod))


def taken_host_port(snapshot: Snapshot, pod: Pod, node: Node) -> Pod | None:
    """A pod on the node that holds a host port which this one needs, or None."""
    if not pod.shape.host_ports:
        return None
    for theirs, other in occupants(snapshot, node).host_ports:
        if any(clash(mine, theirs) for mine in pod.shape.host_ports):
            return other
    return None
