"""What a configuration file says, and what is wrong with it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import jsonschema
import pytest

from karpenter_check.configuration import Configuration, ConfigurationError, configuration_of, schema
from karpenter_check.finding import Finding, Ref, Severity
from karpenter_check.rule import rule
from karpenter_check.snapshot import Snapshot
from karpenter_check.snapshot.selector import LabelSelector, LabelSelectorRequirement
from karpenter_check.suppression.ignore import Ignore


def a_finding(message: str) -> list[Finding]:
    everything = Ref("NodePool", "default", "karpenter.sh/v1")
    return [Finding(object=everything, owner=everything, message=message, cause="age")]


@rule(severity=Severity.LOW, needs=set(), since="0.1.0")
def node_too_young(
    snapshot: Snapshot,
    *,
    minimum_age: timedelta = timedelta(minutes=1),
    minimum_nodes: int = 3,
    share: float = 0.5,
    all_pools: bool = False,
) -> Iterator[Finding]:
    """Nodes were born a moment ago."""
    named = f"{len(snapshot.nodes)} of {minimum_nodes}, {share}, {minimum_age}, {all_pools}"
    yield from (finding for finding in a_finding(named) if snapshot.nodes)


@rule(severity=Severity.LOW, needs=set(), since="0.1.0")
def node_too_old(snapshot: Snapshot) -> Iterator[Finding]:
    """Nodes are old."""
    yield from (finding for finding in a_finding("old") if snapshot.nodes)


RULES = (node_too_young, node_too_old)


def configured(written: Any) -> Configuration:
    return configuration_of(written, RULES, "file.yaml")


def complaint(written: Any) -> str:
    with pytest.raises(ConfigurationError) as refused:
        configured(written)
    return str(refused.value)


NOTHING_YET = {"rules": {"node-too-young": {"settings": None}, "node-too-old": None}, "ignore": None}
"""As where all entries below a key are commented out."""


@pytest.mark.parametrize("written", [None, {}, {"rules": {}, "ignore": []}, {"rules": {"node-too-old": {}}}, NOTHING_YET])
def test_an_empty_one_changes_nothing(written: Any) -> None:
    assert configured(written) == Configuration()


def test_rules_get_settings_and_severities() -> None:
    settings = {"minimum_age": "1h30m", "minimum_nodes": 5, "share": 1, "all_pools": True}
    rules = {"node-too-young": {"severity": "info", "settings": settings}, "node-too-old": {"severity": "critical"}}

    assert configured({"rules": rules}) == Configuration(
        {"node-too-young": {"minimum_age": timedelta(hours=1, minutes=30), "minimum_nodes": 5, "share": 1.0, "all_pools": True}},
        {"node-too-young": Severity.INFO, "node-too-old": Severity.CRITICAL},
    )


def test_an_ignore_says_what_is_left_be() -> None:
    entry = {
        "rule": "node-*", "reason": " we know ", "until": "2026-12-31", "kind": "NodePool", "namespace": "shop", "name": "gpu-*",
        "nodePool": "gpu", "labels": "team=shop",
    }  # fmt: skip

    assert configured({"ignore": [entry]}).ignores == (
        Ignore(
            "node-*", "we know", datetime(2027, 1, 1, tzinfo=UTC), "NodePool", "shop", "gpu-*", "gpu",
            LabelSelector(match_expressions=(LabelSelectorRequirement("team", "In", ("shop",)),)), "file.yaml, ignore[0]",
        ),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ([], "expected a mapping, got a list"),
        ("rules", "expected a mapping, got a text"),
        ({"rule": {}}, "there is no key 'rule' here; did you mean rules?"),
        ({"rules": {"node-too-yung": {}}}, "rules: there is no rule 'node-too-yung'; did you mean node-too-young?"),
        ({"rules": {"node-too-old": {"severity": "urgent"}}}, "rules.node-too-old.severity: 'urgent' is none of critical, high, medium, low, info"),
        (
            {"rules": {"node-too-old": {"setings": {}}}},
            "rules.node-too-old: there is no key 'setings' here; did you mean settings?",
        ),
        (
            {"rules": {"node-too-old": {"settings": {"age": "1h"}}}},
            "rules.node-too-old.settings: node-too-old has no setting 'age'; it has none",
        ),
        (
            {"rules": {"node-too-young": {"settings": {"age": "1h"}}}},
            ("rules.node-too-young.settings: node-too-young has no setting 'age'; "
            "it has minimum_age, minimum_nodes, share, all_pools"),
        ),
        (
            {"rules": {"node-too-young": {"settings": {"minimum_age": "1d"}}}},
            "rules.node-too-young.settings.minimum_age: '1d' is not a duration such as 90s, 15m or 720h",
        ),
        (
            {"rules": {"node-too-young": {"settings": {"minimum_age": 30}}}},
            "rules.node-too-young.settings.minimum_age: 30 is not a duration such as 90s, 15m or 720h",
        ),
        (
            {"rules": {"node-too-young": {"settings": {"minimum_age": "-1h"}}}},
            "rules.node-too-young.settings.minimum_age: '-1h' is not a duration such as 90s, 15m or 720h",
        ),
        (
            {"rules": {"node-too-young": {"settings": {"minimum_nodes": "three"}}}},
            "rules.node-too-young.settings.minimum_nodes: 'three' is not a whole number (Expected `int`, got `str`)",
        ),
        (
            {"rules": {"node-too-young": {"settings": {"share": -0.1}}}},
            "rules.node-too-young.settings.share: -0.1 is less than 0",
        ),
        ({"ignore": [{"rule": "node-too-old"}]}, "ignore[0]: the key 'reason' is missing"),
        ({"ignore": [{"rule": "node-too-old", "reason": " "}]}, "ignore[0].reason: say why"),
        ({"ignore": {"rule": "node-*"}}, "ignore: expected a list, got a mapping"),
        ({"ignore": [{"rule": "node-*", "reason": 5}]}, "ignore[0].reason: expected a text, got a number; put it between quotes"),
        ({"rules": {"node-too-old": {"severity": "High"}}}, "rules.node-too-old.severity: 'High' is none of critical, high, medium, low, info; did you mean high?"),
        ({"ignore": [{"rule": "[no]*", "reason": "x"}]}, "ignore[0].rule: '[no]*' can match nothing: a glob knows * and ? alone"),
        ({"ignore": [{"rule": "*", "reason": "x", "name": "db-[0-9]"}]}, "ignore[0].name: 'db-[0-9]' can match nothing: a glob knows * and ? alone"),
        ({"ignore": [{"rule": "pod-*", "reason": "x"}]}, "ignore[0].rule: there is no rule 'pod-*'"),
        (
            {"ignore": [{"rule": "node-*", "reason": "x", "until": "tomorrow"}]},
            "ignore[0].until: 'tomorrow' is neither a date (2026-12-31) nor a time with its zone (2026-12-31T18:00:00Z)",
        ),
        (
            {"ignore": [{"rule": "node-*", "reason": "x", "until": "2026-12-31T18:00:00"}]},
            "ignore[0].until: '2026-12-31T18:00:00' is neither a date (2026-12-31) nor a time with its zone (2026-12-31T18:00:00Z)",
        ),
        (
            {"ignore": [{"rule": "node-*", "reason": "x", "labels": "a=b=c"}]},
            "ignore[0].labels: 'a=b=c' is not a label selector (try key=value, key!=value, key in (a,b), key or !key)",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_place(written: Any, said: str) -> None:
    assert complaint(written) == said


@pytest.mark.parametrize("key", ["until", "kind", "namespace", "name", "nodePool", "labels"])
@pytest.mark.parametrize("value", ["", " ", None])
def test_what_is_empty_does_not_leave_everything_be(key: str, value: str | None) -> None:
    written = {"ignore": [{"rule": "node-*", "reason": "x", key: value}]}

    assert complaint(written) == f"ignore[0].{key}: is empty; leave the key out if it is not to matter"


def test_the_schema_admits_what_is_read_and_nothing_else() -> None:
    rules = schema(RULES)
    jsonschema.Draft202012Validator.check_schema(rules)
    check = jsonschema.Draft202012Validator(rules)
    good = {
        "rules": {"node-too-young": {"severity": "low", "settings": {"minimum_age": "1h", "share": 0.2, "all_pools": False}}},
        "ignore": [{"rule": "node-*", "reason": "we know", "nodePool": "gpu"}],
    }
    bad: list[dict[str, Any]] = [
        {"rule": {}},
        {"rules": {"node-too-yung": {}}},
        {"rules": {"node-too-old": {"settings": {}}}},
        {"rules": {"node-too-young": {"settings": {"age": "1h"}}}},
        {"rules": {"node-too-young": {"settings": {"minimum_nodes": -1}}}},
        {"ignore": [{"rule": "node-*"}]},
        {"ignore": [{"rule": "node-*", "reason": ""}]},
        {"ignore": [{"rule": "node-*", "reason": "we know", "name": ""}]},
        {"ignore": [{"rule": "[no]*", "reason": "we know"}]},
    ]

    assert [check.is_valid(entry) for entry in (good, NOTHING_YET)] == [True, True]
    assert [entry for entry in bad if check.is_valid(entry)] == []
