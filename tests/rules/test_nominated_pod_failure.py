import dataclasses
from collections.abc import Sequence
from datetime import timedelta

import pytest
from msgspec.structs import replace

from karpenter_check.finding import Blame, Confidence, EventEvidence, Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity
from karpenter_check.rules.nominated_pod_failure import nominated_pod_failure
from karpenter_check.scheduling.nomination import Reason
from karpenter_check.snapshot import Coverage, Kind, NodeClaim, Snapshot, Status
from karpenter_check.snapshot.pod_object import PodObject
from karpenter_check.snapshot.workload import Deployment
from tests.build import (
    Thing,
    a_cluster,
    a_daemonset,
    a_deployment,
    a_node,
    a_nodeclaim,
    a_nodepool,
    a_pod,
    ago,
    nominated,
    preempted,
)

APP = Ref("Pod", "app", "v1", "shop")
WEB = Ref("Deployment", "web", "apps/v1", "shop")
AGENT = Ref("DaemonSet", "agent", "apps/v1", "kube-system")
VERIFY = Fix("verify", "karpenter-check scan --select nominated-pod-failure -n shop")


def found(cluster: Snapshot) -> list[Finding]:
    return list(nominated_pod_failure(cluster))


def judged(cluster: Snapshot) -> list[tuple[str, Severity | None]]:
    return [(finding.cause, finding.severity) for finding in found(cluster)]


def a_pod_of(owner: Deployment, suffix: str, *, on: str = "", age: str = "50m") -> PodObject:
    """A pod as the owner's ReplicaSet names it."""
    return a_pod(f"{owner.metadata.name}-bcdfg-{suffix}", of=owner, on=on, age=age)


def waiting(*things: Thing, pod: PodObject | None = None, since: str = "15m") -> Snapshot:
    """A pod that was nominated to node n1 so long ago, and again in the last minute, in a cluster of these things."""
    nominee = pod or a_pod("app")
    return a_cluster(*things, nominee, nominated(nominee, to="default-n1", node="n1", first=since, last="1m", times=4))


def test_a_pod_that_waits_for_its_node_is_found() -> None:
    app = a_pod("app", scheduler="batch-scheduler", message="0/1 nodes are available")

    assert found(waiting(a_node("n1"), pod=app)) == [
        Finding(
            object=APP,
            owner=APP,
            nodepool="default",
            cause="other_scheduler",
            confidence=Confidence.LIKELY,
            message="waits for default-n1 since its nomination 15m ago: its scheduler binds nothing",
            why='its schedulerName "batch-scheduler" answers nothing: no pod of it is bound anywhere',
            impact=Impact(pods=1),
            evidence=(
                Evidence(event=EventEvidence("Nominated", "Pod should schedule on: nodeclaim/default-n1, node/n1", 4, ago("1m"))),
                Evidence(APP, "status.conditions[PodScheduled].message", "0/1 nodes are available"),
            ),
            occurrences=(
                Occurrence(APP, app.metadata.uid, "n1", Reason.OTHER_SCHEDULER, ago("15m"), "default-n1", ago("13m"), ago("13m")),
            ),
            since=ago("15m"),
            fix=(
                Fix(
                    "fix",
                    "kubectl delete pod -n shop app",
                    text='or start the scheduler "batch-scheduler"',
                    risk="a bare pod is not made again",
                ),
                VERIFY,
            ),
        ),
    ]


