"""DaemonSets that run nearly everywhere, and that one NodePool keeps out."""

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from karpenter_check.finding import Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity, earliest, verification
from karpenter_check.rule import Stage, rule
from karpenter_check.scheduling.node import admits_daemonset, label_mismatch, repelled, term_matches
from karpenter_check.scheduling.nomination import node_ref
from karpenter_check.scheduling.service import nodes_in_service
from karpenter_check.snapshot import GRACE, DaemonSet, Kind, Node, NodePool, Snapshot
from karpenter_check.snapshot.node import Taint
from karpenter_check.snapshot.pod import PodShape
from karpenter_check.snapshot.pod_object import NodeSelectorRequirement, NodeSelectorTerm

_NETWORK = "network"
_KNOWN = {
    _NETWORK: (
        "aws-node", "cilium", "cilium-agent", "cilium-envoy", "calico-node", "canal", "kube-flannel", "flannel", "weave-net",
        "kube-router", "antrea-agent", "azure-cns", "azure-cni", "kube-ovn-cni", "ovnkube-node",
        "kube-proxy",
    ),
    "storage": (
        "csi-node", "csi-*-node", "csi-nodeplugin", "csi-*-nodeplugin", "csi-driver-node", "pdcsi-node", "csi-rbdplugin",
        "csi-cephfsplugin", "longhorn-csi-plugin", "longhorn-manager",
    ),
}  # fmt: skip
"""DaemonSets without which a node's pods have no network or no volumes, by the words that their names end with."""
_NO_STAND_INS = frozenset({"kube-proxy", "cilium-envoy"})
"""Those of the network's that work beside another."""
_BUILD = re.compile(r"-(ds|daemonset|linux|amd64|arm64)$")
_OTHER_BUILD = frozenset({
    "kubernetes.io/os", "kubernetes.io/arch", "beta.kubernetes.io/os", "beta.kubernetes.io/arch", "node.kubernetes.io/windows-build",
})  # fmt: skip
"""Keys that tell machines apart for which software is built apart: another DaemonSet serves the others."""
_BUILT_IN = "eks.amazonaws.com/compute-type"
"""Nodes of Fargate and EKS Auto Mode bring their own network and storage; AWS' DaemonSets refuse them by this label."""
_PASSING = ("node.kubernetes.io/", "node.cloudprovider.kubernetes.io/", "karpenter.sh/")
"""Taints that say how a node is just now, or that it goes."""
_ON_PURPOSE = {"NotIn", "DoesNotExist"}


@dataclass(frozen=True)
class _Refusal:
    """What keeps a DaemonSet off a node."""

    node: Node
    taint: Taint | None
    missed: tuple[NodeSelectorRequirement, ...]
    """What it asks of labels and the node does not have, of all its alternatives."""

    @property
    def key(self) -> str:
        """The taint's or the label's key."""
        return self.taint.key if self.taint else self.missed[0].key

    @property
    def cause(self) -> str:
        """A stable word for it."""
        return f"{'taint' if self.taint else 'label'}:{self.key}"


def _essential(name: str) -> str:
    """What a DaemonSet of that name brings to a node, `network` or `storage`; empty for all others."""
    bare = _BUILD.sub("", _BUILD.sub("", name))
    for what, known in _KNOWN.items():
        if any(re.search(rf"(^|-){pattern.replace('*', '.+')}$", bare) for pattern in known):
            return what
    return ""


@rule(
    severity=Severity.HIGH,
    needs={Kind.NODE, Kind.POD, Kind.DAEMONSET, Kind.NODEPOOL, Kind.NODECLAIM},
    since="0.1.0",
    stage=Stage.DAEMONSET,
)
def daemonset_absent_from_nodepool(snapshot: Snapshot, *, minimum_age: timedelta = timedelta(minutes=10)) -> Iterator[Finding]:
    """A DaemonSet that runs on most NodePools is kept out of one."""
    minimum_age = max(GRACE, minimum_age)
    settled = {nodepool.name: _settled(snapshot, nodepool, minimum_age) for nodepool in snapshot.nodepools}
    settled = {name: nodes for name, nodes in settled.items() if nodes}
    asked = _asked_labels(snapshot)
    alike = {name: _distinct(nodes, asked) for name, nodes in settled.items()}
    occupied = {daemonset.metadata.uid: _homes(snapshot, daemonset) for daemonset in snapshot.daemonsets}
    homes = {uid: running | waiting for uid, (running, waiting) in occupied.items()}
    for daemonset in snapshot.daemonsets:
        created, home = daemonset.metadata.creation_timestamp, homes[daemonset.metadata.uid]
        runs_on = len(occupied[daemonset.metadata.uid][0] & settled.keys())
        young = created is None or snapshot.taken_at - created < minimum_age
        if young or daemonset.metadata.deletion_timestamp or runs_on < 2 or runs_on * 2 <= len(settled):
            continue
        shape = snapshot.daemonset_shapes[daemonset.metadata.namespace, daemonset.metadata.name]
        for name in settled:
            refusal = None if name in home else _refusal(shape, alike[name])
            if refusal:
                served = _served(snapshot, daemonset, name, homes)
                severity = _severity(daemonset, refusal, served)
                yield _finding(
                    daemonset, snapshot.nodepools_by_name[name], settled[name], refusal, severity, served, (runs_on, len(settled))
                )


