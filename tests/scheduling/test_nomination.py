"""Why a nominated pod is not where Karpenter said it should be."""

import pytest

from karpenter_check.scheduling.nomination import Nominee, Obstacle, Reason, node_ref, nominees, obstacle, pod_ref, target_nodepool
from karpenter_check.snapshot import Ref, Snapshot
from karpenter_check.snapshot.pod_object import PodObject
from tests.build import (
    Thing,
    a_cluster,
    a_daemonset,
    a_deployment,
    a_node,
    a_nodeclaim,
    a_nodepool,
    a_pod,
    a_term,
    a_uid,
    ago,
    an_event,
    nominated,
)

WEB = a_pod("web", age="10m")
TO_N1 = nominated(WEB, to="default-n1", node="n1", first="9m", last="1m")


def nominee_of(cluster: Snapshot, name: str = "web") -> Nominee:
    (found,) = (nominee for nominee in nominees(cluster).values() if nominee.pod.metadata.name == name)
    return found


def why_not(*things: Thing, pod: PodObject = WEB) -> Obstacle:
    cluster = a_cluster(pod, *things)
    return obstacle(cluster, nominee_of(cluster))


def a_claim_ref(name: str) -> Ref:
    return Ref("NodeClaim", name, "karpenter.sh/v1")


def test_target_gone() -> None:
    assert why_not(nominated(WEB, to="default-abcde", first="9m", last="1m")) == Obstacle(
        Reason.TARGET_GONE, "NodeClaim default-abcde is gone", ago("1m")
    )


def test_the_node_of_the_target_gone() -> None:
    assert why_not(a_nodeclaim("default-abcde", node=""), nominated(WEB, to="default-abcde", first="9m")) == Obstacle(
        Reason.TARGET_GONE, "the node of NodeClaim default-abcde is gone", ago("9m")
    )


@pytest.mark.parametrize(
    ("claim", "reason", "said"),
    [
        (
            a_nodeclaim("new", node="", launched=False, registered=False, initialized=False),
            Reason.NOT_LAUNCHED,
            "NodeClaim new was never launched",
        ),
        (
            a_nodeclaim("new", node="", registered=False, initialized=False),
            Reason.NOT_REGISTERED,
            "NodeClaim new never joined the cluster",
        ),
        (
            a_nodeclaim("new", node="", initialized=False, initialized_message='StartupTaint "cni:NoExecute" still exists'),
            Reason.NOT_INITIALIZED,
            'NodeClaim new was never initialized: StartupTaint "cni:NoExecute" still exists',
        ),
    ],
)
def test_the_target_has_not_reached(claim: Thing, reason: Reason, said: str) -> None:
    assert why_not(claim, nominated(WEB, to="new", first="9m")) == Obstacle(reason, said, None, (a_claim_ref("new"),))


def test_a_condition_that_tells_4_kb_is_cut() -> None:
    talkative = a_nodeclaim("new", node="", initialized=False, initialized_message="x" * 4_000)
    said = f"NodeClaim new was never initialized: {'x' * 400}… (+3600 characters)"

    assert why_not(talkative, nominated(WEB, to="new", first="9m")).said == said


def test_node_not_ready() -> None:
    assert why_not(a_node("n1", ready=False, age="20m"), TO_N1) == Obstacle(
        Reason.NODE_NOT_READY, "node n1 is not Ready", ago("20m"), (node_ref("n1"),)
    )


def test_cordoned() -> None:
    assert why_not(a_node("n1", cordoned=True), TO_N1) == Obstacle(
        Reason.CORDONED, "node n1 is cordoned", ago("1h"), (node_ref("n1"),)
    )


def test_a_pod_that_tolerates_the_cordon_is_not_kept_by_it() -> None:
    everywhere = a_pod("web", tolerations=["*"])

    assert why_not(a_node("n1", cordoned=True), TO_N1, pod=everywhere).reason is Reason.UNKNOWN


def test_taint() -> None:
    node = a_node("n1", taints=["late=1:NoSchedule"], taints_written_by="some-agent")

    assert why_not(node, TO_N1) == Obstacle(
        Reason.TAINT, "it does not tolerate late=1:NoSchedule on node n1, written by some-agent", ago("1h"), (node_ref("n1"),)
    )


def test_label() -> None:
    picky = a_pod("web", terms=[a_term("team In a")])

    assert why_not(a_node("n1", labels={"team": "b"}), TO_N1, pod=picky) == Obstacle(
        Reason.LABEL, "it needs team In [a], the node has team=b (node n1)", ago("1h"), (node_ref("n1"),)
    )


def test_no_room() -> None:
    logs, web = a_daemonset("logs", cpu="3"), a_deployment("shopfront")
    things = (
        a_node("n1", cpu="4"),
        logs,
        web,
        a_pod("logs-1", on="n1", of=logs),
        a_pod("shopfront-1", on="n1", of=web, cpu="500m"),
        a_pod("done", on="n1", cpu="4", phase="Succeeded"),
    )

    assert why_not(*things, TO_N1, pod=a_pod("web", cpu="1")) == Obstacle(
        Reason.NO_ROOM,
        "node n1 is 500m cpu short; most is taken by DaemonSet kube-system/logs (3)",
        ago("1h"),
        (Ref("DaemonSet", "logs", "apps/v1", "kube-system"), Ref("Deployment", "shopfront", "apps/v1", "shop")),
    )


def test_no_room_names_what_is_shortest_for_the_pod() -> None:
    things = (a_node("n1", cpu="4", memory="8Gi"), a_pod("other", on="n1", cpu="3900m", memory="7Gi"))

    why = why_not(*things, TO_N1, pod=a_pod("web", cpu="1", memory="1100Mi"))

    assert why.said == "node n1 is 900m cpu short; most is taken by Pod shop/other (3900m)"


