"""What becomes of each text in the model: whether it is a name, a keyword, or text for people."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeAlias

import msgspec

from karpenter_check.collect import public_names
from karpenter_check.snapshot import Version, event, metadata, node, nodepool, pod_object, selector, workload
from karpenter_check.snapshot.version import image_version


class Names(Protocol):
    """What is asked for each kind of text. One that notes names answers with the same text."""

    def name(self, text: str, word: str) -> str:
        """Of a name of such an object."""

    def template(self, replicaset: str, template_hash: str) -> None:
        """A ReplicaSet's name and the hash of its template, which it ends with."""

    def template_hash(self, text: str) -> str:
        """Of a pod-template-hash."""

    def uid(self, text: str) -> str:
        """Of a UID."""

    def key(self, key: str) -> str:
        """Of a key of a label or taint."""

    def value(self, text: str, word: str) -> str:
        """Of a value of a label, or what may have a domain as keys have."""

    def provider_id(self, text: str) -> str:
        """Of a provider's id."""

    def address(self, text: str) -> str:
        """Of an IP address."""

    def text(self, text: str) -> str:
        """Of text for people."""


Decision: TypeAlias = Callable[[Names, Any, Any, str], Any]
"""Called with the names, the Struct, the field's value and the kind of the whole object."""

_OF_KIND = {
    "Node": "node", "NodePool": "nodepool", "NodeClaim": "nodeclaim", "DaemonSet": "daemonset", "Deployment": "deployment",
    "StatefulSet": "statefulset", "ReplicaSet": "replicaset", "Pod": "pod", "PodDisruptionBudget": "pdb", "Job": "job",
    "CronJob": "cronjob", "Namespace": "ns",
}  # fmt: skip
_OF_LABEL = {
    "karpenter.sh/nodepool": "nodepool", "kubernetes.io/hostname": "node", "metadata.name": "node", "metadata.namespace": "ns",
    "statefulset.kubernetes.io/pod-name": "pod", "job-name": "job", "batch.kubernetes.io/job-name": "job",
    "karpenter.k8s.aws/ec2nodeclass": "nodeclass", "karpenter.kwok.sh/kwoknodeclass": "nodeclass",
    "karpenter.azure.com/aksnodeclass": "nodeclass",
}  # fmt: skip
_PLAIN = frozenset("0123456789+-")
_ACCOUNT_DIGITS = 12


def word_of_kind(kind: str) -> str:
    """What a pseudonym for an object of that kind begins with."""
    return "nodeclass" if kind.endswith("NodeClass") else _OF_KIND.get(kind, "owner")


def _value(names: Names, key: str, value: str) -> str:
    """A value of a label or taint. Numbers stay, for Gt and Lt compare them."""
    number = bool(value) and _PLAIN.issuperset(value) and len(value) != _ACCOUNT_DIGITS
    if not value or number or value in {"true", "false"} or public_names.has_open_values(key):
        return value
    if key == "pod-template-hash":
        return names.template_hash(value)
    return names.value(value, _OF_LABEL.get(key, "value"))


def _labels(names: Names, _owner: Any, labels: Mapping[str, str], _kind: str) -> dict[str, str]:
    return {names.key(key): _value(names, key, value) for key, value in labels.items()}


def _values(names: Names, owner: Any, values: tuple[str, ...], _kind: str) -> tuple[str, ...]:
    return tuple(_value(names, owner.key, value) for value in values)


def _resources(names: Names, _owner: Any, amounts: Mapping[str, Any], _kind: str) -> dict[str, Any]:
    return {
        name if public_names.is_public_resource(name) else names.value(name, "resource"): amount for name, amount in amounts.items()
    }


def _written(names: Names, _owner: Any, labels: Mapping[str, Any], _kind: str) -> dict[str, Any]:
    """`f:labels` of managedFields."""
    return {f"f:{names.key(key[2:])}": {} for key in labels if key.startswith("f:")}


def _keep(_names: Names, _owner: Any, value: Any, _kind: str) -> Any:
    return value


def _present(_names: Names, _owner: Any, value: Any, _kind: str) -> Any:
    """Of what rules only ask whether it is there."""
    return None if value is None else {}


