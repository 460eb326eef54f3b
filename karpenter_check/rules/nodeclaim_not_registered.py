"""Instances that were started and never join the cluster as nodes."""

import re
import shlex
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from karpenter_check.disruption.controller import down
from karpenter_check.disruption.life_signs import signs_of_life
from karpenter_check.finding import Blame, Confidence, Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity, verification
from karpenter_check.rule import Stage, rule
from karpenter_check.scheduling.nodeclaim import AWAITS, became, nodeclaim_ref, owner_of_nodeclaim, reason_of, said_of
from karpenter_check.scheduling.nomination import node_ref
from karpenter_check.snapshot import GRACE, Kind, Node, NodeClaim, Snapshot
from karpenter_check.snapshot.clip import clip
from karpenter_check.snapshot.counted import few, plural
from karpenter_check.snapshot.duration import spoken
from karpenter_check.snapshot.metadata import Condition, condition
from karpenter_check.snapshot.moments import at, at_and_distance
from karpenter_check.snapshot.once import once

NO_NODE, SEVERAL_NODES, HOOK, NOT_TRIED, OTHER = "no_node", "several_nodes", "hook_pending", "not_tried", "other"
_CAUSES = {
    "NodeNotFound": NO_NODE,
    "MultipleNodesFound": SEVERAL_NODES,
    "RegistrationHookPending": HOOK,
    AWAITS: NOT_TRIED,
}
_GIVEN_UP_AFTER = timedelta(minutes=15)
"""Then Karpenter deletes it, counted from when the condition last changed (`nodeclaim/lifecycle/liveness.go:registrationTimeout`)."""
_EC2_INSTANCE = re.compile(r"aws:///[^/]+/(?P<id>i-[0-9a-f]+)")


@dataclass(frozen=True)
class _Unregistered:
    """NodeClaims of one owner that do not register for one cause, the oldest first, and what their NodePool says of earlier ones."""

    owner: Ref
    cause: str
    claims: Sequence[NodeClaim]
    since: datetime
    failing: Condition | None
    """The NodePool's NodeRegistrationHealthy, where it is False and no node has registered since."""

    @property
    def oldest(self) -> NodeClaim:
        return self.claims[0]


@rule(severity=Severity.HIGH, needs={Kind.NODECLAIM}, since="0.1.0", stage=Stage.NODECLAIM)
def nodeclaim_not_registered(
    snapshot: Snapshot,
    *,
    warn_after: timedelta = timedelta(minutes=5),
    fail_after: timedelta = timedelta(minutes=10),
    minimum_claims: int = 2,
) -> Iterator[Finding]:
    """An instance was started for a NodeClaim and never joined the cluster."""
    waiting: dict[tuple[Ref, str], list[tuple[datetime, NodeClaim]]] = defaultdict(list)
    for claim in snapshot.nodeclaims:
        created, registered = claim.metadata.creation_timestamp, claim.condition("Registered")
        launched = claim.is_true("Launched") and registered is not None and registered.status != "True"
        if created and launched and not claim.metadata.deletion_timestamp and snapshot.taken_at - created >= GRACE:
            cause = _CAUSES.get(reason_of(claim, "Registered"), OTHER)
            waiting[owner_of_nodeclaim(claim), cause].append((created, claim))
    for (owner, cause), entries in waiting.items():
        entries.sort(key=lambda entry: (entry[0], entry[1].name))
        found = _Unregistered(owner, cause, [claim for _, claim in entries], entries[0][0], _failing(snapshot, entries[0][1]))
        age = snapshot.taken_at - found.since
        if age >= warn_after or (found.failing and len(entries) >= minimum_claims):
            lasting = age >= (max(fail_after, _GIVEN_UP_AFTER) if _boots_slowly(found.oldest) else fail_after) or (
                found.failing is not None and age >= warn_after
            )
            confidence = Confidence.CERTAIN if age >= warn_after else Confidence.LIKELY
            yield _finding(snapshot, found, Severity.HIGH.lowered(0 if lasting else 2), confidence)


def _boots_slowly(claim: NodeClaim) -> bool:
    """Whether it is for Windows, which takes its time."""
    return any(
        entry.key == "kubernetes.io/os" and entry.operator == "In" and "windows" in entry.values
        for entry in claim.spec.requirements
    )


def _failing(snapshot: Snapshot, claim: NodeClaim) -> Condition | None:
    """That nodes of its NodePool fail to register, if the NodePool says so and none has registered since (1.4 and later)."""
    nodepool = snapshot.nodepools_by_name.get(claim.nodepool)
    said = condition(nodepool.status.conditions, "NodeRegistrationHealthy") if nodepool else None
    if said is None or said.status != "False" or said.reason != "RegistrationFailed" or said.last_transition_time is None:
        return None
    last = _last_registered(snapshot).get(claim.nodepool)
    return None if last and last > said.last_transition_time else said


@once
def _last_registered(snapshot: Snapshot) -> Mapping[str, datetime]:
    """When the last node of each NodePool registered."""
    last: dict[str, datetime] = {}
    for claim in snapshot.nodeclaims:
        registered = claim.condition("Registered")
        if registered and registered.status == "True" and (when := registered.last_transition_time):
            last[claim.nodepool] = max(when, last.get(claim.nodepool, when))
    return last


