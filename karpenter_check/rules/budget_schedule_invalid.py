"""Budgets whose schedule, duration or nodes Karpenter cannot read, and schedules that do not do what schedules are for."""

import json
import shlex
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from karpenter_check.disruption.budget import Entry, UnreadableBudget, entries, is_always_active, schedule_of, value
from karpenter_check.disruption.candidate import DRIFTED, EMPTY, UNDERUTILIZED
from karpenter_check.disruption.schedule_mended import mended
from karpenter_check.finding import Evidence, Finding, Fix, Impact, Ref, Severity, clip, verification
from karpenter_check.rule import Stage, rule
from karpenter_check.snapshot import Kind, NodePool, Snapshot
from karpenter_check.snapshot.duration import spoken

UNREADABLE, NO_SUCH_DATE, NEVER_CLOSES, NEVER_OPENS = "unreadable", "no-such-date", "never-closes", "never-opens"
_IS = {
    UNREADABLE: "cannot be read by Karpenter, which then lets no node go",
    NO_SUCH_DATE: "is active at every hour: its date never comes",
    NEVER_CLOSES: "is active at every hour: its window never closes",
    NEVER_OPENS: "is never active",
}
_AS_KARPENTER_READS = {
    "schedule": "write five fields, minute hour day-of-month month day-of-week, with Sunday as 0, in UTC",
    "duration": "write the duration in hours and minutes, such as 8h30m",
    "nodes": "write a number of nodes, or a percentage",
}
"""By the field that an `UnreadableBudget` names."""
_LONGEST = 200
"""Characters of a value that somebody wrote."""


@dataclass(frozen=True)
class _Wrong:
    """A budget, and what is wrong with it."""

    entry: Entry
    why: str
    forbids: bool = True
    """Whether it lets no node go while it is active."""


@rule(severity=Severity.HIGH, needs={Kind.NODEPOOL}, since="0.1.0", stage=Stage.BLOCKER, judges_ages=False, of_manifests=True)
def budget_schedule_invalid(snapshot: Snapshot) -> Iterator[Finding]:
    """A disruption budget cannot be read by Karpenter, or is always or never active though it has a schedule."""
    for nodepool in snapshot.nodepools:
        if nodepool.metadata.deletion_timestamp:
            continue
        by_cause: dict[str, list[_Wrong]] = defaultdict(list)
        for entry in entries(nodepool):
            if judged := _judged(snapshot, entry):
                cause, wrong = judged
                if snapshot.of_manifests and (cause == UNREADABLE or not entry.budget.duration):
                    continue  # manifest-invalid tells it, with its line
                by_cause[cause].append(wrong)
        for cause, found in by_cause.items():
            yield _finding(snapshot, nodepool, cause, sorted(found, key=lambda one: not one.forbids))


def _judged(snapshot: Snapshot, entry: Entry) -> tuple[str, _Wrong] | None:
    """What is wrong with a budget. Of the time only the century matters: 2100 has no 29th of February."""
    budget = entry.budget
    try:
        scheduled, forbids = schedule_of(budget), value(budget, 100) <= 0
    except UnreadableBudget as error:
        return UNREADABLE, _Wrong(entry, clip(str(error), _LONGEST))
    if scheduled is None:
        return None
    schedule, lasts = scheduled
    written = f'schedule "{clip(budget.schedule, _LONGEST)}"'
    if schedule.next_after(snapshot.taken_at) is None:
        why = f"{written} names a date that does not come; Karpenter takes that for active"
        return NO_SUCH_DATE, _Wrong(entry, why, forbids)
    if is_always_active(budget, snapshot.taken_at):
        gap = schedule.longest_gap(snapshot.taken_at) or timedelta()
        why = f"{written} comes again after {spoken(gap)} at the latest, and lasts {budget.duration} each time"
        return NEVER_CLOSES, _Wrong(entry, why, forbids)
    if not lasts or schedule.every is not None:
        return NEVER_OPENS, _Wrong(entry, f'{written} has the duration "{budget.duration}"', forbids)
    return None


