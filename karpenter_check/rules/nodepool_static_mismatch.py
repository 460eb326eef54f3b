"""Static NodePools that do not have the nodes that they ask for, or that have no room to replace them."""

import json
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from karpenter_check.disruption.feature_gates import STATIC_CAPACITY, feature_gate, why_not_known
from karpenter_check.disruption.remedies import command
from karpenter_check.disruption.rollout import claims_of_nodepool, no_room_to_replace
from karpenter_check.disruption.timing import drift
from karpenter_check.finding import Confidence, Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity, clip, verification
from karpenter_check.rule import Stage, rule
from karpenter_check.scheduling.capacity_errors import CapacityError, capacity_errors
from karpenter_check.scheduling.claim_name import nodepool_of_claim
from karpenter_check.scheduling.labels import EKS_AUTO_MODE
from karpenter_check.snapshot import Kind, NodeClaim, NodePool, Snapshot, Version
from karpenter_check.snapshot.counted import plural
from karpenter_check.snapshot.duration import spoken
from karpenter_check.snapshot.quantity import milli

_KNOWS_REPLICAS = Version(1, 8)
_ASK = Fix("fix", text="see what Karpenter's log says of it, and the events of its NodeClaims: it makes a missing one at once")
_ASK_AWS = Fix(
    "fix", text="see the events of its NodeClaims; EKS Auto Mode's Karpenter is run by AWS, so that a support case is what is left"
)
_REFUSALS = 3
"""So many launches must have failed: less is routine."""


@dataclass(frozen=True)
class _Mismatch:
    """What is wrong with the number of a NodePool's nodes."""

    cause: str
    message: str
    why: str
    fix: tuple[Fix, ...]
    confidence: Confidence = Confidence.CERTAIN
    severity: Severity = Severity.MEDIUM
    claims: Sequence[NodeClaim] = ()


@rule(severity=Severity.MEDIUM, needs={Kind.NODEPOOL, Kind.NODECLAIM}, since="0.1.0", stage=Stage.NODEPOOL)
def nodepool_static_mismatch(snapshot: Snapshot, *, settle: timedelta = timedelta(minutes=10)) -> Iterator[Finding]:
    """A static NodePool does not have as many nodes as its replicas, or its limit leaves no room to replace them."""
    for nodepool in sorted(snapshot.nodepools, key=lambda entry: entry.name):
        replicas = nodepool.spec.replicas
        if replicas is None or nodepool.metadata.deletion_timestamp or not snapshot.settled(nodepool.metadata.creation_timestamp):
            continue
        version = None if _auto_mode(nodepool) else snapshot.karpenter_version
        if version and version < _KNOWS_REPLICAS:
            yield _finding(nodepool, _unknown_field(nodepool, version))
            continue
        claims = claims_of_nodepool(snapshot).get(nodepool.name, ())
        if snapshot.whole(Kind.NODECLAIM) and (found := _miscounted(snapshot, nodepool, replicas, claims, settle)):
            yield _finding(nodepool, found)
        elif replicas and no_room_to_replace(nodepool):
            yield _finding(nodepool, _no_surge(nodepool, replicas, claims))


def _auto_mode(nodepool: NodePool) -> bool:
    """Whether EKS Auto Mode serves it, which knows static NodePools; no Karpenter of the cluster's has to do with it."""
    return nodepool.spec.template.spec.node_class_ref.api_group == EKS_AUTO_MODE


def _unknown_field(nodepool: NodePool, version: Version) -> _Mismatch:
    return _Mismatch(
        "unknown-field",
        f"Karpenter {version} does not know spec.replicas of {nodepool.name}, and buys its nodes for pods alone",
        f"static NodePools came with Karpenter {_KNOWS_REPLICAS.major}.{_KNOWS_REPLICAS.minor}",
        (Fix("fix", text=f"upgrade Karpenter, and set its feature gate {STATIC_CAPACITY}"),),
    )


