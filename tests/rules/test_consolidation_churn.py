from collections.abc import Sequence
from datetime import timedelta

import msgspec
import pytest

from karpenter_check.finding import Confidence, EventEvidence, Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity
from karpenter_check.rules.consolidation_churn import consolidation_churn
from karpenter_check.scan import Outcome, scan
from karpenter_check.snapshot import Kind, Status
from karpenter_check.snapshot.event import Event, InvolvedObject
from karpenter_check.snapshot.metadata import OwnerReference
from karpenter_check.snapshot.pod_object import PodObject
from tests.build import Thing, a_cluster, a_node, a_nodeclaim, a_nodepool, a_pod, a_uid, ago, an_event

POOL = Ref("NodePool", "search", "karpenter.sh/v1")
LAUNCHED = "Status condition transitioned, Type: Launched, Status: Unknown -> True, Reason: Launched"
SEARCH = a_nodepool("search", consolidate_after="30s")
SPOT = a_nodepool("search", consolidate_after="30s", requirements=["karpenter.sh/capacity-type In spot"])
LIVES = ("58m", "50m"), ("49m", "40m"), ("39m", "28m")
"""When each node came, and when it went."""


def claim(name: str) -> InvolvedObject:
    return InvolvedObject("NodeClaim", name=name, uid=a_uid("NodeClaim", name))


def came(name: str, age: str) -> Event:
    return an_event("Launched", LAUNCHED, about=claim(name), first=age)


def went(name: str, age: str, reason: str = "Underutilized") -> Event:
    return an_event("DisruptionTerminating", f"Disrupting NodeClaim: {reason}", about=claim(name), first=age)


def names(pool: str = "search") -> Sequence[str]:
    return [f"{pool}-{letter * 5}" for letter in "abcdef"]


def lives(*spans: tuple[str, str], reason: str = "Underutilized", pool: str = "search") -> list[Event]:
    return [
        event
        for name, (born, ended) in zip(names(pool), spans or LIVES, strict=False)
        for event in (came(name, born), went(name, ended, reason))
    ]


def others(*ages: str) -> list[Thing]:
    """Nodes of the NodePool that are there."""
    return [a_node(f"n{place}", pool="search", age=age) for place, age in enumerate(ages)]


def found(*things: Thing, minimum_nodes: int = 3, young: timedelta = timedelta(minutes=20)) -> list[Finding]:
    return list(consolidation_churn(a_cluster(*things), minimum_nodes=minimum_nodes, young=young))


def told(*things: Thing) -> list[tuple[int, Severity | None]]:
    return [(len(finding.occurrences), finding.severity) for finding in found(*things)]


def test_nodes_that_are_replaced_soon_after_they_came_are_found() -> None:
    shown = tuple(
        Evidence(event=EventEvidence("DisruptionTerminating", "Disrupting NodeClaim: Underutilized", 1, ago(age)))
        for age in ("50m", "40m", "28m")
    )

    assert found(SEARCH, *lives(), *others("27m")) == [
        Finding(
            object=POOL,
            owner=POOL,
            nodepool="search",
            cause="young-nodes",
            severity=Severity.MEDIUM,
            confidence=Confidence.LIKELY,
            message="consolidation took 3 nodes of search away 8m to 11m after they came, and 3 were bought again",
            why="WhenEmptyOrUnderutilized with consolidateAfter 30s: Karpenter looks for something cheaper as soon as no pod has come "
            "or gone for so long; this within the last 50m",
            cost="the pods of each were evicted, and each new node starts, pulls images and is paid for before it does any work",
            impact=Impact(nodes=3),
            evidence=(
                Evidence(POOL, "spec.disruption.consolidateAfter", "30s"),
                Evidence(POOL, "spec.disruption.consolidationPolicy", "WhenEmptyOrUnderutilized"),
                *shown,
            ),
            occurrences=tuple(
                Occurrence(Ref("NodeClaim", name, "karpenter.sh/v1"), a_uid("NodeClaim", name), "", "underutilized", ago(ended))
                for name, (_, ended) in zip(names(), LIVES, strict=False)
            ),
            since=ago("50m"),
            fix=(
                Fix(
                    "fix",
                    """kubectl patch nodepool search --type merge -p '{"spec":{"disruption":{"consolidateAfter":"10m"}}}'""",
                    "nodes then stay until their pods have been quiet for so long",
                    "nodes that are not needed cost longer; no node drifts",
                ),
                Fix(
                    "or",
                    "kubectl patch nodepool search --type json -p "
                    '\'[{"op":"add","path":"/spec/disruption/budgets/-","value":{"nodes":"1","reasons":["Underutilized"]}}]\'',
                    "one such node at a time",
                    "it slows consolidation down, and ends no churn",
                ),
                Fix("verify", "karpenter-check scan --select consolidation-churn --nodepool search"),
            ),
        )
    ]


def test_replacements_that_are_launched_beforehand_count_as_bought_again() -> None:
    launching = [
        an_event("DisruptionLaunching", "Launching NodeClaim: Underutilized", about=claim(f"search-{letter * 5}"), first="52m")
        for letter in "xyz"
    ]

    assert told(SEARCH, *lives(("58m", "50m"), ("58m", "50m"), ("58m", "50m")), *launching) == [(3, Severity.MEDIUM)]


@pytest.mark.parametrize("reason", ["Underutilized/Delete", "Consolidation/Replace"])
def test_the_words_of_older_versions_are_known(reason: str) -> None:
    assert told(SEARCH, *lives(reason=reason), *others("27m")) == [(3, Severity.MEDIUM)]


