"""Nodes that should be gone, as the rules find them: what keeps each, and since when."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from karpenter_check.disruption.blocked_events import TOLD_AGAIN, blocked_events, word_of
from karpenter_check.disruption.blocker import Word
from karpenter_check.disruption.state_node import state_node
from karpenter_check.disruption.timing import drift
from karpenter_check.metrics.catalogue import DELAY_REASONS
from karpenter_check.scan import Report
from karpenter_check.snapshot import NodeClaim, Snapshot

BLOCKED_RULE, BUDGETS_RULE, NOMINATED_RULE = "node-reaping-blocked", "budget-blocks-disruption", "node-reaping-nominated"
_REASON_OF_RULE: Mapping[str, str] = {
    "node-terminating-stuck": "terminating",
    NOMINATED_RULE: "nominated",
    BLOCKED_RULE: "",
    BUDGETS_RULE: "budget",
    "drift-unresolved": "",
    "node-expiry-overdue": "unknown",
}
"""The rules that find such nodes, the surest first; without a reason, a finding's own cause is one."""
_SAID = frozenset({Word.NOT_INITIALIZED, Word.PODS_WOULD_NOT_SCHEDULE})
"""What no object shows, and Karpenter's events alone."""
_WARN_AFTER = timedelta(minutes=10)
"""As long as node-reaping-blocked waits before it says anything."""


@dataclass(frozen=True)
class Overdue:
    """A node that should be gone."""

    claim: NodeClaim
    node: str
    nodepool: str
    reason: str
    since: datetime


def rule_of(delay_reason: str) -> str:
    """The rule without which nothing is known of a reason."""
    return next((slug for slug, reason in _REASON_OF_RULE.items() if reason == delay_reason != "unknown"), BLOCKED_RULE)


def overdue_nodes(report: Report, evaluated: Collection[str]) -> Mapping[str, Overdue]:
    """The nodes that should be gone, by the UID of their NodeClaim; each by the first rule that finds it."""
    found: dict[str, Overdue] = {}
    for entry in (*_found(report), *(_said(report.snapshot) if BLOCKED_RULE in evaluated else ())):
        found.setdefault(entry.claim.metadata.uid, entry)
    return found


def _found(report: Report) -> Iterator[Overdue]:
    snapshot = report.snapshot
    claims = {claim.metadata.uid: claim for claim in snapshot.nodeclaims}
    for slug, reason in _REASON_OF_RULE.items():
        for result in report.results:
            if result.rule.slug != slug:
                continue
            word = reason or (result.finding.cause if result.finding.cause in DELAY_REASONS else "unknown")
            for occurrence in result.finding.occurrences:
                claim = snapshot.nodeclaim_of_node.get(occurrence.node) or claims.get(occurrence.uid)
                if claim and occurrence.since:
                    node = occurrence.node or claim.status.node_name or claim.name
                    yield Overdue(claim, node, claim.nodepool, word, occurrence.since)


def _said(snapshot: Snapshot) -> Iterator[Overdue]:
    """Drifted nodes of which Karpenter says, and goes on saying, what no object shows."""
    for claim in snapshot.nodeclaims:
        drifted = drift(claim)
        if drifted is None or claim.metadata.deletion_timestamp or drifted.last_transition_time is None:
            continue
        state = state_node(snapshot, claim)
        latest = next(iter(blocked_events(snapshot, state)), None)
        word = word_of(latest.message) if latest else None
        if latest is None or word not in _SAID or not latest.first_seen or not latest.last_seen:
            continue
        since = max(drifted.last_transition_time, latest.first_seen)
        if snapshot.taken_at - latest.last_seen <= TOLD_AGAIN and snapshot.taken_at - since >= _WARN_AFTER:
            yield Overdue(claim, state.name, claim.nodepool, str(word), since)
