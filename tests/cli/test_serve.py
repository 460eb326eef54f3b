"""A real process that is scraped."""

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from time import monotonic, sleep

import pytest
from click.testing import CliRunner

from karpenter_check.cli import group
from karpenter_check.metrics.endpoint import Endpoint
from tests.build import a_daemonset, a_node, a_nodeclaim, a_nodepool, a_pod, ago
from tests.cli.stuck import Stuck
from tests.collect.replay import Replay
from tests.metrics.prometheus import a_prometheus
from tests.metrics.pushgateway import Series, a_free_port, a_pushgateway
from tests.metrics.snapshot_files import a_snapshot_file

LONG = 60
"""Seconds, not reached."""
AGENT = a_daemonset("agent", tolerations=[], selector={"heavy": "yes"})
OWN = ("scan_duration_seconds", "memory_info")
"""What is of a run and not of a snapshot."""


@dataclass(frozen=True)
class Served:
    """A process that listens."""

    process: "subprocess.Popen[str]"
    port: int

    def ask(self, path: str, method: str = "GET") -> tuple[int, str]:
        """The status and the body of an answer."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def metrics_with(self, line: str) -> str:
        """The metrics, once they have this line."""
        deadline = monotonic() + LONG
        while True:
            status, text = self.ask("/metrics")
            if status == 200 and line in text.splitlines():
                return text
            assert monotonic() < deadline, f"{line} does not come: {text[-2000:]}"
            sleep(0.05)


@contextmanager
def serving(*arguments: str) -> Iterator[Served]:
    """The server on a free port; it is killed at the end if it still runs."""
    command = [sys.executable, "-m", "karpenter_check", "serve", "--metrics-addr", "127.0.0.1:0", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr
            heard = re.search(r"listening on port (\d+)", process.stderr.readline())
            assert heard
            yield Served(process, int(heard[1]))
        finally:
            process.kill()


def series(text: str) -> Series:
    """The samples of an exposition, but for those of the run itself."""
    found: Series = {}
    for line in text.splitlines():
        form = re.fullmatch(r"karpenter_check_(\w+)(?:\{(.*)\})? (\S+)", line)
        if form and form[1] not in OWN:
            labels = re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', form[2] or "")
            found[form[1], tuple(sorted((key, str(float(value)) if key == "le" else value) for key, value in labels if value))] = (
                float(form[3])
            )
    return found


def test_nothing_is_ready_before_the_first_scan_has_ended(tmp_path: Path) -> None:
    with Stuck() as cluster, serving("--kubeconfig", str(cluster.kubeconfig(tmp_path))) as served:
        assert cluster.asked.wait(LONG)
        assert [served.ask(path) for path in ("/metrics", "/readyz", "/healthz")] == [
            (503, "nothing was scanned yet\n"),
            (503, "nothing was scanned yet\n"),
            (200, "ok\n"),
        ]
        cluster.left.set()
        served.metrics_with('karpenter_check_objects{kind="Pod"} 27.0')
        assert served.ask("/readyz") == (200, "ok\n")


def test_only_what_is_there_is_answered() -> None:
    with serving("--demo", "--interval", "1h") as served:
        served.metrics_with('karpenter_check_build_info{version="0.1.0"} 1.0')

        assert served.ask("/") == (404, "there are /metrics, /healthz and /readyz\n")
        assert served.ask("/metrics", "POST") == (405, "only GET\n")
        assert [served.ask(path, "HEAD") for path in ("/readyz", "/metrics")] == [(200, "")] * 2


def a_cluster_file(folder: Path, *, uncounted: bool, cluster: str = "prod") -> Path:
    pods = [a_pod("agent-1", on="n1", of=AGENT, age="5m")] if uncounted else []
    node = a_node("n1", labels={"heavy": "yes"})
    at = ago("0s" if uncounted else "10m")
    beside = a_snapshot_file(
        folder / "beside.json", a_nodepool(), node, a_nodeclaim("default-aaaaa"), AGENT, *pods, at=at, cluster=cluster
    )
    return beside.replace(folder / "cluster.json")


def test_counters_go_on_from_scan_to_scan(tmp_path: Path) -> None:
    with serving("-f", str(a_cluster_file(tmp_path, uncounted=False)), "--interval", "100ms") as served:
        served.metrics_with('karpenter_check_nodepool_daemonset_mismatches_total{nodepool="default"} 0.0')
        a_cluster_file(tmp_path, uncounted=True)
        text = served.metrics_with('karpenter_check_nodepool_daemonset_mismatches_total{nodepool="default"} 1.0')

    assert 'karpenter_check_memory_info{detail="object",source="process"} 1.0' in text.splitlines()


def test_another_cluster_is_where_counting_begins_anew(tmp_path: Path) -> None:
    with serving("-f", str(a_cluster_file(tmp_path, uncounted=False)), "--interval", "100ms") as served:
        served.metrics_with('karpenter_check_memory_info{detail="object",source="process"} 1.0')
        a_cluster_file(tmp_path, uncounted=True, cluster="other")
        text = served.metrics_with('karpenter_check_objects{kind="Pod"} 1.0')

    assert 'karpenter_check_nodepool_daemonset_mismatches_total{nodepool="default"} 0.0' in text.splitlines()


def test_a_client_that_says_nothing_is_no_news(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("karpenter_check.metrics.endpoint._Handler.timeout", 0.05)
    endpoint = Endpoint("127.0.0.1", 0, lives=lambda: True)
    with socket.create_connection(("127.0.0.1", endpoint.port)) as silent:
        assert silent.recv(1) == b"", "it is left"
    endpoint.close()

    assert capfd.readouterr() == ("", "")


def test_a_state_file_makes_a_restart_go_on(tmp_path: Path) -> None:
    state = ("--state", str(tmp_path / "state.json"), "--interval", "1h")
    with serving("-f", str(a_cluster_file(tmp_path, uncounted=False)), *state) as served:
        served.metrics_with('karpenter_check_memory_info{detail="object",source="nothing"} 1.0')
    with serving("-f", str(a_cluster_file(tmp_path, uncounted=True)), *state) as served:
        text = served.metrics_with('karpenter_check_memory_info{detail="object",source="state"} 1.0')

    assert 'karpenter_check_nodepool_daemonset_mismatches_total{nodepool="default"} 1.0' in text.splitlines()


def test_a_scan_that_fails_leaves_what_the_last_one_found(tmp_path: Path) -> None:
    with serving("-f", str(a_cluster_file(tmp_path, uncounted=True)), "--interval", "100ms") as served:
        mismatch = 'karpenter_check_findings{nodepool="default",rule="daemonset-nodepool-mismatch",severity="high"} 1.0'
        served.metrics_with(mismatch)
        (tmp_path / "cluster.json").unlink()
        text = served.metrics_with('karpenter_check_collector_success{kind="Node"} 0.0')
        assert mismatch in text.splitlines()
        assert served.ask("/healthz") == (200, "ok\n")

        a_cluster_file(tmp_path, uncounted=True)
        served.metrics_with('karpenter_check_collector_success{kind="Node"} 1.0')


def test_a_cluster_that_does_not_answer_is_asked_again(tmp_path: Path) -> None:
    nobody = f"http://127.0.0.1:{a_free_port()}"
    with Replay("healthy") as cluster:
        kubeconfig = cluster.kubeconfig(tmp_path, server=nobody)
        with serving("--kubeconfig", str(kubeconfig), "--interval", "100ms", "--timeout", "5s") as served:
            assert served.process.stderr
            assert "warning: no scan:" in served.process.stderr.readline()
            kubeconfig.write_text(kubeconfig.read_text().replace(nobody, cluster.url))
            served.metrics_with('karpenter_check_objects{kind="Pod"} 27.0')


@pytest.mark.parametrize(
    ("number", "code", "word"),
    [(signal.SIGTERM, 143, "terminated"), (signal.SIGINT, 130, "interrupted")],
    ids=["SIGTERM", "Ctrl-C"],
)
def test_a_signal_stops_it_cleanly(number: signal.Signals, code: int, word: str) -> None:
    with serving("--demo", "--interval", "1h") as served:
        served.metrics_with('karpenter_check_build_info{version="0.1.0"} 1.0')
        served.process.send_signal(number)
        printed, said = served.process.communicate(timeout=LONG)

    assert (served.process.returncode, printed, said.splitlines()[-1]) == (code, "", f"{word} while waiting for the next scan")


def test_what_is_scraped_pushed_and_written_is_the_same(tmp_path: Path) -> None:
    source = ("-f", str(a_cluster_file(tmp_path, uncounted=True)))
    with a_pushgateway(tmp_path) as gateway, serving(*source, "--interval", "1h") as served:
        scraped = served.metrics_with('karpenter_check_objects{kind="Pod"} 1.0')
        with a_prometheus(tmp_path, {"karpenter-check": f"http://127.0.0.1:{served.port}"}) as prometheus:
            prometheus.has_seen("karpenter_check_last_run_timestamp_seconds", times=1)
        written = tmp_path / "metrics.prom"
        arguments = ["scan", *source, "--fail-on", "none", "--push-gateway-url", gateway.url, "-o", f"prometheus={written}"]
        assert CliRunner().invoke(group, arguments).exit_code == 0
        pushed = {
            (name.removeprefix("karpenter_check_"), tuple(pair for pair in labels if pair[1])): value
            for (name, labels), value in gateway.group(cluster="prod").items()
            if name.removeprefix("karpenter_check_") not in OWN
        }

    assert series(scraped) == series(written.read_text()) == pushed


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--metrics-addr", "8080"), "Invalid value for '--metrics-addr': '8080' is no address (try :8080, 127.0.0.1:8080 or [::1]:8080)"),
        (("--metrics-addr", ":99999"), "Invalid value for '--metrics-addr': ':99999' is no address (try :8080, 127.0.0.1:8080 or [::1]:8080)"),
        (("--interval", "0s"), "Invalid value for '--interval': '0s' is not between 1ms and 24h"),
        (("-f", "-"), "serve reads its input again and again, and standard input can be read once"),
        (("-f", "no-such-file"), "no-such-file: no such file or directory; -f takes a file, a folder or - for standard input"),
        (("--demo", "-q", "-v"), "-q and -v exclude each other"),
        (("--demo", "--metrics-namespace", "a-b"), "Invalid value for '--metrics-namespace': 'a-b' is no name of a metric: letters, digits and underscores"),
        (("--demo", "--state", "no/such/state"), "Invalid value for '--state': there is no folder 'no/such'"),
    ],
)  # fmt: skip
def test_wrong_usage_is_told_and_ends_it(arguments: tuple[str, ...], said: str) -> None:
    result = CliRunner().invoke(group, ["serve", "--metrics-addr", "127.0.0.1:0", *arguments])

    assert (result.exit_code, result.stderr.splitlines()[-1]) == (2, f"Error: {said}")


def test_an_address_that_is_taken_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        result = CliRunner().invoke(group, ["serve", "--demo", "--metrics-addr", address])

    assert (result.exit_code, result.stderr.splitlines()[-1]) == (
        1,
        f"Error: --metrics-addr: cannot listen on {address}: address already in use",
    )
