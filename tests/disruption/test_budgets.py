from datetime import UTC, datetime

import pytest

from karpenter_check.disruption.budget import Entry, UnreadableBudget, is_active, is_always_active, value
from karpenter_check.disruption.budgets import Allowance, Unreadable, allowance, allowed_at_a_time
from karpenter_check.snapshot.nodepool import Budget
from tests.build import NOON, a_nodepool


def at(text: str) -> datetime:
    """A moment, UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def scheduled(schedule: str, duration: str, nodes: str = "0", *reasons: str) -> Budget:
    """A budget with a schedule."""
    return Budget(nodes, schedule, reasons or None, duration)


@pytest.mark.parametrize(
    ("written", "nodes", "allowed"),
    [
        ("10%", 56, 6),
        ("10%", 10, 1),
        ("10%", 11, 2),
        ("10%", 1, 1),
        ("10%", 0, 0),
        ("0%", 10, 0),
        ("100%", 10, 10),
        ("150%", 10, 15),
        ("7%", 100, 7),
        ("-5%", 10, 0),
        ("0", 10, 0),
        ("30", 10, 30),
        ("007", 10, 7),
        ("+3", 10, 3),
        ("-1", 10, -1),
        ("2147483647", 10, 2147483647),
        ("2147483648", 10, -2147483648),
        ("4294967296", 10, 0),
    ],
)
def test_a_budget_allows_a_number_or_a_percentage_rounded_up(written: str, nodes: int, allowed: int) -> None:
    assert value(Budget(written), nodes) == allowed


@pytest.mark.parametrize("written", ["", "%", "a few", "10.5%", "5%%", "1e3", "٣", "99999999999999999999", "9223372036854775808"])
def test_other_words_for_nodes_cannot_be_read(written: str) -> None:
    with pytest.raises(UnreadableBudget) as raised:
        value(Budget(written), 10)

    assert str(raised.value) == f'nodes "{written}" is neither a number nor a percentage'


@pytest.mark.parametrize(
    ("schedule", "duration", "moment", "active"),
    [
        ("", "", "2026-11-21 12:00:00", True),
        ("0 9 * * *", "8h", "2026-11-21 08:59:59", False),
        ("0 9 * * *", "8h", "2026-11-21 09:00:00", True),
        ("0 9 * * *", "8h", "2026-11-21 16:59:59.999999", True),
        ("0 9 * * *", "8h", "2026-11-21 17:00:00", False),
        ("0 9 * * 1-5", "8h", "2026-11-21 12:00:00", False),
        ("0 22 * * 5", "48h", "2026-11-21 12:00:00", True),
        ("@daily", "24h", "2026-11-21 12:00:00", True),
        ("0 9 31 2 *", "1h", "2026-11-21 12:00:00", True),
        ("0 9 31 2 *", "0m", "2026-11-21 12:00:00", True),
        ("* * * * *", "0m", "2026-11-21 12:00:00", False),
        ("* * * * *", "", "2026-11-21 12:00:00", False),
        ("@every 1h", "1h", "2026-11-21 12:00:00", True),
        ("@every 1h", "59m", "2026-11-21 12:00:00", False),
    ],
)
def test_a_budget_is_active_for_its_duration_after_each_hit(schedule: str, duration: str, moment: str, active: bool) -> None:  # noqa: FBT001 (parametrized)
    assert is_active(scheduled(schedule, duration), at(moment)) is active


@pytest.mark.parametrize(
    ("schedule", "duration", "always"),
    [
        ("", "", True),
        ("@daily", "24h", True),
        ("@daily", "23h59m", False),
        ("0 9 * * 1-5", "72h", True),
        ("0 9 * * 1-5", "71h", False),
        ("* * * * *", "1m", True),
        ("* * * 1 *", "1m", False),
        ("@yearly", "8760h", False),
        ("@yearly", "8784h", True),
        ("0 9 31 2 *", "1h", True),
        ("* * * * *", "0m", False),
    ],
)
def test_a_budget_is_always_active_where_its_time_is_never_over(schedule: str, duration: str, always: bool) -> None:  # noqa: FBT001 (parametrized)
    assert is_always_active(scheduled(schedule, duration), NOON) is always


@pytest.mark.parametrize(
    ("budgets", "allowed", "deciding"),
    [
        ([], None, []),
        ([Budget()], 6, [0]),
        ([Budget("5"), Budget("20%")], 5, [0]),
        ([Budget("20"), Budget("10%"), Budget("6")], 6, [1, 2]),
        ([Budget("100")], 100, [0]),
        ([Budget("-1"), Budget("0")], 0, [0, 1]),
        ([Budget("0", reasons=("Empty",))], None, []),
        ([Budget("0", reasons=("Empty", "Drifted"))], 0, [0]),
        ([Budget("0", reasons=())], None, []),
        ([scheduled("0 9 * * *", "8h"), Budget("5")], 0, [0]),
        ([scheduled("0 9 * * 1-5", "8h"), Budget("5")], 5, [1]),
        ([scheduled("0 9 * * 1-5", "8h")], None, []),
        ([scheduled("0 9 30 2 *", "1h"), Budget("5")], 0, [0]),
    ],
)
def test_the_smallest_active_budget_for_the_reason_decides(budgets: list[Budget], allowed: int | None, deciding: list[int]) -> None:
    answer = allowance(a_nodepool(budgets=budgets), "Drifted", 56, NOON)

    assert answer == Allowance(allowed, tuple(Entry(index, budgets[index]) for index in deciding))


@pytest.mark.parametrize(
    ("budget", "why"),
    [
        (scheduled("0 9 * * 7", "8h", "100%"), 'schedule "0 9 * * 7": day of week "7": 7 is above 6, and Sunday is 0'),
        (scheduled("0 9 * * 7", "8h", "100%", "Empty"), 'schedule "0 9 * * 7": day of week "7": 7 is above 6, and Sunday is 0'),
        (scheduled("", "8h"), 'schedule "": it has 0 fields, not 5'),
        (scheduled("@daily", "1d"), 'duration "1d" is no duration of hours and minutes'),
        (Budget("a few"), 'nodes "a few" is neither a number nor a percentage'),
        (Budget("a few", reasons=("Empty",)), 'nodes "a few" is neither a number nor a percentage'),
    ],
)
def test_one_budget_that_cannot_be_read_lets_nothing_go_for_any_reason(budget: Budget, why: str) -> None:
    answer = allowance(a_nodepool(budgets=[Budget("5"), budget]), "Drifted", 56, NOON)

    assert answer == Allowance(0, (Entry(1, budget),), (Unreadable(Entry(1, budget), why),))


def test_every_budget_that_cannot_be_read_is_named_in_its_order() -> None:
    nodes, schedule = Budget("a few"), scheduled("* * * *", "1h")

    answer = allowance(a_nodepool(budgets=[nodes, Budget("0"), schedule]), "Empty", 56, NOON)

    assert [(entry.path, entry.budget) for entry in answer.deciding] == [
        ("spec.disruption.budgets[0]", nodes),
        ("spec.disruption.budgets[2]", schedule),
    ]


def test_what_cannot_be_read_of_a_budget_that_is_not_active_does_no_harm_yet() -> None:
    sleeping = scheduled("0 9 * * 1-5", "8h", "a few")
    nodepool = a_nodepool(budgets=[sleeping, Budget("5")])

    assert allowance(nodepool, "Drifted", 56, NOON).allowed == 5
    assert allowance(nodepool, "Drifted", 56, at("2026-11-20 12:00")).allowed == 0


@pytest.mark.parametrize(
    ("budgets", "nodes", "allowed"),
    [
        ([Budget()], 56, 6),
        ([Budget("30")], 10, 10),
        ([Budget("5"), Budget("20%")], 10, 2),
        ([], 10, 10),
        ([Budget("0", reasons=("Empty",))], 10, 10),
        ([Budget("0", reasons=("Empty", "Drifted"))], 10, 0),
        ([scheduled("@daily", "1h", "0", "Empty"), Budget("2")], 10, 2),
        ([scheduled("@daily", "1h", "a few", "Empty"), Budget("2")], 10, None),
        ([scheduled("0 9 * * 1-5", "8h"), Budget("2")], 10, None),
        ([scheduled("0 9 * * 7", "8h", "0", "Empty"), Budget("2")], 10, 0),
        ([Budget("a few")], 10, 0),
        ([Budget("-1")], 10, 0),
    ],
)
def test_so_many_nodes_may_drift_at_a_time(budgets: list[Budget], nodes: int, allowed: int | None) -> None:
    assert allowed_at_a_time(a_nodepool(budgets=budgets), "Drifted", nodes) == allowed
