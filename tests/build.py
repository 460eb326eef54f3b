"""A small language for test clusters.

Every function returns a piece of the real model with healthy defaults, so that a test says only what is wrong:

    a_cluster(a_node("n1"), a_pod("logs", on="n1", of=a_daemonset("logs")))

Times are ages before `NOON`, in Go's form (`90s`, `1h`). Sizes are Kubernetes quantities.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeAlias
from uuid import NAMESPACE_URL, uuid5

import msgspec

from karpenter_check.snapshot import Coverage, DaemonSet, Kind, Node, NodeClaim, NodePool, Snapshot, Status, Version
from karpenter_check.snapshot.duration import duration
from karpenter_check.snapshot.event import Event, EventSource, InvolvedObject
from karpenter_check.snapshot.metadata import (
    Annotations,
    Condition,
    Fields,
    FieldsOfMetadata,
    FieldsOfSpec,
    ManagedFields,
    Metadata,
    OwnerReference,
)
from karpenter_check.snapshot.node import NodeInfo, NodeMetadata, NodeSpec, NodeStatus, Taint
from karpenter_check.snapshot.nodepool import (
    Budget,
    Disruption,
    Image,
    NodeClaimResources,
    NodeClaimSpec,
    NodeClaimStatus,
    NodeClass,
    NodeClassRef,
    NodeClassSpec,
    NodeClassStatus,
    NodePoolSpec,
    NodePoolStatus,
    Requirement,
    SelectorTerm,
    Subnet,
    Template,
    TemplateMetadata,
    TemplateSpec,
)
from karpenter_check.snapshot.part import Present
from karpenter_check.snapshot.pod import PodShapes
from karpenter_check.snapshot.pod_object import (
    Affinity,
    Container,
    ContainerPort,
    NodeAffinity,
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    PersistentVolumeClaimVolumeSource,
    PodObject,
    PodSpec,
    PodStatus,
    ResourceRequirements,
    Toleration,
    Volume,
)
from karpenter_check.snapshot.selector import LabelSelector
from karpenter_check.snapshot.storage import (
    ClaimReference,
    PersistentVolume,
    PersistentVolumeClaim,
    PersistentVolumeClaimSpec,
    PersistentVolumeClaimStatus,
    PersistentVolumeSpec,
    PersistentVolumeStatus,
    StorageClass,
    VolumeAttachment,
    VolumeAttachmentSource,
    VolumeAttachmentSpec,
    VolumeAttachmentStatus,
    VolumeError,
    VolumeNodeAffinity,
)
from karpenter_check.snapshot.workload import (
    DaemonSetSpec,
    Deployment,
    DeploymentContainer,
    DeploymentPodSpec,
    DeploymentSpec,
    DeploymentTemplate,
    EnvVar,
    PodDisruptionBudget,
    PodDisruptionBudgetSpec,
    PodDisruptionBudgetStatus,
    PodTemplate,
    ReplicaSet,
    ReplicasSpec,
    StatefulSet,
)

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
EVERYTHING = Toleration(operator="Exists")
Owner: TypeAlias = DaemonSet | Deployment | StatefulSet
Storage: TypeAlias = PersistentVolumeClaim | PersistentVolume | StorageClass | VolumeAttachment
Thing: TypeAlias = Node | NodePool | NodeClaim | NodeClass | PodObject | Owner | PodDisruptionBudget | Event | Storage


def ago(age: str) -> datetime:
    """The moment so long before `NOON`; `-5m` lies ahead."""
    span = duration(age.removeprefix("-"))
    assert span is not None, f"{age!r} is no duration"
    return NOON + span if age.startswith("-") else NOON - span


def a_uid(kind: str, name: str, namespace: str = "") -> str:
    """The UID of the thing of that name: always the same one."""
    return str(uuid5(NAMESPACE_URL, f"{kind}/{namespace}/{name}"))


def a_taint(text: str) -> Taint:
    """`key=value:Effect` or `key:Effect`."""
    left, _, effect = text.rpartition(":")
    key, _, value = left.partition("=")
    return Taint(key, effect, value)


def a_toleration(text: str) -> Toleration:
    """`key=value:Effect`, `key:Effect` (any value), or `*` for everything."""
    if text == "*":
        return EVERYTHING
    taint = a_taint(text)
    return Toleration(taint.key, "Equal" if taint.value else "Exists", taint.value, taint.effect)


def a_requirement(text: str) -> Requirement:
    """`key In a,b`, `key Exists`, `key Gt 4`; with minValues, `key Exists min 3`."""
    asked, _, minimum = text.partition(" min ")
    key, operator, *values = asked.split(" ", 2)
    return Requirement(key, operator, tuple(values[0].split(",")) if values else (), int(minimum) if minimum else None)


def a_term(*requirements: str) -> NodeSelectorTerm:
    """A node selector term of requirements in the form of `a_requirement`."""
    parsed = (a_requirement(text) for text in requirements)
    return NodeSelectorTerm(tuple(NodeSelectorRequirement(entry.key, entry.operator, entry.values) for entry in parsed))


def a_nodepool(
    name: str = "default",
    *,
    labels: Mapping[str, str] | None = None,
    requirements: Sequence[str] = (),
    taints: Sequence[str] = (),
    startup_taints: Sequence[str] = (),
    policy: str = "WhenEmptyOrUnderutilized",
    consolidate_after: str = "1m",
    budgets: Sequence[Budget] = (Budget(),),
    node_class: NodeClassRef = NodeClassRef("EC2NodeClass", "default", "karpenter.k8s.aws"),
    replicas: int | None = None,
    hash: str = "1",
    weight: int = 0,
    limits: Mapping[str, str] | None = None,
    used: Mapping[str, str] | None = None,
    not_ready: str = "",
    deleted: str = "",
    age: str = "2000h",
    do_not_disrupt: str = "",
    do_not_consolidate: str = "",
) -> NodePool:
    """A NodePool, ready to buy amd64 and arm64; `not_ready` is why it is not, `do_not_disrupt` what its template says."""
    spec = TemplateSpec(
        tuple(a_requirement(text) for text in requirements),
        tuple(a_taint(text) for text in taints),
        tuple(a_taint(text) for text in startup_taints),
        node_class,
    )
    return NodePool(
        Metadata(
            name,
            uid=a_uid("NodePool", name),
            creation_timestamp=ago(age),
            deletion_timestamp=ago(deleted) if deleted else None,
            annotations=Annotations(nodepool_hash=hash, nodepool_hash_version="v3"),
        ),
        NodePoolSpec(
            Template(
                TemplateMetadata(
                    dict(labels or {}), Annotations(do_not_disrupt=do_not_disrupt, do_not_consolidate=do_not_consolidate)
                ),
                spec,
            ),
            Disruption(consolidate_after, policy, budgets=tuple(budgets)),
            replicas=replicas,
            weight=weight,
            limits=dict(limits or {}),
        ),
        NodePoolStatus(
            (
                Condition(
                    "Ready",
                    "False" if not_ready else "True",
                    "UnhealthyDependents" if not_ready else "Ready",
                    not_ready,
                    ago(age),
                ),
            ),
            dict(used or {}),
        ),
    )


def a_node_class(
    name: str = "default",
    *,
    zones: Sequence[str] = (),
    image_requirements: Sequence[Sequence[str]] = (),
    images_by: Sequence[SelectorTerm] = (SelectorTerm(alias="al2023@v20240807"),),
    deprecated_images: Sequence[str] = (),
) -> NodeClass:
    """An EC2NodeClass with a pinned image, subnets in these zones, one image for each list of requirements, and deprecated images."""
    images = (
        *(Image(requirements=tuple(a_requirement(text) for text in requirements)) for requirements in image_requirements),
        *(Image(name, deprecated=True) for name in deprecated_images),
    )
    status = NodeClassStatus((Condition("Ready", "True"),), tuple(Subnet(zone) for zone in zones), images)
    return NodeClass(
        Metadata(name, uid=a_uid("NodeClass", name)),
        "EC2NodeClass",
        "karpenter.k8s.aws/v1",
        NodeClassSpec(ami_selector_terms=tuple(images_by)),
        status,
    )


def a_node(
    name: str = "n1",
    *,
    pool: str = "default",
    labels: Mapping[str, str] | None = None,
    written_by: Mapping[str, str] | None = None,
    taints: Sequence[str] = (),
    taints_written_by: str = "",
    cpu: str = "4",
    memory: str = "16Gi",
    pods: str = "110",
    age: str = "1h",
    ready: bool = True,
    initialized: bool = True,
    cordoned: bool = False,
    do_not_disrupt: str = "",
    do_not_consolidate: str = "",
    finalizers: Sequence[str] | None = None,
    deleted: str = "",
    kubelet: str = "v1.36.2",
    os_image: str = "Amazon Linux 2023",
) -> Node:
    """A ready, initialized node of a NodePool (`pool=""`: of none). `written_by` says which field manager wrote a label."""
    lifecycle = {"karpenter.sh/nodepool": pool, "karpenter.sh/registered": "true"} if pool else {}
    if pool and initialized:
        lifecycle["karpenter.sh/initialized"] = "true"
    managed = [
        ManagedFields(manager, ago(age), Fields(FieldsOfMetadata({f"f:{key}": Present()})))
        for key, manager in (written_by or {}).items()
    ]
    if taints_written_by:
        managed.append(ManagedFields(taints_written_by, ago(age), Fields(spec=FieldsOfSpec(Present()))))
    return Node(
        NodeMetadata(
            name,
            uid=a_uid("Node", name),
            creation_timestamp=ago(age),
            deletion_timestamp=ago(deleted) if deleted else None,
            labels={
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": "amd64",
                **lifecycle,
                **(labels or {}),
            },
            annotations=Annotations(do_not_disrupt=do_not_disrupt, do_not_consolidate=do_not_consolidate),
            finalizers=tuple(["karpenter.sh/termination"] * bool(pool) if finalizers is None else finalizers),
            managed_fields=tuple(managed),
        ),
        NodeSpec(tuple(a_taint(text) for text in taints), cordoned, f"aws:///{name}"),
        NodeStatus(
            NodeInfo(kubelet, os_image),
            {"cpu": cpu, "memory": memory, "pods": pods},
            (Condition("Ready", "True" if ready else "False", last_transition_time=ago(age)),),
        ),
    )


def a_nodeclaim(
    name: str = "",
    *,
    node: str = "n1",
    pool: str = "default",
    age: str = "1h",
    requirements: Sequence[str] = (),
    taints: Sequence[str] = (),
    startup_taints: Sequence[str] = (),
    requests: Mapping[str, str] | None = None,
    expire_after: str = "720h",
    termination_grace_period: str = "24h",
    forced_end: str = "",
    finalizers: Sequence[str] = ("karpenter.sh/termination",),
    launched: bool = True,
    registered: bool = True,
    initialized: bool = True,
    initialized_message: str = "",
    conditions: Sequence[Condition] = (),
    last_pod_event: str = "30m",
    deleted: str = "",
    do_not_disrupt: str = "",
    hash: str = "1",
    image: str = "",
    allocatable: Mapping[str, str] | None = None,
    capacity: Mapping[str, str] | None = None,
) -> NodeClaim:
    """The initialized NodeClaim of a node (`node=""`: of none yet), made from its NodePool as it is; `allocatable` was predicted."""
    stages = [("Launched", launched), ("Registered", registered), ("Initialized", initialized)]
    lifecycle = [
        Condition(
            stage,
            "True" if reached else "Unknown",
            message="" if reached or stage != "Initialized" else initialized_message,
            last_transition_time=ago(age),
        )
        for stage, reached in stages
    ]
    return NodeClaim(
        Metadata(
            name or f"{pool}-{node}",
            uid=a_uid("NodeClaim", name or f"{pool}-{node}"),
            creation_timestamp=ago(age),
            deletion_timestamp=ago(deleted) if deleted else None,
            labels={"karpenter.sh/nodepool": pool} if pool else {},
            annotations=Annotations(
                do_not_disrupt=do_not_disrupt,
                nodepool_hash=hash,
                nodepool_hash_version="v3",
                termination_timestamp=f"{ago(forced_end):%Y-%m-%dT%H:%M:%SZ}" if forced_end else "",
            ),
            finalizers=tuple(finalizers),
        ),
        NodeClaimSpec(
            tuple(a_requirement(text) for text in requirements),
            NodeClaimResources(dict(requests or {"cpu": "2", "memory": "4Gi", "pods": "5"})),
            tuple(a_taint(text) for text in taints),
            NodeClassRef("EC2NodeClass", "default", "karpenter.k8s.aws"),
            expire_after,
            termination_grace_period,
            tuple(a_taint(text) for text in startup_taints),
        ),
        NodeClaimStatus(
            node,
            f"aws:///{node}" if node else "",
            ago(last_pod_event) if last_pod_event else None,
            (*lifecycle, *conditions),
            capacity=dict(capacity or {}),
            image_id=image,
            allocatable=dict(allocatable or {}),
        ),
    )


def _owner_reference(owner: Owner) -> OwnerReference:
    """A Deployment's pods belong to its one ReplicaSet, which `a_cluster` adds."""
    metadata = owner.metadata
    if isinstance(owner, Deployment):
        return OwnerReference(
            "ReplicaSet",
            f"{metadata.name}-bcdfg",
            a_uid("ReplicaSet", f"{metadata.name}-bcdfg", metadata.namespace),
            "apps/v1",
            controller=True,
        )
    return OwnerReference(type(owner).__name__, metadata.name, metadata.uid, "apps/v1", controller=True)


