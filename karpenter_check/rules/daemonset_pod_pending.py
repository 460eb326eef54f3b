"""DaemonSet pods that no node will be bought for, and that do not fit the one that they are for.

Karpenter provisions for no pod that a DaemonSet controls (`utils/pod:IsProvisionable`, 1.13): what it keeps for DaemonSets it
keeps when it sizes a node, and never again.
"""

import json
import shlex
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from karpenter_check.finding import Blame, Confidence, Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity, clip, verification
from karpenter_check.rule import Stage, rule
from karpenter_check.scheduling.daemonset import REVISION_LABEL, daemonset_pod
from karpenter_check.scheduling.node import cordoned, label_mismatch, repelled
from karpenter_check.scheduling.nomination import node_ref, pod_ref
from karpenter_check.scheduling.room import holds_room, occupants, room_on, taken_host_port
from karpenter_check.scheduling.uncounted import uncounted
from karpenter_check.snapshot import DaemonSet, Kind, Node, NodeClaim, NodePool, Pod, Snapshot
from karpenter_check.snapshot.duration import spoken
from karpenter_check.snapshot.once import once
from karpenter_check.snapshot.quantity import Milli, milli, shown

CRITICAL_CLASS, CRITICAL_PRIORITY = "system-node-critical", 2_000_001_000
"""The highest priority class that Kubernetes has, and what it means (`pkg/apis/scheduling`, v1.36)."""
_IN_SHORT = {
    "added-later": "it was added after the node was bought",
    "grown": "it has grown since the node was bought",
    "room-taken": "other pods took its room",
    "static-nodepool": "the nodes of a static NodePool are sized for no pods",
    "not-ready": "the node is not Ready",
    "cordoned": "the node is cordoned",
    "taint": "the node has a taint that it does not tolerate",
    "label": "the node has not the label that it needs",
    "host-port": "its host port is taken there",
    "unknown": "nothing that could be checked says why",
}
_REMEDIES = {
    "cordoned": "kubectl uncordon the node, or delete its NodeClaim",
    "taint": "let the DaemonSet tolerate the taint, or take it off the node",
    "label": "make the DaemonSet's node selector and the node's labels agree",
    "host-port": "free the host port, or do not ask for one",
    "unknown": "compare the scheduler's message with the node",
}
_GOING = "karpenter.sh/"
"""Karpenter's own taints say that a node goes, or is not in service yet."""


@dataclass(frozen=True)
class _Waiting:
    """A pod past the warning's threshold, and why it waits."""

    pod: Pod
    node: Node
    claim: NodeClaim
    since: datetime
    long: bool
    cause: str
    why: str
    resource: str = ""
    """What the node is short of."""
    culprits: tuple[Ref, ...] = ()


@rule(
    severity=Severity.HIGH,
    needs={Kind.NODE, Kind.POD, Kind.DAEMONSET, Kind.NODEPOOL, Kind.NODECLAIM},
    since="0.1.0",
    stage=Stage.DAEMONSET,
)
def daemonset_pod_pending(
    snapshot: Snapshot,
    *,
    warn_after: timedelta = timedelta(seconds=30),
    fail_after: timedelta = timedelta(minutes=5),
    minimum_node_age: timedelta = timedelta(minutes=2),
) -> Iterator[Finding]:
    """DaemonSet pods wait for nodes that have no place for them, and Karpenter buys no node for a DaemonSet's pod."""
    for daemonset in snapshot.daemonsets:
        pods = [pod for pod in snapshot.pods_of_daemonset.get(daemonset.metadata.uid, ()) if pod.unschedulable and pod.active]
        if not pods or daemonset.metadata.deletion_timestamp:
            continue
        places = uncounted(snapshot, daemonset, daemonset_pod(snapshot, daemonset)).values()
        others = {place.pod.metadata.uid for alike in places for place in alike}
        waiting: dict[tuple[str, str], list[_Waiting]] = defaultdict(list)
        for pod in pods:
            node = snapshot.nodes_by_name.get(pod.pinned_to)
            if node and pod.metadata.uid not in others and _in_service(snapshot, node, minimum_node_age):
                found = _judge(snapshot, daemonset, pod, node, warn_after, fail_after)
                if found:
                    waiting[node.nodepool, found.cause].append(found)
        for (nodepool, cause), alike in waiting.items():
            yield _finding(snapshot, daemonset, snapshot.nodepools_by_name[nodepool], cause, alike)


