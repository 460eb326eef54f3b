"""Scans that push, against Debian's Pushgateway and a recorded cluster."""

import json
import socket
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from karpenter_check.cli import group
from karpenter_check.metrics.transport import Credentials
from tests.collect.replay import RECORDINGS, Replay, an_error, taken_at
from tests.metrics.pushgateway import (
    SECRET,
    OddGateway,
    Pushgateway,
    Series,
    a_free_port,
    a_pushgateway,
    a_secured_gateway,
    trusting,
)
from tests.programs import installed

FINDINGS, SUCCESS, RUN = (
    "karpenter_check_findings",
    "karpenter_check_last_success_timestamp_seconds",
    "karpenter_check_last_run_timestamp_seconds",
)
NOMINATED = (("nodepool", "idle"), ("rule", "nominated-pod-failure"), ("severity", "high"))


def run(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(group, arguments, env={"COLUMNS": None, **environment})


@pytest.fixture
def pushgateway(tmp_path: Path) -> Iterator[Pushgateway]:
    with a_pushgateway(tmp_path) as running:
        yield running


@pytest.fixture
def cluster() -> Iterator[Replay]:
    with Replay("faults") as running:
        yield running


def scan(cluster: Replay, folder: Path, *arguments: str, **environment: str) -> Result:
    return run("scan", "--kubeconfig", str(cluster.kubeconfig(folder)), *arguments, **environment)


def nothing_listens() -> str:
    return f"http://127.0.0.1:{a_free_port()}"


def at(recording: str) -> float:
    return taken_at(recording).timestamp()


def test_a_scan_pushes_under_the_name_that_the_kubeconfig_gives_the_cluster(
    pushgateway: Pushgateway, cluster: Replay, tmp_path: Path
) -> None:
    result = scan(cluster, tmp_path, "--push-gateway-url", pushgateway.url)
    pushed = pushgateway.group(cluster="recorded")

    assert result.exit_code == 10
    assert (pushed[FINDINGS, NOMINATED], pushed[SUCCESS, ()], pushed[RUN, ()]) == (1, at("faults"), at("faults"))


def test_what_is_printed_is_what_is_pushed(pushgateway: Pushgateway, tmp_path: Path) -> None:
    file = tmp_path / "metrics.prom"
    run("scan", "--demo", "--push-gateway-url", pushgateway.url, "-o", f"prometheus={file}")
    pushed = {
        f"{name}{{{','.join(f'{key}={value}' for key, value in labels if value)}}}": value
        for (name, labels), value in pushgateway.group(cluster="demo").items()
    }
    printed = {}
    for line in file.read_text().splitlines():
        if not line.startswith("#"):
            series, _, value = line.rpartition(" ")
            name, _, labels = series.partition("{")
            kept = sorted(label.replace('"', "") for label in labels.removesuffix("}").split(",") if label and '=""' not in label)
            bounds = [f"le={float(label[3:])}" if label.startswith("le=") else label for label in kept]
            printed[f"{name}{{{','.join(sorted(bounds))}}}"] = float(value)

    assert printed == pushed


def test_filters_hide_nothing_from_the_metrics(pushgateway: Pushgateway) -> None:
    run("scan", "--demo", "--push-gateway-url", pushgateway.url, "-n", "no-such", "--min-severity", "critical")

    assert pushgateway.group(cluster="demo")[FINDINGS, NOMINATED] == 1


def test_an_incomplete_scan_keeps_the_findings_that_it_could_not_judge(
    pushgateway: Pushgateway, cluster: Replay, tmp_path: Path
) -> None:
    push = ("--push-gateway-url", pushgateway.url)
    scan(cluster, tmp_path, *push)
    with Replay("healthy") as later:
        later.answer("/api/v1/events", an_error("403-nodepools"))
        result = scan(later, tmp_path, *push)
    pushed = pushgateway.group(cluster="recorded")

    assert (result.exit_code, pushed[FINDINGS, NOMINATED]) == (0, 1)
    assert (pushed[SUCCESS, ()], pushed[RUN, ()]) == (at("faults"), at("healthy"))
    assert pushed["karpenter_check_rule_evaluated", (("rule", "nominated-pod-failure"),)] == 0
    assert [value for (name, labels), value in pushed.items() if name == FINDINGS and dict(labels)["rule"] == "node-ttl-death"] == [
        0.0
    ] * 5
    assert "note: the scan was incomplete" in result.stderr


@pytest.mark.parametrize("name", [("--cluster-name", "recorded"), ()], ids=["named", "named by the kubeconfig"])
def test_a_failed_scan_leaves_the_last_findings_and_sets_the_runs_status(
    pushgateway: Pushgateway, cluster: Replay, tmp_path: Path, name: Sequence[str]
) -> None:
    push = ("--push-gateway-url", pushgateway.url, *name)
    scan(cluster, tmp_path, *push)
    before = pushgateway.group(cluster="recorded")
    gone = cluster.kubeconfig(tmp_path, server=nothing_listens())
    result = run("scan", "--kubeconfig", str(gone), *push)
    after = pushgateway.group(cluster="recorded")

    def findings(series: Series) -> Series:
        return {key: value for key, value in series.items() if key[0] in {FINDINGS, SUCCESS}}

    assert result.exit_code == 1
    assert findings(after) == findings(before)
    assert after[RUN, ()] > before[RUN, ()]
    assert {value for (name, _), value in after.items() if name == "karpenter_check_collector_success"} == {0.0}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--fail-on", "none"), 0),
        (("--fail-on", "none", "--push-required"), 5),
        (("--push-required",), 10),
        (("--fail-on", "none", "--select", "node-ttl-death", "--strict", "--push-required"), 5),
    ],
)
def test_a_refusal_changes_the_exit_code_only_from_0_to_5_and_only_where_it_is_required(
    arguments: Sequence[str], code: int
) -> None:
    result = run("scan", "--demo", "--fail-on", "high", "--push-gateway-url", nothing_listens(), *arguments)

    assert result.exit_code == code
    assert "warning: metrics were not pushed: the Pushgateway at http://127.0.0.1:" in result.stderr
    assert result.stdout.endswith("rules checked\n")


