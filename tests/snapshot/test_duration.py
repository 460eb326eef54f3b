from datetime import UTC, datetime, timedelta

import pytest

from karpenter_check.snapshot.duration import duration, later, spoken


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("720h", timedelta(days=30)),
        ("24h0m0s", timedelta(days=1)),
        ("1h30m", timedelta(minutes=90)),
        ("1.5h", timedelta(minutes=90)),
        (".5s", timedelta(milliseconds=500)),
        ("1.h", timedelta(hours=1)),
        ("500ms", timedelta(milliseconds=500)),
        ("3us", timedelta(microseconds=3)),
        ("3µs", timedelta(microseconds=3)),
        ("3000ns", timedelta(microseconds=3)),
        ("+5s", timedelta(seconds=5)),
        ("-1h", timedelta(hours=-1)),
        ("0", timedelta()),
        ("0s", timedelta()),
        ("2562047h", timedelta(hours=2562047)),
    ],
)
def test_what_go_takes_for_a_duration_is_one(text: str, span: timedelta) -> None:
    assert duration(text) == span


@pytest.mark.parametrize(
    "text", ["", "Never", "never", "1d", "1w", "30", "h", "1h 30m", " 1h", "1H", "one hour", ".h", "1h30", "--1h", "٣h", "true"]
)
def test_what_go_refuses_is_none(text: str) -> None:
    assert duration(text) is None


@pytest.mark.parametrize("text", ["2562048h", "99999999999999999h", "-99999999999999999h", "9" * 400 + "h"])
def test_what_overflows_in_go_is_none(text: str) -> None:
    assert duration(text) is None


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (timedelta(), "0s"),
        (timedelta(milliseconds=900), "0s"),
        (timedelta(seconds=45), "45s"),
        (timedelta(minutes=15, seconds=11), "15m11s"),
        (timedelta(minutes=15), "15m"),
        (timedelta(hours=17, minutes=4, seconds=9), "17h4m"),
        (timedelta(hours=17, seconds=9), "17h"),
        (timedelta(days=30), "30d"),
        (timedelta(days=30, hours=5, minutes=59), "30d5h"),
        (timedelta(minutes=-3), "3m"),
    ],
)
def test_a_span_is_spoken_with_its_two_largest_units(span: timedelta, text: str) -> None:
    assert spoken(span) == text


def test_what_lies_beyond_the_calendar_never_comes() -> None:
    noon = datetime(2026, 11, 21, 12, tzinfo=UTC)

    assert later(noon, timedelta(hours=1)) == datetime(2026, 11, 21, 13, tzinfo=UTC)
    assert later(datetime.max.replace(tzinfo=UTC), timedelta(seconds=1)) is None
    assert (later(None, timedelta()), later(noon, None)) == (None, None)
