import pytest
from hypothesis import given
from hypothesis import strategies as st

from karpenter_check.disruption.schedule import Schedule
from karpenter_check.disruption.schedule_mended import mended


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("0 9 * * 7", "0 9 * * 0"),
        ("0 9 * * 6,7", "0 9 * * 6,0"),
        ("0 9 * * 5-7", "0 9 * * 5-6,0"),
        ("0 9 * * Fri-7", "0 9 * * Fri-6,0"),
        ("0 9 1 * 1-7", "0 9 1 * 0-6"),
        ("0 22-6 * * *", "0 22-23,0-6 * * *"),
        ("0 9 * * fri-mon", "0 9 * * fri-6,0-mon"),
        ("0 0 * 11-2 *", "0 0 * 11-12,1-2 *"),
        ("0 0 9 ? * MON-FRI", "0 9 ? * MON-FRI"),
        ("0 9 ? * MON-FRI *", "0 9 ? * MON-FRI"),
        ("0 9 ? * MON-FRI 2026", "0 9 ? * MON-FRI"),
        ("TZ=UTC 0 9 * * 1-5", "0 9 * * 1-5"),
        ("CRON_TZ=Etc/UTC @daily", "@daily"),
        ("@Daily", "@daily"),
    ],
)
def test_what_was_surely_meant(text: str, meant: str) -> None:
    assert mended(text) == meant


@pytest.mark.parametrize(
    "text",
    [
        "0 0 9 * * *",  # seconds first, or years last
        "0 0 9 * * 2-6",  # Monday to Friday to Quartz
        "0 9 ? * 2-6 *",
        "TZ=Europe/Berlin 0 9 * * *",
        "0 0 L * *",
        "0 9 * * mon#1",
        "0 25 * * *",
        "0 9 * * 1-7/2",
        "0 9 * *",
        "",
        "at five",
    ],
)
def test_where_more_than_one_thing_may_be_meant_nothing_is_said(text: str) -> None:
    assert mended(text) is None


@pytest.mark.parametrize("text", ["0 9 * * 0", "@daily", " 0  9 * * 1-5 "])
def test_what_can_be_read_needs_no_mending(text: str) -> None:
    assert mended(text) is None


@given(st.text("0123456789-,*/ ?LTZ=@dailyUCmon", max_size=30))
def test_whatever_comes_out_can_be_read(text: str) -> None:
    meant = mended(text)

    assert meant is None or isinstance(Schedule.parse(meant), Schedule)
