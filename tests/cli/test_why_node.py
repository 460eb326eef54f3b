"""`karpenter-check why node`, run as a user runs it."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from karpenter_check.cli import group
from tests.collect.replay import Replay

FAULTS = Path(__file__).parent.parent / "recordings" / "faults"
TAKEN_AT = (FAULTS / "taken-at").read_text().strip()
IDLE = "kwok-idle-d6jxr-robinhickory-13-9vco9iaj4g-2548200232"


def why(*arguments: str, input: bytes | None = None) -> Result:
    return CliRunner().invoke(group, ["why", "node", *arguments], input=input, env={"COLUMNS": None})


@pytest.mark.parametrize("name", [IDLE, f"node/{IDLE}", "idle-d6jxr", "nodeclaim/idle-d6jxr", "nodeclaims.karpenter.sh/idle-d6jxr"])
def test_a_node_goes_by_its_name_or_its_nodeclaims(name: str) -> None:
    result = why(name, "-f", str(FAULTS), "--at", TAKEN_AT, "--width", "200", "-q")

    assert (result.exit_code, result.output.splitlines()[3]) == (
        0,
        "WANTED?   gone, as Empty: Consolidatable since 08:02:18Z (14m56s ago) (WhenEmpty, consolidateAfter 15s)",
    )


def test_a_live_cluster_answers_the_same_but_for_whom_its_commands_are(tmp_path: Path) -> None:
    with Replay("faults") as cluster:
        kubeconfig = str(cluster.kubeconfig(tmp_path))
        live = why(IDLE, "--kubeconfig", kubeconfig, "--context", "replay", "-o", "json", "-q")
    filed = why(IDLE, "-f", str(FAULTS), "--at", TAKEN_AT, "-o", "json", "-q")

    assert (live.exit_code, filed.exit_code) == (0, 0)
    told, read = json.loads(live.output), json.loads(filed.output)
    assert told["fix"][0].pop("command") == f"kubectl --kubeconfig {kubeconfig} --context replay delete pod -n shop ghost-scheduled"
    assert read["fix"][0].pop("command") == "kubectl delete pod -n shop ghost-scheduled"
    assert {**told, "run": {}} == {**read, "run": {}}


def test_a_node_that_is_gone_is_told_of_by_its_events() -> None:
    result = why("nominal-lkrgz", "--demo")

    assert (result.exit_code, "Karpenter disrupted it as Empty" in result.stdout) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("idle-d6jx", "--demo"), "Error: there is no node or NodeClaim 'idle-d6jx', and no event tells of one: did you mean idle-d6jxr?"),
        (("pod/web", "--demo"), "Error: 'pod' is no kind of node: one of Node, NodeClaim"),
        ((f"nodeclaim/{IDLE}", "--demo", "--no-events"), f"Error: no node or NodeClaim 'nodeclaim/{IDLE}' was seen, nor an event of one; not all was seen of Event: did you mean {IDLE}?"),
        (("idle", "--demo", "--context", "prod"), "Error: --context is for a live cluster; -f and --demo read none"),
        ((), "Error: Missing argument '[KIND/]NAME'."),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused_in_one_line(arguments: tuple[str, ...], message: str) -> None:
    result = why(*arguments)

    assert (result.exit_code, result.stderr.splitlines()[-1]) == (2, message)


def test_without_nodes_and_nodeclaims_there_is_no_answer() -> None:
    nodepools = b'{"apiVersion": "v1", "kind": "List", "items": [{"apiVersion": "karpenter.sh/v1", "kind": "NodePool", "metadata": {"name": "web"}}]}'

    result = why("web", "-f", "-", input=nodepools)

    assert (result.exit_code, result.stderr.splitlines()[-1]) == (
        1,
        "Error: there is no answer without Nodes and NodeClaims: Node is not-collected (not in the input) and NodeClaim is not-collected (not in the input)",
    )


def test_without_events_no_nomination_is_called_fine() -> None:
    lines = why("idle-d6jxr", "--demo", "--no-events").stdout.splitlines()

    assert "BLOCKED   ? nominated: Event is not-collected (--no-events)" in lines
    assert not any(line.startswith("SAID") for line in lines)


def test_no_colour_where_none_is_wanted() -> None:
    assert "\x1b" not in why("idle-d6jxr", "--demo").stdout
    assert "\x1b" in why("idle-d6jxr", "--demo", "--color", "always").stdout
