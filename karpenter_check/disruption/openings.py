"""What a NodePool's disruption budgets allow in the days to come."""

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from karpenter_check.disruption.budget import Entry, UnreadableBudget, entries, is_active, schedule_of
from karpenter_check.disruption.budgets import Allowance, Unreadable, together
from karpenter_check.disruption.schedule import Schedule
from karpenter_check.snapshot import NodePool
from karpenter_check.snapshot.nodepool import Budget

WEEK = timedelta(days=7)
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Window:
    """A time, its end not included, in which the budgets allow one number of nodes at once."""

    start: datetime
    end: datetime
    allowed: int | None
    """None is unlimited: no budget that holds for the reason is active."""
    deciding: tuple[Entry, ...] = ()
    """The budgets that set the number, all the time or some of it."""

    @property
    def opens(self) -> bool:
        """Whether any node may go."""
        return self.allowed is None or self.allowed > 0


def _last_hit(schedule: Schedule, first: datetime, until: datetime) -> datetime:
    """The last hit not after a moment, of which `first` is one; found by halving, as there may be one every minute of years."""
    last, beyond = first, until
    while beyond - last >= _MINUTE:
        middle = last + (beyond - last) / 2
        hit = schedule.next_after(middle)
        if hit is not None and hit <= beyond:
            last = hit
        else:
            beyond = middle
    return last


def active_spans(budget: Budget, start: datetime, end: datetime) -> tuple[tuple[datetime, datetime], ...]:
    """When a budget is active between two moments: spans that do not touch. Raises UnreadableBudget.

    At most one step for every minute in between.
    """
    scheduled = schedule_of(budget)
    if scheduled is None:
        return ((start, end),)
    schedule, lasts = scheduled
    hit = schedule.next_after(start - lasts)
    if hit is None or schedule.every is not None:
        return ((start, end),) if is_active(budget, start) else ()
    if lasts <= timedelta():
        return ()
    spans = [(start, _last_hit(schedule, hit, start) + lasts)] if hit <= start else []
    hit = schedule.next_after(start)
    while hit is not None and hit < end and not (spans and spans[-1][1] >= end):
        if spans and hit <= spans[-1][1]:
            spans[-1] = (spans[-1][0], hit + lasts)
        else:
            spans.append((hit, hit + lasts))
        hit = schedule.next_after(hit)
    return tuple((opens, min(closes, end)) for opens, closes in spans)


def windows(nodepool: NodePool, reason: str, nodes: int, start: datetime, span: timedelta = WEEK) -> tuple[Window, ...]:
    """What the budgets allow for a reason, of so many nodes, from a moment on: windows without gaps, each unlike its neighbours.

    At most two for every minute, as budgets last for whole minutes.
    """
    end = start + span
    changes: dict[datetime, list[Entry]] = defaultdict(list)
    unreadable = []
    for entry in entries(nodepool):
        try:
            for moments in active_spans(entry.budget, start, end):
                for moment in moments:
                    changes[moment].append(entry)
        except UnreadableBudget as error:
            unreadable.append(Unreadable(entry, str(error)))
    changes.setdefault(start, [])
    active: frozenset[int] = frozenset()
    known: dict[frozenset[int], Allowance] = {}
    found: list[Window] = []
    turns = [moment for moment in sorted(changes) if moment < end]
    for moment, until in zip(turns, [*turns[1:], end][: len(turns)], strict=True):  # of no time at all there is no window
        active ^= {entry.index for entry in changes[moment]}
        if active not in known:
            known[active] = together((entry for entry in entries(nodepool) if entry.index in active), reason, nodes, unreadable)
        allows = known[active]
        if found and found[-1].allowed == allows.allowed:
            either = {entry.index: entry for entry in (*found[-1].deciding, *allows.deciding)}
            found[-1] = replace(found[-1], end=until, deciding=tuple(either[index] for index in sorted(either)))
        else:
            found.append(Window(moment, until, allows.allowed, allows.deciding))
    return tuple(found)


def next_opening(ahead: tuple[Window, ...]) -> datetime | None:
    """When a node may go next, which is the first window's start if one may now; None if not within these windows."""
    return next((window.start for window in ahead if window.opens), None)


def unlimited(ahead: tuple[Window, ...]) -> tuple[Window, ...]:
    """The windows in which nothing limits how many nodes go at once."""
    return tuple(window for window in ahead if window.allowed is None)
