"""How far a NodeClaim has come on its way to a node for pods: launched, registered, initialized.

Source: `controllers/nodeclaim/lifecycle` (1.13, 1.14).
"""

from datetime import datetime

from karpenter_check.snapshot import NodeClaim, Ref
from karpenter_check.snapshot.clip import clip

AWAITS = "AwaitingReconciliation"
"""The reason of a condition that Karpenter has not come to yet."""


def nodeclaim_ref(claim: NodeClaim) -> Ref:
    """The reference of a NodeClaim."""
    return Ref("NodeClaim", claim.name, "karpenter.sh/v1")


def owner_of_nodeclaim(claim: NodeClaim) -> Ref:
    """Its NodePool; of a NodeClaim that somebody made by hand, itself."""
    return Ref("NodePool", claim.nodepool, "karpenter.sh/v1") if claim.nodepool else nodeclaim_ref(claim)


def reason_of(claim: NodeClaim, condition_type: str) -> str:
    """The reason of a condition that is not True; empty where it is not there."""
    condition = claim.condition(condition_type)
    return condition.reason if condition else ""


def said_of(claim: NodeClaim, condition_type: str) -> str:
    """A condition in Karpenter's own words: `Registered is Unknown: NodeNotFound, "Node not registered with cluster"`."""
    condition = claim.condition(condition_type)
    if condition is None:
        return f"it has no condition {condition_type}"
    why = ", ".join(
        [*([clip(condition.reason)] if condition.reason else []), *([f'"{clip(condition.message)}"'] if condition.message else [])]
    )
    return f"{condition_type} is {condition.status}" + (f": {why}" if why else "")


def became(claim: NodeClaim, condition_type: str) -> datetime | None:
    """Since when a condition has its status; without one, since when the NodeClaim is there."""
    condition = claim.condition(condition_type)
    return (condition and condition.last_transition_time) or claim.metadata.creation_timestamp
