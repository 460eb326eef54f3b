"""Who says do-not-disrupt on nodes that should go, and who has said it so long that nobody may remember."""

import shlex
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from karpenter_check.disruption.blocker import Blocker, Lasts
from karpenter_check.disruption.do_not_disrupt import DO_NOT_DISRUPT, in_template, on_object
from karpenter_check.disruption.due import Due, Way, due
from karpenter_check.disruption.pod_blockers import annotated
from karpenter_check.disruption.pods import do_not_disrupt_until, is_disruptable, is_mirror, is_waited_for
from karpenter_check.disruption.state_node import state_node
from karpenter_check.finding import Confidence, Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity, earliest, verification
from karpenter_check.rule import Stage, rule
from karpenter_check.scheduling.nomination import node_ref, pod_ref
from karpenter_check.snapshot import Kind, Node, NodeClaim, Pod, Snapshot
from karpenter_check.snapshot.duration import spoken
from karpenter_check.snapshot.node import NODEPOOL_LABEL

_POD, _DAEMONSET, _NODE, _TEMPLATE, _FORGOTTEN = "pod", "daemonset", "node", "nodepool-template", "forgotten"
_DRAINS = {Way.TERMINATING, Way.EXPIRING}
_COUNTED = {Way.TERMINATING: "terminating", Way.EXPIRING: "about to expire", Way.DRIFTED: "drifted", Way.EMPTY: "empty"}
_FIELDS = {
    Way.TERMINATING: "metadata.deletionTimestamp",
    Way.EXPIRING: "spec.expireAfter",
    Way.DRIFTED: "status.conditions[Drifted]",
    Way.EMPTY: "status.conditions[Consolidatable]",
}
_TIMED = "4h"
_COSTS = {
    Way.TERMINATING: "a node that is paid for and takes no new pods, as long as that pod stays",
    Way.EXPIRING: "a node that will be paid for and take no new pods, as long as that pod stays",
    Way.DRIFTED: "nodes with old images and settings",
    Way.EMPTY: "nodes that are paid for and do nothing",
    Way.UNDERUTILIZED: "nodes that drift does not replace and nothing consolidates",
}
"""The last one is that of nodes which nothing wants gone now."""
_NEVER_EVICTED = "a drain waits for such a pod, and Karpenter never evicts it"
_NEVER_DISRUPTED = "Karpenter disrupts no node with such a pod, neither for drift nor to consolidate"
_NODE_LEFT_ALONE = "Karpenter disrupts no node that says so, neither for drift nor to consolidate; expiry and a deletion ask nobody"


@dataclass(frozen=True)
class _After:
    """The rule's settings."""

    fail_within: timedelta
    warn_within: timedelta
    finishes_within: timedelta
    forgotten_after: timedelta


@dataclass(frozen=True)
class _Hold:
    """A node, who says do-not-disrupt on it, and what is bad about that."""

    owner: Ref
    cause: str
    node: Node
    claim: NodeClaim
    pod: Pod | None
    """None where the Node says it itself."""
    due: Due | None
    """Why the node should go; None where nothing wants it gone now."""
    severity: Severity
    confidence: Confidence
    since: datetime | None


@rule(severity=Severity.MEDIUM, needs={Kind.NODE, Kind.NODECLAIM, Kind.NODEPOOL, Kind.POD}, since="0.1.0", stage=Stage.BLOCKER)
def do_not_disrupt_blocks(
    snapshot: Snapshot,
    *,
    fail_within: timedelta = timedelta(hours=24),
    warn_within: timedelta = timedelta(days=7),
    finishes_within: timedelta = timedelta(hours=24),
    forgotten_after: timedelta = timedelta(days=14),
) -> Iterator[Finding]:
    """Pods, nodes or NodePools that say do-not-disrupt keep nodes that should go, or have kept nodes for weeks."""
    after = _After(fail_within, warn_within, finishes_within, forgotten_after)
    found: dict[tuple[Ref, str], list[_Hold]] = defaultdict(list)
    for claim in snapshot.nodeclaims:
        if node := snapshot.node_of_nodeclaim.get(claim.name):
            for hold in _holds(snapshot, node, claim, after):
                found[hold.owner, hold.cause].append(hold)
    harmful = {owner for owner, cause in found if cause != _FORGOTTEN}
    for (owner, cause), holds in found.items():
        if cause != _FORGOTTEN or owner not in harmful:
            yield _finding(
                snapshot, owner, cause, sorted(holds, key=lambda hold: (hold.severity.rank, hold.since or snapshot.taken_at, hold.node.name))
            )  # fmt: skip


