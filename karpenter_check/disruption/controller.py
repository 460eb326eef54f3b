"""Karpenter's own Deployment and pods, told by the label that its charts give them, and whose NodeClaims are not its own."""

from collections.abc import Iterator, Mapping, Sequence

from karpenter_check.scheduling.labels import EKS_AUTO_MODE
from karpenter_check.snapshot import Kind, Pod, Ref, Snapshot
from karpenter_check.snapshot.controller_label import is_controllers
from karpenter_check.snapshot.once import once
from karpenter_check.snapshot.workload import Deployment

_WORKLOADS = {"Deployment", "ReplicaSet", "StatefulSet"}
"""What runs a controller; a Job with the same label is a hook of its chart."""


@once
def controllers(snapshot: Snapshot) -> tuple[Deployment, ...]:
    """The Deployments that are labelled as Karpenter's charts label the controller's, and that stay."""
    return tuple(
        deployment
        for deployment in snapshot.deployments
        if is_controllers(deployment.metadata) and not deployment.metadata.deletion_timestamp
    )


def controller_ref(deployment: Deployment) -> Ref:
    """The Deployment, as findings name it."""
    return Ref("Deployment", deployment.metadata.name, "apps/v1", deployment.metadata.namespace)


@once
def controller_pods(snapshot: Snapshot) -> Mapping[Ref, Sequence[Pod]]:
    """The pods that carry the label and are neither finished nor being deleted, by their workload."""
    found: dict[Ref, list[Pod]] = {}
    for pod in snapshot.pods:
        if is_controllers(pod.metadata) and pod.active and (owner := snapshot.owner(pod)).kind in _WORKLOADS:
            found.setdefault(owner, []).append(pod)
    return found


def pods_of(snapshot: Snapshot, deployment: Deployment) -> Sequence[Pod]:
    """A controller's pods, also where the ReplicaSet between them was not read."""
    ref, found = controller_ref(deployment), dict[int, Pod]()
    found.update((id(pod), pod) for pod in snapshot.pods_of_owner.get(ref, ()) if pod.active)
    for owner, pods in controller_pods(snapshot).items():
        if owner.kind == "ReplicaSet" and owner.namespace == ref.namespace and owner.name.startswith(f"{ref.name}-"):
            found.update((id(pod), pod) for pod in pods)
    return sorted(found.values(), key=lambda pod: pod.metadata.name)


def _groups(snapshot: Snapshot) -> Iterator[str]:
    yield from (nodepool.spec.template.spec.node_class_ref.api_group for nodepool in snapshot.nodepools)
    yield from (claim.spec.node_class_ref.api_group for claim in snapshot.nodeclaims)


@once
def served_groups(snapshot: Snapshot) -> frozenset[str]:
    """The groups of node classes that NodePools and NodeClaims name, EKS Auto Mode's aside: what a Karpenter in the cluster may serve."""
    return frozenset(_groups(snapshot)) - {EKS_AUTO_MODE}


def has_nothing_to_do(snapshot: Snapshot) -> bool:
    """Whether there is no NodePool and no NodeClaim for a Karpenter in the cluster, as after a move to EKS Auto Mode."""
    seen = snapshot.whole(Kind.NODEPOOL) and snapshot.whole(Kind.NODECLAIM)
    return seen and not served_groups(snapshot)


def down(snapshot: Snapshot, group: str) -> tuple[Ref, ...]:
    """Karpenter's Deployments, if not one of their pods is Ready: then nobody looks after NodeClaims of this group of node classes."""
    found = controllers(snapshot)
    if (
        group == EKS_AUTO_MODE
        or not snapshot.whole(Kind.POD)
        or any(pod.ready for entry in found for pod in pods_of(snapshot, entry))
    ):
        return ()
    return tuple(map(controller_ref, found))
