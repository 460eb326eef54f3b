"""Nodes that are not Ready, that nobody takes away, and that Karpenter does not replace."""

import shlex
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from karpenter_check.disruption.allowance import Remaining, Using, remaining
from karpenter_check.disruption.candidate import DRIFTED, EMPTY, UNDERUTILIZED
from karpenter_check.disruption.expiry import expiry
from karpenter_check.disruption.pods import DISRUPTED_TAINT
from karpenter_check.disruption.repair import repairs, unhealthy
from karpenter_check.disruption.state_node import REGISTERED_LABEL
from karpenter_check.finding import (
    Confidence,
    Evidence,
    Finding,
    Fix,
    Impact,
    Occurrence,
    Ref,
    Severity,
    clip,
    earliest,
    verification,
)
from karpenter_check.rule import Stage, rule
from karpenter_check.scheduling.nomination import node_ref
from karpenter_check.scheduling.room import holds_room, occupants
from karpenter_check.snapshot import NO_TIME, Kind, Node, NodeClaim, Snapshot
from karpenter_check.snapshot.counted import plural
from karpenter_check.snapshot.duration import spoken
from karpenter_check.snapshot.event import Event, by_karpenter
from karpenter_check.snapshot.metadata import Condition
from karpenter_check.snapshot.moments import at_and_distance

_UNDER_WAY = timedelta(minutes=15)
"""So long after Karpenter was told that an instance goes, the node is given to go."""
_INTERRUPTED = (
    "SpotInterrupted", "CapacityReservationInstanceInterrupted", "InstanceStopping", "InstanceTerminating", "TerminatingOnInterruption",
)  # fmt: skip
_PRESSURES = ("DiskPressure", "MemoryPressure", "PIDPressure")
_NETWORK = ("networkready=false", "networkpluginnotready", "network plugin", "cni ")
_RUNTIME = ("container runtime is down", "container runtime status", "pleg is not healthy")
_IN_SHORT = {
    "kubelet-silent": "the kubelet has stopped reporting",
    "never-reported": "the kubelet has never reported",
    "network": "the network plugin is not ready",
    "container-runtime": "the container runtime does not work",
    "kubelet": "the kubelet says so",
}
_REMEDIES = {
    "kubelet-silent": "see whether the instance still runs and reaches the API server; pods that took all its memory are a common cause",
    "never-reported": "see whether the instance runs and reaches the API server",
    "network": "see whether the network plugin's pod runs there, and what its log says",
    "container-runtime": "read the log of the container runtime on the instance, and whether its disk or memory is full",
    "kubelet": "read the kubelet's log on the instance",
}


@dataclass(frozen=True)
class _Unready:
    node: Node
    claim: NodeClaim
    readiness: Condition
    since: datetime
    severity: Severity


@rule(severity=Severity.HIGH, needs={Kind.NODE, Kind.NODECLAIM}, since="0.1.0", stage=Stage.NODECLAIM)
def node_not_ready(
    snapshot: Snapshot,
    *,
    warn_after: timedelta = timedelta(minutes=5),
    fail_after: timedelta = timedelta(minutes=10),
    repaired_after: timedelta = timedelta(minutes=35),
) -> Iterator[Finding]:
    """A node of Karpenter's is not Ready, and nothing replaces it."""
    leaving = {event.involved_object.name for event in _interruptions(snapshot)}
    found: dict[tuple[Ref, str], list[_Unready]] = defaultdict(list)
    for name, claim in snapshot.nodeclaim_of_node.items():
        node = snapshot.nodes_by_name[name]
        readiness = node.readiness
        if readiness is None or readiness.status not in {"False", "Unknown"} or leaving & {name, claim.name}:
            continue
        since = readiness.last_transition_time
        if since is None or not snapshot.settled(since) or _goes(node, claim) or not _joined(node):
            continue
        severity = _severity(snapshot, node, claim, snapshot.taken_at - since, (warn_after, fail_after, repaired_after))
        if severity:
            found[_owner(claim), _cause(readiness)].append(_Unready(node, claim, readiness, since, severity))
    for (owner, cause), nodes in found.items():
        yield _finding(snapshot, owner, cause, sorted(nodes, key=lambda entry: (entry.severity.rank, entry.since, entry.node.name)))


def _owner(claim: NodeClaim) -> Ref:
    """Its NodePool; of a NodeClaim that somebody made by hand, itself."""
    return Ref("NodePool", claim.nodepool, "karpenter.sh/v1") if claim.nodepool else Ref("NodeClaim", claim.name, "karpenter.sh/v1")


