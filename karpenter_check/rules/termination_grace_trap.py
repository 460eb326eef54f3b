"""terminationGracePeriod: too short for the pods that it is there for, or missing where something never lets an expired node go."""

import shlex
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from karpenter_check.disruption.blocker import Blocker, Word
from karpenter_check.disruption.due import LOOK_AHEAD
from karpenter_check.disruption.endless import endless
from karpenter_check.disruption.eviction import budgets_of
from karpenter_check.disruption.expiry import died_of_expiry, expiry
from karpenter_check.disruption.pods import is_waited_for, says_do_not_disrupt
from karpenter_check.disruption.remedies import command, remedies
from karpenter_check.finding import Confidence, Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity, earliest, verification
from karpenter_check.rule import rule
from karpenter_check.scheduling.nomination import node_ref, pod_ref
from karpenter_check.snapshot import Kind, Node, NodeClaim, Pod, Snapshot
from karpenter_check.snapshot.counted import few, plural
from karpenter_check.snapshot.duration import duration, spoken
from karpenter_check.snapshot.moments import at_and_distance, distance

_DEFAULT = 30
"""Seconds of grace that the API server writes into pods whose authors say nothing."""
_AS_LONG_AS_IT_TAKES = 86400
"""Seconds from which on a grace is a wish and not a need: operators write a week into every pod that they make."""
_FOR_EVER = 100 * 365 * 86400
_FEW = 3
_PATHS = {
    Word.DO_NOT_DISRUPT_POD: ("metadata.annotations.karpenter.sh/do-not-disrupt", "true"),
    Word.PDB: ("status.disruptionsAllowed", "0"),
}


class _Cause(StrEnum):
    SHORTER = "shorter-than-pods"
    ZERO = "zero"
    ENDLESS = "endless-drain"


@dataclass(frozen=True)
class _Trap:
    """A node that is caught."""

    cause: _Cause
    claim: NodeClaim
    node: Node
    deleted: datetime | None
    """Since when it drains."""
    due: datetime | None
    """When it expires; None for never."""
    severity: Severity
    pods: tuple[Pod, ...] = ()
    """Those that are cut short, the longest grace first."""
    blockers: tuple[Blocker, ...] = ()
    """Those that hold its drain for ever."""

    @property
    def rank(self) -> tuple[int, bool, bool, float, str]:
        """Its place among others, the worst first."""
        when = self.deleted or self.due
        return (self.severity.rank, self.deleted is None, when is None, when.timestamp() if when else 0.0, self.node.name)


@rule(severity=Severity.MEDIUM, needs={Kind.NODE, Kind.NODECLAIM, Kind.POD, Kind.PODDISRUPTIONBUDGET}, since="0.1.0")
def termination_grace_trap(snapshot: Snapshot, *, look_ahead: timedelta = LOOK_AHEAD) -> Iterator[Finding]:
    """Nodes drain faster than their pods may stop, or will drain for ever once they expire."""
    traps: dict[tuple[str, _Cause], list[_Trap]] = defaultdict(list)
    for claim in snapshot.nodeclaims:
        node = snapshot.node_of_nodeclaim.get(claim.name)
        if node and claim.nodepool and (trap := _trap(snapshot, claim, node, look_ahead)):
            traps[claim.nodepool, trap.cause].append(trap)
    for (nodepool, cause), found in traps.items():
        yield _finding(snapshot, nodepool, cause, sorted(found, key=lambda trap: trap.rank))


def _trap(snapshot: Snapshot, claim: NodeClaim, node: Node, look_ahead: timedelta) -> _Trap | None:
    """What the NodeClaim says counts, not its NodePool's template. In v1beta1 it has neither field, and expiry is graceful."""
    deleted, grace = claim.metadata.deletion_timestamp or node.metadata.deletion_timestamp, claim.termination_grace_period
    due = expiry(snapshot, claim) if claim.spec.expire_after else None
    soon = deleted is not None or (due is not None and due - snapshot.taken_at <= look_ahead)
    if grace is not None:
        pods = _cut(snapshot, node, grace)
        cause = _Cause.SHORTER if grace else _Cause.ZERO
        harmed = soon and (not grace or any(_needs_it(snapshot, pod) for pod in pods))
        severity = Severity.MEDIUM if harmed else Severity.LOW
        return _Trap(cause, claim, node, deleted, due, severity, pods) if pods else None
    if claim.spec.termination_grace_period or due is None or (deleted and not died_of_expiry(snapshot, claim)):
        return None
    blockers = endless(snapshot, node)
    severity = Severity.MEDIUM if soon else Severity.LOW
    return _Trap(_Cause.ENDLESS, claim, node, deleted, due, severity, (), blockers) if blockers else None


def _grace(pod: Pod) -> timedelta:
    """How long it may take to stop; what lies beyond the calendar is as good as for ever."""
    return timedelta(seconds=min(pod.termination_grace_period_seconds or 0, _FOR_EVER))


