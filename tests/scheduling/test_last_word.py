"""What Karpenter said last of a pod."""

from karpenter_check.scheduling.last_word import karpenters_last_word, karpenters_refusals
from karpenter_check.snapshot.event import Event
from tests.build import a_cluster, a_node, a_nodepool, a_pod, about, an_event, nominated

POD = a_pod("web-1")


def refused(*, last: str, component: str = "karpenter") -> Event:
    return an_event(
        "FailedScheduling", f"Failed to schedule pod, {last}", about=about(POD), first="50m", last=last, component=component
    )


def test_the_latest_of_karpenters_refusals_counts() -> None:
    cluster = a_cluster(a_nodepool(), POD, refused(last="9m"), refused(last="2m"), refused(last="5m"))

    assert karpenters_refusals(cluster) == {POD.metadata.uid: refused(last="2m")}


def test_the_schedulers_words_are_not_karpenters() -> None:
    assert karpenters_refusals(a_cluster(a_nodepool(), POD, refused(last="1m", component="default-scheduler"))) == {}


def test_the_last_word_is_the_later_of_a_refusal_and_a_nomination() -> None:
    named = nominated(POD, node="n1", first="9m", last="3m")
    later, earlier = (a_cluster(a_node("n1"), POD, named, refused(last=last)) for last in ("1m", "5m"))

    assert [karpenters_last_word(cluster, cluster.pods[0]) for cluster in (later, earlier)] == [refused(last="1m"), named]


def test_of_a_pod_that_karpenter_said_nothing_of_there_is_no_last_word() -> None:
    cluster = a_cluster(a_nodepool(), POD)

    assert karpenters_last_word(cluster, cluster.pods[0]) is None
