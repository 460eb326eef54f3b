"""The first founding problem: DaemonSets that Karpenter did not count, on nodes that it sized without them."""

import json
import shlex
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from karpenter_check.disruption.budgets import allowed_at_a_time
from karpenter_check.finding import Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity, earliest
from karpenter_check.rule import rule
from karpenter_check.scheduling.daemonset import REVISION_LABEL, DaemonSetPod, daemonset_pod, refusals
from karpenter_check.scheduling.nomination import nominees, pod_ref, target_node
from karpenter_check.scheduling.preemption import Preemptions, preemptions
from karpenter_check.scheduling.purchases import purchases
from karpenter_check.scheduling.refusal import NoOverlap, Refusal, UndefinedLabel, UntoleratedTaint
from karpenter_check.scheduling.room import room_on
from karpenter_check.scheduling.template import LIFECYCLE_LABELS, drifted_from, template_of_nodeclaim, template_of_nodepool
from karpenter_check.snapshot import DaemonSet, Kind, Node, NodePool, Pod, Snapshot
from karpenter_check.snapshot.quantity import milli, shown

LOOP = 3
"""So many preemptions, or NodeClaims that no waiting pod accounts for, make a loop."""


@dataclass(frozen=True)
class _Place:
    """A pod of the DaemonSet, the node that it runs on or waits for, and what Karpenter had against it."""

    pod: Pod
    node: Node
    refusal: Refusal


@dataclass(frozen=True)
class _Harm:
    """Whom the uncounted pods hurt."""

    preempted: tuple[Preemptions, ...]
    bought_in_vain: int
    starving: tuple[Ref, ...]

    @property
    def critical(self) -> bool:
        return sum(len(found.events) for found in self.preempted) >= LOOP or self.bought_in_vain >= LOOP or bool(self.starving)


@rule(severity=Severity.HIGH, needs={Kind.NODE, Kind.POD, Kind.DAEMONSET, Kind.NODEPOOL, Kind.NODECLAIM}, since="0.1.0", judges_ages=False)
def daemonset_nodepool_mismatch(snapshot: Snapshot, *, minimum_share: float = 0.02) -> Iterator[Finding]:
    """DaemonSet pods run on nodes of a NodePool that Karpenter thinks they cannot run on."""
    for daemonset in snapshot.daemonsets:
        simulated = daemonset_pod(snapshot, daemonset)
        for nodepool, places in _uncounted(snapshot, daemonset, simulated).items():
            by_cause: dict[str, list[_Place]] = defaultdict(list)
            for place in places:
                by_cause[place.refusal.cause].append(place)
            for cause, alike in by_cause.items():
                yield _finding(snapshot, daemonset, simulated, snapshot.nodepools_by_name[nodepool], cause, alike, minimum_share)


def _uncounted(snapshot: Snapshot, daemonset: DaemonSet, simulated: DaemonSetPod) -> dict[str, list[_Place]]:
    """The DaemonSet's pods on, or pinned to, nodes that were sized without it, by NodePool.

    A node that drifted from its NodePool is judged by its NodeClaim: that is what it was sized from. Static NodePools are
    sized for no pods at all, so nothing can be missing there. A pod left from before an edit of its DaemonSet, which the
    template admits as the pod is, was counted when its node was sized.
    """
    found: dict[str, list[_Place]] = defaultdict(list)
    for pod in snapshot.pods_of_daemonset.get(daemonset.metadata.uid, ()):
        node = snapshot.nodes_by_name.get(pod.node_name or pod.pinned_to)
        nodepool = snapshot.nodepools_by_name.get(node.nodepool) if node else None
        if not pod.active or node is None or nodepool is None or nodepool.static or node.metadata.deletion_timestamp:
            continue
        claim = snapshot.nodeclaim_of_node.get(node.name)
        if claim and drifted_from(claim, nodepool):
            template = template_of_nodeclaim(claim, snapshot.karpenter_version)
        else:
            template = template_of_nodepool(nodepool, snapshot.karpenter_version)
        refused = refusals(simulated, template, snapshot.karpenter_version)
        if not refused or _unproven(snapshot, pod, simulated, refused):
            continue
        if refusals(_as_it_is(pod, simulated), template, snapshot.karpenter_version):
            found[nodepool.name].append(_Place(pod, node, refused[0]))
    return found