def _key(names: Names, _owner: Any, value: str, _kind: str) -> str:
    return names.key(value)


def _one_value(names: Names, owner: Any, value: str, _kind: str) -> str:
    return _value(names, owner.key, value)


def _text(names: Names, _owner: Any, value: str, _kind: str) -> str:
    return names.text(value)


def _uid(names: Names, _owner: Any, value: str, _kind: str) -> str:
    return names.uid(value)


def _keyword(names: Names, _owner: Any, value: str, _kind: str) -> str:
    """A word of an API: a kind, an operator, a reason. What is no word or is somebody's own is a key."""
    return value if value.isascii() and value.isalpha() else names.key(value)


def _keywords(names: Names, owner: Any, values: tuple[str, ...], kind: str) -> tuple[str, ...]:
    return tuple(_keyword(names, owner, value, kind) for value in values)


def _setting(names: Names, _owner: Any, value: str, _kind: str) -> str:
    """A duration, a number, `true`, `Never`, a version of a hash; else text."""
    return value if value.isascii() and value.isalnum() else names.text(value)


def _named(word: str) -> Decision:
    def decide(names: Names, _owner: Any, value: str, _kind: str) -> str:
        return names.name(value, word)

    return decide


def _public(known: Callable[[str], bool], word: str) -> Decision:
    def decide(names: Names, _owner: Any, value: str, _kind: str) -> str:
        return value if known(value) else names.name(value, word)

    return decide


def _own_name(names: Names, owner: metadata.Metadata, value: str, kind: str) -> str:
    """The object's own name, and what it is made of."""
    if template_hash := owner.labels.get("pod-template-hash"):
        replicasets = (
            [value] if kind == "ReplicaSet" else [entry.name for entry in owner.owner_references if entry.kind == "ReplicaSet"]
        )
        for replicaset in replicasets:
            names.template(replicaset, template_hash)
    return names.name(value, word_of_kind(kind))


def _name_by_kind(names: Names, owner: Any, value: str, _kind: str) -> str:
    return names.name(value, word_of_kind(owner.kind))


def _event_name(names: Names, _owner: Any, value: str, _kind: str) -> str:
    """An event is called as its object, and a number that nobody reads (client-go tools/record)."""
    before, dot, number = value.rpartition(".")
    return f"{names.name(before, 'name')}{dot}{number}" if before else names.name(value, "name")


def _kind_of_group(names: Names, owner: Any, value: str, _kind: str) -> str:
    """A kind; of somebody's own API it is a name. Node classes are known by how their kind ends."""
    group = owner.api_version.rpartition("/")[0]
    if public_names.is_public_group(group) or value.endswith("NodeClass"):
        return value
    return names.key(value)


def _api_version(names: Names, _owner: Any, value: str, _kind: str) -> str:
    group, slash, version = value.rpartition("/")
    return value if public_names.is_public_group(group) else f"{names.name(group, 'domain')}{slash}{version}"


def _environment(names: Names, owner: workload.EnvVar, value: str, _kind: str) -> str:
    return value if owner.name in public_names.PLAIN_SETTINGS else names.name(value, "cluster")


def _image(names: Names, _owner: Any, value: str, _kind: str) -> str:
    """Of an image of Karpenter's the version is left, of others nothing."""
    if "karpenter" not in value:
        return names.name(value, "image")
    version: Version | None = image_version(value)
    return f"karpenter/controller:{version}" if version else "karpenter/controller"


def _address(names: Names, _owner: Any, value: str, _kind: str) -> str:
    return names.address(value) if value else value


def _provider_id(names: Names, _owner: Any, value: str, _kind: str) -> str:
    return names.provider_id(value) if value else value


_REQUIREMENT: Mapping[str, Decision] = {"key": _key, "operator": _keyword, "values": _values}
_SELECTED: Mapping[str, Decision] = {"match_labels": _labels}
_ANY = _public(lambda text: text in public_names.COMPONENTS, "scheduler")

