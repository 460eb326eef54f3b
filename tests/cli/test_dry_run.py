"""`karpenter-check scan --dry-run`, and what a scan says of clusters that it cannot use, against replayed ones."""

import os
import ssl
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from socket import create_server

import msgspec
import pytest
import trustme
from click.testing import CliRunner, Result

from karpenter_check.cli import group
from tests.collect.replay import LISTS, Replay, Reply, an_error, forbidden
from tests.metrics.pushgateway import a_pushgateway

PODS = "/api/v1/pods"


@pytest.fixture(autouse=True)
def _no_cluster_but_ours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture
def cluster() -> Iterator[Replay]:
    with Replay("healthy") as replay:
        yield replay


def scan(*arguments: str) -> Result:
    return CliRunner().invoke(group, ["scan", *arguments], env={"COLUMNS": None})


def of(cluster: Replay, folder: Path) -> tuple[str, str]:
    return "--kubeconfig", str(cluster.kubeconfig(folder))


def without_karpenter(cluster: Replay) -> None:
    cluster.answer("/apis", Reply(200, msgspec.json.encode({"kind": "APIGroupList", "groups": []})))


GOOD = """\
ok  NodePool                  karpenter.sh/v1 nodepools
ok  NodeClaim                 karpenter.sh/v1 nodeclaims
ok  NodeClass                 karpenter.kwok.sh/v1alpha1 kwoknodeclasses
ok  Node                      v1 nodes
ok  DaemonSet                 apps/v1 daemonsets
ok  Pod                       v1 pods
ok  ReplicaSet                apps/v1 replicasets
ok  Deployment                apps/v1 deployments
ok  StatefulSet               apps/v1 statefulsets
ok  PodDisruptionBudget       policy/v1 poddisruptionbudgets
ok  Event                     v1 events
ok  StorageClass              storage.k8s.io/v1 storageclasses
ok  PersistentVolume          v1 persistentvolumes
ok  PersistentVolumeClaim     v1 persistentvolumeclaims
ok  VolumeAttachment          storage.k8s.io/v1 volumeattachments
--  Lease                     optional; not-collected: no Deployment is labelled as Karpenter's, and kube-system has no lease karpenter-leader-election
ok  CustomResourceDefinition  apiextensions.k8s.io/v1 nodepools.karpenter.sh, apiextensions.k8s.io/v1 nodeclaims.karpenter.sh, apiextensions.k8s.io/v1 kwoknodeclasses.karpenter.kwok.sh
"""


def test_a_dry_run_says_what_can_be_read_and_judges_nothing(cluster: Replay, tmp_path: Path) -> None:
    result = scan("--dry-run", "--strict", *of(cluster, tmp_path))

    assert result.stdout == f"cluster recorded at {cluster.url}, Kubernetes v1.36.2; nothing is judged\n{GOOD}"
    assert (result.exit_code, result.stderr) == (0, "")


@pytest.mark.parametrize(("strict", "code"), [((), 0), (("--strict",), 4)])
def test_a_dry_run_says_which_permission_is_missing(strict: tuple[str, ...], code: int, cluster: Replay, tmp_path: Path) -> None:
    cluster.answer(PODS, forbidden(PODS, "pods"))

    result = scan("--dry-run", *strict, *of(cluster, tmp_path))

    line = (
        'NO  Pod                       forbidden: v1 pods: User "jane" cannot list resource "pods" in API group "" at the cluster scope; '
        'grant {apiGroups: [""], resources: [pods], verbs: [list]}'
    )
    assert result.stdout.splitlines()[1:] == GOOD.replace("ok  Pod                       v1 pods", line).splitlines()
    assert result.exit_code == code


def test_a_dry_run_without_karpenter_exits_3(cluster: Replay, tmp_path: Path) -> None:
    without_karpenter(cluster)

    result = scan("--dry-run", *of(cluster, tmp_path))

    assert result.stdout.splitlines()[1:3] == [
        "NO  NodePool                  absent: the server does not serve karpenter.sh",
        "NO  NodeClaim                 absent: the server does not serve karpenter.sh",
    ]
    assert (result.exit_code, result.stderr) == (
        3,
        "Error: the server does not serve karpenter.sh; karpenter-check judges karpenter.sh/v1 and v1beta1\n",
    )


