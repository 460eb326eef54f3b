"""Nodes that should go and that the budgets of their NodePool keep: nothing of it may go now."""

import json
import shlex
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from karpenter_check.disruption.allowance import Remaining, Unknown, Using, remaining
from karpenter_check.disruption.blocker import Blocker, Word
from karpenter_check.disruption.blockers import blockers
from karpenter_check.disruption.budget import is_always_active
from karpenter_check.disruption.budget_blocker import budget_answer
from karpenter_check.disruption.candidate import DRIFTED, EMPTY, UNDERUTILIZED
from karpenter_check.disruption.due import Due, Way, due
from karpenter_check.disruption.openings import next_opening, windows
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
    earliest,
    verification,
)
from karpenter_check.rule import rule
from karpenter_check.snapshot import Kind, Node, NodePool, Snapshot
from karpenter_check.snapshot.counted import few, plural
from karpenter_check.snapshot.duration import spoken
from karpenter_check.snapshot.moments import at_and_distance

CLOSED, WINDOW, NOT_READY = "always-closed", "window-closed", "not-ready-nodes"
_REASONS = {Way.DRIFTED: DRIFTED, Way.EMPTY: EMPTY, Way.UNDERUTILIZED: UNDERUTILIZED}


@dataclass(frozen=True)
class _Shut:
    """That the budgets let no node go for a reason, and will not by themselves as long as this stands."""

    cause: str
    left: Remaining
    opens: datetime | None = None
    """When they let one go next, within a week."""
    not_ready: tuple[Node, ...] = ()
    """The nodes that use them up."""
    since: datetime | None = None
    """Since when these do."""


@dataclass(frozen=True)
class _Waiting:
    """A node that should go and may not."""

    node: Node
    due: Due
    since: datetime
    also: Blocker | None
    """What keeps it besides the budgets."""

    @property
    def reason(self) -> str:
        """Drifted, Empty or Underutilized."""
        return _REASONS[self.due.way]


@rule(severity=Severity.MEDIUM, needs={Kind.NODEPOOL, Kind.NODE, Kind.NODECLAIM, Kind.POD}, since="0.1.0")
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
        shut = {reason: one for reason in _REASONS.values() if (one := _shut(snapshot, nodepool, reason))}
        if not shut or nodepool.metadata.deletion_timestamp:
            continue
        by_cause: dict[str, list[_Waiting]] = defaultdict(list)
        for node in snapshot.nodes_of_nodepool.get(nodepool.name, ()):
            waiting = _waiting(snapshot, node, shut)
            if waiting and snapshot.taken_at - waiting.since >= warn_after:
                by_cause[shut[waiting.reason].cause].append(waiting)
        for cause, found in by_cause.items():
            sure = [one for one in found if one.reason != UNDERUTILIZED] or found
            first = sorted(sure, key=lambda one: (one.since, one.node.name))
            by = shut[first[0].reason]
            severity = _severity(snapshot, by, first, fail_after, drifted_after, opens_within)
            yield _finding(snapshot, nodepool, cause, by, first, severity)


def _shut(snapshot: Snapshot, nodepool: NodePool, reason: str) -> _Shut | None:
    """Whether nothing may go for a reason, and the work that is under way does not explain it.

    Budgets that cannot be read are the rule `budget-schedule-invalid`'s.
    """
    left = remaining(snapshot, nodepool, reason)
    if isinstance(left, Unknown) or left.left != 0 or left.allowance.unreadable or not left.total:
        return None
    if allowed := left.allowance.allowed:
        lame = [snapshot.nodes_by_name[user.node] for user in left.disrupting if user.why is Using.NOT_READY]
        times = sorted(ready.last_transition_time for node in lame if (ready := node.readiness) and ready.last_transition_time)
        # while so many are not ready, none may go, whatever else ends
        return _Shut(NOT_READY, left, None, tuple(lame), times[allowed - 1]) if len(times) >= allowed else None
    opens = next_opening(windows(nodepool, reason, left.total, snapshot.taken_at))
    always = any(is_always_active(entry.budget, snapshot.taken_at) for entry in left.allowance.deciding)
    return _Shut(CLOSED if always else WINDOW, left, opens)