def _interruptions(snapshot: Snapshot) -> Iterator[Event]:
    """Events that say that an instance goes, of the last minutes (karpenter-provider-aws `interruption/events`)."""
    for reason in _INTERRUPTED:
        for event in snapshot.events_by_reason.get(reason, ()):
            if by_karpenter(event) and event.last_seen and snapshot.taken_at - event.last_seen < _UNDER_WAY:
                yield event


def _joined(node: Node) -> bool:
    """Whether Karpenter has registered it. One that never does, it deletes after 15 minutes."""
    return node.metadata.labels.get(REGISTERED_LABEL) == "true"


def _goes(node: Node, claim: NodeClaim) -> bool:
    """Whether it is on its way out, or Karpenter is rebooting it (1.15)."""
    if node.metadata.deletion_timestamp or claim.metadata.deletion_timestamp:
        return True
    under_way = any(claim.is_true(word) for word in ("InstanceTerminating", "DisruptionReason", "Rebooting"))
    return under_way or any(taint.key == DISRUPTED_TAINT.key for taint in node.spec.taints)


def _severity(
    snapshot: Snapshot, node: Node, claim: NodeClaim, age: timedelta, limits: tuple[timedelta, timedelta, timedelta]
) -> Severity | None:
    """How bad it is, or None as long as Karpenter may still replace it; `limits` are the settings in their order."""
    warn_after, fail_after, repaired_after = limits
    repaired, stopped = repairs(snapshot, claim.spec.node_class_ref.api_group), _repair_stops(snapshot, claim)
    if age < warn_after or (repaired and not stopped and age < repaired_after):
        return None
    sure = repaired is not None or stopped or age >= repaired_after
    severity = Severity.HIGH.lowered(2 if age < fail_after else 0 if sure else 1)
    return severity.lowered(1) if node.spec.unschedulable else severity


def _repair_stops(snapshot: Snapshot, claim: NodeClaim) -> bool:
    return snapshot.whole(Kind.NODE) and unhealthy(snapshot.nodes_of_nodepool.get(claim.nodepool, ())).stops_repair


def _cause(readiness: Condition) -> str:
    message = readiness.message.lower()
    if readiness.status == "Unknown":
        return "never-reported" if readiness.reason == "NodeStatusNeverUpdated" else "kubelet-silent"
    if any(word in message for word in _NETWORK):
        return "network"
    return "container-runtime" if any(word in message for word in _RUNTIME) else "kubelet"


def _finding(snapshot: Snapshot, owner: Ref, cause: str, nodes: Sequence[_Unready]) -> Finding:
    worst = nodes[0]
    nodepool = worst.claim.nodepool
    age = spoken(snapshot.taken_at - worst.since)
    some = f"not Ready for {age}" if len(nodes) == 1 else f"{len(nodes)} nodes not Ready, {worst.node.name} for {age}"
    pods = sum(1 for entry in nodes for pod in occupants(snapshot, entry.node).pods if holds_room(pod) and not pod.daemonset_uid)
    seen = snapshot.covered(Kind.POD).sufficient
    unsure = repairs(snapshot, worst.claim.spec.node_class_ref.api_group) is None and not _repair_stops(snapshot, worst.claim)
    return Finding(
        object=node_ref(worst.node.name) if len(nodes) == 1 else owner,
        owner=owner,
        nodepool=nodepool,
        cause=cause,
        severity=worst.severity,
        confidence=Confidence.LIKELY if unsure else Confidence.CERTAIN,
        message=f"{some}: {_IN_SHORT[cause]}",
        why=_why(snapshot, worst),
        cost=_cost(snapshot, nodepool, nodes, pods if seen else None),
        impact=Impact(nodes=len(nodes), pods=pods if seen else None),
        evidence=tuple(_evidence(snapshot, worst)),
        occurrences=tuple(
            Occurrence(node_ref(entry.node.name), entry.node.metadata.uid, entry.node.name, cause, entry.since) for entry in nodes
        ),
        since=earliest(entry.since for entry in nodes),
        fix=tuple(_fix(snapshot, cause, nodes)),
    )


