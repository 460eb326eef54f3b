"""What budgets allow in the week to come, in few words: hours that come again are told once."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo
from itertools import groupby

from karpenter_check.disruption.openings import Window

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_DAY = timedelta(days=1)
_MOST_SPANS = 3
"""Of a day."""
_MOST_SORTS = 2
"""Sorts of days, by their hours."""
_MOST_WINDOWS = 4


def allowed_in_words(allowed: int | None) -> str:
    """The number, or that there is none."""
    return "any" if allowed is None else str(allowed)


def at(moment: datetime, zone: tzinfo | None = None) -> str:
    """A moment in UTC, and in local time where that differs; without a zone, the terminal's."""
    local = moment.astimezone(zone)
    text = f"{moment:%a %Y-%m-%d %H:%M}Z"
    if not local.utcoffset():
        return text
    return f"{text} ({_DAYS[local.weekday()] + ' ' if local.date() != moment.date() else ''}{local:%H:%M} {local.tzname()})"


def week_in_words(around: Sequence[Window], ahead: Sequence[Window], zone: tzinfo | None = None) -> str:
    """What the windows ahead allow; `around` are the same ones with those before and after, so that none of interest is cut."""
    if len(ahead) == 1:
        return f"{allowed_in_words(ahead[0].allowed)} throughout"
    start, end = ahead[0].start, ahead[-1].end
    lengths: dict[int | None, timedelta] = defaultdict(timedelta)
    for window in ahead:
        lengths[window.allowed] += window.end - window.start
    base = max(lengths, key=lambda allowed: lengths[allowed])
    told = []
    for allowed in sorted(set(lengths) - {base}, key=lambda number: (number is None, number)):
        of_it = [window for window in around if window.allowed == allowed and window.end > start and window.start < end]
        cut = any(window.start == around[0].start or window.end == around[-1].end for window in of_it)
        hours = None if cut else _hours(of_it, zone)
        if hours is None:
            return _listed(ahead, zone)
        told.append(f"{hours}: {allowed_in_words(allowed)}")
    return "; ".join(told) + f"; else {allowed_in_words(base)}"


def _hours(windows: Sequence[Window], zone: tzinfo | None) -> str | None:
    """When they are, in UTC and in local time; None where that takes too many words."""
    if len(windows) == 1:
        (only,) = windows
        return _from_to(only.start, only.end, zone)
    spans = [(window.start, window.end) for window in windows]
    local = [(start.astimezone(zone), end.astimezone(zone)) for start, end in spans]
    offsets = {moment.utcoffset() for span in local for moment in span}
    hours, there = _weekly(spans), _weekly(local)
    if hours is None:
        return None
    text = _joined(hours, "Z")
    crowded = any(len(of_day) > _MOST_SPANS for _, of_day in hours)
    if crowded or offsets == {timedelta()}:
        return text
    if len(offsets) > 1:
        return f"{text} (local clocks change in that time)"
    if there is None:
        return text
    same_days = [days for days, _ in hours] == [days for days, _ in there]
    shown = [("", of_day) for _, of_day in there] if same_days else there
    return f"{text} ({_joined(shown, f' {local[0][0].tzname()}')})"


def _weekly(spans: Sequence[tuple[datetime, datetime]]) -> list[tuple[str, tuple[str, ...]]] | None:
    """Days, such as `Mon-Fri`, and their hours, such as `09:00-17:00`; None where there are too many sorts of days."""
    of_day: dict[int, set[str]] = defaultdict(set)
    for start, end in spans:
        day = f"{_DAYS[end.weekday()]} " if end - start > _DAY else ""
        of_day[start.weekday()].add(f"{start:%H:%M}-{day}{end:%H:%M}")
    by_hours: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for weekday in sorted(of_day):
        by_hours[tuple(sorted(of_day[weekday]))].append(weekday)
    return [(_days(days), hours) for hours, days in by_hours.items()] if len(by_hours) <= _MOST_SORTS else None


def _joined(weekly: Sequence[tuple[str, tuple[str, ...]]], zone: str) -> str:
    texts = []
    for days, hours in weekly:
        more = f" and {len(hours) - _MOST_SPANS} more a day" if len(hours) > _MOST_SPANS else ""
        texts.append(f"{days} {', '.join(hours[:_MOST_SPANS])}{zone}{more}".strip())
    return ", ".join(texts)


def _days(days: Sequence[int]) -> str:
    """`Mon-Fri`, `Mon, Wed`, `daily`."""
    if len(days) == len(_DAYS):
        return "daily"
    runs = [[day for _, day in run] for _, run in groupby(enumerate(days), key=lambda entry: entry[1] - entry[0])]
    return "/".join(_DAYS[run[0]] + (f"-{_DAYS[run[-1]]}" if len(run) > 1 else "") for run in runs)


def _from_to(start: datetime, end: datetime, zone: tzinfo | None) -> str:
    return f"{at(start, zone)} to {at(end, zone)}"


def _listed(ahead: Sequence[Window], zone: tzinfo | None) -> str:
    """The next windows one by one."""
    texts = [f"until {at(window.end, zone)} {allowed_in_words(window.allowed)}" for window in ahead[:_MOST_WINDOWS]]
    more = len(ahead) - _MOST_WINDOWS
    return "; ".join(texts) + (f"; and {more} more windows" if more > 0 else "")
