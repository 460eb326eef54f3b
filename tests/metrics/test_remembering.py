"""What counters count, from one scan to the next."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import msgspec
import pytest

from karpenter_check.metrics.catalogue import (
    DEATH_REASONS,
    DELAY_BUCKETS,
    FAILURE_REASONS,
    FINDINGS,
    MEMORY_INFO,
    MISMATCHES,
    NODES_FOR_PODS,
    NOMINATION_FAILURES,
    POOL_DEATHS,
    POOL_FAILURES,
    POOL_MISMATCHES,
    POOL_NODES_FOR_PODS,
    POOL_REAPING_DELAY,
    REAPING_DELAY,
    TTL_DEATHS,
)
from karpenter_check.metrics.family import Distribution
from karpenter_check.snapshot import Coverage, Kind, NodeClaim, Snapshot, Status
from karpenter_check.snapshot.event import InvolvedObject
from karpenter_check.snapshot.metadata import Condition
from tests.build import (
    NOON,
    Thing,
    a_cluster,
    a_daemonset,
    a_deployment,
    a_node,
    a_nodeclaim,
    a_nodepool,
    a_pod,
    ago,
    an_event,
    nominated,
)
from tests.metrics.history import History, Keeps, in_a_file, in_the_gateway, kept_for_hours, nowhere

BOTH = pytest.mark.parametrize("keeps", [in_a_file, in_the_gateway])
AGENT = a_daemonset("agent", tolerations=[], selector={"heavy": "yes"})
HEAVY = {"heavy": "yes"}


def uncounted(*numbers: int, age: str = "5m") -> Snapshot:
    """As many nodes with a DaemonSet's pod that Karpenter does not count there, the pods so old."""
    nodes = [a_node(f"n{number}", labels=HEAVY) for number in numbers]
    return a_cluster(
        a_nodepool(), *nodes, AGENT, *(a_pod(f"agent-{number}", on=f"n{number}", of=AGENT, age=age) for number in numbers)
    )


def test_what_stands_when_counting_begins_adds_nothing() -> None:
    history = History()
    history.scan(uncounted(1))

    assert history.every(POOL_MISMATCHES) == {("default",): 0}
    assert history.every(MISMATCHES) == {("agent", "kube-system", "n1", "default"): 0}
    assert history.of(MEMORY_INFO) == {("nothing", "object"): 1}


@BOTH
def test_what_comes_about_afterwards_counts_once(keeps: Keeps) -> None:
    history = History(keeps)
    history.scan(a_cluster(a_nodepool(), a_node("n1"), AGENT), ago("10m"))
    for at in ("0s", "-5m", "-5m", "-10m"):
        history.scan(uncounted(1), ago(at))

    assert history.of(POOL_MISMATCHES) == {("default",): 1}
    assert history.of(MISMATCHES) == {("agent", "kube-system", "n1", "default"): 1}


@BOTH
def test_a_new_pod_of_a_daemonset_on_a_node_that_counts_already_counts_no_more(keeps: Keeps) -> None:
    history = History(keeps)
    history.scan(a_cluster(a_nodepool(), a_node("n1"), AGENT), ago("10m"))
    history.scan(uncounted(1))
    history.scan(uncounted(1, age="-4m"), ago("-5m"))

    assert history.of(POOL_MISMATCHES) == {("default",): 1}


@BOTH
def test_a_run_that_could_not_look_loses_nothing(keeps: Keeps) -> None:
    unseen = replace(a_cluster(a_nodepool()), coverage={**a_cluster().coverage, Kind.DAEMONSET: Coverage(Status.FORBIDDEN)})
    history = History(keeps)
    history.scan(a_cluster(a_nodepool(), a_node("n1"), AGENT), ago("10m"))
    history.scan(unseen, ago("2m"))
    history.scan(uncounted(1))

    assert history.of(POOL_MISMATCHES) == {("default",): 1}


@BOTH
def test_a_clock_that_steps_back_counts_nothing_twice(keeps: Keeps) -> None:
    history = History(keeps)
    history.scan(a_cluster(a_nodepool(), a_node("n1"), AGENT), ago("10m"))
    history.scan(uncounted(1))
    history.scan(a_cluster(a_nodepool()), ago("30m"))
    history.scan(uncounted(1), ago("-5m"))

    assert history.of(POOL_MISMATCHES) == {("default",): 1}


def test_without_a_memory_nothing_counts() -> None:
    history = History(nowhere)
    history.scan(a_cluster(a_nodepool(), a_node("n1"), AGENT), ago("10m"))
    history.scan(uncounted(1))

    assert history.of(POOL_MISMATCHES) == {}


def test_totals_start_at_zero_for_every_nodepool_and_reason() -> None:
    history = History()
    history.scan(a_cluster(a_nodepool("a"), a_nodepool("b")))

    assert history.every(POOL_DEATHS) == {(pool, reason): 0 for pool in ("a", "b") for reason in DEATH_REASONS}
    assert history.every(POOL_FAILURES) == {(pool, reason): 0 for pool in ("a", "b") for reason in FAILURE_REASONS}
    assert history.every(POOL_NODES_FOR_PODS) == {("a",): 0, ("b",): 0}


