"""What to do about a node that stays."""

import shlex
from collections.abc import Iterator, Sequence

from karpenter_check.disruption.blocker import Blocker, Word
from karpenter_check.disruption.remedies import command, remedies
from karpenter_check.disruption.state_node import StateNode
from karpenter_check.finding import Fix
from karpenter_check.scheduling.nomination import Nominee, Reason, obstacle
from karpenter_check.snapshot import NodeClaim, Snapshot
from karpenter_check.snapshot.node import NODEPOOL_LABEL

_FEW = 3


def steps(snapshot: Snapshot, state: StateNode, blockers: Sequence[Blocker], nominee: Nominee | None) -> tuple[Fix, ...]:
    """The ways to let it go, one for each blocker, in Karpenter's order."""
    first = blockers[:1] if blockers and blockers[0].word is Word.NOT_INITIALIZED else blockers  # the rest follows from that
    found = [step for blocker in first for step in _of(snapshot, state, blocker, nominee)]
    return tuple(dict.fromkeys(found))[:_FEW]


def _of(snapshot: Snapshot, state: StateNode, blocker: Blocker, nominee: Nominee | None) -> Iterator[Fix]:
    match blocker.word:
        case Word.NOT_INITIALIZED:
            claim = state.nodeclaim.name if state.nodeclaim else state.name
            text = "see why whoever should bring that about does not; another node would wait for the same"
            yield Fix("fix", f"kubectl describe nodeclaim {shlex.quote(claim)}", text)
        case Word.NOMINATED:
            yield from _nominated(snapshot, blocker, nominee)
        case Word.MISSING_LABEL | Word.NODEPOOL_NOT_FOUND if state.nodeclaim:
            yield _orphaned(state, state.nodeclaim, blocker)
        case _:
            yield from remedies(blocker)


def _orphaned(state: StateNode, nodeclaim: NodeClaim, blocker: Blocker) -> Fix:
    """The NodePool's label goes back where the NodeClaim tells it; else the node can only be deleted."""
    if blocker.word is Word.MISSING_LABEL and nodeclaim.nodepool and NODEPOOL_LABEL not in state.labels:
        label = shlex.quote(f"{NODEPOOL_LABEL}={nodeclaim.nodepool}")
        return Fix("fix", command("label", blocker.objects[0], label), risk="Karpenter may then disrupt it at once")
    risk = "it is drained, and not replaced by its NodePool"
    return Fix("fix", f"kubectl delete nodeclaim {shlex.quote(nodeclaim.name)}", risk=risk)


def _nominated(snapshot: Snapshot, blocker: Blocker, nominee: Nominee | None) -> Iterator[Fix]:
    pod = next((ref for ref in blocker.objects if ref.kind == "Pod"), None)
    if pod is None:
        return
    if nominee and not nominee.pod.node_name and obstacle(snapshot, nominee).reason is Reason.OTHER_SCHEDULER:
        bare = nominee.pod.metadata.controller is None
        risk = (
            "the pod is a bare one, not made again"
            if bare
            else "its controller makes the pod again: change its schedulerName there"
        )
        yield Fix("fix", command("delete", pod), f'or start the scheduler "{nominee.pod.scheduler_name}"', risk)
        return
    yield Fix("fix", command("describe", pod), "remove what keeps the pod from its node, or the pod")
