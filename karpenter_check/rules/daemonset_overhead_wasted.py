"""The converse of the first founding problem: room that Karpenter keeps for DaemonSets that never come."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from karpenter_check.finding import Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity, earliest
from karpenter_check.rule import NotProven, rule
from karpenter_check.scheduling.daemonset import daemonset_pod, refusals
from karpenter_check.scheduling.node import admits_daemonset
from karpenter_check.scheduling.nomination import node_ref
from karpenter_check.scheduling.template import SIMULATES_LIFECYCLE_LABELS, NodeTemplate, drifted_from, template_of_nodepool
from karpenter_check.snapshot import DaemonSet, Kind, Node, NodePool, Snapshot
from karpenter_check.snapshot.quantity import Milli, shown


@rule(severity=Severity.LOW, needs={Kind.NODE, Kind.POD, Kind.DAEMONSET, Kind.NODEPOOL, Kind.NODECLAIM}, since="0.1.0")
def daemonset_overhead_wasted(snapshot: Snapshot, *, minimum_age: timedelta = timedelta(minutes=10)) -> Iterator[Finding]:
    """Karpenter keeps room on a NodePool's nodes for a DaemonSet that does not run there."""
    if snapshot.karpenter_version and snapshot.karpenter_version >= SIMULATES_LIFECYCLE_LABELS:
        raise NotProven(f"Karpenter {snapshot.karpenter_version} counts DaemonSets by instance type, which no object shows")
    for daemonset in snapshot.daemonsets:
        simulated = daemonset_pod(snapshot, daemonset)
        if not simulated.requests:
            continue
        for nodepool in snapshot.nodepools:
            nodes = _settled_nodes(snapshot, nodepool, minimum_age)
            counted = not refusals(
                simulated, _proven(template_of_nodepool(nodepool, snapshot.karpenter_version)), snapshot.karpenter_version
            )
            if nodes and counted and not nodepool.static and not any(_concerns(snapshot, daemonset, node) for node in nodes):
                yield _finding(daemonset, simulated.requests, nodepool, nodes)


def _proven(template: NodeTemplate) -> NodeTemplate:
    """The template without the labels that a provider is only believed to know: they cannot prove that a DaemonSet is counted."""
    return replace(template, provider=replace(template.provider, domains=()))


def _settled_nodes(snapshot: Snapshot, nodepool: NodePool, minimum_age: timedelta) -> tuple[Node, ...]:
    """The pool's nodes that are ready, initialized, not cordoned, old enough, and made from the template as it is now."""
    settled = []
    for node in snapshot.nodes_of_nodepool.get(nodepool.name, ()):
        created, claim = node.metadata.creation_timestamp, snapshot.nodeclaim_of_node.get(node.name)
        old = created is not None and snapshot.taken_at - created >= minimum_age
        if (
            node.ready
            and node.initialized
            and not node.spec.unschedulable
            and old
            and not node.metadata.deletion_timestamp
            and claim
            and not drifted_from(claim, nodepool)
        ):
            settled.append(node)
    return tuple(settled)


def _concerns(snapshot: Snapshot, daemonset: DaemonSet, node: Node) -> bool:
    """Whether the DaemonSet has a pod on the node, or one waiting for it, or wants one by the node's real labels and taints."""
    pods = snapshot.pods_of_daemonset.get(daemonset.metadata.uid, ())
    if any(node.name in {pod.node_name, pod.pinned_to} for pod in pods):
        return True
    shape = snapshot.daemonset_shapes[daemonset.metadata.namespace, daemonset.metadata.name]
    return admits_daemonset(shape.node_selector, shape.node_affinity, shape, node)


def _finding(daemonset: DaemonSet, requests: Milli, nodepool: NodePool, nodes: tuple[Node, ...]) -> Finding:
    metadata = daemonset.metadata
    ref = Ref("DaemonSet", metadata.name, "apps/v1", metadata.namespace)
    room = ", ".join(f"{shown(name, amount)} {name}" for name, amount in sorted(requests.items()) if amount)
    some = f"{len(nodes)} node{'s' * (len(nodes) != 1)}"
    return Finding(
        object=ref,
        owner=ref,
        nodepool=nodepool.name,
        cause="counted-not-running",
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
            Fix("verify", "karpenter-check scan --select daemonset-overhead-wasted"),
        ),
    )  # fmt: skip