def _unproven(snapshot: Snapshot, pod: Pod, simulated: DaemonSetPod, refused: Sequence[Refusal]) -> bool:
    """Whether what refuses the DaemonSet may not be what refused this pod.

    The required affinity of a pod of another revision cannot be told: the DaemonSet controller puts the pin to the node in its
    place. And from 1.14 on, which an unknown version may be, simulated nodes carry the lifecycle labels.
    """
    of_another_revision = pod.metadata.labels.get(REVISION_LABEL, "") != simulated.revision
    lifecycle = {refusal.key for refusal in refused} <= LIFECYCLE_LABELS
    return (bool(simulated.terms) and of_another_revision) or (snapshot.karpenter_version is None and lifecycle)


def _as_it_is(pod: Pod, simulated: DaemonSetPod) -> DaemonSetPod:
    """The simulated pod with this one's own selector and tolerations, which differ where it is of an older revision."""
    return replace(simulated, node_selector=pod.shape.node_selector, tolerations=pod.shape.tolerations)


def _harm(snapshot: Snapshot, daemonset: Ref, nodepool: str, places: Sequence[_Place]) -> _Harm:
    preempted = tuple(found for found in preemptions(snapshot) if found.by == daemonset and found.nodepool == nodepool)
    victims = {found.owner for found in preempted}
    bought = sum(found.excess for found in purchases(snapshot) if found.nodepool == nodepool and found.owner in victims)
    on_node: dict[str, list[Pod]] = defaultdict(list)
    for place in places:
        on_node[place.node.name].append(place.pod)
    starving: dict[Ref, None] = {}
    for nominee in nominees(snapshot).values():
        node, pod = target_node(snapshot, nominee), nominee.pod
        ours = on_node.get(node.name, []) if node else []
        if node and ours and pod.unschedulable and room_on(snapshot, node).short_of(pod.shape.requests):
            bound = [other for other in ours if other.node_name]
            if not room_on(snapshot, node, without=bound).short_of(pod.shape.requests):
                starving[snapshot.owner(pod)] = None
    return _Harm(preempted, bought, tuple(starving))


def _share(requests: dict[str, int], node: Node) -> tuple[float, str]:
    """The largest part of the node's allocatable that the requests take, and of which resource; a bare pod takes its slot."""
    shares = [
        (requests.get(name, 0) / have, name) for name in ("cpu", "memory") if (have := milli(node.status.allocatable.get(name, 0)))
    ]
    if slots := milli(node.status.allocatable.get("pods", 0)):
        shares.append((1000 / slots, "pods"))
    return max(shares, default=(0.0, "cpu"))


