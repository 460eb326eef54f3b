"""`karpenter-check scan`, run as a user runs it."""

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from karpenter_check import __version__
from karpenter_check.cli import group
from karpenter_check.cli.scan_types import FORMATS, PROMETHEUS, SEVERITIES
from karpenter_check.cli.selection import Selection
from karpenter_check.finding import Finding, Occurrence, Ref, Severity
from karpenter_check.reports import Format
from karpenter_check.rules import every_rule
from karpenter_check.rules.node_expiry_herd import node_expiry_herd
from karpenter_check.scan import Report
from karpenter_check.scan import Result as Judged
from tests.build import a_cluster, a_node
from tests.collect.replay import Replay, an_error

RECORDINGS = Path(__file__).parent.parent / "recordings"
KINDS = (
    "nodes", "pods", "daemonsets", "nodepools", "nodeclaims", "kwoknodeclasses", "poddisruptionbudgets", "replicasets", "deployments",
    "statefulsets", "events",
)  # fmt: skip


ALL = len(every_rule())
OUTSIDE = {"controller-on-own-node", "controller-unhealthy", "version-skew"}
"""Rules that the recordings prove nothing of: their Karpenter runs outside of its cluster."""
UNJUDGED = {*OUTSIDE, "volume-zone-conflict"}
"""They have no volumes either."""
FAULTS = "18 high, 8 medium, 20 low, 2 info"


def scan(*arguments: str, input: bytes | None = None, environment: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(group, ["scan", *arguments], input=input, env={"COLUMNS": None, **(environment or {})})


def recording(name: str) -> tuple[str, ...]:
    return ("-f", str(RECORDINGS / name), "--at", (RECORDINGS / name / "taken-at").read_text().strip())


def as_kubectl_prints(name: str) -> bytes:
    """One List of mixed kinds, as `kubectl get a,b,c -A -o json` prints it."""
    items = []
    for kind in KINDS:
        listed = json.loads(gzip.decompress((RECORDINGS / name / f"{kind}.json.gz").read_bytes()))
        common = {"kind": listed["kind"].removesuffix("List"), "apiVersion": listed["apiVersion"]}
        items += [{**common, **item} for item in listed["items"]]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items, "metadata": {"resourceVersion": ""}}).encode()


def test_the_demo_shows_findings_and_exits_0() -> None:
    result = scan("--demo")

    assert result.exit_code == 0
    assert result.output.splitlines()[0].startswith(f"karpenter-check {__version__}, cluster demo, at 2026-11-21 08:17:14Z")
    assert result.output.splitlines()[-1] == f"{FAULTS}; {ALL - len(UNJUDGED)} of {ALL} rules checked"


def test_a_healthy_cluster_exits_0() -> None:
    assert scan(*recording("healthy")).exit_code == 0


def test_findings_at_fail_on_exit_10() -> None:
    assert scan(*recording("faults")).exit_code == 10


@pytest.mark.parametrize(
    ("fail_on", "code"), [("none", 0), ("critical", 0), ("high", 10), ("medium", 10), ("low", 10), ("info", 10)]
)
def test_fail_on_decides_the_exit_code(fail_on: str, code: int) -> None:
    assert scan(*recording("faults"), "--fail-on", fail_on).exit_code == code


def test_fail_on_can_be_set_in_the_environment() -> None:
    assert scan(*recording("faults"), environment={"KARPENTER_CHECK_FAIL_ON": "critical"}).exit_code == 0


def test_min_severity_hides_but_does_not_change_the_exit_code(recorded: Callable[[str], Report]) -> None:
    result = scan(*recording("faults"), "--min-severity", "critical")

    assert result.exit_code == 10
    assert (
        result.stdout.splitlines()[-1]
        == f"no findings; {ALL - len(UNJUDGED)} of {ALL} rules checked; {len(recorded('faults').results)} hidden by filters"
    )


def test_a_namespace_chooses_what_is_shown_and_counted() -> None:
    result = scan(*recording("faults"), "-n", "observability", "-o", "json")

    findings = msgspec.json.decode(result.stdout)["findings"]
    assert {finding["owner"]["namespace"] for finding in findings} == {"observability"}
    assert result.exit_code == 0


