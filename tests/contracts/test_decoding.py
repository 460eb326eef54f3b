"""The model declares what a real API server sends, spelled as it sends it."""

import gzip
import types
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias, Union, get_args, get_origin

import msgspec
import pytest

from karpenter_check.collect.decode import decode_items, items_of
from karpenter_check.collect.gathering import Gathering
from karpenter_check.collect.resources import RESOURCES, kind_of
from karpenter_check.snapshot import Kind, Ref
from karpenter_check.snapshot.part import Part

RECORDINGS = Path(__file__).parent.parent / "recordings"
PartType: TypeAlias = type[msgspec.Struct]

NOT_RECORDED = {
    "Annotations.do_not_consolidate": "no recorded node says so",
    "Annotations.ignore": "nobody leaves anything be in the recordings",
    "Annotations.ignore_reason": "as Annotations.ignore",
    "Annotations.ignore_until": "as Annotations.ignore",
    "Affinity.pod_affinity": "no recorded pod has affinity to other pods",
    "Affinity.pod_anti_affinity": "as Affinity.pod_affinity",
    "Annotations.generator_version": "the CustomResourceDefinitions of the recorded cluster are not recorded",
    "Annotations.pod_deletion_cost": "no recorded pod says what its deletion costs",
    "Annotations.selected_node": "the recorded cluster has no volumes",
    "Annotations.termination_timestamp": "no recorded NodeClaim is being deleted with a terminationGracePeriod",
    "Budget.duration": "no recorded budget has a schedule",
    "Budget.schedule": "as Budget.duration",
    "CSIPersistentVolumeSource.driver": "as Annotations.selected_node",
    "ClaimReference.name": "as Annotations.selected_node",
    "ClaimReference.namespace": "as Annotations.selected_node",
    "ClaimReference.uid": "as Annotations.selected_node",
    "Container.ports": "no recorded container opens a port",
    "Container.restart_policy": "no recorded pod has a sidecar",
    "ContainerPort.host_ip": "no recorded container opens a port",
    "ContainerPort.host_port": "no recorded container opens a port",
    "ContainerPort.protocol": "no recorded container opens a port",
    "ContainerStatus.allocated_resources": "the kubelets' stand-in of the recordings says nothing of containers",
    "ContainerStatus.resources": "as ContainerStatus.allocated_resources",
    "CustomResourceDefinition.metadata": "as Annotations.generator_version",
    "CustomResourceDefinition.spec": "as Annotations.generator_version",
    "CustomResourceDefinition.status": "as Annotations.generator_version",
    "CustomResourceDefinitionSpec.versions": "as Annotations.generator_version",
    "CustomResourceDefinitionStatus.stored_versions": "as Annotations.generator_version",
    "CustomResourceDefinitionVersion.name": "as Annotations.generator_version",
    "CustomResourceDefinitionVersion.served": "as Annotations.generator_version",
    "CustomResourceDefinitionVersion.storage": "as Annotations.generator_version",
    "DeploymentContainer.env": "the recorded Karpenter runs outside of its cluster",
    "Disruption.expire_after": "v1beta1 only; the recorded API is v1",
    "EnvVar.name": "as DeploymentContainer.env",
    "EnvVar.value": "as DeploymentContainer.env",
    "EnvVar.value_from": "as DeploymentContainer.env",
    "Image.deprecated": "as Image.requirements",
    "Image.id": "as Image.requirements",
    "Image.requirements": "EC2NodeClass only; the recorded classes are kwok's",
    "LabelSelector.match_expressions": "recorded PodDisruptionBudgets have matchLabels",
    "LabelSelectorRequirement.key": "as LabelSelector.match_expressions",
    "LabelSelectorRequirement.operator": "as LabelSelector.match_expressions",
    "LabelSelectorRequirement.values": "as LabelSelector.match_expressions",
    "Lease.metadata": "as LeaseSpec.holder_identity",
    "Lease.spec": "as LeaseSpec.holder_identity",
    "LeaseSpec.acquire_time": "as LeaseSpec.holder_identity",
    "LeaseSpec.holder_identity": "the recorded Karpenter elects no leader",
    "LeaseSpec.lease_duration_seconds": "as LeaseSpec.holder_identity",
    "LeaseSpec.renew_time": "as LeaseSpec.holder_identity",
    "NodeAffinity.preferred": "no recorded pod has preferences",
    "NodeClaimStatus.image_id": "the recorded provider, kwok, starts its nodes from no image",
    "NodeClassRef.api_version": "v1beta1 only; the recorded API is v1",
    "NodeClassSpec.ami_selector_terms": "as Image.requirements",
    "NodeClassSpec.instance_profile": "as Image.requirements",
    "NodeClassSpec.role": "as Image.requirements",
    "NodeClassSpec.security_group_selector_terms": "as Image.requirements",
    "NodeClassSpec.subnet_selector_terms": "as Image.requirements",
    "NodeClassStatus.amis": "as Image.requirements",
    "NodeClassStatus.subnets": "as Image.requirements",
    "NodeMetadata.namespace": "nodes have none; it comes with Metadata",
    "NodePoolSpec.replicas": "static NodePools need a feature gate, which the recorded Karpenter has not",
    "NodePoolSpec.weight": "no recorded NodePool has a weight",
    "NodeSpec.unschedulable": "no recorded node is cordoned",
    "PersistentVolume.metadata": "as Annotations.selected_node",
    "PersistentVolume.spec": "as Annotations.selected_node",
    "PersistentVolume.status": "as Annotations.selected_node",
    "PersistentVolumeClaim.metadata": "as Annotations.selected_node",
    "PersistentVolumeClaim.spec": "as Annotations.selected_node",
    "PersistentVolumeClaim.status": "as Annotations.selected_node",
    "PersistentVolumeClaimSpec.access_modes": "as Annotations.selected_node",
    "PersistentVolumeClaimSpec.storage_class_name": "as Annotations.selected_node",
    "PersistentVolumeClaimSpec.volume_name": "as Annotations.selected_node",
    "PersistentVolumeClaimStatus.phase": "as Annotations.selected_node",
    "PersistentVolumeClaimVolumeSource.claim_name": "no recorded pod mounts a claim",
    "PersistentVolumeSpec.claim_ref": "as Annotations.selected_node",
    "PersistentVolumeSpec.csi": "as Annotations.selected_node",
    "PersistentVolumeSpec.node_affinity": "as Annotations.selected_node",
    "PersistentVolumeSpec.storage_class_name": "as Annotations.selected_node",
    "PersistentVolumeStatus.phase": "as Annotations.selected_node",
    "PodAffinity.required": "as Affinity.pod_affinity",
    "PodAffinityTerm.topology_key": "as Affinity.pod_affinity",
    "PodDisruptionBudgetSpec.unhealthy_pod_eviction_policy": "recorded PodDisruptionBudgets leave it to the default",
    "PodResourceClaim.name": "as PodSpec.resource_claims",
    "PodSpec.init_containers": "no recorded pod has init containers",
    "PodSpec.overhead": "the recorded cluster has no runtime classes",
    "PodSpec.resource_claims": "no recorded pod claims devices",
    "PodSpec.resources": "no recorded pod has requests as a whole",
    "PodSpec.topology_spread_constraints": "no recorded pod is spread",
    "PodStatus.init_container_statuses": "no recorded pod has init containers",
    "PodStatus.nominated_node_name": "every recorded preemptor is bound already",
    "PreferredSchedulingTerm.preference": "as NodeAffinity.preferred",
    "PreferredSchedulingTerm.weight": "as NodeAffinity.preferred",
    "Requirement.min_values": "no recorded NodePool has any",
    "SelectorTerm.alias": "as Image.requirements",
    "SelectorTerm.id": "as Image.requirements",
    "SelectorTerm.name": "as Image.requirements",
    "SelectorTerm.owner": "as Image.requirements",
    "SelectorTerm.ssm_parameter": "as Image.requirements",
    "SelectorTerm.tags": "as Image.requirements",
    "StorageClass.allowed_topologies": "as Annotations.selected_node",
    "StorageClass.metadata": "as Annotations.selected_node",
    "StorageClass.provisioner": "as Annotations.selected_node",
    "StorageClass.volume_binding_mode": "as Annotations.selected_node",
    "Subnet.zone": "as Image.requirements",
    "TemplateMetadata.annotations": "no recorded NodePool's template has annotations",
    "TopologySelectorLabelRequirement.key": "as Annotations.selected_node",
    "TopologySelectorLabelRequirement.values": "as Annotations.selected_node",
    "TopologySelectorTerm.match_label_expressions": "as Annotations.selected_node",
    "TopologySpreadConstraint.topology_key": "as PodSpec.topology_spread_constraints",
    "TopologySpreadConstraint.when_unsatisfiable": "as PodSpec.topology_spread_constraints",
    "Volume.persistent_volume_claim": "no recorded pod mounts a claim",
    "VolumeAttachment.metadata": "as Annotations.selected_node",
    "VolumeAttachment.spec": "as Annotations.selected_node",
    "VolumeAttachment.status": "as Annotations.selected_node",
    "VolumeAttachmentSource.persistent_volume_name": "as Annotations.selected_node",
    "VolumeAttachmentSpec.attacher": "as Annotations.selected_node",
    "VolumeAttachmentSpec.node_name": "as Annotations.selected_node",
    "VolumeAttachmentSpec.source": "as Annotations.selected_node",
    "VolumeAttachmentStatus.attached": "as Annotations.selected_node",
    "VolumeAttachmentStatus.detach_error": "as Annotations.selected_node",
    "VolumeError.message": "as Annotations.selected_node",
    "VolumeError.time": "as Annotations.selected_node",
    "VolumeNodeAffinity.required": "as Annotations.selected_node",
}
"""Fields that are declared and in no recording, and why."""
WRITTEN = {
    Kind.PERSISTENTVOLUMECLAIM: """{"metadata": {"name": "data", "namespace": "shop", "annotations": {"volume.kubernetes.io/selected-node": "n1"}},
      "spec": {"volumeName": "pv-1", "storageClassName": "gp3", "accessModes": ["ReadWriteOnce"]}, "status": {"phase": "Bound"}}""",
    Kind.PERSISTENTVOLUME: """{"metadata": {"name": "pv-1"}, "spec": {
      "csi": {"driver": "ebs.csi.aws.com", "volumeHandle": "vol-1", "volumeAttributes": {"key": "value"}},
      "claimRef": {"kind": "PersistentVolumeClaim", "namespace": "shop", "name": "data", "uid": "u"},
      "storageClassName": "gp3",
      "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [
        {"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["eu-west-1a"]}
      ]}]}}
    }, "status": {"phase": "Bound"}}""",
    Kind.STORAGECLASS: """{"metadata": {"name": "gp3"}, "provisioner": "ebs.csi.aws.com", "parameters": {"type": "gp3"},
      "volumeBindingMode": "WaitForFirstConsumer",
      "allowedTopologies": [{"matchLabelExpressions": [{"key": "topology.kubernetes.io/zone", "values": ["eu-west-1a"]}]}]}""",
    Kind.VOLUMEATTACHMENT: """{"metadata": {"name": "csi-1"},
      "spec": {"attacher": "ebs.csi.aws.com", "nodeName": "n1", "source": {"persistentVolumeName": "pv-1"}},
      "status": {"attached": true, "detachError": {"time": "2026-11-21T08:00:00Z", "message": "rpc error: code = Internal"}}}""",
    Kind.LEASE: """{"metadata": {"name": "karpenter-leader-election", "namespace": "kube-system"}, "spec": {
      "holderIdentity": "karpenter-7d9c5b6f4-x2x8q_5f2e", "leaseDurationSeconds": 15, "leaseTransitions": 3,
      "acquireTime": "2026-11-21T08:00:00.000000Z", "renewTime": "2026-11-21T08:17:12.345678Z"}}""",
    Kind.CUSTOMRESOURCEDEFINITION: """{"metadata": {"name": "nodepools.karpenter.sh", "annotations": {"controller-gen.kubebuilder.io/version": "v0.20.1"}},
      "spec": {"group": "karpenter.sh", "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {}}}]},
      "status": {"storedVersions": ["v1beta1", "v1"]}}""",
    Kind.NODEPOOL: """{"metadata": {"name": "written"}, "spec": {
      "replicas": 3,
      "weight": 10,
      "disruption": {"expireAfter": "720h", "budgets": [{"nodes": "10%", "schedule": "0 9 * * 1-5", "duration": "8h"}]},
      "template": {"spec": {"requirements": [{"key": "karpenter.k8s.aws/instance-family", "operator": "Exists", "minValues": 3}],
        "nodeClassRef": {"apiVersion": "karpenter.k8s.aws/v1beta1", "kind": "EC2NodeClass", "name": "default"}},
        "metadata": {"annotations": {"karpenter.sh/do-not-disrupt": "true"}}}
    }}""",
    Kind.DEPLOYMENT: """{"metadata": {"name": "written"}, "spec": {"template": {"spec": {"containers": [
      {"name": "controller", "image": "controller", "env": [{"name": "CLUSTER_NAME", "value": "prod"},
        {"name": "INTERRUPTION_QUEUE", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "queue"}}}]}
    ]}}}}""",
    Kind.NODECLASS: """{"metadata": {"name": "written"}, "spec": {"role": "KarpenterNodeRole", "instanceProfile": "KarpenterNodes",
      "subnetSelectorTerms": [{"tags": {"karpenter.sh/discovery": "prod"}}, {"id": "subnet-1"}],
      "securityGroupSelectorTerms": [{"name": "nodes"}],
      "amiSelectorTerms": [{"alias": "al2023@latest"}, {"name": "nodes-*", "owner": "self"}, {"ssmParameter": "/images/nodes"}]
    }, "status": {"subnets": [{"id": "subnet-1", "zone": "eu-west-1a"}], "amis": [
      {"id": "ami-1", "deprecated": true, "requirements": [{"key": "kubernetes.io/arch", "operator": "In", "values": ["arm64"]}]}
    ]}}""",
    Kind.NODE: """{"metadata": {"name": "written", "namespace": "never", "annotations": {"karpenter.sh/do-not-consolidate": "true"}}, "spec": {"unschedulable": true}}""",
    Kind.PODDISRUPTIONBUDGET: """{"metadata": {"name": "written"}, "spec": {"unhealthyPodEvictionPolicy": "AlwaysAllow", "selector": {
      "matchExpressions": [{"key": "app", "operator": "In", "values": ["web"]}]
    }}}""",
    Kind.NODECLAIM: """{"metadata": {"name": "written", "annotations": {
      "karpenter.sh/nodeclaim-termination-timestamp": "2026-11-21T12:00:00Z"
    }}, "status": {"imageID": "ami-1"}}""",
    Kind.POD: """{"metadata": {"name": "written", "annotations": {"controller.kubernetes.io/pod-deletion-cost": "1",
        "karpenter-check/ignore": "pod-multiple-pdbs", "karpenter-check/ignore-reason": "we know", "karpenter-check/ignore-until": "2026-12-31"}}, "status": {"nominatedNodeName": "n1", "containerStatuses": [
      {"name": "web", "allocatedResources": {"cpu": "1"}, "resources": {"requests": {"cpu": "1"}}}
    ], "initContainerStatuses": [{"name": "sidecar"}]}, "spec": {
      "resources": {"requests": {"cpu": "2"}},
      "resourceClaims": [{"name": "gpu", "resourceClaimTemplateName": "gpu"}],
      "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "DoNotSchedule"}],
      "overhead": {"cpu": "250m"},
      "initContainers": [{"name": "sidecar", "restartPolicy": "Always"}],
      "containers": [{"name": "web", "ports": [{"containerPort": 80, "hostPort": 80, "hostIP": "10.0.0.1", "protocol": "TCP"}]}],
      "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}],
      "affinity": {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "kubernetes.io/hostname"}]},
        "podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "kubernetes.io/hostname"}]},
        "nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [
        {"weight": 1, "preference": {"matchExpressions": [{"key": "team", "operator": "Exists"}]}}
      ]}}
    }}""",
}
"""Objects with those fields, spelled as in https://kubernetes.io/docs/reference/kubernetes-api/ (v1.36) and https://karpenter.sh/docs/."""


