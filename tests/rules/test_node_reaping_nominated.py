from collections.abc import Sequence
from datetime import timedelta

import pytest
from msgspec.structs import replace

from karpenter_check.finding import Blame, Confidence, EventEvidence, Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity
from karpenter_check.rules.node_reaping_nominated import node_reaping_nominated
from karpenter_check.snapshot import NodeClaim, Snapshot
from karpenter_check.snapshot.event import Event, EventSeries, InvolvedObject
from karpenter_check.snapshot.metadata import Condition
from karpenter_check.snapshot.workload import DeploymentContainer, DeploymentPodSpec, DeploymentSpec, DeploymentTemplate, EnvVar
from tests.build import (
    Thing,
    a_cluster,
    a_daemonset,
    a_deployment,
    a_node,
    a_nodeclaim,
    a_nodepool,
    a_pod,
    a_statefulset,
    ago,
    an_event,
    nominated,
)

POOL = Ref("NodePool", "default", "karpenter.sh/v1")
NODE = Ref("Node", "n1", "v1")
GHOST = Ref("Pod", "ghost", "v1", "shop")
EMPTY = a_nodepool(policy="WhenEmpty", consolidate_after="15s")
CONSOLIDATABLE = Condition("Consolidatable", "True", "Consolidatable", last_transition_time=ago("20m"))
DRIFTED = Condition("Drifted", "True", "NodePoolDrifted", last_transition_time=ago("25m"))


def found(cluster: Snapshot) -> list[Finding]:
    return list(node_reaping_nominated(cluster))


def judged(cluster: Snapshot) -> list[tuple[Severity | None, Confidence]]:
    return [(finding.severity, finding.confidence) for finding in found(cluster)]


def a_reapable_claim(node: str = "n1", *, conditions: Sequence[Condition] = (CONSOLIDATABLE,), deleted: str = "") -> NodeClaim:
    return a_nodeclaim(node=node, conditions=conditions, deleted=deleted)


def blocked(
    node: str = "n1",
    *,
    first: str = "15m",
    last: str = "1m",
    times: int = 8,
    message: str = "Node is nominated for a pending pod",
    kind: str = "Node",
) -> Event:
    about = InvolvedObject(kind, "", node)
    return an_event("DisruptionBlocked", message, about=about, first=first, last=last, times=times)


def held(*things: Thing, conditions: Sequence[Condition] = (CONSOLIDATABLE,), block: Event | None = None) -> Snapshot:
    """An empty node that Karpenter wants gone and that is nominated for a pod which no scheduler binds."""
    ghost = a_pod("ghost", scheduler="batch-scheduler", age="16m")
    return a_cluster(
        EMPTY,
        a_node("n1"),
        a_reapable_claim(conditions=conditions),
        ghost,
        nominated(ghost, to="default-n1", node="n1", first="15m", last="1m", times=8),
        block or blocked(),
        *things,
    )


def test_an_empty_node_that_a_nomination_keeps_is_found() -> None:
    cluster = held()
    (node,) = cluster.nodes

    assert found(cluster) == [
        Finding(
            object=NODE,
            owner=POOL,
            nodepool="default",
            cause="other_scheduler",
            severity=Severity.HIGH,
            confidence=Confidence.LIKELY,
            message="should be gone as Empty; kept for 15m by the nomination of Pod shop/ghost",
            why="Karpenter sees shop/ghost (asks 100m cpu, 128Mi memory) fit here and renews a 20 s nomination; it has waited 15m: "
            'its schedulerName "batch-scheduler" answers nothing: no pod of it is bound anywhere',
            cost="node n1, Consolidatable (WhenEmpty, consolidateAfter 15s) since 11:40:00Z",
            impact=Impact(nodes=1, pods=1),
            evidence=(
                Evidence(event=EventEvidence("DisruptionBlocked", "Node is nominated for a pending pod", 8, ago("1m"))),
                Evidence(event=EventEvidence("Nominated", "Pod should schedule on: nodeclaim/default-n1, node/n1", 8, ago("1m"))),
                Evidence(NODE, "NodeClaim status.conditions", "Consolidatable (WhenEmpty, consolidateAfter 15s)"),
            ),
            occurrences=(Occurrence(NODE, node.metadata.uid, "n1", "nominated", ago("15m")),),
            since=ago("15m"),
            fix=(
                Fix(
                    "fix",
                    "kubectl describe pod -n shop ghost",
                    text="remove what keeps the pod from its node, or the pod; the node then goes by itself, unless something else blocks it, too",
                    risk="restarting Karpenter frees the node only until it nominates again",
                ),
                Fix("verify", "karpenter-check scan --select node-reaping-nominated --nodepool default"),
            ),
            blames=(Blame(GHOST),),
        ),
    ]


