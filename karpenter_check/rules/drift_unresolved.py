"""Drift that Karpenter does not resolve: nodes that should have been replaced days ago, and what keeps them."""

import re
import shlex
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from karpenter_check.disruption.blocker import Blocker, Lasts, Word
from karpenter_check.disruption.blockers import blockers
from karpenter_check.disruption.budget_blocker import budget_blocker
from karpenter_check.disruption.candidate import DRIFTED
from karpenter_check.disruption.remedies import command, remedies
from karpenter_check.disruption.responsible import responsible
from karpenter_check.disruption.rollout import claims_of_nodepool, drifted_since, last_progress, no_room_to_replace, waits_for_hours
from karpenter_check.disruption.state_node import StateNode, state_node
from karpenter_check.disruption.timing import drift
from karpenter_check.finding import (
    Blame,
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
from karpenter_check.rule import Stage, rule
from karpenter_check.snapshot import GRACE, Kind, NodeClaim, Snapshot
from karpenter_check.snapshot.counted import few, plural
from karpenter_check.snapshot.duration import spoken
from karpenter_check.snapshot.event import Event, by_karpenter
from karpenter_check.snapshot.once import once

WAITING, LIMIT = "waiting", "limit"
_HEARD = timedelta(hours=1)
"""What Karpenter said longer ago may be over; API servers keep events for an hour."""
_PATHS = re.compile(r" \(spec\.[^)]*\)")
"""Where in a NodePool its budgets stand: too much for the one sentence."""
_TOLD = 3


@dataclass(frozen=True)
class _Stuck:
    """A node that drifted long ago."""

    claim: NodeClaim
    state: StateNode
    reason: str
    since: datetime
    cause: str
    kept: tuple[Blocker, ...]
    """What keeps it, by the state of objects, in Karpenter's order, the budget last."""
    unsure: tuple[Blocker, ...]
    """A nomination, which comes and goes, and what could not be looked at."""
    said: Event | None
    """Karpenter's own word of the last hour."""


@rule(severity=Severity.MEDIUM, needs={Kind.NODE, Kind.NODEPOOL, Kind.NODECLAIM}, since="0.1.0", stage=Stage.DISRUPTION)
def drift_unresolved(
    snapshot: Snapshot,
    *,
    warn_after: timedelta = timedelta(hours=24),
    fail_after: timedelta = timedelta(days=7),
    mass_share: float = 0.5,
) -> Iterator[Finding]:
    """Nodes have drifted for days, and Karpenter does not replace them."""
    for name, every in sorted(claims_of_nodepool(snapshot).items()):
        claims = [claim for claim in every if not claim.metadata.deletion_timestamp]
        drifted = sum(drift(claim) is not None for claim in claims)
        causes: dict[str, list[_Stuck]] = defaultdict(list)
        for stuck in _stuck(snapshot, name, claims, warn_after, fail_after):
            causes[stuck.cause].append(stuck)
        pool = f"{drifted} of {plural(len(claims), 'node')} of {name} {'has' if drifted == 1 else 'have'} drifted"
        latest = last_progress(snapshot, name)
        if len(claims) > 1 and drifted >= mass_share * len(claims):
            goes_on = f"got on {spoken(snapshot.taken_at - latest)} ago" if latest else "has stood for a day"
            pool += f": the roll-out of the change {goes_on}"
        for cause, nodes in causes.items():
            nodes.sort(key=lambda entry: (entry.since, entry.state.name))
            yield _finding(snapshot, name, cause, nodes, pool, fail_after)


@once
def _said(snapshot: Snapshot) -> Mapping[tuple[str, str], Event]:
    """Karpenter's latest word of the last hour on what blocks a disruption, by kind and name."""
    found: dict[tuple[str, str], Event] = {}
    for event in snapshot.events_by_reason.get("DisruptionBlocked", ()):
        about, last = (event.involved_object.kind, event.involved_object.name), event.last_seen
        if last and by_karpenter(event) and snapshot.taken_at - last <= _HEARD:
            before = found[about].last_seen if about in found else None
            if before is None or last > before:
                found[about] = event
    return found


def _stuck(
    snapshot: Snapshot, name: str, claims: Sequence[NodeClaim], warn_after: timedelta, fail_after: timedelta
) -> Iterator[_Stuck]:
    """The drifted nodes that nobody replaces, but for those that may still wait their turn."""
    nodepool, latest = snapshot.nodepools_by_name.get(name), last_progress(snapshot, name)
    old = [
        (claim, since)
        for claim in claims
        if (since := drifted_since(claim, nodepool)) and snapshot.taken_at - since >= max(GRACE, warn_after)
    ]
    if not old:
        return
    budget = budget_blocker(snapshot, nodepool, DRIFTED) if nodepool else None
    by_hours = nodepool is not None and waits_for_hours(snapshot, nodepool, len(claims))
    full = nodepool is not None and no_room_to_replace(nodepool)
    for claim, since in old:
        condition, state = drift(claim), state_node(snapshot, claim)
        found = [*blockers(snapshot, state.node or claim, eventual=True), *([budget] if budget else [])]
        if condition is None or any(entry.word is Word.TERMINATING for entry in found):
            continue
        kept = tuple(entry for entry in found if entry.word not in {Word.NOMINATED, Word.UNKNOWN})
        cause = str(kept[0].word) if kept else LIMIT if full else WAITING
        turns = cause in {WAITING, Word.BUDGET}
        comes = by_hours or (latest is not None and latest > since)
        if turns and comes and snapshot.taken_at - since < fail_after:
            continue
        unsure = tuple(entry for entry in found if entry.word in {Word.NOMINATED, Word.UNKNOWN})
        words = (_said(snapshot).get((ref.kind, ref.name)) for ref in state.refs)
        said = next((event for event in words if event), None)
        yield _Stuck(claim, state, condition.reason, since, cause, kept, unsure, said)


def _finding(snapshot: Snapshot, nodepool: str, cause: str, nodes: Sequence[_Stuck], pool: str, fail_after: timedelta) -> Finding:
    worst, owner = nodes[0], Ref("NodePool", nodepool, "karpenter.sh/v1")
    pods = sum(pod.active for entry in nodes for pod in snapshot.pods_on_node.get(entry.state.name, ()))
    seen = snapshot.covered(Kind.POD).sufficient
    lasting = snapshot.taken_at - worst.since >= fail_after
    severity = Severity.LOW if cause == Word.DO_NOT_DISRUPT_NODE else Severity.MEDIUM
    age = spoken(snapshot.taken_at - worst.since)
    some = f"drifted {age} ago and is not replaced" if len(nodes) == 1 else f"{len(nodes)} nodes drifted, the first {age} ago, and are not replaced"  # fmt: skip
    blamed = (ref for entry in nodes for blocker in _to_blame(entry) for ref in responsible(snapshot, blocker))
    return Finding(
        object=worst.state.ref if len(nodes) == 1 else owner,
        owner=owner,
        nodepool=nodepool,
        cause=cause,
        severity=severity if lasting else Severity.INFO,
        confidence=_confidence(worst),
        message=f"{some}{'; of the oldest' if len(nodes) > 1 and cause not in {Word.BUDGET, LIMIT} else ''}: {_keeps(worst)}",
        why="; ".join(_why(nodes, pool)),
        cost=f"{plural(len(nodes), 'node')} without what was changed" + (f", under {plural(pods, 'pod')}" if seen else ""),
        impact=Impact(nodes=len(nodes), pods=pods if seen else None),
        evidence=tuple(_evidence(nodes)),
        occurrences=tuple(
            Occurrence(entry.state.ref, entry.claim.metadata.uid, entry.state.node.name if entry.state.node else "", cause, entry.since)
            for entry in nodes
        ),
        since=earliest(entry.since for entry in nodes),
        fix=(*_fixes(worst, nodes, nodepool), verification("drift-unresolved", nodepool=nodepool)),
        blames=tuple(Blame(ref) for ref in ((owner,) if cause == LIMIT else dict.fromkeys(blamed))),
    )  # fmt: skip


def _confidence(worst: _Stuck) -> Confidence:
    """That it is kept now is seen; that this has kept it for days is an inference, unless it never ends by itself."""
    if worst.kept and worst.kept[0].lasts is Lasts.FOR_EVER:
        return worst.kept[0].confidence
    return Confidence.CERTAIN if worst.cause == LIMIT else Confidence.LIKELY


def _to_blame(entry: _Stuck) -> Iterator[Blocker]:
    """What keeps it; a budget only where nothing comes before it, as much else may be found of a NodePool."""
    yield from entry.kept[:1]
    yield from (blocker for blocker in entry.kept[1:] if blocker.word is not Word.BUDGET)
    yield from (blocker for blocker in entry.unsure if blocker.word is Word.NOMINATED)


def _keeps(worst: _Stuck) -> str:
    """What keeps the oldest of them, as far as it is known."""
    if worst.kept:
        return clip(_PATHS.sub("", worst.kept[0].said))
    if worst.cause == LIMIT:
        return "spec.limits.nodes leaves no room for a replacement beside spec.replicas"
    if worst.said:
        return f'Karpenter says "{clip(worst.said.message, 120)}"'
    return "nothing that was seen keeps it"


def _why(nodes: Sequence[_Stuck], pool: str) -> Iterator[str]:
    worst = nodes[0]
    reasons = Counter(entry.reason for entry in nodes)
    counted = f" ({', '.join(f'{reason} {count}' for reason, count in reasons.most_common())})" if len(nodes) > 1 else ""
    yield f"{worst.state.name} has been Drifted, {worst.reason}, since {worst.since:%Y-%m-%d %H:%MZ}{counted}"
    yield pool
    if len(worst.kept) > 1:
        yield f"then also: {few([clip(entry.said) for entry in worst.kept[1:]], 2)}"
    if worst.cause == WAITING and not worst.said:
        yield "whether its pods would fit elsewhere is not known, only Karpenter's simulation tells"
    yield from (clip(entry.said) for entry in worst.unsure)


def _evidence(nodes: Sequence[_Stuck]) -> Iterator[Evidence]:
    for entry in nodes[:_TOLD]:
        ref = Ref("NodeClaim", entry.claim.name, "karpenter.sh/v1")
        yield Evidence(ref, "status.conditions", f"Drifted: {entry.reason} since {entry.since:%Y-%m-%dT%H:%M:%SZ}")
    if nodes[0].said:
        yield Evidence.of_event(nodes[0].said)


def _fixes(worst: _Stuck, nodes: Sequence[_Stuck], nodepool: str) -> Iterator[Fix]:
    """The ways out of what keeps these nodes, each once; where there is none, how to see more."""
    if worst.cause == LIMIT:
        edit = command("edit", Ref("NodePool", nodepool))
        yield Fix("fix", edit, "raise spec.limits.nodes above spec.replicas by as many nodes as may be replaced at once")
        return
    ways = dict.fromkeys(fix for entry in nodes for blocker in entry.kept[:1] for fix in remedies(blocker))
    if ways:
        yield from list(ways)[:_TOLD]
        return
    name = shlex.quote(worst.state.name)
    yield Fix("fix", f"karpenter-check why node {name}", "see what keeps it, and what Karpenter says of it now")
    if worst.cause == WAITING:
        risk = "it drains at once, without a replacement, and budgets are not asked"
        yield Fix("or", command("delete", Ref("NodeClaim", worst.claim.name)), risk=risk)