def _severity(cause: str, wrong: Sequence[_Wrong]) -> Severity | None:
    """By what it does: all disruption off; a 0 that holds always or never; a limit that holds at other hours than was meant."""
    if cause == UNREADABLE:
        return None
    return Severity.MEDIUM if any(one.forbids for one in wrong) else Severity.LOW


def _finding(snapshot: Snapshot, nodepool: NodePool, cause: str, wrong: Sequence[_Wrong]) -> Finding:
    """One about the budgets of a NodePool that have the same thing wrong, those that forbid first."""
    ref, first = Ref("NodePool", nodepool.name, "karpenter.sh/v1"), wrong[0]
    more = f", and so {'is' if len(wrong) == 2 else 'are'} {len(wrong) - 1} more" if len(wrong) > 1 and cause != UNREADABLE else ""
    return Finding(
        object=ref,
        owner=ref,
        nodepool=nodepool.name,
        cause=cause,
        severity=_severity(cause, wrong),
        message=f"budgets[{first.entry.index}] of {nodepool.name} {_IS[cause]}{more}",
        why="; ".join(one.why for one in wrong[:3]) + (f"; and {len(wrong) - 3} more" if len(wrong) > 3 else ""),
        cost=_cost(cause, first),
        impact=Impact(nodes=len(snapshot.nodes_of_nodepool.get(nodepool.name, ())) if snapshot.whole(Kind.NODE) else None),
        evidence=tuple(evidence for one in wrong for evidence in _evidence(ref, one.entry)),
        fix=(*_fixes(nodepool.name, cause, wrong), verification("budget-schedule-invalid", nodepool=nodepool.name)),
    )


def _cost(cause: str, first: _Wrong) -> str:
    if cause == UNREADABLE:
        return "no node goes as Drifted, Empty or Underutilized, and only Karpenter's log says why; expiry and interruptions still take nodes"
    said = " or ".join(reason for reason in (DRIFTED, EMPTY, UNDERUTILIZED) if first.entry.covers(reason)) or "no reason at all"
    nodes = first.entry.budget.nodes
    if cause == NEVER_OPENS:
        return f"nodes {nodes} never holds for {said}"
    return f"nodes {nodes} holds at every hour for {said}" + (": no node goes so" if first.forbids else "")


def _evidence(ref: Ref, entry: Entry) -> Iterator[Evidence]:
    written = (("nodes", entry.budget.nodes), ("schedule", entry.budget.schedule), ("duration", entry.budget.duration))
    yield from (Evidence(ref, f"{entry.path}.{name}", clip(text, _LONGEST)) for name, text in written if text)


def _fixes(nodepool: str, cause: str, wrong: Sequence[_Wrong]) -> Iterator[Fix]:
    """The mended schedules, where nothing else can have been meant; else what to write."""
    quoted, more = shlex.quote(nodepool), "what is kept now then goes, as many nodes at once as the budgets let go"
    guesses = {one.entry.index: mended(one.entry.budget.schedule) for one in wrong} if cause == UNREADABLE else {}
    patches = [
        {"op": "replace", "path": f"/spec/disruption/budgets/{index}/schedule", "value": guess}
        for index, guess in guesses.items()
        if guess
    ]
    if patches:
        yield Fix(
            "fix",
            f"kubectl patch nodepool {quoted} --type json -p {shlex.quote(json.dumps(patches, separators=(',', ':')))}",
            risk=more,
        )
    if len(patches) == len(wrong):
        return
    field = next(one.why for one in wrong if not guesses.get(one.entry.index)).partition(" ")[0]
    text = {
        UNREADABLE: _AS_KARPENTER_READS[field],
        NO_SUCH_DATE: "write a date that comes, or take the budget away",
        NEVER_CLOSES: "make the duration shorter than the time between two hits, or leave schedule and duration out if that is meant",
        NEVER_OPENS: "give it a duration, or take the budget away",
    }[cause]
    yield Fix("fix", f"kubectl edit nodepool {quoted}", text, risk="" if cause == NEVER_OPENS else more)
