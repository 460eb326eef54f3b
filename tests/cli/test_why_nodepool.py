"""`karpenter-check why nodepool`, run as a user runs it."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from karpenter_check.cli import group
from tests.collect.replay import Replay

FAULTS = Path(__file__).parent.parent / "recordings" / "faults"
TAKEN_AT = (FAULTS / "taken-at").read_text().strip()
OFFICE_HOURS = b"""{"apiVersion": "karpenter.sh/v1", "kind": "NodePool", "metadata": {"name": "web"}, "spec": {
  "disruption": {"budgets": [{"nodes": "1"}, {"nodes": "0", "schedule": "0 9 * * 1-5", "duration": "8h"}]}}}"""


@pytest.fixture(autouse=True)
def _in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The terminal's zone is set, and set back."""
    with monkeypatch.context() as patched:
        patched.setenv("TZ", "Europe/Berlin")
        time.tzset()
        yield
    time.tzset()


def why(*arguments: str, input: bytes | None = None) -> Result:
    return CliRunner().invoke(group, ["why", "nodepool", *arguments], input=input, env={"COLUMNS": None})


def test_a_nodepool_of_a_file_is_answered() -> None:
    result = why("nodepool/frozen", "-f", str(FAULTS), "--at", TAKEN_AT, "-q")

    assert (result.exit_code, result.output.splitlines()[0]) == (
        0,
        "WHAT        NodePool frozen: Ready, KWOKNodeClass default (Ready), weight 0 (tried 9 of 13), not static",
    )


def test_a_live_cluster_answers_the_same(tmp_path: Path) -> None:
    with Replay("faults") as cluster:
        live = why("general", "--kubeconfig", str(cluster.kubeconfig(tmp_path)), "--context", "replay", "-o", "json", "-q")
    filed = why("general", "-f", str(FAULTS), "--at", TAKEN_AT, "-o", "json", "-q")

    assert (live.exit_code, filed.exit_code) == (0, 0)
    assert {**json.loads(live.output), "run": {}} == {**json.loads(filed.output), "run": {}}


def test_a_manifest_is_answered_in_the_terminals_time_too() -> None:
    result = why("web", "-f", "-", "--at", "2026-11-21T12:00:00Z", "-q", input=OFFICE_HOURS)

    assert (result.exit_code, [line for line in result.output.splitlines() if line.startswith("NEXT")]) == (
        0,
        ["NEXT 7 DAYS Empty, Underutilized, Drifted: Mon-Fri 09:00-17:00Z (10:00-18:00 CET): 0; else 1"],
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("frozn", "--demo"), "Error: there is no NodePool 'frozn': did you mean frozen?"),
        (("pod/frozen", "--demo"), "Error: 'pod' is not NodePool"),
        ((), "Error: Missing argument '[nodepool/]NAME'."),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_line(arguments: tuple[str, ...], message: str) -> None:
    result = why(*arguments)

    assert (result.exit_code, result.stderr.splitlines()[-1]) == (2, message)


def test_without_nodepools_there_is_no_answer() -> None:
    pods = b'{"apiVersion": "v1", "kind": "List", "items": [{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}}]}'

    result = why("web", "-f", "-", input=pods)

    assert (result.exit_code, result.stderr.splitlines()[-1]) == (
        1,
        "Error: there is no answer without NodePools: not-collected (not in the input)",
    )


def test_no_colour_where_none_is_wanted() -> None:
    assert "\x1b" not in why("frozen", "--demo").stdout
    assert "\x1b" in why("frozen", "--demo", "--color", "always").stdout


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_no_line_is_wider_than_the_terminal(columns: int) -> None:
    lines = why("general", "--demo", "--width", str(columns)).stdout.splitlines()

    assert max(map(len, lines)) <= columns
