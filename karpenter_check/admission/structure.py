"""A value against a structural schema, as the API server judges it: types, required and unknown fields, values, validation rules.

Sources: k8s.io/apiextensions-apiserver v0.35, `pkg/apiserver/validation` and `pkg/apiserver/schema/cel`; unknown fields as with
`fieldValidation=Strict`, which is what kubectl asks for.
"""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from karpenter_check.admission.expression import expression
from karpenter_check.admission.fault import Fate, Fault, quoted
from karpenter_check.admission.patterns import ADVICE
from karpenter_check.admission.values import rewritten, wrong_type, wrong_value
from karpenter_check.snapshot.manifest import Path

_OF_UPDATES = "oldSelf"
"""What rules speak of that compare an object with what it was: a manifest alone cannot break them."""


def structural_faults(schema: Mapping[str, Any], value: Any, path: Path = ()) -> Iterator[Fault]:
    """What is wrong with a value whose defaults are filled in. A rule is asked only of what is sound without it."""
    if wrong := wrong_type(schema, value, path):
        yield Fault(path, Fate.REFUSED, wrong, rewritten(schema, value), quoted(value, path))
        return
    found = list(_unsound(schema, value, path))
    yield from found
    refused = [fault.path[len(path) :] for fault in found if fault.fate is Fate.REFUSED]
    if value is not None and (not refused or (isinstance(value, list) and all(refused))):
        yield from _broken_rules(schema, value, path, {place for place, *_ in refused})


def _unsound(schema: Mapping[str, Any], value: Any, path: Path) -> Iterator[Fault]:
    for wrong, advice in wrong_value(schema, value, path):
        yield Fault(path, Fate.REFUSED, wrong, advice, quoted(value, path))
    if isinstance(value, dict):
        for name in schema.get("required", ()):
            if name not in value:
                yield Fault((*path, name), Fate.REFUSED, "is missing, and is required")
        for key, part in value.items():
            yield from _of_entry(schema, key, part, path)
    elif isinstance(value, list):
        for place, part in enumerate(value):
            yield from structural_faults(schema.get("items", {}), part, (*path, place))


def _of_entry(schema: Mapping[str, Any], key: str, part: Any, path: Path) -> Iterator[Fault]:
    properties, rest = schema.get("properties", {}), schema.get("additionalProperties")
    if key in properties:
        yield from structural_faults(properties[key], part, (*path, key))
    elif isinstance(rest, dict):
        yield from structural_faults(rest, part, (*path, key))
    elif not (rest or schema.get("x-kubernetes-preserve-unknown-fields") or schema.get("x-kubernetes-embedded-resource")):
        yield Fault((*path, key), Fate.UNKNOWN, "is no field")  # and what stands in it is not for a report


def _broken_rules(schema: Mapping[str, Any], value: Any, path: Path, unsound: AbstractSet[str | int]) -> Iterator[Fault]:
    for rule in schema.get("x-kubernetes-validations", ()):
        broken = () if _OF_UPDATES in rule["rule"] else tuple(expression(rule["rule"]).broken_by(value, unsound))
        for part in broken:
            whole = value[part[0]] if part else value  # of an entry of a map that is its value
            written = f"is {quoted(whole, path)}, which " if not isinstance(whole, dict | list) else ""
            advice = ADVICE.get(rule["rule"], "")
            yield Fault((*path, *part), Fate.REFUSED, f"{written}breaks the rule: {rule['message']}", advice, quoted(whole, path))
        if broken and not value:
            return  # of what is empty one rule is enough
