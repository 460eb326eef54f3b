from collections.abc import Mapping
from datetime import timedelta

import msgspec
import pytest

from karpenter_check.finding import Confidence, Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity
from karpenter_check.rules.budget_blocks_disruption import budget_blocks_disruption
from karpenter_check.scan import Outcome, scan
from karpenter_check.snapshot import Kind, Node, NodeClaim, NodePool, Snapshot, Status
from karpenter_check.snapshot.metadata import Condition
from karpenter_check.snapshot.nodepool import Budget
from tests.build import Thing, a_cluster, a_node, a_nodeclaim, a_nodepool, a_pod, ago

POOL = Ref("NodePool", "default", "karpenter.sh/v1")
NONE = Budget("0")
SHUT_TILL_TWO = Budget("0", "0 6 * * *", None, "8h")
SHUT_TILL_MONDAY = Budget("0", "0 0 * * 6", None, "48h")
SHUT_ALL_YEAR = Budget("0", "0 0 1 1 *", None, "8000h")


def condition(kind: str, age: str, reason: str = "") -> Condition:
    return Condition(kind, "True", reason or kind, last_transition_time=ago(age))


def drifted(node: str = "n1", age: str = "2h", *, deleted: str = "", grace: str = "24h", do_not_disrupt: str = "") -> NodeClaim:
    drift = condition("Drifted", age, "AMIDrift")
    return a_nodeclaim(
        node=node, conditions=[drift], deleted=deleted, termination_grace_period=grace, do_not_disrupt=do_not_disrupt, age="900h",
        expire_after="Never",
    )  # fmt: skip


def consolidatable(node: str = "n1", age: str = "2h") -> NodeClaim:
    return a_nodeclaim(node=node, conditions=[condition("Consolidatable", age)], age="900h", expire_after="Never")


def lame(name: str, since: str = "2h") -> Node:
    """A node whose kubelet has not been heard of since then."""
    node = a_node(name, ready=False, age="900h")
    unknown = Condition("Ready", "Unknown", "NodeStatusUnknown", last_transition_time=ago(since))
    return msgspec.structs.replace(node, status=msgspec.structs.replace(node.status, conditions=(unknown,)))


def pool(*budgets: Budget, policy: str = "WhenEmptyOrUnderutilized", deleted: str = "") -> NodePool:
    return a_nodepool(budgets=budgets or [NONE], policy=policy, deleted=deleted)


def found(*things: Thing, missing: Mapping[Kind, Status] | None = None) -> list[Finding]:
    return list(budget_blocks_disruption(a_cluster(*things, missing=missing)))


def judged(*things: Thing) -> list[tuple[str, Severity | None, Confidence]]:
    return [(finding.cause, finding.severity, finding.confidence) for finding in found(*things)]


def held(age: str = "2h", *budgets: Budget) -> tuple[Thing, ...]:
    """A drifted node, under a budget that lets none go unless others are given."""
    return pool(*budgets), a_node("n1", age="900h"), drifted(age=age)


def test_a_drifted_node_under_a_budget_of_none_is_found() -> None:
    nodes = a_node("n1", age="900h"), a_node("n2", age="900h")
    uid = nodes[0].metadata.uid

    assert found(pool(), *nodes, drifted(age="30h")) == [
        Finding(
            object=POOL,
            owner=POOL,
            nodepool="default",
            cause="always-closed",
            severity=Severity.HIGH,
            confidence=Confidence.CERTAIN,
            message="1 of default's 2 nodes should be gone (Drifted) and waits for 1d6h; its budgets let none go, at any hour",
            why="budget for Drifted: 0 of 2 may go, at any hour (spec.disruption.budgets[0])",
            cost="not replaced: n1 (Drifted: AMIDrift)",
            impact=Impact(nodes=1),
            evidence=(
                Evidence(POOL, "spec.disruption.budgets[0]", "budgets[0] (nodes 0)"),
                Evidence(Ref("Node", "n1", "v1"), "NodeClaim status.conditions", "Drifted: AMIDrift"),
            ),
            occurrences=(Occurrence(Ref("Node", "n1", "v1"), uid, "n1", "drifted", ago("30h")),),
            since=ago("30h"),
            fix=(
                Fix(
                    "fix",
                    "kubectl patch nodepool default --type json -p "
                    '\'[{"op":"replace","path":"/spec/disruption/budgets/0/nodes","value":"1"}]\'',
                    "for one node at a time, if they are not to stay for ever",
                    "Karpenter then takes it; a NodeClaim that is deleted by hand is drained without asking budgets",
                ),
                Fix("verify", "karpenter-check scan --select budget-blocks-disruption --nodepool default"),
            ),
        )
    ]


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        ("4m59s", []),
        ("5m", [Severity.INFO]),
        ("59m", [Severity.INFO]),
        ("1h", [Severity.MEDIUM]),
        ("23h", [Severity.MEDIUM]),
        ("24h", [Severity.HIGH]),
    ],
)
def test_the_longer_a_drifted_node_waits_the_worse_it_is(age: str, expected: list[Severity]) -> None:
    assert [finding.severity for finding in found(*held(age))] == expected


