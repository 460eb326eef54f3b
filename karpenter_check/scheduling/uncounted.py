"""Pods of DaemonSets on nodes that Karpenter sized without them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from karpenter_check.scheduling.daemonset import REVISION_LABEL, DaemonSetPod, refusals
from karpenter_check.scheduling.refusal import Refusal
from karpenter_check.scheduling.template import (
    LIFECYCLE_LABELS,
    NodeTemplate,
    drifted_from,
    nodeclaim_templates,
    nodepool_templates,
)
from karpenter_check.snapshot import DaemonSet, Node, Pod, Snapshot
from karpenter_check.snapshot.pod import PodShape


@dataclass(frozen=True)
class Place:
    """A pod of the DaemonSet, the node that it runs on or waits for, and what Karpenter had against it."""

    pod: Pod
    node: Node
    refusal: Refusal


class _Judge:
    """What refuses one DaemonSet; each template is asked once."""

    def __init__(self, snapshot: Snapshot, simulated: DaemonSetPod) -> None:
        self._version = snapshot.karpenter_version
        self._simulated = simulated
        self._answers: dict[tuple[NodeTemplate, PodShape | None], tuple[Refusal, ...]] = {}

    def refusals(self, template: NodeTemplate, shape: PodShape | None = None) -> tuple[Refusal, ...]:
        """Of the pod that Karpenter simulates; with the selector and tolerations of a shape, where that is given."""
        if (template, shape) not in self._answers:
            pod = self._simulated
            if shape:
                pod = replace(pod, node_selector=shape.node_selector, tolerations=shape.tolerations)
            self._answers[template, shape] = refusals(pod, template, self._version)
        return self._answers[template, shape]


def uncounted(snapshot: Snapshot, daemonset: DaemonSet, simulated: DaemonSetPod) -> Mapping[str, Sequence[Place]]:
    """The DaemonSet's pods on, or pinned to, nodes that were sized without it, by NodePool.

    A node was sized from what its NodeClaim says: an edit of a NodePool's requirements does not drift it. So NodePool and
    NodeClaim must both refuse; of a node that drifted, the NodeClaim alone. A node without a NodeClaim is not Karpenter's. Static
    NodePools are sized for no pods at all, so nothing can be missing there. A pod left from before an edit of its DaemonSet,
    which the template admits as the pod is, was counted when its node was sized.
    """
    found: dict[str, list[Place]] = defaultdict(list)
    judge = _Judge(snapshot, simulated)
    for pod in snapshot.pods_of_daemonset.get(daemonset.metadata.uid, ()):
        node = snapshot.nodes_by_name.get(pod.node_name or pod.pinned_to)
        nodepool = snapshot.nodepools_by_name.get(node.nodepool) if node else None
        claim = snapshot.nodeclaim_of_node.get(node.name) if node else None
        if not node or not nodepool or not claim or not pod.active or nodepool.static or node.metadata.deletion_timestamp:
            continue
        drifted = drifted_from(claim, nodepool)
        template = nodeclaim_templates(snapshot)[claim.name] if drifted else nodepool_templates(snapshot)[nodepool.name]
        refused = judge.refusals(template)
        if not refused or _unproven(snapshot, pod, simulated, refused) or not judge.refusals(template, pod.shape):
            continue
        if drifted or judge.refusals(nodeclaim_templates(snapshot)[claim.name]):
            found[nodepool.name].append(Place(pod, node, refused[0]))
    return found


def _unproven(snapshot: Snapshot, pod: Pod, simulated: DaemonSetPod, refused: Sequence[Refusal]) -> bool:
    """Whether what refuses the DaemonSet may not be what refused this pod.

    The required affinity of a pod of another revision cannot be told: the DaemonSet controller puts the pin to the node in its
    place. And from 1.14 on, which an unknown version may be, simulated nodes carry the lifecycle labels.
    """
    of_another_revision = pod.metadata.labels.get(REVISION_LABEL, "") != simulated.revision
    lifecycle = {refusal.key for refusal in refused} <= LIFECYCLE_LABELS
    return (bool(simulated.terms) and of_another_revision) or (snapshot.karpenter_version is None and lifecycle)
