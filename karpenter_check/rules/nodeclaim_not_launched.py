"""NodeClaims that no instance is started for. While there is one, Karpenter does nothing else."""

import shlex
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from karpenter_check.disruption.controller import down
from karpenter_check.disruption.life_signs import signs_of_life, where_to_look
from karpenter_check.finding import Blame, Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity, verification
from karpenter_check.rule import Stage, rule
from karpenter_check.scheduling.nodeclaim import AWAITS, nodeclaim_ref, owner_of_nodeclaim, reason_of, said_of
from karpenter_check.snapshot import GRACE, Kind, NodeClaim, Snapshot, Version
from karpenter_check.snapshot.counted import plural
from karpenter_check.snapshot.duration import spoken
from karpenter_check.snapshot.once import once

LAUNCH_FAILED, NOT_TRIED, NO_PROVIDER_ID = "launch_failed", "not_tried", "no_provider_id"
_GIVES_UP = Version(1, 7)
"""Since then a NodeClaim that is not launched after 5 minutes is deleted, before after 15 (`nodeclaim/lifecycle/liveness.go`)."""
_DENIED = ("unauthorized", "not authorized", "accessdenied", "access denied", "forbidden", "explicit deny")


@rule(severity=Severity.CRITICAL, needs={Kind.NODECLAIM}, since="0.1.0", stage=Stage.NODECLAIM)
def nodeclaim_not_launched(
    snapshot: Snapshot, *, warn_after: timedelta = timedelta(minutes=1), fail_after: timedelta = timedelta(minutes=2)
) -> Iterator[Finding]:
    """A NodeClaim has no instance, and until it has, Karpenter neither buys nor disrupts any other node."""
    found: dict[tuple[Ref, str], list[tuple[datetime, NodeClaim]]] = defaultdict(list)
    for claim in snapshot.nodeclaims:
        created = claim.metadata.creation_timestamp
        if created and _waits(snapshot, claim) and snapshot.taken_at - created >= max(GRACE, warn_after):
            found[owner_of_nodeclaim(claim), _cause(claim)].append((created, claim))
    for (owner, cause), entries in found.items():
        entries.sort(key=lambda entry: (entry[0], entry[1].name))
        since = entries[0][0]
        severity = Severity.CRITICAL.lowered(0 if snapshot.taken_at - since >= fail_after else 2)
        yield _finding(snapshot, owner, cause, [claim for _, claim in entries], since, severity)


def _waits(snapshot: Snapshot, claim: NodeClaim) -> bool:
    """Whether Karpenter waits for its providerID. Without the condition Launched nobody looks after it, as of another provider."""
    looked_after = claim.condition("Launched") is not None and not claim.metadata.deletion_timestamp
    return looked_after and not claim.status.provider_id and claim.metadata.uid not in _short_of_capacity(snapshot)


@once
def _short_of_capacity(snapshot: Snapshot) -> frozenset[str]:
    """The UIDs of NodeClaims that the cloud had no capacity for: Karpenter deletes them at once, and tries again with others."""
    return frozenset(event.involved_object.uid for event in snapshot.events_by_reason.get("InsufficientCapacityError", ()))


def _cause(claim: NodeClaim) -> str:
    if claim.is_true("Launched"):
        return NO_PROVIDER_ID
    return NOT_TRIED if reason_of(claim, "Launched") in {AWAITS, ""} else LAUNCH_FAILED


