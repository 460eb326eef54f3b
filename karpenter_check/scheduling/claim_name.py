"""Whose NodeClaim it was, of one that is gone: its name tells."""

from karpenter_check.snapshot import Snapshot

_RANDOM = 5
"""What the API server appends to `generateName` (k8s.io/apiserver/pkg/storage/names, v1.36)."""
_LONGEST_BASE = 58
"""What it keeps of a `generateName`."""


def nodepool_by_claim_name(snapshot: Snapshot, name: str) -> str:
    """The NodePool that a NodeClaim was made from (`provisioning/scheduling/nodeclaimtemplate.go`, 1.13); empty where none fits."""
    generated_from = name[:-_RANDOM]
    return next((pool for pool in snapshot.nodepools_by_name if f"{pool}-"[:_LONGEST_BASE] == generated_from), "")


def nodepool_of_claim(snapshot: Snapshot, name: str) -> str:
    """The NodePool of a NodeClaim, by its label or, where it is gone, by its name; empty where neither tells."""
    there = snapshot.nodeclaims_by_name.get(name)
    return there.nodepool if there else nodepool_by_claim_name(snapshot, name)