def test_a_nodepool_chooses_what_is_shown_and_counted() -> None:
    result = scan(*recording("faults"), "--nodepool", "idle", "-o", "json")

    findings = msgspec.json.decode(result.stdout)["findings"]
    assert sorted({finding["rule"] for finding in findings}) == [
        "daemonset-overhead-wasted",
        "node-reaping-nominated",
        "nodepool-without-limits",
        "nominated-pod-failure",
    ]


def test_a_label_selector_chooses_what_is_shown_and_counted() -> None:
    result = scan(*recording("faults"), "-l", "karpenter.sh/nodepool=idle", "-o", "json")

    findings = msgspec.json.decode(result.stdout)["findings"]
    assert sorted({(finding["rule"], finding["nodePool"]) for finding in findings}) == [
        ("daemonset-overhead-wasted", "idle"),
        ("node-reaping-nominated", "idle"),
    ]


def test_select_runs_only_these_rules() -> None:
    result = scan(*recording("faults"), "--select", "node-ttl-death,node-expiry-herd", "-o", "json")

    assert [entry["rule"] for entry in msgspec.json.decode(result.stdout)["rules"]] == ["node-expiry-herd", "node-ttl-death"]


def test_ignore_runs_all_others() -> None:
    result = scan(*recording("faults"), "--ignore", "node-ttl-death", "--ignore", "node-expiry-herd", "-o", "json")

    rules = [entry["rule"] for entry in msgspec.json.decode(result.stdout)["rules"]]
    assert set(rules) == {rule.slug for rule in every_rule()} - {"node-ttl-death", "node-expiry-herd"}


def test_what_kubectl_prints_gives_the_same_findings_as_the_lists() -> None:
    lists = scan(*recording("faults"), "-o", "jsonl")
    printed = scan("-f", "-", "--complete", *recording("faults")[2:], "-o", "jsonl", input=as_kubectl_prints("faults"))

    def prints(result: Result) -> list[str]:
        return [msgspec.json.decode(line).get("fingerprint", "") for line in result.stdout.splitlines()]

    assert prints(printed) == prints(lists)


def test_kinds_that_are_not_in_the_input_leave_their_rules_unchecked() -> None:
    result = scan("-f", str(RECORDINGS / "faults" / "replicasets.json.gz"))

    assert result.exit_code == 1
    assert result.stdout.splitlines()[-1] == f"nothing was checked; 0 of {ALL} rules checked; 10 kinds not wholly seen"


def without(kind: str, recorded: str = "healthy") -> bytes:
    """What kubectl prints of a recording, but for one kind."""
    printed = json.loads(as_kubectl_prints(recorded))
    return json.dumps({**printed, "items": [item for item in printed["items"] if item["kind"] != kind]}).encode()


def test_strict_exits_4_where_a_rule_had_not_its_input() -> None:
    arguments = ("-f", "-", *recording("healthy")[2:])

    assert [scan(*arguments, *strict, input=without("Event")).exit_code for strict in ((), ("--strict",))] == [0, 4]


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("NodePool", "nodes name their NodePool"),
        ("NodeClaim", "nodes are of a NodePool"),
        ("Pod", "there are nodes"),
        ("DaemonSet", "pods belong to some"),
        ("Event", "pods are younger than an hour"),
    ],
)
def test_complete_is_not_believed_against_the_input(kind: str, why: str) -> None:
    result = scan("-f", "-", "--complete", *recording("healthy")[2:], "-o", "json", input=without(kind))
    report = msgspec.json.decode(result.stdout)
    reason = f"none in the input, but {why}: did kubectl print an error?"

    assert report["coverage"][kind] == {"status": "not-collected", "count": 0, "reason": reason}
    assert "skipped" in {rule["status"] for rule in report["rules"]}


def test_input_without_a_node_is_no_whole_cluster() -> None:
    result = scan("-f", "-", "--complete", input=b'{"kind":"List","apiVersion":"v1","items":[]}')
    said = (
        "the input holds no Node, so it is no whole cluster: did kubectl print an error? Without --complete what is there is read"
    )

    assert (result.exit_code, result.stderr) == (2, f"Error: {said}\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--nodepool", "nope"), "there is no NodePool 'nope' here; there are: batch, general, gpu"),
        (("--nodepool", "gpu,nope"), "there is no NodePool 'nope' here; there are: batch, general, gpu"),
        (("-n", "shop,nope"), "nothing here is in namespace 'nope'"),
    ],
)
def test_a_misspelt_filter_is_told(arguments: tuple[str, ...], said: str) -> None:
    assert scan(*recording("healthy"), *arguments, "-q").stderr == f"karpenter-check: warning: {said}\n"