def _finding(
    snapshot: Snapshot, owner: Ref, cause: str, claims: Sequence[NodeClaim], since: datetime, severity: Severity
) -> Finding:
    """About claims of one NodePool, the oldest first."""
    oldest, several = claims[0], len(claims) > 1
    ref = nodeclaim_ref(oldest)
    waiting = sum(pod.unschedulable and pod.active for pod in snapshot.unbound_pods)
    pods = f"; {plural(waiting, 'pod')} wait{'s' * (waiting == 1)} unscheduled, whatever for" if waiting else ""
    if not snapshot.covered(Kind.POD).sufficient:
        pods = f"; how many pods wait is not known: Pod is {snapshot.covered(Kind.POD)}"
    age = spoken(snapshot.taken_at - since)
    return Finding(
        object=owner if several else ref,
        owner=owner,
        nodepool=oldest.nodepool,
        cause=cause,
        severity=severity,
        message=f"{f'{len(claims)} NodeClaims have' if several else 'has'} had no instance for {'up to ' * several}{age}; "
        f"until then Karpenter buys and disrupts nothing{_where(snapshot, oldest)}",
        why=_why(snapshot, cause, oldest),
        cost=f"no node is bought, consolidated or replaced after drift{_where(snapshot, oldest)} while this lasts{pods}",
        impact=Impact(nodeclaims=len(claims)),
        evidence=(
            Evidence(ref, "status.providerID", "none"),
            Evidence(ref, "status.conditions Launched", said_of(oldest, "Launched")),
        ),
        occurrences=tuple(
            Occurrence(nodeclaim_ref(claim), claim.metadata.uid, "", cause, claim.metadata.creation_timestamp) for claim in claims
        ),
        since=since,
        fix=tuple(_fix(cause, claims, oldest)),
        blames=tuple(_blamed(snapshot, cause, oldest)),
    )


def _where(snapshot: Snapshot, claim: NodeClaim) -> str:
    """Each Karpenter waits for NodeClaims of its own node classes alone."""
    own = claim.spec.node_class_ref
    groups = {other.spec.node_class_ref.api_group for other in snapshot.nodeclaims}
    groups |= {nodepool.spec.template.spec.node_class_ref.api_group for nodepool in snapshot.nodepools}
    return f" in NodePools of {own.api_group}" if len(groups) > 1 and own.api_group else ""


def _why(snapshot: Snapshot, cause: str, claim: NodeClaim) -> str:
    why = f"NodeClaim {claim.name}: {said_of(claim, 'Launched')}; Karpenter's picture of the cluster is complete only when every NodeClaim has a providerID, and it does nothing before"
    if cause != LAUNCH_FAILED:
        return f"{why}; {signs_of_life(snapshot)}"
    version = snapshot.karpenter_version
    minutes = 5 if version is None or version >= _GIVES_UP else 15
    before = f" (15m before Karpenter {_GIVES_UP.major}.{_GIVES_UP.minor})" if version is None else ""
    created = claim.metadata.creation_timestamp
    if created and snapshot.taken_at - created >= timedelta(minutes=15 if version is None else minutes) + GRACE:
        return f"{why}; it should have deleted this one after {minutes}m{before}, and has not; {signs_of_life(snapshot)}"
    return f"{why}; after {minutes}m{before} it deletes this one and may make another that fails alike"


def _fix(cause: str, claims: Sequence[NodeClaim], oldest: NodeClaim) -> Iterator[Fix]:
    name = shlex.quote(oldest.name)
    yield Fix(
        "stop",
        f"kubectl delete nodeclaim {name}",
        text=f"and so the {plural(len(claims) - 1, 'other one')}" if len(claims) > 1 else "",
        risk="Karpenter works again only until it makes the next such NodeClaim, which it does at once if the pods still need it",
    )
    if cause == LAUNCH_FAILED:
        yield Fix("fix", f"kubectl describe nodeclaim {name}", text=_remedy(oldest))
    else:
        yield where_to_look(oldest.spec.node_class_ref.api_group)
    yield verification("nodeclaim-not-launched", nodepool=oldest.nodepool)


def _remedy(claim: NodeClaim) -> str:
    said = said_of(claim, "Launched").lower()
    if any(word in said for word in _DENIED):
        return "give Karpenter's cloud identity the permission that Launched names, or look for a policy that denies it"
    if "nodeclass" in said:
        return "mend the node class; its own conditions say what it lacks"
    return "mend what Launched names: the node class, a quota, the network or the launch template"


def _blamed(snapshot: Snapshot, cause: str, claim: NodeClaim) -> Iterator[Blame]:
    """Its node class: one that is not ready is why instances of it do not start; of what nobody tried, a Karpenter that is down."""
    if cause == NOT_TRIED:
        yield from map(Blame, down(snapshot, claim.spec.node_class_ref.api_group))
    nodepool = snapshot.nodepools_by_name.get(claim.nodepool)
    node_class = snapshot.nodeclass_of(nodepool) if nodepool else None
    if node_class:
        yield Blame(Ref(node_class.kind, node_class.metadata.name, node_class.api_version))
