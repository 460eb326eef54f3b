"""Counters against a real Karpenter: nodes that expire under a scan's eyes."""

import re
from pathlib import Path
from time import monotonic

from tests.e2e.cluster import Cluster
from tests.e2e.scans import Scans, scan
from tests.e2e.stage import Stage

_WATCH = 200
"""Seconds, in which nodes that live for a minute die and come again."""


def test_every_death_counts_once_by_what_ended_it(cluster: Cluster, tmp_path: Path) -> None:
    stage = Stage("counted", cluster, Scans(cluster.kubeconfig, tmp_path))  # none are made: this test makes its own
    deaths(cluster, tmp_path)
    stage.nodepool(expireAfter="1m")
    stage.deployment("web", cpu="300m")
    stage.running("web")
    lived, counted, staying = set[str](), dict[str, float](), {""}
    end = monotonic() + _WATCH
    while monotonic() < end or staying != alive(stage):
        staying = alive(stage)
        lived |= staying
        counted = deaths(cluster, tmp_path)

    assert sum(counted.values()) == len(lived - staying), (counted, lived, staying)
    assert counted["expired"] >= 2
    assert counted["interrupted"] == 0


def alive(stage: Stage) -> set[str]:
    """The names of the NodeClaims that have a node and are not being deleted."""
    claims = [claim for claim in stage.nodeclaims() if claim.get("status", {}).get("nodeName")]
    return {claim["metadata"]["name"] for claim in claims if "deletionTimestamp" not in claim["metadata"]}


def deaths(cluster: Cluster, folder: Path) -> dict[str, float]:
    """One scan, and how many nodes of the NodePool have died by now, by reason."""
    done = scan(cluster.kubeconfig, "--state", str(folder / "state.json"), "-o", "prometheus", home=folder)
    assert done.returncode == 0, done.stderr.decode()
    series = r'^karpenter_check_nodepool_node_deaths_total\{nodepool="counted",reason="(\w+)"\} (\S+)$'
    return {reason: float(value) for reason, value in re.findall(series, done.stdout.decode(), re.MULTILINE)}
