"""A report as gauges. Names are stable; docs/metrics.md lists them."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeAlias

from karpenter_check.finding import Severity
from karpenter_check.scan import Outcome, Report
from karpenter_check.snapshot import Kind, Snapshot, Status

PREFIX = "karpenter_check_"
"""Before every name; the controller owns `karpenter_`."""

Labels: TypeAlias = tuple[str, ...]

FINDINGS = f"{PREFIX}findings"
SUPPRESSED = f"{PREFIX}findings_suppressed"
RULE_EVALUATED = f"{PREFIX}rule_evaluated"
COLLECTOR_SUCCESS = f"{PREFIX}collector_success"
OBJECTS = f"{PREFIX}objects"
SCAN_DURATION = f"{PREFIX}scan_duration_seconds"
LAST_RUN = f"{PREFIX}last_run_timestamp_seconds"
LAST_SUCCESS = f"{PREFIX}last_success_timestamp_seconds"
BUILD_INFO = f"{PREFIX}build_info"
LABELS: Mapping[str, Labels] = {
    FINDINGS: ("rule", "severity", "nodepool"),
    SUPPRESSED: ("rule",),
    RULE_EVALUATED: ("rule",),
    COLLECTOR_SUCCESS: ("kind",),
    OBJECTS: ("kind",),
    SCAN_DURATION: (),
    LAST_RUN: (),
    LAST_SUCCESS: (),
    BUILD_INFO: ("version",),
}
"""Every gauge, and its labels in their order."""
DOCUMENTATION = {
    FINDINGS: "Findings by rule, severity and NodePool; zeros, without a NodePool, for every rule that was evaluated.",
    SUPPRESSED: "Findings by rule that the configuration or an annotation leaves be; they are in no other series.",
    RULE_EVALUATED: "Whether a rule was evaluated: 0 where its input was not seen or proves nothing, or where it crashed.",
    COLLECTOR_SUCCESS: "Whether all objects of a kind were read.",
    OBJECTS: "Objects that were read, by kind.",
    SCAN_DURATION: "How long the scan took.",
    LAST_RUN: "When the last scan was made, failed ones too.",
    LAST_SUCCESS: "When the last scan was made of which every rule had its input, optional kinds aside.",
    BUILD_INFO: "The version of karpenter-check; always 1.",
}


@dataclass(frozen=True)
class Gauge:
    """A family of samples: the values of its labels, in their order, and a value."""

    name: str
    documentation: str
    labels: Labels
    samples: Mapping[Labels, float]


def _gauge(name: str, samples: Mapping[Labels, float]) -> Gauge:
    return Gauge(name, DOCUMENTATION[name], LABELS[name], samples)


def evaluated_rules(report: Report) -> frozenset[str]:
    """The slugs of the rules that came to an end."""
    return frozenset(run.rule.slug for run in report.runs if run.outcome in {Outcome.PASSED, Outcome.FAILED})


def report_gauges(report: Report, *, version: str, took: float) -> tuple[Gauge, ...]:
    """What a scan has to say. `took` is in seconds. A rule that was not evaluated has no findings series at all."""
    evaluated, snapshot = evaluated_rules(report), report.snapshot
    zeros: dict[Labels, float] = {(slug, str(severity), ""): 0.0 for slug in evaluated for severity in Severity}
    found = Counter((result.rule.slug, str(result.severity), result.finding.nodepool) for result in report.results)
    left_be: dict[Labels, float] = {
        (slug,): float(number) for slug, number in Counter(result.rule.slug for result in report.suppressed).items()
    }
    gauges = [
        _gauge(FINDINGS, {**zeros, **{labels: float(number) for labels, number in found.items()}}),
        _gauge(SUPPRESSED, {**dict.fromkeys(((slug,) for slug in evaluated), 0.0), **left_be}),
        _gauge(RULE_EVALUATED, {(run.rule.slug,): float(run.rule.slug in evaluated) for run in report.runs}),
        _gauge(OBJECTS, {(str(kind),): float(coverage.count) for kind, coverage in snapshot.coverage.items()}),
        _gauge(SCAN_DURATION, {(): took}),
        *status_gauges(snapshot, version=version, at=snapshot.taken_at),
    ]
    if not report.lacks_input:
        gauges.append(_gauge(LAST_SUCCESS, {(): snapshot.taken_at.timestamp()}))
    return tuple(gauges)


def status_gauges(snapshot: Snapshot | None, *, version: str, at: datetime) -> tuple[Gauge, ...]:
    """What is known of a run, even of one that failed: without a snapshot no kind was collected."""
    collected = {kind for kind in Kind if snapshot and snapshot.covered(kind).status is Status.COMPLETE}
    return (
        _gauge(COLLECTOR_SUCCESS, {(str(kind),): float(kind in collected) for kind in Kind}),
        _gauge(LAST_RUN, {(): at.timestamp()}),
        _gauge(BUILD_INFO, {(version,): 1.0}),
    )


def carried_over(gauges: Sequence[Gauge], before: Collection[Gauge], evaluated: Collection[str]) -> tuple[Gauge, ...]:
    """The gauges of an incomplete scan, with what only an earlier push knows.

    That is the findings of the rules that were not evaluated now, and the last success.
    """
    now, earlier = {gauge.name: gauge for gauge in gauges}, {gauge.name: gauge for gauge in before}
    if old := earlier.get(FINDINGS):
        kept = {labels: value for labels, value in old.samples.items() if labels[0] not in evaluated}
        now[FINDINGS] = replace(now[FINDINGS], samples={**kept, **now[FINDINGS].samples})
    if old := earlier.get(LAST_SUCCESS):
        now.setdefault(LAST_SUCCESS, old)
    return tuple(now.values())
