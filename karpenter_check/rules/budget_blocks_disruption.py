"""Nodes that should go and that the budgets of their NodePool keep: nothing of it may go now."""

import json
import shlex
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import timedelta

from karpenter_check.disruption.budget_blocker import budget_answer
from karpenter_check.disruption.candidate import DRIFTED, UNDERUTILIZED
from karpenter_check.disruption.waiting import CLOSED, NOT_READY, REASON_OF, Shut, Waiting, shut_for, waiting_for
from karpenter_check.finding import (
    Confidence,
    Evidence,
    Finding,
    Fix,
    Impact,
    Occurrence,
    Ref,
    Severity,
    clip,
    verification,
)
from karpenter_check.rule import Stage, rule
from karpenter_check.snapshot import Kind, NodePool, Snapshot
from karpenter_check.snapshot.counted import few, plural
from karpenter_check.snapshot.duration import spoken
from karpenter_check.snapshot.moments import at_and_distance


@rule(severity=Severity.MEDIUM, needs={Kind.NODEPOOL, Kind.NODE, Kind.NODECLAIM, Kind.POD}, since="0.1.0", stage=Stage.BLOCKER)
def budget_blocks_disruption(
    snapshot: Snapshot,
    *,
    warn_after: timedelta = timedelta(minutes=5),
    fail_after: timedelta = timedelta(hours=1),
    drifted_after: timedelta = timedelta(hours=24),
    opens_within: timedelta = timedelta(hours=24),
) -> Iterator[Finding]:
    """Nodes that should go are kept by the disruption budgets of their NodePool."""
    for nodepool in snapshot.nodepools:
        shut = {reason: one for reason in REASON_OF.values() if (one := shut_for(snapshot, nodepool, reason))}
        if not shut or nodepool.metadata.deletion_timestamp:
            continue
        by_cause: dict[str, list[Waiting]] = defaultdict(list)
        for node in snapshot.nodes_of_nodepool.get(nodepool.name, ()):
            kept = waiting_for(snapshot, node, shut)
            if kept and snapshot.taken_at - kept.since >= warn_after:
                by_cause[shut[kept.reason].cause].append(kept)
        for cause, found in by_cause.items():
            sure = [one for one in found if one.reason != UNDERUTILIZED] or found
            by_reason: dict[str, list[Waiting]] = defaultdict(list)
            for waiting in sorted(sure, key=lambda one: (one.since, one.node.name)):
                by_reason[waiting.reason].append(waiting)
            severities = {
                reason: _severity(snapshot, shut[reason], ones, fail_after, drifted_after, opens_within)
                for reason, ones in by_reason.items()
            }
            worst_first = sorted(by_reason, key=lambda reason: severities[reason].rank)
            waits = [waiting for reason in worst_first for waiting in by_reason[reason]]
            yield _finding(snapshot, nodepool, cause, shut[worst_first[0]], waits, severities[worst_first[0]])


def _severity(
    snapshot: Snapshot,
    by: Shut,
    waiting: Sequence[Waiting],
    fail_after: timedelta,
    drifted_after: timedelta,
    opens_within: timedelta,
) -> Severity:
    """By when it ends, and by what waits for how long; less where that is not sure, or something else keeps every node, too."""
    drifted = [one for one in waiting if one.reason == DRIFTED and snapshot.taken_at - one.since >= drifted_after]
    severity = Severity.HIGH if drifted else Severity.MEDIUM
    if by.opens:
        severity = Severity.INFO if by.opens - snapshot.taken_at <= opens_within else Severity.LOW
    if snapshot.taken_at - waiting[0].since < fail_after:
        severity = severity.lowered(2)
    less = waiting[0].reason == UNDERUTILIZED or all(one.also for one in waiting)
    return severity.lowered(1) if less else severity


def _confidence(snapshot: Snapshot, waiting: Sequence[Waiting]) -> Confidence:
    """Which nodes are empty is only as sure as the list of pods."""
    if waiting[0].reason == UNDERUTILIZED:
        return Confidence.POSSIBLE
    sure = any(one.reason == DRIFTED for one in waiting) or snapshot.whole(Kind.POD)
    return Confidence.CERTAIN if sure else Confidence.LIKELY


