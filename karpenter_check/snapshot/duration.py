"""Go durations as the Karpenter API writes them: `720h`, `24h0m0s`, `Never`."""

import re
from datetime import datetime, timedelta
from functools import lru_cache

import durationpy

_GO = re.compile(
    r"[+-]?(0|([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))*)"
)
_LONGEST = timedelta(microseconds=(1 << 63) // 1000)
"""Go counts nanoseconds in 64 bits, which is 292 years."""


@lru_cache(maxsize=4096)
def duration(text: str) -> timedelta | None:
    """The duration, or None for `Never`, for nothing, and for text that Go's `time.ParseDuration` refuses.

    Karpenter decodes `Never` to nil (`apis/v1/duration.go:NillableDuration`); days, weeks and the like are no Go units.
    """
    if not text or text == "Never" or _GO.fullmatch(text) is None:
        return None
    try:
        parsed: timedelta = durationpy.from_str(text)
    except durationpy.DurationError:
        return None
    return parsed if abs(parsed) <= _LONGEST else None


def later(start: datetime | None, span: timedelta | None) -> datetime | None:
    """The moment so long after the start; None where either is missing, or where it lies beyond the calendar: that is never."""
    if start is None or span is None:
        return None
    try:
        return start + span
    except OverflowError:
        return None


def spoken(span: timedelta) -> str:
    """A span as an engineer says it, with its two largest units: `45s`, `15m11s`, `17h4m`, `30d`."""
    seconds = int(abs(span).total_seconds())
    units = [("d", seconds // 86400), ("h", seconds // 3600 % 24), ("m", seconds // 60 % 60), ("s", seconds % 60)]
    first = next((place for place, (_, amount) in enumerate(units) if amount), 3)
    return "".join(f"{amount}{unit}" for unit, amount in units[first : first + 2] if amount) or "0s"
