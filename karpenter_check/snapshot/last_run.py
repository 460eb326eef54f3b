"""What earlier runs knew, as one versioned value: a scan lives for seconds, and counters go on."""

from typing import Literal, TypeAlias

import msgspec

from karpenter_check.snapshot.part import Timestamp

Labels: TypeAlias = tuple[str, ...]
"""The values of a metric's labels, in their order."""


class NotUnderstood(ValueError):
    """What was kept is no memory that this version knows; the message says why."""


class _Kept(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True):
    """A piece of the memory. What it does not know it refuses: a newer version wrote it."""


class Count(_Kept, frozen=True):
    """A series of a counter."""

    labels: Labels
    value: float
    seen: Timestamp
    """When what it counts was last there."""


class Delays(_Kept, frozen=True):
    """A series of a histogram."""

    labels: Labels
    counts: tuple[float, ...]
    """Observations in each bucket alone, the last one without an upper bound."""
    total: float
    """Their sum, in seconds."""
    seen: Timestamp


class KnownNode(_Kept, frozen=True):
    """A node of Karpenter's as it was seen last."""

    node: str
    nodepool: str
    uid: str = ""
    """Of its NodeClaim; empty where only metrics remember it."""
    nodeclaim: str = ""
    expires: Timestamp | None = None
    deleted: bool = False
    """Whether its NodeClaim was being deleted, so that its death is counted."""
    overdue_since: Timestamp | None = None
    """Since when it should have been gone."""
    delay_reason: str = ""


class LastRun(_Kept, frozen=True, kw_only=True):
    """What was known when the last run ended."""

    taken_at: Timestamp
    cluster: str = ""
    evaluated: dict[str, Timestamp] = {}
    """When each rule was last evaluated, by slug."""
    nodes: tuple[KnownNode, ...] = ()
    counters: dict[str, tuple[Count, ...]] = {}
    """By the metric's name, without its prefix."""
    delays: dict[str, tuple[Delays, ...]] = {}
    counted: dict[str, Timestamp] | None = None
    """What was counted or stood when counting began, by its key, and when it was last there. None where only metrics remember: then
    their series are all that tells."""
    series_tell: bool = True
    """Where only metrics remember: whether they had a series for every object that was counted."""
    pruned: Timestamp | None = None
    """When series of what is gone were last looked through."""


class _File(_Kept, frozen=True):
    """A file with a memory in it."""

    schema: Literal["karpenter-check/state/v1"]
    last_run: LastRun


_SCHEMA: Literal["karpenter-check/state/v1"] = "karpenter-check/state/v1"


class _Any(msgspec.Struct):
    schema: str = ""


def encoded(last: LastRun) -> bytes:
    """The memory as JSON; the same memory gives the same bytes."""
    return msgspec.json.encode(_File(_SCHEMA, last), order="deterministic")


def decoded(data: bytes) -> LastRun:
    """The memory that `encoded` wrote. Raises NotUnderstood for anything else, what a later version wrote included."""
    try:
        schema = msgspec.json.decode(data, type=_Any).schema
        if schema != _SCHEMA:
            raise NotUnderstood(f"its schema is {schema!r}, not {_SCHEMA!r}" if schema else f"it does not say schema: {_SCHEMA}")
        return msgspec.json.decode(data, type=_File).last_run
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise NotUnderstood(str(error)) from error
