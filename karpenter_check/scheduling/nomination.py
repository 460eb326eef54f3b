"""Nominations: where Karpenter said that pods should schedule, and why they are not there.

Karpenter keeps nominations in memory and renews one for 20 s as long as its simulation finds room; only its `Nominated` events
show them (`controllers/state/statenode.go`, `provisioning/scheduling/scheduler.go:Results.Record`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from karpenter_check.scheduling.capacity_errors import capacity_errors
from karpenter_check.scheduling.claim_name import nodepool_by_claim_name
from karpenter_check.scheduling.node import cordoned, label_mismatch, repelled
from karpenter_check.scheduling.room import occupants, room_on, taken_host_port
from karpenter_check.snapshot import Node, NodeClaim, Pod, Ref, Snapshot
from karpenter_check.snapshot.clip import clip
from karpenter_check.snapshot.event import Event, Nomination, nomination
from karpenter_check.snapshot.once import once
from karpenter_check.snapshot.quantity import milli, shown


class Reason(StrEnum):
    """Why a nominated pod is not where Karpenter said it should be."""

    TARGET_GONE = "target_gone"
    NOT_LAUNCHED = "not_launched"
    NOT_REGISTERED = "not_registered"
    NOT_INITIALIZED = "not_initialized"
    NODE_NOT_READY = "node_not_ready"
    CORDONED = "cordoned"
    TAINT = "taint"
    LABEL = "label"
    NO_ROOM = "no_room"
    PREEMPTED = "preempted"
    VOLUME = "volume"
    HOST_PORT = "host_port"
    OTHER_SCHEDULER = "other_scheduler"
    LANDED_ELSEWHERE = "landed_elsewhere"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Nominee:
    """A pod and the latest target that Karpenter named for it."""

    pod: Pod
    nodeclaim: str
    node: str
    since: datetime
    """When the target was first named."""
    latest: Event
    """The latest event that names it."""
    times: int
    """How often its events have been seen."""


@once
def nominations(snapshot: Snapshot) -> Sequence[tuple[Event, Nomination]]:
    """The events that name a target for a pod, and the target."""
    told = ((event, nomination(event)) for event in snapshot.events_by_reason.get("Nominated", ()))
    return [(event, target) for event, target in told if target]


@once
def nominees(snapshot: Snapshot) -> Mapping[str, Nominee]:
    """The latest nomination of each pod that is still there, by pod UID."""
    by_pod: dict[str, list[tuple[datetime, Event, str, str]]] = {}
    for event, target in nominations(snapshot):
        last = event.last_seen
        if last and event.involved_object.uid in snapshot.pods_by_uid:
            claim = snapshot.nodeclaim_of_node.get(target.node)
            by_pod.setdefault(event.involved_object.uid, []).append(
                (last, event, target.nodeclaim or (claim.name if claim else ""), target.node)
            )
    found = {}
    for uid, named in by_pod.items():
        last, event, nodeclaim, node = max(named, key=lambda entry: (entry[0], entry[3]))
        same = [other for _, other, claim, other_node in named if (claim and claim == nodeclaim) or (node and other_node == node)]
        since = min(other.first_seen or last for other in same)
        found[uid] = Nominee(snapshot.pods_by_uid[uid], nodeclaim, node, since, event, sum(other.times for other in same))
    return found


@dataclass(frozen=True)
class Obstacle:
    """What keeps a nominated pod from its target."""

    reason: Reason
    said: str
    """The sentence's end: "it waits because …"."""
    since: datetime | None = None
    """From when on the target could have taken the pod, where that is known."""
    culprits: tuple[Ref, ...] = ()
    """The objects to look at, first one first."""


def target_node(snapshot: Snapshot, nominee: Nominee) -> Node | None:
    """The node that a nomination means, if it is there yet."""
    return snapshot.nodes_by_name.get(nominee.node) or snapshot.node_of_nodeclaim.get(nominee.nodeclaim)