def _cut(snapshot: Snapshot, node: Node, grace: timedelta) -> tuple[Pod, ...]:
    """The pods that a drain waits for and that may take longer to stop than it lasts; DaemonSet pods are no exception."""
    now, version, seconds = snapshot.taken_at, snapshot.karpenter_version, grace.total_seconds()
    slow = (pod for pod in snapshot.pods_on_node.get(node.name, ()) if (pod.termination_grace_period_seconds or 0) > seconds)
    cut = [pod for pod in slow if is_waited_for(pod, now, version)]
    return tuple(sorted(cut, key=lambda pod: (-_grace(pod), pod.metadata.namespace, pod.metadata.name)))


def _protected(snapshot: Snapshot, pod: Pod) -> bool:
    """Whether somebody wants the pod not to be disturbed just so."""
    return says_do_not_disrupt(pod, snapshot.taken_at, snapshot.karpenter_version) or bool(budgets_of(snapshot, pod))


def _needs_it(snapshot: Snapshot, pod: Pod) -> bool:
    """Whether its grace was chosen for the time that it takes, or it loses a protection."""
    chosen = _DEFAULT < (pod.termination_grace_period_seconds or 0) < _AS_LONG_AS_IT_TAKES
    return chosen or _protected(snapshot, pod)


def _finding(snapshot: Snapshot, nodepool: str, cause: _Cause, traps: Sequence[_Trap]) -> Finding:
    pool, first = Ref("NodePool", nodepool, "karpenter.sh/v1"), traps[0]
    message, why, cost = (_endless if cause is _Cause.ENDLESS else _too_short)(snapshot, traps)
    held = {ref for trap in traps for blocker in trap.blockers for ref in blocker.objects if ref.kind == "Pod"}
    return Finding(
        object=pool,
        owner=pool,
        nodepool=nodepool,
        cause=cause,
        severity=first.severity,
        confidence=Confidence.LIKELY if first.blockers and first.deleted else Confidence.CERTAIN,  # what it died of is inferred
        message=message,
        why=why + _template(snapshot, nodepool, traps),
        cost="; ".join([cost, *_unseen(snapshot)]),
        impact=Impact(nodes=len(traps), pods=len(held) + sum(len(trap.pods) for trap in traps)),
        evidence=tuple(_evidence(first)),
        occurrences=tuple(
            Occurrence(
                node_ref(trap.node.name),
                trap.claim.metadata.uid,
                trap.node.name,
                trap.blockers[0].word if trap.blockers else cause.replace("-", "_"),
                trap.deleted,
            )
            for trap in traps
        ),
        since=earliest(trap.deleted for trap in traps),
        fix=(
            *(_ways_out(snapshot, pool, traps) if cause is _Cause.ENDLESS else _longer(snapshot, pool, traps)),
            verification("termination-grace-trap", nodepool=nodepool),
        ),
    )


def _endless(snapshot: Snapshot, traps: Sequence[_Trap]) -> tuple[str, str, str]:
    first, draining = traps[0], sum(trap.deleted is not None for trap in traps)
    if draining:
        more = len(traps) - draining
        message = f"{plural(draining, 'node')} expired and drain{'s' * (draining == 1)} for ever" + (
            f", {more} more will" * bool(more)
        )
    else:
        when = distance(snapshot, first.due) if first.due else ""
        expiry_of = "its expiry, " if len(traps) == 1 else "their expiry, the first "
        message = f"{plural(len(traps), 'node')} will drain for ever after {expiry_of}{when}"
    message += ": there is no terminationGracePeriod, and " + first.blockers[0].said
    why = "an expired NodeClaim is deleted whatever keeps its node; the drain then waits for pods that are never evicted, and only a terminationGracePeriod would end it"
    if others := sum(len(trap.blockers) for trap in traps) - 1:
        why += f"; {others} more hold{'s' * (others == 1)} out as well"
    return message, why, f"{_when(snapshot, first)}; it takes no new pods while it drains, and is paid for until somebody acts"


def _too_short(snapshot: Snapshot, traps: Sequence[_Trap]) -> tuple[str, str, str]:
    pods = [pod for trap in traps for pod in trap.pods]
    periods = sorted({trap.claim.spec.termination_grace_period for trap in traps}, key=_written_first)
    written = few(periods, _FEW)
    longest = max(pods, key=_grace)
    where = f"{plural(len(pods), 'pod')} on {plural(len(traps), 'node')}"
    them, they_get = ("them", "they get") if len(pods) > 1 else ("it", "it gets")
    message = f"terminationGracePeriod {written} is shorter than the grace of {where}, up to {spoken(_grace(longest))}: a drain deletes {them} at once, and {they_get} {written} to stop"
    if traps[0].cause is _Cause.ZERO:
        message = f"terminationGracePeriod is {written}: a drain deletes {where} at once, without time to stop"
    why = f"a pod is deleted by force its own grace before the node's time is over: {pod_ref(longest)} may take {spoken(_grace(longest))}, so as the drain begins; no do-not-disrupt and no PodDisruptionBudget is asked then"
    by_owner: dict[str, timedelta] = {}
    for pod in sorted(pods, key=_grace, reverse=True):
        by_owner.setdefault(str(snapshot.owner(pod)), _grace(pod))
    cost = few([f"{owner} ({spoken(grace)})" for owner, grace in by_owner.items()], _FEW)
    if protected := sum(_protected(snapshot, pod) for pod in pods):
        cost += f"; {plural(protected, 'pod')} with do-not-disrupt or a PodDisruptionBudget, of no use there"
    return message, why, f"{cost}; {_when(snapshot, traps[0])}"


