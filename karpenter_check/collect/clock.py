"""The time of input that does not say when it was taken: the newest time that the API server wrote into it."""

from collections.abc import Iterator
from datetime import datetime

import msgspec

from karpenter_check.collect.undecodable import UNDECODABLE
from karpenter_check.snapshot.part import Timestamp

LAST_YEAR = 2999
"""What is written of later years is no time that a cluster was read at; and what is counted from it leaves the calendar."""


class _Times(msgspec.Struct, rename="camel"):
    """Times alone; all else is skipped while parsing."""


class _Written(_Times):
    time: Timestamp | None = None


class _Metadata(_Times):
    creation_timestamp: Timestamp | None = None
    managed_fields: list[_Written] | None = None


class _Condition(_Times):
    last_transition_time: Timestamp | None = None


class _Span(_Times):
    started_at: Timestamp | None = None
    finished_at: Timestamp | None = None


class _State(_Times):
    running: _Span | None = None
    terminated: _Span | None = None


class _ContainerStatus(_Times):
    state: _State | None = None
    last_state: _State | None = None


class _Status(_Times):
    conditions: list[_Condition] | None = None
    container_statuses: list[_ContainerStatus] | None = None
    init_container_statuses: list[_ContainerStatus] | None = None


class _Series(_Times):
    last_observed_time: Timestamp | None = None


class _Object(_Times):
    metadata: _Metadata | None = None
    status: _Status | None = None
    first_timestamp: Timestamp | None = None
    last_timestamp: Timestamp | None = None
    event_time: Timestamp | None = None
    series: _Series | None = None


_DECODER = msgspec.json.Decoder(_Object)


def _times(found: _Object) -> Iterator[datetime | None]:
    """Creation, condition, container-state, managedFields and event times.

    Not the deletion time, which is a request plus its grace and so lies ahead, and nothing that people write.
    """
    yield from (found.first_timestamp, found.last_timestamp, found.event_time)
    if found.series:
        yield found.series.last_observed_time
    if found.metadata:
        yield found.metadata.creation_timestamp
        yield from (written.time for written in found.metadata.managed_fields or ())
    if found.status:
        yield from (condition.last_transition_time for condition in found.status.conditions or ())
        for container in (*(found.status.container_statuses or ()), *(found.status.init_container_statuses or ())):
            for state in (container.state, container.last_state):
                for span in (state and state.running, state and state.terminated):
                    yield from (span.started_at, span.finished_at) if span else ()


def newest_time(raw: msgspec.Raw | bytes) -> datetime | None:
    """The newest time in an object, or None; an object whose times do not parse has none. What lies beyond `LAST_YEAR` is no time."""
    try:
        found = _DECODER.decode(raw)
    except UNDECODABLE:
        return None
    return max((time for time in _times(found) if time and time.year <= LAST_YEAR), default=None)