def a_pod_spec(
    *,
    cpu: str = "100m",
    memory: str = "128Mi",
    selector: Mapping[str, str] | None = None,
    terms: Sequence[NodeSelectorTerm] = (),
    tolerations: Sequence[str] = (),
    priority_class: str = "",
    priority: int = 0,
    scheduler: str = "default-scheduler",
    host_port: int = 0,
    claims: Sequence[str] = (),
    on: str = "",
) -> PodSpec:
    """A pod spec of one container."""
    requests = {name: amount for name, amount in (("cpu", cpu), ("memory", memory)) if amount}
    return PodSpec(
        node_name=on,
        scheduler_name=scheduler,
        priority_class_name=priority_class,
        priority=priority,
        node_selector=dict(selector or {}),
        affinity=Affinity(NodeAffinity(NodeSelector(tuple(terms)))) if terms else None,
        tolerations=tuple(a_toleration(text) for text in tolerations),
        containers=(Container(ResourceRequirements(dict(requests)), (ContainerPort(host_port),) if host_port else ()),),
        volumes=tuple(Volume(PersistentVolumeClaimVolumeSource(name)) for name in claims),
    )


def a_pod(
    name: str,
    *,
    namespace: str = "shop",
    on: str = "",
    pinned_to: str = "",
    of: Owner | None = None,
    age: str = "50m",
    labels: Mapping[str, str] | None = None,
    do_not_disrupt: str = "",
    do_not_evict: str = "",
    deletion_cost: str = "",
    phase: str = "",
    ready: bool = True,
    unready_for: str = "",
    grace: int | None = 30,
    deleted: str = "",
    message: str = "0/1 nodes are available",
    cpu: str | None = None,
    memory: str | None = None,
    selector: Mapping[str, str] | None = None,
    terms: Sequence[NodeSelectorTerm] = (),
    tolerations: Sequence[str] = (),
    priority_class: str = "",
    priority: int = 0,
    scheduler: str = "default-scheduler",
    host_port: int = 0,
    claims: Sequence[str] = (),
) -> PodObject:
    """A running pod on a node, or, without `on`, one that the scheduler calls Unschedulable. A DaemonSet's pod has its spec."""
    namespace = of.metadata.namespace if of else namespace
    spec = a_pod_spec(
        cpu="100m" if cpu is None else cpu, memory="128Mi" if memory is None else memory, selector=selector, terms=terms,
        tolerations=tolerations, priority_class=priority_class, priority=priority, scheduler=scheduler, host_port=host_port, claims=claims, on=on,
    )  # fmt: skip
    if isinstance(of, DaemonSet):
        template = of.spec.template.spec
        pin = NodeSelectorTerm((), (NodeSelectorRequirement("metadata.name", "In", (on or pinned_to,)),))
        spec = PodSpec(
            on,
            template.scheduler_name,
            template.priority_class_name,
            template.priority,
            template.node_selector,
            Affinity(NodeAffinity(NodeSelector((pin,)))),
            template.tolerations,
            template.containers,
        )
    spec = msgspec.structs.replace(spec, termination_grace_period_seconds=grace)
    scheduled = Condition("PodScheduled", "True", last_transition_time=ago(age))
    if not on:
        scheduled = Condition("PodScheduled", "False", "Unschedulable", message, ago(age))
    return PodObject(
        Metadata(
            name,
            namespace,
            a_uid("Pod", name, namespace),
            ago(age),
            ago(deleted) if deleted else None,
            dict(labels or {}),
            Annotations(do_not_disrupt=do_not_disrupt, pod_deletion_cost=deletion_cost, do_not_evict=do_not_evict),
            (_owner_reference(of),) if of else (),
        ),
        spec,
        PodStatus(
            phase or ("Running" if on else "Pending"),
            start_time=ago(age) if on else None,
            conditions=(
                scheduled,
                Condition(
                    "Ready",
                    str(bool(on) and ready and not unready_for),
                    last_transition_time=ago(unready_for) if unready_for else None,
                ),
            ),
        ),
    )


