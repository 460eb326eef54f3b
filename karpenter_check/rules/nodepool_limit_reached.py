"""NodePools whose limits keep pods waiting."""

import shlex
from collections.abc import Iterator, Sequence
from datetime import timedelta

from karpenter_check.finding import Confidence, Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity, verification
from karpenter_check.rule import Stage, rule
from karpenter_check.scheduling.nodepool import LimitReached, remaining
from karpenter_check.scheduling.nomination import pod_ref
from karpenter_check.scheduling.unserved import Unserved, limited
from karpenter_check.snapshot import GRACE, Kind, NodePool, Snapshot
from karpenter_check.snapshot.counted import few, plural
from karpenter_check.snapshot.quantity import amounts, shown

_NAMED = 3


@rule(
    severity=Severity.HIGH,
    needs={Kind.NODE, Kind.POD, Kind.NODEPOOL, Kind.DAEMONSET, Kind.NODECLAIM},
    since="0.1.0",
    stage=Stage.NODEPOOL,
)
def nodepool_limit_reached(
    snapshot: Snapshot, *, warn_after: timedelta = GRACE, fail_after: timedelta = timedelta(minutes=5)
) -> Iterator[Finding]:
    """Pods wait because a NodePool's limits leave no room for a node that would take them."""
    for name, unserved in limited(snapshot).items():
        waiting = [entry for entry in unserved if snapshot.taken_at - entry.since >= warn_after]
        if waiting:
            long = any(snapshot.taken_at - entry.since >= fail_after and not entry.case.stranger for entry in waiting)
            yield _finding(snapshot, snapshot.nodepools_by_name[name], waiting, long=long)


def _finding(snapshot: Snapshot, nodepool: NodePool, waiting: Sequence[Unserved], *, long: bool) -> Finding:
    """`long` is whether some pod has waited for long, and has nothing else to wait for."""
    ref = Ref("NodePool", nodepool.name, "karpenter.sh/v1")
    owners = list(dict.fromkeys(snapshot.owner(entry.pod) for entry in waiting))
    least = _least(nodepool, waiting)
    resources = [entry.resource for entry in least] or list(nodepool.spec.limits)
    state = remaining(nodepool)
    stranger = next((entry.case.stranger for entry in waiting if entry.case.stranger), "")
    said = next((entry.said for entry in waiting if entry.said), None)
    return Finding(
        object=ref,
        owner=ref,
        nodepool=nodepool.name,
        cause="pods-wait",
        severity=None if long else Severity.HIGH.lowered(2),
        confidence=Confidence.CERTAIN if least else Confidence.LIKELY,
        message=f"{nodepool.name} has reached its limits: {_short(nodepool, least)}; {_who(owners, len(waiting))}",
        why="; ".join(
            [
                *(f"{name}: {shown(name, used)} of {shown(name, limit)} used" for name, (limit, used) in state.items()),
                "a node counts with its whole capacity, whatever its pods ask",
                *_sizes(snapshot, nodepool, resources),
                *([f"Node {stranger} is not Karpenter's and admits some of them: they may wait for another autoscaler"] if stranger else []),
            ]
        ),
        impact=Impact(pods=len(waiting)),
        evidence=(
            *(Evidence(ref, f"spec.limits.{name}", str(nodepool.spec.limits[name])) for name in resources),
            *(Evidence(ref, f"status.resources.{name}", str(nodepool.status.resources.get(name, "not set"))) for name in resources),
            *([Evidence.of_event(said)] if said else []),
        ),
        occurrences=tuple(
            Occurrence(pod_ref(entry.pod), entry.pod.metadata.uid, reason="limit", since=entry.since) for entry in waiting
        ),
        since=waiting[0].since,
        fix=(
            Fix(
                "fix", f"kubectl edit nodepool {shlex.quote(nodepool.name)}",
                f"{_advice(least)}; or let nodes go that are hardly used: karpenter-check why nodepool {shlex.quote(nodepool.name)}",
                "it may then buy so much more; a change of limits drifts no node",
            ),
            verification("nodepool-limit-reached", nodepool=nodepool.name),
        ),
    )  # fmt: skip


def _least(nodepool: NodePool, waiting: Sequence[Unserved]) -> Sequence[LimitReached]:
    """Of each limit that is proven to keep a pod away, the case with the smallest node."""
    smallest: dict[str, LimitReached] = {}
    for entry in waiting:
        for reached in entry.limited_by[nodepool.name]:
            known = smallest.get(reached.resource)
            if known is None or reached.asked < known.asked:
                smallest[reached.resource] = reached
    return list(smallest.values())


def _short(nodepool: NodePool, least: Sequence[LimitReached]) -> str:
    """What is left of the limits, and what the next node needs."""
    if least:
        return " and ".join(
            _left(entry.resource, entry.limit, entry.used)
            + (f", {shown(entry.resource, entry.asked)} needed" if entry.asked and entry.resource != "nodes" else "")
            for entry in least
        )
    left = " and ".join(_left(name, limit, used) for name, (limit, used) in remaining(nodepool).items())
    return f"{left}, and Karpenter finds no instance type that is so small"


def _left(resource: str, limit: int, used: int) -> str:
    return f"{shown(resource, max(0, limit - used))} of {shown(resource, limit)} {resource} left"


def _who(owners: Sequence[Ref], pods: int) -> str:
    named, wait = few([str(owner) for owner in owners], _NAMED), f"wait{'s' * (pods == 1)}"
    bare = all(owner.kind == "Pod" for owner in owners)
    return f"{named} {wait}" if bare else f"{plural(pods, 'pod')} of {named} {wait}"


def _sizes(snapshot: Snapshot, nodepool: NodePool, resources: Sequence[str]) -> Iterator[str]:
    """How much the smallest of its nodes counts of each of the resources, where its NodeClaims say so."""
    sizes = [amounts(claim.status.capacity) for claim in snapshot.nodeclaims if claim.nodepool == nodepool.name]
    for name in resources:
        has = [size[name] for size in sizes if name in size]
        if has:
            yield f"its smallest node has {shown(name, min(has))} {name}"


def _advice(least: Sequence[LimitReached]) -> str:
    if not least:
        return "raise spec.limits by the size of a node or more"
    enough = " and ".join(f"{entry.resource} to more than {shown(entry.resource, entry.used + entry.asked)}" for entry in least)
    return f"raise spec.limits, {enough}: a node is larger than its pods, and nodes that are being replaced need room, too"