class List(msgspec.Struct, rename="camel"):
    """A recorded list."""

    kind: str = ""
    api_version: str = ""
    items: msgspec.Raw = msgspec.Raw(b"[]")


@cache
def recorded_lists() -> tuple[tuple[str, Kind, bytes], ...]:
    """Where each recorded list of a kind that is read lies, its kind, and its items."""
    found = []
    for path in sorted(RECORDINGS.glob("*/*.json.gz")):
        content = msgspec.json.decode(gzip.decompress(path.read_bytes()), type=List)
        if kind := kind_of(content.kind.removesuffix("List"), content.api_version):
            found.append((f"{path.parent.name}/{path.name}", kind, bytes(content.items)))
    return tuple(found)


def parts_in(declared: Any) -> Iterator[PartType]:
    """The struct types in a field's type: itself, or inside a union, a tuple or a dict."""
    if isinstance(declared, type) and issubclass(declared, msgspec.Struct):
        yield declared
    elif get_origin(declared) in {types.UnionType, Union, tuple, dict}:
        for inner in get_args(declared):
            yield from parts_in(inner)


def values_in(value: Any) -> list[dict[str, Any]]:
    """The JSON objects that a field holds: itself, or the items of a list."""
    return [entry for entry in (value if isinstance(value, list) else [value]) if isinstance(entry, dict)]


