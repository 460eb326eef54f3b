"""What runs on a node."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from karpenter_check.disruption.blocker import certainty
from karpenter_check.disruption.pods import is_mirror, is_owned_by
from karpenter_check.disruption.state_node import StateNode
from karpenter_check.scheduling.room import holds_room, room_on
from karpenter_check.snapshot import Kind, Pod, Ref, Snapshot
from karpenter_check.snapshot.quantity import shown, total


@dataclass(frozen=True)
class Load:
    """What the pods of one owner take of a node."""

    owner: Ref
    pods: int
    takes: str
    """The amount of the resource of which they take the largest part, as in `50m cpu`; empty where they ask for none."""
    share: float
    """That part of the node's allocatable, 0 to 1."""
    allocatable: str
    """How much of that resource the node has."""


@dataclass(frozen=True)
class Runs:
    """The pods of a node that have not finished, by their owners."""

    daemonsets: tuple[Load, ...] = ()
    static: tuple[Load, ...] = ()
    workloads: tuple[Load, ...] = ()
    """Those that have the most pods first."""
    none_since: datetime | None = None
    """Since when there is no workload, where the NodeClaim's lastPodEventTime tells."""
    unknown: str = ""
    """Why it is not known what runs there; empty where it is."""


def runs_on(snapshot: Snapshot, state: StateNode) -> Runs:
    """What runs there; of a NodeClaim without a Node nothing."""
    if state.node is None:
        return Runs(unknown="it has no Node")
    pods = [pod for pod in snapshot.pods_on_node.get(state.node.name, ()) if holds_room(pod)]
    if not pods and certainty(snapshot, Kind.POD) is None:
        return Runs(unknown=f"Pod is {snapshot.covered(Kind.POD)}")
    static = [pod for pod in pods if is_mirror(pod)]
    daemons = [pod for pod in pods if is_owned_by(pod, "apps/v1", "DaemonSet") and not is_mirror(pod)]
    others = [pod for pod in pods if pod not in static and pod not in daemons]
    last = state.nodeclaim.status.last_pod_event_time if state.nodeclaim else None
    return Runs(
        _loads(snapshot, state, daemons),
        _loads(snapshot, state, static),
        _loads(snapshot, state, others),
        None if others or certainty(snapshot, Kind.POD) is None else last,
        "" if certainty(snapshot, Kind.POD) else f"Pod is {snapshot.covered(Kind.POD)}",
    )


def _loads(snapshot: Snapshot, state: StateNode, pods: Iterable[Pod]) -> tuple[Load, ...]:
    grouped: dict[Ref, list[Pod]] = {}
    for pod in pods:
        grouped.setdefault(snapshot.owner(pod), []).append(pod)
    found = [_load(snapshot, state, owner, of_owner) for owner, of_owner in grouped.items()]
    return tuple(sorted(found, key=lambda load: (-load.pods, -load.share, str(load.owner))))


def _load(snapshot: Snapshot, state: StateNode, owner: Ref, pods: list[Pod]) -> Load:
    taken = total(pod.held for pod in pods)
    if state.node is None:
        return Load(owner, len(pods), "", 0.0, "")
    room = room_on(snapshot, state.node)
    share, resource = room.share(taken)
    if not share or resource == "pods":
        return Load(owner, len(pods), "", 0.0, "")
    return Load(
        owner, len(pods), f"{shown(resource, taken[resource])} {resource}", share, shown(resource, room.allocatable[resource])
    )
