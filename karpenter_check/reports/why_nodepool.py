"""The answer to "why nodepool": for people on one screen."""

from collections.abc import Iterator
from datetime import tzinfo

from rich.text import Text

from karpenter_check.disruption.allowance import Unknown
from karpenter_check.reports.headed import headed, laid_out
from karpenter_check.reports.printable import printable
from karpenter_check.reports.story import Line
from karpenter_check.reports.why_nodepool_disruption import ahead_lines, blocked_lines, disruption_lines
from karpenter_check.scheduling.requirement import Requirement
from karpenter_check.snapshot import Kind, Snapshot, Version
from karpenter_check.snapshot.clip import clip
from karpenter_check.snapshot.counted import few, plural
from karpenter_check.snapshot.quantity import Milli, shown
from karpenter_check.why.nodepool import NodePoolAnswer
from karpenter_check.why.nodepool_limits import Limit
from karpenter_check.why.nodepool_members import Members

_INDENT = 12
_MOST = 3
"""Lines of one kind."""
_MOST_VALUES = 6
_MOST_REQUIREMENTS = 8
_LONGEST = 150
_COUNTS_BY_TYPE = Version(1, 14)


def render_why_nodepool(snapshot: Snapshot, answer: NodePoolAnswer, *, width: int, color: bool, zone: tzinfo | None = None) -> str:
    """The answer in lines, `width` columns wide; times in UTC and in the zone, without one the terminal's."""
    return laid_out(_lines(snapshot, answer, zone), width=width, color=color)


def _lines(snapshot: Snapshot, answer: NodePoolAnswer, zone: tzinfo | None) -> Iterator[Line]:
    yield from headed("WHAT", _what(snapshot, answer), _settings(answer), indent=_INDENT)
    yield from headed("BUYS", _requirements(answer), _template(answer), indent=_INDENT)
    yield from headed("LIMITS", *_limits(answer), indent=_INDENT)
    yield from headed("USED BY", *_used_by(snapshot, answer), indent=_INDENT)
    yield from headed("NODES", *_nodes(answer.members), indent=_INDENT)
    yield from headed("DISRUPTION", *disruption_lines(answer, zone), indent=_INDENT)
    yield from headed("NEXT 7 DAYS", *ahead_lines(answer, zone), indent=_INDENT)
    yield from headed("BLOCKED AT", *blocked_lines(answer.kept), indent=_INDENT)
    if answer.unseen:
        yield from headed("UNSEEN", "; ".join(answer.unseen), indent=_INDENT)
    for place, step in enumerate(answer.fix):
        heading = f"{'DO' if place == 0 else '':{_INDENT}}"
        if step.command:
            yield Line([Text(printable(step.command), "bold")], heading, " " * _INDENT, command=True)
            heading = " " * _INDENT
        if step.text:
            yield Line([Text(printable(clip(step.text)))], heading, " " * _INDENT)


def _what(snapshot: Snapshot, answer: NodePoolAnswer) -> str:
    nodepool = answer.nodepool
    readiness = nodepool.readiness
    if readiness is None:
        ready = "whether it is Ready is not said"
    elif readiness.status == "True":
        ready = "Ready"
    else:
        ready = f"not Ready ({': '.join(part for part in (readiness.reason, clip(readiness.message, _LONGEST)) if part)})"
    faults = [str(fault) for fault in answer.faults if fault.cause not in {"nodepool:not-ready", "nodepool:static"}]
    kind = f"static ({nodepool.spec.replicas} replicas)" if nodepool.static else "not static"
    ranked = answer.others and snapshot.whole(Kind.NODEPOOL) and not nodepool.static
    tried = f" (tried {answer.place} of {answer.others + 1})" if ranked else ""
    parts = [ready, *faults, clip(answer.node_class, _LONGEST), f"weight {nodepool.spec.weight}{tried}", kind]
    return f"NodePool {nodepool.name}: " + ", ".join(parts)


def _settings(answer: NodePoolAnswer) -> str:
    spec, disruption = answer.nodepool.spec.template.spec, answer.nodepool.spec.disruption
    expires = spec.expire_after or disruption.expire_after or "not said"
    grace = spec.termination_grace_period or "none (drains are not forced)"
    policy = (
        f"{disruption.consolidation_policy or 'policy not said'}, consolidateAfter {disruption.consolidate_after or 'not said'}"
    )
    return f"{policy}, expireAfter {expires}, terminationGracePeriod {grace}"


def _requirements(answer: NodePoolAnswer) -> str:
    texts = [_requirement(entry) for entry in answer.requirements]
    more = len(texts) - _MOST_REQUIREMENTS
    return (
        "; ".join(texts[:_MOST_REQUIREMENTS]) + (f"; and {more} more" if more > 0 else "")
        if texts
        else "any instance: no requirements"
    )