def _in_service(snapshot: Snapshot, node: Node, minimum_age: timedelta) -> bool:
    """Whether the node is Karpenter's, has booted, and is there to stay."""
    created, claim = node.metadata.creation_timestamp, snapshot.nodeclaim_of_node.get(node.name)
    nodepool = snapshot.nodepools_by_name.get(node.nodepool)
    if not claim or not nodepool or not created or not node.initialized or snapshot.taken_at - created < minimum_age:
        return False
    going = any(taint.key.startswith(_GOING) for taint in node.spec.taints)
    return not going and not any(one.metadata.deletion_timestamp for one in (node, claim, nodepool))


def _judge(
    snapshot: Snapshot, daemonset: DaemonSet, pod: Pod, node: Node, warn_after: timedelta, fail_after: timedelta
) -> _Waiting | None:
    """The pod, if it has waited too long for a node that could have taken it: it counts from when the node was ready."""
    claim = snapshot.nodeclaim_of_node[node.name]
    started = pod.unscheduled_since
    if not started:
        return None
    turned = (claim.condition("Initialized"), node.readiness)
    since = max([started, *(entry.last_transition_time for entry in turned if entry and entry.last_transition_time)])
    waited = snapshot.taken_at - since
    if waited < warn_after or (waited < fail_after and _room_is_made(snapshot, pod, node)):
        return None
    cause, why, resource, culprits = _obstacle(snapshot, daemonset, pod, node, claim)
    return _Waiting(pod, node, claim, since, waited >= fail_after, cause, why, resource, culprits)


def _room_is_made(snapshot: Snapshot, pod: Pod, node: Node) -> bool:
    """Whether the scheduler preempts others for the pod, or pods are going that will leave it the room that it needs."""
    dying = [other for other in occupants(snapshot, node).pods if other.metadata.deletion_timestamp and holds_room(other)]
    holder = taken_host_port(snapshot, pod, node)
    return (
        bool(pod.nominated_node_name)
        or (holder is not None and holder.metadata.deletion_timestamp is not None)
        or (bool(dying) and not room_on(snapshot, node, dying).short_of(pod.shape.requests))
    )


def _obstacle(
    snapshot: Snapshot, daemonset: DaemonSet, pod: Pod, node: Node, claim: NodeClaim
) -> tuple[str, str, str, tuple[Ref, ...]]:
    """What kube-scheduler's filters say of the pod on its node, in their order, recomputed: cause, words, resource, culprits."""
    if not node.ready:
        return "not-ready", f"node {node.name} is not Ready", "", (node_ref(node.name),)
    if cordoned(pod.shape, node):
        return "cordoned", f"node {node.name} is cordoned", "", (node_ref(node.name),)
    if taint := next(repelled(pod.shape, node), None):
        writer = node.taints_writer()
        by = f', written by "{writer.manager}"' if writer else ""
        return "taint", f"it does not tolerate {taint} on node {node.name}{by}", "", ()
    if mismatch := label_mismatch(pod.shape.node_selector, pod.shape.node_affinity, node):
        return "label", f"it {mismatch} (node {node.name})", "", ()
    if holder := taken_host_port(snapshot, pod, node):
        owner = snapshot.owner(holder)
        return "host-port", f"a host port that it needs on node {node.name} is held by {owner}", "", (owner,)
    if short := room_on(snapshot, node).short_of(pod.shape.requests):
        asked = {**pod.shape.requests, "pods": 1000}
        resource, missing = max(short.items(), key=lambda entry: (entry[1] / asked[entry[0]], entry[0]))
        return _no_room(snapshot, daemonset, pod, node, claim, resource, missing)
    said = clip(pod.scheduled.message) if pod.scheduled else ""
    return "unknown", f"nothing that could be checked keeps it from node {node.name}; its scheduler says: {said}", "", ()


