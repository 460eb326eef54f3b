from datetime import UTC, datetime, timedelta

import pytest
from cronsim import CronSim
from hypothesis import given, settings
from hypothesis import strategies as st

from karpenter_check.disruption.schedule import Schedule, UnparsableSchedule, admitted


def at(text: str) -> datetime:
    """A moment, UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def hit(schedule: str, after: str) -> str:
    """The next hit, without its zone; `never`."""
    found = Schedule.parse(schedule).next_after(at(after))
    return found.replace(tzinfo=None).isoformat(" ", "minutes") if found else "never"


@pytest.mark.parametrize(
    ("schedule", "after", "expected"),
    [
        ("* * * * *", "2026-11-21 12:00:00", "2026-11-21 12:01"),
        ("* * * * *", "2026-11-21 11:59:59.999", "2026-11-21 12:00"),
        ("0 9 * * *", "2026-11-21 09:00", "2026-11-22 09:00"),
        ("0 9 * * 1-5", "2026-11-21 12:00", "2026-11-23 09:00"),
        ("0 9-17/2 * * *", "2026-11-21 12:00", "2026-11-21 13:00"),
        ("5/20 * * * *", "2026-11-21 12:46", "2026-11-21 13:05"),
        ("30 22 * * 6,0", "2026-11-21 22:30", "2026-11-22 22:30"),
        ("0 12 * jan,JUL Mon", "2026-11-21 12:00", "2027-01-04 12:00"),
        ("? ? ? ? ?", "2026-11-21 12:00", "2026-11-21 12:01"),
        ("+5 007 * * *", "2026-11-21 12:00", "2026-11-22 07:05"),
        ("0 *-nonsense * * *", "2026-11-21 12:00", "2026-11-21 13:00"),
        ("0 0 1-3,2-5,9, * *", "2026-11-21 12:00", "2026-12-01 00:00"),
        ("59 23 31 12 *", "2026-12-31 23:59", "2027-12-31 23:59"),
        ("\t0\u00a00  * * *\n", "2026-11-21 12:00", "2026-11-22 00:00"),
        (" @daily ", "2026-11-21 12:00", "2026-11-22 00:00"),
        ("@midnight", "2026-11-21 12:00", "2026-11-22 00:00"),
        ("@hourly", "2026-11-21 12:00", "2026-11-21 13:00"),
        ("@weekly", "2026-11-21 12:00", "2026-11-22 00:00"),
        ("@monthly", "2026-11-21 12:00", "2026-12-01 00:00"),
        ("@yearly", "2026-11-21 12:00", "2027-01-01 00:00"),
        ("@annually", "2026-11-21 12:00", "2027-01-01 00:00"),
        ("@every 1h30m", "2026-11-21 12:00:00.5", "2026-11-21 13:30"),
    ],
)
def test_the_next_hit_comes_after_the_moment(schedule: str, after: str, expected: str) -> None:
    assert hit(schedule, after) == expected


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("0 0 1 * 1", "2026-11-23 00:00"),
        ("0 0 1 * *", "2026-12-01 00:00"),
        ("0 0 * * 1", "2026-11-23 00:00"),
        ("0 0 1 * ?", "2026-12-01 00:00"),
        ("0 0 1 * */1", "2026-12-01 00:00"),
        ("0 0 1 * */2", "2026-11-22 00:00"),
        ("0 0 */2 * 1", "2026-11-23 00:00"),
        ("0 0 1 * 0-6", "2026-11-22 00:00"),
        ("0 0 1,* * 1", "2026-11-23 00:00"),
    ],
)
def test_either_day_is_enough_unless_one_of_them_is_a_star(schedule: str, expected: str) -> None:
    assert hit(schedule, "2026-11-21 12:00") == expected


@pytest.mark.parametrize(
    ("schedule", "after", "expected"),
    [
        ("0 9 31 2 *", "2026-11-21 12:00", "never"),
        ("0 0 31 4,6,9,11 *", "2026-11-21 12:00", "never"),
        ("0 0 30 2 1", "2026-11-21 12:00", "2027-02-01 00:00"),
        ("0 0 29 2 *", "2026-11-21 12:00", "2028-02-29 00:00"),
        ("0 0 29 2 *", "2098-12-31 23:59:58", "never"),
        ("0 0 29 2 *", "2098-12-31 23:59:59", "2104-02-29 00:00"),
        (", 9 * * *", "2026-11-21 12:00", "never"),
        ("0 9 * , *", "2026-11-21 12:00", "never"),
    ],
)
def test_a_date_that_does_not_come_within_five_years_never_hits(schedule: str, after: str, expected: str) -> None:
    assert hit(schedule, after) == expected


def test_a_moment_of_another_zone_is_taken_in_utc() -> None:
    moment = datetime.fromisoformat("2026-11-21T23:30:00-02:00")

    assert Schedule.parse("0 1 * * *").next_after(moment) == at("2026-11-22 01:00") + timedelta(days=1)


@pytest.mark.parametrize(
    ("schedule", "why"),
    [
        ("", "it has 0 fields, not 5"),
        ("* * * *", "it has 4 fields, not 5"),
        ("0 0 9 * * 1-5", "it has 6 fields, not 5"),
        ("60 * * * *", 'minute "60": 60 is above 59'),
        ("0 25 * * *", 'hour "25": 25 is above 23'),
        ("0 0 0 * *", 'day of month "0": 0 is below 1'),
        ("0 0 L * *", 'day of month "L": "L" is no number'),
        ("0 0 15W * *", 'day of month "15W": "15W" is no number'),
        ("0 0 * 13 *", 'month "13": 13 is above 12'),
        ("0 0 * june *", 'month "june": "june" is no number or name'),
        ("0 9 * * 7", 'day of week "7": 7 is above 6, and Sunday is 0'),
        ("0 9 * * 1-7", 'day of week "1-7": 7 is above 6, and Sunday is 0'),
        ("0 9 * * mon#1", 'day of week "mon#1": "mon#1" is no number or name'),
        ("0 0 * * 5-1", 'day of week "5-1": the range begins at 5 and ends before it, at 1'),
        ("0 1-2-3 * * *", 'hour "1-2-3": more than one hyphen'),
        ("*/5/5 * * * *", 'minute "*/5/5": more than one slash'),
        ("*/0 * * * *", 'minute "*/0": a step of 0'),
        ("*/-5 * * * *", 'minute "*/-5": -5 is negative'),
        ("-5 * * * *", 'minute "-5": "" is no number'),
        ("0 9,x * * *", 'hour "9,x": "x" is no number'),
        ("9223372036854775808 * * * *", 'minute "9223372036854775808": "9223372036854775808" is no number'),
        ("TZ=UTC 0 9 * * *", '"TZ=UTC": a schedule cannot name its time zone, it is always UTC'),
        ("CRON_TZ=Asia/Tokyo @daily", '"CRON_TZ=Asia/Tokyo": a schedule cannot name its time zone, it is always UTC'),
        (
            "@Daily",
            '"@Daily" is not one of @annually, @daily, @hourly, @midnight, @monthly, @weekly, @yearly',
        ),
        ("@every", '"@every" is not one of @annually, @daily, @hourly, @midnight, @monthly, @weekly, @yearly'),
        ("@every 1d", '"@every 1d" names no duration'),
    ],
)
def test_what_karpenter_cannot_read_says_which_field_and_why(schedule: str, why: str) -> None:
    with pytest.raises(UnparsableSchedule) as raised:
        Schedule.parse(schedule)

    assert str(raised.value) == why


@pytest.mark.parametrize(
    ("schedule", "enters"),
    [
        ("0 9 * * 1-5", True),
        ("0 9 * * 7", True),
        ("0 0 L * *", True),
        ("TZ=Europe/Berlin 0 9 * * *", True),
        ("@daily", True),
        ("@daily at nine", True),
        ("@every 1h", False),
        ("* * * *", False),
        ("", False),
        ("@reboot", False),
    ],
)
def test_the_api_lets_in_more_than_parses(schedule: str, enters: bool) -> None:  # noqa: FBT001 (parametrized)
    assert admitted(schedule) is enters


@pytest.mark.parametrize(
    ("schedule", "longest"),
    [
        ("* * * * *", timedelta(minutes=1)),
        ("0,50 * * * *", timedelta(minutes=50)),
        ("@daily", timedelta(days=1)),
        ("0 9-17 * * 1-5", timedelta(days=2, hours=16)),
        ("* * * 1 *", timedelta(days=335, minutes=1)),
        ("@yearly", timedelta(days=366)),
        ("@every 90s", timedelta(seconds=90)),
        ("0 0 30 2 *", None),
    ],
)
def test_the_longest_time_without_a_hit_is_known(schedule: str, longest: timedelta | None) -> None:
    assert Schedule.parse(schedule).longest_gap(at("2026-11-21 12:00")) == longest


def fields(lowest: int, highest: int) -> st.SearchStrategy[str]:
    """A field as both libraries read it; of `5-5/2` cronsim makes `5/2`, so a range has two ends."""
    number = st.integers(lowest, highest)
    span = st.lists(number, min_size=2, max_size=2, unique=True).map(lambda ends: f"{min(ends)}-{max(ends)}")
    step = st.integers(1, highest).map(str)
    part = st.one_of(number.map(str), span, st.tuples(span, step).map("/".join), st.tuples(st.just("*"), step).map("/".join))
    return st.one_of(st.just("*"), part, st.lists(part, min_size=2, max_size=3).map(",".join))


moments = st.datetimes(datetime(1990, 1, 1), datetime(2080, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 (the strategy adds the zone)


def days() -> st.SearchStrategy[tuple[str, str]]:
    """Days of month and of week; one is a star, for only robfig takes a star with a step for none."""
    return st.one_of(st.tuples(fields(1, 28), st.just("*")), st.tuples(st.just("*"), fields(0, 6)))


@settings(derandomize=True, deadline=None)
@given(fields(0, 59), fields(0, 23), days(), fields(1, 12), moments)
def test_cronsim_agrees_on_what_both_understand(minute: str, hour: str, day: tuple[str, str], month: str, moment: datetime) -> None:
    text = f"{minute} {hour} {day[0]} {month} {day[1]}"

    assert Schedule.parse(text).next_after(moment) == next(CronSim(text, moment))


@settings(derandomize=True, deadline=None)
@given(fields(0, 59), fields(0, 23), st.integers(1, 31), fields(1, 12), st.integers(0, 6), moments)
def test_cronsim_agrees_where_either_day_is_enough(
    minute: str, hour: str, day: int, month: str, weekday: int, moment: datetime
) -> None:
    text = f"{minute} {hour} {day} {month} {weekday}"

    assert Schedule.parse(text).next_after(moment) == next(CronSim(text, moment))


@settings(derandomize=True, deadline=None)
@given(fields(0, 59), fields(0, 23), fields(1, 31), fields(1, 12), fields(0, 6), moments)
def test_hits_come_one_after_the_other(minute: str, hour: str, day: str, month: str, weekday: str, moment: datetime) -> None:
    schedule = Schedule.parse(f"{minute} {hour} {day} {month} {weekday}")
    found = schedule.next_after(moment)
    if found is None:
        return

    assert found > moment
    assert schedule.next_after(found - timedelta(microseconds=1)) == found
    assert schedule.next_after(moment + (found - moment) / 2) == found
