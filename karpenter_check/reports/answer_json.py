"""What the JSON of every answer begins with."""

from typing import Any

from karpenter_check.snapshot import NO_TIME, Snapshot


def run_of(snapshot: Snapshot, version: str) -> dict[str, Any]:
    """What was looked at, by which version of this tool."""
    return {
        "takenAt": None if snapshot.taken_at == NO_TIME else snapshot.taken_at,
        "cluster": snapshot.cluster,
        "karpenterVersion": str(snapshot.karpenter_version or ""),
        "kubernetesVersion": snapshot.kubernetes_version,
        "version": version,
    }
