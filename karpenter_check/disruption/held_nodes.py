"""The Karpenter nodes that pods hold which cannot be evicted, why each of these nodes has to go, and how bad that is."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from karpenter_check.disruption.due import Due, Way, due
from karpenter_check.disruption.pods import is_evictable
from karpenter_check.disruption.remedies import command
from karpenter_check.disruption.termination import termination
from karpenter_check.finding import Confidence, Evidence, Fix, Occurrence, Severity
from karpenter_check.scheduling.nomination import node_ref, pod_ref
from karpenter_check.snapshot import Node, NodeClaim, Pod, Ref, Snapshot
from karpenter_check.snapshot.counted import few, plural
from karpenter_check.snapshot.event import Event
from karpenter_check.snapshot.once import once

_WORDS = {
    Way.TERMINATING: "being deleted",
    Way.EXPIRING: "expiring",
    Way.DRIFTED: "drifted",
    Way.EMPTY: "empty",
    Way.UNDERUTILIZED: "maybe under-used",
}
_PATHS = {Way.TERMINATING: "metadata.deletionTimestamp", Way.EXPIRING: "spec.expireAfter"}
_SURE = list(Confidence)
_FEW = 3
_QUALIFIED = re.compile(r"[a-z0-9.-]+/[a-z0-9.-]+")


@dataclass(frozen=True)
class HeldNode:
    """A node, and the pods on it that hold it."""

    node: Node
    nodeclaim: NodeClaim
    pods: tuple[Pod, ...]
    due: Due | None
    """The worst of the reasons to go from which such pods keep it; None where none is known."""

    @property
    def hangs(self) -> bool:
        """Whether it is being deleted, and nothing ends its drain but that the pods go."""
        return self.due is not None and (self.due.way, self.due.harm) == (Way.TERMINATING, Severity.HIGH)


class Holding:
    """Tells the nodes that pods hold; of each node it asks once why it has to go."""

    def __init__(self, snapshot: Snapshot, look_ahead: timedelta) -> None:
        self._snapshot, self._look_ahead = snapshot, look_ahead
        self._known: dict[str, tuple[Due | None, bool]] = {}

    def nodes(self, pods: Iterable[Pod]) -> tuple[HeldNode, ...]:
        """Karpenter's nodes that these pods hold, the worst first: those that it would evict, and for which eviction asks a budget.

        A pod that is Pending goes without (`canIgnorePDB`), and a termination that is past its drain waits for no pod.
        """
        now, version = self._snapshot.taken_at, self._snapshot.karpenter_version
        on_node: dict[str, list[Pod]] = defaultdict(list)
        for pod in pods:
            managed = pod.node_name in self._snapshot.nodeclaim_of_node
            if managed and pod.phase != "Pending" and is_evictable(pod, now, version):
                on_node[pod.node_name].append(pod)
        found = [
            HeldNode(self._snapshot.nodes_by_name[name], self._snapshot.nodeclaim_of_node[name], tuple(holding), worst)
            for name, holding in on_node.items()
            for worst, waits in [self._of(name)]
            if waits
        ]
        return tuple(sorted(found, key=lambda entry: (_rank(entry.due), entry.node.name)))

    def _of(self, name: str) -> tuple[Due | None, bool]:
        """The worst reason to go from which pods keep the node, and whether pods hold it at all."""
        if name not in self._known:
            node = self._snapshot.nodes_by_name[name]
            ending = termination(self._snapshot, node)
            kept = [entry for entry in due(self._snapshot, node, self._look_ahead) if entry.pods_keep]
            self._known[name] = (min(kept, key=_rank, default=None), ending is None or bool(ending.held))
        return self._known[name]


def _rank(reason: Due | None) -> tuple[int, int]:
    return (reason.harm.rank, _SURE.index(reason.confidence)) if reason else (len(Severity), 0)


def how_many(nodes: Sequence[HeldNode]) -> str:
    """How many nodes are held, and how many of them have to go: what follows `it holds`."""
    going = [entry.due for entry in nodes if entry.due]
    many = len(nodes) > 1
    if not going:
        return f"{plural(len(nodes), 'node')}, {'none of which is' if many else 'not'} known to be kept from going"
    which = f"{len(going)} of which {'have' if len(going) > 1 else 'has'}" if many else "which has"
    return f"{plural(len(nodes), 'node')}, {which} to go: {', '.join(dict.fromkeys(_WORDS[entry.way] for entry in going))}"


def told(nodes: Sequence[HeldNode]) -> str:
    """Why the nodes have to go, each with a pod that holds it; empty where none is known to have to."""
    going = [entry for entry in nodes if entry.due]
    clauses = [
        f"node {entry.node.name} ({entry.due.said}) is held by {few(list(map(pod_ref, entry.pods)), 1)}" for entry in going[:_FEW] if entry.due
    ]  # fmt: skip
    more = len(going) - _FEW
    return "; ".join(clauses) + (f"; and {plural(more, 'more node')}" if more > 0 else "")


def proof(nodes: Sequence[HeldNode]) -> Iterator[Evidence]:
    """Why the first of the nodes has to go."""
    for entry in nodes[:1]:
        if entry.due:
            ref = Ref("NodeClaim", entry.nodeclaim.name, "karpenter.sh/v1")
            yield Evidence(ref, _PATHS.get(entry.due.way, "status.conditions"), entry.due.said)


def places(snapshot: Snapshot, nodes: Sequence[HeldNode]) -> tuple[Occurrence, ...]:
    """Each node, and how it has to go: `held` where no reason is known."""
    return tuple(
        Occurrence(
            node_ref(entry.node.name),
            entry.node.metadata.uid,
            entry.node.name,
            entry.due.way.value if entry.due else "held",
            _since(snapshot, entry),
        )
        for entry in nodes
    )


def _since(snapshot: Snapshot, entry: HeldNode) -> datetime | None:
    """Since when it has to go; an expiry that lies ahead is no beginning."""
    at = entry.due.at if entry.due else None
    return at if at and at <= snapshot.taken_at else None


def by_hand(nodes: Sequence[HeldNode]) -> Iterator[Fix]:
    """How to end a drain that hangs at once."""
    pods = [pod for entry in nodes if entry.hangs for pod in entry.pods]
    if pods:
        again = "its controller makes it again" if pods[0].metadata.controller else "it is a bare pod and is not made again"
        text = f"and so {plural(len(pods) - 1, 'more pod')} on nodes that are being deleted" if len(pods) > 1 else ""
        risk = f"this goes around its PodDisruptionBudget: ask its owner first; {again}"
        yield Fix("stop", command("delete", pod_ref(pods[0])), text, risk)


def forced_ends(nodes: Sequence[HeldNode]) -> Iterator[Fix]:
    """What keeps drains from hanging, where one does or will."""
    if any(entry.due and entry.due.harm is Severity.HIGH for entry in nodes):
        text = "a terminationGracePeriod in the NodePool's template ends such drains, of nodes made from then on"
        risk = "it drifts the pool's nodes, and whatever is left on a node when it elapses is killed"
        yield Fix("or", text=text, risk=risk)


@once
def _said(snapshot: Snapshot) -> Mapping[str, Sequence[Event]]:
    """What Karpenter said of PodDisruptionBudgets that keep nodes (`DisruptionBlocked`), by their qualified names."""
    found: dict[str, list[Event]] = defaultdict(list)
    for event in snapshot.events_by_reason.get("DisruptionBlocked", ()):
        if "pdb" in event.message.lower():
            for name in dict.fromkeys(_QUALIFIED.findall(event.message)):
                found[name].append(event)
    return found


def said_by_karpenter(snapshot: Snapshot, nodes: Sequence[HeldNode], budgets: Sequence[Ref]) -> Iterator[Evidence]:
    """The last event in which Karpenter says of one of the nodes that these budgets, all together, keep it."""
    names = {name for entry in nodes for name in (entry.node.name, entry.nodeclaim.name)}
    blocked, wanted = _said(snapshot), {ref.qualified_name for ref in budgets}
    about = [
        event
        for event in blocked.get(min(wanted, default=""), ())
        if event.last_seen and event.involved_object.name in names and wanted == set(_QUALIFIED.findall(event.message))
    ]
    if about:
        yield Evidence.of_event(max(about, key=lambda event: (event.last_seen or snapshot.taken_at, event.involved_object.name)))
