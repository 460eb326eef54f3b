"""A node that should go and is kept: why it should go, everything that keeps it, and since when.

It is kept only where no way leads out: drift with a terminationGracePeriod takes a node that pods keep from consolidation.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from karpenter_check.disruption.blocker import Blocker, Lasts, Word
from karpenter_check.disruption.blockers import blockers
from karpenter_check.disruption.budget_blocker import budget_blocker
from karpenter_check.disruption.candidate import DRIFTED, EMPTY, UNDERUTILIZED
from karpenter_check.disruption.due import Due, Way, due
from karpenter_check.disruption.state_node import StateNode, state_node
from karpenter_check.scheduling.nomination import pod_ref
from karpenter_check.snapshot import Kind, Node, NodePool, Pod, Ref, Snapshot
from karpenter_check.snapshot.once import once

REASONS: Mapping[Way, str] = {Way.DRIFTED: DRIFTED, Way.EMPTY: EMPTY, Way.UNDERUTILIZED: UNDERUTILIZED}
"""The graceful ways to go, by Karpenter's names of them."""
_NOT_WANTED = frozenset({Word.UNMANAGED, Word.NO_NODE, Word.NOT_INITIALIZED, Word.TERMINATING})
"""What Karpenter does not look at as a candidate, or has begun to disrupt."""
_NOT_BY_THE_NODE = frozenset({Word.NOMINATED, Word.BUDGET, Word.PODS_WOULD_NOT_SCHEDULE, Word.UNKNOWN})
"""What is not of the node and its pods as they are: it passes, stands for a whole NodePool, or was not seen."""


@dataclass(frozen=True)
class Kept:
    """A node that should go and that its own or its pods' words keep; there is one such blocker at the least."""

    state: StateNode
    node: Node
    due: Due
    """Why it should go, the most urgent way."""
    blockers: tuple[Blocker, ...]
    """All of this way, in Karpenter's order: nominations, the NodePool's budget and what is not known among them."""
    pods: Mapping[Ref, Pod]
    """The pods that blockers name."""

    @property
    def own(self) -> tuple[Blocker, ...]:
        """The blockers of the node and its pods alone."""
        return tuple(blocker for blocker in self.blockers if blocker.word not in _NOT_BY_THE_NODE)

    def stands_since(self, blocker: Blocker) -> datetime | None:
        """Since when the node is kept by it: wanted, blocked, and with the pod there; None where nothing tells since when it blocks.

        What lasts for ever has no beginning that matters, so of it what is known is enough.
        """
        if blocker.since is None and blocker.word is Word.PDB and blocker.lasts is not Lasts.FOR_EVER:
            return None
        came = [pod.metadata.creation_timestamp for ref in blocker.objects if (pod := self.pods.get(ref))]
        times = (self.due.at, blocker.since, min((time for time in came if time), default=None))
        return max((time for time in times if time), default=None)


@once
def _budgets(_snapshot: Snapshot) -> dict[tuple[str, str], Blocker | None]:
    """What a NodePool's budgets answer to a reason, as far as somebody asked."""
    return {}


def _budget(snapshot: Snapshot, nodepool: NodePool, reason: str) -> Blocker | None:
    known, asked = _budgets(snapshot), (nodepool.name, reason)
    if asked not in known:
        known[asked] = budget_blocker(snapshot, nodepool, reason)
    return known[asked]


def kept(snapshot: Snapshot, node: Node) -> Kept | None:
    """The node, if it should go by a graceful way and its own or its pods' words keep it from each; None for any other."""
    state = state_node(snapshot, node)
    nodepool = snapshot.nodepools_by_name.get(state.nodeclaim.nodepool) if state.nodeclaim else None
    seen = snapshot.covered(Kind.POD).sufficient
    ways = [entry for entry in due(snapshot, node) if entry.way in REASONS and (seen or entry.way is not Way.EMPTY)]
    if nodepool is None or not ways:
        return None
    found = []
    for entry in ways:
        blocking = list(blockers(snapshot, node, eventual=entry.way is Way.DRIFTED))
        words = {blocker.word for blocker in blocking}
        if words & _NOT_WANTED or not words - _NOT_BY_THE_NODE:
            return None
        counted = Word.MISSING_LABEL not in words  # a node without its label is in no NodePool's numbers
        budget = _budget(snapshot, nodepool, REASONS[entry.way]) if counted else None
        named = {ref for blocker in blocking for ref in blocker.objects if ref.kind == "Pod"}
        pods = {ref: pod for pod in snapshot.pods_on_node.get(node.name, ()) if (ref := pod_ref(pod)) in named}
        found.append(Kept(state, node, entry, (*blocking, *([budget] if budget else [])), pods))
    return found[0]