def _finding(
    snapshot: Snapshot, nodepool: NodePool, cause: str, by: Shut, waiting: Sequence[Waiting], severity: Severity
) -> Finding:
    """One about the nodes of a NodePool that wait for the same thing: those first for whose reason it is worst, the longest waiting."""
    ref, name = Ref("NodePool", nodepool.name, "karpenter.sh/v1"), nodepool.name
    since = min(one.since for one in waiting)
    return Finding(
        object=ref,
        owner=ref,
        nodepool=name,
        cause=cause,
        severity=severity,
        confidence=_confidence(snapshot, waiting),
        message=f"{_who(name, by, waiting)} for {spoken(snapshot.taken_at - since)}; {_what(snapshot, by)}",
        why=_why(snapshot, nodepool, by, waiting),
        cost=_cost(waiting),
        impact=Impact(nodes=len(waiting)),
        evidence=(
            *(Evidence(ref, entry.path, entry.said) for entry in by.left.allowance.deciding),
            Evidence(Ref("Node", waiting[0].node.name, "v1"), "NodeClaim status.conditions", clip(waiting[0].due.said)),
            *(Evidence(Ref("Node", node.name, "v1"), "status.conditions", "Ready is not True") for node in by.not_ready[:3]),
        ),
        occurrences=tuple(
            Occurrence(Ref("Node", one.node.name, "v1"), one.node.metadata.uid, one.node.name, one.due.way.value, one.since)
            for one in waiting
        ),
        since=since,
        fix=(*_fixes(name, by, waiting), verification("budget-blocks-disruption", nodepool=name)),
    )


def _who(name: str, by: Shut, waiting: Sequence[Waiting]) -> str:
    counted = Counter(one.reason for one in waiting)
    (first, *more), one = counted, len(waiting) == 1
    reasons = " and ".join(f"{number} {reason}" for reason, number in counted.items()) if more else first
    some = f"{len(waiting)} of {name}'s {plural(by.left.total, 'node')}"
    if first == UNDERUTILIZED:
        return f"{some} {'looks' if one else 'look'} under-used and may not go"
    return f"{some} should be gone ({reasons}) and {'waits' if one else 'wait'}"


def _what(snapshot: Snapshot, by: Shut) -> str:
    if by.cause == NOT_READY:
        return f"{plural(len(by.not_ready), 'node')} that {'is' if len(by.not_ready) == 1 else 'are'} not Ready use{'s' * (len(by.not_ready) == 1)} its budget up"
    if by.opens:
        return f"its budgets are closed and open {at_and_distance(snapshot, by.opens)}"
    return "its budgets let none go, at any hour" if by.cause == CLOSED else "its budgets are closed and do not open within a week"


def _why(snapshot: Snapshot, nodepool: NodePool, by: Shut, waiting: Sequence[Waiting]) -> str:
    first, allowance = waiting[0], by.left.allowance
    said = f"budget for {first.reason}{budget_answer(snapshot, nodepool, first.reason).said}"
    if any(entry.budget.schedule for entry in allowance.deciding):
        said += f"; {few([entry.said for entry in allowance.deciding], 2)}"
    shares = [entry.budget.nodes for entry in allowance.deciding if entry.budget.nodes.endswith("%")]
    if by.cause == NOT_READY and shares:
        said += f"; {shares[0]} of {plural(by.left.total, 'node')} is {allowance.allowed}, rounded up"
    also = [one for one in waiting if one.also]
    if also and also[0].also:
        some = "something else keeps it, too" if len(waiting) == 1 else f"something else keeps {len(also)} of them, too"
        said += f"; {some}: {clip(also[0].also.said)}"
    return said


def _cost(waiting: Sequence[Waiting]) -> str:
    names = few([f"{one.node.name} ({clip(one.due.said)})" for one in waiting], 2)
    drifted = any(one.reason == DRIFTED for one in waiting)
    return f"{'not replaced' if drifted else 'paid for'}: {names}"


def _fixes(nodepool: str, by: Shut, waiting: Sequence[Waiting]) -> Iterator[Fix]:
    around = "a NodeClaim that is deleted by hand is drained without asking budgets"
    if by.cause == NOT_READY:
        yield Fix(
            "fix",
            f"kubectl describe node {shlex.quote(by.not_ready[0].name)}",
            "see why it is not Ready; mend or replace it",
            around,
        )
        return
    if by.opens:
        yield Fix("fix", f"kubectl edit nodepool {shlex.quote(nodepool)}", "wait, or change its spec.disruption.budgets", around)
        return
    patch = [
        {"op": "replace", "path": f"/spec/disruption/budgets/{entry.index}/nodes", "value": "1"}
        for entry in by.left.allowance.deciding
    ]
    yield Fix(
        "fix",
        f"kubectl patch nodepool {shlex.quote(nodepool)} --type json -p {shlex.quote(json.dumps(patch, separators=(',', ':')))}",
        text="for one node at a time, if they are " + ("not to stay for ever" if by.cause == CLOSED else "to go before that"),
        risk=f"Karpenter then takes {'it' if len(waiting) == 1 else 'them one after another'}; {around}",
    )