def _waiting(snapshot: Snapshot, node: Node, shut: Mapping[str, _Shut]) -> _Waiting | None:
    """The node, if every way that it certainly has to go by is shut: under the one that opens first."""
    ways = [entry for entry in due(snapshot, node) if entry.way in _REASONS]
    sure = [entry for entry in ways if entry.way is not Way.UNDERUTILIZED] or ways
    if not sure or any(_REASONS[entry.way] not in shut for entry in sure):
        return None
    never = datetime.max.replace(tzinfo=snapshot.taken_at.tzinfo)
    way = min(sure, key=lambda entry: shut[_REASONS[entry.way]].opens or never)
    since = max((moment for moment in (way.at, shut[_REASONS[way.way]].since) if moment), default=None)
    keeping = blockers(snapshot, node, eventual=way.way is Way.DRIFTED)
    if way.at is None or since is None or any(blocker.word is Word.TERMINATING for blocker in keeping):
        return None
    return _Waiting(node, way, since, next((blocker for blocker in keeping if blocker.word is not Word.UNKNOWN), None))


def _severity(
    snapshot: Snapshot,
    by: _Shut,
    waiting: Sequence[_Waiting],
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


def _confidence(snapshot: Snapshot, waiting: Sequence[_Waiting]) -> Confidence:
    """Which nodes are empty is only as sure as the list of pods."""
    if waiting[0].reason == UNDERUTILIZED:
        return Confidence.POSSIBLE
    sure = any(one.reason == DRIFTED for one in waiting) or snapshot.whole(Kind.POD)
    return Confidence.CERTAIN if sure else Confidence.LIKELY


def _finding(
    snapshot: Snapshot, nodepool: NodePool, cause: str, by: _Shut, waiting: Sequence[_Waiting], severity: Severity
) -> Finding:
    """One about the nodes of a NodePool that wait for the same thing, the longest waiting first."""
    ref, name = Ref("NodePool", nodepool.name, "karpenter.sh/v1"), nodepool.name
    since = waiting[0].since
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
        since=earliest(one.since for one in waiting),
        fix=(*_fixes(name, by, waiting), verification("budget-blocks-disruption", nodepool=name)),
    )


def _who(name: str, by: _Shut, waiting: Sequence[_Waiting]) -> str:
    counted = Counter(one.reason for one in waiting)
    (first, *more), one = counted, len(waiting) == 1
    reasons = " and ".join(f"{number} {reason}" for reason, number in counted.items()) if more else first
    some = f"{len(waiting)} of {name}'s {plural(by.left.total, 'node')}"
    if first == UNDERUTILIZED:
        return f"{some} {'looks' if one else 'look'} under-used and may not go"
    return f"{some} should be gone ({reasons}) and {'waits' if one else 'wait'}"


def _what(snapshot: Snapshot, by: _Shut) -> str:
    if by.cause == NOT_READY:
        return f"{plural(len(by.not_ready), 'node')} that {'is' if len(by.not_ready) == 1 else 'are'} not Ready use{'s' * (len(by.not_ready) == 1)} its budget up"
    if by.opens:
        return f"its budgets are closed and open {at_and_distance(snapshot, by.opens)}"
    return "its budgets let none go, at any hour" if by.cause == CLOSED else "its budgets are closed and do not open within a week"


def _why(snapshot: Snapshot, nodepool: NodePool, by: _Shut, waiting: Sequence[_Waiting]) -> str:
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


def _cost(waiting: Sequence[_Waiting]) -> str:
    names = few([f"{one.node.name} ({clip(one.due.said)})" for one in waiting], 2)
    drifted = any(one.reason == DRIFTED for one in waiting)
    return f"{'not replaced' if drifted else 'paid for'}: {names}"


def _fixes(nodepool: str, by: _Shut, waiting: Sequence[_Waiting]) -> Iterator[Fix]:
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
