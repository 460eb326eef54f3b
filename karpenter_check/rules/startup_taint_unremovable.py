"""Startup taints that nobody takes away, that come back, or that the NodePool was not told of."""

import shlex
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from karpenter_check.finding import Confidence, Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity, verification
from karpenter_check.rule import Stage, rule
from karpenter_check.scheduling.nodeclaim import became
from karpenter_check.scheduling.nomination import asks_for_devices, node_ref
from karpenter_check.scheduling.startup_taints import Removers, known_remover, startup_taints_left, unremovable
from karpenter_check.snapshot import GRACE, Kind, Node, NodeClaim, NodePool, Snapshot
from karpenter_check.snapshot.counted import few, plural
from karpenter_check.snapshot.duration import spoken
from karpenter_check.snapshot.moments import at_and_distance
from karpenter_check.snapshot.node import Taint

NO_REMOVER, BACK, UNDECLARED = "no_remover", "back", "undeclared"


@dataclass(frozen=True)
class _Tainted:
    """A node with such a taint."""

    node: Node
    taint: Taint
    word: str
    since: datetime | None
    confidence: Confidence
    severity: Severity
    removers: Removers | None = None


@rule(severity=Severity.MEDIUM, needs={Kind.NODE, Kind.NODECLAIM, Kind.NODEPOOL}, since="0.1.0", stage=Stage.NODEPOOL)
def startup_taint_unremovable(
    snapshot: Snapshot,
    *,
    warn_after: timedelta = timedelta(minutes=5),
    fail_after: timedelta = timedelta(minutes=10),
    born_within: timedelta = timedelta(minutes=15),
) -> Iterator[Finding]:
    """A startup taint keeps nodes closed: nobody takes it away, it came back, or the NodePool does not declare it."""
    found: dict[tuple[str, str], list[_Tainted]] = defaultdict(list)
    for claim in snapshot.nodeclaims:
        node, nodepool = snapshot.node_of_nodeclaim.get(claim.name), snapshot.nodepools_by_name.get(claim.nodepool)
        if node is None or nodepool is None or not node.spec.taints or _closed(claim, node, nodepool):
            continue
        for entry in _tainted(snapshot, claim, node, nodepool, max(warn_after, GRACE), fail_after, born_within):
            found[nodepool.name, f"{entry.word}:{entry.taint.key}"].append(entry)
    for (nodepool_name, cause), entries in found.items():
        entries.sort(key=lambda entry: (entry.severity.rank, entry.since or snapshot.taken_at, entry.node.name))
        yield _finding(snapshot, nodepool_name, cause, entries)


def _closed(claim: NodeClaim, node: Node, nodepool: NodePool) -> bool:
    """Whether it is on its way out, or somebody cordoned it and means it to be closed."""
    going = claim.metadata.deletion_timestamp or node.metadata.deletion_timestamp or nodepool.metadata.deletion_timestamp
    return bool(going) or node.spec.unschedulable


def _tainted(
    snapshot: Snapshot,
    claim: NodeClaim,
    node: Node,
    nodepool: NodePool,
    warn_after: timedelta,
    fail_after: timedelta,
    born_within: timedelta,
) -> Iterator[_Tainted]:
    template, now = nodepool.spec.template.spec, snapshot.taken_at
    registered, left = became(claim, "Registered"), startup_taints_left(claim, node)
    if not claim.is_true("Registered") or registered is None:
        return
    for taint in left:
        if node.initialized:
            writer = node.taints_writer()
            since = writer.time if writer else None
            if since is None or now - since >= warn_after:
                severity = Severity.MEDIUM.lowered(0 if since and now - since >= fail_after else 2)
                yield _Tainted(node, taint, BACK, since, Confidence.CERTAIN if since else Confidence.POSSIBLE, severity)
        elif node.ready and now - registered >= (fail_after if asks_for_devices(claim) else warn_after):
            severity = Severity.MEDIUM.lowered(0 if now - registered >= fail_after else 2)
            if by := unremovable(snapshot, taint, node):
                yield _Tainted(
                    node, taint, NO_REMOVER, registered, Confidence.POSSIBLE if by.blanket else Confidence.LIKELY, severity, by
                )
    declared = {taint.key for taint in (*template.taints, *template.startup_taints, *claim.spec.taints, *claim.spec.startup_taints)}
    created = node.metadata.creation_timestamp
    if created and snapshot.settled(created) and now - created < born_within:
        for taint in node.spec.taints:
            if known_remover(taint.key) and taint.key not in declared and taint.effect != "PreferNoSchedule":
                yield _Tainted(node, taint, UNDECLARED, created, Confidence.LIKELY, Severity.MEDIUM)


