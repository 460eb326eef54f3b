"""Drift storms: images that choose themselves while no budget bounds how many nodes are replaced for them at once."""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from karpenter_check.disruption.blocker import Word
from karpenter_check.disruption.blockers import blockers
from karpenter_check.disruption.candidate import DRIFTED
from karpenter_check.disruption.openings import WEEK, Window, windows
from karpenter_check.disruption.remedies import command
from karpenter_check.disruption.rollout import claims_of_nodepool
from karpenter_check.disruption.timing import drift
from karpenter_check.finding import Confidence, Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity, earliest, verification
from karpenter_check.rule import rule
from karpenter_check.scheduling.nomination import node_ref
from karpenter_check.snapshot import Kind, NodeClaim, NodePool, Snapshot
from karpenter_check.snapshot.counted import plural
from karpenter_check.snapshot.moments import at
from karpenter_check.snapshot.nodepool import NodeClass, SelectorTerm

ARMED, RUNNING = "armed", "running"
_EVERYTHING = "100%"


@dataclass(frozen=True)
class _Moving:
    """A term that selects another image tomorrow, though nobody edits it."""

    term: str
    by: str
    """What makes it select another one."""
    severity: Severity
    confidence: Confidence


@rule(severity=Severity.MEDIUM, needs={Kind.NODEPOOL, Kind.NODECLAIM, Kind.NODECLASS}, since="0.1.0")
def drift_storm_armed(
    snapshot: Snapshot, *, minimum_nodes: int = 3, look_ahead: timedelta = WEEK, running_share: float = 0.3
) -> Iterator[Finding]:
    """A new image would replace all nodes of a NodePool at once, or many are being replaced at once, and no budget bounds it."""
    for nodepool in sorted(snapshot.nodepools, key=lambda entry: entry.name):
        claims = claims_of_nodepool(snapshot).get(nodepool.name, ())
        if nodepool.metadata.deletion_timestamp or len(claims) < max(1, minimum_nodes):
            continue
        ahead = windows(nodepool, DRIFTED, len(claims), snapshot.taken_at, look_ahead)
        unbounded = [window for window in ahead if _unbounded(window)]
        if not unbounded:
            continue
        going = [claim for claim in claims if _goes(snapshot, claim)] if unbounded[0].start <= snapshot.taken_at else []
        begun = sum(_has_begun(snapshot, claim) for claim in going)
        node_class = snapshot.nodeclass_of(nodepool)
        if begun and len(going) >= max(1, minimum_nodes, running_share * len(claims)):
            yield _running(nodepool, claims, going, begun)
        elif node_class and (moving := _moving(node_class)):
            yield _armed(snapshot, nodepool, len(claims), node_class, moving, unbounded, ahead[-1].end)


def _unbounded(window: Window) -> bool:
    """Whether nothing bounds how many nodes go at once; 100 % of them is no bound."""
    return window.allowed is None or any(entry.budget.nodes == _EVERYTHING for entry in window.deciding)


def _goes_since(claim: NodeClaim) -> datetime | None:
    """Since when Karpenter replaces a node as Drifted, or would as soon as it comes to it because its image is no longer selected."""
    begun, drifted = claim.condition("DisruptionReason"), drift(claim)
    if begun and begun.status == "True" and begun.reason == DRIFTED:
        return begun.last_transition_time
    return drifted.last_transition_time if drifted and drifted.reason == "AMIDrift" else None


def _words(snapshot: Snapshot, claim: NodeClaim) -> set[Word]:
    return {blocker.word for blocker in blockers(snapshot, claim, eventual=True)}


def _has_begun(snapshot: Snapshot, claim: NodeClaim) -> bool:
    return Word.TERMINATING in _words(snapshot, claim)


def _goes(snapshot: Snapshot, claim: NodeClaim) -> bool:
    """Whether Karpenter replaces the node, or nothing that was seen keeps it from that: what pods or annotations keep stays."""
    if _goes_since(claim) is None:
        return False
    words = _words(snapshot, claim)
    return Word.TERMINATING in words or words <= {Word.NOMINATED, Word.UNKNOWN}


def _moving(node_class: NodeClass) -> _Moving | None:
    """The term that moves most by itself, if one does; the newest image of all terms is taken.

    Source: aws/karpenter-provider-aws `amifamily/ami.go:DescribeImageQueries`, `amis` (1.14.1).
    """
    if node_class.kind != "EC2NodeClass":
        return None
    found = [moving for term in node_class.spec.ami_selector_terms if (moving := _moves(term))]
    return min(found, key=lambda entry: entry.severity.rank, default=None)


def _moves(term: SelectorTerm) -> _Moving | None:
    family, _, version = term.alias.partition("@")
    if term.alias:
        by = f"a new {family} image of AWS'"
        return _Moving(f"alias {term.alias}", by, Severity.MEDIUM, Confidence.CERTAIN) if version == "latest" else None
    if term.ssm_parameter:
        return _parameter(term.ssm_parameter)
    if term.name:
        pattern = "*" in term.name or "?" in term.name
        return _Moving(f"name {term.name}", "a new image of such a name", Severity.MEDIUM, Confidence.LIKELY) if pattern else None
    return _Moving("tags", "a new image with these tags", Severity.LOW, Confidence.POSSIBLE) if term.tags else None


