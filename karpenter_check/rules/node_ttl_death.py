"""The second founding problem: nodes that die of their TTL, of which Karpenter says nothing."""

import shlex
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from karpenter_check.disruption.drain import Held
from karpenter_check.disruption.expiry import died_of_expiry
from karpenter_check.disruption.hold import LATE, Firm, hold
from karpenter_check.disruption.remedies import by_hand
from karpenter_check.disruption.termination import Termination, termination
from karpenter_check.finding import (
    Blame,
    Confidence,
    Evidence,
    Finding,
    Fix,
    Impact,
    Occurrence,
    Ref,
    Severity,
    earliest,
    verification,
)
from karpenter_check.rule import Stage, rule
from karpenter_check.scheduling.nomination import node_ref, nominations, pod_ref
from karpenter_check.snapshot import Kind, NodeClaim, Snapshot
from karpenter_check.snapshot.duration import spoken
from karpenter_check.snapshot.event import Event, assignment
from karpenter_check.snapshot.once import once

HANGS, DRAINS = "drain-hangs", "expired"


@dataclass(frozen=True)
class _Death:
    claim: NodeClaim
    deleted: datetime
    ending: Termination
    evicted: tuple[Event, ...]
    hangs: bool


@rule(
    severity=Severity.INFO,
    needs={Kind.NODE, Kind.POD, Kind.NODEPOOL, Kind.NODECLAIM, Kind.PODDISRUPTIONBUDGET},
    since="0.1.0",
    stage=Stage.EXPIRY,
)
def node_ttl_death(
    snapshot: Snapshot,
    *,
    blocked_after: timedelta = timedelta(minutes=5),
    hangs_after: timedelta = timedelta(minutes=60),
) -> Iterator[Finding]:
    """Nodes are terminating because their expireAfter ran out."""
    deaths: dict[tuple[Ref, str], list[_Death]] = defaultdict(list)
    for claim in snapshot.nodeclaims:
        deleted = claim.metadata.deletion_timestamp
        ending = termination(snapshot, claim) if deleted and snapshot.settled(deleted) and died_of_expiry(snapshot, claim) else None
        if deleted and ending:
            hangs = _hangs(snapshot, ending, snapshot.taken_at - deleted, blocked_after, hangs_after)
            death = _Death(claim, deleted, ending, _evicted(snapshot, claim), hangs)
            deaths[_owner(claim), HANGS if death.hangs else DRAINS].append(death)
    for (owner, cause), found in deaths.items():
        yield _finding(snapshot, owner, cause, sorted(found, key=lambda death: (death.deleted, death.claim.name)))


def _owner(claim: NodeClaim) -> Ref:
    """Its NodePool; of a NodeClaim that somebody made by hand, itself."""
    return Ref("NodePool", claim.nodepool, "karpenter.sh/v1") if claim.nodepool else Ref("NodeClaim", claim.name, "karpenter.sh/v1")


def _hangs(snapshot: Snapshot, ending: Termination, draining: timedelta, blocked_after: timedelta, hangs_after: timedelta) -> bool:
    """A drain hangs where a pod that never leaves holds it and nothing will force it, or where it takes longer than it may.

    It does not where its pods leave in the time that they asked for, or may be meant to finish.
    """
    if ending.endless and draining >= blocked_after:
        return True
    end, held = ending.forced_end, hold(snapshot, ending)
    if held is None or held.firm is Firm.RIGHTLY:
        return False
    return bool(ending.held) and draining >= (hangs_after if end is None else max(hangs_after, end - ending.deleted + LATE))


@once
def _placed(snapshot: Snapshot) -> Mapping[str, set[str]]:
    """The UIDs of the pods that events place on each NodeClaim or node, by its name."""
    placed: dict[str, set[str]] = defaultdict(set)
    for event, target in nominations(snapshot):
        placed[target.nodeclaim].add(event.involved_object.uid)
    for event in snapshot.events_by_reason.get("Scheduled", ()):
        placed[assignment(event)].add(event.involved_object.uid)
    return placed


def _evicted(snapshot: Snapshot, claim: NodeClaim) -> tuple[Event, ...]:
    """The events of pods that were evicted by force since the deletion, as far as other events tell that they were here.

    The reason is `Forceful Termination` where no graceful disruption was under way (`terminator/events`, 1.2 and later).
    """
    node, deleted, placed = claim.status.node_name, claim.metadata.deletion_timestamp, _placed(snapshot)
    here = {pod.metadata.uid for pod in snapshot.pods_on_node.get(node, ())}
    here |= placed.get(claim.name, set()) | (placed.get(node, set()) if node else set())
    return tuple(
        event
        for event in snapshot.events_by_reason.get("Evicted", ())
        if event.involved_object.uid in here
        and "forceful termination" in event.message.lower()
        and event.last_seen
        and deleted
        and event.last_seen >= deleted
    )