@pytest.mark.parametrize(
    ("things", "pod", "cause", "said", "why", "blamed"),
    [
        pytest.param(
            [
                a_node("n1"),
                a_nodeclaim(node="n1", initialized=False, initialized_message='StartupTaint "cni:NoExecute" still exists'),
            ],
            a_pod("app"),
            Reason.NOT_INITIALIZED,
            "the node was never initialized",
            'NodeClaim default-n1 was never initialized: StartupTaint "cni:NoExecute" still exists',
            [Ref("NodeClaim", "default-n1", "karpenter.sh/v1")],
            id="not initialized",
        ),
        pytest.param(
            [a_nodepool(), a_nodeclaim("default-n1", node="", registered=False, initialized=False)],
            a_pod("app"),
            Reason.NOT_REGISTERED,
            "the node never joined",
            "NodeClaim default-n1 never joined the cluster",
            [Ref("NodeClaim", "default-n1", "karpenter.sh/v1")],
            id="not registered",
        ),
        pytest.param(
            [a_nodepool(), a_nodeclaim("default-n1", node="", launched=False, registered=False, initialized=False)],
            a_pod("app"),
            Reason.NOT_LAUNCHED,
            "the NodeClaim was never launched",
            "NodeClaim default-n1 was never launched",
            [Ref("NodeClaim", "default-n1", "karpenter.sh/v1")],
            id="not launched",
        ),
        pytest.param(
            [a_node("n1", ready=False)],
            a_pod("app"),
            Reason.NODE_NOT_READY,
            "the node is not Ready",
            "node n1 is not Ready",
            [Ref("Node", "n1", "v1")],
            id="not ready",
        ),
        pytest.param(
            [a_node("n1", cordoned=True)],
            a_pod("app"),
            Reason.CORDONED,
            "the node is cordoned",
            "node n1 is cordoned",
            [Ref("Node", "n1", "v1")],
            id="cordoned",
        ),
        pytest.param(
            [a_node("n1", taints=["team=a:NoSchedule"], taints_written_by="node-tainter")],
            a_pod("app"),
            Reason.TAINT,
            "the node has a taint that it does not tolerate",
            "it does not tolerate team=a:NoSchedule on node n1, written by node-tainter",
            [Ref("Node", "n1", "v1")],
            id="taint",
        ),
        pytest.param(
            [a_node("n1", labels={"team": "b"})],
            a_pod("app", selector={"team": "a"}),
            Reason.LABEL,
            "the node has not the label that it needs",
            "it needs team=a, the node has team=b (node n1)",
            [Ref("Node", "n1", "v1")],
            id="label",
        ),
        pytest.param(
            [a_node("n1", cpu="1"), a_daemonset("agent"), a_pod("agent-1", on="n1", of=a_daemonset("agent", cpu="600m"))],
            a_pod("app", cpu="700m"),
            Reason.NO_ROOM,
            "the node has no room for it",
            "node n1 is 300m cpu short; most is taken by DaemonSet kube-system/agent (600m)",
            [AGENT],
            id="no room",
        ),
        pytest.param(
            [a_node("n1"), a_pod("other", on="n1", host_port=443)],
            a_pod("app", host_port=443),
            Reason.HOST_PORT,
            "its host port is taken there",
            "a host port that it needs on node n1 is held by Pod shop/other",
            [Ref("Pod", "other", "v1", "shop")],
            id="host port",
        ),
        pytest.param(
            [a_node("n1")],
            a_pod("app"),
            Reason.UNKNOWN,
            "nothing that could be checked says why",
            "nothing that could be checked keeps it from node n1",
            [],
            id="unknown",
        ),
        pytest.param(
            [a_node("n1")],
            a_pod("app", claims=["data"]),
            Reason.UNKNOWN,
            "nothing that could be checked says why",
            "nothing that could be checked keeps it from node n1; its volumes' zones and attach limits were not checked",
            [],
            id="volume",
        ),
    ],
)
def test_the_cause_is_recomputed_from_the_objects(
    things: Sequence[Thing], pod: PodObject, cause: Reason, said: str, why: str, blamed: Sequence[Ref]
) -> None:
    (finding,) = found(waiting(*things, pod=pod))

    assert (finding.cause, finding.message, finding.why, finding.blames) == (
        cause,
        f"waits for default-n1 since its nomination 15m ago: {said}",
        why,
        tuple(Blame(ref) for ref in blamed),
    )


def test_a_target_that_is_gone_is_found_in_the_nodepool_that_its_name_tells() -> None:
    app = a_pod("app")
    cluster = a_cluster(a_nodepool("team"), a_nodepool("team-a"), app, nominated(app, to="team-a-x2x4x", first="20m", last="11m"))

    assert [(finding.nodepool, finding.cause, finding.why) for finding in found(cluster)] == [
        ("team-a", "target_gone", "NodeClaim team-a-x2x4x is gone")
    ]


def test_pods_of_one_owner_are_one_finding() -> None:
    web = a_deployment("web", replicas=2)
    first, second = a_pod_of(web, "22222"), a_pod_of(web, "44444")
    cluster = a_cluster(
        a_node("n1", cordoned=True),
        web,
        first,
        second,
        nominated(first, to="default-n1", node="n1", first="15m", last="1m"),
        nominated(second, to="default-n1", node="n1", first="3m", last="1m"),
    )

    assert [(finding.owner, finding.severity, finding.message, finding.impact.pods) for finding in found(cluster)] == [
        (WEB, None, "2 pods wait for default-n1 since its nomination 15m ago: the node is cordoned", 2)
    ]


