import pytest

from karpenter_check.finding import Evidence, Finding, Fix, Impact, Ref, Severity
from karpenter_check.rules.budget_schedule_invalid import budget_schedule_invalid
from karpenter_check.scan import Outcome, scan
from karpenter_check.snapshot import NO_TIME, Coverage, Kind, Snapshot, Status
from karpenter_check.snapshot.nodepool import Budget
from tests.build import a_cluster, a_node, a_nodepool

POOL = Ref("NodePool", "default", "karpenter.sh/v1")
NOW_GOES = "what is kept now then goes, as many nodes at once as the budgets let go"
VERIFY = Fix("verify", "karpenter-check scan --select budget-schedule-invalid --nodepool default")


def found(*budgets: Budget) -> list[Finding]:
    return list(budget_schedule_invalid(a_cluster(a_nodepool(budgets=budgets))))


def causes(*budgets: Budget) -> list[tuple[str, Severity | None]]:
    return [(finding.cause, finding.severity) for finding in found(*budgets)]


def test_a_schedule_that_karpenter_cannot_read_is_found() -> None:
    cluster = a_cluster(a_nodepool(budgets=[Budget("10%"), Budget("0", "0 9 * * 7", None, "8h")]), a_node("n1"))

    assert list(budget_schedule_invalid(cluster)) == [
        Finding(
            object=POOL,
            owner=POOL,
            nodepool="default",
            cause="unreadable",
            message="budgets[1] of default cannot be read by Karpenter, which then lets no node go",
            why='schedule "0 9 * * 7": day of week "7": 7 is above 6, and Sunday is 0',
            cost="no node goes as Drifted, Empty or Underutilized, and only Karpenter's log says why; "
            "expiry and interruptions still take nodes",
            impact=Impact(nodes=1),
            evidence=(
                Evidence(POOL, "spec.disruption.budgets[1].nodes", "0"),
                Evidence(POOL, "spec.disruption.budgets[1].schedule", "0 9 * * 7"),
                Evidence(POOL, "spec.disruption.budgets[1].duration", "8h"),
            ),
            fix=(
                Fix(
                    "fix",
                    "kubectl patch nodepool default --type json -p "
                    '\'[{"op":"replace","path":"/spec/disruption/budgets/1/schedule","value":"0 9 * * 0"}]\'',
                    risk="what is kept now then goes, as many nodes at once as the budgets let go",
                ),
                VERIFY,
            ),
        )
    ]


FIELDS = "write five fields, minute hour day-of-month month day-of-week, with Sunday as 0, in UTC"


@pytest.mark.parametrize(
    ("budget", "why", "text"),
    [
        (Budget("10%", "0 0 9 * * 1-5", None, "8h"), 'schedule "0 0 9 * * 1-5": it has 6 fields, not 5', FIELDS),
        (Budget("10%", "0 0 L * *", None, "8h"), 'schedule "0 0 L * *": day of month "L": "L" is no number', FIELDS),
        (
            Budget("10%", "TZ=Asia/Tokyo 0 9 * * *", None, "8h"),
            'schedule "TZ=Asia/Tokyo 0 9 * * *": "TZ=Asia/Tokyo": a schedule cannot name its time zone, it is always UTC',
            FIELDS,
        ),
        (Budget("10%", "", None, "8h"), 'schedule "": it has 0 fields, not 5', FIELDS),
        (
            Budget("10%", "@daily", None, "1d"),
            'duration "1d" is no duration of hours and minutes',
            "write the duration in hours and minutes, such as 8h30m",
        ),
        (Budget("ten"), 'nodes "ten" is neither a number nor a percentage', "write a number of nodes, or a percentage"),
    ],
)
def test_what_is_wrong_is_said_and_where_it_is_not_sure_what_was_meant_the_user_writes_it(
    budget: Budget, why: str, text: str
) -> None:
    (finding,) = found(budget)

    assert (finding.cause, finding.severity, finding.why, finding.fix) == (
        "unreadable",
        None,
        why,
        (Fix("fix", "kubectl edit nodepool default", text, NOW_GOES), VERIFY),
    )


def test_of_two_that_cannot_be_read_each_has_its_way_out() -> None:
    (finding,) = found(Budget("1", "0 0 L * *", None, "1h"), Budget("1", "0 9 * * 7", None, "1h"))

    assert [(step.step, step.command.partition(" -p ")[0]) for step in finding.fix] == [
        ("fix", "kubectl patch nodepool default --type json"),
        ("fix", "kubectl edit nodepool default"),
        ("verify", VERIFY.command),
    ]


def test_one_that_is_active_for_one_reason_alone_turns_all_of_them_off() -> None:
    (finding,) = found(Budget("10%", "0 9 * * 7", ("Drifted",), "8h"))

    assert finding.cost.startswith("no node goes as Drifted, Empty or Underutilized")