def _finding(snapshot: Snapshot, nodepool: str, cause: str, entries: Sequence[_Tainted]) -> Finding:
    first = entries[0]
    owner = Ref("NodePool", nodepool, "karpenter.sh/v1")
    writer = first.node.taints_writer()
    return Finding(
        object=owner,
        owner=owner,
        nodepool=nodepool,
        cause=cause,
        severity=first.severity,
        confidence=first.confidence,
        message=_message(snapshot, first, len(entries)),
        why=_why(snapshot, first),
        cost=_cost(first, len(entries)),
        impact=Impact(nodes=len(entries)),
        evidence=(
            Evidence(owner, "spec.template.spec.startupTaints", _declared(snapshot, nodepool)),
            Evidence(node_ref(first.node.name), "spec.taints", str(first.taint), writer.manager if writer else ""),
        ),
        occurrences=tuple(
            Occurrence(node_ref(entry.node.name), entry.node.metadata.uid, entry.node.name, entry.word, entry.since)
            for entry in entries
        ),
        since=min((entry.since for entry in entries if entry.since), default=None),
        fix=tuple(_fix(nodepool, first, len(entries))),
    )


def _declared(snapshot: Snapshot, nodepool: str) -> str:
    return few([str(taint) for taint in snapshot.nodepools_by_name[nodepool].spec.template.spec.startup_taints], 5)


def _message(snapshot: Snapshot, first: _Tainted, number: int) -> str:
    nodes = plural(number, "node")
    if first.word == NO_REMOVER:
        return f"nothing here is known to take its startup taint {first.taint} away; {nodes} wait{'s' * (number == 1)} for that"
    if first.word == BACK:
        lasted = f" for {spoken(snapshot.taken_at - first.since)}" if first.since else ""
        return f"its startup taint {first.taint} is back on {plural(number, 'initialized node')}{lasted}"
    return f"new nodes carry {first.taint}, which is not among its startupTaints: {nodes} of the last minutes"


def _why(snapshot: Snapshot, first: _Tainted) -> str:
    known = known_remover(first.taint.key)
    if first.word == NO_REMOVER and first.removers:
        blanket = first.removers.blanket
        tolerate = (
            f"{plural(blanket, 'DaemonSet')} tolerate{'s' * (blanket == 1)} it only with everything else"
            if blanket
            else "no DaemonSet that may run there tolerates it"
        )
        missing = f", and {known}, which takes it away, is not among the DaemonSets" if known else ""
        return f"no node of any NodePool has got rid of it, and none of the DaemonSets names it: {tolerate}{missing}; a controller that runs elsewhere is not seen"
    if first.word == BACK:
        since = (
            f"its taints changed last at {at_and_distance(snapshot, first.since)}"
            if first.since
            else "since when is not known, as the input has no managedFields"
        )
        return (
            f"node {first.node.name}: {since}; startup taints count as passing only until a node is initialized, then they keep pods off in Karpenter's plans, too"
            + (f"; {known} sets it and takes it away" if known else "")
        )
    return f"node {first.node.name} has it, of {known}; Karpenter takes a taint that it was not told of for one that stays, so pods that wait do not fit there, and it buys again for them"


def _cost(first: _Tainted, number: int) -> str:
    if first.word == UNDECLARED:
        return "while it is there, Karpenter buys more nodes for pods that wait, and takes them away again minutes later"
    return f"{plural(number, 'node')} paid for and closed to pods that do not tolerate it"


def _fix(nodepool: str, first: _Tainted, number: int) -> Iterator[Fix]:
    taint, drifts = first.taint, "an edit of startupTaints drifts the pool's nodes"
    node, pool = shlex.quote(first.node.name), shlex.quote(nodepool)
    if first.word != UNDECLARED:
        command = f"kubectl taint node {node} {shlex.quote(f'{taint.key}:{taint.effect}-')}"
        more = f"and so for {plural(number - 1, 'other node')}" if number > 1 else ""
        yield Fix("stop", command, more, "pods come there at once, whether or not what they need runs there")
    if first.word == UNDECLARED:
        words, risk = f"add {taint} to spec.template.spec.startupTaints", f"{drifts}, so they are replaced as its budgets allow"
        yield Fix("fix", f"kubectl edit nodepool {pool}", words, risk)
    elif first.word == NO_REMOVER:
        words = f"run what takes {taint.key} away, with a toleration of it, or take it out of the NodePool's startupTaints"
        yield Fix("fix", text=words, risk=drifts)
    else:
        words = "mend the agent that sets the taint while it is not ready"
        yield Fix("fix", f"kubectl get pods -A --field-selector spec.nodeName={node}", words)
    yield verification("startup-taint-unremovable", nodepool=nodepool)
