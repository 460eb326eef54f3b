"""Taints of Karpenter's that were left on a node: no pod comes there any more, and nothing takes them away."""

import shlex
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import timedelta

from karpenter_check.disruption.left_taints import DISRUPTED, UNREGISTERED, LeftTaint, left_taints, looked_since
from karpenter_check.disruption.life_signs import signs_of_life, unlaunched, where_to_look
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
from karpenter_check.scheduling.nomination import node_ref
from karpenter_check.snapshot import Kind, NodeClaim, Snapshot
from karpenter_check.snapshot.counted import plural

_SURE = (Confidence.CERTAIN, Confidence.LIKELY, Confidence.POSSIBLE)
_SOON = timedelta(minutes=15)
"""A NodeClaim that came so much later than the taint does not explain why the taint was left: Karpenter had long taken it away."""


@rule(severity=Severity.MEDIUM, needs={Kind.NODE, Kind.NODECLAIM}, since="0.1.0", stage=Stage.DISRUPTION)
def disruption_taint_stale(
    snapshot: Snapshot, *, fail_after: timedelta = timedelta(minutes=15), command_timeout: timedelta = timedelta(hours=1)
) -> Iterator[Finding]:
    """A taint of Karpenter's was left behind on nodes, and no pod comes to them any more."""
    found: dict[tuple[Ref, str], list[LeftTaint]] = defaultdict(list)
    for node in snapshot.nodes:
        for left in left_taints(snapshot, node, fail_after=fail_after, command_timeout=command_timeout):
            found[_owner(left.claim), left.cause].append(left)
    for (owner, cause), entries in found.items():
        surest_first = sorted(
            entries, key=lambda left: (_SURE.index(left.confidence), left.since or snapshot.taken_at, left.node.name)
        )
        yield _finding(snapshot, owner, cause, surest_first)


def _owner(claim: NodeClaim) -> Ref:
    """Its NodePool; of a NodeClaim that somebody made by hand, itself."""
    return Ref("NodePool", claim.nodepool, "karpenter.sh/v1") if claim.nodepool else Ref("NodeClaim", claim.name, "karpenter.sh/v1")


def _finding(snapshot: Snapshot, owner: Ref, cause: str, left: Sequence[LeftTaint]) -> Finding:
    first, several, nodepool = left[0], len(left) > 1, left[0].claim.nodepool
    stalled = unlaunched(snapshot, first.since + _SOON) if cause == DISRUPTED and first.since else None
    writer, condition = first.node.taints_writer(), "Registered" if cause == UNREGISTERED else "DisruptionReason"
    status = first.claim.condition(condition)
    carry = f"{len(left)} nodes take no new pods: they carry" if several else "takes no new pods: it carries"
    closed = f"{plural(len(left), 'node')} paid for and closed to new pods"
    instead = (
        "pods there that do not tolerate it were evicted"
        if cause == UNREGISTERED
        else "Karpenter buys others for pods that would fit there"
    )
    return Finding(
        object=owner if several else node_ref(first.node.name),
        owner=owner,
        nodepool=nodepool,
        cause=cause,
        severity=Severity.MEDIUM.lowered(2 if first.confidence is Confidence.POSSIBLE else 0),
        confidence=first.confidence,
        message=f"{carry} {first.taint}, which was left behind",
        why=_why(snapshot, cause, first, stalled),
        cost=f"{closed}; {instead}",
        impact=Impact(nodes=len(left)),
        evidence=(
            Evidence(node_ref(first.node.name), "spec.taints", str(first.taint), writer.manager if writer else ""),
            Evidence(Ref("NodeClaim", first.claim.name, "karpenter.sh/v1"), f"status.conditions {condition}", status.status if status else "none"),
        ),
        occurrences=tuple(Occurrence(node_ref(entry.node.name), entry.node.metadata.uid, entry.node.name, cause, entry.since) for entry in left),
        since=earliest(entry.since for entry in left),
        fix=tuple(_fix(nodepool, cause, left)),
        blames=(Blame(stalled),) if stalled else (),
    )  # fmt: skip


def _why(snapshot: Snapshot, cause: str, first: LeftTaint, stalled: Ref | None) -> str:
    if cause != DISRUPTED:
        return first.said
    why = f"{first.said}; Karpenter takes the taint off nodes that it is not disrupting whenever it looks for nodes to disrupt"
    if stalled:
        why += f", and it does not look while it waits for {stalled}, which has no providerID"
    elif first.since and looked_since(snapshot, first.since):
        why += ", and it has looked since: it still takes this one for a node that it disrupts, which a restart of Karpenter ends"
    else:
        why += ", so it does not come to that, as when it is down or was removed"
    return f"{why}; {signs_of_life(snapshot)}"


def _fix(nodepool: str, cause: str, left: Sequence[LeftTaint]) -> Iterator[Fix]:
    step, risk = "fix", "pods come there at once"
    if cause == DISRUPTED:
        yield where_to_look(left[0].claim.spec.node_class_ref.api_group)
        step, risk = "or", f"{risk}; if Karpenter disrupts the node after all, they move again"
    more = f"and so for {plural(len(left) - 1, 'other node')}" if len(left) > 1 else ""
    taint = left[0].taint
    yield Fix(step, f"kubectl taint node {shlex.quote(left[0].node.name)} {taint.key}:{taint.effect}-", more, risk)
    yield verification("disruption-taint-stale", nodepool=nodepool)
