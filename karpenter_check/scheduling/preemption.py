"""Who pushed whom off Karpenter's nodes, told from the scheduler's `Preempted` events."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta

from karpenter_check.snapshot import Ref, Snapshot
from karpenter_check.snapshot.event import Event, preemption
from karpenter_check.snapshot.once import once

WINDOW = timedelta(minutes=15)
"""How far back a preemption or a purchase belongs to what is happening now."""


@dataclass(frozen=True)
class Preemptions:
    """Pods of one owner that one other workload's pods pushed off the nodes of one NodePool."""

    owner: Ref
    nodepool: str
    by: Ref
    nodes: tuple[str, ...]
    events: tuple[Event, ...]
    priority_class_name: str
    """Of the pods that pushed."""


def owner_of_event(snapshot: Snapshot, event: Event) -> Ref | None:
    """The workload of the pod that an event is about; of a pod that is gone, told from its name."""
    pod = snapshot.pods_by_uid.get(event.involved_object.uid)
    if pod:
        return snapshot.owner(pod)
    return snapshot.owner_of_name(event.involved_object.namespace, event.involved_object.name)


def _gives_way(snapshot: Snapshot, owner: Ref) -> bool:
    """Whether the owner's pods are placeholders, meant to be preempted: all that are there have a negative priority.

    https://github.com/kubernetes/autoscaler/blob/master/cluster-autoscaler/FAQ.md#how-can-i-configure-overprovisioning-with-cluster-autoscaler
    """
    pods = snapshot.pods_of_owner.get(owner, ())
    return bool(pods) and all(pod.priority < 0 for pod in pods)


def _arrivals(snapshot: Snapshot) -> Mapping[str, Collection[Ref]]:
    """The workloads whose unbound pods are on their way to each node: pinned to it, or nominated by the scheduler."""
    coming: dict[str, set[Ref]] = defaultdict(set)
    for pod in snapshot.unbound_pods:
        if target := pod.nominated_node_name or pod.pinned_to:
            coming[target].add(snapshot.owner(pod))
    return coming


class _Workloads:
    """Which workloads have a pod on a node, or one on its way there."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._coming = _arrivals(snapshot)
        self._at: dict[str, Collection[Ref]] = {}

    def at(self, node_name: str) -> Collection[Ref]:
        """Those of one node, each node looked at once."""
        if node_name not in self._at:
            here = {self._snapshot.owner(pod) for pod in self._snapshot.pods_on_node.get(node_name, ())}
            self._at[node_name] = here | set(self._coming.get(node_name, ()))
        return self._at[node_name]

    def explain(self, by: Ref, node_name: str) -> bool:
        """Whether that workload took the room on the node. Of a node that is not listed nothing can be told, so it may have."""
        return node_name not in self._snapshot.nodes_by_name or by in self.at(node_name)


@once
def preemptions(snapshot: Snapshot) -> tuple[Preemptions, ...]:
    """What was preempted on Karpenter's nodes within the window, by owner, NodePool and preemptor.

    Owners that are gone or want no pods any more are left out: nothing stands. So are placeholders, and events whose preemptor
    went elsewhere: it does not hold what the victim lost. A preemptor that is not in the lists counts with the others of its
    owner and NodePool where these are of one workload.
    """
    known: dict[tuple[Ref, str], dict[Ref, list[tuple[Event, str]]]] = defaultdict(lambda: defaultdict(list))
    unknown: dict[tuple[Ref, str], list[tuple[Event, str]]] = defaultdict(list)
    classes: dict[Ref, str] = {}
    workloads = _Workloads(snapshot)
    for event in snapshot.events_by_reason.get("Preempted", ()):
        said, seen = preemption(event), event.last_seen
        if not said or not seen or snapshot.taken_at - seen > WINDOW:
            continue
        owner, nodepool = owner_of_event(snapshot, event), snapshot.nodepool_of_node.get(said.node, "")
        if not owner or not nodepool or snapshot.wants_no_pods(owner) or _gives_way(snapshot, owner):
            continue
        preemptor = snapshot.pods_by_uid.get(said.preemptor_uid)
        if preemptor is None:
            unknown[owner, nodepool].append((event, said.node))
        elif workloads.explain(by := snapshot.owner(preemptor), said.node):
            classes[by] = preemptor.priority_class_name
            known[owner, nodepool][by].append((event, said.node))
    found = []
    for (owner, nodepool), by_preemptor in known.items():
        for by, entries in by_preemptor.items():
            unlisted = unknown[owner, nodepool] if len(by_preemptor) == 1 else []
            pushed = entries + [(event, node) for event, node in unlisted if workloads.explain(by, node)]
            events = sorted((event for event, _ in pushed), key=lambda event: event.last_seen or snapshot.taken_at)
            nodes = tuple(sorted({node for _, node in pushed}))
            found.append(Preemptions(owner, nodepool, by, nodes, tuple(events), classes[by]))
    return tuple(found)
