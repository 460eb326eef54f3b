"""Pods of DaemonSets on nodes that Karpenter sized without them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from karpenter_check.scheduling.daemonset import REVISION_LABEL, DaemonSetPod, refusals
from karpenter_check.scheduling.labels import may_be_known
from karpenter_check.scheduling.node import term_matches
from karpenter_check.scheduling.refusal import Refusal, UndefinedLabel
from karpenter_check.scheduling.template import (
    LIFECYCLE_LABELS,
    NodeTemplate,
    nodeclaim_template,
    nodepool_templates,
    of_other_template,
)
from karpenter_check.snapshot import DaemonSet, Node, Pod, Snapshot
from karpenter_check.snapshot.once import once
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


class _Size(NamedTuple):
    """What a node was sized from."""

    nodepool: str
    edited: bool
    """Whether the NodePool's template was another then."""


@once
def _sized(snapshot: Snapshot) -> Mapping[str, _Size]:
    """What each node was sized from that is Karpenter's and stays, by its name; none of static NodePools."""
    found = {}
    for nodepool in snapshot.nodepools:
        if nodepool.static or nodepool.metadata.deletion_timestamp:
            continue
        same, other = _Size(nodepool.name, edited=False), _Size(nodepool.name, edited=True)
        for node in snapshot.nodes_of_nodepool.get(nodepool.name, ()):
            claim = snapshot.nodeclaim_of_node.get(node.name)
            if claim and not claim.metadata.deletion_timestamp and not node.metadata.deletion_timestamp:
                found[node.name] = other if of_other_template(claim, nodepool) else same
    return found


def uncounted(snapshot: Snapshot, daemonset: DaemonSet, simulated: DaemonSetPod) -> Mapping[str, Sequence[Place]]:
    """The DaemonSet's pods on, or pinned to, nodes that were sized without it, by NodePool.

    A node was sized from what its NodeClaim says: an edit of a NodePool's requirements does not drift it. So NodePool and
    NodeClaim must both refuse; of a node made from another template than today's, the NodeClaim alone. A node without a NodeClaim
    is not Karpenter's, and what is being deleted is no problem any more. Static
    NodePools are sized for no pods at all, so nothing can be missing there. A pod left from before an edit of its DaemonSet,
    which the template admits as the pod is, was counted when its node was sized. A DaemonSet whose template names a node is meant for
    that one alone, and no scheduler places it.
    """
    found: dict[str, list[Place]] = defaultdict(list)
    pods = snapshot.pods_of_daemonset.get(daemonset.metadata.uid, ())
    if daemonset.metadata.deletion_timestamp or daemonset.spec.template.spec.node_name or not pods:
        return found
    judge, pools = _Judge(snapshot, simulated), nodepool_templates(snapshot)
    refused_by = {name for name, template in pools.items() if judge.refusals(template)}
    sized = _sized(snapshot)
    for pod in pods:
        name = pod.node_name or pod.pinned_to
        size = sized.get(name)
        if size is None or not (size.edited or size.nodepool in refused_by) or not pod.active:
            continue
        by_claim = nodeclaim_template(snapshot, snapshot.nodeclaim_of_node[name])
        historical = size.edited and size.nodepool not in refused_by
        template = by_claim if historical else pools[size.nodepool]
        if not judge.refusals(by_claim) or not judge.refusals(template, pod.shape):
            continue
        node = snapshot.nodes_by_name[name]
        refused = judge.refusals_on(node, template)
        if not _unproven(snapshot, pod, simulated, refused):
            found[size.nodepool].append(Place(pod, node, refused[0], historical))
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
