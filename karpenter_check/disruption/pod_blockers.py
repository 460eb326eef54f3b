"""The pods that keep Karpenter from disrupting their node.

Source: `statenode.go:ValidatePodsDisruptable`, `pkg/utils/pdb` (1.13, 1.14).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from karpenter_check.disruption.blocker import Blocker, Lasts, Word, certainty, unknown
from karpenter_check.disruption.eviction import budget_ref, budgets_of, closed_since, keeps_from_disruption, never_allows
from karpenter_check.disruption.pods import do_not_disrupt_until, is_disruptable, is_evictable
from karpenter_check.finding import Confidence
from karpenter_check.scheduling.nomination import node_ref, pod_ref
from karpenter_check.snapshot import Kind, Node, Pod, Ref, Snapshot, Version
from karpenter_check.snapshot.counted import few
from karpenter_check.snapshot.workload import PodDisruptionBudget

_REFUSES_SEVERAL = Version(1, 7)
"""Before, Karpenter did not mind that several PodDisruptionBudgets match a pod, which eviction then refused."""
_ENDLESS = frozenset({"ReplicaSet", "StatefulSet", "DaemonSet", "ReplicationController", "Node"})
"""Controllers of pods that never finish."""


@dataclass(frozen=True)
class _Keeping:
    """PodDisruptionBudgets, and the pods of one node that they keep."""

    budgets: tuple[PodDisruptionBudget, ...]
    pods: list[Pod] = field(default_factory=list)


def pod_blockers(snapshot: Snapshot, node: Node) -> tuple[Blocker, ...]:
    """The pods with an active do-not-disrupt annotation, and the PodDisruptionBudgets that keep others, in Karpenter's order.

    Karpenter asks DaemonSet pods and static pods for the annotation, too; for PodDisruptionBudgets only what it would evict.
    """
    if certainty(snapshot, Kind.POD) is None:
        return (unknown(snapshot, "whether a pod keeps it", Kind.POD, node_ref(node.name)),)
    now, version = snapshot.taken_at, snapshot.karpenter_version
    pods = snapshot.pods_on_node.get(node.name, ())
    held = [annotated(snapshot, pod) for pod in pods if not is_disruptable(pod, now, version)]
    evicted = [pod for pod in pods if is_evictable(pod, now, version)]
    return (*held, *_budgets(snapshot, evicted))


def annotated(snapshot: Snapshot, pod: Pod) -> Blocker:
    """A pod that says do-not-disrupt; one that finishes some day takes its word with it."""
    value, controller, ref = pod.metadata.annotations.do_not_disrupt, pod.metadata.controller, pod_ref(pod)
    said = f'{ref} says karpenter.sh/do-not-disrupt: "{value}"'
    if value == "true":
        lasts = Lasts.UNKNOWN
        if controller:
            lasts = Lasts.FOR_EVER if controller.kind in _ENDLESS else Lasts.MAY_END if controller.kind == "Job" else Lasts.UNKNOWN
        return Blocker(Word.DO_NOT_DISRUPT_POD, said, (ref,), lasts=lasts)
    known = snapshot.karpenter_version is not None
    if not known:
        said += ", a duration, which Karpenter knows since 1.12; which version runs is not known"
    confidence = Confidence.CERTAIN if known else Confidence.POSSIBLE
    return Blocker(Word.DO_NOT_DISRUPT_POD, said, (ref,), confidence, until=do_not_disrupt_until(pod))


def _budgets(snapshot: Snapshot, pods: Sequence[Pod]) -> Iterator[Blocker]:
    """The PodDisruptionBudgets that keep these pods, each with its pods: first those that match a pod together."""
    together: dict[tuple[Ref, ...], _Keeping] = {}
    alone: dict[Ref, _Keeping] = {}
    version = snapshot.karpenter_version
    for pod in pods:
        budgets = budgets_of(snapshot, pod)
        if len(budgets) > 1 and (version is None or version >= _REFUSES_SEVERAL):
            together.setdefault(tuple(map(budget_ref, budgets)), _Keeping(budgets)).pods.append(pod)
            continue
        for budget in budgets:
            if keeps_from_disruption(budget, pod):
                alone.setdefault(budget_ref(budget), _Keeping((budget,))).pods.append(pod)
    yield from (_several(refs, keeping, known=version is not None) for refs, keeping in together.items())
    yield from (_single(snapshot, ref, keeping) for ref, keeping in alone.items())
    if pods and certainty(snapshot, Kind.PODDISRUPTIONBUDGET) is None:
        yield unknown(snapshot, "whether PodDisruptionBudgets keep its pods", Kind.PODDISRUPTIONBUDGET)


def _several(refs: tuple[Ref, ...], keeping: _Keeping, *, known: bool) -> Blocker:
    """Budgets that match a pod together, whatever each allows. Of an unknown version it is sure where one of them allows nothing."""
    pods = tuple(map(pod_ref, keeping.pods))
    sure = known or any(keeps_from_disruption(budget, pod) for budget in keeping.budgets for pod in keeping.pods)
    names = " and ".join(ref.name for ref in refs)
    said = f"PodDisruptionBudgets {names} match {few(pods, 1)} together, and eviction refuses that"
    if not sure:
        said += "; Karpenter minds it since 1.7, and which version runs is not known"
    made = [budget.metadata.creation_timestamp for budget in keeping.budgets]
    since = sorted(time for time in made if time)[1] if None not in made else None  # from the second one on
    confidence = Confidence.CERTAIN if sure else Confidence.POSSIBLE
    return Blocker(Word.MULTIPLE_PDBS, said, (*refs, *pods), confidence, Lasts.FOR_EVER, since)


def _single(snapshot: Snapshot, ref: Ref, keeping: _Keeping) -> Blocker:
    """A budget that allows nothing now. With the number of its pods it may only seem to allow nothing ever: not all may be there."""
    (budget,) = keeping.budgets
    pods, status = tuple(map(pod_ref, keeping.pods)), budget.status
    desired = [snapshot.desired_replicas(snapshot.owner(pod)) for pod in keeping.pods]
    never = never_allows(budget, wanted=max((number for number in desired if number), default=0))
    said = f"{ref} allows no disruption of {few(pods, 1)} now"
    if never:
        said += f", nor ever: {never.field}, {never.because}"
    elif status.desired_healthy:
        said += f": {status.current_healthy} healthy, {status.desired_healthy} must be"
    lasts = Lasts.MAY_END
    if never:
        lasts = Lasts.UNKNOWN if never.by_number and None in desired else Lasts.FOR_EVER
    return Blocker(Word.PDB, said, (ref, *pods), lasts=lasts, since=closed_since(budget))
