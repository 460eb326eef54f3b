"""What a report says in metrics."""

import subprocess
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from karpenter_check.finding import Severity
from karpenter_check.metrics.catalogue import (
    BUILD_INFO,
    COLLECTOR_SUCCESS,
    FINDINGS,
    LAST_RUN,
    LAST_SUCCESS,
    OBJECTS,
    RULE_EVALUATED,
)
from karpenter_check.metrics.exposition import exposition
from karpenter_check.metrics.family import Family, Metric
from karpenter_check.metrics.run_families import carried_over, evaluated_rules, findings_families, status_families
from karpenter_check.rules import every_rule
from karpenter_check.scan import Report, scan
from karpenter_check.snapshot import Coverage, Kind, Snapshot, Status, Version
from karpenter_check.snapshot.last_run import Labels
from tests.build import NOON, a_cluster, a_healthy_cluster, a_nodepool, ago
from tests.metrics.history import History, kept_for_hours
from tests.programs import installed

WITHOUT_EVENTS = {rule.slug for rule in every_rule() if Kind.EVENT in rule.needs}


def samples(report: Report, metric: Metric) -> dict[Labels, float]:
    """A family's samples; none where there is no such family."""
    families = {family.metric: family for family in findings_families(report, version="1.2.3", took=0.5)}
    return dict(families[metric].samples) if metric in families else {}


def judged(snapshot: Snapshot) -> Report:
    return scan(snapshot, every_rule())


def a_cluster_without_events() -> Snapshot:
    whole = a_healthy_cluster()
    return replace(whole, coverage={**whole.coverage, Kind.EVENT: Coverage(Status.FORBIDDEN)})


def test_every_evaluated_rule_is_zero_at_every_severity() -> None:
    assert samples(judged(a_healthy_cluster()), FINDINGS) == {
        (rule.slug, str(severity), ""): 0.0 for rule in every_rule() for severity in Severity
    }


def test_findings_are_counted_by_rule_severity_and_nodepool(recorded: Callable[[str], Report]) -> None:
    counted = {labels: value for labels, value in samples(recorded("faults"), FINDINGS).items() if value}

    found = Counter((result.rule.slug, str(result.severity), result.finding.nodepool) for result in recorded("faults").results)

    assert counted == {labels: float(number) for labels, number in found.items()}
    assert counted["pod-fits-no-nodepool", "high", ""] == 6.0


def test_a_rule_that_was_not_evaluated_has_no_findings_series() -> None:
    report = judged(a_cluster_without_events())

    assert {labels[0] for labels in samples(report, FINDINGS)} == {rule.slug for rule in every_rule()} - WITHOUT_EVENTS
    assert {labels[0] for labels, value in samples(report, RULE_EVALUATED).items() if value == 0} == WITHOUT_EVENTS


def test_a_kind_that_was_not_wholly_read_has_not_succeeded() -> None:
    succeeded = samples(judged(a_cluster_without_events()), COLLECTOR_SUCCESS)

    assert succeeded == {(str(kind),): float(kind is not Kind.EVENT) for kind in Kind}


def test_objects_are_counted_by_kind(recorded: Callable[[str], Report]) -> None:
    assert samples(recorded("healthy"), OBJECTS)[("Pod",)] == 27


def test_the_last_success_is_told_only_of_a_scan_that_had_its_input() -> None:
    assert samples(judged(a_healthy_cluster()), LAST_SUCCESS) == {(): NOON.timestamp()}
    assert samples(judged(a_cluster_without_events()), LAST_SUCCESS) == {}


def test_what_no_snapshot_could_prove_is_no_failure() -> None:
    report = judged(replace(a_healthy_cluster(), karpenter_version=Version(1, 14)))

    assert samples(report, RULE_EVALUATED)[("daemonset-overhead-wasted",)] == 0
    assert samples(report, LAST_SUCCESS) == {(): NOON.timestamp()}


def test_a_failed_run_tells_its_status_alone() -> None:
    assert {family.metric: dict(family.samples) for family in status_families(None, version="1.2.3", at=NOON)} == {
        COLLECTOR_SUCCESS: {(str(kind),): 0.0 for kind in Kind},
        LAST_RUN: {(): NOON.timestamp()},
        BUILD_INFO: {("1.2.3",): 1.0},
    }


def test_an_incomplete_scan_keeps_what_only_the_last_push_knows() -> None:
    before = (
        Family(FINDINGS, {("nominated-pod-failure", "high", "idle"): 3.0, ("node-ttl-death", "high", "old"): 7.0}),
        Family(LAST_SUCCESS, {(): 5.0}),
    )
    report = judged(a_cluster_without_events())
    carried = {
        family.metric: family
        for family in carried_over(findings_families(report, version="1", took=0), before, evaluated_rules(report))
    }

    assert {labels: value for labels, value in carried[FINDINGS].samples.items() if value} == {
        ("nominated-pod-failure", "high", "idle"): 3.0
    }
    assert carried[LAST_SUCCESS].samples == {(): 5.0}


def test_a_first_incomplete_scan_has_nothing_to_keep() -> None:
    report = judged(a_cluster_without_events())
    families = findings_families(report, version="1", took=0)

    assert carried_over(families, (), evaluated_rules(report)) == families


def test_promtool_finds_nothing_to_mend(recorded: Callable[[str], Report]) -> None:
    text = exposition(findings_families(recorded("faults"), version="1.2.3", took=0.5))
    checked = subprocess.run([installed("promtool"), "check", "metrics"], input=text, capture_output=True, text=True, check=False)

    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_promtool_finds_nothing_to_mend_in_counters_and_histograms() -> None:
    history = History()
    history.scan(kept_for_hours())
    history.scan(a_cluster(a_nodepool()), ago("-30m"))
    text = exposition(history.families)
    checked = subprocess.run([installed("promtool"), "check", "metrics"], input=text, capture_output=True, text=True, check=False)

    assert "karpenter_check_node_reaping_delay_seconds_bucket" in text
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_hostile_labels_are_escaped() -> None:
    family = Family(FINDINGS, {("r", "high", 'a"b\\c\nd'): 1.0})

    assert exposition([family]).splitlines()[-1] == r'karpenter_check_findings{nodepool="a\"b\\c\nd",rule="r",severity="high"} 1.0'