def _no_room(
    snapshot: Snapshot, daemonset: DaemonSet, pod: Pod, node: Node, claim: NodeClaim, resource: str, missing: int
) -> tuple[str, str, str, tuple[Ref, ...]]:
    """Of what the node is short, who takes the most of it, and how it came to that."""
    asks = pod.shape.requests.get(resource, 0)
    said = f"node {node.name} is {shown(resource, missing)} {resource} short of the {shown(resource, asks)} that it asks"
    takers = occupants(snapshot, node).largest(resource)
    if resource == "pods":
        said, takers = f"node {node.name} has no pod slot left", ()
    owners = tuple(dict.fromkeys(snapshot.owner(taker) for taker in takers))
    if takers:
        said += f"; most is taken by {owners[0]} ({shown(resource, takers[0].held[resource])})"
    cause, story = _story(snapshot, daemonset, pod, claim, resource)
    return cause, f"{said}; {story}", resource, owners[:3]


def _story(snapshot: Snapshot, daemonset: DaemonSet, pod: Pod, claim: NodeClaim, resource: str) -> tuple[str, str]:
    """Why the room is not there. A node is sized once, when its NodeClaim is made."""
    sized, added, born = claim.metadata.creation_timestamp, daemonset.metadata.creation_timestamp, pod.metadata.creation_timestamp
    nodepool = snapshot.nodepools_by_name.get(claim.nodepool)
    if nodepool and nodepool.static:
        return "static-nodepool", f"NodePool {nodepool.name} is static: its nodes are sized for no pods"
    if sized and added and added > sized:
        return "added-later", f"the DaemonSet came {spoken(added - sized)} after NodeClaim {claim.name}"
    asks, planned = pod.shape.requests.get(resource, 0), milli(claim.spec.resources.requests.get(resource, 0))
    if sized and born and born > sized:
        if resource != "pods" and planned < asks:
            return "grown", f"NodeClaim {claim.name} was sized for {shown(resource, planned)} {resource} in all"
        before = _before(snapshot, pod, sized).get(resource)
        if before is not None and before < asks:
            return "grown", f"older pods of the DaemonSet ask {shown(resource, before)}"
    return "room-taken", "Karpenter's reserve binds nobody: who comes first takes it"


@once
def _first_of_revisions(snapshot: Snapshot) -> Mapping[str, Mapping[str, tuple[datetime, Pod]]]:
    """The oldest pod of each revision of each DaemonSet, by the DaemonSet's UID and the revision."""
    found: dict[str, dict[str, tuple[datetime, Pod]]] = defaultdict(dict)
    for uid, pods in snapshot.pods_of_daemonset.items():
        for pod in pods:
            born, revision = pod.metadata.creation_timestamp, pod.metadata.labels.get(REVISION_LABEL, "")
            if born and pod.active and (revision not in found[uid] or born < found[uid][revision][0]):
                found[uid][revision] = born, pod
    return found


def _before(snapshot: Snapshot, pod: Pod, sized: datetime) -> Milli:
    """What the DaemonSet asked when the node was sized: what the newest revision of that time does, if it is not the pod's."""
    first, revision = _first_of_revisions(snapshot)[pod.daemonset_uid], pod.metadata.labels.get(REVISION_LABEL, "")
    earlier = [(born, other) for born, other in first.values() if born <= sized]
    if not earlier or (revision in first and first[revision][0] <= sized):
        return {}
    return max(earlier, key=lambda entry: entry[0])[1].shape.requests


