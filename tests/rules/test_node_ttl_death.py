from datetime import timedelta

import pytest
from msgspec.structs import replace

from karpenter_check.finding import Blame, Confidence, EventEvidence, Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity
from karpenter_check.rules.node_ttl_death import node_ttl_death
from karpenter_check.snapshot import NodeClaim, Snapshot
from karpenter_check.snapshot.event import Event, InvolvedObject
from karpenter_check.snapshot.metadata import Condition, OwnerReference
from karpenter_check.snapshot.pod_object import PodObject
from tests.build import (
    a_budget,
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
CLAIM = Ref("NodeClaim", "default-n1", "karpenter.sh/v1")
DB = a_statefulset("db", namespace="shop")
VERIFY = Fix("verify", "karpenter-check scan --select node-ttl-death --nodepool default")
GRACE = Fix(
    "fix",
    """kubectl patch nodepool default --type merge -p '{"spec":{"template":{"spec":{"terminationGracePeriod":"24h"}}}}'""",
    risk="drifts the pool's nodes; blocking pods are then killed when it elapses",
)


def found(cluster: Snapshot) -> list[Finding]:
    return list(node_ttl_death(cluster))


def judged(cluster: Snapshot) -> list[tuple[str, Severity | None]]:
    return [(finding.cause, finding.severity) for finding in found(cluster)]


def an_expired_claim(since: str = "10m", *, node: str = "n1", grace: str = "", conditions: tuple[Condition, ...] = ()) -> NodeClaim:
    """A NodeClaim that was deleted in the second in which its 24 hours were over."""
    return a_nodeclaim(
        node=node, age=f"24h{since}", expire_after="24h", deleted=since, termination_grace_period=grace, conditions=conditions
    )


def evicted(pod: PodObject, when: str) -> Event:
    about = InvolvedObject("Pod", pod.metadata.namespace, pod.metadata.name, pod.metadata.uid)
    return an_event("Evicted", "Evicted pod: Forceful Termination", about=about, first=when)


def test_a_node_that_drains_since_its_time_to_live_ran_out_is_found() -> None:
    claim, pod = an_expired_claim("2m", grace="24h"), a_pod("app", on="n1")
    cluster = a_cluster(a_node("n1", age="24h", deleted="2m"), claim, pod)

    assert found(cluster) == [
        Finding(
            object=NODE,
            owner=POOL,
            nodepool="default",
            cause="expired",
            confidence=Confidence.LIKELY,
            message="terminating since its expireAfter 24h ran out 2m ago",
            why="1 pod is left, and nothing that was seen keeps it there; forced end 2026-11-22 11:58:00Z",
            cost="1 pod still there",
            impact=Impact(nodes=1, pods=1),
            evidence=(
                Evidence(CLAIM, "metadata.creationTimestamp + spec.expireAfter", "24h"),
                Evidence(CLAIM, "metadata.deletionTimestamp", "2026-11-21T11:58:00Z"),
            ),
            occurrences=(Occurrence(NODE, claim.metadata.uid, "n1", "ttl_expired", ago("2m")),),
            since=ago("2m"),
            fix=(VERIFY,),
            blames=(Blame(NODE),),
        ),
    ]


def test_a_drain_that_hangs_on_a_pod_that_says_do_not_disrupt_is_found() -> None:
    claim, pinned, app = an_expired_claim(), a_pod("pinned", on="n1", of=DB, do_not_disrupt="true"), a_pod("app", on="n1")
    gone = a_pod("gone", age="23h")
    cluster = a_cluster(
        a_node("n1", age="24h", deleted="10m"),
        claim,
        DB,
        pinned,
        app,
        nominated(app, to="default-n1", first="24h10m"),
        evicted(app, "9m"),
        evicted(gone, "9m"),
    )

    assert found(cluster) == [
        Finding(
            object=NODE,
            owner=POOL,
            nodepool="default",
            cause="drain-hangs",
            severity=Severity.HIGH,
            confidence=Confidence.LIKELY,
            message="terminating since its expireAfter 24h ran out 10m ago; the drain hangs on 1 pod",
            why='Pod shop/pinned is kept by karpenter.sh/do-not-disrupt: "true"; no terminationGracePeriod, so it drains for ever',
            cost="1 pod evicted by force, 2 still there",
            impact=Impact(nodes=1, pods=3),
            evidence=(
                Evidence(CLAIM, "metadata.creationTimestamp + spec.expireAfter", "24h"),
                Evidence(CLAIM, "metadata.deletionTimestamp", "2026-11-21T11:50:00Z"),
                Evidence(Ref("Pod", "pinned", "v1", "shop"), "metadata.annotations.karpenter.sh/do-not-disrupt", "true"),
                Evidence(event=EventEvidence("Evicted", "Evicted pod: Forceful Termination", 1, ago("9m"))),
            ),
            occurrences=(Occurrence(NODE, claim.metadata.uid, "n1", "ttl_expired", ago("10m")),),
            since=ago("10m"),
            fix=(
                Fix(
                    "stop",
                    "kubectl delete pod -n shop pinned",
                    risk="the pod asked not to be disturbed: ask its owner first; its controller makes it again elsewhere",
                ),
                GRACE,
                VERIFY,
            ),
            blames=(Blame(NODE), Blame(Ref("StatefulSet", "db", "apps/v1", "shop"))),
        ),
    ]


def test_two_nodes_of_one_nodepool_are_one_finding_about_it() -> None:
    cluster = a_cluster(
        a_node("n1", deleted="4m"),
        a_node("n2", deleted="3m"),
        an_expired_claim("4m", grace="24h"),
        an_expired_claim("3m", node="n2", grace="24h"),
    )

    assert [(finding.object, finding.message, finding.why) for finding in found(cluster)] == [
        (
            POOL,
            "2 nodes terminating since their expireAfter 24h ran out 4m ago",
            "deleted at creation + expireAfter, with no other reason given; forced end 2026-11-22 11:56:00Z",
        ),
    ]


def test_a_claim_whose_node_never_came_stands_for_itself() -> None:
    claim = an_expired_claim("2m", node="", grace="24h")
    cluster = a_cluster(a_nodepool(), claim)

    assert [(finding.object, finding.occurrences) for finding in found(cluster)] == [
        (
            POOL,
            (Occurrence(Ref("NodeClaim", claim.name, "karpenter.sh/v1"), claim.metadata.uid, "", "ttl_expired", ago("2m")),),
        ),
    ]


def test_a_pod_that_two_budgets_match_makes_the_drain_hang() -> None:
    cluster = a_cluster(
        a_node("n1", deleted="10m"),
        an_expired_claim(),
        a_pod("web", on="n1", labels={"app": "web"}),
        a_budget("one", selects={"app": "web"}),
        a_budget("two"),
    )
    (finding,) = found(cluster)

    assert (finding.cause, finding.why, finding.evidence[-1], finding.fix[0].risk) == (
        "drain-hangs",
        "Pod shop/web is kept by two PodDisruptionBudgets (one and two), which eviction refuses; no terminationGracePeriod, so it drains for ever",
        Evidence(
            Ref("Pod", "web", "v1", "shop"),
            "metadata.labels",
            "matched by two PodDisruptionBudgets (one and two), which eviction refuses",
        ),
        "this goes around its PodDisruptionBudget: ask its owner first; it is a bare pod and is not made again",
    )


@pytest.mark.parametrize(("since", "expected"), [("59m", ("expired", None)), ("61m", ("drain-hangs", Severity.HIGH))])
def test_a_budget_that_allows_nothing_now_may_open_within_the_hour(since: str, expected: tuple[str, Severity | None]) -> None:
    cluster = a_cluster(
        a_node("n1", deleted=since),
        an_expired_claim(since),
        a_pod("web", on="n1", labels={"app": "web"}),
        a_budget("web", selects={"app": "web"}, allowed=0),
    )

    assert judged(cluster) == [expected]


@pytest.mark.parametrize(
    ("since", "expected"),
    [("10m", ("expired", None)), ("3h4m", ("expired", None)), ("3h6m", ("drain-hangs", Severity.HIGH))],
)
def test_with_a_grace_period_a_drain_may_take_that_long(since: str, expected: tuple[str, Severity | None]) -> None:
    cluster = a_cluster(
        a_node("n1", deleted=since), an_expired_claim(since, grace="3h"), a_pod("pinned", on="n1", do_not_disrupt="true", age="30h")
    )

    assert judged(cluster) == [expected]


def test_blocked_after_sets_how_long_a_pod_that_never_leaves_may_hold_a_drain() -> None:
    cluster = a_cluster(a_node("n1", deleted="10m"), an_expired_claim(), DB, a_pod("db-0", on="n1", of=DB, do_not_disrupt="true"))

    assert [finding.cause for finding in found(cluster)] == ["drain-hangs"]
    assert [finding.cause for finding in node_ttl_death(cluster, blocked_after=timedelta(minutes=15))] == ["expired"]


def test_a_drain_does_not_hang_on_what_may_finish_or_takes_the_time_that_it_asked_for() -> None:
    runner = a_pod("build", on="n1", do_not_disrupt="true", age="30h")
    job = replace(
        runner, metadata=replace(runner.metadata, owner_references=(OwnerReference("Job", "j", "u", "batch/v1", controller=True),))
    )
    worker = a_pod("worker", on="n1", deleted="-4h", grace=21600, age="30h")

    for pod in (runner, job, worker):
        assert judged(a_cluster(a_node("n1", deleted="2h"), an_expired_claim("2h"), pod)) == [("expired", None)]
    assert judged(a_cluster(a_node("n1", deleted="25h"), an_expired_claim("25h"), runner)) == [("drain-hangs", Severity.HIGH)]


def test_hangs_after_sets_how_long_a_drain_may_take() -> None:
    cluster = a_cluster(a_node("n1", deleted="10m"), an_expired_claim(), a_pod("slow", on="n1"))

    assert [finding.cause for finding in node_ttl_death(cluster, hangs_after=timedelta(minutes=9))] == ["drain-hangs"]


def test_a_drain_waits_for_no_daemonset_that_tolerates_its_taint_and_for_no_static_pod() -> None:
    logs = a_daemonset("logs")
    static = a_pod("kube-proxy-n1", on="n1")
    static = replace(
        static, metadata=replace(static.metadata, owner_references=(OwnerReference("Node", "n1", "", "v1", controller=True),))
    )
    cluster = a_cluster(a_node("n1", deleted="2h"), an_expired_claim("2h"), logs, a_pod("logs-1", on="n1", of=logs), static)

    assert [(finding.cause, finding.cost) for finding in found(cluster)] == [("expired", "0 pods still there")]


def test_an_eviction_before_the_death_is_not_its_doing() -> None:
    app = a_pod("app", on="n1")
    cluster = a_cluster(a_node("n1", deleted="2m"), an_expired_claim("2m"), app, evicted(app, "5m"))

    assert [finding.cost for finding in found(cluster)] == ["1 pod still there"]


def test_a_pod_that_the_scheduler_had_bound_there_counts_as_evicted() -> None:
    app = a_pod("app")
    about = InvolvedObject("Pod", "shop", "app", app.metadata.uid)
    bound = an_event("Scheduled", "Successfully assigned shop/app to n1", about=about, first="50m", component="default-scheduler")
    cluster = a_cluster(a_node("n1", deleted="2m"), an_expired_claim("2m"), bound, evicted(app, "1m"))

    assert [finding.cost for finding in found(cluster)] == ["1 pod evicted by force, 0 still there"]


def test_a_node_that_lives_is_fine() -> None:
    assert found(a_cluster(a_node("n1", age="20h"), a_nodeclaim(node="n1", age="20h", expire_after="24h"))) == []


def test_a_node_past_its_expiry_that_is_not_deleted_is_another_rules() -> None:
    assert found(a_cluster(a_node("n1", age="30h"), a_nodeclaim(node="n1", age="30h", expire_after="24h"))) == []


def test_a_node_that_never_expires_died_of_something_else() -> None:
    claim = a_nodeclaim(node="n1", age="24h2m", expire_after="Never", deleted="2m")

    assert found(a_cluster(a_node("n1", deleted="2m"), claim)) == []


@pytest.mark.parametrize("age", ["23h", "25h", "24h5m"])
def test_a_deletion_at_another_time_than_the_expiry_died_of_something_else(age: str) -> None:
    claim = a_nodeclaim(node="n1", age=age, expire_after="24h", deleted="2m")

    assert found(a_cluster(a_node("n1", deleted="2m"), claim)) == []


def test_the_time_to_live_counts_from_the_nodeclaim_and_not_from_the_node() -> None:
    claim = a_nodeclaim(node="n1", age="24h5m", expire_after="24h", deleted="2m")

    assert found(a_cluster(a_node("n1", age="24h2m", deleted="2m"), claim)) == []


def test_a_node_that_karpenter_disrupted_gracefully_did_not_expire() -> None:
    reason = Condition("DisruptionReason", "True", "Drifted", last_transition_time=ago("3m"))

    assert found(a_cluster(a_node("n1", deleted="2m"), an_expired_claim("2m", conditions=(reason,)))) == []


@pytest.mark.parametrize("reason", ["SpotInterrupted", "InstanceTerminating", "TerminatingOnInterruption"])
@pytest.mark.parametrize("about", [InvolvedObject("NodeClaim", "", "default-n1"), InvolvedObject("Node", "", "n1")])
def test_a_node_that_was_interrupted_did_not_expire(reason: str, about: InvolvedObject) -> None:
    event = an_event(reason, "Interruption triggered termination", about=about, first="3m")

    assert found(a_cluster(a_node("n1", deleted="2m"), an_expired_claim("2m"), event)) == []


def test_an_interruption_of_another_node_says_nothing() -> None:
    event = an_event("SpotInterrupted", "Spot interruption warning", about=InvolvedObject("Node", "", "n2"), first="3m")
    cluster = a_cluster(a_node("n1", deleted="2m"), an_expired_claim("2m", grace="24h"), event)

    assert judged(cluster) == [("expired", None)]


def test_the_claim_of_v1beta1_has_its_nodepools_time_to_live() -> None:
    pool = a_nodepool()
    beta = replace(pool, spec=replace(pool.spec, disruption=replace(pool.spec.disruption, expire_after="24h")))
    claim = a_nodeclaim(node="n1", age="24h2m", expire_after="", termination_grace_period="", deleted="2m")
    (finding,) = found(a_cluster(beta, a_node("n1", deleted="2m"), claim))

    assert (finding.message, finding.evidence[0].value, finding.fix) == (
        "terminating since its expireAfter 24h ran out 2m ago",
        "24h",
        (VERIFY,),
    )


def test_of_a_time_to_live_that_nothing_tells_nobody_died() -> None:
    claim = a_nodeclaim(node="n1", age="720h2m", expire_after="", deleted="2m")

    assert found(a_cluster(a_node("n1", deleted="2m"), claim)) == []


def test_a_workloads_pods_are_named_by_the_one_that_never_leaves() -> None:
    web = a_deployment("web", replicas=2)
    cluster = a_cluster(
        a_node("n1", deleted="10m"),
        an_expired_claim(),
        web,
        a_pod("a-slow-one", on="n1", of=web),
        a_pod("web-2", on="n1", of=web, do_not_disrupt="true"),
    )

    assert [finding.fix[0].command for finding in found(cluster)] == ["kubectl delete pod -n shop web-2"]


def test_an_expiry_that_nothing_holds_up_does_not_drain_for_ever() -> None:
    (finding,) = found(a_cluster(a_node("n1", age="24h", deleted="1m"), an_expired_claim("1m", grace="")))

    assert (
        finding.why
        == "deleted at creation + expireAfter, with no other reason given; no terminationGracePeriod, so nothing ends it by force"
    )
    assert finding.fix == (VERIFY,)


def test_a_budget_that_never_allows_anything_makes_the_drain_hang_at_once() -> None:
    budget = a_budget("web", selects={"app": "web"}, allowed=0, max_unavailable=0)
    cluster = a_cluster(a_node("n1", deleted="6m"), an_expired_claim("6m"), a_pod("web", on="n1", labels={"app": "web"}), budget)

    assert judged(cluster) == [("drain-hangs", Severity.HIGH)]


def test_a_drain_that_hangs_blames_its_node_the_workload_and_the_budgets() -> None:
    web = a_deployment("web")
    cluster = a_cluster(
        a_node("n1", deleted="10m"),
        an_expired_claim(),
        web,
        a_pod("web-1", on="n1", of=web, labels={"app": "web"}),
        a_pod("leaves", on="n1"),
        a_budget("one", selects={"app": "web"}),
        a_budget("two", selects={"app": "web"}),
    )

    assert [finding.blames for finding in found(cluster)] == [
        (
            Blame(NODE),
            Blame(Ref("Deployment", "web", "apps/v1", "shop")),
            Blame(Ref("PodDisruptionBudget", "one", "policy/v1", "shop")),
            Blame(Ref("PodDisruptionBudget", "two", "policy/v1", "shop")),
        ),
    ]


def test_nodeclaims_that_were_made_by_hand_stand_for_themselves_and_have_no_nodepool_to_change() -> None:
    nodes = [a_node(name, pool="", labels={"karpenter.sh/registered": "true"}, deleted="10m") for name in ("n1", "n2")]
    claims = [
        a_nodeclaim(
            f"by-hand-{node.name}",
            node=node.name,
            pool="",
            age="24h10m",
            expire_after="24h",
            deleted="10m",
            termination_grace_period="",
        )
        for node in nodes
    ]
    pods = [a_pod(f"db-{node.name}", on=node.name, of=DB, do_not_disrupt="true") for node in nodes]

    assert [
        (finding.owner.name, [fix.command.split()[1] for fix in finding.fix])
        for finding in found(a_cluster(*nodes, *claims, DB, *pods))
    ] == [
        ("by-hand-n1", ["delete", "scan"]),
        ("by-hand-n2", ["delete", "scan"]),
    ]