@contextmanager
def dead(_: Path) -> Iterator[str]:
    yield nothing_listens()


@contextmanager
def silent(_: Path) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@contextmanager
def of_an_unknown_ca(folder: Path) -> Iterator[str]:
    arguments = a_secured_gateway(folder)
    authorization = Credentials("scraper", SECRET).authorization
    with a_pushgateway(folder, *arguments, tls=trusting(folder / "ca.pem"), authorization=authorization) as running:
        yield running.url


@contextmanager
def that_wants_a_password(folder: Path) -> Iterator[str]:
    a_secured_gateway(folder)
    web = folder / "web.yml"
    web.write_text(web.read_text().splitlines()[-1])
    authorization = Credentials("scraper", SECRET).authorization
    with a_pushgateway(folder, f"--web.config.file={web}", authorization=authorization) as running:
        yield running.url


def answering(status: int, **headers: str) -> Callable[[Path], AbstractContextManager[str]]:
    @contextmanager
    def gateway(_: Path) -> Iterator[str]:
        with OddGateway(status, b"", **headers) as odd:
            yield odd.url

    return gateway


@pytest.mark.parametrize(
    ("gateway", "said"),
    [
        (dead, "cannot be reached: connection refused"),
        (silent, "cannot be reached: nothing came within 0.2 s"),
        (of_an_unknown_ca, "cannot be reached: its certificate is not trusted"),
        (that_wants_a_password, "refuses the credentials (HTTP 401)"),
        (answering(400), "answers HTTP 400"),
        (answering(503), "answers HTTP 503"),
        (answering(307, Location="http://127.0.0.1:9/"), "redirects (HTTP 307)"),
    ],
    ids=["dead", "silent", "unknown CA", "password", "400", "503", "redirect"],
)
def test_no_refusal_changes_the_exit_code_unless_a_push_is_required(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gateway: Callable[[Path], AbstractContextManager[str]], said: str
) -> None:
    monkeypatch.setattr("karpenter_check.metrics.transport._PAUSES", (0, 0))
    with gateway(tmp_path) as url:
        push = ("scan", "--demo", "--push-gateway-url", url, "--push-timeout", "200ms")
        result, required = run(*push), run(*push, "--push-required")

    assert (result.exit_code, required.exit_code) == (0, 5)
    assert f"warning: metrics were not pushed: the Pushgateway at {url} {said}" in result.stderr
    assert result.stdout == required.stdout


def test_metrics_delete_takes_the_group_away(pushgateway: Pushgateway) -> None:
    push = ("--push-gateway-url", pushgateway.url, "--cluster-name", "old", "--push-label", "team=core")
    run("scan", "--demo", *push)
    assert [group["labels"] for group in pushgateway.groups()] == [{"job": "karpenter-check", "cluster": "old", "team": "core"}]
    result = run("metrics", "delete", *push)

    assert (result.exit_code, pushgateway.groups()) == (0, [])
    assert result.stderr == f'deleted {{job="karpenter-check", cluster="old", team="core"}} from {pushgateway.url}\n'


def test_metrics_delete_tells_that_there_is_no_such_group(pushgateway: Pushgateway) -> None:
    run("scan", "--demo", "--push-gateway-url", pushgateway.url, "--cluster-name", "prod", "--push-label", "team=core")
    result = run("metrics", "delete", "--push-gateway-url", pushgateway.url, "--cluster-name", "prod")

    assert (result.exit_code, len(pushgateway.groups())) == (0, 1)
    assert result.stderr == f'there is no group {{job="karpenter-check", cluster="prod"}} at {pushgateway.url}\n'


def test_series_that_are_left_out_are_told(pushgateway: Pushgateway) -> None:
    result = run("scan", "--demo", "--push-gateway-url", pushgateway.url, "--max-series", "100")
    pushed = pushgateway.group(cluster="demo")
    dropped = sum(value for (name, _), value in pushed.items() if name == "karpenter_check_series_dropped")

    assert f"note: {dropped:.0f} series were left out of the metrics: --max-series is 100" in result.stderr
    assert (
        f"warning: rules and NodePools alone have {len(pushed)} series, more than --max-series 100; none of them is left out"
        in result.stderr
    )