def _written_first(written: str) -> tuple[timedelta, str]:
    return duration(written) or timedelta(), written


def _when(snapshot: Snapshot, trap: _Trap) -> str:
    """When the node is drained, as far as that is known."""
    name = f"node {trap.node.name}"
    if trap.deleted:
        return f"{name} is drained since {at_and_distance(snapshot, trap.deleted)}"
    if trap.due is None:
        return f"{name} never expires; drift, consolidation and deletion drain it all the same"
    return f"{name} expires at {at_and_distance(snapshot, trap.due)}"


def _template(snapshot: Snapshot, nodepool: str, traps: Sequence[_Trap]) -> str:
    """What the NodePool says by now, where that is something else than what its nodes were made with."""
    pool = snapshot.nodepools_by_name.get(nodepool)
    if not snapshot.covered(Kind.NODEPOOL).sufficient:
        return f"; whether the NodePool's template has changed since is not known: NodePool is {snapshot.covered(Kind.NODEPOOL)}"
    if pool is None or all(trap.claim.termination_grace_period == _now(snapshot, nodepool) for trap in traps):
        return ""
    written = pool.spec.template.spec.termination_grace_period or "none"
    return f"; the NodePool's template says {written} by now, but a node keeps what it was made with"


def _now(snapshot: Snapshot, nodepool: str) -> timedelta | None:
    """The terminationGracePeriod of nodes that are made from now on; None where it has none, or is not seen."""
    pool = snapshot.nodepools_by_name.get(nodepool)
    return duration(pool.spec.template.spec.termination_grace_period) if pool else None


def _unseen(snapshot: Snapshot) -> Iterator[str]:
    for kind in (Kind.POD, Kind.PODDISRUPTIONBUDGET):
        if not snapshot.whole(kind):
            yield f"there may be more: {kind} is {snapshot.covered(kind)}"


def _evidence(trap: _Trap) -> Iterator[Evidence]:
    ref, spec = Ref("NodeClaim", trap.claim.name, "karpenter.sh/v1"), trap.claim.spec
    yield Evidence(ref, "spec.terminationGracePeriod", spec.termination_grace_period or "none")
    yield Evidence(ref, "spec.expireAfter", spec.expire_after)
    for pod in trap.pods[:_FEW]:
        yield Evidence(pod_ref(pod), "spec.terminationGracePeriodSeconds", str(pod.termination_grace_period_seconds))
    for blocker in trap.blockers[:_FEW]:
        path, value = _PATHS.get(blocker.word, ("spec.selector", blocker.said))
        yield Evidence(blocker.objects[0], path, value)


def _ways_out(snapshot: Snapshot, pool: Ref, traps: Sequence[_Trap]) -> Iterator[Fix]:
    """First what holds the nodes that stand: a terminationGracePeriod is for nodes that are made later."""
    steps = (step for trap in traps for blocker in trap.blockers for step in remedies(blocker))
    yield from list(dict.fromkeys(steps))[:_FEW]
    if _now(snapshot, pool.name) is None:
        patch = shlex.quote('{"spec":{"template":{"spec":{"terminationGracePeriod":"24h"}}}}')
        risk = "drifts the pool's nodes; those that stand keep none, on later ones blocking pods are killed when it elapses"
        yield Fix("fix", f"kubectl patch nodepool {shlex.quote(pool.name)} --type merge -p {patch}", risk=risk)


def _longer(snapshot: Snapshot, pool: Ref, traps: Sequence[_Trap]) -> Iterator[Fix]:
    longest, now = max(_grace(trap.pods[0]) for trap in traps), _now(snapshot, pool.name)
    if now is not None and now > longest:
        text = "new nodes have time enough; before one of these goes, let its pods stop in their own time, by a rollout or by hand"
        yield Fix("fix", text=text)
        return
    text = f"a terminationGracePeriod longer than {spoken(longest)} and what evictions take, or less terminationGracePeriodSeconds for these pods"
    risk = "a change drifts the pool's nodes; those that stand keep theirs, and cut their pods short as they are replaced"
    yield Fix("fix", command("edit", pool), text, risk)
