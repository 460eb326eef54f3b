"""What ended nodes: the ways in which Karpenter, its cloud or somebody takes them away, told apart.

Karpenter tells a graceful disruption by the NodeClaim's DisruptionReason (1.2 and later) and by an event; an interruption by events alone;
of an expiry it tells nothing (`nodeclaim/expiration/controller.go`, 1.0 to 1.14), so that it is inferred from the times.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from karpenter_check.disruption.expiry import INTERRUPTIONS, died_of_expiry, time_to_live
from karpenter_check.scheduling.claim_name import nodepool_by_claim_name
from karpenter_check.snapshot import NodeClaim, Snapshot
from karpenter_check.snapshot.event import by_karpenter
from karpenter_check.snapshot.once import once


class DeathReason(StrEnum):
    """What ended a node."""

    EXPIRED = "expired"
    CONSOLIDATED = "consolidated"
    DRIFTED = "drifted"
    INTERRUPTED = "interrupted"
    UNKNOWN = "unknown"
    """By hand, by repair, or by what left no trace."""


@dataclass(frozen=True)
class Death:
    """A NodeClaim that had a node and is on its way out, or gone."""

    uid: str
    nodeclaim: str
    node: str
    """Empty where nothing tells it any more."""
    nodepool: str
    reason: DeathReason
    at: datetime
    """When its end began."""
    had_time_to_live: bool
    """Whether it would have expired some day."""


def _word(said: str) -> DeathReason:
    """What Karpenter calls a graceful disruption: Drifted, Empty, Underutilized, and longer words in v1beta1."""
    lower = said.lower()
    if "expir" in lower:
        return DeathReason.EXPIRED
    if "drift" in lower:
        return DeathReason.DRIFTED
    graceful = ("empty", "emptiness", "underutilized", "consolidat")
    return DeathReason.CONSOLIDATED if any(word in lower for word in graceful) else DeathReason.UNKNOWN


@once
def said_of_ends(snapshot: Snapshot) -> Mapping[str, tuple[DeathReason, datetime]]:
    """What events say ended each node, and when that began; the first word counts.

    By the UID of its NodeClaim, `NodeClaim/` and its name, and `Node/` and the node's name: Karpenter says it of both.
    """
    found: dict[str, tuple[DeathReason, datetime]] = {}
    for reason in ("DisruptionTerminating", *INTERRUPTIONS):
        for event in snapshot.events_by_reason.get(reason, ()):
            about, first = event.involved_object, event.first_seen
            if about.kind not in {"NodeClaim", "Node"} or first is None or not by_karpenter(event):
                continue
            word = _word(event.message) if reason == "DisruptionTerminating" else DeathReason.INTERRUPTED
            for key in (about.uid, f"{about.kind}/{about.name}"):
                if key and (key not in found or first < found[key][1]):
                    found[key] = (word, first)
    return found


def _reason(snapshot: Snapshot, claim: NodeClaim) -> DeathReason:
    """What ends a NodeClaim that is being deleted."""
    disrupted = claim.condition("DisruptionReason")
    if disrupted and disrupted.status == "True":
        return _word(disrupted.reason)
    if died_of_expiry(snapshot, claim):
        return DeathReason.EXPIRED
    said = said_of_ends(snapshot)
    return said.get(claim.metadata.uid, said.get(f"NodeClaim/{claim.name}", (DeathReason.UNKNOWN,)))[0]


def _there(snapshot: Snapshot) -> Iterator[Death]:
    for claim in snapshot.nodeclaims:
        deleted = claim.metadata.deletion_timestamp
        if deleted and (claim.status.node_name or claim.is_true("Registered")):
            lives = time_to_live(snapshot, claim) is not None
            reason = _reason(snapshot, claim)
            yield Death(claim.metadata.uid, claim.name, claim.status.node_name, claim.nodepool, reason, deleted, lives)


@once
def _interrupted_or_disrupted(snapshot: Snapshot) -> Mapping[str, Death]:
    """The NodeClaims that are gone and of whose end events tell, by UID: only nodes are disrupted and interrupted."""
    found = {}
    for reason in ("DisruptionTerminating", "TerminatingOnInterruption"):
        for event in snapshot.events_by_reason.get(reason, ()):
            about, first = event.involved_object, event.first_seen
            if about.kind == "NodeClaim" and about.uid and first and about.name not in snapshot.nodeclaims_by_name:
                word, began = said_of_ends(snapshot).get(about.uid, (DeathReason.UNKNOWN, first))
                nodepool = nodepool_by_claim_name(snapshot, about.name)
                pool = snapshot.nodepools_by_name.get(nodepool)
                lives = bool(pool and pool.spec.template.spec.expire_after not in {"", "Never"})
                found[about.uid] = Death(about.uid, about.name, "", nodepool, word, began, lives)
    return found


def deaths(snapshot: Snapshot) -> tuple[Death, ...]:
    """The nodes whose NodeClaim is being deleted, and those that are gone and of whose end events still tell."""
    return (*_there(snapshot), *_interrupted_or_disrupted(snapshot).values())