def _finding(snapshot: Snapshot, found: _Unregistered, severity: Severity, confidence: Confidence) -> Finding:
    several, ref, number = len(found.claims) > 1, nodeclaim_ref(found.oldest), len(found.claims)
    nodes = _its_nodes(snapshot, found)
    some = f"{number} instances were started up to" if several else "its instance was started"
    ended = "matches several Nodes" if found.cause == SEVERAL_NODES else "has never joined the cluster"
    if several:
        ended = "match several Nodes each" if found.cause == SEVERAL_NODES else "have never joined the cluster"
    evidence = [Evidence(ref, "status.conditions Registered", said_of(found.oldest, "Registered"))]
    if found.failing:
        said = clip(found.failing.message or found.failing.reason)
        evidence.append(
            Evidence(
                found.owner,
                "status.conditions NodeRegistrationHealthy",
                f"False since {at(snapshot, found.failing.last_transition_time or snapshot.taken_at)}: {said}",
            )
        )
    evidence += [Evidence(node_ref(node.name), "spec.providerID", node.spec.provider_id or "none") for node in nodes[:3]]
    return Finding(
        object=found.owner if several else ref,
        owner=found.owner,
        nodepool=found.oldest.nodepool,
        cause=found.cause,
        severity=severity,
        confidence=confidence,
        message=f"{some} {spoken(snapshot.taken_at - found.since)} ago and {ended}",
        why=_why(snapshot, found, nodes),
        cost=f"{plural(number, 'instance')} paid for that no pod can use; pods that wait for {'them' if several else 'it'} go on waiting",
        impact=Impact(nodeclaims=number),
        evidence=tuple(evidence),
        occurrences=tuple(
            Occurrence(nodeclaim_ref(claim), claim.metadata.uid, "", found.cause, claim.metadata.creation_timestamp)
            for claim in found.claims
        ),
        since=found.since,
        fix=(_fix(found, nodes), verification("nodeclaim-not-registered", nodepool=found.oldest.nodepool)),
        blames=tuple(_blamed(snapshot, found, nodes)),
    )  # fmt: skip


def _blamed(snapshot: Snapshot, found: _Unregistered, nodes: Sequence[Node]) -> Iterator[Blame]:
    """The Nodes that share its providerID; of what nobody looked at, a Karpenter that is down."""
    if found.cause == SEVERAL_NODES:
        yield from (Blame(node_ref(node.name)) for node in nodes)
    if found.cause == NOT_TRIED:
        yield from map(Blame, down(snapshot, found.oldest.spec.node_class_ref.api_group))


def _its_nodes(snapshot: Snapshot, found: _Unregistered) -> Sequence[Node]:
    """The Nodes that match it; where none does, those that came with Karpenter's taint and that no NodeClaim matches."""
    if found.cause == SEVERAL_NODES:
        return [node for node in snapshot.nodes if node.spec.provider_id == found.oldest.status.provider_id]
    return _strays(snapshot, found.oldest.nodepool) if found.cause == NO_NODE else ()


def _strays(snapshot: Snapshot, nodepool: str) -> Sequence[Node]:
    return [
        node
        for node in snapshot.nodes
        if node.nodepool in {"", nodepool}
        and node.name not in snapshot.nodeclaim_of_node
        and any(taint.key == "karpenter.sh/unregistered" for taint in node.spec.taints)
        and snapshot.settled(node.metadata.creation_timestamp)
    ]


def _why(snapshot: Snapshot, found: _Unregistered, nodes: Sequence[Node]) -> str:
    claim = found.oldest
    why = f"NodeClaim {claim.name}, providerID {clip(claim.status.provider_id) or 'none'}: {said_of(claim, 'Registered')}"
    names = few([node.name for node in nodes], 3)
    if found.cause == SEVERAL_NODES:
        why += f"; Nodes with its providerID: {names}" if nodes else ""
        why += "; Karpenter looks no further once it has seen two"
    elif found.cause == NO_NODE and nodes:
        why += f"; {names} joined with the taint karpenter.sh/unregistered and a providerID that no NodeClaim has: it may be this instance"
    elif found.cause == HOOK:
        why += "; the node joined, and Karpenter waits for these hooks of its cloud provider"
    elif found.cause == NOT_TRIED:
        why += f"; {signs_of_life(snapshot)}"
    if found.failing:
        why += "; it is not the first of its NodePool: NodeRegistrationHealthy is False, and none has registered since"
    elif not snapshot.covered(Kind.NODEPOOL).sufficient:
        why += f"; whether earlier ones failed, too, is not known: NodePool is {snapshot.covered(Kind.NODEPOOL)}"
    ends = (became(claim, "Registered") or found.since) + _GIVEN_UP_AFTER
    if ends > snapshot.taken_at:
        return f"{why}; Karpenter deletes it at {at_and_distance(snapshot, ends)} and buys another if pods still wait"
    return f"{why}; Karpenter should have deleted it after 15m, and has not"


def _fix(found: _Unregistered, nodes: Sequence[Node]) -> Fix:
    claim = found.oldest
    if found.cause == SEVERAL_NODES:
        names = " ".join(shlex.quote(node.name) for node in nodes) or "-l karpenter.sh/nodepool"
        return Fix(
            "fix",
            f"kubectl get nodes {names}",
            text="delete the Node that no kubelet renews, then the NodeClaim: Karpenter does not look again",
        )
    if found.cause in {HOOK, NOT_TRIED, OTHER}:
        return Fix(
            "fix",
            f"kubectl describe nodeclaim {shlex.quote(claim.name)}",
            text="mend what Registered names; Karpenter's log says more",
        )
    words = "see why the kubelet does not join: the node's role in the cluster's access entries, security groups and routes to the API server, userData for the image's family"
    if nodes:
        words = "make the kubelet or the cloud controller set the providerID that the NodeClaim has; " + words
    instance = _EC2_INSTANCE.fullmatch(claim.status.provider_id)
    if instance:
        return Fix("fix", f"aws ec2 get-console-output --output text --instance-id {instance['id']}", text=words)
    return Fix("fix", f"kubectl describe nodeclaim {shlex.quote(claim.name)}", text=f"look into the instance's boot log, and {words}")  # fmt: skip
