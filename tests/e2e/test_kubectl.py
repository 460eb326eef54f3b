"""What kubectl prints of a real cluster gives the findings of a live scan of it."""

import os
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import Future, wait
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.e2e.cluster import Cluster
from tests.e2e.outcome import Outcome
from tests.e2e.scans import scan, told

KINDS = "nodes,pods,ds,rs,deploy,sts,pdb,events,nodepools,nodeclaims,kwoknodeclasses,ec2nodeclasses,pvc,pv,sc,volumeattachments"

Fingerprints = set[tuple[str, str]]
"""Rule and fingerprint of each finding."""


def test_what_kubectl_prints_gives_the_findings_of_a_live_scan(
    outcomes: Mapping[str, "Future[Outcome]"], cluster: Cluster, tmp_path: Path
) -> None:
    if not outcomes:
        pytest.skip("no scenario was selected, so that there is nothing to find")
    wait(outcomes.values())

    for _ in range(10):  # the cluster moves; what two scans agree on did not while kubectl looked
        before, printed, after = _live(cluster, tmp_path), _printed(cluster, tmp_path), _live(cluster, tmp_path)
        if before == after:
            break

    assert before == after, "the cluster never stood still"
    assert printed == before
    assert before != set()


def _live(cluster: Cluster, home: Path) -> Fingerprints:
    done = scan(cluster.kubeconfig, "--strict", "-o", "json", home=home)
    assert done.returncode == 0, done.stderr
    return {(one.rule, one.fingerprint) for one in told(done.stdout)}


def _printed(cluster: Cluster, home: Path) -> Fingerprints:
    dump = cluster.kubectl("get", KINDS, "-A", "-o", "json", "--show-managed-fields")
    # in a cluster that stands still the newest time is an old one
    at = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"  # noqa: TID251  the server's clock is this machine's
    command = (
        sys.executable,
        "-m",
        "karpenter_check",
        "scan",
        "-f",
        "-",
        "--complete",
        "--at",
        at,
        "--fail-on",
        "none",
        "-o",
        "json",
    )
    piped = subprocess.run(command, input=dump.encode(), capture_output=True, check=False, env={**os.environ, "HOME": str(home)})
    assert piped.returncode == 0, piped.stderr
    return {(one.rule, one.fingerprint) for one in told(piped.stdout)}
