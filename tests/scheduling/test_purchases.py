"""Whose are the nodes that nobody came to, and who pushed whom off them."""

from karpenter_check.scheduling.purchases import Preemptions, Purchases, preemptions, purchases
from karpenter_check.snapshot import NodeClaim, Ref
from karpenter_check.snapshot.event import Event
from karpenter_check.snapshot.pod import PodObject
from tests.build import a_cluster, a_daemonset, a_deployment, a_node, a_nodeclaim, a_pod, ago, nominated, preempted

WEB, LOGS = a_deployment("web"), a_daemonset("logs", priority_class="system-node-critical")
WEB_REF, LOGS_REF = Ref("Deployment", "web", "apps/v1", "shop"), Ref("DaemonSet", "logs", "apps/v1", "kube-system")
WAITING = a_pod("web-bcdfg-vwxz2", of=WEB, age="7s")
PUSHER = a_pod("logs-1", on="n1", of=LOGS)


def bought(name: str, *, cpu: str = "2", age: str = "5m", last_pod_event: str = "", node: str = "") -> NodeClaim:
    return a_nodeclaim(name, node=node, age=age, requests={"cpu": cpu}, last_pod_event=last_pod_event)


def for_pod(name: str, claim: str) -> Event:
    """The creating nomination of a pod of `web` that may be gone."""
    return nominated(a_pod(name, of=WEB), to=claim, first="5m")


def names(found: Purchases) -> list[str]:
    return [claim.name for claim in found.nodeclaims]


def test_nodeclaims_belong_to_the_owner_that_their_nomination_names() -> None:
    one, two = bought("c1", age="5m"), bought("c2", age="4m")
    cluster = a_cluster(WEB, WAITING, two, one, for_pod("web-bcdfg-22222", "c1"), for_pod("web-bcdfg-vwxz2", "c2"))
    (found,) = purchases(cluster)

    assert found == Purchases(WEB_REF, "default", (one, two), waiting=cluster.pods, initialized=2, elsewhere=0)
    assert (found.excess, found.first, found.last) == (1, ago("5m"), ago("4m"))


def test_an_unnamed_nodeclaim_belongs_to_the_owner_of_its_likes() -> None:
    cluster = a_cluster(
        WEB, bought("c1"), bought("same-size", age="4m"), bought("other-size", cpu="8"), for_pod("web-bcdfg-22222", "c1")
    )

    assert [names(found) for found in purchases(cluster)] == [["c1", "same-size"]]


def test_an_unnamed_nodeclaim_whose_likes_have_two_owners_belongs_to_nobody() -> None:
    api = a_deployment("api")
    cluster = a_cluster(
        WEB,
        api,
        bought("c1"),
        bought("c2"),
        bought("unnamed"),
        for_pod("web-bcdfg-22222", "c1"),
        nominated(a_pod("api-bcdfg-22222", of=api), to="c2", first="5m"),
    )

    assert {found.owner.name: names(found) for found in purchases(cluster)} == {"web": ["c1"], "api": ["c2"]}


def test_a_nodeclaim_that_two_owners_were_nominated_to_belongs_to_nobody() -> None:
    api = a_deployment("api")
    to_the_same = nominated(a_pod("api-bcdfg-22222", of=api), to="c1", first="5m")

    assert purchases(a_cluster(WEB, api, bought("c1"), for_pod("web-bcdfg-22222", "c1"), to_the_same)) == ()


def test_later_nominations_which_name_the_node_too_buy_nothing() -> None:
    later = nominated(a_pod("web-bcdfg-22222", of=WEB), to="default-n1", node="n1", first="5m")

    assert purchases(a_cluster(WEB, a_node("n1"), bought("default-n1", node="n1"), later)) == ()


def test_what_was_scaled_down_is_no_purchase_in_vain() -> None:
    emptied = bought("default-n1", node="n1", last_pod_event="2m")

    assert purchases(a_cluster(WEB, a_node("n1"), emptied, for_pod("web-bcdfg-22222", "default-n1"))) == ()


def test_a_nodeclaim_whose_pod_was_preempted_was_bought_in_vain() -> None:
    emptied = bought("default-n1", node="n1", last_pod_event="2m")
    pushed = preempted("web-bcdfg-22222", by=PUSHER, on="n1", when="2m")
    cluster = a_cluster(WEB, LOGS, a_node("n1"), PUSHER, emptied, for_pod("web-bcdfg-22222", "default-n1"), pushed)

    assert [names(found) for found in purchases(cluster)] == [["default-n1"]]


def test_daemonset_pods_and_static_pods_do_not_occupy_a_node_but_others_do() -> None:
    claims = [bought("default-n1", node="n1"), bought("default-n2", node="n2")]
    cluster = a_cluster(
        WEB,
        LOGS,
        a_node("n1"),
        a_node("n2"),
        *claims,
        a_pod("logs-1", on="n1", of=LOGS),
        a_pod("stranger", on="n2"),
        for_pod("web-bcdfg-22222", "default-n1"),
        for_pod("web-bcdfg-44444", "default-n2"),
    )

    assert [names(found) for found in purchases(cluster)] == [["default-n1"]]