def test_nothing_is_said_to_be_missing_among_what_was_not_seen() -> None:
    nodes = (RECORDINGS / "healthy" / "nodes.json.gz").read_bytes()

    assert "nope" not in scan("-f", "-", "-n", "nope", "--nodepool", "nope", input=nodes).stderr


def test_the_demo_shows_the_commands_of_a_live_scan() -> None:
    assert "  verify  karpenter-check scan --select nominated-pod-failure -n shop\n" in scan("--demo").stdout


def test_all_namespaces_overrides_the_environment(recorded: Callable[[str], Report]) -> None:
    environment = {"KARPENTER_CHECK_NAMESPACE": "observability", "KARPENTER_CHECK_OUTPUT": "jsonl"}
    reports = [scan(*recording("faults"), *arguments, environment=environment).stdout.splitlines() for arguments in ((), ("-A",))]

    assert [len(report) - 1 for report in reports] == [4, len(recorded("faults").results)]


def test_commands_are_meant_for_the_cluster_that_was_scanned(tmp_path: Path) -> None:
    with Replay("faults") as cluster:
        kubeconfig = cluster.kubeconfig(tmp_path)
        live = scan("--kubeconfig", str(kubeconfig), "--context", "replay", "-o", "json")
    fixes = [step for finding in msgspec.json.decode(live.stdout)["findings"] for step in finding["fix"]]
    commands = {step["command"] for step in fixes if "command" in step}
    where = f"--kubeconfig {kubeconfig} --context replay"

    addressed = tuple(f"{program} {where} " for program in ("kubectl", "karpenter-check scan", "karpenter-check why pod"))
    assert {command for command in commands if not command.startswith(addressed)} == set()
    assert f"kubectl {where} delete pod -n shop ghost-scheduled" in commands


def test_a_scan_of_files_does_not_tell_to_verify_it_in_the_current_cluster(recorded: Callable[[str], Report]) -> None:
    result = scan(*recording("faults"), "-o", "json")
    steps = [
        step for finding in msgspec.json.decode(result.stdout)["findings"] for step in finding["fix"] if step["step"] == "verify"
    ]

    assert steps == [{"step": "verify", "text": "take the input anew, and look at it again"}] * len(recorded("faults").results)


def test_a_version_that_the_input_contradicts_is_told() -> None:
    said = scan("--demo", "--karpenter-version", "0.37").stderr

    assert "note: the input says that Karpenter is 1.13.0, so --karpenter-version is not used" in said


def test_the_time_of_the_input_is_its_newest_and_said() -> None:
    result = scan("-f", str(RECORDINGS / "faults"), "-o", "json")

    assert msgspec.json.decode(result.stdout)["run"]["takenAt"] == "2026-11-21T08:16:42Z"
    assert "note: taken at 2026-11-21T08:16:42Z, the newest time in the input" in result.stderr


def test_quiet_says_nothing_of_it() -> None:
    assert scan("-f", str(RECORDINGS / "healthy"), "-q").stderr == ""


def test_several_formats_at_once(tmp_path: Path) -> None:
    result = scan("--demo", "-o", "table", "-o", f"json={tmp_path}/report.json", "-o", f"jsonl={tmp_path}/report.jsonl")

    assert result.exit_code == 0
    assert result.stdout.startswith("karpenter-check ")
    findings = len(msgspec.json.decode((tmp_path / "report.json").read_bytes())["findings"])
    assert len((tmp_path / "report.jsonl").read_text().splitlines()) == findings + 1