@pytest.mark.parametrize("reason", ["Empty", "Drifted", "Consolidation/Delete", "Emptiness/Delete", "Expiration/Replace"])
def test_nodes_that_were_empty_or_that_drifted_or_expired_are_no_churn(reason: str) -> None:
    assert told(SEARCH, *lives(reason=reason), *others("27m")) == []


def test_a_scale_out_is_no_churn() -> None:
    assert told(SEARCH, *(came(name, "10m") for name in names()), *others("9m", "9m", "8m", "8m")) == []


def test_a_scale_in_that_buys_nothing_is_no_churn() -> None:
    assert told(SEARCH, *lives(("58m", "50m"), ("58m", "49m"), ("58m", "48m")), *others("58m", "58m")) == []


def test_a_scale_out_long_after_a_scale_in_is_no_churn() -> None:
    assert told(SEARCH, *lives(("58m", "50m"), ("58m", "49m"), ("58m", "48m")), *others("20m", "20m", "20m")) == []


def test_nodes_that_were_old_are_no_churn() -> None:
    assert told(SEARCH, *lives(("59m", "30m"), ("58m", "29m"), ("57m", "28m")), *others("27m", "27m", "27m")) == []


def test_of_a_node_whose_birth_nothing_tells_no_age_is_known() -> None:
    assert told(SEARCH, *(event for event in lives() if event.reason != "Launched"), *others("27m", "27m", "27m")) == []


def test_two_events_of_one_node_are_one() -> None:
    (name, *_), ((born, ended), *_) = names(), LIVES

    assert (
        told(SEARCH, came(name, born), went(name, ended), went(name, "49m"), went(name, "48m"), *others("40m", "40m", "40m")) == []
    )


def test_what_another_than_karpenter_says_is_nothing() -> None:
    said = [an_event(entry.reason, entry.message, about=entry.involved_object, first="30m", component="other") for entry in lives()]

    assert told(SEARCH, *said, *others("27m", "27m", "27m")) == []


@pytest.mark.parametrize(
    "nodepool",
    [
        a_nodepool("search", policy="WhenEmpty"),
        a_nodepool("search", consolidate_after="Never"),
        a_nodepool("search", replicas=3),
        a_nodepool("search", deleted="1m"),
    ],
    ids=["WhenEmpty now", "Never now", "static", "being deleted"],
)
def test_where_it_was_ended_nothing_is_told(nodepool: Thing) -> None:
    assert told(nodepool, *lives(), *others("27m")) == []


def test_nodes_of_a_nodepool_that_is_gone_are_nobodys() -> None:
    assert told(a_nodepool("web"), *lives(pool="search")) == []


def test_spot_alone_comes_and_goes_anyway() -> None:
    (finding,) = found(SPOT, *lives(), *others("27m"))

    assert (finding.severity, finding.why.rpartition("; ")[2]) == (Severity.LOW, "its nodes are spot, which come and go anyway")


def a_job_pod(name: str) -> PodObject:
    pod = a_pod(name, on="n0")
    owner = OwnerReference("Job", "sums", "u", "batch/v1", controller=True)
    return msgspec.structs.replace(pod, metadata=msgspec.structs.replace(pod.metadata, owner_references=(owner,)))


def test_a_nodepool_of_jobs_churns_by_design() -> None:
    assert told(SEARCH, *lives(), *others("27m"), a_job_pod("sums-1")) == [(3, Severity.LOW)]
    assert told(SEARCH, *lives(), *others("27m"), a_job_pod("sums-1"), a_pod("web", on="n0")) == [(3, Severity.MEDIUM)]


def test_with_a_long_consolidate_after_only_a_budget_is_left() -> None:
    (finding,) = found(a_nodepool("search", consolidate_after="15m"), *lives(), *others("27m"))

    assert [fix.step for fix in finding.fix] == ["fix", "verify"]


def test_a_nodeclaim_that_is_still_there_tells_its_age_and_its_nodepool() -> None:
    claims = [a_nodeclaim(f"odd{place}", node=f"n{place}", pool="search", age="15m", deleted="5m") for place in range(3)]
    ends = [went(entry.name, "5m") for entry in claims]
    again = [came(f"search-{letter * 5}", "4m") for letter in "xyz"]

    assert told(SEARCH, *claims, *ends, *again) == [(3, Severity.MEDIUM)]


def test_how_many_and_how_young_are_settings() -> None:
    things: list[Thing] = [SEARCH, *lives(), *others("27m")]

    assert found(*things, minimum_nodes=4) == []
    assert found(*things, young=timedelta(minutes=10)) == []
    assert len(found(SEARCH, *lives(("58m", "50m")), *others("49m"), minimum_nodes=1)) == 1


def test_without_events_it_is_not_checked() -> None:
    report = scan(a_cluster(SEARCH, *others("27m"), missing={Kind.EVENT: Status.NOT_COLLECTED}), [consolidation_churn])

    assert [run.outcome for run in report.runs] == [Outcome.SKIPPED]


def test_under_v1beta1_there_is_no_consolidate_after_to_set_and_budgets_know_no_reasons() -> None:
    nodepool = a_nodepool("search", policy="WhenUnderutilized", consolidate_after="")
    (finding,) = found(nodepool, *lives(), *others("27m"))

    assert finding.why.startswith("WhenUnderutilized: Karpenter looks for something cheaper all the time; this within")
    assert [entry.path for entry in finding.evidence if entry.path] == ["spec.disruption.consolidationPolicy"]
    assert [(fix.step, fix.command) for fix in finding.fix[:-1]] == [
        (
            "fix",
            """kubectl patch nodepool search --type json -p '[{"op":"add","path":"/spec/disruption/budgets/-","value":{"nodes":"1"}}]'""",
        )
    ]