def test_no_slot() -> None:
    assert why_not(a_node("n1", pods="1"), a_pod("other", on="n1"), TO_N1) == Obstacle(
        Reason.NO_ROOM, "node n1 has no pod slot left", ago("1h"), (node_ref("n1"),)
    )


def test_host_port() -> None:
    ingress = a_daemonset("ingress")
    holder = a_pod("holder", on="n1", host_port=443)

    assert why_not(a_node("n1"), ingress, holder, TO_N1, pod=a_pod("web", host_port=443)) == Obstacle(
        Reason.HOST_PORT,
        "a host port that it needs on node n1 is held by Pod shop/holder",
        ago("1h"),
        (Ref("Pod", "holder", "v1", "shop"),),
    )


def test_other_scheduler() -> None:
    ghost = a_pod("web", scheduler="batch-scheduler")

    assert why_not(a_node("n1"), TO_N1, pod=ghost) == Obstacle(
        Reason.OTHER_SCHEDULER,
        'its schedulerName "batch-scheduler" answers nothing: no pod of it is bound anywhere',
        ago("1h"),
        (Ref("Pod", "web", "v1", "shop"),),
    )


def test_another_scheduler_that_binds_pods_is_not_blamed() -> None:
    ghost, other = a_pod("web", scheduler="batch-scheduler"), a_pod("other", on="n1", scheduler="batch-scheduler")

    assert why_not(a_node("n1"), other, TO_N1, pod=ghost).reason is Reason.UNKNOWN


def test_landed_elsewhere() -> None:
    assert why_not(a_node("n1"), a_node("n2"), TO_N1, pod=a_pod("web", on="n2")) == Obstacle(
        Reason.LANDED_ELSEWHERE, "it runs on node n2", None, (node_ref("n2"),)
    )


def test_unknown() -> None:
    cluster = a_cluster(WEB, a_node("n1"), TO_N1)
    found = nominee_of(cluster)

    assert obstacle(cluster, found) == Obstacle(
        Reason.UNKNOWN, "nothing that could be checked keeps it from node n1", ago("1h"), (pod_ref(found.pod),)
    )


def test_unknown_says_that_volumes_were_not_checked() -> None:
    said = why_not(a_node("n1"), TO_N1, pod=a_pod("web", claims=["data"])).said

    assert said == "nothing that could be checked keeps it from node n1; its volumes' zones and attach limits were not checked"


def test_a_foreign_node_is_judged_like_any() -> None:
    onto_foreign = nominated(WEB, node="old", first="9m")

    assert why_not(a_node("old", pool="", cordoned=True), onto_foreign) == Obstacle(
        Reason.CORDONED, "node old is cordoned", None, (node_ref("old"),)
    )


def test_the_latest_nomination_wins_and_counts_from_when_its_target_was_first_named() -> None:
    again = nominated(WEB, to="default-n2", node="n2", first="3m", last="1m", times=2)
    cluster = a_cluster(
        WEB,
        a_node("n1"),
        a_node("n2"),
        nominated(WEB, to="default-n1", node="n1", first="9m", last="2m", times=5),
        nominated(WEB, to="default-n2", first="4m"),
        again,
    )

    assert nominees(cluster) == {
        WEB.metadata.uid: Nominee(cluster.pods_by_uid[WEB.metadata.uid], "default-n2", "n2", since=ago("4m"), latest=again, times=3)
    }


def test_a_node_named_alone_is_its_nodeclaim_too() -> None:
    cluster = a_cluster(
        WEB, a_node("n1"), nominated(WEB, to="default-n1", first="9m"), nominated(WEB, node="n1", first="3m", last="1m")
    )
    found = nominee_of(cluster)

    assert (found.nodeclaim, found.node, found.since, found.times) == ("default-n1", "n1", ago("9m"), 2)


def test_pods_that_are_gone_and_events_of_others_nominate_nobody() -> None:
    gone = a_pod("gone")
    by_the_scheduler = an_event(
        "Nominated", "Pod should schedule on: node/n1", about=TO_N1.involved_object, first="1m", component="default-scheduler"
    )

    assert nominees(a_cluster(WEB, a_node("n1"), nominated(gone, to="default-n1", first="5m"), by_the_scheduler)) == {}


def test_a_pod_made_again_under_its_name_is_another() -> None:
    before = PodObject(type(WEB.metadata)("web", "shop", a_uid("Pod", "web", "another life")))

    assert nominees(a_cluster(WEB, a_node("n1"), nominated(before, to="default-n1", first="5m"))) == {}


@pytest.mark.parametrize(
    ("claim", "nodepool"),
    [
        ("default-abcde", "default"),
        ("default-gpu-abcde", "default-gpu"),
        ("default-gone-abcde", ""),
        (f"{'long' * 15}-abcde"[:58] + "vwxyz", "long" * 15),
    ],
)
def test_of_a_nodeclaim_that_is_gone_the_name_tells_the_nodepool(claim: str, nodepool: str) -> None:
    pools = (a_nodepool("default"), a_nodepool("default-gpu"), a_nodepool("long" * 15))
    cluster = a_cluster(*pools, WEB, nominated(WEB, to=claim, first="5m"))

    assert target_nodepool(cluster, nominee_of(cluster)) == nodepool


def test_of_a_target_that_is_there_its_label_tells_the_nodepool() -> None:
    booting = a_nodeclaim("a-name", node="", pool="gpu")
    cluster = a_cluster(WEB, booting, nominated(WEB, to="a-name", first="5m"))

    assert target_nodepool(cluster, nominee_of(cluster)) == "gpu"
