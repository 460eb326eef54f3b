"""What to do about a node that stays."""

import shlex
from collections.abc import Iterator, Sequence

from karpenter_check.disruption.blocker import Blocker, Lasts, Word
from karpenter_check.disruption.drain import Held
from karpenter_check.disruption.state_node import StateNode
from karpenter_check.disruption.termination import Phase, Termination
from karpenter_check.finding import Fix
from karpenter_check.scheduling.nomination import Nominee, Reason, obstacle
from karpenter_check.snapshot import NodeClaim, Ref, Snapshot
from karpenter_check.snapshot.node import NODEPOOL_LABEL

_FEW = 3
_ANNOTATION = "karpenter.sh/do-not-disrupt-"


def _command(verb: str, ref: Ref, tail: str = "") -> str:
    where = f"-n {shlex.quote(ref.namespace)} " if ref.namespace else ""
    return f"kubectl {verb} {ref.kind.lower()} {where}{shlex.quote(ref.name)}" + (f" {tail}" if tail else "")


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
        case Word.DO_NOT_DISRUPT_NODE if blocker.objects:
            risk = "Karpenter may then disrupt it at once"
            yield Fix("fix", _command("annotate", blocker.objects[0], _ANNOTATION), risk=risk)
        case Word.DO_NOT_DISRUPT_POD if blocker.objects:
            yield _annotation(blocker.objects[0], endless=blocker.lasts is Lasts.FOR_EVER)
        case Word.MULTIPLE_PDBS:
            names = " ".join(shlex.quote(ref.name) for ref in blocker.objects if ref.kind == "PodDisruptionBudget")
            where = shlex.quote(blocker.objects[0].namespace)
            yield Fix("fix", f"kubectl get poddisruptionbudget -n {where} {names}", "leave one of them that matches these pods")
        case Word.PDB if blocker.objects:
            text = "let it allow one disruption at least: maxUnavailable 1, or more replicas than a minAvailable that is a number"
            text = (
                text
                if blocker.lasts is Lasts.FOR_EVER
                else "see why its pods are not all healthy; it may allow one again by itself"
            )
            yield Fix("fix", _command("describe", blocker.objects[0]), text)
        case Word.BUDGET if blocker.objects:
            wait = "change its spec.disruption.budgets, which never let it go as they are"
            if blocker.lasts is not Lasts.FOR_EVER:
                wait = "change its spec.disruption.budgets, or wait for them"
            risk = "a NodeClaim that is deleted by hand is drained without asking budgets"
            yield Fix("fix", _command("edit", blocker.objects[0]), wait, risk)
        case Word.MISSING_LABEL | Word.NODEPOOL_NOT_FOUND if state.nodeclaim:
            yield _orphaned(state, state.nodeclaim, blocker)
        case _:
            return


def _orphaned(state: StateNode, nodeclaim: NodeClaim, blocker: Blocker) -> Fix:
    """The NodePool's label goes back where the NodeClaim tells it; else the node can only be deleted."""
    if blocker.word is Word.MISSING_LABEL and nodeclaim.nodepool and NODEPOOL_LABEL not in state.labels:
        label = shlex.quote(f"{NODEPOOL_LABEL}={nodeclaim.nodepool}")
        return Fix("fix", _command("label", blocker.objects[0], label), risk="Karpenter may then disrupt it at once")
    risk = "it is drained, and not replaced by its NodePool"
    return Fix("fix", f"kubectl delete nodeclaim {shlex.quote(nodeclaim.name)}", risk=risk)


def _annotation(pod: Ref, *, endless: bool) -> Fix:
    risk = "it may be evicted then" + ("; its owner's template brings the annotation back with the next pod" if endless else "")
    return Fix("fix", _command("annotate", pod, _ANNOTATION), risk=risk)


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
        yield Fix("fix", _command("delete", pod), f'or start the scheduler "{nominee.pod.scheduler_name}"', risk)
        return
    yield Fix("fix", _command("describe", pod), "remove what keeps the pod from its node, or the pod")


def ways_to_end(termination: Termination) -> tuple[Fix, ...]:
    """The ways to end a termination that hangs."""
    found: list[Fix] = [_of_held(entry) for entry in termination.held if entry.by and entry.turn]
    if termination.phase is Phase.VOLUMES:
        text = "see which of its volumes are left, and why whoever attached them does not detach them"
        found.append(Fix("fix", "kubectl get volumeattachments", text))
    if termination.phase is Phase.OTHER_FINALIZERS:
        found.append(Fix("fix", text=f"see why whoever set {', '.join(termination.finalizers)} does not take it away"))
    ways = list(dict.fromkeys(found))[:_FEW]
    if termination.forced_end is None and any(entry.by and entry.turn for entry in termination.held):
        ways.append(
            Fix("or", text="a terminationGracePeriod in the NodePool's template ends such drains, of nodes made from then on")
        )
    return tuple(ways)


def _of_held(entry: Held) -> Fix:
    metadata = entry.pod.metadata
    ref = Ref("Pod", metadata.name, "v1", metadata.namespace)
    if "do-not-disrupt" in entry.by:
        return Fix("fix", _command("annotate", ref, _ANNOTATION), risk="Karpenter then evicts it, and the drain goes on")
    if "which eviction refuses" in entry.by:
        return Fix(
            "fix", f"kubectl get poddisruptionbudget -n {shlex.quote(metadata.namespace)}", "leave one of them that matches the pod"
        )
    return Fix("fix", f"kubectl get poddisruptionbudget -n {shlex.quote(metadata.namespace)}", "see why it allows none now")
