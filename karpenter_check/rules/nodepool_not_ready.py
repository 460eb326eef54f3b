"""NodePools that buy nothing, because they are not Ready or are being deleted."""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from karpenter_check.finding import Blame, Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity, verification
from karpenter_check.rule import Stage, rule
from karpenter_check.scheduling.nomination import pod_ref
from karpenter_check.scheduling.readiness import NODE_CLASS_NOT_FOUND, NODE_CLASS_READY, Unready, node_class_ref, said, unready
from karpenter_check.scheduling.unserved import Unserved, stranded, unknown
from karpenter_check.snapshot import GRACE, Kind, NodePool, Snapshot
from karpenter_check.snapshot.counted import few, plural
from karpenter_check.snapshot.metadata import Condition
from karpenter_check.snapshot.moments import at_and_distance

_NAMED = 3
_ORDER = (NODE_CLASS_READY, "ValidationSucceeded")
_NO_NODES = "no node comes, not even in the place of one that goes"


@dataclass(frozen=True)
class _Case:
    """A NodePool in such a state, and by how much less severe it is than what has stood for long."""

    nodepool: NodePool
    state: Unready
    steps: int


@rule(severity=Severity.HIGH, needs={Kind.NODEPOOL}, since="0.1.0", stage=Stage.NODEPOOL)
def nodepool_not_ready(
    snapshot: Snapshot, *, warn_after: timedelta = GRACE, fail_after: timedelta = timedelta(minutes=5)
) -> Iterator[Finding]:
    """A NodePool buys nothing because it is not Ready, or because it is being deleted."""
    cases: list[_Case] = []
    for nodepool in snapshot.nodepools:
        if since := nodepool.metadata.deletion_timestamp:
            yield from _deleted(snapshot, nodepool, since)
        elif state := unready(nodepool.status.conditions):
            steps = state.steps_down(snapshot, warn_after, fail_after)
            cases += [_Case(nodepool, state, steps)] if steps is not None else []
    off = {case.nodepool.name for case in cases}
    left = [nodepool for nodepool in snapshot.nodepools if nodepool.name not in off and not nodepool.metadata.deletion_timestamp]
    for case in cases:
        # a static NodePool is of no use to pods for which a dynamic one should buy
        others = [nodepool for nodepool in left if case.nodepool.static or not nodepool.static]
        yield _not_ready(snapshot, case, alone=snapshot.whole(Kind.NODEPOOL) and not others)


def _not_ready(snapshot: Snapshot, case: _Case, *, alone: bool) -> Finding:
    """`alone` is whether no NodePool is left that is Ready."""
    nodepool, worst = case.nodepool, min(case.state.failing, key=_rank)
    waiting = stranded(snapshot).get(nodepool.name, ())
    others = [said(entry) for entry in case.state.failing if entry is not worst]
    severity = (Severity.CRITICAL if alone else Severity.HIGH).lowered(case.steps)
    reference = nodepool.spec.template.spec.node_class_ref
    of_class = worst.type == NODE_CLASS_READY and bool(reference.kind and reference.name)
    return _finding(
        snapshot, nodepool, worst.type, waiting,
        message=f"{nodepool.name} is not Ready and buys nothing: {said(worst)}" + ("; no other NodePool is Ready" if alone else ""),
        why="; ".join([
            *others,
            f"so since {at_and_distance(snapshot, case.state.since)}",
            *([f"its node class is {node_class_ref(snapshot, reference)}"] if of_class else []),
        ]),
        cost=f"{_waits(snapshot, waiting)}; {_NO_NODES}",
        evidence=tuple(Evidence(_ref(nodepool), f"status.conditions[type={entry.type}]", said(entry)) for entry in (worst, *_rest(case.state, worst))),
        since=case.state.since,
        severity=severity,
        fix=(_mended(snapshot, nodepool, worst),),
        blames=(Blame(node_class_ref(snapshot, reference)),) if of_class else (),
    )  # fmt: skip


def _rest(state: Unready, worst: Condition) -> Sequence[Condition]:
    return [entry for entry in (*state.failing, state.ready) if entry is not worst]


def _rank(of: Condition) -> tuple[int, str]:
    return _ORDER.index(of.type) if of.type in _ORDER else len(_ORDER), of.type


