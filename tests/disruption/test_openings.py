from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from karpenter_check.disruption.budget import Entry, is_active
from karpenter_check.disruption.budgets import allowance
from karpenter_check.disruption.openings import WEEK, Window, active_spans, next_opening, unlimited, windows
from karpenter_check.snapshot.nodepool import Budget
from tests.build import NOON, a_nodepool

OFFICE_HOURS = Budget("0", "0 9 * * 1-5", None, "8h")
SHUT = Budget("0")
ONE = Budget("1")


def at(text: str) -> datetime:
    """A moment, UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def week(*budgets: Budget, reason: str = "Drifted", nodes: int = 10, days: int = 7) -> tuple[Window, ...]:
    """The windows from Saturday noon on."""
    return windows(a_nodepool(budgets=budgets), reason, nodes, NOON, timedelta(days=days))


def test_a_budget_without_a_schedule_is_one_window() -> None:
    assert week(ONE) == (Window(NOON, NOON + WEEK, 1, (Entry(0, ONE),)),)


def test_outside_of_a_scheduled_budget_another_one_decides() -> None:
    assert week(OFFICE_HOURS, ONE, days=3) == (
        Window(NOON, at("2026-11-23 09:00"), 1, (Entry(1, ONE),)),
        Window(at("2026-11-23 09:00"), at("2026-11-23 17:00"), 0, (Entry(0, OFFICE_HOURS),)),
        Window(at("2026-11-23 17:00"), at("2026-11-24 09:00"), 1, (Entry(1, ONE),)),
        Window(at("2026-11-24 09:00"), at("2026-11-24 12:00"), 0, (Entry(0, OFFICE_HOURS),)),
    )


def test_where_no_other_budget_is_there_nothing_limits() -> None:
    assert unlimited(week(OFFICE_HOURS, days=3)) == (
        Window(NOON, at("2026-11-23 09:00"), None),
        Window(at("2026-11-23 17:00"), at("2026-11-24 09:00"), None),
    )


def test_budgets_of_other_reasons_leave_a_reason_alone() -> None:
    assert week(Budget("0", reasons=("Empty",))) == (Window(NOON, NOON + WEEK, None),)


def test_budgets_that_take_over_from_each_other_are_one_window() -> None:
    morning, evening = Budget("0", "0 0 * * *", None, "12h"), Budget("0", "0 12 * * *", None, "12h")

    assert week(morning, evening) == (Window(NOON, NOON + WEEK, 0, (Entry(0, morning), Entry(1, evening))),)


def test_a_window_that_opened_before_goes_on() -> None:
    weekend = Budget("5", "0 0 * * 6", None, "48h")

    assert week(weekend, days=2) == (
        Window(NOON, at("2026-11-23 00:00"), 5, (Entry(0, weekend),)),
        Window(at("2026-11-23 00:00"), at("2026-11-23 12:00"), None),
    )


@pytest.mark.parametrize(
    "budget",
    [
        Budget("0", "0 9 * * 7", ("Empty",), "8h"),
        Budget("0", "0 9 31 2 *", None, "1h"),
        Budget("0", "@daily", None, "24h"),
        Budget("0", "* * * * *", None, "1m"),
        Budget("0", "0 12 * * *", None, "25h"),
        Budget("0", "@every 1h", None, "1h"),
        Budget("a few"),
    ],
)
def test_budgets_that_are_never_over_are_one_window(budget: Budget) -> None:
    assert week(budget) == (Window(NOON, NOON + WEEK, 0, (Entry(0, budget),)),)


@pytest.mark.parametrize(
    "budget", [Budget("0", "* * * * *", None, "0m"), Budget("0", "@every 1h", None, "59m"), Budget("0", "0 0 1 1 *", None, "1h")]
)
def test_budgets_that_are_not_active_this_week_leave_it_open(budget: Budget) -> None:
    assert week(budget, ONE) == (Window(NOON, NOON + WEEK, 1, (Entry(1, ONE),)),)


@pytest.mark.parametrize(
    ("budgets", "opening"),
    [
        ([ONE], "2026-11-21 12:00"),
        ([], "2026-11-21 12:00"),
        ([Budget("0", "0 9 * * *", None, "8h")], "2026-11-21 17:00"),
        ([Budget("0", "0 9 * * *", None, "8h"), Budget("0", "0 17 * * 6", None, "1h"), ONE], "2026-11-21 18:00"),
    ],
)
def test_the_next_opening_is_when_a_node_may_go(budgets: list[Budget], opening: str) -> None:
    assert next_opening(week(*budgets)) == at(opening)


@pytest.mark.parametrize("budgets", [[SHUT], [SHUT, ONE], [Budget("0", "0 0 1 * *", None, "744h")]])
def test_there_may_be_no_opening_this_week(budgets: list[Budget]) -> None:
    assert next_opening(week(*budgets)) is None


def test_a_percentage_of_no_nodes_opens_nothing() -> None:
    assert next_opening(week(Budget(), nodes=0)) is None


def test_a_budget_that_blinks_has_no_more_windows_than_there_are_minutes() -> None:
    blinking = Budget("0", "*/2 * * * *", None, "1m")
    found = week(blinking, ONE)

    assert len(found) == 7 * 24 * 60
    assert found[:2] == (
        Window(NOON, NOON + timedelta(minutes=1), 0, (Entry(0, blinking),)),
        Window(NOON + timedelta(minutes=1), NOON + timedelta(minutes=2), 1, (Entry(1, ONE),)),
    )


def test_a_duration_of_a_hundred_years_covers_the_week() -> None:
    budget = Budget("0", "* * * * *", None, "876000h")

    assert active_spans(budget, NOON, NOON + WEEK) == ((NOON, NOON + WEEK),)


schedules = st.sampled_from(
    [
        "* * * * *",
        "*/7 * * * *",
        "0 9 * * 1-5",
        "@daily",
        "@hourly",
        "0 0 1 * *",
        "30 22 * * 6,0",
        "0 0 31 2 *",
        "0 9 * * 7",
        "0 0 29 2 *",
    ]
)
durations = st.sampled_from(["0m", "1m", "7m", "30m", "1h", "8h", "24h", "25h30m", "72h", "744h", "26280h"])
reasons = st.sampled_from([None, ("Drifted",), ("Empty",), ("Empty", "Drifted")])
nodes = st.sampled_from(["0", "1", "10%", "100%", "a few"])
budgets = st.one_of(st.builds(Budget, nodes, st.just(""), reasons), st.builds(Budget, nodes, schedules, reasons, durations))
moments = st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 (the strategy adds the zone)


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.lists(budgets, max_size=4), moments, st.lists(st.floats(0, 0.999), min_size=5, max_size=5))
def test_every_moment_of_the_week_allows_what_its_window_says(made: list[Budget], start: datetime, places: list[float]) -> None:
    nodepool = a_nodepool(budgets=made)
    found = windows(nodepool, "Drifted", 10, start)
    samples = [start, *(window.start for window in found[:5]), *(start + place * WEEK for place in places)]

    assert [window.start for window in found] == [start, *(window.end for window in found[:-1])]
    assert found[-1].end == start + WEEK
    assert all(one.allowed != other.allowed for one, other in pairwise(found))
    for moment in samples:
        window = next(window for window in found if window.start <= moment < window.end)
        assert allowance(nodepool, "Drifted", 10, moment).allowed == window.allowed, moment


@settings(derandomize=True, deadline=None)
@given(schedules.filter(lambda text: text != "0 9 * * 7"), durations, moments)
def test_a_budget_is_active_in_its_spans_and_not_between_them(schedule: str, lasts: str, start: datetime) -> None:
    budget = Budget("0", schedule, None, lasts)
    spans = active_spans(budget, start, start + WEEK)

    for opens, closes in spans[:20]:
        assert is_active(budget, opens)
        assert is_active(budget, closes - timedelta(microseconds=1))
        assert closes == start + WEEK or not is_active(budget, closes)
        assert opens == start or not is_active(budget, opens - timedelta(microseconds=1))
