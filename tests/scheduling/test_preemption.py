"""Who pushed whom off which nodes."""

import dataclasses

import msgspec
import pytest

from karpenter_check.scheduling.preemption import Preemptions, preemptions
from karpenter_check.snapshot import Ref
from karpenter_check.snapshot.event import Event
from karpenter_check.snapshot.metadata import Metadata, OwnerReference
from karpenter_check.snapshot.pod import PodShapes
from karpenter_check.snapshot.pod_object import PodObject
from karpenter_check.snapshot.workload import ReplicaSet
from tests.build import a_cluster, a_daemonset, a_deployment, a_node, a_nodeclaim, a_pod, preempted

WEB, LOGS = a_deployment("web"), a_daemonset("logs", priority_class="system-node-critical")
WEB_REF, LOGS_REF = Ref("Deployment", "web", "apps/v1", "shop"), Ref("DaemonSet", "logs", "apps/v1", "kube-system")
PUSHER = a_pod("logs-1", on="n1", of=LOGS)


def nominated_by_the_scheduler(pod: PodObject, node: str) -> PodObject:
    """The pod with the node for which it preempts."""
    return msgspec.structs.replace(pod, status=msgspec.structs.replace(pod.status, nominated_node_name=node))


def test_preemptions_are_told_by_owner_nodepool_and_preemptor() -> None:
    other = a_pod("logs-2", on="n2", of=LOGS)
    later = preempted("web-bcdfg-44444", by=other, on="n2", when="1m")
    first = preempted("web-bcdfg-22222", by=PUSHER, on="n1", when="3m")

    assert preemptions(a_cluster(WEB, LOGS, a_node("n1"), a_node("n2"), PUSHER, other, later, first)) == (
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


def test_a_replicaset_without_a_deployment_tells_no_number_so_it_was_preempted_of_nothing_once_it_has_no_pods() -> None:
    bare = ReplicaSet(Metadata("bare", "shop"))
    cluster = dataclasses.replace(a_cluster(LOGS, a_node("n1"), PUSHER, pushed_off(victim="bare-22222")), replicasets=(bare,))
    owner = OwnerReference("ReplicaSet", "bare", "bare-uid", "apps/v1", controller=True)
    again = PodShapes().share(a_pod("bare-44444"))
    again = msgspec.structs.replace(again, metadata=msgspec.structs.replace(again.metadata, owner_references=(owner,)))

    assert preemptions(cluster) == ()
    assert [found.owner for found in preemptions(dataclasses.replace(cluster, pods=(*cluster.pods, again)))] == [
        Ref("ReplicaSet", "bare", "apps/v1", "shop")
    ]


def test_what_was_preempted_long_ago_off_foreign_nodes_or_of_nobody_known_is_not_told() -> None:
    foreign = a_node("old", pool="")
    events = [pushed_off(when="16m"), pushed_off(victim="web-bcdfg-44444", on="old"), pushed_off(victim="bare")]

    assert preemptions(a_cluster(WEB, LOGS, a_node("n1"), foreign, PUSHER, *events)) == ()


def test_a_victim_that_is_still_there_tells_its_owner_itself() -> None:
    victim = a_pod("bare", on="n1", deleted="-10s")

    assert [found.owner for found in preemptions(a_cluster(LOGS, a_node("n1"), PUSHER, victim, pushed_off(victim=victim)))] == [
        Ref("Pod", "bare", "v1", "shop")
    ]


@pytest.mark.parametrize(("priorities", "owners"), [((-10, -10), []), ((-10, 0), [WEB_REF]), ((0, 0), [WEB_REF])])
def test_placeholders_are_preempted_by_design(priorities: tuple[int, int], owners: list[Ref]) -> None:
    rest = [a_pod(f"web-bcdfg-{place}bbbb", of=WEB, priority=priority) for place, priority in enumerate(priorities)]

    assert [found.owner for found in preemptions(a_cluster(WEB, LOGS, a_node("n1"), PUSHER, *rest, pushed_off()))] == owners


def test_a_preemptor_that_runs_on_another_node_explains_nothing() -> None:
    elsewhere = pushed_off(on="n2")

    assert preemptions(a_cluster(WEB, LOGS, a_node("n1"), a_node("n2"), PUSHER, elsewhere)) == ()


def test_an_unlisted_preemptor_explains_nothing_where_its_workload_has_no_pod() -> None:
    elsewhere = preempted("web-bcdfg-44444", by=a_pod("logs-2", of=LOGS), on="n2", when="1m")
    cluster = a_cluster(WEB, LOGS, a_node("n1"), a_node("n2"), PUSHER, pushed_off(), elsewhere)

    assert [found.nodes for found in preemptions(cluster)] == [("n1",)]


@pytest.mark.parametrize(
    "coming",
    [a_pod("logs-2", pinned_to="n2", of=LOGS), nominated_by_the_scheduler(a_pod("api", priority_class="high"), "n2")],
    ids=["pinned to the node", "nominated to it"],
)
def test_a_preemptor_that_is_on_its_way_to_the_node_explains_it(coming: PodObject) -> None:
    pushed = preempted("web-bcdfg-22222", by=coming, on="n2", when="1s")

    assert [found.nodes for found in preemptions(a_cluster(WEB, LOGS, a_node("n1"), a_node("n2"), coming, pushed))] == [("n2",)]
