"""How many nodes a NodePool's disruption budgets let go together, for a reason, at a moment.

Sources: `apis/v1/nodepool.go` (`GetAllowedDisruptionsByReason`, `MustGetAllowedDisruptions`; the same in 1.0 to 1.15). Budgets hold
graceful disruption alone: no expiry, interruption or repair (to 1.14), and no deletion by hand.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from karpenter_check.disruption.budget import Entry, UnreadableBudget, entries, is_active, schedule_of, value
from karpenter_check.snapshot import NodePool
from karpenter_check.snapshot.nodepool import Budget


@dataclass(frozen=True)
class Unreadable:
    """A budget that Karpenter cannot read, and why. It then lets no node of the NodePool go, for any reason, and only logs that."""

    entry: Entry
    why: str


@dataclass(frozen=True)
class Allowance:
    """How many nodes of a NodePool may be on their way out at once."""

    allowed: int | None
    """None is unlimited: no budget that holds for the reason is active (Karpenter's own number is then 2147483647)."""
    deciding: tuple[Entry, ...] = ()
    """The budgets that set this number: the smallest ones, or else those that cannot be read."""
    unreadable: tuple[Unreadable, ...] = ()
    """Not empty where a budget cannot be read, of whatever reasons; nothing is allowed then."""


def together(active: Iterable[Entry], reason: str, nodes: int, unreadable: Iterable[Unreadable] = ()) -> Allowance:
    """What budgets that are active allow together: the smallest value of those that hold for the reason.

    One whose nodes cannot be read lets nothing go, as one whose schedule cannot be read does (given as `unreadable`).
    """
    broken = list(unreadable)
    values: list[tuple[int, Entry]] = []
    for entry in active:
        try:
            allows = max(0, value(entry.budget, nodes))
        except UnreadableBudget as error:
            broken.append(Unreadable(entry, str(error)))
            continue
        if entry.covers(reason):
            values.append((allows, entry))
    if broken:
        broken.sort(key=lambda one: one.entry.index)
        return Allowance(0, tuple(one.entry for one in broken), tuple(broken))
    if not values:
        return Allowance(None)
    smallest = min(allows for allows, _ in values)
    return Allowance(smallest, tuple(entry for allows, entry in values if allows == smallest))


def allowance(nodepool: NodePool, reason: str, nodes: int, at: datetime) -> Allowance:
    """What a NodePool's budgets allow for a reason at a moment, of so many nodes."""
    active, broken = [], []
    for entry in entries(nodepool):
        try:
            if is_active(entry.budget, at):
                active.append(entry)
        except UnreadableBudget as error:
            broken.append(Unreadable(entry, str(error)))
    return together(active, reason, nodes, broken)


def _is_number(budget: Budget) -> bool:
    try:
        value(budget, 0)
    except UnreadableBudget:
        return False
    return True


def allowed_at_a_time(nodepool: NodePool, reason: str, nodes: int) -> int | None:
    """The nodes that may be disrupted at once for a reason, of `nodes`, at any hour; None where the hour decides it."""
    active, broken = [], []
    for entry in entries(nodepool):
        try:
            scheduled = schedule_of(entry.budget)
        except UnreadableBudget as error:
            broken.append(Unreadable(entry, str(error)))
            continue
        if scheduled is None:
            active.append(entry)
        elif entry.covers(reason) or not _is_number(entry.budget):
            return None
    allowed = together(active, reason, nodes, broken).allowed
    return nodes if allowed is None else min(nodes, allowed)
