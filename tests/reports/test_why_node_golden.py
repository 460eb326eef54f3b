"""Whole answers to "why node" of a recorded cluster, as people and programs get them."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from karpenter_check.reports.why_node import render_why_node, render_why_node_json
from karpenter_check.scan import Report
from karpenter_check.why.node import why_node

GOLDEN = Path(__file__).parent / "golden" / "why-node"
NODES = {
    "idle": "idle-d6jxr",
    "guarded": "guarded-49qgt",
    "drifty": "drifty-5qssm",
    "frozen": "frozen-q47h6",
    "shortlived": "shortlived-mr7gw",
    "gone": "shortlived-b8tps",
}
"""A node of each NodePool, by its NodeClaim; and one that is gone."""


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("name", NODES)
def test_the_answer_for_a_recorded_node(
    name: str, width: int, recorded: Callable[[str], Report], golden: Callable[[Path, str], None]
) -> None:
    snapshot = recorded("faults").snapshot

    golden(GOLDEN / f"{name}-{width}.txt", render_why_node(snapshot, why_node(snapshot, NODES[name]), width=width, color=False))


@pytest.mark.parametrize("name", ["idle", "shortlived", "gone"])
def test_the_answer_as_json(name: str, recorded: Callable[[str], Report], golden: Callable[[Path, str], None]) -> None:
    snapshot = recorded("faults").snapshot

    golden(GOLDEN / f"{name}.json", render_why_node_json(snapshot, why_node(snapshot, NODES[name]), "1.2.3"))


def test_the_page_shows_what_is_printed() -> None:
    page = (Path(__file__).parent.parent.parent / "docs" / "why.md").read_text()

    assert (GOLDEN / "idle-80.txt").read_text().strip() in page


def test_every_recorded_node_has_an_answer_of_one_screen(recorded: Callable[[str], Report]) -> None:
    snapshot = recorded("faults").snapshot
    lines = {
        node.name: len(render_why_node(snapshot, why_node(snapshot, node.name), width=120, color=False).splitlines())
        for node in snapshot.nodes
    }

    assert {name: number for name, number in lines.items() if number > 24} == {}


@pytest.mark.parametrize("width", [40, 80, 120, 200])
def test_nothing_but_a_command_is_wider_than_the_screen(width: int, recorded: Callable[[str], Report]) -> None:
    snapshot = recorded("faults").snapshot
    lines = [
        line
        for name in NODES.values()
        for line in render_why_node(snapshot, why_node(snapshot, name), width=width, color=False).splitlines()
    ]

    assert [line for line in lines if len(line) > width and "kubectl " not in line] == []


def test_colours_come_only_when_asked_for(recorded: Callable[[str], Report]) -> None:
    snapshot = recorded("faults").snapshot
    answer = why_node(snapshot, "idle-d6jxr")

    assert "\x1b" not in render_why_node(snapshot, answer, width=120, color=False)
    assert "\x1b[1m" in render_why_node(snapshot, answer, width=120, color=True)


def test_json_says_what_it_is(recorded: Callable[[str], Report]) -> None:
    snapshot = recorded("faults").snapshot
    document = json.loads(render_why_node_json(snapshot, why_node(snapshot, "frozen-q47h6"), "1.2.3"))

    assert (document["schema"], document["wanted"]["reason"]) == ("karpenter-check/why-node/v1", "Underutilized")
    assert [check["check"] for check in document["checks"] if check["answer"] == "blocks"] == ["budget"]
