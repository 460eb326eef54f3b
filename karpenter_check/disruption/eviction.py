"""PodDisruptionBudgets: which ones match a pod, whether they let it be evicted, and what they can ever allow.

Two ask: Karpenter, before it disrupts a node (`pkg/utils/pdb`), and the API server, when Karpenter evicts a pod (k8s.io/kubernetes
`pkg/registry/core/pod/storage/eviction.go`, v1.36). Their answers differ.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from karpenter_check.snapshot import Pod, Ref, Snapshot
from karpenter_check.snapshot.metadata import condition
from karpenter_check.snapshot.once import once
from karpenter_check.snapshot.selector import LabelSelector
from karpenter_check.snapshot.workload import PodDisruptionBudget

_Pair: TypeAlias = tuple[str, str | None]
"""A label's key and value; without a value, any."""
_Ranked: TypeAlias = tuple[int, PodDisruptionBudget]
"""A budget and its place in the list."""


def _asked(selector: LabelSelector) -> Iterator[tuple[_Pair, ...]]:
    """For each requirement of the selector, the pairs of which a pod must have one to satisfy it; not so of NotIn and DoesNotExist."""
    for key, value in selector.match_labels.items():
        yield ((key, value),)
    for requirement in selector.match_expressions:
        if requirement.operator == "In":
            yield tuple((requirement.key, value) for value in dict.fromkeys(requirement.values))
        elif requirement.operator == "Exists":
            yield ((requirement.key, None),)


class _Namespace:
    """The budgets of a namespace, found by the rarest thing that each asks of a pod's labels."""

    def __init__(self, budgets: Sequence[_Ranked]) -> None:
        asked = [(entry, list(_asked(entry[1].spec.selector or LabelSelector()))) for entry in budgets]
        shared = Counter(pair for _, alternatives in asked for pairs in alternatives for pair in pairs)
        self._found: dict[_Pair, list[_Ranked]] = defaultdict(list)
        self._rest: list[_Ranked] = []
        self._known: dict[int, tuple[Mapping[str, str], tuple[PodDisruptionBudget, ...]]] = {}
        for entry, alternatives in asked:
            if not alternatives:
                self._rest.append(entry)
                continue
            for pair in min(
                alternatives, key=lambda pairs: (sum(shared[pair] for pair in pairs), any(value is None for _, value in pairs))
            ):
                self._found[pair].append(entry)

    def matching(self, labels: Mapping[str, str]) -> tuple[PodDisruptionBudget, ...]:
        """The budgets that match, in the order of the list. Pods of one workload have the very same labels, and are asked for once."""
        if id(labels) not in self._known:
            self._known[id(labels)] = (labels, self._matching(labels))
        return self._known[id(labels)][1]

    def _matching(self, labels: Mapping[str, str]) -> tuple[PodDisruptionBudget, ...]:
        candidates = list(self._rest)
        for key, value in labels.items():
            candidates += self._found.get((key, value), ())
            candidates += self._found.get((key, None), ())
        matching = [(rank, budget) for rank, budget in candidates if budget.spec.selector and budget.spec.selector.matches(labels)]
        return tuple(budget for _, budget in sorted(matching, key=lambda entry: entry[0]))


@once
def _namespaces(snapshot: Snapshot) -> Mapping[str, _Namespace]:
    found: dict[str, list[_Ranked]] = defaultdict(list)
    for rank, budget in enumerate(snapshot.poddisruptionbudgets):
        if budget.spec.selector is not None:
            found[budget.metadata.namespace].append((rank, budget))
    return {namespace: _Namespace(budgets) for namespace, budgets in found.items()}


def budgets_of(snapshot: Snapshot, pod: Pod) -> tuple[PodDisruptionBudget, ...]:
    """The PodDisruptionBudgets whose selector matches the pod, in its namespace, in the order of the list.

    A missing selector matches nothing, an empty one every pod of the namespace.
    """
    namespace = _namespaces(snapshot).get(pod.metadata.namespace)
    return namespace.matching(pod.metadata.labels) if namespace else ()


@dataclass(frozen=True)
class Guarded:
    """Pods, and the PodDisruptionBudgets that match them."""

    budgets: tuple[PodDisruptionBudget, ...]
    pods: tuple[Pod, ...]


