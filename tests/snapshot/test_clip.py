"""Long messages of a cluster."""

import msgspec
import pytest

from karpenter_check.snapshot.clip import MAXIMUM_MESSAGE, capped
from karpenter_check.snapshot.event import Event, InvolvedObject
from karpenter_check.snapshot.metadata import Condition


def test_a_message_that_fits_stays() -> None:
    assert capped("x" * MAXIMUM_MESSAGE) == "x" * MAXIMUM_MESSAGE


@pytest.mark.parametrize("length", [MAXIMUM_MESSAGE + 1, 76_000, 10_000_000])
def test_a_long_message_keeps_its_beginning_and_its_end_and_is_as_long_as_it_may_be(length: int) -> None:
    text = capped("Failed to schedule pod, " + "x" * (length - 52) + " due to minValues incompatib")

    assert len(text) == MAXIMUM_MESSAGE
    assert text.startswith("Failed to schedule pod, xxx")
    assert text.endswith("xxx due to minValues incompatib")
    assert f" … ({length - MAXIMUM_MESSAGE} characters and more left out) … " in text


def test_capping_again_changes_nothing() -> None:
    once = capped("".join(f"word{number} " for number in range(9_000)))

    assert capped(once) == once


def test_events_and_conditions_are_capped_when_they_are_decoded() -> None:
    message = "y" * 76_000
    event = msgspec.json.decode(msgspec.json.encode({"involvedObject": {}, "message": message}), type=Event)
    condition = msgspec.json.decode(msgspec.json.encode({"type": "Ready", "status": "False", "message": message}), type=Condition)

    assert event == Event(InvolvedObject(), message=capped(message))
    assert condition == Condition("Ready", "False", message=capped(message))
    assert len(event.message) == len(condition.message) == MAXIMUM_MESSAGE