def _why(snapshot: Snapshot, unready: _Unready) -> str:
    node, claim, readiness = unready.node, unready.claim, unready.readiness
    said = clip(readiness.message or readiness.reason, 200)
    parts = [
        f"its condition Ready is {readiness.status} since {at_and_distance(snapshot, unready.since)}"
        + (f': "{said}"' if said else "")
    ]
    if pressures := [entry.type for entry in node.status.conditions if entry.type in _PRESSURES and entry.status == "True"]:
        parts.append(f"it has {' and '.join(pressures)}")
    if not node.initialized:
        parts.append("it was never initialized")
    if node.spec.unschedulable:
        parts.append("somebody cordoned it, and may be at work on it")
    parts.append(_repair(snapshot, claim))
    ends = expiry(snapshot, claim)
    if ends and ends > snapshot.taken_at:
        parts.append(f"it expires at {at_and_distance(snapshot, ends)}")
    return "; ".join(parts)


def _repair(snapshot: Snapshot, claim: NodeClaim) -> str:
    """What becomes of Karpenter's own node repair."""
    repaired, numbers = (
        repairs(snapshot, claim.spec.node_class_ref.api_group),
        unhealthy(snapshot.nodes_of_nodepool.get(claim.nodepool, ())),
    )
    if repaired is False:
        return "Karpenter's node repair is off, and nothing else of it replaces a node for that"
    if _repair_stops(snapshot, claim):
        many = f"while more than 20 % of a NodePool's nodes are not Ready, here {numbers.number} of {numbers.of}, Karpenter's node repair replaces none"
        return many if repaired else f"{many}, should it be on"
    if repaired:
        return "Karpenter's node repair is on, and has not replaced it"
    return "whether Karpenter's node repair is on is not known: no FEATURE_GATES of its Deployment tells; it is off by default"


def _cost(snapshot: Snapshot, nodepool: str, nodes: Sequence[_Unready], pods: int | None) -> str:
    bound = (
        "how many pods are there is not known: Pod is " + str(snapshot.covered(Kind.POD))
        if pods is None
        else f"{plural(pods, 'pod')} still bound there, DaemonSets' aside"
    )
    return f"{plural(len(nodes), 'node')} paid for; {bound}" + _budgets(snapshot, nodepool)


def _budgets(snapshot: Snapshot, nodepool: str) -> str:
    """That nodes which are not ready use the NodePool's budgets up (`BuildDisruptionBudgetMapping`)."""
    pool = snapshot.nodepools_by_name.get(nodepool)
    if pool is None:
        return ""
    left = [(reason, remaining(snapshot, pool, reason)) for reason in (EMPTY, DRIFTED, UNDERUTILIZED)]
    used_up = [
        reason
        for reason, entry in left
        if isinstance(entry, Remaining)
        and entry.left == 0
        and entry.allowance.allowed
        and any(user.why is Using.NOT_READY for user in entry.disrupting)
    ]
    return f"; counted against {nodepool}'s budgets, which let no node go as {' or '.join(used_up)} now" if used_up else ""


def _evidence(snapshot: Snapshot, unready: _Unready) -> Iterator[Evidence]:
    readiness = unready.readiness
    yield Evidence(
        node_ref(unready.node.name),
        "status.conditions Ready",
        f"{readiness.status} ({readiness.reason})" if readiness.reason else readiness.status,
    )
    blocked = [
        event for event in snapshot.events_by_reason.get("NodeRepairBlocked", ()) if event.involved_object.name == unready.node.name
    ]
    if blocked:
        yield Evidence.of_event(max(blocked, key=lambda event: event.last_seen or NO_TIME))


def _fix(snapshot: Snapshot, cause: str, nodes: Sequence[_Unready]) -> Iterator[Fix]:
    worst = nodes[0]
    name = shlex.quote(worst.node.name)
    one = f"and so for {plural(len(nodes) - 1, 'other node')}, one after another" if len(nodes) > 1 else ""
    yield Fix(
        "stop", f"kubectl delete nodeclaim {shlex.quote(worst.claim.name)}", one,
        "it drains, which PodDisruptionBudgets and do-not-disrupt can hold, and its instance ends; Karpenter buys another where pods need it",
    )  # fmt: skip
    look = (
        f"kubectl get pods -A -o wide --field-selector spec.nodeName={name}"
        if cause == "network"
        else f"kubectl describe node {name}"
    )
    yield Fix("fix", look, _REMEDIES[cause])
    if repairs(snapshot, worst.claim.spec.node_class_ref.api_group) is False:
        text = "with the feature gate NodeRepair=true (FEATURE_GATES of its Deployment) Karpenter 1.1 and later replaces such nodes, where the cloud provider supports it"
        yield Fix(
            "or", text=text, risk="up to 1.14 repair ends pods by force: it asks neither PodDisruptionBudgets nor do-not-disrupt"
        )
    yield verification("node-not-ready", nodepool=worst.claim.nodepool)