def test_a_dry_run_that_may_list_nothing_exits_1(cluster: Replay, tmp_path: Path) -> None:
    cluster.may_list_nothing()

    result = scan("--dry-run", *of(cluster, tmp_path))

    assert result.exit_code == 1
    assert {line[:2] for line in result.stdout.splitlines()[1:12]} == {"NO"}
    assert result.stderr.startswith("Error: nothing may be listed; a ClusterRole has to grant {")


@pytest.mark.parametrize("other", ["--demo", "-f-"])
def test_a_dry_run_is_of_a_cluster(other: str) -> None:
    result = scan("--dry-run", other)

    assert result.exit_code == 2
    assert result.stderr.endswith("Error: --dry-run is for a live cluster; -f and --demo read none\n")


def test_a_dry_run_says_that_the_push_target_answers(cluster: Replay, tmp_path: Path) -> None:
    with a_pushgateway(tmp_path) as pushgateway:
        result = scan("--dry-run", "--push-required", "--push-gateway-url", pushgateway.url, *of(cluster, tmp_path))
        pushed = pushgateway.groups()

    assert (result.exit_code, pushed) == (0, [])
    assert result.stdout.splitlines()[-1] == f"ok  push target               {pushgateway.url} answers"


@pytest.mark.parametrize(("required", "code"), [([], 0), (["--push-required"], 5)])
def test_a_dry_run_says_that_the_push_target_is_dead(required: list[str], code: int, cluster: Replay, tmp_path: Path) -> None:
    push = ["--push-gateway-url", "http://127.0.0.1:9", "--push-timeout", "1s"]

    result = scan("--dry-run", *push, *required, *of(cluster, tmp_path))

    assert result.exit_code == code
    assert result.stdout.splitlines()[-1] == (
        "NO  push target               the Pushgateway at http://127.0.0.1:9 cannot be reached: connection refused"
    )


def test_as_and_as_group_reach_the_server(cluster: Replay, tmp_path: Path) -> None:
    result = scan("--dry-run", "--as", "jane", "--as-group", "dev", "--as-group", "ops", *of(cluster, tmp_path))

    assert result.exit_code == 0
    assert {request.headers["impersonate-user"] for request in cluster.requests} == {"jane"}
    assert {tuple(request.headers.get_all("impersonate-group", [])) for request in cluster.requests} == {("dev", "ops")}


def refused(result: Result) -> tuple[int, str]:
    assert result.stdout == ""
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert result.stderr.count("\n") == 1
    return result.exit_code, result.stderr.removeprefix("Error: ").rstrip("\n")


def test_no_kubeconfig() -> None:
    assert refused(scan()) == (
        1,
        (
            "no cluster to scan: no kubeconfig (--kubeconfig, KUBECONFIG, ~/.kube/config) and this is no pod; "
            "give a kubeconfig, or scan files with -f"
        ),
    )


def test_an_unknown_context(cluster: Replay, tmp_path: Path) -> None:
    assert refused(scan("--context", "prod", *of(cluster, tmp_path))) == (
        1,
        f"kubeconfig {tmp_path}/kubeconfig: no context 'prod'; choose one with --context: replay",
    )


def test_a_refused_connection(cluster: Replay, tmp_path: Path) -> None:
    with create_server(("127.0.0.1", 0)) as closed:
        host = f"http://127.0.0.1:{closed.getsockname()[1]}"

    assert refused(scan("--kubeconfig", str(cluster.kubeconfig(tmp_path, server=host)))) == (
        1,
        f"{host} does not answer: connection refused; check the network, or the context",
    )


def test_an_unknown_host(cluster: Replay, tmp_path: Path) -> None:
    assert refused(scan("--kubeconfig", str(cluster.kubeconfig(tmp_path, server="https://blue.invalid")))) == (
        1,
        "https://blue.invalid does not answer: its name cannot be resolved; check the network, or the context",
    )


