from collections.abc import Sequence

import pytest

from karpenter_check.finding import Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity
from karpenter_check.rules.budget_leaves_reason_unbounded import budget_leaves_reason_unbounded
from karpenter_check.snapshot import Kind, NodePool, Snapshot, Status
from karpenter_check.snapshot.nodepool import Budget
from tests.build import a_cluster, a_node, a_nodepool

POOL = Ref("NodePool", "default", "karpenter.sh/v1")
NIGHTLY = Budget("10%", "0 2 * * *", None, "4h")
OFFICE_HOURS = Budget("0", "0 9 * * 1-5", None, "8h")


def cluster(pool: NodePool, nodes: int = 5, **more: dict[Kind, Status]) -> Snapshot:
    return a_cluster(pool, *(a_node(f"n{place}") for place in range(nodes)), missing=more.get("missing"))


def found(*budgets: Budget, nodes: int = 5, policy: str = "WhenEmptyOrUnderutilized") -> list[Finding]:
    return list(budget_leaves_reason_unbounded(cluster(a_nodepool(budgets=budgets, policy=policy), nodes)))


def told(*budgets: Budget, nodes: int = 5) -> list[tuple[str, Severity | None, Sequence[str]]]:
    return [
        (finding.cause, finding.severity, [entry.reason for entry in finding.occurrences])
        for finding in found(*budgets, nodes=nodes)
    ]


def test_a_window_that_was_meant_as_permission_is_found() -> None:
    uid = a_nodepool().metadata.uid

    assert found(NIGHTLY) == [
        Finding(
            object=POOL,
            owner=POOL,
            nodepool="default",
            cause="hours-that-permit",
            severity=Severity.MEDIUM,
            message="all 5 nodes of default may go at once as Drifted or Underutilized outside of its budgets' hours, 140 of the next 168 hours",
            why="a budget only restricts, and only while it is active: budgets[0] (nodes 10%, 0 2 * * * UTC for 4h); "
            "none is from now to Sun 2026-11-22 02:00Z",
            cost="a change of the image or of the NodePool may then replace all 5 nodes together",
            impact=Impact(nodes=5),
            evidence=(Evidence(POOL, "spec.disruption.budgets[0]", "budgets[0] (nodes 10%, 0 2 * * * UTC for 4h)"),),
            occurrences=(Occurrence(POOL, uid, reason="Drifted"), Occurrence(POOL, uid, reason="Underutilized")),
            fix=(
                Fix(
                    "fix",
                    "kubectl patch nodepool default --type json -p "
                    '\'[{"op":"add","path":"/spec/disruption/budgets/-","value":{"nodes":"10%","reasons":["Drifted","Underutilized"]}}]\'',
                    "10% at any hour, of the active budgets the smallest counts",
                    "fewer nodes go at once at those hours",
                ),
                Fix(
                    "or",
                    text='to let none go at those hours, schedule them with nodes "0"; without a schedule it would close the other hours, too',
                ),
                Fix("verify", "karpenter-check scan --select budget-leaves-reason-unbounded --nodepool default"),
            ),
        )
    ]


def test_hours_in_which_nothing_may_go_leave_the_others_without_a_limit() -> None:
    (finding,) = found(OFFICE_HOURS)

    assert (finding.cause, finding.severity, finding.why) == (
        "hours-that-forbid",
        Severity.LOW,
        "a budget only restricts, and only while it is active: budgets[0] (nodes 0, 0 9 * * 1-5 UTC for 8h); none is from now to Mon 2026-11-23 09:00Z",
    )


def test_a_window_that_is_open_now_says_when_the_limit_ends() -> None:
    (finding,) = found(Budget("1", "0 10 * * *", None, "4h"))

    assert finding.why.endswith("none is from Sat 2026-11-21 14:00Z to Sun 2026-11-22 10:00Z")


def test_a_reason_that_no_budget_is_for_is_low() -> None:
    (finding,) = found(Budget("0", reasons=("Drifted",)))

    assert (finding.cause, finding.severity, finding.message, finding.why, finding.cost) == (
        "no-budget-for-reason",
        Severity.LOW,
        "all 5 nodes of default may go at once as Underutilized at any hour",
        "none of its budgets is for Underutilized: budgets[0] (nodes 0); budgets that are written replace the default of 10 %",
        "",
    )


def test_an_empty_list_of_reasons_holds_for_none() -> None:
    assert told(Budget("1", reasons=())) == [("no-budget-for-reason", Severity.LOW, ["Drifted", "Underutilized"])]