def _miscounted(
    snapshot: Snapshot, nodepool: NodePool, replicas: int, claims: Sequence[NodeClaim], settle: timedelta
) -> _Mismatch | None:
    """Why it has more or fewer NodeClaims than replicas, if it is not on the way there.

    Sources: `controllers/static/provisioning`, `controllers/static/deprovisioning`, `controllers/controllers.go` (1.13).
    """
    staying = [claim for claim in claims if claim.metadata.deletion_timestamp is None]
    gate = True if _auto_mode(nodepool) else feature_gate(snapshot, STATIC_CAPACITY)
    ask, has = (
        _ASK_AWS if _auto_mode(nodepool) else _ASK,
        f"{nodepool.name} has {plural(len(staying), 'node')} instead of {replicas}",
    )
    if len(staying) == replicas:
        return None
    if gate is False:
        return _Mismatch(
            "gate-off",
            f"{has}: Karpenter leaves static NodePools alone, its feature gate {STATIC_CAPACITY} is off",
            f"FEATURE_GATES of its controller does not set {STATIC_CAPACITY}=true, so nobody makes or takes away nodes of a "
            "NodePool with replicas, nor buys it any for pods",
            (
                Fix("fix", text=f"add {STATIC_CAPACITY}=true to FEATURE_GATES of Karpenter's controller (Helm: settings.featureGates.staticCapacity)",
                    risk=f"the controller restarts, and then brings every static NodePool to its number at once, this one to {replicas}"),
                Fix("or", text="make a NodePool without replicas in its place: the field cannot be taken out of this one"),
            ),
            claims=staying,
        )  # fmt: skip
    refused = [error for error in capacity_errors(snapshot).get(nodepool.name, ()) if snapshot.taken_at - error.last < settle]
    if len(staying) < replicas and refused:
        return _no_capacity(has, refused, staying)
    if not _quiet(snapshot, nodepool, claims, settle):
        return None
    limit = nodepool.spec.limits.get("nodes")
    stood = f"no NodeClaim of it came or went for {spoken(settle)}"
    if limit is not None and len(staying) < replicas and milli(limit) < 1000 * replicas:
        why = f"spec.limits.nodes is {limit}, spec.replicas {replicas}; {stood}"
        # a limit of 0 is how people turn a NodePool off
        severity = Severity.MEDIUM if milli(limit) else Severity.LOW
        raised = (_raise_limit(nodepool, replicas),)
        return _Mismatch("limit-below-replicas", f"{has}: its limit allows {limit}", why, raised, severity=severity)
    if len(staying) > replicas:
        why = f"Karpenter deletes what is above spec.replicas within a minute or so, and {stood}"
        return _Mismatch("too-many", has, why, (ask,), Confidence.LIKELY, claims=staying)
    if gate is None and not staying:
        why = f"a static NodePool has nodes only with Karpenter's feature gate {STATIC_CAPACITY}; whether it is on is not known: {why_not_known(snapshot)}"
        fix = Fix(
            "fix", text=f"see whether FEATURE_GATES of Karpenter's controller sets {STATIC_CAPACITY}=true; it is off by default"
        )
        return _Mismatch("none-made", f"{has}, and none is being made", why, (fix,), Confidence.LIKELY)
    why = f"Karpenter makes what is missing to spec.replicas at once, and {stood}"
    return _Mismatch("too-few", has, why, (ask,), Confidence.LIKELY, claims=staying)


def _no_capacity(has: str, refused: Sequence[CapacityError], staying: Sequence[NodeClaim]) -> _Mismatch | None:
    """Launches that were refused of late, the latest last; a few are routine."""
    times = sum(error.times for error in refused)
    if times < _REFUSALS:
        return None
    why = f"{times} launches failed within minutes, the last one with: {clip(refused[-1].said)}; Karpenter goes on trying"
    fix = Fix("fix", text="let it buy other instance types or zones too, or mend what the message names")
    return _Mismatch(
        "no-capacity", f"{has}: its launches fail for want of capacity", why, (fix,), Confidence.LIKELY, claims=staying
    )