def test_the_same_input_gives_the_same_bytes() -> None:
    assert scan(*recording("runaway"), "-o", "json").stdout == scan(*recording("runaway"), "-o", "json").stdout


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    result = scan("--demo", "-o", f"json={tmp_path}")

    assert (result.exit_code, result.stderr) == (1, f"Error: Could not open file {str(tmp_path)!r}: Is a directory\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--demo", "-f", "x"), "--demo and -f exclude each other"),
        (("--demo", "--context", "x"), "--context is for a live cluster; -f and --demo read none"),
        (("--complete",), "-R, --complete and --at say something about -f, which is not given"),
        (("--demo", "-q", "-v"), "-q and -v exclude each other"),
        (("-f", "-", "-f", "-"), "standard input can be read once: give -f - once"),
        (("--demo", "-o", "json", "-o", "table"), "two formats go to the same place: send one to a file with -o FORMAT=FILE"),
        (("--demo", "-o", "xml"), "Invalid value for '-o' / '--output': 'xml' is not one of table, json, jsonl, yaml, sarif, junit, github, markdown, html, summary, prometheus"),
        (("--demo", "-o", "json="), "Invalid value for '-o' / '--output': 'json=' names no file"),
        (("--demo", "-o", "json=/no/such/x"), "Invalid value for '-o' / '--output': there is no folder '/no/such'"),
        (("--demo", "--select", "node-ttl-deth"), "no rule 'node-ttl-deth': did you mean node-ttl-death?"),
        (("--demo", "--ignore", "zzz"), "no rule 'zzz': karpenter-check rules list shows them all"),
        (("--demo", "--select", "node-ttl-death", "--ignore", "node-ttl-death"), "--select and --ignore leave no rule"),
        (("--at", "noon", "-f", "x"), "Invalid value for '--at': 'noon' is no time (try 2026-11-21T08:17:14Z)"),
        (("--at", "2026-11-21T08:17:14", "-f", "x"), "Invalid value for '--at': '2026-11-21T08:17:14' has no time zone: end it with Z for UTC"),
        (("--at", "0001-01-01T00:00:00+14:00", "-f", "x"), "Invalid value for '--at': '0001-01-01T00:00:00+14:00' is not between 1970 and 2999"),
        (("--at", "9999-12-31T23:59:59Z", "-f", "x"), "Invalid value for '--at': '9999-12-31T23:59:59Z' is not between 1970 and 2999"),
        (("--request-timeout", "soon"), "Invalid value for '--request-timeout': 'soon' is no duration (try 30s, 1m30s)"),
        (("--request-timeout", "-1s"), "Invalid value for '--request-timeout': '-1s' is no duration (try 30s, 1m30s)"),
        (("--request-timeout", "0"), "Invalid value for '--request-timeout': '0' is not between 1ms and 24h"),
        (("--request-timeout", "99999999h"), "Invalid value for '--request-timeout': '99999999h' is not between 1ms and 24h"),
        (("--request-timeout", f"{'9' * 400}h"), f"Invalid value for '--request-timeout': '{'9' * 400}h' is not between 1ms and 24h"),
        (("--karpenter-version", "x", "--demo"), "Invalid value for '--karpenter-version': 'x' is no version (try 1.13.0)"),
        (("-l", "a b", "--demo"), "Invalid value for '-l' / '--selector': 'a b' is not a label selector (try key=value, key!=value, key in (a,b), key or !key)"),
    ],
)  # fmt: skip
def test_wrong_usage_is_told_and_exits_2(arguments: tuple[str, ...], said: str) -> None:
    result = scan(*arguments)

    assert (result.exit_code, result.stderr.splitlines()[-1]) == (2, f"Error: {said}")


def test_a_cluster_with_only_provisioners_exits_3() -> None:
    legacy = {"kind": "Provisioner", "apiVersion": "karpenter.sh/v1alpha5", "metadata": {"name": "default"}}

    result = scan("-f", "-", input=json.dumps({"kind": "List", "apiVersion": "v1", "items": [legacy]}).encode())

    assert result.exit_code == 3
    assert result.stderr.splitlines()[-1].startswith(
        "Error: the input has only Karpenter's alpha API (v1alpha5): migrate to karpenter.sh/v1"
    )


def test_a_snapshot_of_a_cluster_without_karpenter_exits_3() -> None:
    snapshot = {
        "schema": "karpenter-check/snapshot/v1", "takenAt": "2026-11-21T08:00:00Z", "lists": {},
        "coverage": {"NodePool": {"status": "absent"}, "Node": {"status": "complete"}},
    }  # fmt: skip

    result = scan("-f", "-", input=json.dumps(snapshot).encode())

    assert result.exit_code == 3


