"""The metadata of every object of a snapshot, by the object."""

from collections.abc import Mapping

from karpenter_check.snapshot.metadata import Metadata, Ref
from karpenter_check.snapshot.once import once
from karpenter_check.snapshot.snapshot import Snapshot


@once
def metadata_of(snapshot: Snapshot) -> Mapping[Ref, Metadata]:
    """The metadata of every object that a finding can be about."""
    namespaced = (
        ("DaemonSet", "apps/v1", snapshot.daemonsets),
        ("Deployment", "apps/v1", snapshot.deployments),
        ("StatefulSet", "apps/v1", snapshot.statefulsets),
        ("ReplicaSet", "apps/v1", snapshot.replicasets),
        ("PodDisruptionBudget", "policy/v1", snapshot.poddisruptionbudgets),
        ("Pod", "v1", snapshot.pods),
        ("Node", "v1", snapshot.nodes),
        ("NodePool", "karpenter.sh/v1", snapshot.nodepools),
        ("NodeClaim", "karpenter.sh/v1", snapshot.nodeclaims),
    )
    found: dict[Ref, Metadata] = {}
    for kind, api_version, entries in namespaced:
        for entry in entries:
            found[Ref(kind, entry.metadata.name, api_version, entry.metadata.namespace)] = entry.metadata
    for nodeclass in snapshot.nodeclasses:
        found[Ref(nodeclass.kind, nodeclass.metadata.name, nodeclass.api_version)] = nodeclass.metadata
    return found
