"""The nodes that a run remembers, and what became of those that are gone."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from karpenter_check.disruption.deaths import Death, DeathReason, said_of_ends
from karpenter_check.disruption.expiry import expiry
from karpenter_check.metrics.overdue import Overdue, rule_of
from karpenter_check.snapshot import Kind, Snapshot
from karpenter_check.snapshot.last_run import KnownNode, LastRun
from karpenter_check.snapshot.once import once

_EARLY = timedelta(seconds=5)
"""So much before its expiry a NodeClaim may be deleted for that, as clocks differ."""


@dataclass(frozen=True)
class Delay:
    """How long a node that is gone was kept."""

    key: str
    node: str
    nodepool: str
    reason: str
    seconds: float


def gone_nodes(last: LastRun | None, snapshot: Snapshot) -> Sequence[KnownNode]:
    """The nodes of the last run that are not there any more; none where not all were seen, or where no time has passed since."""
    if last is None or snapshot.taken_at <= last.taken_at or not (snapshot.whole(Kind.NODECLAIM) and snapshot.whole(Kind.NODE)):
        return ()
    uids = {claim.metadata.uid for claim in snapshot.nodeclaims}
    names = {claim.status.node_name for claim in snapshot.nodeclaims} | snapshot.nodes_by_name.keys()
    return [known for known in last.nodes if not (known.uid in uids if known.uid else known.node in names)]


def deaths_between(gone: Sequence[KnownNode], snapshot: Snapshot) -> Iterator[Death]:
    """The deaths of nodes that were not on their way out at the last run, by what events and their expiry say.

    Not of one whose NodeClaim is not remembered and of whose end events tell: they are counted by their NodeClaim.
    """
    said, let_go = said_of_ends(snapshot), _let_go(snapshot)
    for known in gone:
        if known.deleted or (not known.uid and f"Node/{known.node}" in said):
            continue
        word, at = said.get(known.uid, (None, snapshot.taken_at))
        end = let_go.get(known.uid, snapshot.taken_at)
        due = known.expires is not None and known.expires - end <= _EARLY
        reason = word or (DeathReason.EXPIRED if due else DeathReason.UNKNOWN)
        yield Death(known.uid, known.nodeclaim, known.node, known.nodepool, reason, at, known.expires is not None)


@once
def _let_go(snapshot: Snapshot) -> Mapping[str, datetime]:
    """When Karpenter took its finalizer off the NodeClaims that are gone, by their UID."""
    return {
        event.involved_object.uid: event.first_seen
        for event in snapshot.events_by_reason.get("Finalized", ())
        if event.involved_object.kind == "NodeClaim" and event.involved_object.uid and event.first_seen
    }


def delays(gone: Sequence[KnownNode], snapshot: Snapshot) -> Iterator[Delay]:
    """How long the nodes were kept that should have been gone, and are by now."""
    let_go = _let_go(snapshot)
    for known in gone:
        if known.overdue_since:
            end = min(let_go.get(known.uid, snapshot.taken_at), snapshot.taken_at)
            seconds = max(0.0, (end - known.overdue_since).total_seconds())
            yield Delay(f"reaped/{known.uid or known.node}", known.node, known.nodepool, known.delay_reason or "unknown", seconds)


def known_nodes(
    last: LastRun | None,
    snapshot: Snapshot,
    overdue: Mapping[str, Overdue],
    evaluated: Collection[str],
    gone: Collection[KnownNode],
) -> tuple[KnownNode, ...]:
    """What is to be remembered of each node: its expiry, whether it is on its way out, and since when it should have been gone.

    Nodes that were not seen, and are not known to be gone, stay as they were.
    """
    before = {known.uid or known.node: known for known in (last.nodes if last else ())}
    seen, left = [], dict.fromkeys(before.values())
    for known in gone:
        left.pop(known, None)
    for claim in snapshot.nodeclaims:
        if not (claim.status.node_name or claim.is_true("Registered")):
            continue
        node, uid = claim.status.node_name or claim.name, claim.metadata.uid
        deletion = claim.metadata.deletion_timestamp
        deleted = deletion is not None and deletion <= snapshot.taken_at  # what lies ahead counts at the next run
        old = before.get(uid) or before.get(node)
        if old:
            left.pop(old, None)
        since, reason = _overdue(old, overdue.get(uid), evaluated, deleted=deleted)
        seen.append(KnownNode(node, claim.nodepool, uid, claim.name, expiry(snapshot, claim), deleted, since, reason))
    return tuple(sorted((*seen, *left), key=lambda known: (known.node, known.uid)))


def _overdue(
    old: KnownNode | None, now: Overdue | None, evaluated: Collection[str], *, deleted: bool
) -> tuple[datetime | None, str]:
    """Since when it should have been gone, and what keeps it: as long as it goes on, and until it is gone where it is on its way."""
    since = old.overdue_since if old else None
    if now:
        return min(since, now.since) if since else now.since, now.reason
    if old and since and (deleted or rule_of(old.delay_reason) not in evaluated):
        return since, old.delay_reason
    return None, ""