DECISIONS: Mapping[type[msgspec.Struct], Mapping[str, Decision]] = {
    metadata.Metadata: {"name": _own_name, "namespace": _named("ns"), "uid": _uid, "labels": _labels},
    node.NodeMetadata: {"name": _own_name, "namespace": _named("ns"), "uid": _uid, "labels": _labels},
    metadata.Annotations: {
        "do_not_disrupt": _setting, "nodepool_hash": _setting, "min_values_relaxed": _setting, "nodepool_hash_version": _setting,
    },
    metadata.OwnerReference: {"kind": _kind_of_group, "name": _name_by_kind, "uid": _uid, "api_version": _api_version},
    metadata.FieldsOfMetadata: {"labels": _written},
    metadata.FieldsOfSpec: {"taints": _present},
    metadata.ManagedFields: {"manager": _public(public_names.is_public_manager, "manager")},
    metadata.Condition: {"type": _keyword, "status": _keyword, "reason": _keyword, "message": _text},
    node.Taint: {"key": _key, "effect": _keyword, "value": _one_value},
    node.NodeSpec: {"provider_id": _provider_id},
    node.NodeStatus: {"allocatable": _resources},
    nodepool.NodeClassRef: {"kind": _keyword, "name": _named("nodeclass"), "group": _public(public_names.is_public_group, "domain"), "api_version": _api_version},
    nodepool.Requirement: _REQUIREMENT,
    nodepool.TemplateMetadata: {"labels": _labels},
    nodepool.Budget: {"nodes": _text, "schedule": _keep, "reasons": _keywords},
    nodepool.Disruption: {"consolidate_after": _setting, "consolidation_policy": _keyword, "expire_after": _setting},
    nodepool.NodePoolSpec: {"limits": _resources},
    nodepool.NodePoolStatus: {"resources": _resources},
    nodepool.NodeClaimResources: {"requests": _resources},
    nodepool.NodeClaimSpec: {"expire_after": _setting, "termination_grace_period": _setting},
    nodepool.NodeClaimStatus: {"node_name": _named("node"), "provider_id": _provider_id, "capacity": _resources, "allocatable": _resources},
    nodepool.Subnet: {"zone": _keep},
    nodepool.NodeClass: {"kind": _kind_of_group, "api_version": _api_version},
    event.InvolvedObject: {"kind": _keyword, "namespace": _named("ns"), "name": _name_by_kind, "uid": _uid},
    event.EventMetadata: {"name": _event_name, "namespace": _named("ns")},
    event.EventSource: {"component": _ANY},
    event.Event: {"reason": _keyword, "message": _text, "reporting_component": _ANY},
    pod_object.Toleration: {"key": _key, "operator": _keyword, "value": _one_value, "effect": _keyword},
    pod_object.NodeSelectorRequirement: _REQUIREMENT,
    pod_object.PodAffinityTerm: {"topology_key": _key},
    pod_object.TopologySpreadConstraint: {"topology_key": _key, "when_unsatisfiable": _keyword},
    pod_object.ContainerPort: {"host_ip": _address, "protocol": _keyword},
    pod_object.ResourceRequirements: {"requests": _resources, "limits": _resources},
    pod_object.Container: {"restart_policy": _keyword, "name": _named("container")},
    pod_object.PersistentVolumeClaimVolumeSource: {"claim_name": _named("claim")},
    pod_object.PodResourceClaim: {"name": _named("claim")},
    pod_object.PodSpec: {
        "node_name": _named("node"), "scheduler_name": _ANY, "priority_class_name": _named("priority"), "node_selector": _labels, "overhead": _resources,
    },
    pod_object.ContainerStatus: {"name": _named("container"), "allocated_resources": _resources},
    pod_object.PodStatus: {"phase": _keyword, "nominated_node_name": _named("node")},
    workload.EnvVar: {"name": _keep, "value": _environment},
    workload.DeploymentContainer: {"image": _image},
    workload.PodDisruptionBudgetSpec: {"unhealthy_pod_eviction_policy": _keyword},
    selector.LabelSelector: _SELECTED,
    selector.LabelSelectorRequirement: _REQUIREMENT,
}  # fmt: skip