def test_what_keeps_any_of_the_pods_away_is_blamed() -> None:
    web = a_deployment("web", replicas=2)
    first, second = a_pod_of(web, "22222"), a_pod_of(web, "44444")
    cluster = a_cluster(
        a_nodepool(),
        a_nodeclaim("c1", node="", registered=False),
        a_nodeclaim("c2", node="", registered=False),
        web,
        first,
        second,
        nominated(first, to="c1", first="15m", last="1m"),
        nominated(second, to="c2", first="14m", last="1m"),
    )

    assert [finding.blames for finding in found(cluster)] == [
        (Blame(Ref("NodeClaim", "c1", "karpenter.sh/v1")), Blame(Ref("NodeClaim", "c2", "karpenter.sh/v1")))
    ]


@pytest.mark.parametrize(
    ("since", "expected"), [("1m59s", []), ("2m", [("cordoned", Severity.LOW)]), ("10m", [("cordoned", None)])]
)
def test_a_wait_is_low_from_two_minutes_and_high_from_ten(since: str, expected: list[tuple[str, Severity | None]]) -> None:
    assert judged(waiting(a_node("n1", cordoned=True), since=since)) == expected


@pytest.mark.parametrize(
    ("since", "expected"), [("4m59s", []), ("5m", [("not_initialized", Severity.LOW)]), ("10m", [("not_initialized", None)])]
)
def test_a_node_that_boots_is_given_five_minutes(since: str, expected: list[tuple[str, Severity | None]]) -> None:
    booting = a_nodeclaim(node="n1", initialized=False)

    assert judged(waiting(a_node("n1", initialized=False), booting, since=since)) == expected


def a_claim_for_a_gpu() -> NodeClaim:
    return a_nodeclaim(node="n1", initialized=False, requests={"cpu": "4", "nvidia.com/gpu": "1"})


@pytest.mark.parametrize(("since", "severity"), [("19m", Severity.LOW), ("20m", None)])
def test_a_node_with_accelerators_is_high_from_twenty_minutes(since: str, severity: Severity | None) -> None:
    cluster = waiting(a_node("n1", initialized=False), a_claim_for_a_gpu(), since=since)

    assert judged(cluster) == [("not_initialized", severity)]


def test_fail_after_for_devices_sets_it() -> None:
    cluster = waiting(a_node("n1", initialized=False), a_claim_for_a_gpu(), since="19m")

    assert [finding.severity for finding in nominated_pod_failure(cluster, fail_after_for_devices=timedelta(minutes=15))] == [None]


def test_the_wait_counts_from_when_the_node_was_ready_for_pods() -> None:
    assert judged(waiting(a_node("n1"), a_nodeclaim(node="n1", age="1m"))) == []


def test_warn_after_sets_from_when_a_wait_counts() -> None:
    cluster = waiting(a_node("n1", cordoned=True), since="3m")

    assert list(nominated_pod_failure(cluster, warn_after=timedelta(minutes=4))) == []


def test_fail_after_sets_from_when_a_wait_is_high() -> None:
    cluster = waiting(a_node("n1", cordoned=True), since="3m")

    assert [finding.severity for finding in nominated_pod_failure(cluster, fail_after=timedelta(minutes=3))] == [None]


def test_warn_after_for_new_nodes_sets_how_long_a_node_may_boot() -> None:
    cluster = waiting(a_node("n1", initialized=False), a_nodeclaim(node="n1", initialized=False), since="6m")

    assert list(nominated_pod_failure(cluster, warn_after_for_new_nodes=timedelta(minutes=7))) == []


def test_a_pod_that_has_landed_is_fine() -> None:
    assert found(waiting(a_node("n1"), pod=a_pod("app", on="n1"))) == []


def test_a_pod_that_landed_elsewhere_is_fine() -> None:
    assert found(waiting(a_node("n1"), a_node("n2"), pod=a_pod("app", on="n2"))) == []


def test_a_pod_that_still_runs_where_karpenter_wants_it_away_from_is_fine() -> None:
    source = a_node("n2", taints=["karpenter.sh/disrupted:NoSchedule"])

    assert found(waiting(a_node("n1"), source, pod=a_pod("app", on="n2"))) == []