def a_daemonset(
    name: str = "logs",
    *,
    namespace: str = "kube-system",
    cpu: str = "100m",
    memory: str = "128Mi",
    selector: Mapping[str, str] | None = None,
    terms: Sequence[NodeSelectorTerm] = (),
    tolerations: Sequence[str] = ("*",),
    priority_class: str = "",
) -> DaemonSet:
    """A DaemonSet that tolerates everything."""
    spec = a_pod_spec(
        cpu=cpu, memory=memory, selector=selector, terms=terms, tolerations=tolerations, priority_class=priority_class
    )
    return DaemonSet(Metadata(name, namespace, a_uid("DaemonSet", name, namespace), ago("1000h")), DaemonSetSpec(PodTemplate(spec)))


def a_deployment(
    name: str = "web",
    *,
    namespace: str = "shop",
    replicas: int = 1,
    labels: Mapping[str, str] | None = None,
    image: str = "web:1",
    env: Mapping[str, str] | None = None,
    age: str = "1000h",
    deleted: str = "",
) -> Deployment:
    """A Deployment; `a_cluster` adds its ReplicaSet."""
    container = DeploymentContainer(image, tuple(EnvVar(key, value) for key, value in (env or {}).items()))
    return Deployment(
        Metadata(
            name,
            namespace,
            a_uid("Deployment", name, namespace),
            ago(age),
            ago(deleted) if deleted else None,
            labels=dict(labels or {}),
        ),
        DeploymentSpec(replicas, DeploymentTemplate(DeploymentPodSpec((container,)))),
    )


