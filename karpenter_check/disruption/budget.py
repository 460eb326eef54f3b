"""One disruption budget: when it is active, and how many nodes it then lets go.

Sources: `apis/v1/nodepool.go` (`Budget.IsActive`, `Budget.GetAllowedDisruptions`; the same in 1.0 to 1.15).
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from karpenter_check.disruption.schedule import Schedule, UnparsableSchedule
from karpenter_check.snapshot import NodePool
from karpenter_check.snapshot.clip import clip
from karpenter_check.snapshot.duration import duration
from karpenter_check.snapshot.nodepool import Budget

_LONGEST_SCHEDULE = 60
_SOON = 60
"""Hits: more than an hour's, where there is one every minute."""
_INTEGER = re.compile(r"[+-]?[0-9]{1,19}")


class UnreadableBudget(ValueError):
    """Why Karpenter cannot read a budget: which field, and what is wrong with it."""


@dataclass(frozen=True)
class Entry:
    """A budget, and its place in `spec.disruption.budgets`, from 0."""

    index: int
    budget: Budget

    @property
    def path(self) -> str:
        """Where it stands in the NodePool."""
        return f"spec.disruption.budgets[{self.index}]"

    @property
    def said(self) -> str:
        """The budget in words: `budgets[0] (nodes 10%, 0 9 * * 1-5 UTC for 8h)`."""
        budget = self.budget
        when = f", {clip(budget.schedule, _LONGEST_SCHEDULE)} UTC for {budget.duration}" if budget.schedule else ""
        return f"budgets[{self.index}] (nodes {budget.nodes}{when})"

    def covers(self, reason: str) -> bool:
        """Whether it holds for a reason: without reasons for every one, with an empty list of them for none."""
        return self.budget.reasons is None or reason in self.budget.reasons


def entries(nodepool: NodePool) -> tuple[Entry, ...]:
    """The budgets of a NodePool with their places."""
    return tuple(Entry(index, budget) for index, budget in enumerate(nodepool.spec.disruption.budgets))


def schedule_of(budget: Budget) -> tuple[Schedule, timedelta] | None:
    """When a budget begins to be active, and for how long each time; None for one that always is. Raises UnreadableBudget.

    The API refuses one without the other, and an empty schedule, which is taken for none here. A duration of 0 is never active.
    """
    if not budget.schedule and not budget.duration:
        return None
    try:
        schedule = Schedule.parse(budget.schedule)
    except UnparsableSchedule as error:
        raise UnreadableBudget(f'schedule "{budget.schedule}": {error}') from error
    lasts = duration(budget.duration) if budget.duration else timedelta()
    if lasts is None:
        raise UnreadableBudget(f'duration "{budget.duration}" is no duration of hours and minutes')
    return schedule, lasts


def is_active(budget: Budget, at: datetime) -> bool:
    """Whether a budget is active: within its duration of a hit, the end not included. Raises UnreadableBudget.

    A schedule whose date never comes makes it active always: Go's zero time is not after now.
    """
    scheduled = schedule_of(budget)
    if scheduled is None:
        return True
    schedule, lasts = scheduled
    hit = schedule.next_after(at - lasts)
    return hit is None or hit <= at


def is_always_active(budget: Budget, at: datetime) -> bool:
    """Whether a budget is active at every hour from a moment on, by its schedule or without one. Raises UnreadableBudget.

    So is one whose date never comes, and one whose duration is not over before the next hit.
    """
    scheduled = schedule_of(budget)
    if scheduled is None:
        return True
    schedule, lasts = scheduled
    if _closes_soon(schedule, lasts, at - lasts):
        return False
    gap = schedule.longest_gap(at - lasts)
    return gap is None or gap <= lasts


def _closes_soon(schedule: Schedule, lasts: timedelta, start: datetime) -> bool:
    """Whether one of the next windows closes before the hit after it: most do, and years need not be looked at then."""
    hit = schedule.next_after(start)
    for _ in range(_SOON):
        following = schedule.next_after(hit) if hit else None
        if hit is None or following is None:
            return False
        if following - hit > lasts:
            return True
        hit = following
    return False


def value(budget: Budget, nodes: int) -> int:
    """What an active budget allows of so many nodes, a percentage rounded up. Raises UnreadableBudget.

    Karpenter keeps a number in 32 bits (apimachinery's `intstr.FromInt`), so that 4294967296, which the API takes, is 0.
    """
    number = budget.nodes.removesuffix("%")
    if not _INTEGER.fullmatch(number) or not -(1 << 63) <= int(number) < 1 << 63:
        raise UnreadableBudget(f'nodes "{budget.nodes}" is neither a number nor a percentage')
    if budget.nodes.endswith("%"):
        return -(-nodes * int(number) // 100)
    return (int(number) + (1 << 31)) % (1 << 32) - (1 << 31)
