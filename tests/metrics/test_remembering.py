"""What counters count, from one scan to the next."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import msgspec
import pytest

from karpenter_check.metrics.bounded import Detail
from karpenter_check.metrics.catalogue import (
    DEATH_REASONS,
    DELAY_BUCKETS,
    FAILURE_REASONS,
    FINDINGS,
    MEMORY_INFO,
    MISMATCHES,
    NODES_EXPIRING,
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
from karpenter_check.metrics.exposition import exposition
from karpenter_check.metrics.family import Distribution
from karpenter_check.metrics.remembering import Run, remembered
from karpenter_check.rules import every_rule
from karpenter_check.scan import scan
from karpenter_check.snapshot import Coverage, Kind, NodeClaim, Snapshot, Status
from karpenter_check.snapshot.event import InvolvedObject
from karpenter_check.snapshot.last_run import Count, Delays, LastRun
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
    preempted,
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
def test_a_clock_that_steps_back_to_a_node_that_is_gone_observes_it_once(keeps: Keeps) -> None:
    history = History(keeps)
    for cluster, at in (
        (kept_for_hours(), "0s"),
        (a_cluster(a_nodepool()), "-30m"),
        (kept_for_hours(), "-10m"),
        (a_cluster(a_nodepool()), "-40m"),
    ):
        history.scan(cluster, ago(at))
    observed = [family.distributions for family in history.families if family.metric == POOL_REAPING_DELAY]

    assert [sum(entry.counts) for distributions in observed for entry in distributions.values()] == [1]


def test_a_list_that_shows_a_node_again_observes_it_once() -> None:
    history = History()
    for cluster, at in (
        (kept_for_hours(), "0s"),
        (a_cluster(a_nodepool()), "-30m"),
        (kept_for_hours(), "-35m"),
        (a_cluster(a_nodepool()), "-40m"),
    ):
        history.scan(cluster, ago(at))
    observed = [family.distributions for family in history.families if family.metric == POOL_REAPING_DELAY]

    assert [sum(entry.counts) for distributions in observed for entry in distributions.values()] == [1]


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


def with_status(cluster: Snapshot, kind: Kind, status: Status) -> Snapshot:
    """The cluster, of which a kind was not wholly seen."""
    return replace(cluster, coverage={**cluster.coverage, kind: Coverage(status, 0, "a page was lost")})


def test_what_is_listed_of_nodes_that_were_not_all_seen_is_told_and_the_rest_stays_remembered() -> None:
    history = History()
    history.scan(with_status(alive(), Kind.NODECLAIM, Status.PARTIAL), ago("5m"))
    assert history.of(NODES_EXPIRING) == {("default", within): 1 for within in ("15m", "1h", "24h")}

    history.scan(with_status(a_cluster(a_nodepool()), Kind.NODECLAIM, Status.PARTIAL), ago("4m"))
    assert (history.of(NODES_EXPIRING), len(history.latest.memory.nodes)) == ({}, 1)


@BOTH
def test_a_deletion_that_came_while_lists_were_read_counts_at_the_next_run(keeps: Keeps) -> None:
    history = History(keeps)
    history.scan(alive(), ago("5m"))
    history.scan(alive(a_life(deleted="-3s")))
    assert history.of(POOL_DEATHS) == {}

    history.scan(a_cluster(a_nodepool()), ago("-10m"))
    assert history.of(POOL_DEATHS) == {("default", "expired"): 1}


def test_what_a_page_that_was_lost_hid_counts_when_it_is_seen() -> None:
    history = History()
    history.scan(a_cluster(a_nodepool(), a_node("n1", labels=HEAVY), AGENT), ago("10m"))
    history.scan(with_status(a_cluster(a_nodepool(), a_node("n1", labels=HEAVY), AGENT), Kind.POD, Status.PARTIAL), ago("2m"))
    history.scan(uncounted(1))

    assert history.of(POOL_MISMATCHES) == {("default",): 1}


@BOTH
def test_one_clock_that_was_far_ahead_does_not_stop_the_counting(keeps: Keeps) -> None:
    history = History(keeps)
    history.scan(a_cluster(a_nodepool(), a_node("n1"), AGENT), ago("-8000h"))
    history.scan(a_cluster(a_nodepool(), a_node("n1"), AGENT), ago("10m"))
    history.scan(uncounted(1))

    assert history.of(POOL_MISMATCHES) == {("default",): 1}


def in_vain(at: str) -> Snapshot:
    """Three nodes that were bought for a pod which runs elsewhere by noon, 4 minutes after they came."""
    web = a_deployment("web")
    came = ago(at) >= ago("1m")
    pod = a_pod("web-1", on="full" if came else "", of=web, age="5m")
    names = ("default-aaaaa", "default-bbbbb", "default-ccccc")
    things: list[Thing] = [a_nodepool(), a_node("full", age="9h"), a_nodeclaim("default-fffff", node="full", age="9h"), web, pod]
    for number, name in enumerate(names):
        things += [a_node(f"n{number}", age="4m"), a_nodeclaim(name, node=f"n{number}", age="4m", last_pod_event="")]
    return replace(a_cluster(*things, *(nominated(pod, to=name, first="4m") for name in names)), taken_at=ago(at))


def test_nodes_that_turn_out_to_be_bought_in_vain_count_also_where_they_were_scanned_before() -> None:
    history = History()
    for at in ("9m", "3m", "0s"):
        history.scan(in_vain(at))

    assert history.of(POOL_FAILURES) == {("default", "landed_elsewhere"): 3}


@pytest.mark.parametrize("detail", list(Detail))
@BOTH
def test_preemptions_count_once_as_their_window_moves_on(keeps: Keeps, detail: Detail) -> None:
    web, pusher = a_deployment("web"), a_daemonset("pusher", priority_class="system-node-critical")
    ours = a_pod("pusher-1", on="n1", of=pusher, age="8h")
    history = History(keeps)
    history.run = replace(history.run, detail=detail)
    for turn in range(12):
        now = 120 - 10 * turn
        said = [
            preempted(f"web-bcdfg-{number:05}", by=ours, on="n1", when=f"{120 - 5 * number}m")
            for number in range(24)
            if 120 - 5 * number >= now
        ]
        things: list[Thing] = [
            a_nodepool(),
            a_node("n1", age="9h"),
            a_nodeclaim("default-aaaaa", age="9h"),
            web,
            pusher,
            ours,
            *said,
        ]
        history.scan(a_cluster(*things), ago(f"{now}m"))

    assert sum(history.of(POOL_FAILURES).values()) <= 23


def test_a_node_of_a_pod_is_told_by_its_name_as_soon_as_it_has_one() -> None:
    web = a_deployment("web")
    pod = a_pod("web-1", of=web, age="3m")
    booting = a_nodeclaim("default-aaaaa", node="", age="2m", registered=False, initialized=False)
    things: list[Thing] = [a_nodepool(), web, pod, nominated(pod, to="default-aaaaa", first="2m")]
    history = History()
    history.scan(a_cluster(a_nodepool()), ago("5m"))
    history.scan(a_cluster(*things, booting), ago("1m"))
    assert history.every(NODES_FOR_PODS) == {("default-aaaaa", "web-1", "shop", "default"): 1}

    history.scan(a_cluster(*things, a_node("n1", age="30s"), a_nodeclaim("default-aaaaa", age="2m")))
    assert history.every(NODES_FOR_PODS) == {("n1", "web-1", "shop", "default"): 1}


def let_go(when: str, *, uid: str | None = None) -> Thing:
    about = InvolvedObject("NodeClaim", name="default-abcde", uid=a_life().metadata.uid if uid is None else uid)
    return an_event("Finalized", "Finalized karpenter.sh/termination", about=about, first=when)


def test_a_node_that_was_gone_before_its_expiry_did_not_die_of_it() -> None:
    history = History()
    history.scan(alive(), ago("1h"))
    history.scan(a_cluster(a_nodepool(), let_go("50m")), ago("-2m"))

    assert history.of(POOL_DEATHS) == {("default", "unknown"): 1}


def test_an_event_that_names_no_object_ends_no_node() -> None:
    history = History(in_the_gateway)
    history.scan(kept_for_hours())
    history.scan(a_cluster(a_nodepool(), let_go("-1m", uid="")), ago("-30m"))
    (family,) = (family for family in history.families if family.metric == REAPING_DELAY)

    assert [entry.total for entry in family.distributions.values()] == [timedelta(hours=3, minutes=30).total_seconds()]


def test_what_is_left_out_of_other_metrics_takes_no_count_away() -> None:
    history = History(in_the_gateway)
    history.scan(a_cluster(a_nodepool(), a_node("n1"), AGENT), ago("10m"))
    series = sum(family.series for family in history.families)
    history.run = replace(history.run, max_series=series - 3)
    history.scan(a_cluster(a_nodepool(), a_node("n1"), AGENT), ago("9m"))
    history.scan(uncounted(1))

    assert history.of(POOL_MISMATCHES) == {("default",): 1}


def test_a_series_of_another_version_is_not_gone_on_from() -> None:
    odd = msgspec.structs.replace(
        LastRun(taken_at=ago("10m")),
        delays={POOL_REAPING_DELAY.name: (Delays(("default",), (1.0, 2.0), 3.0, ago("10m")),)},
        counters={POOL_MISMATCHES.name: (Count(("default", "more"), 3.0, ago("10m")),), "of_long_ago_total": ()},
    )
    run = remembered(scan(a_cluster(a_nodepool()), every_rule()), odd, Run(version="1", took=0))
    (family,) = (family for family in run.families if family.metric == POOL_MISMATCHES)

    assert (dict(family.samples), "of_long_ago_total" in run.memory.counters) == ({("default",): 0}, False)
    assert exposition(run.families)
