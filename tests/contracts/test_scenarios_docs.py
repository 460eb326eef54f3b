"""The table of scenarios in docs/testing.md is of the scenarios that there are, and of a run in which all went well."""

import re

from tests.e2e import scenarios
from tests.e2e.scenario import SCENARIOS
from tests.e2e.table import PAGE

assert scenarios.__all__, "importing them is what defines them"

ROWS = [tuple(row.split(" | ")) for row in re.findall(r"^\| (.+ \| .+ \| .+ \| .+ \| .+) \|$", PAGE.read_text(), re.MULTILINE)]


def test_the_table_has_every_scenario_with_what_it_injects() -> None:
    assert [row[:2] for row in ROWS[1:]] == [(entry.name, entry.injected) for entry in SCENARIOS.values()]


def test_nothing_was_missed_and_nothing_false() -> None:
    assert {row[3:] for row in ROWS[1:]} == {("none", "none")}