def _finding(snapshot: Snapshot, daemonset: DaemonSet, nodepool: NodePool, cause: str, waiting: Sequence[_Waiting]) -> Finding:
    waiting = sorted(waiting, key=lambda entry: (entry.since, entry.pod.metadata.name))
    worst, name = waiting[0], daemonset.metadata.name
    ref = Ref("DaemonSet", name, "apps/v1", daemonset.metadata.namespace)
    long = any(entry.long for entry in waiting) and cause != "unknown"
    requests = worst.pod.shape.requests
    confidence = {"grown": Confidence.LIKELY, "room-taken": Confidence.LIKELY, "unknown": Confidence.POSSIBLE}
    nodes = len(snapshot.nodes_of_nodepool.get(nodepool.name, ()))
    return Finding(
        object=ref,
        owner=ref,
        nodepool=nodepool.name,
        cause=cause,
        severity=None if long else Severity.HIGH.lowered(2),
        confidence=confidence.get(cause, Confidence.CERTAIN),
        message=f"Pending for {len(waiting)} of {nodepool.name}'s {nodes} nodes since {spoken(snapshot.taken_at - worst.since)} ago: {_IN_SHORT[cause]}",
        why=worst.why,
        cost="Karpenter buys no node for a DaemonSet's pod, so it waits until something on the node changes",
        impact=Impact(
            nodes=len({entry.node.name for entry in waiting}),
            pods=len(waiting),
            cpu=shown("cpu", requests.get("cpu", 0)),
            memory=shown("memory", requests.get("memory", 0)),
        ),
        evidence=tuple(_evidence(daemonset, ref, worst)),
        occurrences=tuple(Occurrence(pod_ref(entry.pod), entry.pod.metadata.uid, entry.node.name, cause, entry.since) for entry in waiting),
        since=worst.since,
        fix=tuple(_fix(snapshot, daemonset, nodepool, worst, len(waiting))),
        blames=tuple(Blame(owner) for owner in worst.culprits if owner != ref),
    )  # fmt: skip


def _evidence(daemonset: DaemonSet, ref: Ref, waiting: _Waiting) -> Iterator[Evidence]:
    if waiting.pod.scheduled:
        yield Evidence(pod_ref(waiting.pod), "status.conditions[PodScheduled].message", clip(waiting.pod.scheduled.message))
    if not waiting.resource:
        return
    claim, resource = Ref("NodeClaim", waiting.claim.name, "karpenter.sh/v1"), waiting.resource
    planned = waiting.claim.spec.resources.requests.get(resource)
    has = waiting.node.status.allocatable.get(resource, "none")
    yield Evidence(node_ref(waiting.node.name), f"status.allocatable.{resource}", str(has))
    yield Evidence(claim, f"spec.resources.requests.{resource}", "none" if planned is None else str(planned))
    if waiting.cause == "added-later" and (added := daemonset.metadata.creation_timestamp):
        yield Evidence(ref, "metadata.creationTimestamp", f"{added:%Y-%m-%dT%H:%M:%SZ}")


def _fix(snapshot: Snapshot, daemonset: DaemonSet, nodepool: NodePool, waiting: _Waiting, of: int) -> Iterator[Fix]:
    namespace, name = shlex.quote(daemonset.metadata.namespace), shlex.quote(daemonset.metadata.name)
    if waiting.cause in _REMEDIES:
        yield Fix("fix", text=_REMEDIES[waiting.cause])
    elif waiting.resource and _would_preempt(snapshot, waiting):
        patch = json.dumps({"spec": {"template": {"spec": {"priorityClassName": CRITICAL_CLASS}}}}, separators=(",", ":"))
        yield Fix(
            "fix",
            f"kubectl patch daemonset -n {namespace} {name} --type merge -p {shlex.quote(patch)}",
            risk="rolls the DaemonSet; on full nodes its pods preempt pods of lower priority, Karpenter's own among them",
        )
    if waiting.resource or waiting.cause == "not-ready":
        pods = [pod for pod in occupants(snapshot, waiting.node).pods if pod.active and not pod.daemonset_uid]
        again = "the next node is of the same size" if nodepool.static else "the next node is sized with the DaemonSet"
        yield Fix(
            "fix",
            f"kubectl delete nodeclaim {shlex.quote(waiting.claim.name)}",
            text="one node at a time" if of > 1 else "",
            risk=f"drains the node: its {len(pods)} pod{'s' * (len(pods) != 1)} restart elsewhere; {again}",
        )
    yield verification("daemonset-pod-pending", namespace=daemonset.metadata.namespace)


def _would_preempt(snapshot: Snapshot, waiting: _Waiting) -> bool:
    """Whether the highest priority would make the scheduler find victims: enough room is held by pods of a lower one."""
    if waiting.pod.priority >= CRITICAL_PRIORITY:
        return False
    lower = [pod for pod in occupants(snapshot, waiting.node).pods if pod.priority < CRITICAL_PRIORITY]
    return not room_on(snapshot, waiting.node, lower).short_of(waiting.pod.shape.requests)