def test_an_empty_node_that_waits_costs_money_and_no_more() -> None:
    (finding,) = found(pool(), a_node("n1", age="900h"), consolidatable(age="30h"))

    assert (finding.severity, finding.confidence, finding.message, finding.cost) == (
        Severity.MEDIUM,
        Confidence.CERTAIN,
        "1 of default's 1 node should be gone (Empty) and waits for 1d6h; its budgets let none go, at any hour",
        "paid for: n1 (Consolidatable (WhenEmptyOrUnderutilized, consolidateAfter 1m))",
    )


def test_nodes_that_wait_for_two_reasons_are_one_finding() -> None:
    nodes = [a_node(name, age="900h") for name in ("n1", "n2", "n3")]
    (finding,) = found(pool(), *nodes, drifted("n1"), drifted("n2", "3h"), consolidatable("n3"))

    assert (finding.message, [(entry.node, entry.reason) for entry in finding.occurrences]) == (
        "3 of default's 3 nodes should be gone (2 Drifted and 1 Empty) and wait for 3h; its budgets let none go, at any hour",
        [("n2", "drifted"), ("n1", "drifted"), ("n3", "empty")],
    )


def test_an_under_used_node_only_may_wait() -> None:
    busy = a_pod("web", on="n1", cpu="100m")
    (finding,) = found(pool(), a_node("n1", age="900h"), consolidatable(age="30h"), busy)

    assert (finding.severity, finding.confidence, finding.message) == (
        Severity.LOW,
        Confidence.POSSIBLE,
        "1 of default's 1 node looks under-used and may not go for 1d6h; its budgets let none go, at any hour",
    )


def test_under_used_nodes_are_not_counted_where_others_surely_wait() -> None:
    nodes = a_node("n1", age="900h"), a_node("n2", age="900h"), a_pod("web", on="n2")
    (finding,) = found(pool(), *nodes, drifted(), consolidatable("n2"))

    assert (finding.confidence, [entry.node for entry in finding.occurrences]) == (Confidence.CERTAIN, ["n1"])


def test_a_maintenance_window_that_opens_within_a_day_is_by_design() -> None:
    (finding,) = found(*held("30h", SHUT_TILL_TWO))

    assert (finding.cause, finding.severity, finding.message, finding.why, finding.fix[0]) == (
        "window-closed",
        Severity.INFO,
        "1 of default's 1 node should be gone (Drifted) and waits for 1d6h; its budgets are closed and open 14:00:00Z (in 2h)",
        "budget for Drifted: 0 of 1 may go now (spec.disruption.budgets[0]); opens 14:00:00Z (in 2h); budgets[0] (nodes 0, 0 6 * * * UTC for 8h)",
        Fix(
            "fix",
            "kubectl edit nodepool default",
            "wait, or change its spec.disruption.budgets",
            "a NodeClaim that is deleted by hand is drained without asking budgets",
        ),
    )


def test_one_that_opens_later_in_the_week_is_low() -> None:
    assert judged(*held("30h", SHUT_TILL_MONDAY)) == [("window-closed", Severity.LOW, Confidence.CERTAIN)]


