"""The converse of the first founding problem: room that Karpenter keeps for DaemonSets that never come."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

from karpenter_check.finding import Confidence, Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity, earliest, verification
from karpenter_check.rule import NotProven, rule
from karpenter_check.scheduling.daemonset import daemonset_pod, refusals
from karpenter_check.scheduling.labels import EKS_AUTO_MODE
from karpenter_check.scheduling.node import admits_daemonset
from karpenter_check.scheduling.nomination import node_ref
from karpenter_check.scheduling.service import nodes_in_service
from karpenter_check.scheduling.template import (
    SIMULATES_LIFECYCLE_LABELS,
    NodeTemplate,
    drifted_from,
    nodeclaim_template,
    nodepool_templates,
)
from karpenter_check.snapshot import GRACE, DaemonSet, Kind, Node, NodeClaim, NodePool, Snapshot
from karpenter_check.snapshot.quantity import Milli, amounts, shown


@rule(severity=Severity.LOW, needs={Kind.NODE, Kind.POD, Kind.DAEMONSET, Kind.NODEPOOL, Kind.NODECLAIM}, since="0.1.0")
def daemonset_overhead_wasted(snapshot: Snapshot, *, minimum_age: timedelta = timedelta(minutes=10)) -> Iterator[Finding]:
    """Karpenter keeps room on a NodePool's nodes for a DaemonSet that does not run there."""
    if snapshot.karpenter_version and snapshot.karpenter_version >= SIMULATES_LIFECYCLE_LABELS:
        raise NotProven(f"Karpenter {snapshot.karpenter_version} counts DaemonSets by instance type, which no object shows")
    settled = {nodepool.name: _settled_nodes(snapshot, nodepool, max(GRACE, minimum_age)) for nodepool in snapshot.nodepools}
    templates = {name: _proven(template) for name, template in nodepool_templates(snapshot).items()}
    for daemonset in snapshot.daemonsets:
        simulated = daemonset_pod(snapshot, daemonset)
        if not any(simulated.requests.values()) or daemonset.metadata.deletion_timestamp:
            continue
        present = {pod.node_name or pod.pinned_to for pod in snapshot.pods_of_daemonset.get(daemonset.metadata.uid, ())}
        for nodepool in snapshot.nodepools:
            template = templates[nodepool.name]
            if not settled[nodepool.name] or refusals(simulated, template, snapshot.karpenter_version):
                continue
            if any(node.name in present or _wants(snapshot, daemonset, node) for node, _ in settled[nodepool.name]):
                continue
            kept = [(node, claim) for node, claim in settled[nodepool.name] if _kept_room(claim, daemonset, simulated.requests)]
            if kept:
                listed = snapshot.karpenter_version is not None and nodepool_templates(snapshot)[nodepool.name].provider.proven
                # a claim that refuses it was narrowed by its pods, or made before the NodePool admitted it: which of them is not told
                proven = listed and not any(
                    refusals(simulated, nodeclaim_template(snapshot, claim), snapshot.karpenter_version) for _, claim in kept
                )
                confidence = Confidence.CERTAIN if proven else Confidence.LIKELY
                yield _finding(daemonset, simulated.requests, nodepool, [node for node, _ in kept], confidence)


def _proven(template: NodeTemplate) -> NodeTemplate:
    """The template without the labels that a provider is only believed to know: they cannot prove that a DaemonSet is counted."""
    return replace(template, provider=replace(template.provider, domains=(), recognised=True))


def _settled_nodes(snapshot: Snapshot, nodepool: NodePool, minimum_age: timedelta) -> Sequence[tuple[Node, NodeClaim]]:
    """The pool's nodes that are ready, initialized, not cordoned, old enough, and made from the template as it is now.

    None of a static NodePool, which keeps no room, and none of EKS Auto Mode, which runs a Karpenter that counts DaemonSets by
    instance type.
    """
    if nodepool.static or nodepool.spec.template.spec.node_class_ref.api_group == EKS_AUTO_MODE:
        return ()
    settled = []
    for node, claim in nodes_in_service(snapshot).get(nodepool.name, ()):
        created = node.metadata.creation_timestamp
        old = created is not None and snapshot.taken_at - created >= minimum_age
        if old and not drifted_from(claim, nodepool):
            settled.append((node, claim))
    return settled


def _wants(snapshot: Snapshot, daemonset: DaemonSet, node: Node) -> bool:
    """Whether the DaemonSet wants a pod on the node, by the node's real labels and taints."""
    shape = snapshot.daemonset_shapes[daemonset.metadata.namespace, daemonset.metadata.name]
    return admits_daemonset(shape.node_selector, shape.node_affinity, shape, node)


def _kept_room(claim: NodeClaim, daemonset: DaemonSet, requests: Milli) -> bool:
    """Whether the NodeClaim may have been sized with the DaemonSet: it is younger, and asks for as much at least."""
    sized, written = claim.metadata.creation_timestamp, daemonset.metadata.creation_timestamp
    kept = amounts(claim.spec.resources.requests)
    return bool(sized and written and sized >= written) and all(kept.get(name, 0) >= amount for name, amount in requests.items())


def _finding(daemonset: DaemonSet, requests: Milli, nodepool: NodePool, nodes: Sequence[Node], confidence: Confidence) -> Finding:
    metadata = daemonset.metadata
    ref = Ref("DaemonSet", metadata.name, "apps/v1", metadata.namespace)
    room = ", ".join(f"{shown(name, amount)} {name}" for name, amount in sorted(requests.items()) if amount)
    some = f"{len(nodes)} node{'s' * (len(nodes) != 1)}"
    return Finding(
        object=ref,
        owner=ref,
        nodepool=nodepool.name,
        cause="counted-not-running",
        confidence=confidence,
        message=f"Karpenter keeps room for {metadata.name} on {nodepool.name}'s nodes; it runs on 0 of {len(nodes)}",
        why=f"NodePool {nodepool.name} admits its selectors and tolerations, but no node of it has the labels or lets it in",
        cost=f"{room} on each of {some}",
        impact=Impact(nodes=len(nodes), pods=0, cpu=shown("cpu", requests.get("cpu", 0)), memory=shown("memory", requests.get("memory", 0))),
        evidence=(
            Evidence(ref, "spec.template.spec", "compatible with the NodePool's template"),
            Evidence(node_ref(nodes[0].name), "metadata.labels, spec.taints", "do not admit it"),
        ),
        occurrences=tuple(Occurrence(node_ref(node.name), node.metadata.uid, node.name, "", node.metadata.creation_timestamp) for node in nodes),
        since=earliest(node.metadata.creation_timestamp for node in nodes),
        fix=(
            Fix("fix", text=f"split NodePool {nodepool.name} by what the DaemonSet selects, or taint it so that the DaemonSet is not counted",
                risk=f"an edit of the NodePool's template drifts its {some}"),
            verification("daemonset-overhead-wasted"),
        ),
    )  # fmt: skip
