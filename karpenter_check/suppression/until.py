"""Until when an ignore holds."""

import re
from datetime import UTC, datetime, timedelta

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def parse_until(text: str) -> datetime:
    """When an ignore ends: a time as RFC 3339 writes it, or a date, whose day (UTC) it still holds. Raises ValueError."""
    try:
        moment = datetime.fromisoformat(text)
        if _DATE.fullmatch(text):
            return moment.replace(tzinfo=UTC) + timedelta(days=1)
    except (ValueError, OverflowError):
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ValueError(f"{text!r} is neither a date (2026-12-31) nor a time with its zone (2026-12-31T18:00:00Z)")
    return moment.astimezone(UTC)