def test_the_words_of_the_command_line_are_those_of_the_code() -> None:
    assert list(Severity) == SEVERITIES
    assert [*Format, PROMETHEUS] == FORMATS


def run_for_real(*arguments: str, **environment: str) -> "subprocess.Popen[bytes]":
    kept = {name: value for name, value in os.environ.items() if not name.startswith("KARPENTER_CHECK_")}
    return subprocess.Popen(
        [sys.executable, "-m", "karpenter_check", *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**kept, **environment},
    )  # fmt: skip


def test_a_reader_that_goes_away_is_no_error() -> None:
    with run_for_real("scan", "--demo", "-o", "json") as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        said = process.stderr.read()

    assert (process.returncode, said) == (0, b"")


def test_an_ascii_terminal_gets_escapes_instead_of_a_crash() -> None:
    out, _ = run_for_real("scan", "--demo", PYTHONIOENCODING="ascii").communicate()

    assert out.isascii()
    assert rb"\u2514 HIGH" in out


def test_an_error_shows_hostile_text_as_text_cut_with_a_count() -> None:
    result = scan("-f", "-", input=json.dumps({"schema": "\x1b[31m\n" + "x" * 76_000}).encode())

    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert r"\x1b[31m" in result.stderr
    assert result.stderr.endswith(" characters)\n")


def test_a_finding_across_nodepools_is_shown_for_each_of_them() -> None:
    def answer(nodepool: str) -> list[str]:
        report = Report(snapshot, results=(Judged(node_expiry_herd, finding, "v1:0"),))
        return [result.fingerprint for result in Selection(nodepools=frozenset({nodepool})).apply(report).results]

    snapshot = a_cluster(a_node("n1", pool="a"), a_node("n2", pool="b"))
    web = Ref("Deployment", "web", "apps/v1", "shop")
    places = tuple(Occurrence(Ref("Node", name, "v1"), node=name) for name in ("n1", "n2"))
    finding = Finding(object=web, owner=web, cause="replicas", message="", occurrences=places)

    assert (answer("a"), answer("b"), answer("c")) == (["v1:0"], ["v1:0"], [])


def test_a_finding_is_shown_for_the_namespace_of_a_pod_that_it_happens_to() -> None:
    pool = Ref("NodePool", "a", "karpenter.sh/v1")
    finding = Finding(object=pool, owner=pool, cause="c", message="", occurrences=(Occurrence(Ref("Pod", "web", "v1", "shop")),))
    report = Report(a_cluster(), results=(Judged(node_expiry_herd, finding, "v1:0"),))

    assert [len(Selection(namespaces=frozenset({name})).apply(report).results) for name in ("shop", "data")] == [1, 0]


def test_input_without_a_time_leaves_what_judges_ages_unchecked() -> None:
    node = {"kind": "Node", "apiVersion": "v1", "metadata": {"name": "n1"}}
    pod = {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "p1", "namespace": "shop"}}
    items = json.dumps({"kind": "List", "apiVersion": "v1", "items": [node, pod]}).encode()
    result = scan("-f", "-", "--complete", input=items)

    assert (
        result.stdout.splitlines()[-1]
        == f"no findings; {sum(not rule.judges_ages and rule.slug not in OUTSIDE for rule in every_rule())} of {ALL} rules checked"
    )
    assert "node-ttl-death: nothing in the input carries a time, and it judges ages; --at TIME sets one" in result.stdout


def test_a_cluster_that_does_not_tell_its_version_is_of_unknown_version_and_loose_files_need_not_tell_it(tmp_path: Path) -> None:
    with Replay("healthy") as cluster:
        cluster.answer_always("/version", an_error("404-group-version"))
        live = scan("--width", "200", "--kubeconfig", str(cluster.kubeconfig(tmp_path)))
    pods = scan("--width", "200", "-f", str(RECORDINGS / "healthy" / "pods.json.gz"))

    assert [
        [part for part in result.stdout.splitlines()[0].split(", ") if part.startswith("Kubernetes")] for result in (live, pods)
    ] == [["Kubernetes of unknown version"], []]