@BOTH
def test_totals_stay_as_long_as_the_nodepool_and_series_of_objects_for_a_day(keeps: Keeps) -> None:
    history = History(keeps)
    history.scan(a_cluster(a_nodepool(), a_node("n1"), AGENT), ago("10m"))
    history.scan(uncounted(1))
    for hours in (20, 30, 60):
        history.scan(a_cluster(a_nodepool()), ago(f"-{hours}h"))

    assert (history.of(POOL_MISMATCHES), history.every(MISMATCHES)) == ({("default",): 1}, {})
    history.scan(a_cluster(a_nodepool("other")), ago("-100h"))
    assert history.every(POOL_MISMATCHES) == {("other",): 0}


def a_life(*, deleted: str = "", conditions: Sequence[Condition] = (), expire_after: str = "10h") -> NodeClaim:
    """A NodeClaim that expires at noon."""
    return a_nodeclaim("default-abcde", age="10h", expire_after=expire_after, deleted=deleted, conditions=conditions)


def alive(*things: Thing) -> Snapshot:
    return a_cluster(a_nodepool(), a_node("n1", age="10h"), *(things or [a_life()]))


def said_of_the_claim(reason: str, message: str, when: str = "3m") -> Thing:
    return an_event(reason, message, about=InvolvedObject("NodeClaim", name="default-abcde", uid=a_life().metadata.uid), first=when)


def disrupted(reason: str) -> Condition:
    return Condition("DisruptionReason", "True", reason, last_transition_time=ago("3m"))


@BOTH
@pytest.mark.parametrize(
    ("now", "reason", "ttl"),
    [
        ((a_life(deleted="3s"),), "expired", "ttl_expired"),
        ((a_life(deleted="3m", conditions=[disrupted("Drifted")]),), "drifted", ""),
        ((a_life(deleted="3m", conditions=[disrupted("Underutilized")]),), "consolidated", ""),
        ((a_life(deleted="3m", conditions=[disrupted("Empty")]),), "consolidated", ""),
        (
            (a_life(deleted="3m"), said_of_the_claim("SpotInterrupted", "Spot interruption warning was triggered")),
            "interrupted",
            "",
        ),
        ((a_life(deleted="1h"),), "unknown", "ttl_configured"),
        ((a_life(deleted="1h", expire_after="Never"),), "unknown", ""),
    ],
    ids=["expired", "drifted", "underutilized", "empty", "interrupted", "by hand", "by hand, and it never expires"],
)
def test_a_death_counts_by_what_ends_it(keeps: Keeps, now: Sequence[Thing], reason: str, ttl: str) -> None:
    expires = "Never" if reason == "unknown" and not ttl else "10h"
    history = History(keeps)
    history.scan(alive(a_life(expire_after=expires)), ago("2h"))
    history.scan(alive(*now))
    history.scan(a_cluster(a_nodepool()), ago("-5m"))

    assert history.of(POOL_DEATHS) == {("default", reason): 1}
    assert history.of(TTL_DEATHS) == ({("n1", "default", ttl): 1} if ttl else {})


@BOTH
def test_a_node_that_is_gone_at_its_expiry_died_of_it(keeps: Keeps) -> None:
    history = History(keeps)
    history.scan(alive(), ago("5m"))
    history.scan(a_cluster(a_nodepool()), ago("-5m"))
    history.scan(a_cluster(a_nodepool()), ago("-10m"))

    assert history.of(POOL_DEATHS) == {("default", "expired"): 1}
    assert history.of(TTL_DEATHS) == {("n1", "default", "ttl_expired"): 1}


@BOTH
def test_a_node_that_is_gone_before_its_expiry_died_of_nothing_known(keeps: Keeps) -> None:
    history = History(keeps)
    history.scan(alive(), ago("2h"))
    history.scan(a_cluster(a_nodepool()), ago("1h"))

    assert history.of(POOL_DEATHS) == {("default", "unknown"): 1}
    assert history.of(TTL_DEATHS) == {("n1", "default", "ttl_configured"): 1}


@BOTH
def test_what_karpenter_said_of_a_node_that_is_gone_tells_what_ended_it(keeps: Keeps) -> None:
    said = [
        an_event("DisruptionTerminating", "Disrupting Node: Drifted", about=InvolvedObject("Node", name="n1"), first="3m"),
        said_of_the_claim("DisruptionTerminating", "Disrupting NodeClaim: Drifted"),
    ]
    history = History(keeps)
    history.scan(alive(), ago("5m"))
    history.scan(a_cluster(a_nodepool(), *said))
    history.scan(a_cluster(a_nodepool(), *said), ago("-5m"))

    assert history.of(POOL_DEATHS) == {("default", "drifted"): 1}


@BOTH
def test_nothing_dies_where_nodeclaims_were_not_all_seen(keeps: Keeps) -> None:
    gone = a_cluster(a_nodepool())
    history = History(keeps)
    history.scan(alive(), ago("5m"))
    history.scan(
        replace(gone, coverage={**gone.coverage, Kind.NODECLAIM: Coverage(Status.PARTIAL, 0, "a page was lost")}), ago("-1m")
    )
    assert history.of(POOL_DEATHS) == {}

    history.scan(gone, ago("-5m"))
    assert history.of(POOL_DEATHS) == {("default", "expired"): 1}


