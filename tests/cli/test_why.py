"""`karpenter-check why pod`, run as a user runs it."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from karpenter_check.cli import group
from tests.collect.replay import Replay

FAULTS = Path(__file__).parent.parent / "recordings" / "faults"
TAKEN_AT = (FAULTS / "taken-at").read_text().strip()


def why(*arguments: str, input: bytes | None = None) -> Result:
    return CliRunner().invoke(group, ["why", "pod", *arguments], input=input, env={"COLUMNS": None})


def test_a_pod_of_a_file_is_explained() -> None:
    result = why("deployment/typo", "-n", "shop", "-f", str(FAULTS), "--at", TAKEN_AT, "-q")

    assert (result.exit_code, result.output.splitlines()[:3]) == (
        0,
        [
            "WHAT      Pod shop/typo-585d8dc7cd-nhn54 of Deployment shop/typo, waits 17m50s",
            "ASKS      500m cpu, 512Mi memory; workload-class In [web]",
            "POOLS     no NodePool can take it: it needs workload-class In [web], which none declares",
        ],
    )


def test_a_live_cluster_answers_the_same(tmp_path: Path) -> None:
    with Replay("faults") as cluster:
        live = why("typo", "--kubeconfig", str(cluster.kubeconfig(tmp_path)), "--context", "replay", "-o", "json", "-q")
    filed = why("typo", "-f", str(FAULTS), "--at", TAKEN_AT, "-o", "json", "-q")

    assert (live.exit_code, filed.exit_code) == (0, 0)
    assert {**json.loads(live.output), "run": {}} == {**json.loads(filed.output), "run": {}}


def test_json_says_what_it_is() -> None:
    result = why("typo", "--demo", "-o", "json")

    assert json.loads(result.stdout)["schema"] == "karpenter-check/why-pod/v1"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("typoo", "--demo"), "Error: there is no pod or workload 'typoo': did you mean typo?"),
        (("typo", "--demo", "-f", str(FAULTS)), "Error: --demo and -f exclude each other"),
        (("typo", "--demo", "--context", "prod"), "Error: --context is for a live cluster; -f and --demo read none"),
        ((), "Error: Missing argument '[KIND/]NAME'."),
        (("typo", "-o", "yaml"), "Error: Invalid value for '-o' / '--output': 'yaml' is not one of 'text', 'json'."),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused_in_one_line(arguments: tuple[str, ...], message: str) -> None:
    result = why(*arguments)

    assert (result.exit_code, result.stderr.splitlines()[-1]) == (2, message)


def test_without_nodepools_there_is_no_answer() -> None:
    pods = b'{"apiVersion": "v1", "kind": "List", "items": [{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": "shop"}}]}'

    result = why("web", "-f", "-", input=pods)

    assert (result.exit_code, result.stderr.splitlines()[-1]) == (
        1,
        "Error: there is no answer without NodePools: not-collected (not in the input)",
    )


def test_no_colour_where_none_is_wanted() -> None:
    assert "\x1b" not in why("typo", "--demo").stdout
    assert "\x1b" in why("typo", "--demo", "--color", "always").stdout


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_no_line_is_wider_than_the_terminal(columns: int) -> None:
    lines = why("typo", "--demo", "--width", str(columns)).stdout.splitlines()

    assert max(map(len, lines)) <= columns