def _parameter(name: str) -> _Moving | None:
    """Of AWS' own parameters some follow the latest release, and others are for one release alone."""
    term = f"ssmParameter {name}"
    if "/aws/service/" not in name:
        return _Moving(term, "a new value of that parameter", Severity.LOW, Confidence.POSSIBLE)
    follows = "/latest/" in name or "/recommended/" in name
    return _Moving(term, "a new image of AWS'", Severity.MEDIUM, Confidence.CERTAIN) if follows else None


def _armed(
    snapshot: Snapshot,
    nodepool: NodePool,
    nodes: int,
    node_class: NodeClass,
    moving: _Moving,
    unbounded: Sequence[Window],
    horizon: datetime,
) -> Finding:
    owner = Ref("NodePool", nodepool.name, "karpenter.sh/v1")
    selects = Ref(node_class.kind, node_class.metadata.name, node_class.api_version)
    first, when = unbounded[0], _when(snapshot, unbounded[0], horizon)
    more = f", and {len(unbounded) - 1} more times in the days ahead" if len(unbounded) > 1 else ""
    return Finding(
        object=owner,
        owner=owner,
        nodepool=nodepool.name,
        cause=ARMED,
        severity=moving.severity,
        confidence=moving.confidence,
        message=f"{moving.by} drifts all {nodes} nodes; no budget bounds how many are replaced at once {when}",
        why=f"{selects} selects by {moving.term}; {_lets(first)} {when}{more}; Karpenter then begins with another "
        "drifted node about every ten seconds, its replacement first, and PodDisruptionBudgets alone slow it down",
        cost=f"{plural(nodes, 'node')} and their pods, when nobody chose the time",
        impact=Impact(nodes=nodes),
        evidence=(Evidence(selects, "spec.amiSelectorTerms", moving.term), *_budgets(owner, nodepool)),
        occurrences=(Occurrence(owner, nodepool.metadata.uid, "", ARMED),),
        fix=(
            Fix("fix", _add_budget(nodepool, "10%"), "a budget without a schedule bounds drift at every hour"),
            *([] if moving.term.startswith("alias windows") else [_pin(selects)]),
            verification("drift-storm-armed", nodepool=nodepool.name),
        ),
    )  # fmt: skip


def _running(nodepool: NodePool, claims: Sequence[NodeClaim], going: Sequence[NodeClaim], begun: int) -> Finding:
    owner = Ref("NodePool", nodepool.name, "karpenter.sh/v1")
    reasons = sorted({condition.reason for claim in going if (condition := drift(claim))})
    return Finding(
        object=owner,
        owner=owner,
        nodepool=nodepool.name,
        cause=RUNNING,
        message=f"{len(going)} of {len(claims)} nodes are being replaced at once, and no budget bounds it",
        why=f"Drifted: {', '.join(reasons) or 'for a reason that is gone'}; Karpenter has begun with {begun} of them, and begins with "
        "another about every ten seconds, its replacement first; PodDisruptionBudgets alone slow it down",
        cost=f"{plural(len(going), 'node')} and their pods",
        impact=Impact(nodes=len(going)),
        evidence=tuple(_budgets(owner, nodepool)),
        occurrences=tuple(
            Occurrence(
                node_ref(claim.status.node_name) if claim.status.node_name else Ref("NodeClaim", claim.name, "karpenter.sh/v1"),
                claim.metadata.uid, claim.status.node_name, RUNNING, _goes_since(claim),
            )
            for claim in going
        ),
        since=earliest(map(_goes_since, going)),
        fix=(
            Fix("stop", _add_budget(nodepool, "0"), risk="no drifted node is replaced until you take it out; those begun with still go"),
            Fix("fix", _add_budget(nodepool, "10%"), "a budget without a schedule bounds drift at every hour"),
            verification("drift-storm-armed", nodepool=nodepool.name),
        ),
    )  # fmt: skip


def _when(snapshot: Snapshot, window: Window, horizon: datetime) -> str:
    """When that is; what lies beyond the days ahead was not looked at."""
    starts, ends = window.start > snapshot.taken_at, window.end < horizon
    if starts:
        return f"from {at(snapshot, window.start)} {f'to {at(snapshot, window.end)}' if ends else 'on'}"
    return f"now and until {at(snapshot, window.end)}" if ends else "at any hour"


def _lets(window: Window) -> str:
    if window.allowed is None:
        return "no budget of the NodePool holds for Drifted"
    return f"{' and '.join(entry.path for entry in window.deciding)} lets {_EVERYTHING} go"


def _budgets(owner: Ref, nodepool: NodePool) -> Iterator[Evidence]:
    written = msgspec.json.encode(nodepool.spec.disruption.budgets).decode()
    yield Evidence(owner, "spec.disruption.budgets", written)


def _add_budget(nodepool: NodePool, nodes: str) -> str:
    value = {"nodes": nodes, "reasons": [DRIFTED]}
    patch = msgspec.json.encode([{"op": "add", "path": "/spec/disruption/budgets/-", "value": value}]).decode()
    return command("patch", Ref("NodePool", nodepool.name), f"--type json -p {shlex.quote(patch)}")


def _pin(selects: Ref) -> Fix:
    text = "select the image that the nodes run now: an alias with a version, or an id"
    return Fix("or", command("edit", selects), text, "any other image drifts them")
