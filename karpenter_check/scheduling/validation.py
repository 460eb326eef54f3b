"""What Karpenter itself refuses of a NodePool or a pod, after the API server has taken it.

Source: `apis/v1/nodepool_validation.go:RuntimeValidate` and `apis/v1/nodeclaim_validation.go` (1.13).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from karpenter_check.scheduling.labels import Provider, provider_of
from karpenter_check.scheduling.requirement import atoi
from karpenter_check.snapshot import NodePool, Version
from karpenter_check.snapshot.node import NODEPOOL_LABEL, Taint

KNOWS_INCLUSIVE_BOUNDS = Version(1, 9)
"""From here on there are Gte and Lte."""
_OPERATORS = frozenset({"In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt", "Gte", "Lte"})
_INCLUSIVE = frozenset({"Gte", "Lte"})
_BOUNDS = frozenset({"Gt", "Lt"}) | _INCLUSIVE
_EFFECTS = frozenset({"NoSchedule", "PreferNoSchedule", "NoExecute", ""})
_NAME = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_DOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LONGEST_NAME, _LONGEST_DOMAIN = 63, 253


@dataclass(frozen=True)
class Violation:
    """What is wrong with a field. `field` is its path in the object, `value` what stands there."""

    field: str
    value: str
    reason: str

    def __str__(self) -> str:
        return f"{self.field}: {self.reason}"


class AnyRequirement(Protocol):
    """A requirement of a NodePool, or an expression of a pod."""

    @property
    def key(self) -> str:
        """The label."""

    @property
    def operator(self) -> str:
        """In, NotIn and so on."""

    @property
    def values(self) -> tuple[str, ...]:
        """The operands."""


def malformed_name(text: str) -> str:
    """Why a text is no qualified name, or nothing (k8s.io/apimachinery `validation.IsQualifiedName`, v0.35)."""
    domain, slash, name = text.rpartition("/")
    if text.count("/") > 1:
        return "has more than one /"
    if slash and not (domain and len(domain) <= _LONGEST_DOMAIN and _DOMAIN.fullmatch(domain)):
        return "has no DNS name before its /"
    if not name:
        return "is empty" if not slash else "has nothing after its /"
    if len(name) > _LONGEST_NAME:
        return f"is longer than {_LONGEST_NAME} characters"
    return "" if _NAME.fullmatch(name) else "may hold only letters, digits, -, _ and ., and begins and ends with a letter or digit"


def malformed_value(text: str) -> str:
    """Why a text is no label value, or nothing (`validation.IsValidLabelValue`): it may be empty."""
    if len(text) > _LONGEST_NAME:
        return f"is longer than {_LONGEST_NAME} characters"
    if text and not _NAME.fullmatch(text):
        return "may hold only letters, digits, -, _ and ., and begins and ends with a letter or digit"
    return ""


def requirement_violations(
    requirement: AnyRequirement, provider: Provider, version: Version | None, path: str, min_values: int | None = None
) -> Iterator[Violation]:
    """What is wrong with a requirement of a NodePool, or with an expression of a pod (`ValidateRequirement`)."""
    key, operator, values = provider.normalize(requirement.key), requirement.operator, requirement.values
    unknown = version is not None and version < KNOWS_INCLUSIVE_BOUNDS and operator in _INCLUSIVE
    if operator not in _OPERATORS or unknown:
        yield Violation(
            f"{path}.operator",
            operator,
            f"{operator or 'an empty text'} is no operator" + (f" of Karpenter {version}" if unknown else ""),
        )
    if provider.restricts(key, version):
        yield Violation(f"{path}.key", key, f"the label {key} is restricted: Karpenter keeps its domain for itself")
    if reason := malformed_name(key):
        yield Violation(f"{path}.key", key, f"the label {key!r} {reason}")
    for value in values:
        if reason := malformed_value(value):
            yield Violation(f"{path}.values", value, f"the value {value!r} {reason}")
    known = provider.values_of(key, version) if operator == "In" else None
    valid = [value for value in values if known is None or value in known]
    if known is not None and not valid:
        yield Violation(f"{path}.values", ", ".join(values), f"{key} can only be {', '.join(sorted(known))}")
    elif operator == "In" and not values:
        yield Violation(f"{path}.values", "", "In needs a value")
    if operator == "In" and min_values is not None and len(valid) < min_values:
        yield Violation(f"{path}.minValues", str(min_values), f"minValues is {min_values}, and there are {len(valid)} values")
    if operator in _BOUNDS and not (len(values) == 1 and (atoi(values[0]) or 0) >= 0 and atoi(values[0]) is not None):
        yield Violation(f"{path}.values", ", ".join(values), f"{operator} needs one whole number that is not negative")


def _label_violations(nodepool: NodePool, provider: Provider, version: Version | None) -> Iterator[Violation]:
    for key, value in nodepool.spec.template.metadata.labels.items():
        path = f"spec.template.metadata.labels[{key}]"
        if key == NODEPOOL_LABEL:
            yield Violation(path, key, f"Karpenter sets {key} itself")
        if reason := malformed_name(key):
            yield Violation(path, key, f"the label {key!r} {reason}")
        if reason := malformed_value(value):
            yield Violation(path, value, f"the value {value!r} {reason}")
        if provider.restricts(key, version):
            yield Violation(path, key, f"the label {key} is restricted: Karpenter keeps its domain for itself")


def _taint_violations(taints: Sequence[Taint], field: str, seen: set[tuple[str, str]]) -> Iterator[Violation]:
    for place, taint in enumerate(taints):
        path = f"spec.template.spec.{field}[{place}]"
        if reason := malformed_name(taint.key):
            yield Violation(f"{path}.key", taint.key, f"the key {taint.key!r} {reason}")
        if taint.value and (reason := malformed_name(taint.value)):  # names, not label values, are what Karpenter wants here
            yield Violation(f"{path}.value", taint.value, f"the value {taint.value!r} {reason}")
        if taint.effect not in _EFFECTS:
            yield Violation(f"{path}.effect", taint.effect, f"{taint.effect} is no effect")
        if (taint.key, taint.effect) in seen:
            yield Violation(path, str(taint), f"{taint.key}:{taint.effect} is there twice, among taints and startupTaints")
        seen.add((taint.key, taint.effect))


def violations(nodepool: NodePool, version: Version | None) -> tuple[Violation, ...]:
    """What Karpenter refuses of a NodePool, so that it is not Ready (`RuntimeValidate`); of an unknown version, what every one refuses."""
    spec = nodepool.spec.template.spec
    provider = provider_of(spec.node_class_ref.api_group)
    seen: set[tuple[str, str]] = set()
    found = [*_label_violations(nodepool, provider, version)]
    found += _taint_violations(spec.taints, "taints", seen)
    found += _taint_violations(spec.startup_taints, "startupTaints", seen)
    for place, requirement in enumerate(spec.requirements):
        path = f"spec.template.spec.requirements[{place}]"
        found += requirement_violations(requirement, provider, version, path, requirement.min_values)
        if requirement.key == NODEPOOL_LABEL:
            found.append(Violation(f"{path}.key", requirement.key, f"Karpenter sets {requirement.key} itself"))
    return tuple(found)
