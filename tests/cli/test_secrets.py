"""A secret that the cluster, the kubeconfig or the push holds is in no output, log, metric or error."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from karpenter_check.cli import group
from tests.collect.replay import RECORDINGS, Replay, Reply
from tests.metrics.pushgateway import a_pushgateway

CANARY = "c4n4ry-s3cr3t"


def poisoned(recording: str) -> dict[str, Any]:
    """The pods of a recording, each with the canary wherever secrets are found in pods."""
    listed: dict[str, Any] = json.loads(gzip.decompress((RECORDINGS / recording / "pods.json.gz").read_bytes()))
    for pod in listed["items"]:
        metadata, spec = pod["metadata"], pod["spec"]
        metadata.setdefault("annotations", {}).update({
            "kubectl.kubernetes.io/last-applied-configuration": json.dumps({"env": CANARY}), "example.com/token": CANARY,
        })  # fmt: skip
        metadata.setdefault("managedFields", []).append({"manager": "m", "fieldsV1": {"f:data": {f"f:{CANARY}": {}}}})
        for container in spec["containers"]:
            container.update(env=[{"name": "TOKEN", "value": CANARY}], args=[f"--token={CANARY}"], command=["sh", "-c", CANARY])
    return listed


def poisoned_deployments() -> dict[str, Any]:
    """Deployments with the canary in their environment, Karpenter's too."""
    container = {"image": "karpenter:1.13.0", "env": [{"name": "TOKEN", "value": CANARY}, {"name": "CLUSTER_NAME", "value": "c"}]}
    template = {"spec": {"containers": [container]}}
    labels = {"app.kubernetes.io/name": "karpenter"}
    metadata = [{"name": "karpenter", "namespace": "kube-system", "labels": labels}, {"name": "web", "namespace": "shop"}]
    items = [{"metadata": one, "spec": {"template": template}} for one in metadata]
    return {"kind": "DeploymentList", "apiVersion": "apps/v1", "metadata": {}, "items": items}


@pytest.fixture
def cluster() -> Iterator[Replay]:
    with Replay("faults") as running:
        running.answer("/api/v1/pods", Reply(200, json.dumps(poisoned("faults")).encode()))
        running.answer("/apis/apps/v1/deployments", Reply(200, json.dumps(poisoned_deployments()).encode()))
        yield running


def everything_said(result: Result, *files: Path) -> str:
    return result.output + result.stderr + "".join(file.read_text() for file in files if file.exists())


@pytest.mark.parametrize("form", ["table", "json", "jsonl", "prometheus"])
@pytest.mark.parametrize("log_format", ["text", "json"])
def test_no_output_holds_it(cluster: Replay, tmp_path: Path, form: str, log_format: str) -> None:
    kubeconfig = cluster.kubeconfig(tmp_path)
    kubeconfig.write_text(kubeconfig.read_text().replace("a-token", CANARY))
    password, out = tmp_path / "password", tmp_path / "out"
    password.write_text(CANARY)
    with a_pushgateway(tmp_path) as pushgateway:
        result = CliRunner().invoke(
            group,
            [
                "scan", "-v", "--kubeconfig", str(kubeconfig), "-o", f"{form}={out}", "--log-format", log_format,
                "--push-gateway-url", pushgateway.url, "--push-username", "u", "--push-password-file", str(password),
            ],
        )  # fmt: skip
        pushed = json.dumps(pushgateway.groups())
    log = (tmp_path / "pushgateway.log").read_text()

    assert result.exit_code == 10
    assert out.stat().st_size > 500
    assert CANARY not in everything_said(result, out) + pushed + log


def test_no_error_holds_it(tmp_path: Path) -> None:
    with Replay("healthy") as cluster:
        kubeconfig = cluster.kubeconfig(tmp_path)
        kubeconfig.write_text(kubeconfig.read_text().replace("a-token", CANARY))
        cluster.answer("/apis", Reply(401, b'{"kind":"Status","message":"Unauthorized"}'))
        refused = CliRunner().invoke(group, ["scan", "--kubeconfig", str(kubeconfig)])
    kubeconfig.write_text(f"users: [{{name: x, user: {{token: {CANARY}}}}}")
    broken = CliRunner().invoke(group, ["scan", "--kubeconfig", str(kubeconfig)])

    assert (refused.exit_code, broken.exit_code) == (1, 1)
    assert CANARY not in everything_said(refused) + everything_said(broken)


def test_a_failed_push_does_not_tell_it() -> None:
    environment = {"KARPENTER_CHECK_PUSH_USERNAME": "u", "KARPENTER_CHECK_PUSH_PASSWORD": CANARY}
    push = ["scan", "--demo", "-v", "--push-gateway-url", "http://127.0.0.1:9", "--push-timeout", "1s"]
    result = CliRunner().invoke(group, push, env=environment)

    assert "metrics were not pushed" in result.stderr
    assert CANARY not in everything_said(result)


def test_an_unreadable_object_does_not_tell_it(tmp_path: Path) -> None:
    pod = {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {"name": "x"},
        "spec": {"containers": [{"env": [{"name": "T", "value": CANARY}], "resources": CANARY}]},
    }
    (tmp_path / "list.json").write_text(json.dumps({"kind": "List", "apiVersion": "v1", "items": [pod]}))
    result = CliRunner().invoke(group, ["scan", "-f", str(tmp_path), "-v", "-o", "json"])

    assert CANARY not in everything_said(result)
