"""What a scan says of itself and of its findings, and what of an earlier push stays where this one could not judge."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from karpenter_check.finding import Severity
from karpenter_check.metrics.catalogue import (
    ALLOWED_DISRUPTIONS,
    BUILD_INFO,
    COLLECTOR_SUCCESS,
    FINDINGS,
    LAST_RUN,
    LAST_SUCCESS,
    LIMIT_HEADROOM,
    NEXT_EXPIRY,
    NODES_BLOCKED,
    NODES_EXPIRING,
    NOT_REAPED,
    OBJECTS,
    REAPING_OVERDUE,
    RULE_EVALUATED,
    SCAN_DURATION,
    SUPPRESSED,
)
from karpenter_check.metrics.family import Family, Metric
from karpenter_check.metrics.occurrences import DEATH_RULE
from karpenter_check.metrics.overdue import BUDGETS_RULE, NOMINATED_RULE, rule_of
from karpenter_check.scan import Outcome, Report
from karpenter_check.snapshot import Kind, Snapshot, Status
from karpenter_check.snapshot.last_run import Labels

LIMITS_RULE = "nodepool-limit-reached"
_RULE: Mapping[Metric, Callable[[Labels], str]] = {
    FINDINGS: lambda labels: labels[0],
    NOT_REAPED: lambda _: NOMINATED_RULE,
    NODES_BLOCKED: lambda labels: rule_of(labels[1]),
    REAPING_OVERDUE: lambda labels: rule_of(labels[1]),
    NODES_EXPIRING: lambda _: DEATH_RULE,
    NEXT_EXPIRY: lambda _: DEATH_RULE,
    LIMIT_HEADROOM: lambda _: LIMITS_RULE,
    ALLOWED_DISRUPTIONS: lambda _: BUDGETS_RULE,
}
"""The rule that a series stands or falls with: where it was not evaluated, nothing is known of the series either."""


def evaluated_rules(report: Report) -> frozenset[str]:
    """The slugs of the rules that came to an end."""
    return frozenset(run.rule.slug for run in report.runs if run.outcome in {Outcome.PASSED, Outcome.FAILED})


def findings_families(report: Report, *, version: str, took: float) -> tuple[Family, ...]:
    """What a scan found. `took` is in seconds. A rule that was not evaluated has no findings series at all."""
    evaluated, snapshot = evaluated_rules(report), report.snapshot
    zeros: dict[Labels, float] = {(slug, str(severity), ""): 0.0 for slug in evaluated for severity in Severity}
    found = Counter((result.rule.slug, str(result.severity), result.finding.nodepool) for result in report.results)
    left_be: dict[Labels, float] = {
        (slug,): float(number) for slug, number in Counter(result.rule.slug for result in report.suppressed).items()
    }
    families = [
        Family(FINDINGS, {**zeros, **{labels: float(number) for labels, number in found.items()}}),
        Family(SUPPRESSED, {**dict.fromkeys(((slug,) for slug in evaluated), 0.0), **left_be}),
        Family(RULE_EVALUATED, {(run.rule.slug,): float(run.rule.slug in evaluated) for run in report.runs}),
        Family(OBJECTS, {(str(kind),): float(coverage.count) for kind, coverage in snapshot.coverage.items()}),
        Family(SCAN_DURATION, {(): took}),
        *status_families(snapshot, version=version, at=snapshot.taken_at),
    ]
    if not report.lacks_input:
        families.append(Family(LAST_SUCCESS, {(): snapshot.taken_at.timestamp()}))
    return tuple(families)


def status_families(snapshot: Snapshot | None, *, version: str, at: datetime) -> tuple[Family, ...]:
    """What is known of a run, even of one that failed: without a snapshot no kind was collected."""
    collected = {kind for kind in Kind if snapshot and snapshot.covered(kind).status is Status.COMPLETE}
    return (
        Family(COLLECTOR_SUCCESS, {(str(kind),): float(kind in collected) for kind in Kind}),
        Family(LAST_RUN, {(): at.timestamp()}),
        Family(BUILD_INFO, {(version,): 1.0}),
    )


def carried_over(families: Sequence[Family], before: Collection[Family], evaluated: Collection[str]) -> tuple[Family, ...]:
    """The families of an incomplete scan, with what only an earlier push knows: series of rules that were not evaluated now, and the last success."""
    now = {family.name: family for family in families}
    for old in before:
        if rule := _RULE.get(old.metric):
            kept = {labels: value for labels, value in old.samples.items() if rule(labels) not in evaluated}
            if kept:
                current = now.get(old.name, Family(old.metric))
                now[old.name] = replace(current, samples={**kept, **current.samples})
        elif old.metric == LAST_SUCCESS:
            now.setdefault(old.name, old)
    return tuple(now.values())