def _settled(snapshot: Snapshot, nodepool: NodePool, minimum_age: timedelta) -> Sequence[Node]:
    """The pool's nodes that are Karpenter's, in service, there to stay, and old enough to have all their pods."""
    found = []
    for node, _ in nodes_in_service(snapshot).get(nodepool.name, ()):
        created = node.metadata.creation_timestamp
        old = created is not None and snapshot.taken_at - created >= minimum_age
        passing = node.spec.taints and any(taint.key.startswith(_PASSING) for taint in node.spec.taints)
        if old and not passing and node.metadata.labels.get("kubernetes.io/os", "linux") == "linux":
            found.append(node)
    return found


def _requirements(shape: PodShape) -> Iterator[NodeSelectorRequirement]:
    """What a DaemonSet asks of labels, its node selector first."""
    yield from (NodeSelectorRequirement(key, "In", (value,)) for key, value in shape.node_selector.items())
    for term in shape.node_affinity.required.node_selector_terms if shape.node_affinity.required else ():
        yield from term.match_expressions


def _asked_labels(snapshot: Snapshot) -> frozenset[str]:
    """The labels that some DaemonSet asks about: nodes that differ in others only are alike."""
    return frozenset(entry.key for shape in snapshot.daemonset_shapes.values() for entry in _requirements(shape))


def _distinct(nodes: Sequence[Node], asked: frozenset[str]) -> Sequence[Node]:
    """One node for each set of labels and taints that DaemonSets could tell apart."""
    found: dict[object, Node] = {}
    for node in nodes:
        labels = tuple((key, node.metadata.labels.get(key)) for key in asked)
        found.setdefault((labels, node.spec.taints), node)
    return tuple(found.values())


def _homes(snapshot: Snapshot, daemonset: DaemonSet) -> tuple[frozenset[str], frozenset[str]]:
    """The NodePools on whose nodes the DaemonSet has pods, and those for whose nodes its pods wait."""
    pods, nodepool_of = snapshot.pods_of_daemonset.get(daemonset.metadata.uid, ()), snapshot.nodepool_of_node
    running = frozenset(nodepool_of.get(pod.node_name, "") for pod in pods if pod.node_name)
    return running, frozenset(nodepool_of.get(pod.pinned_to, "") for pod in pods if not pod.node_name)


def _refusal(shape: PodShape, nodes: Sequence[Node]) -> _Refusal | None:
    """What keeps the DaemonSet off all of these nodes, the first of several; None where one admits it, or is another build's."""
    found = []
    for node in nodes:
        if admits_daemonset(shape.node_selector, shape.node_affinity, shape, node):
            return None
        missed: tuple[NodeSelectorRequirement, ...] = ()
        if label_mismatch(shape.node_selector, shape.node_affinity, node):
            missed = tuple(entry for entry in _requirements(shape) if not term_matches(NodeSelectorTerm((entry,)), node))
        taints = tuple(repelled(shape, node))
        keys = {entry.key for entry in missed} | {taint.key for taint in taints}
        if not keys or not keys.isdisjoint({*_OTHER_BUILD, _BUILT_IN}):
            return None
        found.append(_Refusal(node, None if missed else taints[0], missed))
    return min(found, key=lambda refusal: refusal.cause)


