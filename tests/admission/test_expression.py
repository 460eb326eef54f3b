"""The part of CEL that Karpenter's schemas use."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from karpenter_check.admission.expression import expression
from karpenter_check.admission.patterns import ADVICE, PATTERNS
from karpenter_check.collect.schemas import SchemaFile
from tests.make_schemas import FOLDER


def parts(schema: Any) -> Iterator[dict[str, Any]]:
    """Every schema in a schema."""
    if isinstance(schema, dict):
        yield schema
        for part in schema.values():
            yield from parts(part)


def carried() -> list[dict[str, Any]]:
    files = [msgspec.json.decode(file.read_bytes(), type=SchemaFile) for file in sorted(FOLDER.iterdir())]
    return [part for file in files for part in parts(file.schema)]


def rules() -> list[str]:
    return sorted({entry["rule"] for part in carried() for entry in part.get("x-kubernetes-validations", ())})


def test_every_rule_of_the_schemas_is_read() -> None:
    assert (len(rules()), [bool(expression(rule).evaluate) for rule in rules()]) == (71, [True] * 71)


def test_every_pattern_of_the_schemas_has_its_words() -> None:
    assert {part["pattern"] for part in carried() if isinstance(part.get("pattern"), str)} == set(PATTERNS)


def test_advice_is_about_rules_of_the_schemas() -> None:
    assert set(ADVICE) - set(rules()) == set()


@pytest.mark.parametrize(
    ("rule", "value", "broken"),
    [
        ("self != ''", "a", []),
        ("self != ''", "", [()]),
        ("self.size() != 0", [], [()]),
        ("size(self) == 1", {"a": 1}, []),
        ("has(self.a) == has(self.b)", {"a": 1}, [()]),
        ("has(self.a) ? self.a > 3 : true", {}, []),
        ("self.all(x, x >= 2)", [1, 2, 0], [(0,), (2,)]),
        ("self.all(k, k != 'b')", {"a": 1, "b": 2}, [("b",)]),
        ("self.all(k, self[k] != '')", {"a": "", "b": "x"}, [("a",)]),
        ("self.exists(x, x.a == 1)", [{"a": 2}, {"a": 1}], []),
        ("self.filter(x, x > 1).size() <= 1", [1, 2, 3], [()]),
        ("self.find('^[^@]+') == 'al2'", "al2@latest", []),
        ("self.split('@')[1] == 'latest'", "al2", [()]),
        ("self.matches('^a+$')", "aab", [()]),
        ("int(self) >= 0", "x", [()]),
        ("int(self) >= 0", "7", []),
        ("!(self in ['a', \"b\"])", "b", [()]),
        ("self.startsWith('a') && self.endsWith('c') && true != false", "abc", []),
        ("self.a == 1 || self.b == 2", {"b": 2}, []),
        ("self.a == 1 && self.b == 2", {"b": 3}, [()]),
        ("self.a == 1 || self.b == 2", {"b": 3}, [()]),
        ("self > 1", "text", [()]),
    ],
)
def test_a_rule_is_broken_where_cel_says_so(rule: str, value: object, broken: list[tuple[object, ...]]) -> None:
    assert list(expression(rule).broken_by(value)) == broken


def test_unsound_parts_are_not_asked() -> None:
    assert list(expression("self.all(x, x > 1)").broken_by([0, "a", 5], {1})) == [(0,)]


@pytest.mark.parametrize("rule", ["self +", "self.map(x, x)", "self.all(x", "self ==", "lower(self)", "self # 1", ")"])
def test_what_is_not_of_this_part_is_an_error_and_never_a_pass(rule: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        expression(rule)
