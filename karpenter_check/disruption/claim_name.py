"""Which NodePool made a NodeClaim of which only the name is left."""

import re

from karpenter_check.snapshot import Snapshot

_NAME = re.compile(r"(?P<nodepool>.+)-[a-z0-9]{5}")
"""`generateName` of a NodeClaim (`provisioning/scheduling/nodeclaimtemplate.go:ToNodeClaim`, 1.13)."""


def nodepool_of_claim(snapshot: Snapshot, claim: str) -> str:
    """The NodePool of a NodeClaim, by its label or, where it is gone, by its name; empty where that is no name of Karpenter's."""
    there = snapshot.nodeclaims_by_name.get(claim)
    if there:
        return there.nodepool
    form = _NAME.fullmatch(claim)
    return form["nodepool"] if form else ""
