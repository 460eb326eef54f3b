"""Values against structural schemas, as an API server judges them."""

from typing import Any

import pytest

from karpenter_check.admission.defaults import defaulted
from karpenter_check.admission.fault import Fate
from karpenter_check.admission.structure import structural_faults

COUNT = {"type": "integer", "format": "int32", "minimum": 1}
AMOUNT = {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]}
WORDS = {"type": "array", "items": {"type": "string"}, "maxItems": 2, "x-kubernetes-list-type": "set"}
POOL = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 3},
        "count": COUNT,
        "words": WORDS,
        "limits": {"type": "object", "additionalProperties": AMOUNT, "maxProperties": 1},
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "maybe": {"type": "string", "nullable": True},
        "policy": {"type": "object", "default": {"after": "0s"}, "properties": {"after": {"type": "string", "default": "0s"}}},
    },
}  # fmt: skip


def faults(**value: Any) -> list[str]:
    return [f"{fault.field} {fault.wrong}" for fault in structural_faults(POOL, {"name": "a", **value})]


@pytest.mark.parametrize(
    "value",
    [{"count": 3}, {"count": 3.0}, {"words": ["a", "b"]}, {"limits": {"cpu": 1}}, {"limits": {"cpu": "1"}}, {"free": {"x": [1]}}, {"maybe": None}],
)  # fmt: skip
def test_a_value_that_fits_is_fine(value: dict[str, Any]) -> None:
    assert faults(**value) == []


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"count": True}, "count is true, and takes a whole number"),
        ({"count": "3"}, 'count is "3", and takes a whole number'),
        ({"count": 1.5}, "count is 1.5, and takes a whole number"),
        ({"count": 0}, "count is 0, and may be 1 or more"),
        ({"count": 1 << 31}, "count is 2147483648, and must fit into 32 bits"),
        ({"name": ""}, "name is empty"),
        ({"name": "abcd"}, "name is 4 characters long, and at most 3 are taken"),
        ({"name": 7}, "name is 7, a whole number, and takes a text"),
        ({"name": None}, "name has no value, and takes a text"),
        ({"words": "a"}, 'words is "a", and takes a list'),
        ({"words": ["a", "a"]}, 'words has "a" twice'),
        ({"words": ["a", "b", "c"]}, "words has 3 entries, and takes at most 2"),
        ({"words": ["a", None]}, "words[1] has no value, and takes a text"),
        ({"limits": {"cpu": 1.5}}, "limits.cpu is 1.5, and takes a whole number or a text"),
        ({"limits": {"cpu": 1 << 63}}, "limits.cpu is 9223372036854775808, and takes a whole number or a text"),
        ({"limits": {"a": 1, "b": 2}}, "limits has 2 entries, and takes 1"),
        ({"limits": {"example.com/gpu": [1]}}, "limits[example.com/gpu] is a list, and takes a whole number or a text"),
        ({"surprise": 1}, "surprise is no field"),
    ],
)
def test_a_value_that_does_not_is_told(value: dict[str, Any], said: str) -> None:
    assert faults(**value) == [said]


def test_what_is_required_and_missing_is_told() -> None:
    assert [(fault.path, fault.fate, fault.wrong) for fault in structural_faults(POOL, {})] == [
        (("name",), Fate.REFUSED, "is missing, and is required")
    ]


def test_what_is_no_field_stays_none_without_a_value() -> None:
    assert [fault.field for fault in structural_faults(POOL, defaulted(POOL, {"name": "a", "surprise": None}))] == ["surprise"]


def test_defaults_are_filled_in_and_nulls_are_not_there() -> None:
    given = {"name": "a", "policy": None, "count": None, "maybe": None, "words": [None]}

    assert defaulted(POOL, given) == {"name": "a", "policy": {"after": "0s"}, "maybe": None, "words": [None]}
    assert defaulted(POOL, {"policy": {}}) == {"policy": {"after": "0s"}}
