"""Karpenter on a node that it buys, drains and takes away itself."""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from karpenter_check.disruption.controller import controller_pods
from karpenter_check.finding import Confidence, Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity, earliest, verification
from karpenter_check.rule import NotProven, rule
from karpenter_check.scheduling.labels import EKS_AUTO_MODE
from karpenter_check.scheduling.nomination import node_ref, pod_ref
from karpenter_check.snapshot import Kind, Node, Pod, Snapshot
from karpenter_check.snapshot.counted import few, plural


@dataclass(frozen=True)
class _Hosted:
    pod: Pod
    node: Node
    nodepool: str


@rule(severity=Severity.HIGH, needs={Kind.NODE, Kind.POD}, since="0.1.0")
def controller_on_own_node(snapshot: Snapshot) -> Iterator[Finding]:
    """Karpenter's own pods run on nodes that Karpenter manages itself."""
    found = controller_pods(snapshot)
    if not found:
        raise NotProven("no pod of Karpenter is in the cluster, as with EKS Auto Mode, whose Karpenter runs outside of it")
    for owner, pods in sorted(found.items(), key=lambda entry: entry[0].qualified_name):
        bound = [pod for pod in pods if pod.node_name and snapshot.settled(pod.metadata.creation_timestamp)]
        own = [hosted for pod in bound if (hosted := _hosted(snapshot, pod))]
        on_own = {id(hosted.pod) for hosted in own}
        elsewhere = [pod for pod in bound if pod.ready and id(pod) not in on_own]
        if own:
            yield _finding(owner, own, elsewhere, several=len(found) > 1)


def _hosted(snapshot: Snapshot, pod: Pod) -> _Hosted | None:
    """The pod and its node, if that is Karpenter's. Fargate's and node groups' are not, and EKS Auto Mode's are AWS' to keep."""
    node = snapshot.nodes_by_name.get(pod.node_name)
    claim = snapshot.nodeclaim_of_node.get(pod.node_name)
    name = (node.nodepool if node else "") or (claim.nodepool if claim else "")
    if node is None or not (name or claim):
        return None
    nodepool = snapshot.nodepools_by_name.get(name)
    reference = claim.spec.node_class_ref if claim else nodepool.spec.template.spec.node_class_ref if nodepool else None
    if reference is None or reference.api_group == EKS_AUTO_MODE:
        return None
    return _Hosted(pod, node, name)


def _finding(owner: Ref, own: Sequence[_Hosted], elsewhere: Sequence[Pod], *, several: bool) -> Finding:
    first = own[0]
    nodepools = sorted({entry.nodepool for entry in own if entry.nodepool})
    where = f"NodePool {few(nodepools, 2)}" if nodepools else "a NodeClaim of its own"
    number = len(own)
    who = "Karpenter's pod" if number == 1 and not elsewhere else f"{number} of Karpenter's {number + len(elsewhere)} pods"
    spare = f"; {elsewhere[0].metadata.name} runs on {elsewhere[0].node_name}, which is not Karpenter's" if elsewhere else ""
    unsure = "; there is more than one Karpenter in the cluster, and the node may be another's" if several else ""
    namespace = shlex.quote(owner.namespace)
    return Finding(
        object=owner,
        owner=owner,
        cause="own-node",
        severity=Severity.HIGH.lowered((1 if elsewhere else 0) + (1 if several else 0)),
        confidence=Confidence.POSSIBLE if several else Confidence.CERTAIN,
        message=f"{who} run{'s' * (number == 1)} on {plural(len({entry.node.name for entry in own}), 'node')} that Karpenter manages itself, of {where}",
        why=f"{first.pod.metadata.name} is on {first.node.name}: Karpenter drains and deletes such a node as any other{spare}{unsure}",
        cost=(
            "the pod that is left takes over when they go"
            if elsewhere
            else "once these nodes are gone with it, its pods wait for a node that nobody buys, and so does everything else"
        ),
        impact=Impact(nodes=len({entry.node.name for entry in own}), pods=number),
        evidence=tuple(
            Evidence(node_ref(entry.node.name), "metadata.labels[karpenter.sh/nodepool]", entry.nodepool or "none; it has a NodeClaim")
            for entry in own[:3]
        ),
        occurrences=tuple(
            Occurrence(pod_ref(entry.pod), entry.pod.metadata.uid, entry.node.name, "own-node", entry.pod.metadata.creation_timestamp)
            for entry in own
        ),
        since=earliest(entry.pod.metadata.creation_timestamp for entry in own),
        fix=(
            Fix(
                "fix",
                f"kubectl get {owner.kind.lower()} -n {namespace} {shlex.quote(owner.name)} -o jsonpath='{{.spec.template.spec.affinity}}'",
                text="give it a managed node group or Fargate, and the affinity of its chart's default: karpenter.sh/nodepool DoesNotExist",
                risk="without a node outside of Karpenter's NodePools its pods then wait, and Karpenter is down: make that node first",
            ),
            verification("controller-on-own-node"),
        ),
    )  # fmt: skip
