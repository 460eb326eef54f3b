"""The first founding problem: DaemonSets that Karpenter did not count, on nodes that it sized without them."""

import json
import shlex
from collections import defaultdict
from collections.abc import Iterator, Sequence

from karpenter_check.disruption.budgets import allowed_at_a_time
from karpenter_check.finding import Confidence, Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity, earliest, verification
from karpenter_check.rule import Stage, rule
from karpenter_check.scheduling.daemonset import DaemonSetPod, daemonset_pod
from karpenter_check.scheduling.harm import Harm, harm
from karpenter_check.scheduling.labels import is_listed, restricted
from karpenter_check.scheduling.nomination import pod_ref
from karpenter_check.scheduling.refusal import NoOverlap, UndefinedLabel, UntoleratedTaint
from karpenter_check.scheduling.room import share_of, slots_taken
from karpenter_check.scheduling.template import nodepool_templates
from karpenter_check.scheduling.uncounted import Place, uncounted
from karpenter_check.snapshot import DaemonSet, Kind, Node, NodePool, Snapshot
from karpenter_check.snapshot.quantity import Milli, milli, shown


@rule(
    severity=Severity.HIGH,
    needs={Kind.NODE, Kind.POD, Kind.DAEMONSET, Kind.NODEPOOL, Kind.NODECLAIM},
    since="0.1.0",
    stage=Stage.DAEMONSET,
    judges_ages=False,
)
def daemonset_nodepool_mismatch(snapshot: Snapshot, *, minimum_share: float = 0.02) -> Iterator[Finding]:
    """DaemonSet pods run on nodes of a NodePool that Karpenter thinks they cannot run on."""
    for daemonset in snapshot.daemonsets:
        simulated = daemonset_pod(snapshot, daemonset)
        for nodepool, places in uncounted(snapshot, daemonset, simulated).items():
            by_cause: dict[tuple[str, bool], list[Place]] = defaultdict(list)
            for place in places:
                by_cause[place.refusal.cause, place.historical].append(place)
            for (cause, _), alike in by_cause.items():
                yield _finding(snapshot, daemonset, simulated, snapshot.nodepools_by_name[nodepool], cause, alike, minimum_share)


def _finding(
    snapshot: Snapshot, daemonset: DaemonSet, simulated: DaemonSetPod, nodepool: NodePool, cause: str, places: Sequence[Place], minimum_share: float
) -> Finding:  # fmt: skip
    ref = Ref("DaemonSet", daemonset.metadata.name, "apps/v1", daemonset.metadata.namespace)
    requests = simulated.requests
    nodes = {place.node.name: place.node for place in places}
    of_pool = snapshot.nodes_of_nodepool.get(nodepool.name, ())
    (share, resource), worst = max((share_of(node, requests, slots_taken(snapshot, node)), node.name) for node in nodes.values())
    hurt = harm(snapshot, ref, nodepool.name, places)
    template = nodepool_templates(snapshot)[nodepool.name]
    historical = places[0].historical
    source = _source(snapshot, nodepool, places[0])
    proven = is_listed(snapshot.karpenter_version) and template.provider.proven
    severity = None
    if historical:
        severity = Severity.INFO
    elif hurt.critical:
        severity = Severity.CRITICAL
    elif share < minimum_share:
        severity = Severity.LOW
    return Finding(
        object=ref,
        owner=ref,
        nodepool=nodepool.name,
        cause=cause,
        severity=severity,
        confidence=Confidence.CERTAIN if proven else Confidence.LIKELY,
        message=_message(daemonset, nodepool, places, len(of_pool), historical=historical),
        why=_why(places[0], source),
        cost=_cost(snapshot, requests, resource, share, nodes[worst]),
        impact=Impact(
            nodes=len(nodes),
            pods=len(places),
            cpu=shown("cpu", requests.get("cpu", 0)),
            memory=shown("memory", requests.get("memory", 0)),
            share=round(share, 2),
        ),
        evidence=tuple(_evidence(places[0], source, hurt)),
        occurrences=tuple(
            Occurrence(pod_ref(place.pod), place.pod.metadata.uid, place.node.name, cause, place.pod.metadata.creation_timestamp)
            for place in sorted(
                places, key=lambda place: (place.pod.metadata.creation_timestamp or snapshot.taken_at, place.pod.metadata.name)
            )
        ),
        since=earliest(place.pod.metadata.creation_timestamp for place in places),
        fix=tuple(_fix(snapshot, daemonset, nodepool, places[0], stop=severity is Severity.CRITICAL)),
    )


def _message(daemonset: DaemonSet, nodepool: NodePool, places: Sequence[Place], of: int, *, historical: bool) -> str:
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


def _source(snapshot: Snapshot, nodepool: NodePool, place: Place) -> Ref:
    """What the node was sized from: the NodePool as it is, or, where that has changed since, the NodeClaim."""
    claim = snapshot.nodeclaim_of_node.get(place.node.name) if place.historical else None
    return Ref("NodeClaim", claim.name, "karpenter.sh/v1") if claim else Ref("NodePool", nodepool.name, "karpenter.sh/v1")


