"""What kubectl prints of a cluster gives the same findings as a live scan of it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from tests.collect.replay import Replay

KINDS = "nodes,pods,ds,rs,deploy,sts,pdb,events,nodepools,nodeclaims,kwoknodeclasses,pvc,pv,sc,volumeattachments"


def run(*command: str, home: Path, input: bytes | None = None) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(command, input=input, capture_output=True, check=False, env={**os.environ, "HOME": str(home)})


def fingerprints(lines: bytes) -> list[str]:
    return [finding["fingerprint"] for line in lines.splitlines() if (finding := msgspec.json.decode(line))["type"] == "finding"]


@pytest.fixture
def kubectl() -> str:
    found = shutil.which("kubectl")
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("CI runs this test, and its machine has no kubectl")
        pytest.skip("kubectl is not installed")
    return found


@pytest.mark.parametrize("recording", ["faults", "runaway", "healthy"])
def test_what_kubectl_prints_gives_the_findings_of_a_live_scan(recording: str, kubectl: str, tmp_path: Path) -> None:
    scan = (sys.executable, "-m", "karpenter_check", "scan", "--fail-on", "none", "-o", "jsonl")
    at = (Path(__file__).parent.parent / "recordings" / recording / "taken-at").read_text().strip()
    with Replay(recording) as cluster:
        kubeconfig = ("--kubeconfig", str(cluster.kubeconfig(tmp_path)))
        live = run(*scan, *kubeconfig, home=tmp_path)
        printed = run(kubectl, *kubeconfig, "get", KINDS, "-A", "-o", "json", "--show-managed-fields", home=tmp_path)
    piped = run(*scan, "-f", "-", "--complete", "--at", at, home=tmp_path, input=printed.stdout)

    assert (live.returncode, printed.returncode, piped.returncode) == (0, 0, 0), (live.stderr, printed.stderr, piped.stderr)
    assert fingerprints(piped.stdout) == fingerprints(live.stdout)
    assert (recording == "healthy") == (fingerprints(live.stdout) == [])