def test_two_nodes_of_one_nodepool_kept_for_one_reason_are_one_finding() -> None:
    web = a_deployment("web", replicas=2)
    pods = [a_pod(f"web-{place}", of=web, scheduler="batch-scheduler") for place in (1, 2)]
    cluster = a_cluster(
        EMPTY,
        web,
        *pods,
        *(a_node(f"n{place}") for place in (1, 2)),
        *(a_reapable_claim(f"n{place}") for place in (1, 2)),
        nominated(pods[0], to="default-n1", node="n1", first="12m", last="1m", times=6),
        nominated(pods[1], to="default-n2", node="n2", first="15m", last="1m", times=8),
        blocked("n1", first="12m", times=6),
        blocked("n2"),
    )

    assert [(finding.object, finding.message, finding.cost, finding.impact, finding.blames) for finding in found(cluster)] == [
        (
            POOL,
            "2 nodes should be gone as Empty; kept for 15m by the nomination of Pod shop/web-2",
            "node n2, Consolidatable (WhenEmpty, consolidateAfter 15s) since 11:40:00Z; and 1 more",
            Impact(nodes=2, pods=2),
            (
                Blame(Ref("Deployment", "web", "apps/v1", "shop")),
                Blame(Ref("Pod", "web-2", "v1", "shop")),
                Blame(Ref("Pod", "web-1", "v1", "shop")),
            ),
        ),
    ]


def test_a_drifted_node_that_a_nomination_keeps_is_found() -> None:
    busy = a_pod("busy", on="n1")

    assert [(finding.message, finding.cost) for finding in found(held(busy, conditions=[DRIFTED]))] == [
        (
            "should be gone as Drifted; kept for 15m by the nomination of Pod shop/ghost",
            "node n1, Drifted: NodePoolDrifted since 11:35:00Z",
        ),
    ]


def test_an_underused_node_is_only_possibly_kept() -> None:
    pool = a_nodepool("busy")
    ghost = a_pod("ghost", scheduler="batch-scheduler")
    cluster = a_cluster(
        pool,
        a_node("n1", pool="busy"),
        a_nodeclaim(node="n1", pool="busy", conditions=[CONSOLIDATABLE]),
        a_pod("app", on="n1"),
        ghost,
        nominated(ghost, to="busy-n1", node="n1", first="15m", last="1m"),
        blocked(),
    )

    assert judged(cluster) == [(Severity.MEDIUM, Confidence.POSSIBLE)]


def test_a_pod_that_is_bound_to_a_node_that_drains_for_ever_keeps_another_node() -> None:
    pinned = a_pod("pinned", on="dying", do_not_disrupt="true")
    cluster = a_cluster(
        EMPTY,
        a_node("n1"),
        a_reapable_claim(),
        a_node("dying", deleted="1h"),
        pinned,
        nominated(pinned, to="default-n1", node="n1", first="15m", last="1m", times=8),
        blocked(),
    )

    (finding,) = found(cluster)
    why = "Karpenter sees shop/pinned (asks 100m cpu, 128Mi memory) fit here and renews a 20 s nomination; it has not come in 15m: it runs on node dying"

    assert (finding.cause, finding.why, finding.blames) == (
        "landed_elsewhere",
        why,
        (Blame(Ref("Pod", "pinned", "v1", "shop")), Blame(Ref("Node", "dying", "v1"))),
    )


