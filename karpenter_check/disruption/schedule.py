"""When a budget's schedule hits, as Karpenter reads it: in UTC, by the grammar of github.com/robfig/cron v3.0.1.

`apis/v1/nodepool.go:IsActive` (1.0 to 1.15) parses `TZ=UTC ` and the schedule with `ParseStandard`, so a time zone of its own is not
understood. Sources: `parser.go`, `spec.go:Next` and `constantdelay.go` of that library.
"""

import re
from bisect import bisect_left
from calendar import monthrange
from dataclasses import dataclass
from datetime import MAXYEAR, UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise

from karpenter_check.disruption.schedule_field import FIELDS, field_values
from karpenter_check.snapshot.duration import duration

_ADMITTED = re.compile(
    r"\A(@(annually|yearly|monthly|weekly|daily|midnight|hourly))|((.+)[ \t\n\f\r](.+)[ \t\n\f\r](.+)[ \t\n\f\r](.+)[ \t\n\f\r](.+))\Z"
)
_SPACE = " \t\n\v\f\r\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
"""What Go's `unicode.IsSpace` calls space."""
_EDGES, _GAPS = re.compile(rf"\A[{_SPACE}]+|[{_SPACE}]+\Z"), re.compile(rf"[{_SPACE}]+")
_MACROS = {
    "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}  # fmt: skip
_YEARS = 5
"""A hit is looked for to the end of the fifth year after."""
_LEAP_YEARS = timedelta(days=8 * 366)


class UnparsableSchedule(ValueError):
    """Why Karpenter cannot read a schedule: which field, and what is wrong with it."""


def admitted(text: str) -> bool:
    """Whether the NodePool's CRD lets the schedule in. Its pattern lets much in that does not parse, such as a day of the week 7."""
    return _ADMITTED.search(text) is not None


@dataclass(frozen=True)
class Schedule:
    """The moments at which a schedule hits, at whole minutes UTC."""

    minutes: tuple[int, ...] = ()
    hours: tuple[int, ...] = ()
    days_of_month: tuple[int, ...] = ()
    months: tuple[int, ...] = ()
    days_of_week: tuple[int, ...] = ()
    """From 0, Sunday."""
    both_days: bool = True
    """Whether the day must suit both fields of days, as where either has a star; else one is enough."""
    every: timedelta | None = None
    """Of `@every`: so long after whenever is asked, which no budget has use for."""

    @staticmethod
    @lru_cache(maxsize=4096)
    def parse(text: str) -> "Schedule":
        """The schedule of a budget. Raises UnparsableSchedule."""
        trimmed = _EDGES.sub("", text)
        if trimmed.startswith("@every "):
            every = duration(trimmed.removeprefix("@every "))
            if every is None:
                raise UnparsableSchedule(f'"{trimmed}" names no duration')
            return Schedule(every=timedelta(seconds=max(1, every // timedelta(seconds=1))))
        if trimmed.startswith("@") and trimmed not in _MACROS:
            raise UnparsableSchedule(f'"{trimmed}" is not one of {", ".join(sorted(_MACROS))}')
        fields = _GAPS.split(_MACROS.get(trimmed, trimmed)) if trimmed else []
        if fields and fields[0].startswith(("TZ=", "CRON_TZ=")):
            raise UnparsableSchedule(f'"{fields[0]}": a schedule cannot name its time zone, it is always UTC')
        if len(fields) != len(FIELDS):
            raise UnparsableSchedule(f"it has {len(fields)} field{'s' * (len(fields) != 1)}, not {len(FIELDS)}")
        try:
            (minutes, _), (hours, _), (days, star), (months, _), (weekdays, other_star) = map(field_values, fields, FIELDS)
        except ValueError as error:
            raise UnparsableSchedule(str(error)) from error
        return Schedule(minutes, hours, days, months, weekdays, star or other_star)

    def next_after(self, moment: datetime) -> datetime | None:
        """The first hit after a moment, or None if the date that it asks for does not come within five years.

        Takes a moment with a time zone and answers in UTC.
        """
        moment = moment.astimezone(UTC)
        if self.every is not None:
            return moment.replace(microsecond=0) + self.every
        if not (self.hours and self.minutes) or moment.year == MAXYEAR:
            return None
        # the limit counts from the coming second, the hit is at the coming minute
        last_year = (moment + timedelta(seconds=1)).year + _YEARS
        start = moment.replace(second=0, microsecond=0) + timedelta(minutes=1)
        for year in range(start.year, min(last_year, MAXYEAR) + 1):
            for month in self.months:
                if (year, month) >= (start.year, start.month) and (found := self._within(year, month, start)):
                    return found
        return None

    def longest_gap(self, start: datetime) -> timedelta | None:
        """The longest time without a hit in the eight years from a moment, leap years and all; None where there is no hit at all."""
        if self.every is not None:
            return self.every
        hit = self.next_after(start)
        if hit is None:
            return None
        times = [60 * hour + minute for hour in self.hours for minute in self.minutes]
        longest = max((timedelta(minutes=later - earlier) for earlier, later in pairwise(times)), default=timedelta())
        # every day with hits has the same ones, so all that can be longer lies between two such days
        while hit is not None and hit < start + _LEAP_YEARS:
            last = hit.replace(hour=self.hours[-1], minute=self.minutes[-1])
            hit = self.next_after(last)
            longest = max(longest, hit - last if hit else longest)
        return longest

    def _within(self, year: int, month: int, start: datetime) -> datetime | None:
        """The first hit of a month that is not before the start."""
        first_weekday, length = monthrange(year, month)
        this_month = (year, month) == (start.year, start.month)
        for day in range(start.day if this_month else 1, length + 1):
            in_month, in_week = day in self.days_of_month, (first_weekday + day) % 7 in self.days_of_week
            if not (in_month and in_week if self.both_days else in_month or in_week):
                continue
            today = this_month and day == start.day
            if time := self._time_from(start.hour, start.minute) if today else (self.hours[0], self.minutes[0]):
                return datetime(year, month, day, *time, tzinfo=UTC)
        return None

    def _time_from(self, hour: int, minute: int) -> tuple[int, int] | None:
        """The first hour and minute of a day that are not before these."""
        if hour in self.hours and minute <= self.minutes[-1]:
            return hour, self.minutes[bisect_left(self.minutes, minute)]
        later = bisect_left(self.hours, hour + 1)
        return (self.hours[later], self.minutes[0]) if later < len(self.hours) else None