def _writer(place: Place) -> str:
    """Who wrote on the node what lets the pod run there."""
    key = place.refusal.key
    writer = place.node.taints_writer() if isinstance(place.refusal, UntoleratedTaint) else place.node.label_writer(key)
    return writer.manager if writer else ""


def _why(place: Place, source: Ref) -> str:
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
            return f"does not tolerate {taint} of {source}; {here}"
        case UndefinedLabel(asked):
            selects = f"{asked.key}={next(iter(asked.values))}" if len(asked.values) == 1 and asked.operator == "In" else str(asked)
            if asked.key not in place.node.metadata.labels:
                there = "the nodes have none either, but its pods are there all the same"
            else:
                there = f"on the nodes it was {by}" if writer else f"the nodes have it ({by})"
            return f"selects {selects}; {source} declares no such label; {there}"
        case NoOverlap(declared, asked):
            has = place.node.metadata.labels.get(asked.key, "nothing")
            return f"needs {asked}; {source} declares {declared}; the node has {asked.key}={has}, {by}"


def _cost(snapshot: Snapshot, requests: Milli, resource: str, share: float, node: Node) -> str:
    if resource == "pods":
        return f"one pod slot a node, {share:.0%} of {node.status.allocatable['pods']}, and no slot is left"
    if share <= 0:
        asked = " and ".join(f"{shown(name, requests[name])} {name}" for name in ("cpu", "memory") if requests.get(name))
        return f"{asked} a node" if asked else "one pod slot a node; it asks for no cpu and no memory"
    needed = requests[resource]
    said = f"{shown(resource, needed)} {resource} a node, {share:.0%} of {node.status.allocatable[resource]} allocatable"
    claim = snapshot.nodeclaim_of_node.get(node.name)
    planned = milli(claim.spec.resources.requests.get(resource, 0)) if claim else 0
    return said + (f"; planned {shown(resource, planned)}, needed {shown(resource, planned + needed)}" if planned else "")


def _evidence(place: Place, source: Ref, hurt: Harm) -> Iterator[Evidence]:
    key, template = place.refusal.key, "spec" if source.kind == "NodeClaim" else "spec.template.spec"
    labels = "spec.requirements" if source.kind == "NodeClaim" else "spec.template.metadata.labels"
    node = Ref("Node", place.node.name, "v1")
    match place.refusal:
        case UntoleratedTaint(taint):
            carried = ", ".join(str(other) for other in place.node.spec.taints if other.key == key) or f"no {key}"
            yield Evidence(source, f"{template}.taints", str(taint))
            yield Evidence(node, "spec.taints", carried, _writer(place))
        case UndefinedLabel():
            yield Evidence(source, labels, f"no {key}")
            yield Evidence(node, f"metadata.labels.{key}", place.node.metadata.labels.get(key, ""), _writer(place))
        case NoOverlap(declared):
            yield Evidence(source, f"{template}.requirements", str(declared))
            yield Evidence(node, f"metadata.labels.{key}", place.node.metadata.labels.get(key, ""), _writer(place))
    for found in hurt.preempted:
        yield Evidence.of_event(found.events[-1], count=sum(event.times for event in found.events))


def _patch(what: str, name: str, patch: object, kind: str = "merge") -> str:
    return f"kubectl patch {what} {shlex.quote(name)} --type {kind} -p {shlex.quote(json.dumps(patch, separators=(',', ':')))}"


def _fix(snapshot: Snapshot, daemonset: DaemonSet, nodepool: NodePool, place: Place, *, stop: bool) -> Iterator[Fix]:
    of_pool = snapshot.nodes_of_nodepool.get(nodepool.name, ())
    nodes = len(of_pool)
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
    settable = bool(value) and not restricted(key, snapshot.karpenter_version)
    match place.refusal:
        case _ if place.historical:
            yield Fix(
                "fix", text="nothing in the NodePool, which counts it by now: the nodes from before go as they drift or expire"
            )
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
        case UndefinedLabel() if settable and any(node.metadata.labels.get(key) != value for node in of_pool):
            # the command would give the label, and with it the DaemonSet, to nodes that have neither
            text = f"take {key}={value} off the nodes that have it, or give what needs it a NodePool of its own that declares it"
            yield Fix("fix", text=text, risk=f"declaring it in NodePool {nodepool.name} would bring the DaemonSet to all its nodes")
        case UndefinedLabel() if settable:
            labels = {"spec": {"template": {"metadata": {"labels": {key: value}}}}}
            yield Fix("fix", _patch("nodepool", nodepool.name, labels), risk=f"{drifts}; or take the label off the nodes")
        case _:
            text = f"make the DaemonSet's node selector and NodePool {nodepool.name}'s labels and requirements agree on {key}"
            yield Fix("fix", text=text, risk=f"an edit of the NodePool's template {drifts}")
    yield verification("daemonset-nodepool-mismatch", nodepool=nodepool.name)
