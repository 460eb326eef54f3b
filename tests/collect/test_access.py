import gzip
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from karpenter_check import __version__
from karpenter_check.collect.access import connect
from karpenter_check.collect.refusal import CannotScan
from tests.collect.replay import Replay, Reply


class Names(NamedTuple):
    """How a kubeconfig names things."""

    context: str
    cluster: str
    host: str


def write_kubeconfig(path: Path, *entries: Names, current: str = "") -> Path:
    lines = ["apiVersion: v1", "kind: Config", *([f"current-context: {current}"] if current else []), "contexts:"]
    lines += [f"- {{name: {entry.context}, context: {{cluster: {entry.cluster}}}}}" for entry in entries] or ["  []"]
    lines += ["clusters:", *[f"- {{name: {entry.cluster}, cluster: {{server: '{entry.host}'}}}}" for entry in entries]]
    path.write_text("\n".join(lines))
    return path


BLUE = Names("blue-admin", "blue", "https://blue.invalid:6443")
GREEN = Names("green-admin", "green", "https://green.invalid:6443")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without a kubeconfig, outside of any pod."""
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("USERPROFILE", str(folder))
    return folder


def refusal(kubeconfig: Path | None = None, context: str | None = None) -> str:
    with pytest.raises(CannotScan) as refused:
        connect(kubeconfig, context)
    return str(refused.value)


def silence(kubeconfig: Path, *, request_timeout: float = 5) -> str:
    """Why a server does not answer."""
    api = connect(kubeconfig, request_timeout=request_timeout)
    with pytest.raises(CannotScan) as refused:
        api.get("/apis")
    return str(refused.value)


def test_the_current_context_tells_server_and_cluster_name(tmp_path: Path) -> None:
    api = connect(write_kubeconfig(tmp_path / "config", BLUE, GREEN, current="green-admin"))
    assert (api.cluster, api.host) == ("green", "https://green.invalid:6443")


def test_a_context_that_is_asked_for_wins_over_the_current_one(tmp_path: Path) -> None:
    api = connect(write_kubeconfig(tmp_path / "config", BLUE, GREEN, current="green-admin"), "blue-admin")
    assert (api.cluster, api.host) == ("blue", "https://blue.invalid:6443")


def test_a_context_can_be_asked_for_where_none_is_current(tmp_path: Path) -> None:
    assert connect(write_kubeconfig(tmp_path / "config", BLUE), "blue-admin").cluster == "blue"


def test_the_kubeconfig_of_the_home_folder_is_found(home: Path) -> None:
    (home / ".kube").mkdir()
    write_kubeconfig(home / ".kube" / "config", BLUE, current="blue-admin")
    assert connect().cluster == "blue"


def test_kubeconfig_names_several_files_and_the_first_current_context_counts_as_for_kubectl(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [
        tmp_path / "missing",
        write_kubeconfig(tmp_path / "one", BLUE, current="blue-admin"),
        write_kubeconfig(tmp_path / "two", GREEN, current="green-admin"),
    ]
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join(map(str, files)))
    assert connect().cluster == "blue"
    assert connect(context="green-admin").host == "https://green.invalid:6443"


def test_an_unknown_context_is_refused_with_those_that_there_are(tmp_path: Path) -> None:
    path = write_kubeconfig(tmp_path / "config", BLUE, GREEN, current="green-admin")
    assert refusal(path, "red") == f"kubeconfig {path}: no context 'red'; choose one with --context: blue-admin, green-admin"


def test_without_a_current_context_one_has_to_be_chosen(tmp_path: Path) -> None:
    path = write_kubeconfig(tmp_path / "config", BLUE, GREEN)
    assert refusal(path) == f"kubeconfig {path}: no current-context; choose one with --context: blue-admin, green-admin"


def test_a_kubeconfig_that_is_asked_for_has_to_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = tmp_path / "missing"
    assert refusal(missing) == f"kubeconfig {missing}: no such file"
    monkeypatch.setenv("KUBECONFIG", str(missing))
    assert refusal() == f"KUBECONFIG={missing}: no such file; set it to a kubeconfig, or unset it"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "is empty"),
        ("contexts: [", "is not YAML (line 1, column 12)"),
        ("- a list", "does not have the shape of a kubeconfig; see kubectl config view"),
        ("current-context: blue", "no context 'blue'; it has none"),
        (
            "{current-context: a, contexts: [{name: a, context: {cluster: b}}]}",
            "its context names cluster 'b', and there is no such cluster",
        ),
        (
            "{current-context: a, contexts: [{name: a, context: {cluster: b}}], clusters: [{name: b, cluster: {x: y}}]}",
            "cluster 'b' names no server",
        ),
    ],
)
def test_a_broken_kubeconfig_is_refused_in_one_line(tmp_path: Path, content: str, complaint: str) -> None:
    path = tmp_path / "config"
    path.write_text(content)
    message = refusal(path)
    assert message.startswith(f"kubeconfig {path}: {complaint.format(path=path)}")
    assert "\n" not in message


def test_outside_of_a_pod_and_without_a_kubeconfig_there_is_no_cluster_to_scan() -> None:
    assert refusal() == (
        "no cluster to scan: no kubeconfig (--kubeconfig, KUBECONFIG, ~/.kube/config) and this is no pod; "
        "give a kubeconfig, or scan files with -f"
    )
    assert refusal(context="blue") == "no kubeconfig, so no context 'blue'; give --kubeconfig, or set KUBECONFIG"


def test_a_pod_without_a_service_account_token_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    assert refusal() == (
        "no kubeconfig, and this pod's service account cannot be used: "
        "there is no /var/run/secrets/kubernetes.io/serviceaccount/token; "
        "the pod needs a serviceAccountName, and automountServiceAccountToken not false"
    )


def test_a_request_carries_the_token_and_says_who_asks(tmp_path: Path) -> None:
    with Replay("healthy") as replay:
        answer = connect(replay.kubeconfig(tmp_path)).get("/api/v1/pods", {"limit": "2", "continue": "MQ=="})
    (request,) = replay.requests
    assert (answer.status, answer.headers["date"]) == (200, replay.date)
    assert (request.method, request.path, request.query) == ("GET", "/api/v1/pods", {"limit": "2", "continue": "MQ=="})
    assert request.headers["authorization"] == "Bearer a-token"
    assert request.headers["user-agent"] == f"karpenter-check/{__version__}"


def test_a_compressed_answer_is_unpacked(tmp_path: Path) -> None:
    with Replay("healthy") as replay:
        replay.answer("/version", Reply(200, gzip.compress(b"{}"), {"Content-Encoding": "gzip"}))
        assert connect(replay.kubeconfig(tmp_path)).get("/version").body == b"{}"


def test_a_redirect_is_an_answer_and_is_not_followed(tmp_path: Path) -> None:
    with Replay("healthy") as replay:
        replay.answer("/version", Reply(302, b"", {"Location": "/apis"}))
        assert connect(replay.kubeconfig(tmp_path)).get("/version").complaint == "HTTP 302"
    assert replay.paths() == ["/version"]


def test_a_server_that_is_down_is_named(tmp_path: Path) -> None:
    with Replay("healthy") as replay:
        kubeconfig = replay.kubeconfig(tmp_path)
    message = f"http://127.0.0.1:{replay.port} does not answer: connection refused; check the network, or the context"
    assert silence(kubeconfig) == message


def test_a_server_without_an_address_is_named(tmp_path: Path) -> None:
    kubeconfig = write_kubeconfig(tmp_path / "config", BLUE, current="blue-admin")
    assert silence(kubeconfig) == (
        "https://blue.invalid:6443 does not answer: its name cannot be resolved; check the network, or the context"
    )


def test_a_server_without_tls_behind_an_https_address_is_named(tmp_path: Path) -> None:
    with Replay("healthy") as replay:
        message = silence(replay.kubeconfig(tmp_path, server=f"https://127.0.0.1:{replay.port}"))
    assert message.startswith(f"https://127.0.0.1:{replay.port} does not answer: no trusted TLS connection (")


def test_a_server_that_says_nothing_is_waited_for_only_so_long(tmp_path: Path) -> None:
    with Replay("healthy") as replay, socket.create_server(("127.0.0.1", 0)) as mute:
        host = f"http://127.0.0.1:{mute.getsockname()[1]}"
        message = silence(replay.kubeconfig(tmp_path, server=host), request_timeout=0.1)
    assert (
        message
        == f"{host} does not answer: no whole answer came within 0.1 s; check the network, or raise --request-timeout (asked 2 times)"
    )


def test_the_kubernetes_client_is_not_imported_before_it_is_needed() -> None:
    question = "import sys, karpenter_check.collect.live, karpenter_check.collect.access; print({'kubernetes', 'urllib3'} & {*sys.modules})"
    answer = subprocess.run([sys.executable, "-c", question], capture_output=True, check=True)
    assert answer.stdout == b"set()\n"
