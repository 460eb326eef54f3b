"""What users ask of Karpenter and do not get: when nodes expire, which are kept and why, and what NodePools may still do."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import timedelta

from karpenter_check.disruption.allowance import Unknown, remaining
from karpenter_check.disruption.candidate import DRIFTED, EMPTY, UNDERUTILIZED
from karpenter_check.disruption.expiry import expiry
from karpenter_check.disruption.nominated import renewed
from karpenter_check.metrics.catalogue import (
    ALLOWED_DISRUPTIONS,
    DELAY_REASONS,
    LIMIT_HEADROOM,
    NEXT_EXPIRY,
    NODE_EXPIRY,
    NODE_OVERDUE_SINCE,
    NODES_BLOCKED,
    NODES_EXPIRING,
    NOT_REAPED,
    REAPING_OVERDUE,
)
from karpenter_check.metrics.family import Family
from karpenter_check.metrics.occurrences import DEATH_RULE
from karpenter_check.metrics.overdue import BUDGETS_RULE, NOMINATED_RULE, Overdue, rule_of
from karpenter_check.metrics.run_families import LIMITS_RULE
from karpenter_check.scan import Report
from karpenter_check.scheduling.nodepool import remaining as remaining_limits
from karpenter_check.snapshot import Snapshot
from karpenter_check.snapshot.last_run import KnownNode, Labels

_WITHIN: Mapping[str, timedelta] = {"15m": timedelta(minutes=15), "1h": timedelta(hours=1), "24h": timedelta(hours=24)}
_SOON = timedelta(hours=24)


def node_families(
    report: Report, known: Sequence[KnownNode], overdue: Mapping[str, Overdue], evaluated: Collection[str]
) -> tuple[Family, ...]:
    """Gauges of nodes and NodePools, as far as the rules that they stand on were evaluated."""
    snapshot = report.snapshot
    families = [*_overdue(snapshot, overdue, evaluated), *_of_known(snapshot, known)]
    if DEATH_RULE in evaluated:
        families += _expiring(snapshot)
    if LIMITS_RULE in evaluated:
        families.append(Family(LIMIT_HEADROOM, dict(_headroom(snapshot))))
    if BUDGETS_RULE in evaluated:
        families.append(Family(ALLOWED_DISRUPTIONS, dict(_allowed(snapshot))))
    if NOMINATED_RULE in evaluated:
        families.append(Family(NOT_REAPED, dict.fromkeys(_not_reaped(report), 1.0)))
    return tuple(families)


def _overdue(snapshot: Snapshot, overdue: Mapping[str, Overdue], evaluated: Collection[str]) -> Iterator[Family]:
    reasons = [reason for reason in DELAY_REASONS if rule_of(reason) in evaluated]
    blocked: dict[Labels, float] = {(pool.name, reason): 0.0 for pool in snapshot.nodepools for reason in reasons}
    longest = dict(blocked)
    for entry in overdue.values():
        labels = (entry.nodepool, entry.reason)
        blocked[labels] = blocked.get(labels, 0.0) + 1
        longest[labels] = max(longest.get(labels, 0.0), (snapshot.taken_at - entry.since).total_seconds())
    yield Family(NODES_BLOCKED, blocked)
    yield Family(REAPING_OVERDUE, longest)


def _of_known(snapshot: Snapshot, known: Sequence[KnownNode]) -> Iterator[Family]:
    """What the next run reads back, if nothing else remembers."""
    soon: dict[Labels, float] = {
        (entry.node, entry.nodepool): entry.expires.timestamp()
        for entry in known
        if entry.expires and not entry.deleted and entry.expires - snapshot.taken_at <= _SOON
    }
    since: dict[Labels, float] = {
        (entry.node, entry.nodepool, entry.delay_reason): entry.overdue_since.timestamp() for entry in known if entry.overdue_since
    }
    yield Family(NODE_EXPIRY, soon)
    yield Family(NODE_OVERDUE_SINCE, since)


def _expiring(snapshot: Snapshot) -> Iterator[Family]:
    claims = [claim for claim in snapshot.nodeclaims if claim.status.node_name and not claim.metadata.deletion_timestamp]
    staying = [(claim.nodepool, expires) for claim in claims if (expires := expiry(snapshot, claim))]
    expiring: dict[Labels, float] = {(pool.name, within): 0.0 for pool in snapshot.nodepools for within in _WITHIN}
    within_span = Counter(
        (nodepool, within)
        for nodepool, expires in staying
        for within, span in _WITHIN.items()
        if expires - snapshot.taken_at <= span
    )
    expiring.update({labels: float(number) for labels, number in within_span.items()})
    following: dict[Labels, float] = {}
    for nodepool, expires in staying:
        following[(nodepool,)] = min(expires.timestamp(), following.get((nodepool,), expires.timestamp()))
    yield Family(NODES_EXPIRING, expiring)
    yield Family(NEXT_EXPIRY, following)


def _headroom(snapshot: Snapshot) -> Iterator[tuple[Labels, float]]:
    for nodepool in snapshot.nodepools:
        for resource, (limit, used) in remaining_limits(nodepool).items():
            yield (nodepool.name, resource), (limit - used) / 1000


def _allowed(snapshot: Snapshot) -> Iterator[tuple[Labels, float]]:
    for nodepool in snapshot.nodepools:
        for reason in (DRIFTED, EMPTY, UNDERUTILIZED):
            answer = remaining(snapshot, nodepool, reason)
            if not isinstance(answer, Unknown):
                yield (nodepool.name, reason), float("inf") if answer.left is None else float(answer.left)


def _not_reaped(report: Report) -> Iterator[Labels]:
    pods = renewed(report.snapshot)
    for result in report.results:
        if result.rule.slug == NOMINATED_RULE:
            for occurrence in result.finding.occurrences:
                for nominee in pods.get(occurrence.node, ()):
                    metadata = nominee.pod.metadata
                    yield occurrence.node, result.finding.nodepool, metadata.name, metadata.namespace