@pytest.mark.parametrize(
    ("expired", "trusted", "reason"),
    [(False, False, "unable to get local issuer certificate"), (True, True, "certificate has expired")],
    ids=["a wrong CA", "an expired certificate"],
)
def test_a_server_that_cannot_be_trusted(expired: bool, trusted: bool, reason: str, tmp_path: Path) -> None:  # noqa: FBT001  pytest parameters
    ca = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1", not_after=datetime(2001, 1, 1, tzinfo=UTC) if expired else None).configure_cert(tls)
    (ca if trusted else trustme.CA()).cert_pem.write_to_path(str(tmp_path / "ca.crt"))

    with Replay("healthy", tls=tls) as cluster:
        kubeconfig = cluster.kubeconfig(tmp_path, cluster={"certificate-authority": "ca.crt"})
        result = scan("--kubeconfig", str(kubeconfig))

    assert refused(result) == (
        1,
        f"{cluster.url} does not answer: no trusted TLS connection ({reason}); check certificate-authority and server in the kubeconfig",
    )


def test_a_server_that_is_no_kubernetes(cluster: Replay, tmp_path: Path) -> None:
    cluster.answer_always("/apis", Reply(200, b"<html>welcome</html>"))

    assert refused(scan(*of(cluster, tmp_path))) == (
        1,
        f"{cluster.url} is no Kubernetes API server: GET /apis gave no list of API groups",
    )


def test_credentials_that_do_not_count(cluster: Replay, tmp_path: Path) -> None:
    cluster.answer("/apis", an_error("401"))

    assert refused(scan(*of(cluster, tmp_path))) == (
        1,
        (
            f"{cluster.url} refuses GET /apis: HTTP 401: Unauthorized; "
            "the token of user 'reader' in the kubeconfig may have expired: log in again"
        ),
    )


def test_a_cluster_without_karpenter(cluster: Replay, tmp_path: Path) -> None:
    without_karpenter(cluster)

    assert refused(scan(*of(cluster, tmp_path))) == (
        3,
        "the server does not serve karpenter.sh; karpenter-check judges karpenter.sh/v1 and v1beta1",
    )
    assert cluster.paths() == ["/apis", "/version"]


def test_no_permission_at_all(cluster: Replay, tmp_path: Path) -> None:
    cluster.may_list_nothing()

    assert refused(scan(*of(cluster, tmp_path))) == (
        1,
        (
            "nothing may be listed; a ClusterRole has to grant "
            '{apiGroups: ["karpenter.sh"], resources: [nodepools, nodeclaims], verbs: [list]}, '
            '{apiGroups: [""], resources: [nodes, pods, events], verbs: [list]}, '
            '{apiGroups: ["apps"], resources: [daemonsets, replicasets, deployments, statefulsets], verbs: [list]}, '
            '{apiGroups: ["policy"], resources: [poddisruptionbudgets], verbs: [list]} to User "jane"'
        ),
    )


def test_an_empty_cluster_has_no_findings(cluster: Replay, tmp_path: Path) -> None:
    for path in LISTS:
        cluster.answer_always(path, Reply(200, b'{"metadata":{},"items":[]}'))

    result = scan("-o", "json", "--strict", *of(cluster, tmp_path))

    report = msgspec.json.decode(result.stdout)
    seen = {(known["status"], known["count"]) for kind, known in report["coverage"].items() if kind != "Lease"}
    assert (report["findings"], seen) == ([], {("complete", 0)})
    assert (result.exit_code, result.stderr) == (0, "")


def test_a_plugin_that_fails_is_one_line_of_a_real_process(cluster: Replay, tmp_path: Path) -> None:
    plugin = tmp_path / "plugin"
    plugin.write_text("#!/bin/sh\necho 'token=S3cret'\necho 'no login' >&2\nexit 3\n")
    plugin.chmod(0o755)
    user = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "./plugin"}}
    kubeconfig = cluster.kubeconfig(tmp_path, user=user)

    process = subprocess.run(
        [sys.executable, "-m", "karpenter_check", "scan", "--kubeconfig", str(kubeconfig)],
        capture_output=True, check=False, text=True, env=dict(os.environ),
    )  # fmt: skip

    said = "Error: exec plugin './plugin' failed with exit code 3; run it by hand to see what it says, or log in again\n"
    assert (process.returncode, process.stdout, process.stderr) == (1, "", said)