def test_a_pod_that_runs_on_a_node_that_stays_holds_no_other() -> None:
    moved = a_pod("moved", on="other")
    nomination = nominated(moved, to="default-n1", node="n1", first="15m", last="1m", times=8)
    cluster = a_cluster(EMPTY, a_node("n1"), a_reapable_claim(), a_node("other"), moved, nomination, blocked())

    assert found(cluster) == []


@pytest.mark.parametrize(
    "message",
    ["Node is nominated for a pending pod", "Cannot disrupt Node: state node is nominated for a pending pod"],
    ids=["from 1.2 on", "to 1.1"],
)
def test_karpenters_words_are_known_in_every_version(message: str) -> None:
    assert judged(held(block=blocked(message=message))) == [(Severity.HIGH, Confidence.LIKELY)]


def test_the_event_on_the_nodeclaim_counts_as_well() -> None:
    block = blocked("default-n1", kind="NodeClaim")

    assert judged(held(block=block)) == [(Severity.HIGH, Confidence.LIKELY)]


def test_an_event_of_the_newer_recorder_counts_as_well() -> None:
    block = Event(
        InvolvedObject("Node", "", "n1"),
        reason="DisruptionBlocked",
        message="Node is nominated for a pending pod",
        reporting_component="karpenter",
        event_time=ago("15m"),
        series=EventSeries(8, ago("1m")),
    )

    assert judged(held(block=block)) == [(Severity.HIGH, Confidence.LIKELY)]


def test_the_word_of_somebody_else_is_not_karpenters() -> None:
    about = InvolvedObject("Node", "", "n1")
    block = an_event(
        "DisruptionBlocked",
        "Node is nominated for a pending pod",
        about=about,
        first="15m",
        last="1m",
        times=8,
        component="x",
    )

    assert found(held(block=block)) == []


def test_a_nomination_lasts_as_long_as_the_deployment_says() -> None:
    controller = a_deployment("karpenter", namespace="karpenter", labels={"app.kubernetes.io/name": "karpenter"})
    container = DeploymentContainer("karpenter:1.13.0", (EnvVar("BATCH_MAX_DURATION", "60s"),))
    pod = DeploymentTemplate(DeploymentPodSpec((container,)))
    controller = replace(controller, spec=DeploymentSpec(1, pod))
    (finding,) = found(held(controller, block=blocked(last="4m")))

    assert "fit here and renews a 120 s nomination;" in finding.why


def test_within_the_first_ten_minutes_it_is_low() -> None:
    assert judged(held(block=blocked(first="9m", times=5))) == [(Severity.LOW, Confidence.LIKELY)]


def test_fail_after_sets_from_when_it_is_high() -> None:
    cluster = held(block=blocked(first="9m", times=5))

    assert [finding.severity for finding in node_reaping_nominated(cluster, fail_after=timedelta(minutes=9))] == [Severity.HIGH]


def test_a_lone_event_is_life() -> None:
    assert found(held(block=blocked(first="1m", times=1))) == []


@pytest.mark.parametrize("age", ["4s", "1m59s"])
def test_a_stream_of_pods_that_come_and_go_is_a_busy_node(age: str) -> None:
    job = a_pod("job-99", age=age)
    nomination = nominated(job, to="default-n1", node="n1", first=age)
    cluster = a_cluster(EMPTY, a_node("n1"), a_reapable_claim(), job, nomination, blocked(first="2h", times=40))

    assert found(cluster) == []


def test_a_pod_keeps_the_node_only_since_it_was_nominated() -> None:
    young = a_pod("young", age="3m", scheduler="batch-scheduler")
    nomination = nominated(young, to="default-n1", node="n1", first="3m", last="1m", times=2)
    (finding,) = found(a_cluster(EMPTY, a_node("n1"), a_reapable_claim(), young, nomination, blocked(first="2h", times=40)))

    assert (finding.severity, finding.message) == (
        Severity.LOW,
        "should be gone as Empty; kept for 3m by the nomination of Pod shop/young",
    )


def test_warn_after_sets_how_long_a_pod_must_be_nominated() -> None:
    assert list(node_reaping_nominated(held(), warn_after=timedelta(minutes=16))) == []