def _requirement(entry: Requirement) -> str:
    """What a label of its nodes may be."""
    values = sorted(entry.values)
    listed = ", ".join(values[:_MOST_VALUES]) + (f" and {len(values) - _MOST_VALUES} more" if len(values) > _MOST_VALUES else "")
    minimum = f" (at least {entry.min_values} different)" if entry.min_values is not None else ""
    bounds = [f">= {entry.at_least}"] * (entry.at_least is not None) + [f"<= {entry.at_most}"] * (entry.at_most is not None)
    match entry.operator:
        case "In":
            text = listed if len(values) == 1 else f"one of {listed}"
        case "DoesNotExist":
            text = "none"
        case "NotIn":
            text = " and ".join([*bounds, f"not {listed}"])
        case _:
            text = " and ".join(bounds) or "any"
    return f"{entry.key} {text}{minimum}"


def _template(answer: NodePoolAnswer) -> str:
    template = answer.nodepool.spec.template
    parts = (
        ("labels", [f"{key}={value}" for key, value in template.metadata.labels.items()]),
        ("taints", [str(taint) for taint in template.spec.taints]),
        ("startupTaints", [str(taint) for taint in template.spec.startup_taints]),
    )
    return "; ".join(f"{name} {few(listed, 5)}" for name, listed in parts)


def _limits(answer: NodePoolAnswer) -> Iterator[str]:
    texts = [_limit(limit) for limit in answer.limits]
    yield "; ".join(texts) if texts else "none"
    waiting = list(answer.short_of.items())
    for owner, reached in waiting[:_MOST]:
        yield f"too little for {owner}: {'; '.join(map(str, reached))}"
    if len(waiting) > _MOST:
        yield f"and for {len(waiting) - _MOST} more workloads"


def _limit(limit: Limit) -> str:
    name = limit.resource
    if limit.used is None:
        return f"{name} {shown(name, limit.limit)}, used: not said"
    left = limit.limit - limit.used
    rest = f"{shown(name, left)} left" if left >= 0 else f"{shown(name, -left)} over"
    claims = "not known" if limit.claims is None else shown(name, limit.claims)
    return f"{name} {shown(name, limit.used)} of {shown(name, limit.limit)} used, {rest} (its NodeClaims: {claims})"


def _amounts(requests: Milli) -> str:
    return ", ".join(f"{shown(name, amount)} {name}" for name, amount in requests.items() if amount and name != "pods")


def _used_by(snapshot: Snapshot, answer: NodePoolAnswer) -> Iterator[str]:
    workloads = answer.workloads
    if isinstance(workloads, Unknown):
        yield f"not known: {workloads.why}"
    else:
        for one in workloads[:_MOST]:
            yield f"{one.owner}: {plural(one.pods, 'pod')}, {_amounts(one.requests) or 'no requests'}"
        if not workloads:
            yield "no workloads" if snapshot.whole(Kind.NODE) and snapshot.whole(Kind.POD) else "no workloads that were seen"
        if more := workloads[_MOST:]:
            yield f"and {plural(len(more), 'more workload')} with {plural(sum(one.pods for one in more), 'pod')}"
    overhead = answer.overhead
    if isinstance(overhead, Unknown):
        yield f"DaemonSets that count against it: not known: {overhead.why}"
        return
    version, number = snapshot.karpenter_version, len(overhead.daemonsets)
    most = " at most" if version and version >= _COUNTS_BY_TYPE else ""
    amounts = _amounts(overhead.requests)
    takes = f", {amounts} of each node" if amounts else ""
    yield f"{plural(number, 'DaemonSet')} count{'s' * (number == 1)} against it{most}{takes}"


def _nodes(members: Members | Unknown) -> Iterator[str]:
    if isinstance(members, Unknown):
        yield f"not known: {members.why}"
        return
    counts = f"{plural(members.nodes, 'node')}: {members.ready} ready, {members.initialized} initialized, {members.terminating} terminating"
    if members.drifted is None or members.without_node is None:
        yield f"{counts}; drifted and expiring: not known without all NodeClaims"
        return
    waiting = f"; and {plural(members.without_node, 'NodeClaim')} without a node" if members.without_node else ""
    if members.expiring_in_a_day is None:
        expiring = "expiring: not known without a time"
    else:
        expiring = f"expiring {members.expiring_in_a_day} in 24 h, {members.expiring_in_a_week} in 7 d"
        expiring += f", {members.overdue} overdue" if members.overdue else ""
    yield f"{counts}, {members.drifted} drifted; {expiring}{waiting}"
