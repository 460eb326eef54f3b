"""Whose are the nodes that nobody came to."""

import msgspec
import pytest

from karpenter_check.scheduling.purchases import Purchases, purchases
from karpenter_check.snapshot import NodeClaim, Ref, Version
from karpenter_check.snapshot.event import Event
from karpenter_check.snapshot.metadata import OwnerReference
from karpenter_check.snapshot.pod_object import PodObject
from tests.build import a_cluster, a_daemonset, a_deployment, a_node, a_nodeclaim, a_pod, ago, nominated, preempted

WEB, LOGS = a_deployment("web"), a_daemonset("logs", priority_class="system-node-critical")
WEB_REF = Ref("Deployment", "web", "apps/v1", "shop")
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


def a_static_pod(name: str, on: str) -> PodObject:
    """A pod that the kubelet made from a file on its node."""
    pod = a_pod(name, on=on)
    kubelet = OwnerReference("Node", on, api_version="v1", controller=True)
    return msgspec.structs.replace(pod, metadata=msgspec.structs.replace(pod.metadata, owner_references=(kubelet,)))


def test_daemonset_pods_and_static_pods_do_not_occupy_a_node_but_others_do() -> None:
    claims = [bought("default-n1", node="n1"), bought("default-n2", node="n2")]
    cluster = a_cluster(
        WEB,
        LOGS,
        a_node("n1"),
        a_node("n2"),
        *claims,
        a_pod("logs-1", on="n1", of=LOGS),
        a_static_pod("kube-proxy-n1", on="n1"),
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


@pytest.mark.parametrize("phase", ["Running", "Succeeded", "Failed"])
def test_a_node_that_a_pod_used_was_not_bought_in_vain_even_if_the_pod_has_finished(phase: str) -> None:
    claim, used = bought("default-n1", node="n1"), a_pod("batch", on="n1", phase=phase)

    assert purchases(a_cluster(WEB, a_node("n1"), claim, used, for_pod("web-bcdfg-22222", "default-n1"))) == ()


@pytest.mark.parametrize(("version", "owners"), [(Version(0, 37), []), (Version(1, 0), [WEB_REF]), (None, [WEB_REF])])
def test_before_1_0_nothing_says_that_a_node_was_never_used(version: Version | None, owners: list[Ref]) -> None:
    cluster = a_cluster(
        WEB, a_node("n1"), bought("default-n1", node="n1"), for_pod("web-bcdfg-22222", "default-n1"), version=version
    )

    assert [found.owner for found in purchases(cluster)] == owners
