"""How to let a node go that something keeps: the way out for each blocker, and for each pod that holds a drain."""

import shlex
from collections.abc import Iterator

from karpenter_check.disruption.blocker import Blocker, Lasts, Word
from karpenter_check.disruption.drain import Held
from karpenter_check.disruption.termination import Phase, Termination
from karpenter_check.finding import Fix
from karpenter_check.snapshot import Ref

_FEW = 3
_GROUPS = frozenset({"", "apps", "batch", "policy", "karpenter.sh"})
"""Whose kinds kubectl knows by their short names; others, such as a DaemonSet of apps.kruise.io, have to name theirs."""
_ANNOTATION = "karpenter.sh/do-not-disrupt-"


def command(verb: str, ref: Ref, tail: str = "") -> str:
    """What to type to have kubectl do something with one object."""
    group = ref.api_version.rpartition("/")[0]
    kind = ref.kind.lower() if group in _GROUPS or ref.kind.endswith("NodeClass") else f"{ref.kind.lower()}.{group}"
    where = f"-n {shlex.quote(ref.namespace)} " if ref.namespace else ""
    return f"kubectl {verb} {kind} {where}{shlex.quote(ref.name)}" + (f" {tail}" if tail else "")


def remedies(blocker: Blocker) -> Iterator[Fix]:
    """The way out of what somebody wrote: annotations, PodDisruptionBudgets, budgets. Nothing for the other blockers."""
    match blocker.word:
        case Word.DO_NOT_DISRUPT_NODE if blocker.objects:
            risk = "Karpenter may then disrupt it at once"
            yield Fix("fix", command("annotate", blocker.objects[0], _ANNOTATION), risk=risk)
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
            yield Fix("fix", command("describe", blocker.objects[0]), text)
        case Word.BUDGET if blocker.objects:
            wait = "change its spec.disruption.budgets, which never let it go as they are"
            if blocker.lasts is not Lasts.FOR_EVER:
                wait = "change its spec.disruption.budgets, or wait for them"
            risk = "a NodeClaim that is deleted by hand is drained without asking budgets"
            yield Fix("fix", command("edit", blocker.objects[0]), wait, risk)
        case _:
            return


def _annotation(pod: Ref, *, endless: bool) -> Fix:
    risk = "it may be evicted then" + ("; its owner's template brings the annotation back with the next pod" if endless else "")
    return Fix("fix", command("annotate", pod, _ANNOTATION), risk=risk)


def ways_to_end(termination: Termination) -> tuple[Fix, ...]:
    """The ways to end a termination that hangs."""
    found: list[Fix] = [_of_held(entry) for entry in termination.held if entry.by and (entry.turn or entry.for_ever)]
    if termination.phase is Phase.VOLUMES:
        text = "see which of its volumes are left, and why whoever attached them does not detach them"
        awaited = termination.attached.awaited if termination.attached else ()
        name = shlex.quote(awaited[0].metadata.name) if awaited else ""
        found.append(Fix("fix", f"kubectl describe volumeattachment {name}" if name else "kubectl get volumeattachments", text))
    if termination.phase is Phase.OTHER_FINALIZERS:
        found.append(Fix("fix", text=f"see why whoever set {', '.join(termination.finalizers)} does not take it away"))
    ways = list(dict.fromkeys(found))[:_FEW]
    if termination.forced_end is None and any(entry.by and (entry.turn or entry.for_ever) for entry in termination.held):
        ways.append(
            Fix("or", text="a terminationGracePeriod in the NodePool's template ends such drains, of nodes made from then on")
        )
    return tuple(ways)


def by_hand(entry: Held) -> Fix:
    """The way to end what a pod holds at once: to delete the pod."""
    metadata = entry.pod.metadata
    said = "this goes around its PodDisruptionBudget" if entry.budgets else "the pod asked not to be disturbed"
    again = "its controller makes it again elsewhere" if metadata.controller else "it is a bare pod and is not made again"
    ref = Ref("Pod", metadata.name, "v1", metadata.namespace)
    return Fix("stop", command("delete", ref), risk=f"{said}: ask its owner first; {again}")


def _of_held(entry: Held) -> Fix:
    metadata = entry.pod.metadata
    ref = Ref("Pod", metadata.name, "v1", metadata.namespace)
    if not entry.budgets:
        return Fix("fix", command("annotate", ref, _ANNOTATION), risk="Karpenter then evicts it, and the drain goes on")
    if len(entry.budgets) > 1:
        names = " ".join(shlex.quote(budget.name) for budget in entry.budgets)
        asked = f"kubectl get poddisruptionbudget -n {shlex.quote(metadata.namespace)} {names}"
        return Fix("fix", asked, "leave one of them that matches the pod")
    text = "let it allow one disruption at least" if entry.for_ever else "see why it allows none now"
    return Fix("fix", command("describe", entry.budgets[0]), text)
