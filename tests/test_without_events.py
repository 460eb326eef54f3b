"""Events add detail, and their absence proves nothing: without them rules find less, and are less sure."""

import dataclasses
from collections.abc import Callable, Mapping

import pytest
from msgspec import structs

from karpenter_check.finding import Confidence, Finding, Impact
from karpenter_check.rule import AnyRule
from karpenter_check.rules import every_rule
from karpenter_check.rules.node_ttl_death import node_ttl_death
from karpenter_check.rules.pod_fits_no_nodepool import pod_fits_no_nodepool
from karpenter_check.scan import Outcome, Report, Result, scan
from karpenter_check.snapshot import Coverage, Kind, Snapshot, Status
from karpenter_check.why.pod import why_pod
from tests.build import Thing, a_cluster, a_node, a_nodeclaim, a_nodepool, a_pod

UNREAD = {
    Status.NOT_COLLECTED: "--no-events",
    Status.FORBIDDEN: "events is forbidden",
    Status.FAILED: "timed out",
}
BY_EVENTS_ALONE = {
    "consolidation-churn", "nominated-pod-failure", "node-reaping-nominated", "pod-ip-exhausted", "topology-spread-deadlock",
}  # fmt: skip
SURENESS = list(Confidence)
NOBODY_READS = ("Scheduled", "FailedScheduling")
"""Of the scheduler's events: a live cluster is not asked for them."""


def without_events(snapshot: Snapshot, status: Status = Status.NOT_COLLECTED) -> Snapshot:
    coverage = {**snapshot.coverage, Kind.EVENT: Coverage(status, reason=UNREAD[status])}
    return dataclasses.replace(snapshot, events=(), coverage=coverage)


def as_read_live(snapshot: Snapshot) -> Snapshot:
    """With the events that a live cluster is asked for."""
    kept = tuple(event for event in snapshot.events if event.component != "default-scheduler" or event.reason not in NOBODY_READS)
    assert len(kept) < len(snapshot.events)
    return dataclasses.replace(snapshot, events=kept)


def by_fingerprint(report: Report) -> Mapping[str, Result]:
    return {result.fingerprint: result for result in report.results}


def unread(*things: Thing) -> Snapshot:
    return without_events(a_cluster(*things))


@pytest.mark.parametrize("status", UNREAD)
@pytest.mark.parametrize("name", ["faults", "runaway", "healthy"])
@pytest.mark.parametrize("rule", every_rule(), ids=lambda rule: rule.slug)
def test_without_events_a_rule_finds_nothing_new_and_is_no_surer(
    recorded: Callable[[str], Report], rule: AnyRule, name: str, status: Status
) -> None:
    snapshot = recorded(name).snapshot
    whole, less = by_fingerprint(scan(snapshot, [rule])), by_fingerprint(scan(without_events(snapshot, status), [rule]))

    assert less.keys() <= whole.keys()
    assert [
        entry
        for entry, result in less.items()
        if SURENESS.index(result.finding.confidence) < SURENESS.index(whole[entry].finding.confidence)
        or result.severity.rank < whole[entry].severity.rank
    ] == []


@pytest.mark.parametrize("status", UNREAD)
def test_rules_that_know_from_events_alone_are_skipped_and_say_why(recorded: Callable[[str], Report], status: Status) -> None:
    report = scan(without_events(recorded("faults").snapshot, status), every_rule())
    skipped = {
        run.rule.slug: (run.reason, run.missing)
        for run in report.runs
        if run.outcome is Outcome.SKIPPED and Kind.EVENT in run.missing
    }

    assert skipped == dict.fromkeys(BY_EVENTS_ALONE, (f"Event: {status} ({UNREAD[status]})", (Kind.EVENT,)))


def without_evictions(result: Result) -> Result:
    """A death's finding without what events told of its evictions: which node a pod was on is the scheduler's to say."""
    if result.rule.slug != "node-ttl-death":
        return result
    evidence = tuple(entry for entry in result.finding.evidence if entry.event is None)
    finding = structs.replace(result.finding, cost="", impact=Impact(nodes=result.finding.impact.nodes), evidence=evidence)
    return dataclasses.replace(result, finding=finding)


@pytest.mark.parametrize("name", ["faults", "runaway", "healthy"])
def test_of_the_schedulers_own_events_only_evictions_are_missed(recorded: Callable[[str], Report], name: str) -> None:
    report = recorded(name)
    live = scan(as_read_live(report.snapshot), every_rule())

    assert [without_evictions(result) for result in live.results] == [without_evictions(result) for result in report.results]


def test_an_eviction_whose_node_is_not_known_is_neither_counted_nor_denied(recorded: Callable[[str], Report]) -> None:
    live = scan(as_read_live(recorded("faults").snapshot), [node_ttl_death])

    assert [result.finding.cost for result in live.results] == ["1 pod still there"]


def a_death() -> tuple[Thing, ...]:
    claim = a_nodeclaim(node="n1", age="24h10m", expire_after="24h", deleted="10m")
    return claim, a_node("n1", deleted="10m"), a_pod("app", on="n1")


def test_that_nothing_but_its_expiry_ended_a_node_is_only_possible_where_interruptions_would_not_show() -> None:
    (heard,), (unheard,) = node_ttl_death(a_cluster(*a_death())), node_ttl_death(unread(*a_death()))

    assert (heard.confidence, unheard.confidence) == (Confidence.LIKELY, Confidence.POSSIBLE)


def test_without_events_no_eviction_is_denied() -> None:
    (heard,), (unheard,) = node_ttl_death(a_cluster(*a_death())), node_ttl_death(unread(*a_death()))

    assert (heard.cost, unheard.cost) == ("1 pod still there", "1 pod still there; evictions are not known: events were not read")


def refused(*things: Thing, heard: bool) -> list[Finding]:
    cluster = a_cluster(*things, a_nodepool(), a_pod("app", selector={"team": "web"}))
    return list(pod_fits_no_nodepool(cluster if heard else without_events(cluster)))


def test_that_no_nodepool_takes_a_pod_is_likely_where_karpenter_may_have_said_otherwise() -> None:
    (heard,), (unheard,) = refused(heard=True), refused(heard=False)

    assert (heard.confidence, unheard.confidence) == (Confidence.CERTAIN, Confidence.LIKELY)


@pytest.mark.parametrize(("size", "expected"), [("2", []), ("50m", [Confidence.LIKELY])], ids=["large enough", "too small"])
def test_a_nodeclaim_that_is_not_launched_may_be_the_pods_where_no_event_says_whose_it_is(
    size: str, expected: list[Confidence]
) -> None:
    coming = a_nodeclaim("c1", node="", launched=False, requests={"cpu": size, "memory": "1Gi"})

    assert [finding.confidence for finding in refused(coming, heard=False)] == expected
    assert len(refused(coming, heard=True)) == 1


def test_why_says_that_events_were_not_read() -> None:
    answer = why_pod(unread(a_nodepool(), a_pod("app", selector={"team": "web"})), "app")

    assert (answer.said[:1], answer.unseen) == (answer.said, ("Event: not-collected (--no-events)",))
