"""What a draining node waits for, and until when.

Source: `node/termination/terminator/terminator.go` (1.14).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from karpenter_check.disruption.blocker import Lasts
from karpenter_check.disruption.eviction import NeverAllows, budget_ref, budgets_of, keeps_from_eviction, never_allows
from karpenter_check.disruption.expiry import forced_end
from karpenter_check.disruption.pod_blockers import annotated
from karpenter_check.disruption.pods import (
    STUCK_AFTER,
    do_not_disrupt_until,
    is_evictable,
    is_owned_by,
    is_waited_for,
    says_do_not_disrupt,
)
from karpenter_check.snapshot import Pod, Ref, Snapshot, Version
from karpenter_check.snapshot.duration import later
from karpenter_check.snapshot.workload import PodDisruptionBudget

_CRITICAL = frozenset({"system-cluster-critical", "system-node-critical"})
_WAITS_BY_TIER = Version(1, 1)
"""Before, pods that are not evicted did not hold back the tiers behind them."""
_HURRIES = Version(1, 6)
"""Since then a pod that is being deleted, but too slowly, is deleted again with less grace."""
_NUMBERS = {2: "two", 3: "three", 4: "four"}


@dataclass(frozen=True)
class Held:
    """A pod that a drain waits for, and what keeps it there; nothing, where it is merely on its way out."""

    pod: Pod
    by: str
    """Empty where nothing that was seen keeps it."""
    for_ever: bool
    """Whether it stays until somebody acts: not where a PodDisruptionBudget may allow an eviction later, nor what may finish by itself."""
    tier: int = 1
    """1 to 4, in the order in which they are evicted: ordinary pods, ordinary DaemonSet pods, critical pods, critical DaemonSet pods."""
    turn: bool = True
    """Whether Karpenter has come to its tier; those behind wait until every pod of it is gone."""
    until: datetime | None = None
    """When it is waited for no more, or what keeps it runs out, by itself."""
    forced: datetime | None = None
    """When Karpenter deletes it whatever keeps it: its own grace before the node's forced end. It may lie in the past."""
    budgets: tuple[Ref, ...] = ()
    """The PodDisruptionBudgets that keep it; where something keeps it and there is none, its own do-not-disrupt annotation does."""


def tier(pod: Pod) -> int:
    """Its place in the order of eviction, 1 to 4 (`groupPodsByPriority`)."""
    return 1 + is_owned_by(pod, "apps/v1", "DaemonSet") + 2 * (pod.priority_class_name in _CRITICAL)


def _forced(pod: Pod, deadline: datetime | None, version: Version | None) -> datetime | None:
    """When the pod is deleted by force (`podDeleteTimeWithGracePeriod`, `IsPodEligibleForForcedEviction`)."""
    ends, grace = pod.metadata.deletion_timestamp, pod.termination_grace_period_seconds
    if deadline is None or grace is None or (ends and (ends <= deadline or (version and version < _HURRIES))):
        return None
    try:
        return deadline - timedelta(seconds=grace)
    except OverflowError:
        return datetime.min.replace(tzinfo=deadline.tzinfo)  # the author means for ever: it is due at once


def _never(snapshot: Snapshot, budget: PodDisruptionBudget, pod: Pod) -> NeverAllows | None:
    """Why the budget never lets the pod go; where only a number says so, its workload must want just the pods that the budget counts."""
    wanted = snapshot.desired_replicas(snapshot.owner(pod))
    never = never_allows(budget, wanted=wanted or 0)
    unsure = never and never.by_number and (wanted is None or budget.status.expected_pods > wanted)
    return None if unsure else never


def _keeper(snapshot: Snapshot, pod: Pod) -> tuple[str, bool, datetime | None, tuple[Ref, ...]]:
    """What keeps a pod that is not being deleted, whether for ever, until when, and the PodDisruptionBudgets among it."""
    if says_do_not_disrupt(pod, snapshot.taken_at, snapshot.karpenter_version):
        said, lasts = f'karpenter.sh/do-not-disrupt: "{pod.metadata.annotations.do_not_disrupt}"', annotated(snapshot, pod).lasts
        return said, lasts is Lasts.FOR_EVER, do_not_disrupt_until(pod), ()
    budgets = () if pod.phase == "Pending" else budgets_of(snapshot, pod)
    refs = tuple(map(budget_ref, budgets))
    if len(budgets) > 1:
        names = " and ".join(sorted(ref.name for ref in refs))
        count = _NUMBERS.get(len(budgets), str(len(budgets)))
        return f"{count} PodDisruptionBudgets ({names}), which eviction refuses", True, None, refs
    if budgets and keeps_from_eviction(budgets[0], pod):
        never = _never(snapshot, budgets[0], pod)
        allows = f"never allows a disruption ({never.field})" if never else "allows no disruption now"
        return f"PodDisruptionBudget {refs[0].name}, which {allows}", never is not None, None, refs
    return "", False, None, ()


def held_pods(snapshot: Snapshot, node_name: str) -> tuple[Held, ...]:
    """The pods that the node's drain waits for, those that never leave by themselves first.

    do-not-disrupt pods are waited for and never evicted (`node/termination/terminator`); the eviction API refuses a pod that
    two PodDisruptionBudgets match. It asks no budget for a pod that is Pending (k8s.io/kubernetes `eviction.go:canIgnorePDB`),
    and nothing holds a pod that is being deleted; a minute after its time is over it is waited for no more.
    """
    now, version = snapshot.taken_at, snapshot.karpenter_version
    claim = snapshot.nodeclaim_of_node.get(node_name)
    deadline = forced_end(claim) if claim else None
    waiting = [pod for pod in snapshot.pods_on_node.get(node_name, ()) if is_waited_for(pod, now, version)]
    by_tier = version is None or version >= _WAITS_BY_TIER
    turn = min((tier(pod) for pod in waiting if by_tier or is_evictable(pod, now, version)), default=1)
    held = []
    for pod in waiting:
        ends = pod.metadata.deletion_timestamp
        by, for_ever, until, budgets = ("", False, later(ends, STUCK_AFTER), ()) if ends else _keeper(snapshot, pod)
        held.append(Held(pod, by, for_ever, tier(pod), tier(pod) == turn, until, _forced(pod, deadline, version), budgets))
    return tuple(
        sorted(held, key=lambda entry: (not entry.for_ever, not entry.by, entry.pod.metadata.namespace, entry.pod.metadata.name))
    )