KARPENTER = {"app.kubernetes.io/name": "karpenter"}


def a_controller(
    feature_gates: str | EnvVar | None = None,
    *,
    name: str = "karpenter",
    replicas: int = 2,
    image: str = "public.ecr.aws/karpenter/controller:1.13.0",
    env: Mapping[str, str] | None = None,
    age: str = "1000h",
    deleted: str = "",
) -> Deployment:
    """Karpenter's own Deployment, as its chart makes it; with feature gates, if some are given."""
    deployment = a_deployment(
        name, namespace="kube-system", replicas=replicas, labels=KARPENTER, image=image, env=env, age=age, deleted=deleted
    )
    if feature_gates is None:
        return deployment
    gates = feature_gates if isinstance(feature_gates, EnvVar) else EnvVar("FEATURE_GATES", feature_gates)
    (container,) = deployment.spec.template.spec.containers
    template = DeploymentTemplate(DeploymentPodSpec((msgspec.structs.replace(container, env=(*container.env, gates)),)))
    return msgspec.structs.replace(deployment, spec=DeploymentSpec(replicas, template))


def a_statefulset(name: str = "db", *, namespace: str = "data", replicas: int = 1) -> StatefulSet:
    """A StatefulSet."""
    return StatefulSet(Metadata(name, namespace, a_uid("StatefulSet", name, namespace), ago("1000h")), ReplicasSpec(replicas))