def test_one_that_does_not_open_within_a_week_is_as_bad_as_one_that_never_does() -> None:
    (finding,) = found(*held("30h", SHUT_ALL_YEAR))

    assert (finding.cause, finding.severity) == ("window-closed", Severity.HIGH)
    assert finding.message.endswith("its budgets are closed and do not open within a week")
    assert finding.fix[0].text == "for one node at a time, if they are to go before that"


def test_a_window_that_never_closes_is_one_that_is_always_closed() -> None:
    assert judged(*held("2h", Budget("0", "@hourly", None, "1h"))) == [("always-closed", Severity.MEDIUM, Confidence.CERTAIN)]


def test_nodes_that_are_not_ready_use_the_budget_up() -> None:
    nodes = [a_node(f"n{place}", age="900h") for place in range(1, 8)]
    (finding,) = found(pool(Budget("10%")), *nodes, lame("n8"), drifted(age="30h"))

    assert (finding.cause, finding.severity, finding.message, finding.why, finding.since, finding.fix[0].command) == (
        "not-ready-nodes",
        Severity.MEDIUM,
        "1 of default's 8 nodes should be gone (Drifted) and waits for 2h; 1 node that is not Ready uses its budget up",
        "budget for Drifted: used up: 1 at once (spec.disruption.budgets[0]), used by n8 (its Ready condition is not True); 10% of 8 nodes is 1, rounded up",
        ago("2h"),
        "kubectl describe node n8",
    )


def test_a_drifted_node_that_is_not_ready_keeps_itself() -> None:
    assert judged(pool(Budget("10%")), lame("n1"), drifted()) == [("not-ready-nodes", Severity.MEDIUM, Confidence.CERTAIN)]


def test_only_as_many_as_the_budget_has_use_it_up() -> None:
    nodes: list[Thing] = [a_node("n1", age="900h"), lame("n2"), drifted()]

    assert judged(pool(Budget("2")), *nodes) == []
    assert judged(pool(Budget("2")), *nodes, lame("n3", "10m")) == [("not-ready-nodes", Severity.INFO, Confidence.CERTAIN)]


def test_a_node_that_is_not_ready_for_a_moment_is_life() -> None:
    assert judged(pool(Budget("1")), a_node("n1", age="900h"), lame("n2", "4m"), drifted()) == []


def test_a_budget_that_is_used_up_by_nodes_on_their_way_out_is_work() -> None:
    going = a_nodeclaim(node="n2", deleted="30m", age="900h")

    assert judged(pool(Budget("1")), a_node("n1", age="900h"), a_node("n2", deleted="30m"), drifted(), going) == []
    assert judged(pool(Budget("2")), a_node("n1", age="900h"), a_node("n2", deleted="30m"), lame("n3"), drifted(), going) == []


def test_a_budget_of_none_with_nothing_waiting_is_what_somebody_wanted() -> None:
    busy = [a_pod(f"web-{place}", on="n1", cpu="500m") for place in range(3)]

    assert found(pool(), a_node("n1", age="900h"), *busy) == []
    assert found(pool(), a_node("n1", age="900h"), consolidatable(), *busy) == []
    assert found(pool()) == []


def test_a_budget_that_cannot_be_read_is_another_rules() -> None:
    assert found(*held("30h", Budget("0", "0 9 * * 7", None, "1h"))) == []


def test_a_budget_for_another_reason_keeps_nothing() -> None:
    assert found(*held("30h", Budget("0", reasons=("Empty",)))) == []


def test_a_drifted_node_that_may_go_as_an_empty_one_does_not_wait() -> None:
    claim = a_nodeclaim(node="n1", conditions=[condition("Drifted", "30h"), condition("Consolidatable", "30h")], age="900h")

    assert found(pool(Budget("0", reasons=("Drifted",))), a_node("n1", age="900h"), claim) == []
    assert len(found(pool(), a_node("n1", age="900h"), claim)) == 1