def declared_fields(part: PartType, known: set[PartType]) -> Iterator[str]:
    """`Type.field` of everything declared in a type and below it."""
    if part in known:
        return
    known.add(part)
    for field in msgspec.structs.fields(part):
        yield f"{part.__name__}.{field.name}"
        for inner in parts_in(field.type):
            yield from declared_fields(inner, known)


def seen_fields(part: PartType, value: dict[str, Any]) -> Iterator[str]:
    """`Type.field` of everything declared that a JSON object holds."""
    for field in msgspec.structs.fields(part):
        held = value.get(field.encode_name)
        if held is not None:
            yield f"{part.__name__}.{field.name}"
            for inner in parts_in(field.type):
                for entry in values_in(held):
                    yield from seen_fields(inner, entry)


@cache
def declared() -> frozenset[str]:
    known: set[PartType] = set()
    return frozenset(name for resource in RESOURCES.values() for name in declared_fields(resource.type, known))


@cache
def seen() -> frozenset[str]:
    return frozenset(
        name
        for _, kind, items in recorded_lists()
        for value in msgspec.json.decode(items)
        for name in seen_fields(RESOURCES[kind].type, value)
    )


def test_every_kind_is_recorded() -> None:
    assert {kind for _, kind, _ in recorded_lists()} == {kind for kind in Kind if not kind.optional}


