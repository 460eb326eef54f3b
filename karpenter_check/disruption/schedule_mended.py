"""What a budget's schedule that Karpenter cannot read was surely meant to be."""

import re

from karpenter_check.disruption.schedule import Schedule, UnparsableSchedule
from karpenter_check.disruption.schedule_field import FIELDS, Bounds

_UTC = re.compile(r"(CRON_)?TZ=(UTC|Etc/UTC|GMT)")
_YEAR = re.compile(r"[*?]|[0-9]{4}")


def mended(text: str) -> str | None:
    """The same schedule as Karpenter can read it; None where it can already, and where more than one thing may be meant.

    Sunday as 7, ranges over the end such as `22-6`, a field of seconds or of years, UTC named as a time zone, a macro in capitals.
    """
    fields = text.split()
    if fields and _UTC.fullmatch(fields[0]):
        fields = fields[1:]
    if len(fields) == 1:
        fields = [fields[0].lower()]
    guesses = _without_the_sixth(fields) if len(fields) == len(FIELDS) + 1 else [fields]
    told = {guess for some in guesses if _readable(guess := " ".join(_mended_fields(some)))}
    return told.pop() if len(told) == 1 and not _readable(text) else None


def _readable(text: str) -> bool:
    try:
        Schedule.parse(text)
    except UnparsableSchedule:
        return False
    return True


def _without_the_sixth(fields: list[str]) -> list[list[str]]:
    """Without the seconds, as Quartz has them first, and without the years, which others have last: whichever it may be.

    Both count the days of the week from 1, Sunday, so that nothing is sure of a number there.
    """
    seconds = [fields[1:]] if fields[0] in {"0", "00"} else []
    years = [fields[:-1]] if _YEAR.fullmatch(fields[-1]) else []
    guesses = [guess for guess in seconds + years if _readable(" ".join(guess))]
    return [] if any(re.search("[0-9]", guess[-1]) for guess in guesses) else guesses


def _mended_fields(fields: list[str]) -> list[str]:
    if len(fields) != len(FIELDS):
        return fields
    return [",".join(_mended_part(part, bounds) for part in field.split(",")) for field, bounds in zip(fields, FIELDS, strict=True)]


def _mended_part(part: str, bounds: Bounds) -> str:
    """What stands between two commas; steps are left alone."""
    low, hyphen, high = part.partition("-")
    days = bounds.name == "day of week"
    if days and part == "7":
        return "0"
    if days and hyphen and high == "7":
        return "0-6" if low in {"0", "1"} else f"{low}-6,0"
    start, end = _value(low, bounds), _value(high, bounds)
    if start is not None and end is not None and end < start:
        return f"{low}-{bounds.highest},{bounds.lowest}-{high}"
    return part


def _value(text: str, bounds: Bounds) -> int | None:
    """A value of the field, or None."""
    number = bounds.words.get(text.lower(), int(text) if re.fullmatch("[0-9]{1,2}", text) else None)
    return number if number is not None and bounds.lowest <= number <= bounds.highest else None