def test_each_reason_is_judged_by_its_own_budgets() -> None:
    drift_at_night = Budget("1", "0 2 * * *", ("Drifted",), "4h")

    assert told(drift_at_night) == [
        ("hours-that-permit", Severity.MEDIUM, ["Drifted"]),
        ("no-budget-for-reason", Severity.LOW, ["Underutilized"]),
    ]
    assert told(drift_at_night, Budget("20%", reasons=("Underutilized",))) == [("hours-that-permit", Severity.MEDIUM, ["Drifted"])]


def test_a_gap_between_windows_is_found() -> None:
    (finding,) = found(Budget("1", "0 0 * * *", None, "12h"), Budget("0", "0 12 * * *", None, "11h30m"))

    assert (finding.cause, finding.message.partition("hours, ")[2]) == ("hours-that-permit", "3.5 of the next 168 hours")


def test_a_date_beyond_these_days_leaves_all_of_them() -> None:
    (finding,) = found(Budget("1", "@yearly", None, "4h"))

    assert finding.message.endswith("168 of the next 168 hours")


@pytest.mark.parametrize(
    "budgets",
    [
        [Budget()],
        [NIGHTLY, Budget("10%")],
        [OFFICE_HOURS, Budget("3")],
        [Budget("0")],
        [Budget("1", "0 0 * * *", None, "12h"), Budget("0", "0 12 * * *", None, "12h")],
        [Budget("1", "@daily", None, "24h")],
        [Budget("1", "0 0 30 2 *", None, "1h")],
        [Budget("1", reasons=("Drifted", "Underutilized"))],
        [],
        [Budget("1", "0 2 * * 7", None, "4h")],
    ],
    ids=[
        "the default",
        "a base beside a window",
        "a base beside a freeze",
        "never",
        "windows that take turns",
        "a window that never closes",
        "a date that never comes",
        "only Empty is free",
        "no budgets, in so many words",
        "a schedule that cannot be read lets none go",
    ],
)
def test_what_limits_every_hour_or_means_no_limit_is_fine(budgets: list[Budget]) -> None:
    assert found(*budgets) == []


def test_under_used_nodes_go_only_where_they_are_consolidated() -> None:
    only_drift = [Budget("10%", reasons=("Drifted",))]

    assert [finding.cause for finding in found(*only_drift)] == ["no-budget-for-reason"]
    assert found(*only_drift, policy="WhenEmpty") == []
    for pool in (a_nodepool(budgets=only_drift, consolidate_after="Never"), a_nodepool(budgets=only_drift, replicas=5)):
        assert list(budget_leaves_reason_unbounded(cluster(pool))) == []


def test_a_static_nodepool_drifts_all_the_same() -> None:
    (finding,) = budget_leaves_reason_unbounded(cluster(a_nodepool(budgets=[NIGHTLY], replicas=5)))

    assert [entry.reason for entry in finding.occurrences] == ["Drifted"]


@pytest.mark.parametrize("nodes", [0, 1])
def test_one_node_goes_alone_anyway(nodes: int) -> None:
    assert found(NIGHTLY, nodes=nodes) == []


def test_with_few_nodes_it_is_one_severity_lower() -> None:
    assert [finding.severity for finding in found(NIGHTLY, nodes=4)] == [Severity.LOW]
    assert [finding.severity for finding in found(OFFICE_HOURS, nodes=2)] == [Severity.INFO]


def test_minimum_nodes_and_few_nodes_are_settings() -> None:
    pool = a_nodepool(budgets=[NIGHTLY])

    assert list(budget_leaves_reason_unbounded(cluster(pool, 3), minimum_nodes=4)) == []
    assert [finding.severity for finding in budget_leaves_reason_unbounded(cluster(pool, 3), few_nodes=3)] == [Severity.MEDIUM]
    assert len(list(budget_leaves_reason_unbounded(cluster(pool, 1), minimum_nodes=1))) == 1


def test_where_nodes_were_not_seen_none_are_counted() -> None:
    manifests = cluster(a_nodepool(budgets=[NIGHTLY]), 0, missing={Kind.NODE: Status.NOT_COLLECTED})
    (finding,) = budget_leaves_reason_unbounded(manifests)

    assert (finding.severity, finding.impact, finding.message.partition(" may")[0]) == (
        Severity.MEDIUM,
        Impact(),
        "all nodes of default",
    )


def test_a_nodepool_that_is_being_deleted_is_left_alone() -> None:
    assert list(budget_leaves_reason_unbounded(cluster(a_nodepool(budgets=[NIGHTLY], deleted="1m")))) == []
