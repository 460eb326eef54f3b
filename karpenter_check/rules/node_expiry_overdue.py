"""Nodes past their expireAfter that nobody deleted: Karpenter does so at that very moment."""

import shlex
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from karpenter_check.disruption.controller import controller_ref, controllers
from karpenter_check.disruption.expiry import expiry, overdue
from karpenter_check.disruption.life_signs import last_word, last_write, newest_time, signs_of_life, where_to_look
from karpenter_check.finding import Blame, Confidence, Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity, verification
from karpenter_check.rule import Stage, rule
from karpenter_check.scheduling.labels import EKS_AUTO_MODE
from karpenter_check.scheduling.nomination import node_ref
from karpenter_check.snapshot import Kind, NodeClaim, Snapshot
from karpenter_check.snapshot.counted import plural
from karpenter_check.snapshot.duration import spoken
from karpenter_check.snapshot.moments import at

_QUIET = timedelta(hours=1)
"""A cluster in which nothing new has a time for longer was most likely read before the time that the snapshot is given."""


@dataclass(frozen=True)
class _Late:
    claim: NodeClaim
    due: datetime
    by: timedelta

    @property
    def claim_ref(self) -> Ref:
        return Ref("NodeClaim", self.claim.name, "karpenter.sh/v1")

    @property
    def ref(self) -> Ref:
        """The node, or of a claim that has none, the claim."""
        return node_ref(self.claim.status.node_name) if self.claim.status.node_name else self.claim_ref


@rule(severity=Severity.HIGH, needs={Kind.NODECLAIM}, since="0.1.0", stage=Stage.EXPIRY)
def node_expiry_overdue(snapshot: Snapshot, *, fail_after: timedelta = timedelta(minutes=5)) -> Iterator[Finding]:
    """Nodes are past their expireAfter, and Karpenter has not deleted them."""
    late: dict[Ref, list[_Late]] = defaultdict(list)
    for claim in snapshot.nodeclaims:
        by, due = overdue(snapshot, claim), expiry(snapshot, claim)
        if by is not None and due and by >= fail_after:
            made_by_hand = Ref("NodeClaim", claim.name, "karpenter.sh/v1")
            owner = Ref("NodePool", claim.nodepool, "karpenter.sh/v1") if claim.nodepool else made_by_hand
            late[owner].append(_Late(claim, due, by))
    for owner, entries in late.items():
        yield _finding(snapshot, owner, sorted(entries, key=lambda entry: (entry.due, entry.claim.name)), fail_after)


def _finding(snapshot: Snapshot, owner: Ref, late: Sequence[_Late], fail_after: timedelta) -> Finding:
    worst, newest = late[0], newest_time(snapshot)
    claim, lives = worst.claim, worst.claim.spec.expire_after
    message = f"its expireAfter {lives} ran out {spoken(worst.by)} ago, and nobody has deleted it"
    kind = "nodes" if all(entry.claim.status.node_name for entry in late) else "NodeClaims"
    if len(late) > 1:
        message = f"{len(late)} {kind} are past their expireAfter, the longest for {spoken(worst.by)}, and nobody has deleted them"
    shown = newest is not None and newest >= worst.due + fail_after
    fresh = shown or (newest is not None and snapshot.taken_at - newest <= _QUIET)
    return Finding(
        object=worst.ref if len(late) == 1 else owner,
        owner=owner,
        nodepool=claim.nodepool,
        cause="overdue",
        severity=Severity.HIGH.lowered(0 if fresh else 2),
        confidence=Confidence.CERTAIN if shown else Confidence.LIKELY if fresh else Confidence.POSSIBLE,
        message=message,
        why=_why(snapshot, worst, shown=shown),
        cost=f"{plural(len(late), kind[:-1])} that should be gone; if Karpenter does nothing at all, pending pods, drift and drains wait, too",
        impact=Impact(nodes=sum(bool(entry.claim.status.node_name) for entry in late), nodeclaims=len(late)),
        evidence=tuple(_evidence(snapshot, worst)),
        occurrences=tuple(
            Occurrence(entry.ref, entry.claim.metadata.uid, entry.claim.status.node_name, "overdue", entry.due) for entry in late
        ),
        since=worst.due,
        fix=tuple(_fix(claim, len(late))),
        blames=tuple(Blame(controller_ref(deployment)) for deployment in controllers(snapshot) if shown and _is_its_own(late)),
    )  # fmt: skip


def _is_its_own(late: Sequence[_Late]) -> bool:
    """Whether a Karpenter in the cluster would have had to delete them."""
    return any(entry.claim.spec.node_class_ref.api_group != EKS_AUTO_MODE for entry in late)


def _why(snapshot: Snapshot, worst: _Late, *, shown: bool) -> str:
    """What is wrong with the controller is not known; whether it did anything since the expiry narrows it down."""
    class_ref = worst.claim.spec.node_class_ref
    served = f"{class_ref.kind}.{class_ref.api_group}" if class_ref.kind else "this node class"
    signs = (last_write(snapshot), word.last_seen if (word := last_word(snapshot)) else None)
    awake = any(moment and moment > worst.due for moment in signs)
    faults = f"its deletions are refused, or it does not serve {served}"
    if not awake:
        faults = f"it is down, stuck or not the leader, or {faults}"
    doubt = ""
    if not shown:
        doubt = "; nothing in the snapshot is younger than that, so its time may have been set too late"
    return (
        f"{worst.claim_ref} was due at {at(snapshot, worst.due)}: its creation plus its expireAfter of {worst.claim.spec.expire_after}; Karpenter "
        f"deletes it then, whatever budgets and pods say, so {faults}; {signs_of_life(snapshot)}{doubt}"
    )


def _evidence(snapshot: Snapshot, worst: _Late) -> Iterator[Evidence]:
    created = worst.claim.metadata.creation_timestamp
    yield Evidence(worst.claim_ref, "metadata.creationTimestamp", f"{created:%Y-%m-%dT%H:%M:%SZ}" if created else "")
    yield Evidence(worst.claim_ref, "spec.expireAfter", worst.claim.spec.expire_after)
    yield Evidence(worst.claim_ref, "metadata.deletionTimestamp", "none")
    if word := last_word(snapshot):
        yield Evidence.of_event(word)


def _fix(claim: NodeClaim, late: int) -> Iterator[Fix]:
    herd = "once Karpenter does its work again, it deletes all of them at once, and no budget slows that" if late > 1 else ""
    look = where_to_look(claim.spec.node_class_ref.api_group)
    yield Fix(look.step, look.command, look.text, herd)
    if late > 1:
        yield Fix(
            "or", f"kubectl delete nodeclaim {shlex.quote(claim.name)}", "one after the other, before Karpenter does it to all of them",
            "its node drains as soon as Karpenter works; while it is down, the deletion waits for its finalizer",
        )  # fmt: skip
    yield verification("node-expiry-overdue", nodepool=claim.nodepool)
