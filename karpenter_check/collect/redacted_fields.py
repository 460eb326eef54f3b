"""What each text of the model is: a name, a keyword, or text for people."""

from collections.abc import Mapping

import msgspec

from karpenter_check.collect import public_names
from karpenter_check.collect import redacted_labels as label
from karpenter_check.collect import redacted_values as what
from karpenter_check.collect.redacted_values import Decision
from karpenter_check.snapshot import event, installation, metadata, node, nodepool, pod_object, selector, storage, workload

_REQUIREMENT: Mapping[str, Decision] = {"key": label.key_of, "operator": what.keyword, "values": label.values_of}
_COMPONENT = what.unless_public(lambda text: text in public_names.COMPONENTS, "scheduler")
_DRIVER = what.unless_public(public_names.is_public_driver, "domain")

DECISIONS: Mapping[type[msgspec.Struct], Mapping[str, Decision]] = {
    metadata.Metadata: {"name": what.own_name, "namespace": what.name_of("ns"), "uid": what.uid_of, "labels": label.labels_of, "finalizers": what.keywords},
    node.NodeMetadata: {"name": what.own_name, "namespace": what.name_of("ns"), "uid": what.uid_of, "labels": label.labels_of, "finalizers": what.keywords},
    metadata.Annotations: {
        "do_not_disrupt": what.setting, "nodepool_hash": what.setting, "min_values_relaxed": what.setting, "nodepool_hash_version": what.setting,
        "termination_timestamp": what.time, "pod_deletion_cost": what.setting, "selected_node": what.name_of("node"), "generator_version": what.version,
        "do_not_evict": what.setting, "do_not_consolidate": what.setting,
        "ignore": what.message, "ignore_reason": what.message, "ignore_until": what.time,
    },
    metadata.OwnerReference: {"kind": what.kind_of_group, "name": what.name_by_kind, "uid": what.uid_of, "api_version": what.api_version},
    metadata.FieldsOfMetadata: {"labels": label.written},
    metadata.ManagedFields: {"manager": what.unless_public(public_names.is_public_manager, "manager")},
    metadata.Condition: {"type": what.keyword, "status": what.keyword, "reason": what.keyword, "message": what.message},
    node.Taint: {"key": label.key_of, "effect": what.keyword, "value": label.one_value},
    node.NodeSpec: {"provider_id": what.provider_id_of},
    node.NodeInfo: {"kubelet_version": what.kubelet_version, "os_image": what.unless_public(lambda text: text in public_names.OS_IMAGES, "image")},
    node.NodeStatus: {"allocatable": label.amounts_of},
    nodepool.NodeClassRef: {"kind": what.kind_of_group, "name": what.name_of("nodeclass"), "group": what.unless_public(public_names.is_public_group, "domain"), "api_version": what.api_version},
    nodepool.Requirement: _REQUIREMENT,
    nodepool.TemplateMetadata: {"labels": label.labels_of},
    nodepool.TemplateSpec: {"expire_after": what.setting, "termination_grace_period": what.setting},
    nodepool.Budget: {"nodes": what.setting, "schedule": what.schedule, "reasons": what.keywords, "duration": what.setting},
    nodepool.Disruption: {"consolidate_after": what.setting, "consolidation_policy": what.keyword, "expire_after": what.setting},
    nodepool.NodePoolSpec: {"limits": label.amounts_of},
    nodepool.NodePoolStatus: {"resources": label.amounts_of},
    nodepool.NodeClaimResources: {"requests": label.amounts_of},
    nodepool.NodeClaimSpec: {"expire_after": what.setting, "termination_grace_period": what.setting},
    nodepool.NodeClaimStatus: {"node_name": what.name_of("node"), "provider_id": what.provider_id_of, "capacity": label.amounts_of, "allocatable": label.amounts_of, "image_id": what.name_of("image")},
    nodepool.Image: {"id": what.name_of("image")},
    nodepool.Subnet: {"zone": label.zone},
    nodepool.SelectorTerm: {
        "tags": label.labels_of, "id": what.name_of("reference"), "name": what.image_name, "alias": what.image_alias, "owner": what.owner,
        "ssm_parameter": what.image_parameter,
    },
    nodepool.NodeClassSpec: {"role": what.name_of("name"), "instance_profile": what.name_of("name")},
    nodepool.NodeClass: {"kind": what.kind_of_group, "api_version": what.api_version},
    event.InvolvedObject: {"kind": what.kind_alone, "namespace": what.name_of("ns"), "name": what.name_by_kind, "uid": what.uid_of},
    event.EventMetadata: {"name": what.event_name, "namespace": what.name_of("ns")},
    event.EventSource: {"component": _COMPONENT},
    event.Event: {"reason": what.keyword, "message": what.message, "reporting_component": _COMPONENT},
    pod_object.Toleration: {"key": label.key_of, "operator": what.keyword, "value": label.one_value, "effect": what.keyword},
    pod_object.NodeSelectorRequirement: _REQUIREMENT,
    pod_object.PodAffinityTerm: {"topology_key": label.key_of},
    pod_object.TopologySpreadConstraint: {"topology_key": label.key_of, "when_unsatisfiable": what.keyword},
    pod_object.ContainerPort: {"host_ip": what.address_of, "protocol": what.keyword},
    pod_object.ResourceRequirements: {"requests": label.amounts_of, "limits": label.amounts_of},
    pod_object.Container: {"restart_policy": what.keyword, "name": what.name_of("container")},
    pod_object.PersistentVolumeClaimVolumeSource: {"claim_name": what.name_of("claim")},
    pod_object.PodResourceClaim: {"name": what.name_of("claim")},
    pod_object.PodSpec: {
        "node_name": what.name_of("node"), "scheduler_name": _COMPONENT, "priority_class_name": what.name_of("priority"), "node_selector": label.labels_of, "overhead": label.amounts_of,
    },
    pod_object.ContainerStatus: {"name": what.name_of("container"), "allocated_resources": label.amounts_of},
    pod_object.PodStatus: {"phase": what.keyword, "nominated_node_name": what.name_of("node")},
    workload.EnvVar: {"name": what.keep, "value": what.environment},
    workload.DeploymentContainer: {"image": what.image},
    workload.PodDisruptionBudgetSpec: {
        "unhealthy_pod_eviction_policy": what.keyword, "min_available": what.setting_or_number, "max_unavailable": what.setting_or_number,
    },
    storage.PersistentVolumeClaimSpec: {"volume_name": what.name_of("volume"), "storage_class_name": what.name_if_set("storageclass"), "access_modes": what.keywords},
    storage.PersistentVolumeClaimStatus: {"phase": what.keyword},
    storage.ClaimReference: {"namespace": what.name_of("ns"), "name": what.name_of("claim"), "uid": what.uid_of},
    storage.CSIPersistentVolumeSource: {"driver": _DRIVER},
    storage.PersistentVolumeSpec: {"storage_class_name": what.name_of("storageclass")},
    storage.PersistentVolumeStatus: {"phase": what.keyword},
    storage.TopologySelectorLabelRequirement: {"key": label.key_of, "values": label.values_of},
    storage.StorageClass: {"provisioner": _DRIVER, "volume_binding_mode": what.keyword},
    storage.VolumeError: {"message": what.message},
    storage.VolumeAttachmentSource: {"persistent_volume_name": what.name_of("volume")},
    storage.VolumeAttachmentSpec: {"attacher": _DRIVER, "node_name": what.name_of("node")},
    installation.LeaseSpec: {"holder_identity": what.holder},
    installation.CustomResourceDefinitionVersion: {"name": what.version},
    installation.CustomResourceDefinitionStatus: {"stored_versions": what.versions},
    selector.LabelSelector: {"match_labels": label.labels_of},
    selector.LabelSelectorRequirement: _REQUIREMENT,
}  # fmt: skip
"""Every field of the model that can hold text itself, those of Structs in it aside."""
