"""Nodes that drifted days ago and are not replaced."""

from collections.abc import Sequence
from datetime import timedelta

import msgspec
import pytest

from karpenter_check.finding import Blame, Confidence, EventEvidence, Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity
from karpenter_check.rules.drift_unresolved import drift_unresolved
from karpenter_check.snapshot import Kind, NodeClaim, NodePool, Snapshot, Status
from karpenter_check.snapshot.event import Event, InvolvedObject
from karpenter_check.snapshot.metadata import Annotations, Condition
from karpenter_check.snapshot.nodepool import Budget
from tests.build import (
    Thing,
    a_budget,
    a_cluster,
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
WEB = a_deployment("web")
PINNED = a_pod("web-1", on="n1", of=WEB, do_not_disrupt="true")
LONG, DAYS, YOUNG = "200h", "48h", "2h"
NOTHING_SEEN = "nothing that was seen keeps it"


def found(cluster: Snapshot) -> list[Finding]:
    return list(drift_unresolved(cluster))


def judged(cluster: Snapshot) -> list[tuple[str, Severity | None, Confidence]]:
    return [(finding.cause, finding.severity, finding.confidence) for finding in found(cluster)]


def drifted(
    node: str = "n1",
    *,
    since: str = LONG,
    reason: str = "NodePoolDrifted",
    also: Sequence[Condition] = (),
    grace: str = "",
    deleted: str = "",
    initialized: bool = True,
) -> NodeClaim:
    """The NodeClaim of a node that drifted so long ago, and may drain for ever."""
    condition = Condition("Drifted", "True", reason, reason, ago(since))
    return a_nodeclaim(
        node=node,
        age="1000h",
        conditions=[condition, *also],
        termination_grace_period=grace,
        deleted=deleted,
        initialized=initialized,
    )


def a_fresh(node: str = "fresh", *, age: str = "3h", initialized: bool = True) -> list[Thing]:
    return [a_node(node, age=age, initialized=initialized), a_nodeclaim(node=node, age=age, initialized=initialized)]


def said(message: str = "Not all pods would schedule, shop/web-1 => no room", *, last: str = "5m") -> Event:
    return an_event("DisruptionBlocked", message, about=InvolvedObject("Node", "", "n1"), first="50m", last=last, times=9)


def test_a_node_that_a_do_not_disrupt_pod_keeps_is_found() -> None:
    cluster = a_cluster(a_node("n1"), drifted(), a_node("n2"), a_node("n3"), WEB, PINNED)

    assert found(cluster) == [
        Finding(
            object=NODE,
            owner=POOL,
            nodepool="default",
            cause="do_not_disrupt_pod",
            severity=Severity.MEDIUM,
            confidence=Confidence.CERTAIN,
            message='drifted 8d8h ago and is not replaced: Pod shop/web-1 says karpenter.sh/do-not-disrupt: "true"',
            why="n1 has been Drifted, NodePoolDrifted, since 2026-11-13 04:00Z; 1 of 3 nodes of default has drifted",
            cost="1 node without what was changed, under 1 pod",
            impact=Impact(nodes=1, pods=1),
            evidence=(
                Evidence(
                    Ref("NodeClaim", "default-n1", "karpenter.sh/v1"),
                    "status.conditions",
                    "Drifted: NodePoolDrifted since 2026-11-13T04:00:00Z",
                ),
            ),
            occurrences=(Occurrence(NODE, drifted().metadata.uid, "n1", "do_not_disrupt_pod", ago(LONG)),),
            since=ago(LONG),
            fix=(
                Fix(
                    "fix",
                    "kubectl annotate pod -n shop web-1 karpenter.sh/do-not-disrupt-",
                    risk="it may be evicted then; its owner's template brings the annotation back with the next pod",
                ),
                Fix("verify", "karpenter-check scan --select drift-unresolved --nodepool default"),
            ),
            blames=(Blame(Ref("Deployment", "web", "apps/v1", "shop")),),
        )
    ]


def test_a_pod_disruption_budget_is_named_and_blamed() -> None:
    labels = {"app": "web"}
    budget = a_budget("web", selects=labels, allowed=0, max_unavailable=0, expected=1)
    (finding,) = found(a_cluster(a_node("n1"), drifted(), WEB, a_pod("web-1", on="n1", of=WEB, labels=labels), budget))

    assert (finding.cause, finding.message, finding.blames) == (
        "pdb",
        (
            "drifted 8d8h ago and is not replaced: PodDisruptionBudget shop/web allows no disruption of Pod shop/web-1 now, nor ever: "
            "maxUnavailable: 0, no pod may be unavailable"
        ),
        (Blame(Ref("PodDisruptionBudget", "web", "policy/v1", "shop")),),
    )


def test_what_keeps_it_now_and_may_end_may_not_have_kept_it_for_days() -> None:
    labels = {"app": "web"}
    budget = a_budget("web", selects=labels, allowed=0, healthy=1, desired_healthy=2)
    cluster = a_cluster(a_node("n1"), drifted(), WEB, a_pod("web-1", on="n1", of=WEB, labels=labels), budget)

    assert judged(cluster) == [("pdb", Severity.MEDIUM, Confidence.LIKELY)]


def test_a_budget_of_nothing_is_named_and_its_nodepool_blamed() -> None:
    (finding,) = found(a_cluster(a_nodepool(budgets=[Budget("0")]), a_node("n1"), drifted()))

    assert (finding.cause, finding.confidence, finding.message, finding.blames) == (
        "budget",
        Confidence.CERTAIN,
        "drifted 8d8h ago and is not replaced: budget for Drifted: 0 of 1 may go, at any hour",
        (Blame(POOL),),
    )


def test_what_comes_first_in_karpenters_order_is_the_cause_and_the_rest_is_told() -> None:
    (finding,) = found(a_cluster(a_nodepool(budgets=[Budget("0")]), a_node("n1"), drifted(), WEB, PINNED))

    assert (finding.cause, finding.why, finding.blames) == (
        "do_not_disrupt_pod",
        (
            "n1 has been Drifted, NodePoolDrifted, since 2026-11-13 04:00Z; 1 of 1 node of default has drifted; "
            "then also: budget for Drifted: 0 of 1 may go, at any hour (spec.disruption.budgets[0])"
        ),
        (Blame(Ref("Deployment", "web", "apps/v1", "shop")),),
    )


def test_a_node_that_nothing_seen_keeps_waits() -> None:
    (finding,) = found(a_cluster(a_node("n1"), drifted(reason="AMIDrift")))

    assert (finding.cause, finding.confidence, finding.message, finding.why, finding.fix[:2], finding.blames) == (
        "waiting",
        Confidence.LIKELY,
        f"drifted 8d8h ago and is not replaced: {NOTHING_SEEN}",
        (
            "n1 has been Drifted, AMIDrift, since 2026-11-13 04:00Z; 1 of 1 node of default has drifted; "
            "whether its pods would fit elsewhere is not known, only Karpenter's simulation tells"
        ),
        (
            Fix("fix", "karpenter-check why node n1", "see what keeps it, and what Karpenter says of it now"),
            Fix(
                "or",
                "kubectl delete nodeclaim default-n1",
                risk="it drains at once, without a replacement, and budgets are not asked",
            ),
        ),
        (),
    )


def test_karpenters_own_word_is_quoted() -> None:
    event = said()
    (finding,) = found(a_cluster(a_node("n1"), drifted(), event))

    assert (finding.cause, finding.message, finding.evidence[-1]) == (
        "waiting",
        'drifted 8d8h ago and is not replaced: Karpenter says "Not all pods would schedule, shop/web-1 => no room"',
        Evidence(event=EventEvidence("DisruptionBlocked", event.message, 9, ago("5m"))),
    )


def test_what_karpenter_said_hours_ago_is_over() -> None:
    (finding,) = found(a_cluster(a_node("n1"), drifted(), said(last="3h")))

    assert finding.message.endswith(NOTHING_SEEN)


def test_a_nomination_comes_and_goes_and_is_told_beside() -> None:
    ghost = a_pod("ghost", scheduler="batch-scheduler", age="16m")
    event = nominated(ghost, to="default-n1", node="n1", first="15m", last="1m", times=8)
    (finding,) = found(a_cluster(a_node("n1"), drifted(), ghost, event))

    assert (finding.cause, finding.why.endswith("; Karpenter keeps it for Pod shop/ghost"), finding.blames) == (
        "waiting",
        True,
        (Blame(Ref("Pod", "ghost", "v1", "shop")),),
    )


def test_nodes_of_one_cause_are_one_finding_the_oldest_first() -> None:
    web = a_deployment("web", replicas=3)
    cluster = a_cluster(
        web,
        *(a_node(f"n{place}") for place in (1, 2, 3)),
        *(a_pod(f"web-{place}", on=f"n{place}", of=web, do_not_disrupt="true") for place in (1, 2, 3)),
        drifted("n1", since=DAYS),
        drifted("n2", since=LONG, reason="AMIDrift"),
        drifted("n3", since="100h"),
    )
    (finding,) = found(cluster)

    assert (finding.object, finding.severity, finding.message, finding.why, [entry.node for entry in finding.occurrences]) == (
        POOL,
        Severity.MEDIUM,
        (
            "3 nodes drifted, the first 8d8h ago, and are not replaced; of the oldest: "
            'Pod shop/web-2 says karpenter.sh/do-not-disrupt: "true"'
        ),
        (
            "n2 has been Drifted, AMIDrift, since 2026-11-13 04:00Z (NodePoolDrifted 2, AMIDrift 1); "
            "3 of 3 nodes of default have drifted: the roll-out of the change has stood for a day"
        ),
        ["n2", "n3", "n1"],
    )


def test_nodes_of_two_causes_are_two_findings() -> None:
    cluster = a_cluster(a_node("n1"), drifted(), a_node("n2"), drifted("n2"), WEB, PINNED)

    assert [finding.cause for finding in found(cluster)] == ["do_not_disrupt_pod", "waiting"]


def test_between_a_day_and_a_week_it_is_info() -> None:
    assert judged(a_cluster(a_node("n1"), drifted(since=DAYS), WEB, PINNED)) == [
        ("do_not_disrupt_pod", Severity.INFO, Confidence.CERTAIN)
    ]


def test_a_young_drift_is_no_finding() -> None:
    assert found(a_cluster(a_node("n1"), drifted(since=YOUNG), WEB, PINNED)) == []


def test_warn_after_sets_from_when_on_it_is_told() -> None:
    cluster = a_cluster(a_node("n1"), drifted(since=YOUNG), WEB, PINNED)

    assert [finding.severity for finding in drift_unresolved(cluster, warn_after=timedelta(hours=2))] == [Severity.INFO]


def test_fail_after_sets_from_when_on_it_is_medium() -> None:
    cluster = a_cluster(a_node("n1"), drifted(since=DAYS), WEB, PINNED)

    assert [finding.severity for finding in drift_unresolved(cluster, fail_after=timedelta(days=2))] == [Severity.MEDIUM]


def test_mass_share_sets_of_how_many_nodes_it_is_a_roll_out() -> None:
    cluster = a_cluster(a_node("n1"), drifted(), a_node("n2"), a_node("n3", age="40h"))
    (finding,) = drift_unresolved(cluster, mass_share=0.3)

    assert "1 of 3 nodes of default has drifted: the roll-out of the change got on 1h ago" in finding.why


def test_a_roll_out_that_goes_on_takes_its_time() -> None:
    assert found(a_cluster(a_node("n1"), drifted(since=DAYS), *a_fresh())) == []


def test_a_roll_out_that_goes_on_for_a_week_is_told() -> None:
    assert judged(a_cluster(a_node("n1"), drifted(), *a_fresh())) == [("waiting", Severity.MEDIUM, Confidence.LIKELY)]


def test_a_drifted_node_whose_pods_moved_elsewhere_is_progress_too() -> None:
    begun = Condition("DisruptionReason", "True", "Drifted", "Drifted", ago("1h"))
    going = drifted("n2", since=DAYS, also=[begun], deleted="50m")

    assert found(a_cluster(a_node("n1"), drifted(since=DAYS), a_node("n2"), going)) == []


@pytest.mark.parametrize(
    "others",
    [a_fresh(age="30h"), a_fresh(initialized=False), a_fresh(age="60h")],
    ids=["the last one came more than a day ago", "new nodes never get ready", "from before the drift"],
)
def test_a_roll_out_that_stands_is_told(others: Sequence[Thing]) -> None:
    assert [finding.cause for finding in found(a_cluster(a_node("n1"), drifted(since=DAYS), *others))] == ["waiting"]


def test_a_node_that_is_kept_does_not_get_its_turn_while_others_do() -> None:
    cluster = a_cluster(a_node("n1"), drifted(since=DAYS), *a_fresh(), WEB, PINNED)

    assert [finding.cause for finding in found(cluster)] == ["do_not_disrupt_pod"]


def test_a_budget_that_opens_on_some_hours_is_waited_for() -> None:
    weekly = Budget("0", "0 0 * * 2", duration="144h")
    cluster = a_cluster(a_nodepool(budgets=[Budget("0", "0 6 * * *", duration="22h")]), a_node("n1"), drifted(since=DAYS))

    assert found(cluster) == []
    assert found(a_cluster(a_nodepool(budgets=[weekly]), a_node("n1"), drifted(since=DAYS))) == []


def test_a_budget_that_opened_in_vain_for_a_week_is_told() -> None:
    cluster = a_cluster(a_nodepool(budgets=[Budget("0", "0 6 * * *", duration="22h")]), a_node("n1"), drifted())

    assert judged(cluster) == [("budget", Severity.MEDIUM, Confidence.LIKELY)]


def test_a_node_on_its_way_out_is_node_terminating_stucks() -> None:
    going = a_cluster(a_node("n1", deleted="1h"), drifted(deleted="1h"), WEB, PINNED)
    begun = drifted(also=[Condition("DisruptionReason", "True", "Drifted", last_transition_time=ago("1m"))])

    assert found(going) == []
    assert found(a_cluster(a_node("n1"), begun)) == []


def test_a_termination_grace_period_lets_drift_pass_pods() -> None:
    assert [finding.cause for finding in found(a_cluster(a_node("n1"), drifted(grace="1h"), WEB, PINNED))] == ["waiting"]


def test_a_node_that_says_do_not_disrupt_was_meant_to_stay() -> None:
    assert judged(a_cluster(a_node("n1", do_not_disrupt="true"), drifted())) == [
        ("do_not_disrupt_node", Severity.LOW, Confidence.CERTAIN)
    ]


def test_a_node_that_is_not_initialized_is_kept_by_that() -> None:
    cluster = a_cluster(a_node("n1", initialized=False), drifted(initialized=False))

    assert [finding.cause for finding in found(cluster)] == ["not_initialized"]


def a_migrating(pool: NodePool, version: str) -> NodePool:
    annotations = Annotations(nodepool_hash="2", nodepool_hash_version=version)
    return msgspec.structs.replace(pool, metadata=msgspec.structs.replace(pool.metadata, annotations=annotations))


def test_a_claim_whose_hash_is_of_another_version_may_not_have_drifted() -> None:
    pool = a_migrating(a_nodepool(), "v4")

    assert found(a_cluster(pool, a_node("n1"), drifted())) == []
    assert len(found(a_cluster(pool, a_node("n1"), drifted(reason="AMIDrift")))) == 1


def test_a_static_nodepool_without_room_for_a_replacement_is_told_so() -> None:
    pool = a_nodepool(replicas=1, limits={"nodes": "1"})
    (finding,) = found(a_cluster(pool, a_node("n1"), drifted()))

    assert (finding.cause, finding.confidence, finding.message, finding.fix[0].command) == (
        "limit",
        Confidence.CERTAIN,
        "drifted 8d8h ago and is not replaced: spec.limits.nodes leaves no room for a replacement beside spec.replicas",
        "kubectl edit nodepool default",
    )
    assert finding.blames == (Blame(Ref("NodePool", "default", "karpenter.sh/v1")),)


def test_a_static_nodepool_with_room_replaces_one_after_the_other() -> None:
    pool = a_nodepool(replicas=2, limits={"nodes": "3"})

    assert found(a_cluster(pool, a_node("n1"), drifted(since=DAYS), *a_fresh())) == []


def test_without_pods_it_is_not_said_that_none_keeps_it() -> None:
    (finding,) = found(a_cluster(a_node("n1"), drifted(), missing={Kind.POD: Status.FORBIDDEN}))

    assert (finding.cause, finding.cost, finding.impact) == ("waiting", "1 node without what was changed", Impact(nodes=1))
    assert finding.why.endswith("; whether a pod keeps it is not known: Pod is forbidden")


def test_a_statefulset_is_blamed_for_its_pod() -> None:
    db = a_statefulset("db")
    (finding,) = found(a_cluster(a_node("n1"), drifted(), db, a_pod("db-0", on="n1", of=db, do_not_disrupt="true")))

    assert finding.blames == (Blame(Ref("StatefulSet", "db", "apps/v1", "data")),)


def test_nodes_that_have_not_drifted_are_fine() -> None:
    assert found(a_cluster(a_node("n1"), WEB, PINNED)) == []