def target_nodepool(snapshot: Snapshot, nominee: Nominee) -> str:
    """The NodePool of a nomination's target; of a target that is gone, told from its name; empty for a foreign node."""
    claim, node = snapshot.nodeclaims_by_name.get(nominee.nodeclaim), target_node(snapshot, nominee)
    if claim or node:
        return (claim and claim.nodepool) or (node and node.nodepool) or ""
    return nodepool_by_claim_name(snapshot, nominee.nodeclaim)


def asks_for_devices(nodeclaim: NodeClaim) -> bool:
    """Whether the claim waits for extended resources, such as GPUs, whose drivers and plugins take minutes to come up."""
    return any("/" in name for name in nodeclaim.spec.resources.requests)


def _claim_ref(nodeclaim: NodeClaim) -> Ref:
    return Ref("NodeClaim", nodeclaim.name, "karpenter.sh/v1")


def pod_ref(pod: Pod) -> Ref:
    """The reference of a pod."""
    return Ref("Pod", pod.metadata.name, "v1", pod.metadata.namespace)


def node_ref(name: str) -> Ref:
    """The reference of a node."""
    return Ref("Node", name, "v1")


def _lifecycle_obstacle(claim: NodeClaim) -> Obstacle | None:
    """What the NodeClaim has not reached: launched, registered, initialized, in that order."""
    stages = (
        ("Launched", Reason.NOT_LAUNCHED, "was never launched"),
        ("Registered", Reason.NOT_REGISTERED, "never joined the cluster"),
        ("Initialized", Reason.NOT_INITIALIZED, "was never initialized"),
    )
    for condition_type, reason, what in stages:
        if not claim.is_true(condition_type):
            condition = claim.condition(condition_type)
            detail = clip(condition.message or condition.reason) if condition else ""
            return Obstacle(
                reason, f"NodeClaim {claim.name} {what}" + (f": {detail}" if detail else ""), None, (_claim_ref(claim),)
            )
    return None


def less_than_expected(snapshot: Snapshot, node: Node, resource: str) -> int:
    """How much less of a resource pods have of a node than Karpenter expected of it, in thousandths; 0 where that is not known."""
    claim = snapshot.nodeclaim_of_node.get(node.name)
    if claim is None or resource not in claim.status.allocatable or resource not in node.status.allocatable:
        return 0
    return max(0, milli(claim.status.allocatable[resource]) - milli(node.status.allocatable[resource]))


def node_obstacle(snapshot: Snapshot, pod: Pod, node: Node) -> Obstacle | None:
    """What kube-scheduler's predicates say of the pod on the node, recomputed."""
    here = (node_ref(node.name),)
    if not node.ready:
        readiness = node.readiness
        since = readiness.last_transition_time if readiness else None
        return Obstacle(Reason.NODE_NOT_READY, f"node {node.name} is not Ready", since, here)
    if cordoned(pod.shape, node):
        return Obstacle(Reason.CORDONED, f"node {node.name} is cordoned", None, here)
    if taint := next(repelled(pod.shape, node), None):
        writer = node.taints_writer()
        return Obstacle(
            Reason.TAINT,
            f"it does not tolerate {taint} on node {node.name}" + (f", written by {writer.manager}" if writer else ""),
            None,
            here,
        )
    if mismatch := label_mismatch(pod.shape.node_selector, pod.shape.node_affinity, node):
        return Obstacle(Reason.LABEL, f"it {mismatch} (node {node.name})", None, here)
    if short := room_on(snapshot, node).short_of(pod.shape.requests):
        asked = {**pod.shape.requests, "pods": 1000}
        resource, missing = max(short.items(), key=lambda entry: (entry[1] / asked[entry[0]], entry[0]))
        takers = occupants(snapshot, node).largest(resource)
        said = f"node {node.name} is {shown(resource, missing)} {resource} short"
        if resource == "pods":
            said = f"node {node.name} has no pod slot left"
        if takers:
            said += f"; most is taken by {snapshot.owner(takers[0])} ({shown(resource, takers[0].shape.requests[resource])})"
        culprits = tuple(dict.fromkeys(snapshot.owner(taker) for taker in takers[:3])) or here
        if missing <= (lacks := less_than_expected(snapshot, node, resource)):
            said += f"; the node has {shown(resource, lacks)} {resource} less than Karpenter expected"
            culprits = tuple(dict.fromkeys((*here, *culprits)))
        return Obstacle(Reason.NO_ROOM, said, None, culprits)
    if holder := taken_host_port(snapshot, pod, node):
        return Obstacle(
            Reason.HOST_PORT,
            f"a host port that it needs on node {node.name} is held by {snapshot.owner(holder)}",
            None,
            (snapshot.owner(holder),),
        )
    return None