def test_warn_count_sets_how_often_it_must_be_said() -> None:
    assert list(node_reaping_nominated(held(), warn_count=9)) == []


def test_an_event_that_came_a_few_times_in_an_hour_is_a_busy_node() -> None:
    assert found(held(block=blocked(first="55m", last="1m", times=4))) == []


def test_a_block_that_is_over_is_over() -> None:
    assert found(held(block=blocked(first="15m", last="4m"))) == []


@pytest.mark.parametrize(
    "message",
    [
        "Pdb prevents pod evictions (PodDisruptionBudget=[shop/web])",
        "Node has buffer pods",
        "Node isn't initialized",
        'Pod has "karpenter.sh/do-not-disrupt" annotation (Pod=shop/web)',
    ],
)
def test_another_blocker_is_another_rules(message: str) -> None:
    assert found(held(block=blocked(message=message))) == []


def test_an_event_about_another_node_says_nothing() -> None:
    assert found(held(block=blocked("n2"))) == []


def test_a_node_that_nobody_wants_gone_is_fine() -> None:
    assert found(held(conditions=[])) == []


def test_a_node_whose_consolidate_after_is_not_over_is_fine() -> None:
    unknown = Condition("Consolidatable", "Unknown", last_transition_time=ago("20m"))

    assert found(held(conditions=[unknown])) == []


def test_a_node_with_pods_stays_where_only_empty_ones_go() -> None:
    assert found(held(a_pod("app", on="n1"))) == []


def test_daemonset_pods_leave_a_node_empty() -> None:
    logs = a_daemonset("logs")

    assert judged(held(logs, a_pod("logs-1", on="n1", of=logs))) == [(Severity.HIGH, Confidence.LIKELY)]


def test_a_pod_of_a_statefulset_that_terminates_does_not_leave_a_node_empty() -> None:
    db = a_statefulset("db")

    assert found(held(db, a_pod("db-0", on="n1", of=db, deleted="10s"))) == []


def test_a_node_that_is_not_initialized_is_another_rules() -> None:
    ghost = a_pod("ghost")
    cluster = a_cluster(
        EMPTY,
        a_node("n1", initialized=False),
        a_reapable_claim(),
        ghost,
        nominated(ghost, to="default-n1", node="n1", first="15m", last="1m"),
        blocked(),
    )

    assert found(cluster) == []


def test_a_node_that_is_going_is_fine() -> None:
    ghost = a_pod("ghost")
    cluster = a_cluster(
        EMPTY,
        a_node("n1", deleted="1m"),
        a_reapable_claim(deleted="1m"),
        ghost,
        nominated(ghost, to="default-n1", node="n1", first="15m", last="1m"),
        blocked(),
    )

    assert found(cluster) == []


def test_a_pod_that_has_landed_there_no_longer_holds_the_node() -> None:
    landed = a_pod("landed", on="n1")
    cluster = a_cluster(
        a_node("n1"),
        a_reapable_claim(),
        landed,
        nominated(landed, to="default-n1", node="n1", first="15m", last="1m"),
        blocked(),
    )

    assert found(cluster) == []


def test_the_nomination_of_a_pod_that_is_gone_clears_by_itself() -> None:
    gone = a_pod("gone")
    event = nominated(gone, to="default-n1", node="n1", first="15m", last="1m")

    assert found(a_cluster(EMPTY, a_node("n1"), a_reapable_claim(), event, blocked())) == []


def test_a_nomination_that_was_not_renewed_holds_nothing() -> None:
    ghost = a_pod("ghost")
    event = nominated(ghost, to="default-n1", node="n1", first="15m", last="4m")

    assert found(a_cluster(EMPTY, a_node("n1"), a_reapable_claim(), ghost, event, blocked())) == []


def test_a_nodepool_that_never_consolidates_keeps_its_nodes() -> None:
    ghost = a_pod("ghost")
    cluster = a_cluster(
        a_nodepool(policy="WhenEmpty", consolidate_after="Never"),
        a_node("n1"),
        a_reapable_claim(),
        ghost,
        nominated(ghost, to="default-n1", node="n1", first="15m", last="1m"),
        blocked(),
    )

    assert found(cluster) == []