def _mended(snapshot: Snapshot, nodepool: NodePool, worst: Condition) -> Fix:
    name, reference = shlex.quote(nodepool.name), nodepool.spec.template.spec.node_class_ref
    drifts = "an edit of the template drifts its nodes"
    if worst.type == NODE_CLASS_READY and worst.reason == NODE_CLASS_NOT_FOUND:
        node_class = node_class_ref(snapshot, reference)
        return Fix(
            "fix", f"kubectl edit nodepool {name}", f"make {node_class}, or name another in spec.template.spec.nodeClassRef", drifts
        )
    if worst.type == NODE_CLASS_READY:
        kind = shlex.quote(f"{reference.kind.lower()}.{reference.api_group}" if reference.api_group else reference.kind.lower())
        return Fix(
            "fix", f"kubectl describe {kind} {shlex.quote(reference.name)}", "mend what keeps the node class from being Ready"
        )
    if worst.type == "ValidationSucceeded" and worst.status == "False":
        return Fix("fix", f"kubectl edit nodepool {name}", "correct what Karpenter's validation refuses", drifts)
    return Fix("fix", f"kubectl describe nodepool {name}", "see whether Karpenter runs, and what its log says of the NodePool")


def _deleted(snapshot: Snapshot, nodepool: NodePool, since: datetime) -> Iterator[Finding]:
    """Its NodeClaims belong to it, and are deleted with it: their nodes drain."""
    waiting = stranded(snapshot).get(nodepool.name, ())
    counted = [kind for kind in (Kind.NODE, Kind.NODECLAIM) if snapshot.covered(kind).sufficient]
    claims = sum(claim.nodepool == nodepool.name for claim in snapshot.nodeclaims)
    nodes = max(claims, len(snapshot.nodes_of_nodepool.get(nodepool.name, ())))
    if not snapshot.settled(since) or (counted and not nodes and not waiting):
        return  # nothing is left of it: that it is still listed harms nobody
    goes = f"and its {plural(nodes, 'node')} {'goes' if nodes == 1 else 'go'} with it" if nodes else "and no node is left of it"
    unseen = f"and its nodes go with it; how many is not known: Node is {snapshot.covered(Kind.NODE)}"
    name = shlex.quote(nodepool.name)
    yield _finding(
        snapshot, nodepool, "deleted", waiting,
        message=f"{nodepool.name} is being deleted, {goes if counted else unseen}",
        why=f"deleted at {at_and_distance(snapshot, since)}; its NodeClaims belong to it, so that they are deleted, too, and their nodes drain",
        cost=_waits(snapshot, waiting),
        nodes=nodes if counted else None,
        evidence=(Evidence(_ref(nodepool), "metadata.deletionTimestamp", f"{since:%Y-%m-%dT%H:%M:%SZ}"),),
        since=since,
        severity=Severity.CRITICAL if nodes else Severity.HIGH,
        fix=(
            Fix("stop", f"kubectl get nodepool {name} -o yaml", "a deletion cannot be taken back: if it was not meant, apply the same under another name now, so that its pods have somewhere to go"),
        ),
    )  # fmt: skip


def _waits(snapshot: Snapshot, waiting: Sequence[Unserved]) -> str:
    """Who waits for it, where that is known."""
    if lacking := unknown(snapshot):
        return f"whether pods wait for it is not known: {lacking}"
    owners = list(dict.fromkeys(str(snapshot.owner(entry.pod)) for entry in waiting))
    return (
        f"{plural(len(waiting), 'pod')} {'waits' if len(waiting) == 1 else 'wait'} for it: {few(owners, _NAMED)}"
        if waiting
        else "no pod waits for it"
    )


def _ref(nodepool: NodePool) -> Ref:
    return Ref("NodePool", nodepool.name, "karpenter.sh/v1")


def _finding(
    snapshot: Snapshot, nodepool: NodePool, cause: str, waiting: Sequence[Unserved], *, message: str, why: str, cost: str,
    evidence: tuple[Evidence, ...], since: datetime, severity: Severity, fix: tuple[Fix, ...],
    blames: tuple[Blame, ...] = (), nodes: int | None = None,
) -> Finding:  # fmt: skip
    return Finding(
        object=_ref(nodepool),
        owner=_ref(nodepool),
        nodepool=nodepool.name,
        cause=cause,
        severity=None if severity is Severity.HIGH else severity,
        message=message,
        why=why,
        cost=cost,
        impact=Impact(nodes=nodes, pods=None if unknown(snapshot) else len(waiting)),
        evidence=evidence,
        occurrences=tuple(
            Occurrence(pod_ref(entry.pod), entry.pod.metadata.uid, reason="stranded", since=entry.since) for entry in waiting
        ),
        since=since,
        fix=(*fix, verification("nodepool-not-ready", nodepool=nodepool.name)),
        blames=blames,
    )
