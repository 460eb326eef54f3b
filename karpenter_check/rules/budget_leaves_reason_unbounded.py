"""Budgets written as if they permitted disruption: they only restrict, so where none is active any number of nodes may go."""

import json
import shlex
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from karpenter_check.disruption.budget import UnreadableBudget, entries, value
from karpenter_check.disruption.candidate import DRIFTED, UNDERUTILIZED, never
from karpenter_check.disruption.openings import WEEK, Window, unlimited, windows
from karpenter_check.finding import Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity, verification
from karpenter_check.rule import rule
from karpenter_check.snapshot import Kind, NodePool, Snapshot
from karpenter_check.snapshot.counted import few

PERMITS, FORBIDS, NO_BUDGET = "hours-that-permit", "hours-that-forbid", "no-budget-for-reason"
_BOUNDABLE = (DRIFTED, UNDERUTILIZED)
"""Not Empty: that any number of empty nodes goes at once harms nobody."""
_MOST = 3


@dataclass(frozen=True)
class _Unbounded:
    """A reason, and when nothing limits it in the days to come."""

    reason: str
    when: tuple[Window, ...]

    @property
    def long(self) -> timedelta:
        """For how long, all in all."""
        return sum((window.end - window.start for window in self.when), timedelta())


@rule(severity=Severity.MEDIUM, needs={Kind.NODEPOOL}, since="0.1.0", of_manifests=True)
def budget_leaves_reason_unbounded(snapshot: Snapshot, *, minimum_nodes: int = 2, few_nodes: int = 5) -> Iterator[Finding]:
    """A NodePool has disruption budgets, and at some hours none of them limits how many nodes go at once."""
    for nodepool in snapshot.nodepools:
        nodes = len(snapshot.nodes_of_nodepool.get(nodepool.name, ())) if snapshot.whole(Kind.NODE) else None
        if nodepool.metadata.deletion_timestamp or not entries(nodepool) or (nodes is not None and nodes < minimum_nodes):
            continue
        by_cause: dict[str, list[_Unbounded]] = defaultdict(list)
        for reason in _BOUNDABLE:
            # how many nodes there are matters to the numbers, and not to whether there is one
            when = () if never(nodepool, reason) else unlimited(windows(nodepool, reason, 100, snapshot.taken_at))
            if when:
                by_cause[_cause(nodepool, reason)].append(_Unbounded(reason, when))
        for cause, found in by_cause.items():
            longest = sorted(found, key=lambda one: -one.long)
            yield _finding(snapshot, nodepool, cause, longest, nodes, few_nodes)


def _cause(nodepool: NodePool, reason: str) -> str:
    """What its authors seem to have meant. Hours in which some nodes may go say that else none should."""
    holding = [entry.budget for entry in entries(nodepool) if entry.covers(reason)]
    if not holding:
        return NO_BUDGET
    try:
        return PERMITS if any(value(budget, 100) > 0 for budget in holding) else FORBIDS
    except UnreadableBudget:  # of a budget that is not active in these days
        return FORBIDS


def _finding(
    snapshot: Snapshot, nodepool: NodePool, cause: str, found: Sequence[_Unbounded], nodes: int | None, few_nodes: int
) -> Finding:
    """One about the reasons of a NodePool that are unbounded alike, that for the longest time first."""
    ref, name, longest = Ref("NodePool", nodepool.name, "karpenter.sh/v1"), nodepool.name, found[0]
    reasons = " or ".join(one.reason for one in found)
    number = f"all {nodes} nodes" if nodes is not None else "all nodes"
    hours = (
        "at any hour"
        if cause == NO_BUDGET
        else f"outside of its budgets' hours, {_hours(longest.long)} of the next {_hours(WEEK)} hours"
    )
    severity = Severity.MEDIUM if cause == PERMITS else Severity.LOW
    return Finding(
        object=ref,
        owner=ref,
        nodepool=name,
        cause=cause,
        severity=severity.lowered(1) if nodes is not None and nodes < few_nodes else severity,
        message=f"{number} of {name} may go at once as {reasons} {hours}",
        why=_why(snapshot, nodepool, cause, longest),
        cost=f"a change of the image or of the NodePool may then replace {number} together" if found[0].reason == DRIFTED else "",
        impact=Impact(nodes=nodes),
        evidence=tuple(Evidence(ref, entry.path, entry.said) for entry in entries(nodepool)),
        occurrences=tuple(Occurrence(ref, nodepool.metadata.uid, reason=one.reason) for one in found),
        fix=tuple(_fixes(name, cause, [one.reason for one in found])),
    )


def _hours(span: timedelta) -> str:
    return f"{span / timedelta(hours=1):.3g}"


def _why(snapshot: Snapshot, nodepool: NodePool, cause: str, longest: _Unbounded) -> str:
    if cause == NO_BUDGET:
        others = few([entry.said for entry in entries(nodepool)], _MOST)
        return f"none of its budgets is for {longest.reason}: {others}; budgets that are written replace the default of 10 %"
    said = few([entry.said for entry in entries(nodepool) if entry.covers(longest.reason)], _MOST)
    first = longest.when[0]
    start = "now" if first.start <= snapshot.taken_at else f"{first.start:%a %Y-%m-%d %H:%MZ}"
    return f"a budget only restricts, and only while it is active: {said}; none is from {start} to {first.end:%a %Y-%m-%d %H:%MZ}"


def _fixes(nodepool: str, cause: str, reasons: Sequence[str]) -> Iterator[Fix]:
    add = [{"op": "add", "path": "/spec/disruption/budgets/-", "value": {"nodes": "10%", "reasons": list(reasons)}}]
    yield Fix(
        "fix",
        f"kubectl patch nodepool {shlex.quote(nodepool)} --type json -p {shlex.quote(json.dumps(add, separators=(',', ':')))}",
        text="10% at any hour, of the active budgets the smallest counts",
        risk="fewer nodes go at once at those hours",
    )
    if cause == PERMITS:
        text = 'to let none go at those hours, schedule them with nodes "0"; without a schedule it would close the other hours, too'
        yield Fix("or", text=text)
    yield verification("budget-leaves-reason-unbounded", nodepool=nodepool)