def test_a_pod_that_is_gone_is_fine() -> None:
    event = nominated(a_pod("app"), to="default-n1", node="n1", first="15m", last="1m")

    assert found(a_cluster(a_node("n1", cordoned=True), event)) == []


def test_a_pod_of_the_same_name_that_was_made_anew_was_never_nominated() -> None:
    before = a_pod("app", namespace="another-uid")
    event = replace(nominated(before, to="default-n1", node="n1", first="15m", last="1m"))
    event = replace(event, involved_object=replace(event.involved_object, namespace="shop"))

    assert found(a_cluster(a_node("n1", cordoned=True), a_pod("app"), event)) == []


def test_a_pod_that_is_being_deleted_is_fine() -> None:
    assert found(waiting(a_node("n1", cordoned=True), pod=a_pod("app", deleted="1m"))) == []


def test_a_pod_that_the_scheduler_preempts_others_for_is_the_schedulers() -> None:
    app = a_pod("app")
    app = replace(app, status=replace(app.status, nominated_node_name="n1"))

    assert found(waiting(a_node("n1", cordoned=True), pod=app)) == []


def test_a_pod_that_no_scheduler_has_refused_is_fine() -> None:
    app = a_pod("app")
    app = replace(app, status=replace(app.status, conditions=()))

    assert found(waiting(a_node("n1", cordoned=True), pod=app)) == []


def test_only_the_latest_target_counts() -> None:
    app = a_pod("app")
    cluster = a_cluster(
        a_node("n1", cordoned=True),
        a_node("n2"),
        app,
        nominated(app, to="default-n1", node="n1", first="15m", last="5m"),
        nominated(app, to="default-n2", node="n2", first="1m"),
    )

    assert found(cluster) == []


def test_another_scheduler_that_binds_pods_is_not_the_cause() -> None:
    bound = a_pod("bound", on="n1", scheduler="batch-scheduler")

    assert judged(waiting(a_node("n1"), bound, pod=a_pod("app", scheduler="batch-scheduler"))) == [("unknown", None)]


def test_an_event_of_another_component_is_no_nomination() -> None:
    app = a_pod("app")
    event = nominated(app, to="default-n1", node="n1", first="15m", last="1m")
    event = replace(event, source=replace(event.source, component="somebody-else")) if event.source else event

    assert found(a_cluster(a_node("n1", cordoned=True), app, event)) == []


def three_preemptions(*, by: PodObject, on: str = "n1", minutes: Sequence[int] = (1, 2, 3)) -> list[Thing]:
    return [
        preempted(f"web-bcdfg-{suffix}", by=by, on=on, when=f"{when}m")
        for suffix, when in zip(("22222", "44444", "55555"), minutes, strict=False)
    ]


def test_pods_that_land_and_are_preempted_again_and_again_are_found() -> None:
    web, agent = a_deployment("web"), a_daemonset("agent", priority_class="system-node-critical")
    ours = a_pod("agent-1", on="n1", of=agent)
    events = three_preemptions(by=ours)
    bought = nominated(a_pod_of(web, "22222"), to="default-n1", first="5m")
    cluster = a_cluster(a_node("n1", age="5m"), a_nodeclaim(node="n1", age="5m"), web, agent, ours, *events, bought)
    pods = [event.involved_object for event in cluster.events_by_reason["Preempted"]]

    assert found(cluster) == [
        Finding(
            object=WEB,
            owner=WEB,
            nodepool="default",
            cause="preempted",
            confidence=Confidence.LIKELY,
            message="1 NodeClaim; landed 3 times, preempted 3 times by agent (system-node-critical)",
            why="its pods (1 replica) land on nodes of default and are preempted by pods of DaemonSet kube-system/agent",
            impact=Impact(nodes=1, pods=3, nodeclaims=1),
            evidence=(
                Evidence(
                    event=EventEvidence("Preempted", f"Preempted by pod {ours.metadata.uid} on node n1", 3, ago("1m")),
                ),
            ),
            occurrences=tuple(
                Occurrence(Ref("Pod", pod.name, "v1", "shop"), pod.uid, "", Reason.PREEMPTED, ago(when), "n1", ago("1m"), ago(when))
                for pod, when in zip(reversed(pods), ("3m", "2m", "1m"), strict=True)
            ),
            since=ago("5m"),
            fix=(
                Fix(
                    "fix",
                    text="make Karpenter count DaemonSet kube-system/agent on default, or lower its priority",
                    risk="a lower priority leaves its own pods Pending",
                ),
                VERIFY,
            ),
            blames=(Blame(AGENT, "default"),),
        ),
    ]