@once
def guarded(snapshot: Snapshot) -> tuple[Guarded, ...]:
    """The pods that neither have finished nor are being deleted and that PodDisruptionBudgets match, together by all that match them."""
    found: dict[tuple[int, ...], tuple[tuple[PodDisruptionBudget, ...], list[Pod]]] = {}
    for pod in snapshot.pods:
        if (budgets := budgets_of(snapshot, pod)) and pod.active:
            found.setdefault(tuple(map(id, budgets)), (budgets, []))[1].append(pod)
    return tuple(Guarded(budgets, tuple(pods)) for budgets, pods in found.values())


def budget_ref(budget: PodDisruptionBudget) -> Ref:
    """The reference of a PodDisruptionBudget."""
    return Ref("PodDisruptionBudget", budget.metadata.name, "policy/v1", budget.metadata.namespace)


def keeps_from_disruption(budget: PodDisruptionBudget, pod: Pod) -> bool:
    """Whether the budget keeps Karpenter from disrupting the pod's node now (`utils/pdb:Limits.isEvictable`).

    With AlwaysAllow it does not for a pod whose Ready condition is False.
    """
    lenient = budget.spec.unhealthy_pod_eviction_policy == "AlwaysAllow" and pod.unready
    return budget.status.disruptions_allowed == 0 and not lenient


def keeps_from_eviction(budget: PodDisruptionBudget, pod: Pod) -> bool:
    """Whether the API server refuses to evict the pod now because of this budget, the only one that matches (`EvictionREST.Create`).

    A pod that is not ready goes with AlwaysAllow, and with IfHealthyBudget, the default, if as many others as are wanted are healthy.
    A pod that is Pending, has finished or is being deleted goes without being asked for (`canIgnorePDB`).
    """
    if pod.phase == "Pending" or not pod.active or budget.status.disruptions_allowed > 0:
        return False
    status = budget.status
    healthy = 0 < status.desired_healthy <= status.current_healthy
    return pod.ready or not (budget.spec.unhealthy_pod_eviction_policy == "AlwaysAllow" or healthy)


def closed_since(budget: PodDisruptionBudget) -> datetime | None:
    """Since when the budget allows no disruption, by its own condition (`UpdateDisruptionAllowedCondition`); None where that is not said."""
    said = condition(budget.status.conditions, "DisruptionAllowed")
    return said.last_transition_time if said and said.status == "False" else None


@dataclass(frozen=True)
class NeverAllows:
    """Why a PodDisruptionBudget, as it is written, allows no disruption even when all of its pods are healthy."""

    field: str
    """Its field that says so, with its value, as in `maxUnavailable: 0`."""
    because: str
    by_number: bool = False
    """Whether that is so only for the number of pods that are wanted now."""
    fully_blocking: bool = False
    """Whether Karpenter takes it for such itself, and since 1.4 makes no room for its pods elsewhere (`utils/pdb:newPdb`)."""


def _percentage(value: int | str | None) -> int | None:
    return int(value[:-1]) if isinstance(value, str) and value.endswith("%") and value[:-1].isdecimal() else None


def never_allows(budget: PodDisruptionBudget, *, wanted: int = 0) -> NeverAllows | None:
    """Why the budget can never allow a disruption, by its spec and the number of pods that are wanted; None where it can.

    `wanted` is the number of pods that its workload wants, where that is known: `status.expectedPods` may be those that are there. The
    disruption controller rounds both percentages up (k8s.io/kubernetes `pkg/controller/disruption:getExpectedPodCount`, v1.36).
    """
    maximum, minimum, pods = budget.spec.max_unavailable, budget.spec.min_available, max(budget.status.expected_pods, wanted)
    if maximum is not None:
        nothing = maximum == 0 or _percentage(maximum) == 0
        because = "no pod may be unavailable"
        return NeverAllows(f"maxUnavailable: {maximum}", because, fully_blocking=maximum in {0, "0%"}) if nothing else None
    share = _percentage(minimum)
    if share is not None and share >= 100:
        return NeverAllows(f"minAvailable: {minimum}", "every pod must be available", fully_blocking=minimum == "100%")
    needed = minimum if isinstance(minimum, int) else -(-share * pods // 100) if share is not None else 0
    if not 0 < pods <= needed:
        return None
    return NeverAllows(f"minAvailable: {minimum}", f"{needed} must be available, of {pods} wanted in all", by_number=True)
