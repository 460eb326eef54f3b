"""Pods that wait for a node which Karpenter would have to buy, by the NodePools that have nothing against them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from karpenter_check.scheduling.ignored import ignored
from karpenter_check.scheduling.last_word import karpenters_last_word
from karpenter_check.scheduling.placement import fits_a_node
from karpenter_check.scheduling.verdict import Answer, verdicts
from karpenter_check.snapshot import Pod, Snapshot
from karpenter_check.snapshot.event import nomination
from karpenter_check.snapshot.once import once
from karpenter_check.snapshot.pod import PodShape


@once
def waiting_for(snapshot: Snapshot) -> Mapping[str, Sequence[Pod]]:
    """By NodePool; a pod waits for each that would take it, or might. Left out is what Karpenter does not look at.

    So are pods that fit a node which is there, and those that were nominated to one, or to a NodeClaim that was launched.
    """
    found: dict[str, list[Pod]] = defaultdict(list)
    fits: dict[PodShape, bool] = {}
    for pod in snapshot.unbound_pods:
        if not pod.unschedulable or not pod.active or pod.scheduler_name == "fargate-scheduler" or pod.daemonset_uid:
            continue
        open_to = [entry.nodepool for entry in verdicts(snapshot, pod.shape) if entry.answer is not Answer.REFUSES]
        if not open_to or ignored(snapshot, pod) or _is_placed(snapshot, pod):
            continue
        if pod.shape not in fits:
            fits[pod.shape] = fits_a_node(snapshot, pod)
        if not fits[pod.shape]:
            for nodepool in open_to:
                found[nodepool].append(pod)
    return found


def _is_placed(snapshot: Snapshot, pod: Pod) -> bool:
    """Whether Karpenter last named a node for it that is there, or a NodeClaim that got its instance."""
    word = karpenters_last_word(snapshot, pod)
    target = nomination(word) if word else None
    claim = snapshot.nodeclaims_by_name.get(target.nodeclaim) if target else None
    return bool(target and (target.node in snapshot.nodes_by_name or (claim and claim.status.provider_id)))
