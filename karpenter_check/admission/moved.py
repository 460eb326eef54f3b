"""Where fields went from version to version of Karpenter's API, and where people look for them in vain.

Source: Karpenter's v1beta1 and v1 migration guides (https://karpenter.sh/docs/upgrading/v1-migration/, …/v1beta1-migration/).
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

from karpenter_check.admission.fault import Fate, Fault, one_of, said
from karpenter_check.snapshot.manifest import Path

_EXPIRE_AFTER = "it is spec.template.spec.expireAfter in v1, and forceful there: nodes go at that age whatever budgets say"
_OF_V1: dict[tuple[str, ...], str] = {
    ("spec", "disruption", "expireAfter"): _EXPIRE_AFTER,
    ("spec", "expireAfter"): _EXPIRE_AFTER,
    ("spec", "ttlSecondsUntilExpired"): f"{_EXPIRE_AFTER}; write seconds as 3600s",
    ("spec", "ttlSecondsAfterEmpty"): "it is spec.disruption.consolidationPolicy: WhenEmpty with consolidateAfter since v1beta1",
    ("spec", "consolidation"): "it is spec.disruption.consolidationPolicy since v1beta1",
    ("spec", "template", "spec", "kubelet"): "it is spec.kubelet of the EC2NodeClass in v1",
    ("spec", "kubelet"): "it is spec.kubelet of the EC2NodeClass in v1",
    ("spec", "kubeletConfiguration"): "it is spec.kubelet of the EC2NodeClass in v1",
    ("spec", "providerRef"): "it is spec.template.spec.nodeClassRef since v1beta1, with group, kind and name in v1",
    ("spec", "provider"): "it is an EC2NodeClass of its own since v1beta1, which spec.template.spec.nodeClassRef names",
    ("spec", "labels"): "it is spec.template.metadata.labels since v1beta1",
    ("spec", "annotations"): "it is spec.template.metadata.annotations since v1beta1",
    ("spec", "template", "labels"): "it is spec.template.metadata.labels",
    ("spec", "template", "spec", "labels"): "it is spec.template.metadata.labels",
    ("spec", "template", "spec", "nodeClassRef", "apiVersion"): "it is group in v1, without the version: group: karpenter.k8s.aws",
}
_OF_CLAIM: dict[tuple[str, ...], str] = {
    ("spec", "kubelet"): "it is spec.kubelet of the EC2NodeClass in v1",
    ("spec", "nodeClassRef", "apiVersion"): "it is group in v1, without the version: group: karpenter.k8s.aws",
}
_OF_NODECLASS: dict[tuple[str, ...], str] = {
    ("spec", "subnetSelector"): "it is spec.subnetSelectorTerms since v1beta1: - tags: {…}",
    ("spec", "securityGroupSelector"): "it is spec.securityGroupSelectorTerms since v1beta1: - tags: {…}",
    ("spec", "amiSelector"): "it is spec.amiSelectorTerms since v1beta1: - alias: al2023@v20250117, - tags: {…} or - id: …",
    ("spec", "launchTemplate"): "launch templates of one's own went with v1beta1; write amiSelectorTerms and userData",
    ("spec", "launchTemplateName"): "launch templates of one's own went with v1beta1; write amiSelectorTerms and userData",
    ("spec", "instanceTypes"): "they are requirements of the NodePool: node.kubernetes.io/instance-type",
}
_WRITTEN: dict[tuple[str, ...], str] = {
    ("spec", "disruption", "consolidationPolicy", '"WhenUnderutilized"'): "it is WhenEmptyOrUnderutilized in v1",
    ("spec", "disruption", "consolidateAfter"): "write 0s, which it is where spec.disruption is not written at all",
    ("spec", "limits", "resources", "an object"): "since v1beta1 quantities stand in spec.limits itself: limits: {cpu: 100}",
    ("spec", "template", "spec", "nodeClassRef", "group"): "write the API group of the node class, as in group: karpenter.k8s.aws",
    ("spec", "template", "spec", "nodeClassRef", "kind"): "write the kind of the node class, as in kind: EC2NodeClass",
    ("spec", "template", "spec", "requirements"): "write requirements: [] where there are none",
    ("spec", "template", "spec", "terminationGracePeriod", '"Never"'): "leave it out where nodes may drain for ever",
}
"""What to write in fields of a NodePool that are refused, by their value, or where they are missing."""
_MOVED = {
    ("karpenter.sh/v1", "NodePool"): _OF_V1,
    ("karpenter.sh/v1", "NodeClaim"): _OF_CLAIM,
    ("karpenter.k8s.aws/v1", "EC2NodeClass"): _OF_NODECLASS,
}
_MOST = 3
_ANYWHERE = frozenset({"name", "id", "key", "value", "values", "kind", "group", "tags", "alias", "nodes"})
"""Fields that many things have, so that where else there is one says nothing."""


def with_advice(faults: Iterator[Fault], schema: Mapping[str, Any], api_version: str, kind: str) -> Iterator[Fault]:
    """Unknown fields with where they went, where they belong, or what they are spelled like."""
    moved = _MOVED.get((api_version, kind), {})
    for fault in faults:
        plain = tuple(part for part in fault.path if isinstance(part, str))
        if fault.fate is not Fate.UNKNOWN or not plain:
            written = _WRITTEN.get((*plain, fault.value) if fault.value else plain)
            yield replace(fault, advice=fault.advice or (written if written and kind == "NodePool" else ""))
        else:
            advice = moved.get(plain) or _elsewhere(schema, plain)
            yield replace(fault, wrong=f"is no field of {api_version}" + (f": {advice}" if advice else ""), advice=advice)


def _elsewhere(schema: Mapping[str, Any], path: tuple[str, ...]) -> str:
    """Where the schema has a field of that name, or of nearly that name beside it."""
    *parents, name = path
    beside = _fields(schema, tuple(parents))
    if near := get_close_matches(name.lower(), [field.lower() for field in beside], 1, 0.75):
        right = next(field for field in beside if field.lower() == near[0])
        return f"it is spelled {right}" if right.lower() == name.lower() else f"is {right} meant?"
    places = (
        [] if name in _ANYWHERE else sorted({said(found) for found in _places(schema, name, ())}, key=lambda text: text.count("."))
    )
    return f"it belongs into {one_of([place.rpartition('.')[0] for place in places[:_MOST]])}" if places else ""


def _fields(schema: Mapping[str, Any], path: tuple[str, ...]) -> list[str]:
    found: Any = schema
    for part in path:
        while isinstance(found.get("items"), dict):
            found = found["items"]
        found = found.get("properties", {}).get(part) or {}
    while isinstance(found.get("items"), dict):
        found = found["items"]
    return list(found.get("properties", {}))


def _places(schema: Mapping[str, Any], name: str, path: Path) -> Iterator[Path]:
    for field, part in schema.get("properties", {}).items():
        if field == name:
            yield (*path, field)
        if field != "status":
            yield from _places(part, name, (*path, field))
    if isinstance(items := schema.get("items"), dict):
        yield from _places(items, name, path)
