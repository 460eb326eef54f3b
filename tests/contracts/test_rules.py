"""Every rule has a page and a test, keeps still in a healthy cluster, and says the same of the same."""

import ast
import inspect
import re
import shlex
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from karpenter_check import __version__, rules
from karpenter_check.finding import Finding
from karpenter_check.reports import Format, render
from karpenter_check.rule import AnyRule, NotProven
from karpenter_check.rules import every_rule
from karpenter_check.scan import Outcome, Report, scan
from karpenter_check.snapshot import Snapshot
from karpenter_check.snapshot.duration import spoken
from tests.build import a_healthy_cluster
from tests.command_line import parse
from tests.conftest import WRITTEN

ROOT = Path(__file__).parents[2]
PAGES, TESTS = ROOT / "docs" / "rules", ROOT / "tests" / "rules"
SOURCES = Path(inspect.getfile(rules)).parent
SECTIONS = ["What it finds", "Why it matters", "Example", "What to do", "When it is wrong", "References"]
FORBIDDEN = {"open", "print", "exec", "eval", "__import__"}
TALKATIVE = ("faults", "runaway", *WRITTEN)
"""Recordings with findings; the written ones are by hand: mistakes that no recorded cluster has."""

Recorded = Callable[[str], Report]
each_rule = pytest.mark.parametrize("rule", every_rule(), ids=lambda rule: rule.slug)


def page(rule: AnyRule) -> str:
    return (PAGES / f"{rule.slug}.md").read_text(encoding="utf-8")


def section(rule: AnyRule, heading: str) -> str:
    return page(rule).partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def shown(value: object) -> str:
    return spoken(value) if isinstance(value, timedelta) else str(value)


def facts(rule: AnyRule) -> str:
    settings = ", ".join(f"`{name}` {shown(default)}" for name, default in rule.settings.items()) or "none"
    return (
        "| severity | since | needs | settings with defaults |\n|---|---|---|---|\n"
        f"| {rule.severity} | {rule.since} | {', '.join(sorted(rule.needs))} | {settings} |\n"
    )


def squeezed(text: str) -> str:
    """The text on one line, one space between words: tables and terminals break lines where they like."""
    return " ".join(text.split())


@each_rule
def test_a_rules_file_is_named_as_the_rule(rule: AnyRule) -> None:
    assert Path(inspect.getfile(rule.function)) == SOURCES / f"{rule.slug.replace('-', '_')}.py"


def test_every_file_is_a_rule() -> None:
    assert sorted(path.stem for path in SOURCES.glob("*.py")) == sorted(
        ["__init__", *(rule.slug.replace("-", "_") for rule in every_rule())]
    )


def test_every_rule_has_a_test_file_and_every_test_file_a_rule() -> None:
    assert sorted(path.stem for path in TESTS.glob("test_*.py")) == [f"test_{rule.slug.replace('-', '_')}" for rule in every_rule()]


def test_every_rule_has_a_page_and_every_page_a_rule() -> None:
    assert sorted(path.stem for path in PAGES.glob("*.md")) == sorted(["index", *(rule.slug for rule in every_rule())])


@each_rule
def test_a_page_has_its_headings_in_order(rule: AnyRule) -> None:
    headings = re.findall(r"^#+ .*$", page(rule), re.MULTILINE)

    assert headings == [f"# {rule.slug}", *(f"## {heading}" for heading in SECTIONS)]


@each_rule
def test_a_page_has_the_facts_of_today(rule: AnyRule) -> None:
    assert page(rule).startswith(f"# {rule.slug}\n\n{facts(rule)}\n## ")


@each_rule
def test_a_page_says_how_to_set_and_how_to_ignore_the_rule(rule: AnyRule) -> None:
    said = section(rule, "When it is wrong")
    wanted = [*(f"`{name}`" for name in rule.settings), f"`karpenter-check scan --ignore {rule.slug}`"]

    assert [text for text in wanted if text not in said] == []