def test_preemptions_by_several_workloads_count_together() -> None:
    web, agent, other = a_deployment("web"), a_daemonset("agent"), a_daemonset("other")
    ours, theirs = a_pod("agent-1", on="n1", of=agent), a_pod("other-1", on="n1", of=other)
    first, second, third = three_preemptions(by=ours)
    third = preempted("web-bcdfg-55555", by=theirs, on="n1", when="3m")
    cluster = a_cluster(a_node("n1"), web, agent, other, ours, theirs, first, second, third)

    assert [(finding.message, finding.blames) for finding in found(cluster)] == [
        (
            "landed 3 times, preempted 3 times by agent and 1 other workload",
            (Blame(AGENT, "default"), Blame(Ref("DaemonSet", "other", "apps/v1", "kube-system"), "default")),
        ),
    ]


def test_two_preemptions_are_life() -> None:
    web, agent = a_deployment("web"), a_daemonset("agent")
    ours = a_pod("agent-1", on="n1", of=agent)
    cluster = a_cluster(a_node("n1"), web, agent, ours, *three_preemptions(by=ours)[:2])

    assert found(cluster) == []


def test_minimum_preemptions_sets_how_many_are_a_failure() -> None:
    web, agent = a_deployment("web"), a_daemonset("agent")
    ours = a_pod("agent-1", on="n1", of=agent)
    cluster = a_cluster(a_node("n1"), web, agent, ours, *three_preemptions(by=ours)[:2])

    assert [finding.cause for finding in nominated_pod_failure(cluster, minimum_preemptions=2)] == ["preempted"]


def test_preemptions_of_more_than_a_quarter_of_an_hour_ago_are_over() -> None:
    web, agent = a_deployment("web"), a_daemonset("agent")
    ours = a_pod("agent-1", on="n1", of=agent)
    cluster = a_cluster(a_node("n1"), web, agent, ours, *three_preemptions(by=ours, minutes=(1, 2, 16)))

    assert found(cluster) == []


def test_preemptions_of_a_workload_that_was_scaled_to_nothing_are_over() -> None:
    web, agent = a_deployment("web", replicas=0), a_daemonset("agent")
    ours = a_pod("agent-1", on="n1", of=agent)
    cluster = a_cluster(a_node("n1"), web, agent, ours, *three_preemptions(by=ours))

    assert found(cluster) == []


def test_preemptions_on_nodes_of_no_nodepool_are_not_karpenters() -> None:
    web, agent = a_deployment("web"), a_daemonset("agent")
    ours = a_pod("agent-1", on="n1", of=agent)
    cluster = a_cluster(a_node("n1", pool=""), web, agent, ours, *three_preemptions(by=ours))

    assert found(cluster) == []


AGES = ("3m", "4m", "5m")


def bought_for(
    pods: Sequence[PodObject],
    *,
    among: Sequence[Thing],
    ages: Sequence[str] = AGES,
    initialized: bool = True,
    deleted: str = "",
) -> Snapshot:
    """A node of each age, bought for one of the pods, that no workload's pod has ever come to, in a cluster of these things."""
    things = [*among]
    for place, (age, pod) in enumerate(zip(ages, pods, strict=True), 1):
        node, claim = f"n{place}", f"default-c{place}"
        things += [
            a_node(node, age=age, initialized=initialized),
            a_nodeclaim(claim, node=node, age=age, initialized=initialized, last_pod_event="", deleted=deleted),
            nominated(pod, to=claim, first=age),
        ]
    return a_cluster(*things)


def replicas_elsewhere(web: Deployment) -> list[PodObject]:
    return [a_pod_of(web, suffix, on="old") for suffix in ("22222", "44444", "55555")]


def test_nodes_bought_for_pods_that_went_elsewhere_are_found() -> None:
    web = a_deployment("web", replicas=3)
    pods = replicas_elsewhere(web)
    cluster = bought_for(pods, among=[a_node("old"), web, *pods])
    (finding,) = found(cluster)

    assert replace(finding, occurrences=(), fix=()) == Finding(
        object=WEB,
        owner=WEB,
        nodepool="default",
        cause="landed_elsewhere",
        severity=Severity.LOW,
        confidence=Confidence.LIKELY,
        message="3 NodeClaims in 2m, none of them occupied; its pods run on other nodes",
        why="Karpenter bought 3 nodes of default for its pods (3 replicas); its pods run on other nodes",
        impact=Impact(nodes=3, pods=0, nodeclaims=3),
        evidence=(
            Evidence(Ref("NodeClaim", "default-c1", "karpenter.sh/v1"), "status.lastPodEventTime", "none: no pod ever came"),
        ),
        since=ago("5m"),
    )


