"""One moment of a cluster."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from karpenter_check.snapshot.coverage import CollectionError, Coverage, Status
from karpenter_check.snapshot.event import Event
from karpenter_check.snapshot.installation import CustomResourceDefinition, Lease
from karpenter_check.snapshot.kind import Kind
from karpenter_check.snapshot.manifest import Location, Manifest
from karpenter_check.snapshot.metadata import Ref
from karpenter_check.snapshot.node import Node
from karpenter_check.snapshot.nodepool import NodeClaim, NodeClass, NodePool
from karpenter_check.snapshot.owners import controller_by_pod_name, owner_of
from karpenter_check.snapshot.pod import Pod, PodShape
from karpenter_check.snapshot.pod_index import ControlledPods, PodIndex, index_of
from karpenter_check.snapshot.storage import PersistentVolume, PersistentVolumeClaim, StorageClass, VolumeAttachment
from karpenter_check.snapshot.version import Version
from karpenter_check.snapshot.workload import DaemonSet, Deployment, PodDisruptionBudget, ReplicaSet, StatefulSet

NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)
"""`taken_at` of input that carries no time at all: every age is then negative, so no rule speaks of one."""
GRACE = timedelta(minutes=1)
"""So long must something have stood before rules conclude from a counterpart that is not there.

Kinds are listed one after another, so an object may lack its counterpart because that was made, or went, between two lists.
"""
NOT_COLLECTED = Coverage(Status.NOT_COLLECTED)


@dataclass(frozen=True)
class Snapshot:
    """What was read of a cluster at one moment. Nothing in it changes; indexes are made when first asked for."""

    taken_at: datetime
    cluster: str = ""
    redacted: bool = False
    """Whether its names are pseudonyms."""
    kubernetes_version: str = ""
    karpenter_version: Version | None = None
    """None where nothing tells it; semantics are then those of 1.2 to 1.13."""
    nodes: tuple[Node, ...] = ()
    pods: tuple[Pod, ...] = ()
    daemonsets: tuple[DaemonSet, ...] = ()
    daemonset_shapes: Mapping[tuple[str, str], PodShape] = field(default_factory=dict)
    """The shape of each DaemonSet's template by namespace and name, missing requests filled from limits."""
    nodepools: tuple[NodePool, ...] = ()
    nodeclaims: tuple[NodeClaim, ...] = ()
    nodeclasses: tuple[NodeClass, ...] = ()
    poddisruptionbudgets: tuple[PodDisruptionBudget, ...] = ()
    replicasets: tuple[ReplicaSet, ...] = ()
    deployments: tuple[Deployment, ...] = ()
    statefulsets: tuple[StatefulSet, ...] = ()
    events: tuple[Event, ...] = ()
    persistentvolumeclaims: tuple[PersistentVolumeClaim, ...] = ()
    persistentvolumes: tuple[PersistentVolume, ...] = ()
    storageclasses: tuple[StorageClass, ...] = ()
    volumeattachments: tuple[VolumeAttachment, ...] = ()
    leases: tuple[Lease, ...] = ()
    """Those of Karpenter's leader."""
    customresourcedefinitions: tuple[CustomResourceDefinition, ...] = ()
    """Those of Karpenter and of the node classes of its providers."""
    manifests: tuple[Manifest, ...] = ()
    """Karpenter's objects as loose manifests have them; none from a cluster, whose API server has judged them."""
    schemas: Mapping[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)
    """What an API server holds these manifests against, by apiVersion and kind: Karpenter's own CustomResourceDefinitions."""
    locations: Mapping[tuple[str, str, str], Location] = field(default_factory=dict)
    """Where objects of loose manifests stand, by kind, namespace and name."""
    coverage: Mapping[Kind, Coverage] = field(default_factory=dict)
    errors: tuple[CollectionError, ...] = ()

    @property
    def of_manifests(self) -> bool:
        """Whether loose manifests are all that it holds: there is no cluster that more could be had of."""
        seen = [coverage for coverage in self.coverage.values() if coverage.status is not Status.NOT_COLLECTED]
        return bool(seen) and all(coverage.loose for coverage in seen)

    def location_of(self, ref: Ref) -> Location | None:
        """Where an object stands in a file, or None for one of a cluster."""
        return self.locations.get((ref.kind, ref.namespace, ref.name))

    def covered(self, kind: Kind) -> Coverage:
        """What is known of a kind."""
        return self.coverage.get(kind, NOT_COLLECTED)

    def whole(self, kind: Kind) -> bool:
        """Whether every object of a kind was seen and read."""
        return self.covered(kind).status is Status.COMPLETE

    def settled(self, since: datetime | None) -> bool:
        """Whether what began then has stood for `GRACE`; not so of what carries no time.

        `taken_at` is the time of the first list, so what a later one shows may lie ahead of it.
        """
        return since is not None and self.taken_at - since >= GRACE

    @cached_property
    def derived(self) -> dict[object, Any]:
        """What functions made of this snapshot, by the function; see `once`."""
        return {}

    @cached_property
    def nodepools_by_name(self) -> Mapping[str, NodePool]:
        """NodePools by name."""
        return {nodepool.name: nodepool for nodepool in self.nodepools}

    @cached_property
    def _nodeclasses(self) -> Mapping[tuple[str, str, str], NodeClass]:
        return {(entry.api_version.partition("/")[0], entry.kind, entry.metadata.name): entry for entry in self.nodeclasses}

    def nodeclass_of(self, nodepool: NodePool) -> NodeClass | None:
        """The node class that a NodePool names; None where it is not there, or node classes were not seen."""
        reference = nodepool.spec.template.spec.node_class_ref
        seen = self.covered(Kind.NODECLASS).sufficient
        return self._nodeclasses.get((reference.api_group, reference.kind, reference.name)) if seen else None

    @cached_property
    def persistentvolumeclaims_by_name(self) -> Mapping[tuple[str, str], PersistentVolumeClaim]:
        """PersistentVolumeClaims by namespace and name."""
        return {(entry.metadata.namespace, entry.metadata.name): entry for entry in self.persistentvolumeclaims}

    @cached_property
    def persistentvolumes_by_name(self) -> Mapping[str, PersistentVolume]:
        """PersistentVolumes by name."""
        return {entry.metadata.name: entry for entry in self.persistentvolumes}

    @cached_property
    def storageclasses_by_name(self) -> Mapping[str, StorageClass]:
        """StorageClasses by name."""
        return {entry.metadata.name: entry for entry in self.storageclasses}

    @cached_property
    def volumeattachments_of_node(self) -> Mapping[str, tuple[VolumeAttachment, ...]]:
        """The VolumeAttachments of each node, by node name."""
        grouped: dict[str, list[VolumeAttachment]] = defaultdict(list)
        for entry in self.volumeattachments:
            grouped[entry.spec.node_name].append(entry)
        return {name: tuple(entries) for name, entries in grouped.items()}

    @cached_property
    def nodes_by_name(self) -> Mapping[str, Node]:
        """Nodes by name."""
        return {node.name: node for node in self.nodes}

    @cached_property
    def nodeclaims_by_name(self) -> Mapping[str, NodeClaim]:
        """NodeClaims by name."""
        return {nodeclaim.name: nodeclaim for nodeclaim in self.nodeclaims}

    @cached_property
    def nodes_of_nodepool(self) -> Mapping[str, tuple[Node, ...]]:
        """The nodes that carry each NodePool's label."""
        grouped: dict[str, list[Node]] = defaultdict(list)
        for node in self.nodes:
            if node.nodepool:
                grouped[node.nodepool].append(node)
        return {name: tuple(nodes) for name, nodes in grouped.items()}

    @cached_property
    def nodeclaim_of_node(self) -> Mapping[str, NodeClaim]:
        """The NodeClaim behind each node, by node name: joined by providerID, else by `status.nodeName`, else by owner."""
        by_provider_id = {claim.status.provider_id: claim for claim in self.nodeclaims if claim.status.provider_id}
        by_node_name = {claim.status.node_name: claim for claim in self.nodeclaims if claim.status.node_name}
        joined: dict[str, NodeClaim] = {}
        for node in self.nodes:
            name = node.name
            claim = by_provider_id.get(node.spec.provider_id) or by_node_name.get(name)
            if claim is None:
                owners = (owner.name for owner in node.metadata.owner_references if owner.kind == "NodeClaim")
                claim = self.nodeclaims_by_name.get(next(owners, ""))
            if claim:
                joined[name] = claim
        return joined

    @cached_property
    def node_of_nodeclaim(self) -> Mapping[str, Node]:
        """The node that each NodeClaim became, by NodeClaim name."""
        return {claim.name: self.nodes_by_name[node] for node, claim in self.nodeclaim_of_node.items()}

    @cached_property
    def nodepool_of_node(self) -> Mapping[str, str]:
        """The NodePool of each node, by node name; of a node that is not listed yet, its NodeClaim's. Empty for a foreign node."""
        claimed = {claim.status.node_name: claim.nodepool for claim in self.nodeclaims if claim.status.node_name}
        return {**claimed, **{node.name: node.nodepool for node in self.nodes}}

    @cached_property
    def _pod_index(self) -> PodIndex:
        return index_of(self.pods)

    @property
    def pods_on_node(self) -> Mapping[str, tuple[Pod, ...]]:
        """The pods that are bound to each node, finished and deleted ones too."""
        return self._pod_index.on_node

    @property
    def unbound_pods(self) -> tuple[Pod, ...]:
        """The pods on no node, finished and deleted ones too."""
        return self._pod_index.unbound

    @property
    def pods_of_controllers(self) -> tuple[ControlledPods, ...]:
        """The pods of each controller, finished and deleted ones too."""
        return self._pod_index.controlled

    @cached_property
    def pods_by_uid(self) -> Mapping[str, Pod]:
        """Pods by UID."""
        return {pod.metadata.uid: pod for pod in self.pods if pod.metadata.uid}

    @cached_property
    def pods_of_owner(self) -> Mapping[Ref, tuple[Pod, ...]]:
        """The pods of each workload, finished and deleted ones too."""
        grouped: dict[Ref, list[Pod]] = defaultdict(list)
        for group in self.pods_of_controllers:
            grouped[self.owner(group.pods[0])] += group.pods
        for pod in self._pod_index.bare:
            grouped[self.owner(pod)].append(pod)
        return {owner: tuple(pods) for owner, pods in grouped.items()}

    @cached_property
    def pods_of_daemonset(self) -> Mapping[str, tuple[Pod, ...]]:
        """The pods that each DaemonSet controls, by its UID."""
        groups = ((group.pods[0].daemonset_uid, group.pods) for group in self.pods_of_controllers)
        return {uid: tuple(pods) for uid, pods in groups if uid}

    @cached_property
    def daemonsets_by_uid(self) -> Mapping[str, DaemonSet]:
        """DaemonSets by UID."""
        return {daemonset.metadata.uid: daemonset for daemonset in self.daemonsets if daemonset.metadata.uid}

    @cached_property
    def events_by_reason(self) -> Mapping[str, tuple[Event, ...]]:
        """Events by their reason."""
        grouped: dict[str, list[Event]] = defaultdict(list)
        for event in self.events:
            grouped[event.reason].append(event)
        return {reason: tuple(events) for reason, events in grouped.items()}

    @cached_property
    def _replicasets_by_name(self) -> Mapping[tuple[str, str], ReplicaSet]:
        return {(entry.metadata.namespace, entry.metadata.name): entry for entry in self.replicasets}

    @cached_property
    def _desired(self) -> Mapping[tuple[str, str, str], int]:
        workloads = (("Deployment", self.deployments), ("StatefulSet", self.statefulsets))
        return {
            (kind, entry.metadata.namespace, entry.metadata.name): entry.spec.replicas
            for kind, entries in workloads
            for entry in entries
        }

    def owner(self, pod: Pod) -> Ref:
        """The workload that a person would name as the pod's; a bare pod owns itself."""
        return owner_of(pod, self._replicasets_by_name)

    def owner_of_name(self, namespace: str, pod_name: str) -> Ref | None:
        """The workload of a pod that is gone, told from its name by a ReplicaSet that is still there; else None."""
        replicaset = self._replicasets_by_name.get((namespace, controller_by_pod_name(pod_name)))
        above = replicaset.metadata.controller if replicaset else None
        if replicaset is None:
            return None
        return (
            Ref(above.kind, above.name, above.api_version, namespace)
            if above
            else Ref("ReplicaSet", replicaset.metadata.name, "apps/v1", namespace)
        )

    def desired_replicas(self, owner: Ref) -> int | None:
        """How many pods a workload wants; None where that is not known: only Deployments and StatefulSets are read with their numbers."""
        return self._desired.get((owner.kind, owner.namespace, owner.name))

    def wants_no_pods(self, owner: Ref) -> bool:
        """Whether a workload wants no pods any more; where its number is not known, whether it has none."""
        desired = self.desired_replicas(owner)
        return owner not in self.pods_of_owner if desired is None else desired == 0