def _served(snapshot: Snapshot, daemonset: DaemonSet, nodepool: str, homes: Mapping[str, frozenset[str]]) -> str:
    """Another DaemonSet that does the same for the pool's nodes, told from its name; else empty."""
    mine = daemonset.metadata.name
    what, alone = _essential(mine), mine in _NO_STAND_INS
    for other in snapshot.daemonsets:
        name = other.metadata.name
        variant = (what != _NETWORK or alone) and (name.startswith(f"{mine}-") or mine.startswith(f"{name}-"))
        network = what == _essential(name) == _NETWORK and not alone and name not in _NO_STAND_INS
        if other is not daemonset and nodepool in homes[other.metadata.uid] and (variant or network):
            return name
    return ""


def _severity(daemonset: DaemonSet, refusal: _Refusal, served: str) -> Severity:
    """High for what pods cannot do without, unless its own affinity keeps it away or another DaemonSet stands in for it."""
    on_purpose = any(entry.operator in _ON_PURPOSE for entry in refusal.missed)
    return Severity.HIGH if _essential(daemonset.metadata.name) and not on_purpose and not served else Severity.INFO


def _finding(
    daemonset: DaemonSet, nodepool: NodePool, nodes: Sequence[Node], refusal: _Refusal, severity: Severity, served: str, runs_on: tuple[int, int]
) -> Finding:  # fmt: skip
    name, pool = daemonset.metadata.name, nodepool.name
    ref, owner = Ref("DaemonSet", name, "apps/v1", daemonset.metadata.namespace), Ref("NodePool", pool, "karpenter.sh/v1")
    some, node = f"{len(nodes)} node{'s' * (len(nodes) != 1)}", refusal.node
    if refusal.taint:
        declared = refusal.taint in nodepool.spec.template.spec.taints
        writer, has = node.taints_writer(), str(refusal.taint)
        why = f"it does not tolerate {has} of {f'NodePool {pool}' if declared else f'node {node.name}'}"
        evidence = (
            Evidence(owner, "spec.template.spec.taints", has)
            if declared
            else Evidence(node_ref(node.name), "spec.taints", has, writer.manager if writer else "")
        )
    else:
        missed, has = refusal.missed[0], node.metadata.labels.get(refusal.key, "")
        wanted = f"{missed.key} {missed.operator}" + (f" [{', '.join(missed.values)}]" if missed.values else "")
        why = f"it needs {wanted}, and node {node.name} has {f'{missed.key}={has}' if has else f'no {missed.key}'}"
        evidence = Evidence(node_ref(node.name), f"metadata.labels.{missed.key}", has or "none")
    return Finding(
        object=ref,
        owner=ref,
        nodepool=pool,
        cause=refusal.cause,
        severity=None if severity is Severity.HIGH else severity,
        message=f"it runs on {runs_on[0]} of {runs_on[1]} NodePools, and on none of {pool}'s {some}",
        why=why + (f"; {served} runs there" if served else ""),
        cost=f"pods on {pool} go without the {_essential(name)} that it brings" if severity is Severity.HIGH else "",
        impact=Impact(nodes=len(nodes), pods=0),
        evidence=(evidence,),
        occurrences=tuple(Occurrence(node_ref(entry.name), entry.metadata.uid, entry.name, refusal.cause, entry.metadata.creation_timestamp) for entry in nodes),
        since=earliest(entry.metadata.creation_timestamp for entry in nodes),
        fix=(_remedy(daemonset, pool, refusal), verification("daemonset-absent-from-nodepool", nodepool=pool)),
    )  # fmt: skip


def _remedy(daemonset: DaemonSet, nodepool: str, refusal: _Refusal) -> Fix:
    risk = f"rolls the DaemonSet; {nodepool}'s nodes kept no room for it, so on full ones its pods stay Pending or preempt others"
    if not refusal.taint:
        text = f"if it should run there, let it select {nodepool}'s nodes, or declare {refusal.key} in the NodePool's labels"
        return Fix("fix", text=text, risk=risk)
    toleration = {"key": refusal.taint.key, "operator": "Exists", "effect": refusal.taint.effect}
    some, path = bool(daemonset.spec.template.spec.tolerations), "/spec/template/spec/tolerations"
    patch = [{"op": "add", "path": f"{path}/-" if some else path, "value": toleration if some else [toleration]}]
    where = f"-n {shlex.quote(daemonset.metadata.namespace)} {shlex.quote(daemonset.metadata.name)}"
    command = f"kubectl patch daemonset {where} --type json -p {shlex.quote(json.dumps(patch, separators=(',', ':')))}"
    return Fix("fix", command, text="if it should run there", risk=risk)