def _holds(snapshot: Snapshot, node: Node, claim: NodeClaim, after: _After) -> Iterator[_Hold]:
    now, version = snapshot.taken_at, snapshot.karpenter_version
    pods = [
        pod
        for pod in snapshot.pods_on_node.get(node.name, ())
        if pod.metadata.annotations.do_not_disrupt and not is_disruptable(pod, now, version) and snapshot.settled(_started(pod))
    ]
    itself = node.initialized and state_node(snapshot, claim).annotations.do_not_disrupt == "true"
    if not pods and not itself:
        return
    reasons = due(snapshot, claim, max(after.fail_within, after.warn_within))
    standing = [reason for reason in reasons if reason.way is Way.EXPIRING or snapshot.settled(reason.at)]
    stays = not any(reason.way is Way.TERMINATING for reason in reasons)
    if itself and (hold := _of_node(snapshot, node, claim, standing, stays=stays, after=after)):
        yield hold
    stays = stays and _may_be_disrupted(snapshot, claim)
    for pod in pods:
        if hold := _of_pod(snapshot, node, claim, pod, standing, stays=stays, after=after):
            yield hold


def _started(pod: Pod) -> datetime | None:
    return pod.start_time or pod.metadata.creation_timestamp


def _may_be_disrupted(snapshot: Snapshot, claim: NodeClaim) -> bool:
    """Whether a pod could ever keep the node from anything: from drift without a terminationGracePeriod, or from consolidation."""
    nodepool = snapshot.nodepools_by_name.get(claim.nodepool)
    if nodepool is None:
        return False
    return claim.termination_grace_period is None or not (nodepool.static or nodepool.spec.disruption.consolidate_after == "Never")


def _pool(claim: NodeClaim) -> Ref:
    """Its NodePool; of a NodeClaim that somebody made by hand, itself."""
    return Ref("NodePool", claim.nodepool, "karpenter.sh/v1") if claim.nodepool else Ref("NodeClaim", claim.name, "karpenter.sh/v1")


def _of_node(
    snapshot: Snapshot, node: Node, claim: NodeClaim, reasons: Sequence[Due], *, stays: bool, after: _After
) -> _Hold | None:
    """What a Node's own annotation keeps: graceful disruption alone, and from drift even with a terminationGracePeriod."""
    nodepool, created = snapshot.nodepools_by_name.get(claim.nodepool), claim.metadata.creation_timestamp
    templated = nodepool is not None and nodepool.spec.template.metadata.annotations.do_not_disrupt == "true"
    cause = _TEMPLATE if templated else _NODE
    for reason in reasons:
        if reason.way in {Way.DRIFTED, Way.EMPTY}:
            return _Hold(_pool(claim), cause, node, claim, None, reason, Severity.MEDIUM, Confidence.CERTAIN, reason.at)
    if not stays or created is None or snapshot.taken_at - created < after.forgotten_after:
        return None
    made_so = claim.metadata.annotations.do_not_disrupt == "true"
    sure = Confidence.CERTAIN if made_so else Confidence.POSSIBLE  # nothing tells when a node was annotated by hand
    forgotten = _FORGOTTEN if cause == _NODE else _TEMPLATE
    return _Hold(_pool(claim), forgotten, node, claim, None, None, Severity.LOW, sure, created if made_so else None)


def _of_pod(
    snapshot: Snapshot, node: Node, claim: NodeClaim, pod: Pod, reasons: Sequence[Due], *, stays: bool, after: _After
) -> _Hold | None:
    """The worst of what a pod's annotation keeps its node from."""
    said, started, now = annotated(snapshot, pod), _started(pod), snapshot.taken_at
    owner = _pool(claim) if is_mirror(pod) else snapshot.owner(pod)
    cause = _DAEMONSET if pod.daemonset_uid else _POD
    judged = [(severity, reason) for reason in reasons if (severity := _harm(snapshot, claim, pod, said, reason, after))]
    severity, reason = min(judged, key=lambda entry: entry[0].rank, default=(None, None))
    always = pod.metadata.annotations.do_not_disrupt == "true"
    if stays and always and cause == _DAEMONSET:
        severity = Severity.HIGH
    if severity:
        past = reason.at if reason and reason.at and reason.at <= now else None
        since = max(past, started) if past and started else started
        return _Hold(owner, cause, node, claim, pod, reason, severity, said.confidence, since)
    if not (stays and always and started and now - started >= after.forgotten_after):
        return None
    return _Hold(owner, _FORGOTTEN, node, claim, pod, None, Severity.LOW, Confidence.CERTAIN, started)