def test_what_is_old_or_on_its_way_out_is_not_counted() -> None:
    old, leaving = bought("old", age="16m"), a_nodeclaim("leaving", node="", age="5m", last_pod_event="", deleted="1m")

    assert purchases(a_cluster(WEB, old, leaving, for_pod("web-bcdfg-22222", "old"), for_pod("web-bcdfg-44444", "leaving"))) == ()


def test_pods_that_run_on_another_node_are_told() -> None:
    landed = a_pod("web-bcdfg-22222", of=WEB, on="n9")
    (found,) = purchases(a_cluster(WEB, a_node("n9"), landed, bought("c1"), nominated(landed, to="c1", first="5m")))

    assert (found.waiting, found.elsewhere) == ((), 1)


def test_nodes_that_still_boot_are_empty_as_they_should_be() -> None:
    landed = a_pod("web-bcdfg-22222", of=WEB, on="n9")
    booting = [a_nodeclaim(name, node="", age="1m", initialized=False, last_pod_event="") for name in ("c1", "c2")]
    nominations = (nominated(landed, to="c1", first="1m"), for_pod("web-bcdfg-44444", "c2"))
    (found,) = purchases(a_cluster(WEB, a_node("n9"), landed, *booting, *nominations))

    assert (names(found), found.initialized, found.elsewhere, found.excess) == (["c1", "c2"], 0, 0, 0)


def test_preemptions_are_told_by_owner_nodepool_and_preemptor() -> None:
    later = preempted("web-bcdfg-44444", by=PUSHER, on="n2", when="1m")
    first = preempted("web-bcdfg-22222", by=PUSHER, on="n1", when="3m")

    assert preemptions(a_cluster(WEB, LOGS, a_node("n1"), a_node("n2"), PUSHER, later, first)) == (
        Preemptions(WEB_REF, "default", LOGS_REF, ("n1", "n2"), (first, later), "system-node-critical"),
    )


def test_on_a_node_that_is_not_listed_the_nodeclaim_tells_the_nodepool() -> None:
    unlisted = a_nodeclaim("c1", node="n5", pool="gpu")
    pushed = preempted("web-bcdfg-22222", by=PUSHER, on="n5", when="1m")

    assert [found.nodepool for found in preemptions(a_cluster(WEB, LOGS, a_node("n1"), PUSHER, unlisted, pushed))] == ["gpu"]


def test_a_preemptor_that_is_not_in_the_lists_counts_with_the_one_workload_that_is() -> None:
    unlisted = a_pod("logs-2", on="n1", of=LOGS)
    by_unlisted = preempted("web-bcdfg-44444", by=unlisted, on="n1", when="1m")
    by_listed = preempted("web-bcdfg-22222", by=PUSHER, on="n1", when="2m")
    things = (WEB, LOGS, a_node("n1"), PUSHER)

    assert [found.events for found in preemptions(a_cluster(*things, by_listed, by_unlisted))] == [(by_listed, by_unlisted)]
    assert preemptions(a_cluster(*things, by_unlisted)) == ()


def test_a_preemptor_that_is_not_in_the_lists_counts_with_neither_of_two_workloads() -> None:
    other = a_pod("urgent", on="n1", priority_class="urgent")
    events = [
        preempted("web-bcdfg-22222", by=PUSHER, on="n1", when="3m"),
        preempted("web-bcdfg-44444", by=other, on="n1", when="2m"),
        preempted("web-bcdfg-55555", by=a_pod("logs-2", of=LOGS), on="n1", when="1m"),
    ]

    assert [(found.by.name, found.events) for found in preemptions(a_cluster(WEB, LOGS, a_node("n1"), PUSHER, other, *events))] == [
        ("logs", (events[0],)),
        ("urgent", (events[1],)),
    ]


def pushed_off(*, victim: PodObject | str = "web-bcdfg-22222", when: str = "1m", on: str = "n1") -> Event:
    return preempted(victim if isinstance(victim, str) else victim.metadata.name, by=PUSHER, on=on, when=when)


def test_a_deployment_that_wants_no_pods_any_more_was_preempted_of_nothing() -> None:
    assert preemptions(a_cluster(a_deployment("web", replicas=0), LOGS, a_node("n1"), PUSHER, pushed_off())) == ()


def test_what_was_preempted_long_ago_off_foreign_nodes_or_of_nobody_known_is_not_told() -> None:
    foreign = a_node("old", pool="")
    events = [pushed_off(when="16m"), pushed_off(victim="web-bcdfg-44444", on="old"), pushed_off(victim="bare")]

    assert preemptions(a_cluster(WEB, LOGS, a_node("n1"), foreign, PUSHER, *events)) == ()


def test_a_victim_that_is_still_there_tells_its_owner_itself() -> None:
    victim = a_pod("bare", on="n1", deleted="-10s")

    assert [found.owner for found in preemptions(a_cluster(LOGS, a_node("n1"), PUSHER, victim, pushed_off(victim=victim)))] == [
        Ref("Pod", "bare", "v1", "shop")
    ]