@once
def _answering(_snapshot: Snapshot) -> dict[str, bool]:
    """Which schedulers answer, as far as somebody asked."""
    return {"default-scheduler": True}


def _answers(snapshot: Snapshot, scheduler_name: str) -> bool:
    """Whether the scheduler has bound some pod, so that it is there and works; the default one is taken to."""
    known = _answering(snapshot)
    if scheduler_name not in known:
        known[scheduler_name] = any(pod.scheduler_name == scheduler_name and pod.node_name for pod in snapshot.pods)
    return known[scheduler_name]


def _missing(snapshot: Snapshot, nominee: Nominee, target: str) -> Obstacle:
    """The target is not in the lists: gone, unless it was named so late that it may have come, or gone, between two of them."""
    last = nominee.latest.last_seen
    if snapshot.settled(last):
        nodepool = nodepool_by_claim_name(snapshot, nominee.nodeclaim)
        failed = any(error.nodeclaim == nominee.nodeclaim for error in capacity_errors(snapshot).get(nodepool, ()))
        culprits = (Ref("NodePool", nodepool, "karpenter.sh/v1"),) if failed else ()
        return Obstacle(Reason.TARGET_GONE, f"{target} is gone" + (": it got no capacity" if failed else ""), last, culprits)
    return Obstacle(Reason.UNKNOWN, f"{target} is not in the lists, which may have been read before it came", last)


def obstacle(snapshot: Snapshot, nominee: Nominee) -> Obstacle:
    """Why the pod is not where Karpenter said it should be, recomputed from the objects as they are now."""
    pod = nominee.pod
    claim, node = snapshot.nodeclaims_by_name.get(nominee.nodeclaim), target_node(snapshot, nominee)
    if pod.node_name:
        return Obstacle(Reason.LANDED_ELSEWHERE, f"it runs on node {pod.node_name}", None, (node_ref(pod.node_name),))
    if claim is None and node is None:
        return _missing(snapshot, nominee, f"NodeClaim {nominee.nodeclaim or nominee.node}")
    if claim and (unfinished := _lifecycle_obstacle(claim)):
        return unfinished
    if node is None:
        return _missing(snapshot, nominee, f"the node of NodeClaim {nominee.nodeclaim}")
    initialized = claim.condition("Initialized") if claim else None
    ready_since = initialized.last_transition_time if initialized else None
    if found := node_obstacle(snapshot, pod, node):
        return Obstacle(found.reason, found.said, found.since or ready_since, found.culprits)
    settled = snapshot.settled(max(nominee.since, ready_since or nominee.since))
    if settled and not _answers(snapshot, pod.scheduler_name):
        said = f'its schedulerName "{pod.scheduler_name}" answers nothing: no pod of it is bound anywhere'
        return Obstacle(Reason.OTHER_SCHEDULER, said, ready_since, (pod_ref(pod),))
    said = f"nothing that could be checked keeps it from node {node.name}"
    if pod.has_claims:
        said += "; its volumes' zones and attach limits were not checked"
    return Obstacle(Reason.UNKNOWN, said, ready_since, (pod_ref(pod),))
