"""What a draining node waits for."""

from dataclasses import dataclass

from karpenter_check.disruption.pods import budgets_of, is_waited_for, says_do_not_disrupt
from karpenter_check.snapshot import Pod, Snapshot
from karpenter_check.snapshot.workload import PodDisruptionBudget


@dataclass(frozen=True)
class Held:
    """A pod that a drain waits for, and what keeps it there; nothing, where it is merely on its way out."""

    pod: Pod
    by: str
    for_ever: bool
    """Whether it stays until somebody acts; a PodDisruptionBudget may allow an eviction later."""


def _allows_nothing(budget: PodDisruptionBudget, pod: Pod) -> bool:
    """Whether the budget keeps this pod now; with AlwaysAllow it lets go of pods that are not ready (`pkg/utils/pdb`)."""
    lenient = budget.spec.unhealthy_pod_eviction_policy == "AlwaysAllow" and not pod.ready
    return budget.status.disruptions_allowed == 0 and not lenient


def held_pods(snapshot: Snapshot, node_name: str) -> tuple[Held, ...]:
    """The pods that the node's drain waits for, those that never leave by themselves first.

    do-not-disrupt pods are waited for and never evicted (`node/termination/terminator`); the eviction API refuses a pod that
    two PodDisruptionBudgets match. It asks no budget for a pod that is Pending (k8s.io/kubernetes `eviction.go:canIgnorePDB`),
    and nothing holds a pod that is being deleted.
    """
    held = []
    for pod in snapshot.pods_on_node.get(node_name, ()):
        if not is_waited_for(pod, snapshot.taken_at):
            continue
        leaving = pod.metadata.deletion_timestamp is not None
        budgets = () if leaving or pod.phase == "Pending" else budgets_of(snapshot, pod)
        blocking = next((budget for budget in budgets if _allows_nothing(budget, pod)), None)
        if not leaving and says_do_not_disrupt(pod, snapshot.taken_at, snapshot.karpenter_version):
            value = pod.metadata.annotations.do_not_disrupt
            held.append(Held(pod, f'karpenter.sh/do-not-disrupt: "{value}"', value == "true"))
        elif len(budgets) > 1:
            names = " and ".join(sorted(budget.metadata.name for budget in budgets))
            held.append(Held(pod, f"two PodDisruptionBudgets ({names}), which eviction refuses", for_ever=True))
        elif blocking:
            held.append(Held(pod, f"PodDisruptionBudget {blocking.metadata.name}, which allows no disruption now", for_ever=False))
        else:
            held.append(Held(pod, "", for_ever=False))
    return tuple(
        sorted(held, key=lambda entry: (not entry.for_ever, not entry.by, entry.pod.metadata.namespace, entry.pod.metadata.name))
    )