def _finding(
    snapshot: Snapshot, daemonset: DaemonSet, simulated: DaemonSetPod, nodepool: NodePool, cause: str, places: Sequence[_Place], minimum_share: float
) -> Finding:  # fmt: skip
    ref = Ref("DaemonSet", daemonset.metadata.name, "apps/v1", daemonset.metadata.namespace)
    requests = dict(simulated.requests)
    nodes = {place.node.name: place.node for place in places}
    of_pool = snapshot.nodes_of_nodepool.get(nodepool.name, ())
    (share, resource), worst = max((_share(requests, node), node.name) for node in nodes.values())
    harm = _harm(snapshot, ref, nodepool.name, places)
    historical = not refusals(simulated, template_of_nodepool(nodepool, snapshot.karpenter_version), snapshot.karpenter_version)
    severity = None
    if historical:
        severity = Severity.INFO
    elif harm.critical:
        severity = Severity.CRITICAL
    elif share < minimum_share:
        severity = Severity.LOW
    return Finding(
        object=ref,
        owner=ref,
        nodepool=nodepool.name,
        cause=cause,
        severity=severity,
        message=_message(daemonset, nodepool, places, len(of_pool), historical=historical),
        why=_why(places[0], nodepool),
        cost=_cost(snapshot, requests, resource, share, nodes[worst]),
        impact=Impact(
            nodes=len(nodes),
            pods=len(places),
            cpu=shown("cpu", requests.get("cpu", 0)),
            memory=shown("memory", requests.get("memory", 0)),
            share=round(share, 2),
        ),
        evidence=tuple(_evidence(places[0], nodepool, harm)),
        occurrences=tuple(
            Occurrence(pod_ref(place.pod), place.pod.metadata.uid, place.node.name, cause, place.pod.metadata.creation_timestamp)
            for place in sorted(
                places, key=lambda place: (place.pod.metadata.creation_timestamp or snapshot.taken_at, place.pod.metadata.name)
            )
        ),
        since=earliest(place.pod.metadata.creation_timestamp for place in places),
        fix=tuple(_fix(daemonset, nodepool, places[0], len(of_pool), stop=severity is Severity.CRITICAL)),
    )


def _message(daemonset: DaemonSet, nodepool: NodePool, places: Sequence[_Place], of: int, *, historical: bool) -> str:
    name = daemonset.metadata.name
    running = len({place.node.name for place in places if place.pod.node_name})
    waiting = len({place.node.name for place in places if not place.pod.node_name})
    parts = [f"it runs on {running} of {of}"] if running else []
    parts += [f"it is Pending for {waiting} of {of}"] if waiting else []
    if historical:
        return (
            f"Karpenter sized older nodes of {nodepool.name} without {name}; {' and '.join(parts)}; the NodePool counts it by now"
        )
    return f"Karpenter sizes {nodepool.name}'s nodes without {name}; {' and '.join(parts)}"


def _writer(place: _Place) -> str:
    """Who wrote on the node what lets the pod run there."""
    key = place.refusal.key
    writer = place.node.taints_writer() if isinstance(place.refusal, UntoleratedTaint) else place.node.label_writer(key)
    return writer.manager if writer else ""


def _why(place: _Place, nodepool: NodePool) -> str:
    refusal, writer = place.refusal, _writer(place)
    by = f'written by "{writer}"' if writer else "writer not in the input"
    match refusal:
        case UntoleratedTaint(taint):
            carries = taint.key in {other.key for other in place.node.spec.taints}
            here = (
                "the node carries it, but the pod is there all the same"
                if carries
                else f"the node does not carry it (its taints: {by})"
            )
            return f"does not tolerate {taint} of NodePool {nodepool.name}; {here}"
        case UndefinedLabel(asked):
            selects = f"{asked.key}={next(iter(asked.values))}" if len(asked.values) == 1 and asked.operator == "In" else str(asked)
            there = f"on the nodes it was {by}" if writer else f"the nodes have it ({by})"
            return f"selects {selects}; NodePool {nodepool.name} declares no such label; {there}"
        case NoOverlap(declared, asked):
            has = place.node.metadata.labels.get(asked.key, "nothing")
            return f"needs {asked}; NodePool {nodepool.name} declares {declared}; the node has {asked.key}={has}, {by}"


def _cost(snapshot: Snapshot, requests: dict[str, int], resource: str, share: float, node: Node) -> str:
    if resource == "pods":
        return f"one pod slot a node, {share:.0%} of {node.status.allocatable['pods']}; it asks for little or nothing else"
    asked = requests[resource]
    said = f"{shown(resource, asked)} {resource} a node, {share:.0%} of {node.status.allocatable[resource]} allocatable"
    claim = snapshot.nodeclaim_of_node.get(node.name)
    planned = milli(claim.spec.resources.requests.get(resource, 0)) if claim else 0
    return said + (f"; planned {shown(resource, planned)}, needed {shown(resource, planned + asked)}" if planned else "")


