from collections.abc import Iterator
from threading import Event

import pytest

from karpenter_check.collect.ahead import ahead
from karpenter_check.collect.deadline import Deadline
from karpenter_check.collect.refusal import CannotScan


def test_values_come_in_their_order() -> None:
    assert list(ahead(iter(range(100)), Deadline(60))) == list(range(100))


def test_the_next_value_is_made_while_one_is_looked_at_but_no_more_than_that() -> None:
    made: list[int] = []
    second = Event()

    def values() -> Iterator[int]:
        for value in range(10):
            made.append(value)
            if value == 1:
                second.set()
            yield value

    looked = ahead(values(), Deadline(60))
    assert next(looked) == 0
    assert second.wait(60)
    assert made == [0, 1]
    assert list(looked) == list(range(1, 10))


def test_what_making_raises_is_raised_after_what_was_made() -> None:
    def values() -> Iterator[int]:
        yield 1
        raise CannotScan("the server went away")

    looked = ahead(values(), Deadline(60))
    assert next(looked) == 1
    with pytest.raises(CannotScan, match="the server went away"):
        next(looked)


def test_at_the_deadline_nothing_is_waited_for() -> None:
    never = Event()

    def values() -> Iterator[int]:
        yield 1
        never.wait()

    looked = ahead(values(), Deadline(0.05))
    assert next(looked) == 1
    with pytest.raises(CannotScan, match=r"--timeout of 0\.05 s is over"):
        next(looked)
    never.set()


def test_nothing_more_is_made_once_nobody_looks() -> None:
    made: list[int] = []
    over = Event()

    def values() -> Iterator[int]:
        try:
            for value in range(10):
                made.append(value)
                yield value
        finally:
            over.set()

    looked = ahead(values(), Deadline(60))
    next(looked)
    looked.close()
    assert over.wait(60)
    assert len(made) <= 2
