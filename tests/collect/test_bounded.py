from threading import Event

import pytest

from karpenter_check.collect.bounded import bounded


def test_what_is_in_time_is_returned() -> None:
    assert bounded(lambda: 7, 60) == 7


def test_what_a_call_raises_is_raised() -> None:
    def fail() -> None:
        raise ValueError("no such thing")

    with pytest.raises(ValueError, match="no such thing"):
        bounded(fail, 60)


def test_a_call_that_takes_too_long_is_left_behind() -> None:
    never = Event()
    with pytest.raises(TimeoutError):
        bounded(never.wait, 0.01)
    never.set()
