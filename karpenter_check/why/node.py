"""Why is this node still here, or why is it gone?"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from karpenter_check.disruption.blocker import Blocker, Word
from karpenter_check.disruption.blockers import blockers
from karpenter_check.disruption.expiry import died_of_expiry
from karpenter_check.disruption.remedies import ways_to_end
from karpenter_check.disruption.state_node import StateNode, state_node
from karpenter_check.disruption.termination import Termination, termination
from karpenter_check.finding import Fix
from karpenter_check.scheduling.nomination import Nominee, nominees
from karpenter_check.snapshot import Kind, NodePool, Snapshot, Status
from karpenter_check.why.node_advice import steps
from karpenter_check.why.node_checks import Check, Mark, checks, unasked
from karpenter_check.why.node_gone import GoneNode, gone_node
from karpenter_check.why.node_kept import ORPHANED, ends, kept
from karpenter_check.why.node_runs import Runs, runs_on
from karpenter_check.why.node_said import NodeSaid, node_said
from karpenter_check.why.node_subject import kind_and_name, node_meant, nothing
from karpenter_check.why.node_wanted import Want, wants


@dataclass(frozen=True)
class NodeAnswer:
    """All that a snapshot tells of why a node is still here."""

    state: StateNode
    nodepool: NodePool | None
    foreign: str
    """Why it is not Karpenter's, or why that is not known; the rest is then left empty, but for what runs there."""
    runs: Runs
    wanted: Want | None
    """None where it is being deleted already."""
    checks: tuple[Check, ...]
    """In Karpenter's order; none where it is being deleted already."""
    termination: Termination | None
    expired: bool
    """Whether it is being deleted, and nothing but its expiry explains that."""
    nominee: Nominee | None
    """The pod that it is kept for."""
    kept: str
    """The conclusion, in a sentence."""
    said: tuple[NodeSaid, ...]
    fix: tuple[Fix, ...]
    unseen: tuple[str, ...]
    """Kinds that were not seen, or not whole, and why."""


def why_node(snapshot: Snapshot, name: str) -> NodeAnswer | GoneNode:
    """The answer for the node or NodeClaim of that name, `KIND/NAME` too. Raises `subject.NotFound`."""
    kind, bare = kind_and_name(name)
    state = node_meant(snapshot, kind, bare)
    if state is None:
        gone = gone_node(snapshot, kind, bare)
        if gone is None:
            raise nothing(snapshot, name, bare)
        if gone.node not in snapshot.nodes_by_name or not gone.one:
            return gone
        state = state_node(snapshot, snapshot.nodes_by_name[gone.node])  # its NodeClaim alone is gone, or was not seen
    of = state.nodeclaim or state.node
    ending = termination(snapshot, of) if of else None
    return _foreign(snapshot, state, ending) if state.nodeclaim is None else _answer(snapshot, state, ending)


def _unseen(snapshot: Snapshot) -> tuple[str, ...]:
    kinds = (Kind.NODE, Kind.NODECLAIM, Kind.NODEPOOL, Kind.POD, Kind.PODDISRUPTIONBUDGET, Kind.EVENT)
    return tuple(f"{kind}: {coverage}" for kind in kinds if (coverage := snapshot.covered(kind)).status is not Status.COMPLETE)


def _foreign(snapshot: Snapshot, state: StateNode, ending: Termination | None) -> NodeAnswer:
    said = "; ".join(blocker.said for blocker in blockers(snapshot, state.node)) if state.node else ""
    pool = snapshot.nodepools_by_name.get(state.node.nodepool) if state.node else None
    return NodeAnswer(state, pool, said, runs_on(snapshot, state), None, (), ending, False, None, "", (), (), _unseen(snapshot))


def _answer(snapshot: Snapshot, state: StateNode, ending: Termination | None) -> NodeAnswer:
    pool = snapshot.nodepools_by_name.get(state.labels.get("karpenter.sh/nodepool", ""))
    wanted, asked = (None, ()) if ending else _freest(snapshot, state, pool)
    blocking = [check.blocker for check in asked if check.mark is Mark.BLOCKS and check.blocker]
    nominee = _nominee(snapshot, blocking)
    words = [Word.TERMINATING] if ending else [blocker.word for blocker in blocking]
    silent = unasked(state, wanted.reason, asked) if wanted else {}
    since = wanted.since if wanted else None
    said = tuple(node_said(snapshot, state, pool, words, unasked=silent, since=since, terminating=ending is not None))
    expired = bool(ending and state.nodeclaim and died_of_expiry(snapshot, state.nodeclaim))
    if ending:
        why, fix = ends(snapshot, ending), ways_to_end(ending)
    else:
        why = kept(snapshot, state, wanted, asked, blocking, nominee, said) if wanted else ""
        matters = bool(wanted and (wanted.reason or any(blocker.word in {Word.NOT_INITIALIZED, *ORPHANED} for blocker in blocking)))
        fix = steps(snapshot, state, blocking, nominee) if matters else ()
    return NodeAnswer(
        state, pool, "", runs_on(snapshot, state), wanted, asked, ending, expired, nominee, why, said, fix, _unseen(snapshot)
    )


def _freest(snapshot: Snapshot, state: StateNode, pool: NodePool | None) -> tuple[Want, tuple[Check, ...]]:
    """Why it is wanted gone, and the checks of the reason that nothing keeps it from; of the first one where each is kept."""
    ways = [(want, checks(snapshot, state, pool, want.reason)) for want in wants(snapshot, state, pool)]
    free = (way for way in ways if not any(check.mark is Mark.BLOCKS for check in way[1]))
    first, (chosen, asked) = ways[0][0], next(free, ways[0])
    return (chosen if chosen is first else replace(chosen, said=f"{first.said}; also {chosen.said}")), asked


def _nominee(snapshot: Snapshot, blocking: Sequence[Blocker]) -> Nominee | None:
    """The pod that the node is kept for, where one was seen."""
    meant = next(
        (ref for blocker in blocking if blocker.word is Word.NOMINATED for ref in blocker.objects if ref.kind == "Pod"), None
    )
    return next(
        (
            nominee
            for nominee in nominees(snapshot).values()
            if meant and (nominee.pod.metadata.namespace, nominee.pod.metadata.name) == (meant.namespace, meant.name)
        ),
        None,
    )
