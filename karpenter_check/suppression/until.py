"""Until when an ignore holds."""

import re
from datetime import UTC, datetime, timedelta

from karpenter_check.snapshot.clip import clip

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(_DATE.pattern + r"[Tt][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?([Zz]|[+-][0-9]{2}:[0-9]{2})")
_LATEST, _EARLIEST = datetime.max.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC)


def parse_until(text: str) -> datetime:
    """When an ignore ends: a time as RFC 3339 writes it, or a date, whose day (UTC) it still holds. Raises ValueError.

    What lies beyond the years that there are, as the end of 9999-12-31, is their end.
    """
    try:
        if _DATE.fullmatch(text):
            day = datetime.fromisoformat(text).replace(tzinfo=UTC)
            return day + timedelta(days=1) if day.date() < _LATEST.date() else _LATEST
        moment = datetime.fromisoformat(text.upper()) if _TIME.fullmatch(text) else None
    except ValueError:
        moment = None
    if moment is None:
        raise ValueError(f"{clip(text, 40)!r} is neither a date (2026-12-31) nor a time with its zone (2026-12-31T18:00:00Z)")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        return _EARLIEST if moment.year == _EARLIEST.year else _LATEST