def _finding(snapshot: Snapshot, owner: Ref, cause: str, deaths: Sequence[_Death]) -> Finding:
    first, nodepool = deaths[0], deaths[0].claim.nodepool
    claim, culprit = first.claim, next((entry for entry in first.ending.held if entry.by), None)
    forced = sum(len(death.evicted) for death in deaths)
    pods = sum(len(death.ending.held) for death in deaths)
    lived = _lived(snapshot, claim)
    ago = spoken(snapshot.taken_at - first.deleted)
    some = "terminating since its" if len(deaths) == 1 else f"{len(deaths)} nodes terminating since their"
    message = f"{some} expireAfter {lived} ran out {ago} ago"
    if cause == HANGS:
        holding = sum(bool(entry.by) for death in deaths for entry in death.ending.held) or pods
        message += f"; the drain hangs on {holding} pod{'s' * (holding != 1)}"
    return Finding(
        object=node_ref(claim.status.node_name) if len(deaths) == 1 and claim.status.node_name else owner,
        owner=owner,
        nodepool=nodepool,
        cause=cause,
        severity=Severity.HIGH if cause == HANGS else None,
        confidence=Confidence.LIKELY if snapshot.whole(Kind.EVENT) else Confidence.POSSIBLE,
        message=message,
        why=_why(first, culprit),
        cost=_cost(pods, forced, heard=snapshot.covered(Kind.EVENT).sufficient),
        impact=Impact(nodes=len(deaths), pods=pods + forced),
        evidence=tuple(_evidence(first, culprit, lived)),
        occurrences=tuple(
            Occurrence(
                node_ref(death.claim.status.node_name) if death.claim.status.node_name else Ref("NodeClaim", death.claim.name, "karpenter.sh/v1"),
                death.claim.metadata.uid, death.claim.status.node_name, "ttl_expired", death.deleted,
            )
            for death in deaths
        ),
        since=earliest(death.deleted for death in deaths),
        fix=tuple(_fix(claim, nodepool, culprit, hangs=cause == HANGS)),
        blames=tuple(map(Blame, dict.fromkeys(_blamed(snapshot, deaths, hangs=cause == HANGS)))),
    )  # fmt: skip


def _blamed(snapshot: Snapshot, deaths: Sequence[_Death], *, hangs: bool) -> Iterator[Ref]:
    """The nodes, of which other findings say why they do not go, and what holds a drain that hangs."""
    yield from (node_ref(death.claim.status.node_name) for death in deaths if death.claim.status.node_name)
    for entry in (entry for death in deaths for entry in death.ending.held if hangs and entry.by):
        yield from (snapshot.owner(entry.pod), *entry.budgets)


def _cost(pods: int, forced: int, *, heard: bool) -> str:
    """Evictions are known from events alone, and not all of them: without one, none is denied."""
    if forced:
        return f"{forced} pod{'s' * (forced != 1)} evicted by force, {pods} still there"
    return f"{pods} pod{'s' * (pods != 1)} still there" + ("" if heard else "; evictions are not known: events were not read")


def _lived(snapshot: Snapshot, claim: NodeClaim) -> str:
    """Its time to live as it is written; in v1beta1 only its NodePool has it."""
    pool = snapshot.nodepools_by_name.get(claim.nodepool)
    return claim.spec.expire_after or (pool.spec.disruption.expire_after if pool else "")


def _why(death: _Death, culprit: Held | None) -> str:
    end = death.ending.forced_end
    limit = f"forced end {end:%Y-%m-%d %H:%M:%SZ}" if end else "no terminationGracePeriod, so nothing ends it by force"
    if culprit:
        for_ever = end is None and culprit.for_ever
        return f"{pod_ref(culprit.pod)} is kept by {culprit.by}; {'no terminationGracePeriod, so it drains for ever' if for_ever else limit}"
    if death.ending.held:
        left = (
            f"{len(death.ending.held)} pods are left, and nothing that was seen keeps them"
            if len(death.ending.held) > 1
            else "1 pod is left, and nothing that was seen keeps it"
        )
        return f"{left} there; {limit}"
    return f"deleted at creation + expireAfter, with no other reason given; {limit}"


def _evidence(death: _Death, culprit: Held | None, lived: str) -> Iterator[Evidence]:
    claim = death.claim
    ref = Ref("NodeClaim", claim.name, "karpenter.sh/v1")
    yield Evidence(ref, "metadata.creationTimestamp + spec.expireAfter", lived)
    yield Evidence(ref, "metadata.deletionTimestamp", f"{death.deleted:%Y-%m-%dT%H:%M:%SZ}")
    if culprit:
        path = "metadata.labels" if culprit.budgets else "metadata.annotations.karpenter.sh/do-not-disrupt"
        value = f"matched by {culprit.by}" if culprit.budgets else culprit.pod.metadata.annotations.do_not_disrupt
        yield Evidence(pod_ref(culprit.pod), path, value)
    if death.evicted:
        yield Evidence.of_event(death.evicted[-1], count=len(death.evicted))


def _fix(claim: NodeClaim, nodepool: str, culprit: Held | None, *, hangs: bool) -> Iterator[Fix]:
    if hangs and culprit:
        yield by_hand(culprit)
    if hangs and nodepool and claim.termination_grace_period is None and claim.spec.expire_after:  # v1beta1 has neither field
        patch = shlex.quote('{"spec":{"template":{"spec":{"terminationGracePeriod":"24h"}}}}')
        yield Fix(
            "fix",
            f"kubectl patch nodepool {shlex.quote(nodepool)} --type merge -p {patch}",
            risk="drifts the pool's nodes; blocking pods are then killed when it elapses",
        )
    yield verification("node-ttl-death", nodepool=nodepool)