def _gone_lately(snapshot: Snapshot, nodepool: NodePool, settle: timedelta) -> bool:
    """Whether events tell of a NodeClaim of it that is not there any more: what it had is being replaced."""
    return any(
        event.involved_object.kind == "NodeClaim"
        and event.involved_object.name not in snapshot.nodeclaims_by_name
        and event.last_seen is not None
        and snapshot.taken_at - event.last_seen < settle
        and nodepool_of_claim(snapshot, event.involved_object.name) == nodepool.name
        for event in snapshot.events
    )


def _quiet(snapshot: Snapshot, nodepool: NodePool, claims: Sequence[NodeClaim], settle: timedelta) -> bool:
    """Whether it has been Ready so long that its number should be right, and no NodeClaim comes or goes. What is not Ready is left alone."""
    ready = nodepool.readiness
    if ready is None or ready.status != "True" or _moving(claims) or _gone_lately(snapshot, nodepool, settle):
        return False
    moments = (
        nodepool.metadata.creation_timestamp,
        ready.last_transition_time,
        *(claim.metadata.creation_timestamp for claim in claims),
    )
    return all(moment is not None and snapshot.taken_at - moment >= settle for moment in moments)


def _moving(claims: Sequence[NodeClaim]) -> bool:
    """Whether one is going, or about to: a drifted one goes when its replacement is there."""
    return any(claim.metadata.deletion_timestamp or claim.is_true("DisruptionReason") for claim in claims)


def _no_surge(nodepool: NodePool, replicas: int, claims: Sequence[NodeClaim]) -> _Mismatch:
    drifted, limit = [claim for claim in claims if drift(claim)], nodepool.spec.limits["nodes"]
    now = f"; {len(drifted)} of its nodes have drifted" if drifted else ""
    return _Mismatch(
        "no-room-to-replace",
        f"no drifted node of {nodepool.name} is ever replaced: its limit of {plural(int(milli(limit) / 1000), 'node')} leaves no room "
        f"beside {plural(replicas, 'replica')}{now}",
        f"a static NodePool's replacement is made first, so Karpenter needs spec.limits.nodes ({limit}) above spec.replicas ({replicas})",
        (_raise_limit(nodepool, replicas),),
        severity=Severity.MEDIUM if drifted else Severity.LOW,
        claims=drifted,
    )  # fmt: skip


def _raise_limit(nodepool: NodePool, replicas: int) -> Fix:
    patch = json.dumps({"spec": {"limits": {"nodes": str(replicas + 1)}}}, separators=(",", ":"))
    text = "one more than its replicas lets it replace one node at a time"
    return Fix("fix", command("patch", Ref("NodePool", nodepool.name), f"--type merge -p {shlex.quote(patch)}"), text)


def _finding(nodepool: NodePool, found: _Mismatch) -> Finding:
    owner = Ref("NodePool", nodepool.name, "karpenter.sh/v1")
    limit = nodepool.spec.limits.get("nodes")
    return Finding(
        object=owner,
        owner=owner,
        nodepool=nodepool.name,
        cause=found.cause,
        severity=found.severity,
        confidence=found.confidence,
        message=found.message,
        why=found.why,
        impact=Impact(nodes=len(found.claims)) if found.claims else Impact(),
        evidence=(
            Evidence(owner, "spec.replicas", str(nodepool.spec.replicas)),
            *((Evidence(owner, "spec.limits.nodes", str(limit)),) if limit is not None else ()),
        ),
        occurrences=tuple(
            Occurrence(Ref("NodeClaim", claim.name, "karpenter.sh/v1"), claim.metadata.uid, claim.status.node_name, found.cause)
            for claim in found.claims
        )
        or (Occurrence(owner, nodepool.metadata.uid, "", found.cause),),
        fix=(*found.fix, verification("nodepool-static-mismatch", nodepool=nodepool.name)),
    )
