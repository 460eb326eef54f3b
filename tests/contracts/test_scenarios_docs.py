"""The table of scenarios in docs/testing.md is of the scenarios that there are, and of runs in which all went well."""

import re
from pathlib import Path

from karpenter_check.rules import every_rule
from tests.e2e import scenarios
from tests.e2e.scenario import SCENARIOS
from tests.e2e.table import rows

assert scenarios.__all__, "importing them is what defines them"


def test_the_table_has_every_scenario_with_what_it_injects() -> None:
    assert [line.split(" | ")[:2] for line in rows().values()] == [
        [f"| {entry.name}", entry.injected] for entry in SCENARIOS.values()
    ]


def test_nothing_was_missed_and_nothing_false() -> None:
    assert [line for line in rows().values() if not line.endswith(" | none | none |\n")] == []


def test_every_rule_is_shown_by_a_scenario_or_it_is_said_why_none_can() -> None:
    page = (Path(__file__).parents[2] / "docs" / "testing.md").read_text(encoding="utf-8")
    shown = {slug for line in rows().values() for slug in re.findall(r"([a-z-]+) \(", line.split(" | ")[2])}
    built = set(re.findall(r"`([a-z-]+)`", page.partition("These rules have built clusters alone:")[2].partition("\n### ")[0]))

    assert (shown | built, shown & built) == ({rule.slug for rule in every_rule()}, set())
