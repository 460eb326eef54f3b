"""What becomes of labels, taints, requirements and amounts when a snapshot is redacted."""

import re
from collections.abc import Mapping
from typing import Any

from karpenter_check.collect import public_names
from karpenter_check.collect.cloud_values import is_cloud_value, names_a_place
from karpenter_check.collect.redacted_values import Names
from karpenter_check.snapshot.part import Present

_OF_LABEL = {
    "karpenter.sh/nodepool": "nodepool", "kubernetes.io/hostname": "node", "metadata.name": "node", "metadata.namespace": "ns",
    "statefulset.kubernetes.io/pod-name": "pod", "job-name": "job", "batch.kubernetes.io/job-name": "job",
    "karpenter.k8s.aws/ec2nodeclass": "nodeclass", "karpenter.kwok.sh/kwoknodeclass": "nodeclass",
    "karpenter.azure.com/aksnodeclass": "nodeclass",
}  # fmt: skip
_NUMBER_LIKE = frozenset("0123456789+-")
_SHORT_NUMBER = re.compile(r"-?[0-9]{1,6}")
_COMPARING = frozenset({"Gt", "Lt", "Gte", "Lte"})


def _value(names: Names, key: str, value: str) -> str:
    """A value of a label or taint. Short numbers stay, and longer ones that Gt and Lt compare."""
    if not value or value in {"true", "false"} or _SHORT_NUMBER.fullmatch(value):
        return value
    if public_names.has_open_values(key):
        if is_cloud_value(key, value):
            return names.open(value)
        return names.value(value, "zone" if names_a_place(key) else "value")
    if _NUMBER_LIKE.issuperset(value):
        return names.number(key, value)
    if key == "pod-template-hash":
        return names.template_hash(value)
    return names.value(value, _OF_LABEL.get(key, "value"))


def labels_of(names: Names, _owner: Any, labels: Mapping[str, str], _kind: str) -> dict[str, str]:
    """Labels, or what selects by them."""
    return {names.key(key): _value(names, key, value) for key, value in labels.items()}


def values_of(names: Names, owner: Any, values: tuple[str, ...], _kind: str) -> tuple[str, ...]:
    """Values that are asked of the label beside them."""
    if getattr(owner, "operator", "") in _COMPARING:  # those of a StorageClass have none
        names.compare(owner.key)
    return tuple(_value(names, owner.key, value) for value in values)


def amounts_of(names: Names, _owner: Any, amounts: Mapping[str, Any], _kind: str) -> dict[str, Any]:
    """Amounts by resource."""
    return {
        name if public_names.is_public_resource(name) else names.value(name, "resource"): amount for name, amount in amounts.items()
    }


def written(names: Names, _owner: Any, labels: Mapping[str, Present], _kind: str) -> dict[str, Present]:
    """`f:labels` of managedFields."""
    return {f"f:{names.key(key[2:])}" if key.startswith("f:") else ".": there for key, there in labels.items()}


def zone(names: Names, _owner: Any, value: str, _kind: str) -> str:
    """A zone: what it becomes in labels, too."""
    return _value(names, "topology.kubernetes.io/zone", value)


def key_of(names: Names, _owner: Any, value: str, _kind: str) -> str:
    """A key of a label or taint."""
    return names.key(value)


def one_value(names: Names, owner: Any, value: str, _kind: str) -> str:
    """The value of the key beside it."""
    if getattr(owner, "operator", "") in _COMPARING:  # tolerations have one, taints have none
        names.compare(owner.key)
    return _value(names, owner.key, value)