def _harm(snapshot: Snapshot, claim: NodeClaim, pod: Pod, said: Blocker, reason: Due, after: _After) -> Severity | None:
    """How bad it is that the pod keeps its node from this; None where it does not, or may well be gone by then.

    That it keeps an under-used node from consolidation is what the annotation is for.
    """
    now, started, at = snapshot.taken_at, _started(pod) or snapshot.taken_at, reason.at or snapshot.taken_at
    ahead = reason.way is Way.EXPIRING
    waited_for = is_waited_for(pod, now, snapshot.karpenter_version)
    forced = ahead and claim.termination_grace_period is not None
    if reason.way is Way.UNDERUTILIZED or not reason.pods_keep or forced or (reason.way in _DRAINS and not waited_for):
        return None
    harm = Severity.LOW if ahead and at - now > after.fail_within else reason.harm
    if said.lasts is Lasts.FOR_EVER:
        return harm
    if said.until:
        if ahead and said.until <= at:
            return None
        return harm if said.until - now > after.forgotten_after else Severity.LOW
    if now - max(started, min(at, now) if not ahead else started) >= after.finishes_within:
        return harm
    return None if ahead else Severity.LOW if said.lasts is Lasts.MAY_END else harm.lowered(1)


def _finding(snapshot: Snapshot, owner: Ref, cause: str, holds: Sequence[_Hold]) -> Finding:
    worst, nodepool = holds[0], owner.name if owner.kind == "NodePool" else ""
    nodes = {hold.node.name: hold for hold in reversed(holds)}
    pods = [hold.pod for hold in holds if hold.pod]
    alone = worst.pod is None and len(nodes) == 1 and cause != _TEMPLATE
    counts = Counter(hold.due.way for hold in nodes.values() if hold.due and hold.due.way in _COUNTED)
    return Finding(
        object=node_ref(worst.node.name) if alone else owner,
        owner=owner,
        nodepool=nodepool,
        cause=cause,
        severity=worst.severity,
        confidence=worst.confidence,
        message=_message(snapshot, owner, cause, holds, len(nodes)),
        why=_why(worst),
        cost=_cost(worst, counts),
        impact=Impact(nodes=len(nodes), pods=len(pods) if pods else None),
        evidence=tuple(_evidence(worst)),
        occurrences=tuple(
            Occurrence(
                pod_ref(hold.pod) if hold.pod else node_ref(hold.node.name),
                (hold.pod or hold.node).metadata.uid,
                hold.node.name,
                hold.due.way if hold.due else cause,
                hold.since,
            )
            for hold in holds
        ),
        since=earliest(hold.since for hold in holds),
        fix=(*_fix(owner, cause, holds), verification("do-not-disrupt-blocks", nodepool=nodepool, namespace=owner.namespace)),
    )


def _cost(worst: _Hold, counts: Mapping[Way, int]) -> str:
    """What the worst of it costs, and how many nodes it is where they differ."""
    told = [f"{counts[way]} {_COUNTED[way]}" for way in _COUNTED if counts.get(way)]
    cost = _COSTS[worst.due.way if worst.due else Way.UNDERUTILIZED]
    return cost + (f"; {', '.join(told)}" if len(told) > 1 else "")


def _message(snapshot: Snapshot, owner: Ref, cause: str, holds: Sequence[_Hold], nodes: int) -> str:
    worst, pods = holds[0], sum(hold.pod is not None for hold in holds)
    if cause == _DAEMONSET and worst.severity is Severity.HIGH:
        does = "consolidates" if all(hold.claim.termination_grace_period is not None for hold in holds) else "disrupts"
        return f"{owner.qualified_name}'s pods say do-not-disrupt: Karpenter {does} no node that they run on, {nodes} now"
    way = worst.due.way if worst.due else None
    alike = len({hold.node.name for hold in holds if (hold.due.way if hold.due else None) is way})
    place = "it" if worst.pod is None and cause != _TEMPLATE else "a node" if cause == _TEMPLATE else "its node"
    some = f"{alike} nodes" if alike == nodes else f"{alike} of {nodes} nodes"
    return f"{_subject(owner, cause, worst, pods, nodes)}: {_consequence(snapshot, worst, place if nodes == 1 else some, alike)}"


def _subject(owner: Ref, cause: str, worst: _Hold, pods: int, nodes: int) -> str:
    if cause == _TEMPLATE:
        return f"{owner.name}'s template says do-not-disrupt"
    if worst.pod is None:
        return f"{worst.node.name} says do-not-disrupt" if nodes == 1 else f"{nodes} nodes of {owner.name} say do-not-disrupt"
    return (
        f"{owner.qualified_name} says do-not-disrupt" if pods == 1 else f"{pods} pods of {owner.qualified_name} say do-not-disrupt"
    )


