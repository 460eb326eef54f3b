"""Whether Karpenter's graceful disruption wants a node gone, in words, and from when on it may."""

from dataclasses import dataclass
from datetime import datetime

from karpenter_check.disruption.blocker import certainty
from karpenter_check.disruption.candidate import EMPTY, UNDERUTILIZED, Wanted, is_empty, ways_out
from karpenter_check.disruption.state_node import StateNode
from karpenter_check.disruption.timing import Stage, consolidation
from karpenter_check.finding import Confidence
from karpenter_check.snapshot import Kind, Node, NodeClaim, NodePool, Snapshot
from karpenter_check.snapshot.moments import at, at_and_distance
from karpenter_check.snapshot.node import NODEPOOL_LABEL


@dataclass(frozen=True)
class Want:
    """Whether it is wanted gone."""

    reason: str
    """Drifted, Empty or Underutilized; empty where it is not wanted gone, or that is not known."""
    said: str
    since: datetime | None = None
    at: datetime | None = None
    """When it may be consolidated, if no pod comes or goes, where that lies ahead."""
    known: bool = True


def wants(snapshot: Snapshot, state: StateNode, nodepool: NodePool | None) -> tuple[Want, ...]:
    """Why a node that nobody deletes should go, one or two reasons, or why not."""
    if state.nodeclaim is None or state.node is None or nodepool is None or not state.node.initialized:
        return (_cannot(snapshot, state, nodepool),)
    ways = ways_out(snapshot, state.node, state.nodeclaim, nodepool)
    found = [_wanted(snapshot, state.node, way) for way in ways] or [_not_wanted(snapshot, nodepool, state.nodeclaim)]
    return tuple(want for want in found if want.known) or (found[0],)


def _cannot(snapshot: Snapshot, state: StateNode, nodepool: NodePool | None) -> Want:
    node, claim = state.node, state.nodeclaim
    if claim is None or node is None:
        if certainty(snapshot, Kind.NODE) is None:
            return Want("", f"not known: whether it has a Node was not seen (Node is {snapshot.covered(Kind.NODE)})", known=False)
        return Want("", "no: Karpenter disrupts nothing that has no Node")
    if nodepool is None:
        if NODEPOOL_LABEL not in state.labels:
            return Want(
                "", f"no: {state.annotated} has no label {NODEPOOL_LABEL}, and Karpenter disrupts gracefully only what has one"
            )
        if certainty(snapshot, Kind.NODEPOOL):
            return Want("", "no: its NodePool is not there, and Karpenter disrupts gracefully only what has one")
        return Want("", f"not known: NodePool is {snapshot.covered(Kind.NODEPOOL)}", known=False)
    return Want("", "no: Karpenter disrupts no node that is not initialized")


def _wanted(snapshot: Snapshot, node: Node, wanted: Wanted) -> Want:
    if wanted.reason in {EMPTY, UNDERUTILIZED} and certainty(snapshot, Kind.POD) is None and is_empty(snapshot, node):
        return Want("", f"not known: Pod is {snapshot.covered(Kind.POD)}, so it may be empty or not; {wanted.because}", known=False)
    since = f" since {at_and_distance(snapshot, wanted.since)}" if wanted.since else ""
    condition, _, settings = wanted.because.removeprefix("Drifted: ").partition(" (")
    detail = f"{condition}{since}" + (f" ({settings}" if settings else "")
    if wanted.reason == UNDERUTILIZED:
        return Want(
            UNDERUTILIZED, f"perhaps, as Underutilized: {detail}; only Karpenter's prices and simulation decide it", wanted.since
        )
    sure = "gone" if wanted.reason != EMPTY or certainty(snapshot, Kind.POD) is Confidence.CERTAIN else "gone, as far as was seen"
    return Want(wanted.reason, f"{sure}, as {wanted.reason}: {detail}", wanted.since)


def _not_wanted(snapshot: Snapshot, nodepool: NodePool, claim: NodeClaim) -> Want:
    ahead, policy = consolidation(snapshot, nodepool, claim), nodepool.spec.disruption.consolidation_policy
    match ahead.stage:
        case Stage.CONSOLIDATABLE:
            return Want("", f"no: its NodePool takes empty nodes alone ({policy}), and it is not empty")
        case Stage.NEVER:
            return Want("", f"no: not drifted, and never consolidated ({ahead.because})")
        case Stage.WAITING if ahead.at:
            said = (
                f"no: may be consolidated from {at_and_distance(snapshot, ahead.at)} on, if no pod comes or goes ({ahead.because})"
            )
            return Want("", said, at=ahead.at)
        case Stage.DUE:
            since = f" since {at(snapshot, ahead.at)}" if ahead.at else ""
            return Want("", f"no: its time has come{since} ({ahead.because}), and Karpenter has not said Consolidatable")
        case Stage.NOT_INITIALIZED:
            return Want("", "no: its NodeClaim is not initialized")
        case _:
            return Want("", f"not drifted; whether it may be consolidated is not known: {ahead.because}", known=False)
