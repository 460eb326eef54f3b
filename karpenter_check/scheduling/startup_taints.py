"""Startup taints: taints that a new node carries until an agent there is ready, and who takes them away.

Karpenter waits for those that the NodePool declares, and leaves them out of account until the node is initialized; any other
taint keeps pods off in its simulation, too (`state/statenode.go:Taints`, `nodeclaim/lifecycle/initialization.go`, 1.13).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from karpenter_check.scheduling.node import admits_daemonset
from karpenter_check.scheduling.taints import tolerates
from karpenter_check.snapshot import Kind, Node, NodeClaim, Ref, Snapshot
from karpenter_check.snapshot.node import Taint
from karpenter_check.snapshot.once import once

_REMOVERS = {
    "node.cilium.io/agent-not-ready": ("cilium", "cilium"),
    "ebs.csi.aws.com/agent-not-ready": ("the EBS CSI driver", "ebs-csi-node"),
    "efs.csi.aws.com/agent-not-ready": ("the EFS CSI driver", "efs-csi-node"),
    "fsx.csi.aws.com/agent-not-ready": ("the FSx CSI driver", "fsx-csi-node"),
    "s3.csi.aws.com/agent-not-ready": ("the Mountpoint for S3 CSI driver", "s3-csi-node"),
    "cni.istio.io/not-ready": ("istiod, once istio-cni is ready there", "istio-cni-node"),
}
"""Taints that well-known agents take away: who does, and what the agent's DaemonSet is called."""
_EPHEMERAL = {
    ("node.kubernetes.io/not-ready", "NoSchedule"),
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoSchedule"),
    ("node.cloudprovider.kubernetes.io/uninitialized", "NoSchedule"),
    ("karpenter.sh/unregistered", "NoExecute"),
}
_EPHEMERAL_PREFIX = "readiness.k8s.io/"
"""Only since 1.13."""


@dataclass(frozen=True)
class Removers:
    """Who may take a startup taint off a node, as far as DaemonSets tell."""

    known: str
    """Who is known to take it away; empty for a taint that is not well known."""
    agents: tuple[Ref, ...]
    """DaemonSets that may run on the node, and that name the taint in a toleration or are called as the known agent's is."""
    blanket: int
    """How many more of them tolerate it because they tolerate everything; that says nothing of what they do."""


def known_remover(key: str) -> str:
    """Who is known to take a taint of this key away; empty where that is not well known."""
    return _REMOVERS.get(key, ("", ""))[0]


def is_ephemeral(taint: Taint) -> bool:
    """Whether Karpenter waits for it to go without being told of it (`scheduling/taints.go:IsKnownEphemeralTaint`)."""
    return (taint.key, taint.effect) in _EPHEMERAL or taint.key.startswith(_EPHEMERAL_PREFIX)


def startup_taints_left(claim: NodeClaim, node: Node) -> Sequence[Taint]:
    """The node's taints that its NodeClaim calls startup taints, by key and effect (`StartupTaintsRemoved`)."""
    declared = {(taint.key, taint.effect) for taint in claim.spec.startup_taints}
    return [taint for taint in node.spec.taints if (taint.key, taint.effect) in declared]


def removers(snapshot: Snapshot, taint: Taint, node: Node) -> Removers | None:
    """Who may take the taint off the node; None where not all DaemonSets were seen."""
    if not snapshot.whole(Kind.DAEMONSET):
        return None
    found = list(_tolerating(snapshot, taint, node))
    agents = tuple(ref for ref, named in found if named)
    return Removers(known_remover(taint.key), agents, len(found) - len(agents))


def _tolerating(snapshot: Snapshot, taint: Taint, node: Node) -> Iterator[tuple[Ref, bool]]:
    """The DaemonSets that may run on the node in spite of the taint, and whether they have to do with it."""
    called = _REMOVERS.get(taint.key, ("", ""))[1]
    for daemonset in snapshot.daemonsets:
        metadata = daemonset.metadata
        shape = snapshot.daemonset_shapes[metadata.namespace, metadata.name]
        holding = [toleration for toleration in shape.tolerations if tolerates(toleration, taint)]
        if holding and admits_daemonset(shape.node_selector, shape.node_affinity, shape, node):
            named = any(toleration.key == taint.key for toleration in holding)
            yield Ref("DaemonSet", metadata.name, "apps/v1", metadata.namespace), named or bool(called and called in metadata.name)


@once
def removed_somewhere(snapshot: Snapshot) -> frozenset[str]:
    """The keys of startup taints that some node got rid of: its NodeClaim declares them, and it is initialized."""
    return frozenset(
        taint.key for claim in snapshot.nodeclaims if claim.is_true("Initialized") for taint in claim.spec.startup_taints
    )


def unremovable(snapshot: Snapshot, taint: Taint, node: Node) -> Removers | None:
    """The DaemonSets, if nothing in the cluster shows that somebody takes the taint away; None if something does, or not all was seen.

    A controller may do it from elsewhere, which nothing but a node without the taint shows.
    """
    unproven = taint.key in removed_somewhere(snapshot) or not snapshot.whole(Kind.NODECLAIM)
    found = None if unproven else removers(snapshot, taint, node)
    return None if found is None or found.agents else found