def test_a_node_with_two_ways_out_waits_for_the_one_that_opens_first() -> None:
    claim = a_nodeclaim(node="n1", conditions=[condition("Drifted", "30h"), condition("Consolidatable", "30h")], age="900h")
    budgets = pool(Budget("0", reasons=("Drifted",)), msgspec.structs.replace(SHUT_TILL_TWO, reasons=("Empty",)))

    assert judged(budgets, a_node("n1", age="900h"), claim) == [("window-closed", Severity.INFO, Confidence.CERTAIN)]


def test_of_two_windows_the_worse_one_is_told() -> None:
    drift, empty = (
        msgspec.structs.replace(budget, reasons=reasons)
        for budget, reasons in ((SHUT_ALL_YEAR, ("Drifted",)), (SHUT_TILL_TWO, ("Empty",)))
    )
    nodes = a_node("n1", age="900h"), a_node("n2", age="900h")
    (finding,) = found(pool(drift, empty), *nodes, drifted("n1"), consolidatable("n2", "90h"))

    assert (finding.severity, finding.message) == (
        Severity.MEDIUM,
        "2 of default's 2 nodes should be gone (1 Drifted and 1 Empty) and wait for 3d18h; its budgets are closed and do not open within a week",
    )


def test_what_something_else_keeps_too_is_said_and_is_less() -> None:
    kept = a_node("n1", age="900h", do_not_disrupt="true")
    (finding,) = found(pool(), kept, drifted(age="2h"))

    assert (finding.severity, finding.why.partition("; ")[2]) == (
        Severity.LOW,
        'something else keeps it, too: Node n1 says karpenter.sh/do-not-disrupt: "true"',
    )


def test_where_nothing_else_keeps_one_of_them_it_is_as_bad_as_ever() -> None:
    kept = a_node("n1", age="900h", do_not_disrupt="true")
    (finding,) = found(pool(), kept, a_node("n2", age="900h"), drifted("n1"), drifted("n2"))

    assert (finding.severity, finding.why.partition("; ")[2].partition(":")[0]) == (
        Severity.MEDIUM,
        "something else keeps 1 of them, too",
    )


def test_a_node_that_goes_already_does_not_wait() -> None:
    begun = a_nodeclaim(node="n1", conditions=[condition("Drifted", "30h"), condition("DisruptionReason", "1m", "Drifted")])

    assert found(pool(), a_node("n1", age="900h"), begun) == []
    assert found(pool(), a_node("n1", age="900h", deleted="1h"), drifted(deleted="1h")) == []


def test_a_nodepool_that_is_being_deleted_is_left_alone() -> None:
    assert found(pool(deleted="1h"), a_node("n1", age="900h"), drifted()) == []


def test_the_thresholds_are_settings() -> None:
    cluster, later = a_cluster(*held("2h")), a_cluster(*held("2h", SHUT_TILL_TWO))

    def severities(snapshot: Snapshot, **settings: timedelta) -> list[Severity | None]:
        return [finding.severity for finding in budget_blocks_disruption(snapshot, **settings)]

    assert severities(cluster, warn_after=timedelta(hours=3)) == []
    assert severities(cluster, fail_after=timedelta(hours=3)) == [Severity.INFO]
    assert severities(cluster, drifted_after=timedelta(hours=2)) == [Severity.HIGH]
    assert severities(later, opens_within=timedelta(hours=1)) == [Severity.LOW]


def test_without_pods_nothing_is_judged() -> None:
    blind = a_cluster(*held(), missing={Kind.POD: Status.FORBIDDEN})

    assert [run.outcome for run in scan(blind, [budget_blocks_disruption]).runs] == [Outcome.SKIPPED]


@pytest.mark.parametrize("kind", [Kind.NODE, Kind.NODECLAIM])
def test_where_nodes_were_not_all_seen_no_share_of_them_is_known(kind: Kind) -> None:
    assert found(*held(), missing={kind: Status.PARTIAL}) == []


def test_where_a_pod_could_not_be_read_a_node_is_only_likely_empty() -> None:
    partial = {Kind.POD: Status.PARTIAL}

    assert [finding.confidence for finding in found(pool(), a_node("n1", age="900h"), consolidatable(), missing=partial)] == [
        Confidence.LIKELY
    ]
    assert [finding.confidence for finding in found(*held(), missing=partial)] == [Confidence.CERTAIN]