def _evidence(place: _Place, nodepool: NodePool, harm: _Harm) -> Iterator[Evidence]:
    key, pool = place.refusal.key, Ref("NodePool", nodepool.name, "karpenter.sh/v1")
    node = Ref("Node", place.node.name, "v1")
    match place.refusal:
        case UntoleratedTaint(taint):
            carried = ", ".join(str(other) for other in place.node.spec.taints if other.key == key) or f"no {key}"
            yield Evidence(pool, "spec.template.spec.taints", str(taint))
            yield Evidence(node, "spec.taints", carried, _writer(place))
        case UndefinedLabel():
            yield Evidence(pool, "spec.template.metadata.labels", f"no {key}")
            yield Evidence(node, f"metadata.labels.{key}", place.node.metadata.labels.get(key, ""), _writer(place))
        case NoOverlap(declared):
            yield Evidence(pool, "spec.template.spec.requirements", str(declared))
            yield Evidence(node, f"metadata.labels.{key}", place.node.metadata.labels.get(key, ""), _writer(place))
    for found in harm.preempted:
        yield Evidence.of_event(found.events[-1], count=sum(event.times for event in found.events))


def _patch(what: str, name: str, patch: object, kind: str = "merge") -> str:
    return f"kubectl patch {what} {shlex.quote(name)} --type {kind} -p {shlex.quote(json.dumps(patch, separators=(',', ':')))}"


def _fix(daemonset: DaemonSet, nodepool: NodePool, place: _Place, nodes: int, *, stop: bool) -> Iterator[Fix]:
    if stop:
        before = nodepool.spec.limits.get("cpu")
        undo = f"its limit is now cpu {before}" if before is not None else "it has no cpu limit now"
        yield Fix(
            "stop",
            _patch("nodepool", nodepool.name, {"spec": {"limits": {"cpu": "0"}}}),
            risk=f"no new nodes in this pool until it is undone ({undo})",
        )
    at_a_time = allowed_at_a_time(nodepool, "Drifted", nodes)
    pace = f"{at_a_time} at a time by its budgets" if at_a_time is not None else "as its budgets allow"
    drifts = f"drifts {nodes} node{'s' * (nodes != 1)}, {pace}"
    key = place.refusal.key
    value = place.node.metadata.labels.get(key, "")
    restricted = key == "kubernetes.io/hostname" or key.partition("/")[0].endswith(("karpenter.sh", "karpenter.k8s.aws"))
    match place.refusal:
        case UntoleratedTaint(taint):
            toleration = {"key": taint.key, "operator": "Exists", **({"effect": taint.effect} if taint.effect else {})}
            path = "/spec/template/spec/tolerations"
            some = bool(daemonset.spec.template.spec.tolerations)
            patch = [{"op": "add", "path": f"{path}/-" if some else path, "value": toleration if some else [toleration]}]
            where = f"daemonset -n {shlex.quote(daemonset.metadata.namespace)}"
            yield Fix(
                "fix",
                _patch(where, daemonset.metadata.name, patch, "json"),
                risk="rolls the DaemonSet; only nodes made after it have room for it",
            )
        case UndefinedLabel() if not restricted and value:
            labels = {"spec": {"template": {"metadata": {"labels": {key: value}}}}}
            yield Fix("fix", _patch("nodepool", nodepool.name, labels), risk=f"{drifts}; or take the label off the nodes")
        case _:
            text = f"make the DaemonSet's node selector and NodePool {nodepool.name}'s labels and requirements agree on {key}"
            yield Fix("fix", text=text, risk=f"an edit of the NodePool's template {drifts}")
    yield Fix("verify", f"karpenter-check scan --select daemonset-nodepool-mismatch --nodepool {shlex.quote(nodepool.name)}")
