"""The third founding problem: pods that Karpenter nominated to nodes where they never land."""

import shlex
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from karpenter_check.finding import (
    Blame,
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
from karpenter_check.scheduling.node import repelled
from karpenter_check.scheduling.nomination import (
    Nominee,
    Obstacle,
    Reason,
    asks_for_devices,
    nominees,
    obstacle,
    pod_ref,
    target_node,
    target_nodepool,
)
from karpenter_check.scheduling.preemption import Preemptions, preemptions
from karpenter_check.scheduling.purchases import Purchases, purchases
from karpenter_check.snapshot import GRACE, Kind, NodeClaim, Snapshot
from karpenter_check.snapshot.duration import spoken
from karpenter_check.snapshot.event import preemption

_IN_SHORT = {
    Reason.TARGET_GONE: "its target is gone",
    Reason.NOT_LAUNCHED: "the NodeClaim was never launched",
    Reason.NOT_REGISTERED: "the node never joined",
    Reason.NOT_INITIALIZED: "the node was never initialized",
    Reason.NODE_NOT_READY: "the node is not Ready",
    Reason.CORDONED: "the node is cordoned",
    Reason.TAINT: "the node has a taint that it does not tolerate",
    Reason.LABEL: "the node has not the label that it needs",
    Reason.NO_ROOM: "the node has no room for it",
    Reason.HOST_PORT: "its host port is taken there",
    Reason.OTHER_SCHEDULER: "its scheduler binds nothing",
    Reason.UNKNOWN: "nothing that could be checked says why",
}
_YOUNG_TARGET = {Reason.NOT_LAUNCHED, Reason.NOT_REGISTERED, Reason.NOT_INITIALIZED}


@dataclass(frozen=True)
class _Waiting:
    """A pod past the threshold."""

    nominee: Nominee
    obstacle: Obstacle
    since: datetime
    patience: timedelta
    """How long it may wait before it is told."""
    waits_since: datetime
    """When its target was named, or could have taken it, if that is later."""
    long: bool
    """Past the threshold itself, not only past the warning's."""


@rule(severity=Severity.HIGH, needs={Kind.NODE, Kind.POD, Kind.NODECLAIM, Kind.EVENT}, since="0.1.0", stage=Stage.POD)
def nominated_pod_failure(
    snapshot: Snapshot,
    *,
    warn_after: timedelta = timedelta(minutes=2),
    fail_after: timedelta = timedelta(minutes=10),
    warn_after_for_new_nodes: timedelta = timedelta(minutes=5),
    fail_after_for_devices: timedelta = timedelta(minutes=20),
    minimum_claims: int = 3,
    minimum_preemptions: int = 3,
) -> Iterator[Finding]:
    """Pods wait for nodes that Karpenter nominated them to, and nodes are bought for pods that never come to them."""
    told: set[tuple[Ref, str]] = set()
    bought = {(entry.owner, entry.nodepool): entry for entry in purchases(snapshot)}
    pushed: dict[tuple[Ref, str], list[Preemptions]] = defaultdict(list)
    for preempted in preemptions(snapshot):
        pushed[preempted.owner, preempted.nodepool].append(preempted)
    for key, by_preemptor in pushed.items():
        if sum(len(preempted.events) for preempted in by_preemptor) >= minimum_preemptions:
            told.add(key)
            yield _preempted(snapshot, by_preemptor, bought.get(key), minimum_preemptions)
    waiting: dict[tuple[Ref, str, Reason], list[_Waiting]] = defaultdict(list)
    for nominee in nominees(snapshot).values():
        pod = nominee.pod
        if not pod.unschedulable or not pod.active or pod.nominated_node_name:
            continue  # with a nominatedNodeName it is the scheduler's: Karpenter looks at it no more (`utils/pod:IsProvisionable`)
        found = _judge(snapshot, nominee, warn_after, fail_after, warn_after_for_new_nodes, fail_after_for_devices)
        key = (snapshot.owner(nominee.pod), target_nodepool(snapshot, nominee))
        if found and key not in told:
            waiting[(*key, found.obstacle.reason)].append(found)
    for (owner, nodepool, reason), pods in waiting.items():
        told.add((owner, nodepool))
        yield _pending(snapshot, owner, nodepool, reason, pods)
    for (owner, nodepool), entry in bought.items():
        if (owner, nodepool) not in told and _in_vain(snapshot, entry, minimum_claims):
            yield _bought(snapshot, entry)


def _judge(
    snapshot: Snapshot,
    nominee: Nominee,
    warn_after: timedelta,
    fail_after: timedelta,
    warn_after_for_new_nodes: timedelta,
    fail_after_for_devices: timedelta,
) -> _Waiting | None:
    """The pod, if it has waited too long; a target that is still booting is given more time, counted from when it was named."""
    why = obstacle(snapshot, nominee)
    if why.reason is Reason.NOT_INITIALIZED and asks_for_devices(snapshot.nodeclaims_by_name[nominee.nodeclaim]):
        fail_after = fail_after_for_devices
    since = max(nominee.since, why.since) if why.since else nominee.since
    waited = snapshot.taken_at - since
    patience = max(GRACE, warn_after_for_new_nodes if why.reason in _YOUNG_TARGET else warn_after)
    if waited < patience:
        return None
    if why.reason is Reason.TARGET_GONE and not snapshot.whole(Kind.NODECLAIM):
        return None  # some NodeClaims could not be read, and this may be one of them
    return _Waiting(nominee, why, nominee.since, patience, since, long=waited >= fail_after)


def _in_vain(snapshot: Snapshot, entry: Purchases, minimum: int) -> bool:
    """Whether so many claims were bought that neither waiting pods nor what the owner wants accounts for them.

    Without a waiting pod, only claims whose pods are known to run elsewhere count: pods that are gone prove nothing.
    """
    if snapshot.wants_no_pods(entry.owner):
        return False
    return entry.excess >= minimum if entry.waiting else entry.elsewhere >= minimum


def _replicas(snapshot: Snapshot, owner: Ref) -> str:
    desired = snapshot.desired_replicas(owner)
    return "" if desired is None else f" ({desired} replica{'s' * (desired != 1)})"


def _spending(entry: Purchases) -> str:
    """`57 NodeClaims in 1m57s`."""
    bought = f"{len(entry.nodeclaims)} NodeClaim{'s' * (len(entry.nodeclaims) != 1)}"
    span = entry.last - entry.first if entry.first and entry.last else None
    return f"{bought} in {spoken(span)}" if span else bought


def _preempted(snapshot: Snapshot, by_preemptor: Sequence[Preemptions], bought: Purchases | None, minimum: int) -> Finding:
    worst, *others = sorted(by_preemptor, key=lambda found: (-len(found.events), str(found.by)))
    owner, nodepool = worst.owner, worst.nodepool
    events = sorted(
        (event for found in by_preemptor for event in found.events),
        key=lambda event: (event.last_seen or snapshot.taken_at, event.involved_object.name),
    )
    times = len(events)
    enough = events[min(max(minimum, 1), times) - 1].last_seen
    rank = f" ({worst.priority_class_name})" if worst.priority_class_name else ""
    rank += f" and {len(others)} other workload{'s' * (len(others) != 1)}" if others else ""
    spent = f"{_spending(bought)}; " if bought else ""
    pushers = " and ".join(str(found.by) for found in (worst, *others))
    return Finding(
        object=owner,
        owner=owner,
        nodepool=nodepool,
        cause=Reason.PREEMPTED,
        confidence=Confidence.LIKELY,
        message=f"{spent}landed {times} times, preempted {times} times by {worst.by.name}{rank}",
        why=f"its pods{_replicas(snapshot, owner)} land on nodes of {nodepool} and are preempted by pods of {pushers}",
        impact=Impact(
            nodes=len({node for found in by_preemptor for node in found.nodes}),
            pods=times,
            nodeclaims=len(bought.nodeclaims) if bought else None,
        ),
        evidence=(Evidence.of_event(events[-1], count=times),),
        occurrences=tuple(
            Occurrence(
                Ref("Pod", event.involved_object.name, "v1", event.involved_object.namespace),
                event.involved_object.uid, "", Reason.PREEMPTED, event.last_seen, pushed.node if (pushed := preemption(event)) else "",
                max((time for time in (event.last_seen, enough) if time), default=None), event.last_seen,
            )
            for event in events
        ),
        since=earliest([*(event.first_seen for event in events), bought.first if bought else None]),
        fix=(
            Fix("fix", text=f"make Karpenter count {pushers} on {nodepool}, or lower its priority", risk="a lower priority leaves its own pods Pending"),
            verification("nominated-pod-failure", namespace=owner.namespace),
        ),
        blames=tuple(Blame(found.by, nodepool) for found in (worst, *others)),
    )  # fmt: skip


def _pending(snapshot: Snapshot, owner: Ref, nodepool: str, reason: Reason, pods: Sequence[_Waiting]) -> Finding:
    pods = sorted(pods, key=lambda entry: (entry.since, entry.nominee.pod.metadata.name))
    worst = pods[0]
    target = worst.nominee.nodeclaim or worst.nominee.node
    some = "waits" if len(pods) == 1 else f"{len(pods)} pods wait"
    scheduled = worst.nominee.pod.scheduled
    culprits = dict.fromkeys(culprit for entry in pods for culprit in entry.obstacle.culprits)
    themselves = {owner, *(pod_ref(entry.nominee.pod) for entry in pods)}
    proof = [Evidence.of_event(worst.nominee.latest, worst.nominee.times)]
    if scheduled:
        proof.append(Evidence(pod_ref(worst.nominee.pod), "status.conditions[PodScheduled].message", clip(scheduled.message)))
    return Finding(
        object=owner,
        owner=owner,
        nodepool=nodepool,
        cause=reason,
        severity=None if any(entry.long for entry in pods) else Severity.HIGH.lowered(2),
        confidence=Confidence.LIKELY,
        message=f"{some} for {target} since its nomination {spoken(snapshot.taken_at - worst.since)} ago: {_IN_SHORT[reason]}",
        why=worst.obstacle.said,
        impact=Impact(pods=len(pods)),
        evidence=tuple(proof),
        occurrences=tuple(
            Occurrence(
                pod_ref(entry.nominee.pod),
                entry.nominee.pod.metadata.uid,
                entry.nominee.node,
                reason,
                entry.since,
                entry.nominee.nodeclaim,
                entry.waits_since + entry.patience,
                entry.since + entry.patience,
            )
            for entry in pods
        ),
        since=worst.since,
        fix=(Fix("fix", **_remedy(snapshot, reason, worst)), verification("nominated-pod-failure", namespace=owner.namespace)),
        blames=tuple(Blame(culprit) for culprit in culprits if culprit not in themselves),
    )


def _passing(snapshot: Snapshot, waiting: _Waiting) -> bool:
    """Whether a taint of Karpenter's or Kubernetes' own keeps the pod off: it says that the node goes or is ill, and must not be tolerated."""
    node = target_node(snapshot, waiting.nominee)
    keys = [taint.key for taint in repelled(waiting.nominee.pod.shape, node)] if node else []
    return any(key.startswith(("karpenter.sh/", "node.kubernetes.io/", "node.cloudprovider.kubernetes.io/")) for key in keys)


def _remedy(snapshot: Snapshot, reason: Reason, waiting: _Waiting) -> dict[str, str]:
    """What helps, by cause: a command or words, and what it risks."""
    pod, claim = waiting.nominee.pod, shlex.quote(waiting.nominee.nodeclaim)
    if reason is Reason.OTHER_SCHEDULER:
        bare = pod.metadata.controller is None
        name, namespace = shlex.quote(pod.metadata.name), shlex.quote(pod.metadata.namespace)
        return {
            "command": f"kubectl delete pod -n {namespace} {name}",
            "text": f'or start the scheduler "{pod.scheduler_name}"',
            "risk": "a bare pod is not made again" if bare else "its owner makes it again, with the same schedulerName",
        }
    if reason in _YOUNG_TARGET or (reason is Reason.TAINT and _passing(snapshot, waiting)):
        return {
            "command": f"kubectl describe nodeclaim {claim}",
            "text": "mend what its conditions name, or what holds its drain; kubectl delete nodeclaim makes Karpenter buy another",
        }
    words = {
        Reason.TARGET_GONE: "look for why the NodeClaim went: capacity, registration, expiry; Karpenter buys again at its next round",
        Reason.NODE_NOT_READY: "mend the node or delete its NodeClaim: Karpenter buys another",
        Reason.CORDONED: "kubectl uncordon the node, or delete its NodeClaim",
        Reason.TAINT: "declare the taint in the NodePool's startupTaints if it goes away by itself, else as a taint; or tolerate it",
        Reason.LABEL: "make the NodePool declare the label that the nodes really have",
        Reason.NO_ROOM: "make Karpenter count what takes the room, or give the workload more priority",
        Reason.HOST_PORT: "free the host port, or do not ask for one",
    }
    return {
        "text": words.get(
            reason, "compare the scheduler's message above with the node; Karpenter's simulation and the scheduler disagree"
        )
    }


def _emptiness(claim: NodeClaim) -> Evidence:
    last = claim.status.last_pod_event_time
    said = f"{last:%Y-%m-%dT%H:%M:%SZ}: a pod came and went" if last else "none: no pod ever came"
    return Evidence(Ref("NodeClaim", claim.name, "karpenter.sh/v1"), "status.lastPodEventTime", said)


def _bought(snapshot: Snapshot, entry: Purchases) -> Finding:
    """Nodes bought for pods that wait, or that went elsewhere."""
    elsewhere = not entry.waiting
    reason = Reason.LANDED_ELSEWHERE if elsewhere else Reason.UNKNOWN
    what = "its pods run on other nodes" if elsewhere else f"{len(entry.waiting)} of its pods wait{'s' * (len(entry.waiting) == 1)}"
    return Finding(
        object=entry.owner,
        owner=entry.owner,
        nodepool=entry.nodepool,
        cause=reason,
        severity=Severity.HIGH.lowered(2) if elsewhere else None,
        confidence=Confidence.LIKELY,
        message=f"{_spending(entry)}, none of them occupied; {what}",
        why=f"Karpenter bought {len(entry.nodeclaims)} nodes of {entry.nodepool} for its pods{_replicas(snapshot, entry.owner)}; {what}",
        impact=Impact(nodes=len(entry.nodeclaims), pods=len(entry.waiting), nodeclaims=len(entry.nodeclaims)),
        evidence=(_emptiness(entry.nodeclaims[-1]),),
        occurrences=tuple(
            Occurrence(Ref("NodeClaim", claim.name, "karpenter.sh/v1"), claim.metadata.uid, claim.status.node_name, reason, claim.metadata.creation_timestamp)
            for claim in entry.nodeclaims
        ),
        since=entry.first,
        fix=(
            Fix("fix", text="look at what differs between these nodes and what Karpenter planned: taints added after they joined, labels, room"),
            verification("nominated-pod-failure", namespace=entry.owner.namespace),
        ),
    )  # fmt: skip