def a_claim(name: str = "data", *, namespace: str = "shop", volume: str = "", storage_class: str = "gp3") -> PersistentVolumeClaim:
    """A PersistentVolumeClaim, bound to a volume if one is named."""
    spec = PersistentVolumeClaimSpec(volume, storage_class, ("ReadWriteOnce",))
    return PersistentVolumeClaim(Metadata(name, namespace), spec, PersistentVolumeClaimStatus("Bound" if volume else "Pending"))


def a_volume(
    name: str = "pv-1", *, terms: Sequence[NodeSelectorTerm] = (), storage_class: str = "gp3", claim: str = ""
) -> PersistentVolume:
    """A PersistentVolume that can be used where one of the terms holds, or everywhere; `claim` is one in the namespace `shop`."""
    reference = ClaimReference("shop", claim) if claim else None
    affinity = VolumeNodeAffinity(NodeSelector(tuple(terms)) if terms else None)
    return PersistentVolume(
        Metadata(name), PersistentVolumeSpec(affinity, reference, storage_class), PersistentVolumeStatus("Bound")
    )


def a_storage_class(name: str = "gp3", *, binding: str = "WaitForFirstConsumer") -> StorageClass:
    """A StorageClass."""
    return StorageClass(Metadata(name), "ebs.csi.aws.com", binding)