def _consequence(snapshot: Snapshot, worst: _Hold, some: str, nodes: int) -> str:
    """What comes of it for so many nodes, the worst of which is told."""
    several, now = nodes > 1, snapshot.taken_at
    first = ", the first" if several else ""
    if worst.due is None:
        born = worst.since or worst.claim.metadata.creation_timestamp or now
        for_long = (
            f", for {spoken(now - born)} by now"
            if worst.since
            else f"; {'the oldest' if several else 'it'} is {spoken(now - born)} old"
        )
        return f"Karpenter neither consolidates nor replaces {some}{for_long}"
    at = worst.due.at or now
    match worst.due.way:
        case Way.TERMINATING:
            end = worst.due.said.removeprefix("being deleted, and ")
            return f"{some} {'are' if several else 'has been'} terminating{', the first' if several else ''} for {spoken(now - at)}; {end}"
        case Way.EXPIRING if at > now:
            return f"{some} expire{'' if several else 's'}{first} in {spoken(at - now)}, and would then drain for ever"
        case Way.EXPIRING:
            return f"{some} should have expired{first} {spoken(now - at)} ago, and would then drain for ever"
        case Way.DRIFTED:
            ago = f"{'have ' if several else ''}drifted{first} {spoken(now - at)} ago"
            return f"{some} {ago}, and {'are' if several else 'is'} not replaced"
        case _:
            return f"{some} {'are' if several else 'is'} empty and {'have' if several else 'has'} been kept for {spoken(now - at)}"


def _why(worst: _Hold) -> str:
    by = pod_ref(worst.pod) if worst.pod else node_ref(worst.node.name)
    value = worst.pod.metadata.annotations.do_not_disrupt if worst.pod else "true"
    why = f'{by} says {DO_NOT_DISRUPT}: "{value}"'
    if worst.pod:
        why += f" on {node_ref(worst.node.name)}" + (
            f", {worst.due.said}" if worst.due and worst.due.way is not Way.TERMINATING else ""
        )
        until = do_not_disrupt_until(worst.pod)
        why += f"; until {until:%Y-%m-%d %H:%MZ}" if until else ""
        if worst.confidence is Confidence.POSSIBLE:
            why += "; Karpenter knows durations since 1.12, and which version runs is not known"
        drains = worst.due is not None and worst.due.way in _DRAINS
        return f"{why}; {_NEVER_EVICTED if drains else _NEVER_DISRUPTED}"
    why += f", {worst.due.said}" if worst.due else ""
    if worst.confidence is Confidence.POSSIBLE:
        why += "; since when is not known"
    return f"{why}; {_NODE_LEFT_ALONE}"


def _evidence(worst: _Hold) -> Iterator[Evidence]:
    by = pod_ref(worst.pod) if worst.pod else node_ref(worst.node.name)
    value = worst.pod.metadata.annotations.do_not_disrupt if worst.pod else "true"
    yield Evidence(by, f"metadata.annotations[{DO_NOT_DISRUPT}]", value)
    if worst.due:
        yield Evidence(Ref("NodeClaim", worst.claim.name, "karpenter.sh/v1"), _FIELDS[worst.due.way], worst.due.said)


def _fix(owner: Ref, cause: str, holds: Sequence[_Hold]) -> Iterator[Fix]:
    worst, patch = holds[0], in_template(owner, None)
    pod, others = worst.pod, f"; {len(holds) - 1} more like it" if len(holds) > 1 else ""
    if cause == _TEMPLATE:
        nodes = f"kubectl annotate node -l {shlex.quote(f'{NODEPOOL_LABEL}={owner.name}')} {DO_NOT_DISRUPT}-"
        yield Fix("stop", nodes, risk="Karpenter may then disrupt them, as its budgets allow")
        yield Fix("fix", patch, risk="drifts its nodes; those that are there keep the annotation until it is taken off them")
        return
    if pod is None:
        yield Fix("fix", on_object(node_ref(worst.node.name), None), risk=f"Karpenter may then disrupt it at once{others}")
        return
    drains = worst.due is not None and worst.due.way in _DRAINS
    if cause != _FORGOTTEN or owner.kind == "Pod":
        patience = (
            "or wait: Jobs finish" if (pod.metadata.controller and pod.metadata.controller.kind == "Job") else "ask its owner first"
        )
        risk = f"Karpenter {'then evicts it' if worst.due and worst.due.way is Way.TERMINATING else 'may then evict it'}{others}"
        yield Fix("stop" if patch else "fix", on_object(pod_ref(pod), None), patience, risk)
    if patch:
        text = (
            f'if the template has it; with "{_TIMED}" in place of null a pod is left alone so long after its start (Karpenter 1.12)'
        )
        yield Fix("fix", patch, text, "replaces the pods, now or as its strategy says")
    elif owner.kind not in {"Pod", "Job"}:
        yield Fix("fix", text=f"take the annotation out of what {owner} makes its pods from")
    if drains and worst.claim.termination_grace_period is None:
        yield Fix("fix", text="a terminationGracePeriod in the NodePool's template ends such drains, of nodes made from then on")