def test_every_declared_field_appears_in_a_recording_or_says_why_not() -> None:
    assert sorted(declared() - seen() - NOT_RECORDED.keys()) == []


def test_what_is_not_recorded_is_spelled_as_the_references_spell_it() -> None:
    written = {
        name for kind, text in WRITTEN.items() for name in seen_fields(RESOURCES[kind].type, msgspec.json.decode(text, type=dict))
    }

    assert sorted(NOT_RECORDED.keys() - written) == []
    assert [kind for kind, text in WRITTEN.items() if decode_items(kind, f"[{text}]".encode()) is None] == []


def test_no_excuse_outlives_its_reason() -> None:
    assert sorted(NOT_RECORDED.keys() & seen()) == [], "these do appear"
    assert sorted(NOT_RECORDED.keys() - declared()) == [], "these are declared no more"


def test_types_are_told_apart_by_their_names_and_all_are_decoded() -> None:
    known: set[PartType] = set()
    for resource in RESOURCES.values():
        list(declared_fields(resource.type, known))
    names = [part.__name__ for part in known]

    assert sorted(names) == sorted(set(names))
    assert every_part(Part) - known == {Ref}, "a Ref is ours, not the API's"


def every_part(of: PartType) -> set[PartType]:
    direct = of.__subclasses__()
    ours = {part for part in direct if part.__module__.startswith("karpenter_check.snapshot.")}
    return ours.union(*(every_part(part) for part in direct))


@pytest.mark.parametrize(("source", "kind", "items"), recorded_lists(), ids=[source for source, _, _ in recorded_lists()])
def test_a_recorded_list_decodes_as_it_is(source: str, kind: Kind, items: bytes) -> None:
    gathering = Gathering()

    assert decode_items(kind, items) is not None
    gathering.add_items(kind, items, source)
    assert gathering.count == len(items_of(items))
    assert gathering.errors == []