def an_attachment(volume: str = "pv-1", *, on: str = "n1", deleted: str = "", error: str = "") -> VolumeAttachment:
    """A VolumeAttachment; `error` is why it could not be detached."""
    return VolumeAttachment(
        Metadata(f"csi-{volume}", deletion_timestamp=ago(deleted) if deleted else None),
        VolumeAttachmentSpec("ebs.csi.aws.com", on, VolumeAttachmentSource(volume)),
        VolumeAttachmentStatus(attached=True, detach_error=VolumeError(ago("1m"), error) if error else None),
    )


def a_budget(
    name: str,
    *,
    namespace: str = "shop",
    selects: Mapping[str, str] | None = None,
    allowed: int = 1,
    unhealthy_pods: str = "",
    min_available: int | str | None = None,
    max_unavailable: int | str | None = None,
    expected: int = 0,
    healthy: int = 0,
    desired_healthy: int = 0,
    closed: str = "",
    age: str = "",
) -> PodDisruptionBudget:
    """A PodDisruptionBudget that allows one disruption now; `unhealthy_pods` is its unhealthyPodEvictionPolicy, `closed` since when it allows none."""
    spec = PodDisruptionBudgetSpec(LabelSelector(dict(selects or {})), unhealthy_pods, min_available, max_unavailable)
    conditions = (Condition("DisruptionAllowed", "False", "InsufficientPods", last_transition_time=ago(closed)),) if closed else ()
    return PodDisruptionBudget(
        Metadata(name, namespace, creation_timestamp=ago(age) if age else None),
        spec,
        PodDisruptionBudgetStatus(allowed, expected, healthy, desired_healthy, conditions),
    )


def an_event(
    reason: str, message: str, *, about: InvolvedObject, first: str, last: str = "", times: int = 1, component: str = "karpenter"
) -> Event:
    """An event, first and last seen so long before `NOON`."""
    return Event(
        about,
        reason=reason,
        message=message,
        source=EventSource(component),
        first_timestamp=ago(first),
        last_timestamp=ago(last or first),
        count=times,
    )


def about(pod: PodObject) -> InvolvedObject:
    """What an event about a pod carries."""
    return InvolvedObject("Pod", pod.metadata.namespace, pod.metadata.name, pod.metadata.uid)


def nominated(pod: PodObject, *, to: str = "", node: str = "", first: str, last: str = "", times: int = 1) -> Event:
    """Karpenter said that the pod should schedule on the NodeClaim `to`, and on its node if that is there."""
    target = ", ".join([*([f"nodeclaim/{to}"] if to else []), *([f"node/{node}"] if node else [])])
    return an_event("Nominated", f"Pod should schedule on: {target}", about=about(pod), first=first, last=last, times=times)


def preempted(pod_name: str, *, namespace: str = "shop", by: PodObject, on: str, when: str) -> Event:
    """The scheduler preempted a pod, which is gone, for another one on a node."""
    about = InvolvedObject("Pod", namespace, pod_name, a_uid("Pod", pod_name, namespace))
    said = f"Preempted by pod {by.metadata.uid} on node {on}"
    return an_event("Preempted", said, about=about, first=when, component="default-scheduler")


def a_replicaset_of(deployment: Deployment) -> ReplicaSet:
    """The one ReplicaSet of a Deployment."""
    metadata = deployment.metadata
    return ReplicaSet(
        Metadata(
            f"{metadata.name}-bcdfg", metadata.namespace, a_uid("ReplicaSet", f"{metadata.name}-bcdfg", metadata.namespace),
            owner_references=(OwnerReference("Deployment", metadata.name, metadata.uid, "apps/v1", controller=True),),
        )
    )  # fmt: skip


def a_healthy_cluster() -> Snapshot:
    """Two nodes of one NodePool, a DaemonSet on each, a Deployment of two replicas; and Karpenter on two nodes that are not its own."""
    logs, web, karpenter = a_daemonset("logs"), a_deployment("web", replicas=2), a_controller()
    return a_cluster(
        a_node("group-1", pool=""), a_node("group-2", pool=""), karpenter,
        a_pod("karpenter-1", on="group-1", of=karpenter, labels=KARPENTER), a_pod("karpenter-2", on="group-2", of=karpenter, labels=KARPENTER),
        a_nodepool(limits={"cpu": "100"}), a_node("n1"), a_node("n2", age="9h"), a_nodeclaim(node="n1"), a_nodeclaim(node="n2", age="9h"), logs, web,
        a_pod("logs-1", on="n1", of=logs), a_pod("logs-2", on="n2", of=logs), a_pod("web-1", on="n1", of=web), a_pod("web-2", on="n2", of=web),
        kubernetes="v1.36.0",
    )  # fmt: skip


