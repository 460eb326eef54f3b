"""Pods of DaemonSets on nodes that Karpenter sized without them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from karpenter_check.scheduling.daemonset import REVISION_LABEL, DaemonSetPod, refusals
from karpenter_check.scheduling.labels import may_be_known
from karpenter_check.scheduling.node import term_matches
from karpenter_check.scheduling.refusal import Refusal, UndefinedLabel
from karpenter_check.scheduling.template import (
    LIFECYCLE_LABELS,
    NodeTemplate,
    nodeclaim_templates,
    nodepool_templates,
    of_other_template,
)
from karpenter_check.snapshot import DaemonSet, Node, Pod, Snapshot
from karpenter_check.snapshot.pod import PodShape


@dataclass(frozen=True)
class Place:
    """A pod of the DaemonSet, the node that it runs on or waits for, and what Karpenter had against it."""

    pod: Pod
    node: Node
    refusal: Refusal
    historical: bool = False
    """Whether the NodePool counts the DaemonSet by now, so that only the NodeClaim refuses it."""


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

    def refusals_on(self, node: Node, template: NodeTemplate) -> tuple[Refusal, ...]:
        """Of the pod that Karpenter simulates, by the term that lets it run on the node: the others have no part in that."""
        here = [term for term in self._simulated.terms if term_matches(term, node)] if len(self._simulated.terms) > 1 else ()
        if not here:
            return self.refusals(template)
        return refusals(replace(self._simulated, terms=(here[0],)), template, self._version) or self.refusals(template)


def uncounted(snapshot: Snapshot, daemonset: DaemonSet, simulated: DaemonSetPod) -> Mapping[str, Sequence[Place]]:
    """The DaemonSet's pods on, or pinned to, nodes that were sized without it, by NodePool.

    A node was sized from what its NodeClaim says: an edit of a NodePool's requirements does not drift it. So NodePool and
    NodeClaim must both refuse; of a node made from another template than today's, the NodeClaim alone. A node without a NodeClaim
    is not Karpenter's, and what is being deleted is no problem any more. Static
    NodePools are sized for no pods at all, so nothing can be missing there. A pod left from before an edit of its DaemonSet,
    which the template admits as the pod is, was counted when its node was sized.
    """
    found: dict[str, list[Place]] = defaultdict(list)
    judge = _Judge(snapshot, simulated)
    for pod in snapshot.pods_of_daemonset.get(daemonset.metadata.uid, ()):
        node = snapshot.nodes_by_name.get(pod.node_name or pod.pinned_to)
        nodepool = snapshot.nodepools_by_name.get(node.nodepool) if node else None
        claim = snapshot.nodeclaim_of_node.get(node.name) if node else None
        if not node or not nodepool or not claim or not pod.active or nodepool.static:
            continue
        if any(one.metadata.deletion_timestamp for one in (node, nodepool, claim, daemonset)):
            continue
        by_claim, by_nodepool = nodeclaim_templates(snapshot)[claim.name], nodepool_templates(snapshot)[nodepool.name]
        historical = of_other_template(claim, nodepool) and not judge.refusals(by_nodepool)
        template = by_claim if historical else by_nodepool
        if not judge.refusals(by_claim) or not judge.refusals(template) or not judge.refusals(template, pod.shape):
            continue
        refused = judge.refusals_on(node, template)
        if not _unproven(snapshot, pod, simulated, refused):
            found[nodepool.name].append(Place(pod, node, refused[0], historical))
    return found


def _unproven(snapshot: Snapshot, pod: Pod, simulated: DaemonSetPod, refused: Sequence[Refusal]) -> bool:
    """Whether what refuses the DaemonSet may not be what refused this pod.

    The required affinity of a pod of another revision cannot be told: the DaemonSet controller puts the pin to the node in its
    place. From 1.14 on, which an unknown version may be, simulated nodes carry the lifecycle labels; and a later version may know
    more of Karpenter's own labels, which no NodePool can declare.
    """
    of_another_revision = pod.metadata.labels.get(REVISION_LABEL, "") != simulated.revision
    lifecycle = {refusal.key for refusal in refused} <= LIFECYCLE_LABELS
    version = snapshot.karpenter_version
    known = all(isinstance(refusal, UndefinedLabel) and may_be_known(refusal.key, version) for refusal in refused)
    return (bool(simulated.terms) and of_another_revision) or (version is None and lifecycle) or known