@BOTH
def test_a_pod_that_does_not_come_counts_when_it_has_waited_too_long(keeps: Keeps) -> None:
    web = a_deployment("web")
    pod = a_pod("web-1", of=web, age="9m", cpu="8")
    waiting = a_cluster(
        a_nodepool(), a_node("n1"), a_nodeclaim("c1"), web, pod, nominated(pod, to="c1", node="n1", first="8m", last="30s", times=4)
    )
    history = History(keeps)
    for at in ("7m", "5m", "3m", "0s"):
        history.scan(waiting, ago(at))

    assert history.of(POOL_FAILURES) == {("default", "no_room"): 1}
    assert history.of(NOMINATION_FAILURES) == {("web-1", "shop", "n1", "no_room"): 1}


@BOTH
def test_nodes_that_were_bought_for_pods_count_by_the_event_that_made_them(keeps: Keeps) -> None:
    web = a_deployment("web", replicas=2)
    first, second = a_pod("web-1", of=web, age="3m"), a_pod("web-2", of=web, age="3m")
    bought = a_cluster(
        a_nodepool(), a_node("n1", age="2m"), a_nodeclaim("c1", age="2m"), web, first, second,
        nominated(first, to="c1", first="2m"), nominated(second, to="c1", first="1m"),
    )  # fmt: skip
    history = History(keeps)
    history.scan(a_cluster(a_nodepool()), ago("5m"))
    history.scan(bought)
    history.scan(bought, ago("-2m"))

    assert history.of(POOL_NODES_FOR_PODS) == {("default",): 1}
    assert history.of(NODES_FOR_PODS) == {("n1", "web-1", "shop", "default"): 1}


@BOTH
def test_how_long_a_node_was_kept_is_observed_when_it_is_gone(keeps: Keeps) -> None:
    history = History(keeps)
    history.scan(kept_for_hours())
    history.scan(a_cluster(a_nodepool()), ago("-30m"))
    history.scan(a_cluster(a_nodepool()), ago("-40m"))
    observed = {family.metric: family.distributions for family in history.families if family.distributions}

    delay = timedelta(hours=3, minutes=30).total_seconds()
    place = next(place for place, bound in enumerate(DELAY_BUCKETS) if delay <= bound)
    counts = tuple(float(entry == place) for entry in range(len(DELAY_BUCKETS) + 1))
    assert observed == {
        REAPING_DELAY: {("n1", "default", "do_not_disrupt_pod"): Distribution(counts, delay)},
        POOL_REAPING_DELAY: {("default",): Distribution(counts, delay)},
    }


def test_the_moment_at_which_karpenter_let_go_ends_the_delay() -> None:
    uid = kept_for_hours().nodeclaims[0].metadata.uid
    let_go = an_event(
        "Finalized", "Finalized karpenter.sh/termination", about=InvolvedObject("NodeClaim", name="c1", uid=uid), first="-10m"
    )
    history = History()
    history.scan(kept_for_hours())
    history.scan(a_cluster(a_nodepool(), let_go), ago("-30m"))
    (family,) = (family for family in history.families if family.metric == REAPING_DELAY)

    assert [entry.total for entry in family.distributions.values()] == [timedelta(hours=3, minutes=10).total_seconds()]


@BOTH
def test_a_node_that_is_not_wanted_gone_any_more_has_no_delay(keeps: Keeps) -> None:
    history = History(keeps)
    history.scan(kept_for_hours())
    history.scan(a_cluster(a_nodepool(), a_node("n1", age="10h"), a_nodeclaim("c1", age="10h")), ago("-10m"))
    history.scan(a_cluster(a_nodepool()), ago("-20m"))

    assert REAPING_DELAY not in {family.metric for family in history.families}


def test_the_findings_of_rules_that_were_not_evaluated_stay() -> None:
    unseen = replace(uncounted(1), coverage={**a_cluster().coverage, Kind.DAEMONSET: Coverage(Status.FORBIDDEN)})
    history = History()
    history.scan(uncounted(1))
    before = {labels: value for labels, value in history.of(FINDINGS).items() if labels[0] == "daemonset-nodepool-mismatch"}
    history.scan(unseen, ago("-5m"))

    assert before
    assert {labels: value for labels, value in history.of(FINDINGS).items() if labels[0] == "daemonset-nodepool-mismatch"} == before


@BOTH
def test_the_same_snapshot_again_gives_the_same_families(keeps: Keeps) -> None:
    history = History(keeps)
    history.scan(kept_for_hours())
    history.scan(kept_for_hours())
    first = {family.metric: msgspec.to_builtins([family.samples, family.distributions]) for family in history.families}
    history.scan(kept_for_hours())

    assert {family.metric: msgspec.to_builtins([family.samples, family.distributions]) for family in history.families} == first
    assert kept_for_hours().taken_at == NOON
