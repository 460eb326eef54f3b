"""What a reader is told of an API server that had to be asked again."""

from pathlib import Path

from click.testing import CliRunner

from karpenter_check.cli import group
from tests.collect.replay import Replay, Reply


def test_who_wants_details_is_told_how_often_the_server_was_asked_again(tmp_path: Path) -> None:
    with Replay("healthy") as cluster:
        cluster.answer("/api/v1/pods", Reply(503, b""))
        cluster.answer("/api/v1/nodes", Reply(429, b"", {"Retry-After": "0"}))
        kubeconfig = str(cluster.kubeconfig(tmp_path))
        told, untold = (
            CliRunner().invoke(group, ["scan", "--kubeconfig", kubeconfig, *options]).stderr for options in (["-v"], [])
        )

    assert "karpenter-check: the API server had bad moments; requests made again: 2\n" in told
    assert "bad moments" not in untold