def test_a_date_that_never_comes_makes_a_budget_hold_always() -> None:
    (finding,) = found(Budget("0", "0 0 30 2 *", ("Drifted",), "1h"))

    assert (finding.cause, finding.severity, finding.message, finding.why, finding.cost) == (
        "no-such-date",
        Severity.MEDIUM,
        "budgets[0] of default is active at every hour: its date never comes",
        'schedule "0 0 30 2 *" names a date that does not come; Karpenter takes that for active',
        "nodes 0 holds at every hour for Drifted: no node goes so",
    )


def test_a_window_that_never_closes_is_found() -> None:
    (finding,) = found(Budget("0", "0 * * * *", None, "1h"))

    assert (finding.cause, finding.severity, finding.message, finding.why, finding.fix[0]) == (
        "never-closes",
        Severity.MEDIUM,
        "budgets[0] of default is active at every hour: its window never closes",
        'schedule "0 * * * *" comes again after 1h at the latest, and lasts 1h each time',
        Fix(
            "fix",
            "kubectl edit nodepool default",
            "make the duration shorter than the time between two hits, or leave schedule and duration out if that is meant",
            "what is kept now then goes, as many nodes at once as the budgets let go",
        ),
    )


def test_an_always_active_limit_is_only_not_what_was_meant() -> None:
    assert causes(Budget("10%", "@daily", None, "24h")) == [("never-closes", Severity.LOW)]
    assert causes(Budget("5", "0 0 31 4 *", None, "1h")) == [("no-such-date", Severity.LOW)]


@pytest.mark.parametrize("nodes", ["0", "0%"])
def test_a_budget_with_no_duration_to_speak_of_is_never_active(nodes: str) -> None:
    assert causes(Budget(nodes, "@daily", None, "0m")) == [("never-opens", Severity.MEDIUM)]
    assert causes(Budget("1", "@daily", None, "0m")) == [("never-opens", Severity.LOW)]
    assert [finding.cost for finding in found(Budget(nodes, "@daily", ("Empty",), "0m"))] == [
        f"nodes {nodes} never holds for Empty"
    ]


def test_at_every_is_active_always_or_never() -> None:
    assert causes(Budget("0", "@every 1h", None, "2h")) == [("never-closes", Severity.MEDIUM)]
    assert causes(Budget("0", "@every 2h", None, "1h")) == [("never-opens", Severity.MEDIUM)]


def test_several_budgets_with_the_same_mistake_are_one_finding() -> None:
    (finding,) = found(Budget("10%", "@daily", None, "24h"), Budget("0", "@hourly", None, "1h"), Budget("1", "@weekly", None, "1h"))

    assert (finding.message, finding.severity) == (
        "budgets[1] of default is active at every hour: its window never closes, and so is 1 more",
        Severity.MEDIUM,
    )


def test_different_mistakes_are_told_apart() -> None:
    assert causes(Budget("0", "@hourly", None, "1h"), Budget("0", "@Daily", None, "1h")) == [
        ("never-closes", Severity.MEDIUM),
        ("unreadable", None),
    ]


def test_a_long_value_is_cut() -> None:
    (finding,) = found(Budget("10%", "x" * 5000 + " * * * *", None, "1h"))

    assert max(map(len, [finding.why, finding.message, *(entry.value for entry in finding.evidence)])) < 300


@pytest.mark.parametrize(
    "budget",
    [
        Budget("0"),
        Budget("10%"),
        Budget("0", "0 9 * * mon-fri", None, "8h"),
        Budget("0", "@daily", None, "23h59m"),
        Budget("0", "0 9 * * 1-5", None, "24h"),
        Budget("0", "0 0 29 2 *", None, "24h"),
        Budget("0", "0 0 30 2 1", None, "24h"),
        Budget("0", "@yearly", None, "8760h"),
    ],
    ids=lambda budget: f"{budget.schedule} {budget.duration}",
)
def test_windows_that_open_and_close_are_fine(budget: Budget) -> None:
    assert found(budget) == []


def test_the_default_budget_and_none_at_all_are_fine() -> None:
    assert list(budget_schedule_invalid(a_cluster(a_nodepool(), a_nodepool("none", budgets=())))) == []


def test_a_nodepool_that_is_being_deleted_is_left_alone() -> None:
    pool = a_nodepool(budgets=[Budget("0", "0 9 * * 7", None, "8h")], deleted="1m")

    assert list(budget_schedule_invalid(a_cluster(pool))) == []


def test_manifests_without_any_time_and_without_nodes_are_judged() -> None:
    pools = (a_nodepool(budgets=[Budget("0", "0 9 * * 7", None, "8h"), Budget("0", "@hourly", None, "1h")]),)
    manifests = Snapshot(taken_at=NO_TIME, nodepools=pools, coverage={Kind.NODEPOOL: Coverage(Status.COMPLETE)})
    report = scan(manifests, [budget_schedule_invalid])

    assert [run.outcome for run in report.runs] == [Outcome.FAILED]
    assert [(result.finding.cause, result.finding.impact) for result in report.results] == [
        ("unreadable", Impact()),
        ("never-closes", Impact()),
    ]