def _made_from(nodepool: NodePool, node: Node, created: datetime) -> NodeClaim:
    """The NodeClaim of a node, with the requirements, labels and taints of its NodePool."""
    template = nodepool.spec.template
    claim = a_nodeclaim(node=node.name, pool=nodepool.name, age=f"{int((NOON - created) / timedelta(seconds=1))}s")
    labels = tuple(Requirement(key, "In", (value,)) for key, value in template.metadata.labels.items())
    spec = msgspec.structs.replace(
        claim.spec,
        requirements=(*template.spec.requirements, *labels),
        taints=template.spec.taints,
        node_class_ref=template.spec.node_class_ref,
    )
    return msgspec.structs.replace(claim, spec=spec)


def a_cluster(
    *things: Thing, version: Version | None = None, kubernetes: str = "", missing: Mapping[Kind, Status] | None = None
) -> Snapshot:
    """The snapshot of these things at `NOON`.

    What a test leaves out and a cluster needs is added: the NodePool and the NodeClaim of each node, and the ReplicaSet of each
    Deployment. Raises AssertionError for a pod on a
    node that is not there and for two things of one name.
    """
    nodes = [thing for thing in things if isinstance(thing, Node)]
    nodepools = [thing for thing in things if isinstance(thing, NodePool)]
    claims = [thing for thing in things if isinstance(thing, NodeClaim)]
    pods = [thing for thing in things if isinstance(thing, PodObject)]
    daemonsets = [thing for thing in things if isinstance(thing, DaemonSet)]
    deployments = [thing for thing in things if isinstance(thing, Deployment)]
    names = [(type(thing), thing.metadata.namespace, thing.metadata.name) for thing in things if not isinstance(thing, Event)]
    assert len(names) == len(set(names)), "two things of one name"
    assert {pod.spec.node_name for pod in pods} - {""} <= {node.name for node in nodes}, "a pod on a node that is not there"
    for pool in dict.fromkeys(node.nodepool for node in nodes if node.nodepool):
        if pool not in {nodepool.name for nodepool in nodepools}:
            nodepools.append(a_nodepool(pool))
    claimed = {claim.status.node_name for claim in claims}
    by_name = {nodepool.name: nodepool for nodepool in nodepools}
    claims += [
        _made_from(by_name[node.nodepool], node, node.metadata.creation_timestamp)
        for node in nodes
        if node.nodepool and node.name not in claimed and node.metadata.creation_timestamp
    ]
    shapes = PodShapes()
    return Snapshot(
        taken_at=NOON,
        kubernetes_version=kubernetes,
        karpenter_version=version,
        nodes=tuple(nodes),
        pods=tuple(shapes.share(pod) for pod in pods),
        daemonsets=tuple(daemonsets),
        daemonset_shapes={
            (entry.metadata.namespace, entry.metadata.name): shapes.shape(entry.spec.template.spec, limits_as_requests=True)[0]
            for entry in daemonsets
        },
        nodepools=tuple(nodepools),
        nodeclaims=tuple(claims),
        nodeclasses=tuple(thing for thing in things if isinstance(thing, NodeClass)),
        poddisruptionbudgets=tuple(thing for thing in things if isinstance(thing, PodDisruptionBudget)),
        replicasets=tuple(a_replicaset_of(deployment) for deployment in deployments),
        deployments=tuple(deployments),
        statefulsets=tuple(thing for thing in things if isinstance(thing, StatefulSet)),
        events=tuple(thing for thing in things if isinstance(thing, Event)),
        persistentvolumeclaims=tuple(thing for thing in things if isinstance(thing, PersistentVolumeClaim)),
        persistentvolumes=tuple(thing for thing in things if isinstance(thing, PersistentVolume)),
        storageclasses=tuple(thing for thing in things if isinstance(thing, StorageClass)),
        volumeattachments=tuple(thing for thing in things if isinstance(thing, VolumeAttachment)),
        coverage={kind: Coverage((missing or {}).get(kind, Status.COMPLETE)) for kind in Kind},
    )