def test_nodes_bought_for_one_pod_that_still_waits_are_found() -> None:
    web = a_deployment("web")
    gone = [a_pod_of(web, suffix) for suffix in ("22222", "44444", "55555")]
    young = a_pod_of(web, "66666", age="10s")
    cluster = bought_for([*gone, young], among=[web, young], ages=(*AGES, "10s"))

    assert [(finding.cause, finding.message) for finding in found(cluster)] == [
        ("unknown", "4 NodeClaims in 4m50s, none of them occupied; 1 of its pods waits")
    ]


def test_nodes_that_hold_only_daemonset_pods_are_not_occupied() -> None:
    web, logs = a_deployment("web", replicas=3), a_daemonset("logs")
    pods = replicas_elsewhere(web)
    daemons = [a_pod(f"logs-{place}", on=f"n{place}", of=logs) for place in (1, 2, 3)]
    cluster = bought_for(pods, among=[a_node("old"), web, logs, *pods, *daemons])

    assert [finding.cause for finding in found(cluster)] == ["landed_elsewhere"]


def test_minimum_claims_sets_how_many_nodes_are_bought_in_vain() -> None:
    web = a_deployment("web", replicas=3)
    pods = replicas_elsewhere(web)
    cluster = bought_for(pods, among=[a_node("old"), web, *pods])

    assert list(nominated_pod_failure(cluster, minimum_claims=4)) == []


def test_a_workload_that_grows_is_fine() -> None:
    web = a_deployment("web", replicas=4)
    pods = [a_pod_of(web, suffix, age="90s") for suffix in ("22222", "44444", "55555", "66666")]

    assert found(bought_for(pods, among=[web, *pods], ages=("20s", "40s", "60s", "80s"))) == []


def test_nodes_whose_pods_are_gone_prove_nothing() -> None:
    web = a_deployment("web")
    gone = [a_pod_of(web, suffix) for suffix in ("22222", "44444", "55555")]

    assert found(bought_for(gone, among=[web])) == []


def test_nodes_that_another_workload_came_to_are_not_bought_in_vain() -> None:
    web = a_deployment("web", replicas=3)
    pods = replicas_elsewhere(web)
    others = [a_pod(f"other-{place}", on=f"n{place}") for place in (1, 2, 3)]

    assert found(bought_for(pods, among=[a_node("old"), web, *pods, *others])) == []


def test_nodes_that_are_being_taken_away_are_not_counted() -> None:
    web = a_deployment("web", replicas=3)
    pods = replicas_elsewhere(web)

    assert found(bought_for(pods, among=[a_node("old"), web, *pods], deleted="30s")) == []


def test_nodes_that_still_boot_are_not_bought_in_vain() -> None:
    web = a_deployment("web", replicas=3)
    pods = replicas_elsewhere(web)

    assert found(bought_for(pods, among=[a_node("old"), web, *pods], initialized=False)) == []


@pytest.mark.parametrize("taint", ["karpenter.sh/disrupted:NoSchedule", "node.kubernetes.io/disk-pressure:NoSchedule"])
def test_a_taint_that_says_that_the_node_goes_or_is_ill_is_not_to_be_tolerated(taint: str) -> None:
    (finding,) = found(waiting(a_node("n1", taints=[taint])))

    assert (finding.cause, finding.fix[0]) == (
        "taint",
        Fix(
            "fix",
            "kubectl describe nodeclaim default-n1",
            text="mend what its conditions name, or what holds its drain; kubectl delete nodeclaim makes Karpenter buy another",
        ),
    )


def test_a_target_that_may_be_among_the_unreadable_claims_is_not_called_gone() -> None:
    pod = a_pod("web", age="20m")
    cluster = a_cluster(pod, nominated(pod, to="default-gone1", first="15m"))
    partial = Coverage(Status.PARTIAL, 0, "1 could not be read")
    unread = dataclasses.replace(cluster, coverage={**cluster.coverage, Kind.NODECLAIM: partial})

    assert ([finding.cause for finding in found(cluster)], found(unread)) == (["target_gone"], [])
