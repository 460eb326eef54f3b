"""What would hold a drain of a node for ever, whenever the drain begins.

Karpenter asks before a disruption (`pod_blockers`), the API server as pods are evicted (`drain`). Here both say the same: nothing that
they name goes by itself. Source: `node/termination/terminator` (1.0 to 1.14), k8s.io/kubernetes `eviction.go`.
"""

from karpenter_check.disruption.blocker import Blocker, Lasts, Word
from karpenter_check.disruption.drain import held_pods
from karpenter_check.disruption.eviction import budget_ref, budgets_of
from karpenter_check.disruption.pod_blockers import pod_blockers
from karpenter_check.disruption.pods import says_do_not_disrupt
from karpenter_check.scheduling.nomination import pod_ref
from karpenter_check.snapshot import Node, Pod, Ref, Snapshot
from karpenter_check.snapshot.counted import few


def endless(snapshot: Snapshot, node: Node) -> tuple[Blocker, ...]:
    """The pods and PodDisruptionBudgets that hold every drain of the node until somebody acts; nothing that may end by itself.

    Left out are pods that a drain does not wait for (static, finished, tolerating the disrupted taint), that evictions are not asked
    for (Pending), that finish (of Jobs), and of which it is not known whether they do (bare ones, of operators).
    """
    now, version = snapshot.taken_at, snapshot.karpenter_version
    held = {pod_ref(entry.pod): entry for entry in held_pods(snapshot, node.name) if entry.by}
    together: dict[tuple[Ref, ...], list[Pod]] = {}
    for entry in held.values():
        budgets = () if says_do_not_disrupt(entry.pod, now, version) else budgets_of(snapshot, entry.pod)
        if len(budgets) > 1:
            together.setdefault(tuple(map(budget_ref, budgets)), []).append(entry.pod)
    several = {pod_ref(pod) for pods in together.values() for pod in pods}
    lasting = [
        blocker
        for blocker in pod_blockers(snapshot, node)
        if blocker.word is not Word.MULTIPLE_PDBS
        and blocker.lasts is Lasts.FOR_EVER
        and any(ref in held and ref not in several for ref in blocker.objects)
    ]
    return (*lasting, *(_refused(refs, pods) for refs, pods in together.items()))


def _refused(budgets: tuple[Ref, ...], pods: list[Pod]) -> Blocker:
    """Budgets that match pods together: eviction refuses that, of whatever version Karpenter is."""
    names, refs = " and ".join(ref.name for ref in budgets), tuple(map(pod_ref, pods))
    said = f"PodDisruptionBudgets {names} match {few(refs, 1)} together, and eviction refuses that"
    return Blocker(Word.MULTIPLE_PDBS, said, (*budgets, *refs), lasts=Lasts.FOR_EVER)
