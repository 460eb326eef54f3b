"""The table of scenarios in docs/testing.md is of the scenarios that there are, and of runs in which all went well."""

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