@each_rule
def test_the_examples_of_a_page_are_what_a_scan_prints_today(rule: AnyRule, recorded: Recorded) -> None:
    printed = [
        squeezed(render(recorded(name), Format.TABLE, version=__version__, width=1000, every_story=True)) for name in TALKATIVE
    ]
    examples = re.findall(r"^(?:```|~~~)\n(.*?)^(?:```|~~~)", section(rule, "Example"), re.DOTALL | re.MULTILINE)

    assert examples
    assert [
        example for example in examples if not any(all(squeezed(line) in text for line in example.splitlines()) for text in printed)
    ] == []


@each_rule
def test_a_page_refers_to_karpenters_own_documentation_and_source(rule: AnyRule) -> None:
    references = section(rule, "References")

    assert ("https://karpenter.sh/docs/" in references, "`pkg/" in references) == (True, True)


def test_the_index_lists_every_rule() -> None:
    rows = [f"| [{rule.slug}]({rule.slug}.md) | {rule.severity} | {rule.summary} |" for rule in every_rule()]
    listed = [line for line in (PAGES / "index.md").read_text(encoding="utf-8").splitlines() if line.startswith("| [")]

    assert listed == rows


def test_every_rule_is_found_by_what_is_seen_of_its_fault() -> None:
    symptoms = (PAGES / "index.md").read_text(encoding="utf-8").partition("\n## By symptom\n")[2]

    assert set(re.findall(r"\[([a-z-]+)\]\(\1\.md\)", symptoms)) == {rule.slug for rule in every_rule()}


@each_rule
def test_a_rule_is_described_by_a_sentence(rule: AnyRule) -> None:
    assert (rule.summary[:1].isupper(), rule.summary.endswith(".")) == (True, True)


@each_rule
def test_every_setting_is_keyword_only_has_a_type_and_a_default(rule: AnyRule) -> None:
    snapshot, *settings = inspect.signature(rule.function).parameters.values()

    assert snapshot.name == "snapshot"
    assert [
        setting.name
        for setting in settings
        if setting.kind is not setting.KEYWORD_ONLY or setting.empty in {setting.default, setting.annotation}
    ] == []


@each_rule
def test_a_rules_file_touches_nothing_outside(rule: AnyRule) -> None:
    tree = ast.parse(Path(inspect.getfile(rule.function)).read_text(encoding="utf-8"))
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}

    assert names & FORBIDDEN == set()


@each_rule
def test_a_healthy_cluster_is_silent(rule: AnyRule) -> None:
    assert list(rule(a_healthy_cluster())) == []


def found(rule: AnyRule, snapshot: Snapshot) -> list[Finding]:
    """What a rule says of a snapshot; nothing where that cannot prove anything."""
    try:
        return list(rule(snapshot))
    except NotProven:
        return []


@each_rule
def test_a_healthy_cluster_that_was_recorded_is_silent(rule: AnyRule, recorded: Recorded) -> None:
    assert found(rule, recorded("healthy").snapshot) == []


def test_a_healthy_cluster_is_judged_by_every_rule() -> None:
    assert {run.outcome for run in scan(a_healthy_cluster(), every_rule()).runs} == {Outcome.PASSED}


@each_rule
@pytest.mark.parametrize("name", TALKATIVE)
def test_the_same_snapshot_gives_the_same_findings(rule: AnyRule, name: str, recorded: Recorded) -> None:
    snapshot = recorded(name).snapshot

    assert found(rule, snapshot) == found(rule, snapshot)


def own_commands(rule: AnyRule, recorded: Recorded) -> Iterator[str]:
    """What its findings and its page tell the user to type of ours."""
    for name in TALKATIVE:
        for result in recorded(name).results:
            if result.rule is rule:
                yield from (step.command for step in result.finding.fix if step.command.startswith("karpenter-check "))
    yield from re.findall(r"`(karpenter-check [^`]+)`", page(rule))


@each_rule
def test_every_command_of_ours_that_is_recommended_exists(rule: AnyRule, recorded: Recorded) -> None:
    commands = list(dict.fromkeys(own_commands(rule, recorded)))
    contexts = [parse(shlex.split(command)[1:]) for command in commands]
    named = {slug for context in contexts for option in ("select", "ignore") for slug in context.params.get(option, ())}

    assert (len(commands) > 1, named) == (True, {rule.slug})
