"""Which node and which NodeClaim were one, where at least one of them is gone: events alone tell that, and few of them.

A message that names both is certain (`provisioning/scheduling/scheduler.go:Results.Record`). A pod that was nominated for the one
and then bound to the other joins them only where nothing speaks against it: kube-scheduler puts pods where it likes.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from karpenter_check.finding import earliest
from karpenter_check.scheduling.nomination import nominations
from karpenter_check.snapshot import Snapshot
from karpenter_check.snapshot.event import assignment
from karpenter_check.snapshot.once import once

_Pair = tuple[str, str]
_TOGETHER = (
    ("Registered", "RegisteredNode", timedelta(seconds=10)),
    ("DisruptionTerminating", "DisruptionTerminating", timedelta(seconds=2)),
)
"""What is said of a NodeClaim and of its Node, and how far apart: the latter in one call (`disruption/events:Terminating`)."""


@dataclass(frozen=True)
class Joined:
    """A NodeClaim and its node, by name."""

    nodeclaim: str
    node: str
    certain: bool
    """Whether a message names both, or a NodeClaim that is there does."""


@once
def joined(snapshot: Snapshot) -> Sequence[Joined]:
    """NodeClaims and their nodes, the certain ones first; no name comes twice."""
    named = {(target.nodeclaim, target.node) for _, target in nominations(snapshot) if target.nodeclaim and target.node}
    seen = {(claim.name, node) for node, claim in snapshot.nodeclaim_of_node.items()}
    claims, nodes = {claim for claim, _ in named | seen}, {node for _, node in named | seen}
    guessed = {(claim, node) for claim, node in _bound(snapshot) if claim not in claims and node not in nodes}
    times = _times(snapshot)
    return (
        *(Joined(claim, node, certain=True) for claim, node in _unambiguous(named | seen)),
        *(Joined(claim, node, certain=False) for claim, node in _unambiguous(guessed) if _agree(times, claim, node)),
    )


def _unambiguous(pairs: set[_Pair]) -> list[_Pair]:
    claims, nodes = Counter(claim for claim, _ in pairs), Counter(node for _, node in pairs)
    return sorted((claim, node) for claim, node in pairs if claims[claim] == nodes[node] == 1)


def _bound(snapshot: Snapshot) -> set[_Pair]:
    """For each pod the NodeClaim that it was last nominated for before it was bound, and the node that it was bound to.

    What was said later speaks of another node: a pod is nominated again while its own is on its way out.
    """
    named: dict[str, list[tuple[datetime, str]]] = defaultdict(list)
    for event, target in nominations(snapshot):
        if event.first_seen and target.nodeclaim:
            named[event.involved_object.uid].append((event.first_seen, target.nodeclaim))
    found = set()
    for event in snapshot.events_by_reason.get("Scheduled", ()):
        when = event.first_seen
        before = [entry for entry in named.get(event.involved_object.uid, ()) if when and entry[0] <= when]
        if before and (node := assignment(event)):
            found.add((max(before)[1], node))
    return found


_Times = dict[tuple[str, str, str], datetime]


def _times(snapshot: Snapshot) -> _Times:
    """When each object was first told of, by kind, name and reason, of what is told of both."""
    found: dict[tuple[str, str, str], list[datetime]] = defaultdict(list)
    for reason in {reason for of_claim, of_node, _ in _TOGETHER for reason in (of_claim, of_node)}:
        for event in snapshot.events_by_reason.get(reason, ()):
            if event.first_seen:
                found[event.involved_object.kind, event.involved_object.name, reason].append(event.first_seen)
    return {key: first for key, moments in found.items() if (first := earliest(moments))}


def _agree(times: _Times, claim: str, node: str) -> bool:
    """Whether something was told of both at the same time, and nothing at different ones."""
    near = []
    for of_claim, of_node, apart in _TOGETHER:
        one, other = times.get(("NodeClaim", claim, of_claim)), times.get(("Node", node, of_node))
        if one and other:
            near.append(abs(one - other) <= apart)
    return bool(near) and all(near)