def test_metrics_delete_tells_what_fails() -> None:
    result = run("metrics", "delete", "--push-gateway-url", nothing_listens(), "--cluster-name", "x", "--push-timeout", "1s")

    assert (result.exit_code, result.stderr.splitlines()[-1].endswith("cannot be reached: connection refused")) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--push-gateway-url", "gateway:9091"), "--push-gateway-url: give an address with http:// or https://"),
        (("--push-gateway-url", "ftp://gateway"), "--push-gateway-url: give an address with http:// or https://"),
        (("--push-gateway-url", "http://u:p@gateway"), "--push-gateway-url: no user or password in an address; use --push-username and --push-password-file"),
        (("--push-gateway-url", "http://gateway", "--push-label", "x"), "--push-label: 'x' is not NAME=VALUE"),
        (("--push-gateway-url", "http://gateway", "--push-label", "instance=x"), "--push-label: instance is taken; the group has it, or its metrics do"),
        (("--push-gateway-url", "http://gateway", "--push-job", ""), "--push-job: it is empty, and a group has a job"),
        (("--push-required",), "--push-required: say where to push, with --push-gateway-url"),
    ],
)  # fmt: skip
def test_wrong_usage_is_told_before_anything_is_read(arguments: Sequence[str], said: str) -> None:
    result = run("scan", "--demo", *arguments)

    assert (result.exit_code, result.stdout, result.stderr.splitlines()[-1]) == (2, "", f"Error: {said}")


def test_pushing_needs_a_name_for_the_cluster(tmp_path: Path) -> None:
    (tmp_path / "list.json").write_text('{"kind":"PodList","apiVersion":"v1","items":[]}')
    result = run("scan", "-f", str(tmp_path), "--push-gateway-url", "http://gateway")

    assert (result.exit_code, result.stderr.splitlines()[-1]) == (
        2,
        "Error: pushing needs a name for the cluster: give --cluster-name",
    )


def test_that_a_cluster_without_a_name_could_not_be_scanned_is_not_pushed(pushgateway: Pushgateway, tmp_path: Path) -> None:
    (tmp_path / "kubeconfig").write_text("{kind: Config, apiVersion: v1}")
    result = run("scan", "--kubeconfig", str(tmp_path / "kubeconfig"), "--push-gateway-url", pushgateway.url)

    assert (result.exit_code, pushgateway.groups()) == (1, [])
    assert result.stderr.splitlines()[0] == (
        "karpenter-check: warning: that the scan failed is not pushed: what the cluster is called is not known; give --cluster-name"
    )


def test_the_controller_tells_the_name_where_nothing_else_does(pushgateway: Pushgateway, tmp_path: Path) -> None:
    container = {"image": "karpenter:1.13.0", "env": [{"name": "CLUSTER_NAME", "value": "told"}]}
    metadata = {"name": "karpenter", "namespace": "karpenter", "labels": {"app.kubernetes.io/name": "karpenter"}}
    deployment = {"metadata": metadata, "spec": {"template": {"spec": {"containers": [container]}}}}
    (tmp_path / "list.json").write_text(json.dumps({"kind": "DeploymentList", "apiVersion": "apps/v1", "items": [deployment]}))

    result = run("scan", "-f", str(RECORDINGS / "faults"), "-f", str(tmp_path / "list.json"), "--push-gateway-url", pushgateway.url)

    assert (result.exit_code, pushgateway.group(cluster="told")[FINDINGS, NOMINATED]) == (10, 1)


def test_a_password_needs_a_user() -> None:
    result = run("scan", "--demo", "--push-gateway-url", "http://gateway", KARPENTER_CHECK_PUSH_PASSWORD="x")  # noqa: S106  it opens nothing

    assert (result.exit_code, result.stderr.splitlines()[-1]) == (2, "Error: a push password needs --push-username")


def test_a_user_and_a_token_exclude_each_other(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("t\n")
    result = run(
        "scan", "--demo", "--push-gateway-url", "http://gateway", "--push-username", "u", "--push-bearer-token-file", str(token)
    )

    assert (result.exit_code, result.stderr.splitlines()[-1]) == (2, "Error: --push-username and a bearer token exclude each other")


def test_the_cluster_name_is_the_reports_too() -> None:
    assert run("scan", "--demo", "--cluster-name", "mine").stdout.splitlines()[0].split(", ")[1] == "cluster mine"


def test_promtool_finds_nothing_to_mend_in_what_is_printed() -> None:
    printed = run("scan", "--demo", "-o", "prometheus").stdout
    checked = subprocess.run(
        [installed("promtool"), "check", "metrics"], input=printed, capture_output=True, text=True, check=False
    )

    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_a_file_appears_whole_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    (tmp_path / "metrics.prom").write_text("old")
    run("scan", "--demo", "-o", f"prometheus={tmp_path}/metrics.prom")

    assert [path.name for path in tmp_path.iterdir()] == ["metrics.prom"]
    assert (tmp_path / "metrics.prom").read_text().startswith("# HELP karpenter_check_findings ")
