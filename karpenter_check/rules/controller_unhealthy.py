"""Karpenter itself: whether it runs, stays up, does its work, and could lose a pod."""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from karpenter_check.disruption.controller import controller_ref, controllers, has_nothing_to_do, pods_of, served_groups
from karpenter_check.disruption.expiry import expiry, overdue
from karpenter_check.disruption.life_signs import last_word, last_write, newest_time, signs_of_life
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
from karpenter_check.rule import NotProven, Stage, rule
from karpenter_check.scheduling.labels import EKS_AUTO_MODE
from karpenter_check.scheduling.nomination import pod_ref
from karpenter_check.snapshot import Kind, NodeClaim, Pod, Snapshot
from karpenter_check.snapshot.counted import few, plural
from karpenter_check.snapshot.duration import spoken
from karpenter_check.snapshot.event import Event
from karpenter_check.snapshot.moments import at
from karpenter_check.snapshot.workload import Deployment

_REGISTRATION_TIMEOUT = timedelta(minutes=15)
"""After so long Karpenter deletes a NodeClaim whose node did not join (`nodeclaim/lifecycle/liveness.go:registrationTimeout`, 1.13)."""
_RECENT = timedelta(minutes=10)
"""A container that fails again and again is told of every five minutes, the longest pause of its kubelet."""
_LEASE_LASTS = timedelta(seconds=15)
"""Of a leader that is lost (controller-runtime, pkg/manager/manager.go: defaultLeaseDuration, 0.23)."""
_HERD = "all NodeClaims that expired meanwhile are deleted at once as it comes back, and no budget slows that"
_LABELLED = "-l app.kubernetes.io/name=karpenter"


@dataclass(frozen=True)
class _Controller:
    """One Deployment of Karpenter and its pods; `spare` says that another one runs, or that there is nothing to do."""

    deployment: Deployment
    pods: Sequence[Pod]
    spare: bool

    @property
    def ref(self) -> Ref:
        return controller_ref(self.deployment)

    @property
    def wanted(self) -> int:
        return self.deployment.spec.replicas

    @property
    def at(self) -> str:
        """As kubectl takes it."""
        return f"-n {shlex.quote(self.ref.namespace)} deployment/{shlex.quote(self.ref.name)}"


@rule(severity=Severity.CRITICAL, needs={Kind.DEPLOYMENT, Kind.POD}, since="0.1.0", stage=Stage.CONTROLLER)
def controller_unhealthy(
    snapshot: Snapshot,
    *,
    warn_after: timedelta = timedelta(minutes=1),
    fail_after: timedelta = timedelta(minutes=5),
    lease_after: timedelta = timedelta(minutes=1),
    overdue_after: timedelta = timedelta(minutes=5),
    alone_after: timedelta = timedelta(minutes=15),
    restarts: int = 5,
) -> Iterator[Finding]:
    """Karpenter itself does not run, restarts again and again, leaves its work undone, or is a single pod."""
    found = controllers(snapshot)
    if not found:
        raise NotProven("no Deployment of Karpenter is in the cluster, as with EKS Auto Mode, whose Karpenter runs outside of it")
    pods = {controller_ref(deployment): pods_of(snapshot, deployment) for deployment in found}
    idle = has_nothing_to_do(snapshot)
    for deployment in found:
        ref = controller_ref(deployment)
        spare = idle or any(pod.ready for other in found if other is not deployment for pod in pods[controller_ref(other)])
        controller = _Controller(deployment, pods[ref], spare)
        if controller.wanted == 0:
            yield from _turned_off(snapshot, controller, fail_after)
        elif not any(pod.ready for pod in controller.pods):
            yield from _down(snapshot, controller, warn_after, fail_after)
        else:
            worse = [*_leaderless(snapshot, controller, lease_after), *_restarting(snapshot, controller, restarts)]
            if len(found) == 1:
                worse += _undone(snapshot, controller, overdue_after)
            yield from worse or _alone(snapshot, controller, alone_after)


def _finding(
    controller: _Controller, cause: str, severity: Severity, message: str, why: str, cost: str, fix: Sequence[Fix], *,
    confidence: Confidence = Confidence.CERTAIN, impact: Impact = Impact(), evidence: Sequence[Evidence] = (),
    occurrences: Sequence[Occurrence] = (), since: datetime | None = None,
) -> Finding:  # fmt: skip
    replicas = Evidence(controller.ref, "spec.replicas", str(controller.wanted))
    return Finding(
        object=controller.ref, owner=controller.ref, cause=cause, severity=severity, confidence=confidence, message=message, why=why,
        cost=cost, impact=impact, evidence=(replicas, *evidence), occurrences=tuple(occurrences), since=since,
        fix=(*fix, verification("controller-unhealthy")),
    )  # fmt: skip


def _waiting(snapshot: Snapshot) -> tuple[str, Impact]:
    """What a cluster pays for without Karpenter."""
    pods = sum(pod.active and pod.unschedulable for pod in snapshot.unbound_pods)
    said = "no node is bought, replaced or drained, and interruptions are not answered"
    return said + (f"; {plural(pods, 'pod')} wait{'s' * (pods == 1)} for a node now" if pods else ""), Impact(pods=pods)


def _turned_off(snapshot: Snapshot, controller: _Controller, fail_after: timedelta) -> Iterator[Finding]:
    """Somebody meant it, and may have forgotten it."""
    created = controller.deployment.metadata.creation_timestamp
    if controller.spare or created is None or snapshot.taken_at - created < fail_after:
        return
    cost, impact = _waiting(snapshot)
    scale = Fix("fix", f"kubectl scale {controller.at} --replicas=2", risk=_HERD)
    yield _finding(
        controller, "scaled-to-zero", Severity.HIGH, "Karpenter is turned off: its Deployment wants 0 replicas",
        f"there are NodePools or NodeClaims for it, and no other Karpenter runs in the cluster; {signs_of_life(snapshot)}",
        cost, (scale,), impact=impact,
    )  # fmt: skip


def _unready_since(pod: Pod) -> datetime | None:
    return pod.unready_since if pod.node_name else pod.unscheduled_since


def _down(snapshot: Snapshot, controller: _Controller, warn_after: timedelta, fail_after: timedelta) -> Iterator[Finding]:
    """Down for as long as the last of its pods is: each may have been replaced by the next, and one that goes is not yet."""
    created = controller.deployment.metadata.creation_timestamp
    going = [pod.metadata.deletion_timestamp for pod in snapshot.pods_of_owner.get(controller.ref, ())]
    moments = [_unready_since(pod) or pod.metadata.creation_timestamp for pod in controller.pods] or [
        max((moment for moment in (created, *going) if moment), default=None)
    ]
    known = [moment for moment in moments if moment]
    lasting = snapshot.taken_at - max(known) if len(known) == len(moments) else None
    if lasting is None or lasting < warn_after or not snapshot.whole(Kind.POD):
        return
    severity = Severity.CRITICAL.lowered((0 if lasting >= fail_after else 2) + (2 if controller.spare else 0))
    since = max(known) if controller.pods else None
    cost, impact = _waiting(snapshot)
    waits = [pod for pod in controller.pods if not pod.node_name]
    said = [_state(snapshot, pod) for pod in controller.pods]
    events = [event for pod in controller.pods[:3] if (event := _last_event(snapshot, pod))]
    message = f"none of Karpenter's {plural(len(controller.pods), 'pod')} is Ready, for {spoken(lasting)} now"
    if len(controller.pods) == 1:
        message = f"Karpenter's only pod is not Ready, for {spoken(lasting)} now"
    elif not controller.pods:
        message = f"Karpenter has no pod, though its Deployment wants {controller.wanted}"
    yield _finding(
        controller, "waits-for-a-node" if controller.pods and len(waits) == len(controller.pods) else "no-ready-pod", severity, message,
        "; ".join([few(said, 3) if said else "the pods that it wants are not made: a quota, a webhook or its ServiceAccount may be why",
                   signs_of_life(snapshot)]),
        cost,
        (
            Fix("fix", f"kubectl describe pods -n {shlex.quote(controller.ref.namespace)} {_LABELLED}" if controller.pods else
                f"kubectl describe replicasets -n {shlex.quote(controller.ref.namespace)} {_LABELLED}",
                text="Karpenter buys no node for itself while it is down: make room outside of its nodes" if waits else
                "see what its pods wait for, or why they fail", risk=_HERD),
            *([] if waits or not controller.pods else [Fix("or", f"kubectl logs {controller.at} --previous --tail=50")]),
        ),
        impact=impact,
        evidence=[Evidence.of_event(event) for event in events],
        occurrences=[
            Occurrence(pod_ref(pod), pod.metadata.uid, pod.node_name, "unready" if pod.node_name else "pending", _unready_since(pod))
            for pod in controller.pods
        ],
        since=since,
    )  # fmt: skip


def _state(snapshot: Snapshot, pod: Pod) -> str:
    """How a pod of its stands, in words."""
    since = _unready_since(pod)
    when = f" since {at(snapshot, since)}" if since else ""
    if not pod.node_name:
        said = clip(pod.scheduled.message, 160) if pod.scheduled else ""
        return f"{pod.metadata.name} waits for a node{when}" + (f" ({said})" if said else "")
    node = snapshot.nodes_by_name.get(pod.node_name)
    also = ", and neither is its node" if node and not node.ready else ""
    return f"{pod.metadata.name} on {pod.node_name} is not Ready{when}{also}"


def _events(snapshot: Snapshot, pod: Pod) -> Iterator[Event]:
    metadata = pod.metadata
    for reason in ("BackOff", "Failed", "FailedMount", "FailedCreatePodSandBox", "Unhealthy"):
        for event in snapshot.events_by_reason.get(reason, ()):
            about = event.involved_object
            if (about.kind, about.namespace, about.name) == ("Pod", metadata.namespace, metadata.name) and event.last_seen:
                yield event


def _last_event(snapshot: Snapshot, pod: Pod) -> Event | None:
    """What a kubelet last said of a pod that does not run as it should."""
    return max(_events(snapshot, pod), key=lambda event: event.last_seen or snapshot.taken_at, default=None)


def _leaderless(snapshot: Snapshot, controller: _Controller, lease_after: timedelta) -> Iterator[Finding]:
    """A Lease that no leader renews, as each does every 2 seconds; a leader that fails to for 10 ends.

    One that Karpenter has worked without since is left from other times: with DISABLE_LEADER_ELECTION nobody renews any.
    """
    lease = next((entry for entry in snapshot.leases if entry.metadata.namespace == controller.ref.namespace), None)
    renewed = lease.spec.renew_time if lease else None
    if lease is None or renewed is None or snapshot.taken_at - renewed < lease_after:
        return
    word, written = last_word(snapshot), last_write(snapshot)
    signs = [moment for moment in (word.last_seen if word else None, written) if moment]
    if any(moment - renewed >= _LEASE_LASTS for moment in signs):
        return
    ref, holder = Ref("Lease", lease.metadata.name, "coordination.k8s.io/v1", lease.metadata.namespace), lease.spec.holder_identity
    cost, impact = _waiting(snapshot)
    yield _finding(
        controller, "stale-lease", Severity.CRITICAL.lowered(2 if controller.spare else 0),
        f"no pod of Karpenter leads: its Lease was last renewed {spoken(snapshot.taken_at - renewed)} ago",
        f"{clip(holder, 120) or 'nobody'} holds {ref}, renewed at {at(snapshot, renewed)}; a leader renews it every 2 s, and only the leader "
        f"works; {signs_of_life(snapshot)}",
        cost,
        (Fix("fix", f"kubectl logs {controller.at} --all-pods=true --tail=50",
             text="see why none of its pods gets the Lease: refused writes, or an API server that they do not reach", risk=_HERD),),
        confidence=Confidence.LIKELY, impact=impact,
        evidence=(
            Evidence(ref, "spec.renewTime", f"{renewed:%Y-%m-%dT%H:%M:%SZ}"),
            Evidence(ref, "spec.holderIdentity", clip(holder, 120) or "none"),
        ),
        since=renewed,
    )  # fmt: skip


def _restarting(snapshot: Snapshot, controller: _Controller, restarts: int) -> Iterator[Finding]:
    """Pods whose container fails again and again, as their kubelets say: how often it restarted in all is not read."""
    failing = [
        (pod, event)
        for pod in controller.pods
        for event in _events(snapshot, pod)
        if event.reason == "BackOff" and "restarting failed container" in event.message
        if event.times >= restarts and event.last_seen and snapshot.taken_at - event.last_seen <= _RECENT
    ]
    if not failing:
        return
    (pod, event), number = failing[0], len({pod.metadata.uid for pod, _ in failing})
    ready = sum(pod.ready for pod in controller.pods)
    yield _finding(
        controller, "restarts", Severity.HIGH.lowered(2 if controller.spare else 0),
        f"{number} of Karpenter's {plural(len(controller.pods), 'pod')} fail{'s' * (number == 1)} again and again",
        f"the kubelet held a failed container of {pod.metadata.name} back {event.times} times; {plural(ready, 'pod')} "
        f"{'is' if ready == 1 else 'are'} Ready at this moment; {signs_of_life(snapshot)}",
        "each restart forgets what Karpenter had in mind, and for its time nothing is bought, replaced or drained",
        (Fix("fix", f"kubectl logs -n {shlex.quote(pod.metadata.namespace)} {shlex.quote(pod.metadata.name)} --previous --tail=50",
             text="where it was killed for its memory, raise the limit in the chart's controller.resources"),),
        confidence=Confidence.LIKELY,
        evidence=[Evidence.of_event(event) for _, event in failing[:3]],
        occurrences=[Occurrence(pod_ref(pod), pod.metadata.uid, pod.node_name, "restarts", event.first_seen) for pod, event in failing],
        since=earliest(event.first_seen for _, event in failing),
    )  # fmt: skip


def _due(snapshot: Snapshot, claim: NodeClaim) -> tuple[str, datetime] | None:
    """What Karpenter should have deleted a NodeClaim for, and when."""
    if claim.metadata.deletion_timestamp or claim.spec.node_class_ref.api_group == EKS_AUTO_MODE:
        return None
    due = expiry(snapshot, claim)
    if overdue(snapshot, claim) is not None and due:
        return "expired", due
    registered = claim.condition("Registered")
    if registered and registered.status != "True" and registered.last_transition_time:
        return "unregistered", registered.last_transition_time + _REGISTRATION_TIMEOUT
    return None


def _undone(snapshot: Snapshot, controller: _Controller, overdue_after: timedelta) -> Iterator[Finding]:
    """NodeClaims that a Karpenter at work would have deleted. Of two node classes' providers one may be nobody's."""
    newest = newest_time(snapshot)
    if len(served_groups(snapshot)) > 1 or newest is None or not snapshot.covered(Kind.NODECLAIM).sufficient:
        return
    late = [
        (claim, word, due)
        for claim in snapshot.nodeclaims
        if (entry := _due(snapshot, claim)) is not None
        for word, due in [entry]
        if min(newest, snapshot.taken_at) >= due + overdue_after
    ]
    if not late:
        return
    late.sort(key=lambda entry: (entry[2], entry[0].name))
    claim, word, due = late[0]
    reasons = " or ".join(sorted({"expired" if word == "expired" else "never became a node" for _, word, _ in late}))
    rule_of = "its expireAfter ran out" if word == "expired" else "its node had not joined after 15 minutes"
    yield _finding(
        controller, "overdue-work", Severity.HIGH,
        f"Karpenter runs, and has not deleted {plural(len(late), 'NodeClaim')} that {reasons}, "
        f"for {'up to ' * (len(late) > 1)}{spoken(snapshot.taken_at - due)} now",
        f"NodeClaim {claim.name} was to be deleted at {at(snapshot, due)}, as {rule_of}; Karpenter does that at once, so none of its pods "
        f"leads, it is stuck, or its deletions are refused; {signs_of_life(snapshot)}",
        "what else it leaves undone does not show: nodes for pending pods, drift, drains",
        (Fix("fix", f"kubectl logs {controller.at} --all-pods=true --tail=50",
             text="see which pod holds the Lease karpenter-leader-election, and what its log says", risk=_HERD),),
        confidence=Confidence.LIKELY,
        impact=Impact(nodes=sum(bool(claim.status.node_name) for claim, _, _ in late), nodeclaims=len(late)),
        evidence=[Evidence(Ref("NodeClaim", claim.name, "karpenter.sh/v1"), "metadata.deletionTimestamp", "none")],
        occurrences=[
            Occurrence(Ref("NodeClaim", claim.name, "karpenter.sh/v1"), claim.metadata.uid, claim.status.node_name, word, due)
            for claim, word, due in late
        ],
        since=due,
    )  # fmt: skip


def _alone(snapshot: Snapshot, controller: _Controller, alone_after: timedelta) -> Iterator[Finding]:
    """One pod is all there is, by design or because no other comes up."""
    ready, others = [pod for pod in controller.pods if pod.ready], [pod for pod in controller.pods if not pod.ready]
    since = [_unready_since(pod) for pod in others]
    lasting = bool(others) and all(moment and snapshot.taken_at - moment >= alone_after for moment in since)
    if controller.spare or not snapshot.whole(Kind.POD) or len(ready) != 1 or (controller.wanted > 1 and not lasting):
        return
    single = controller.wanted == 1
    yield _finding(
        controller, "single-replica", Severity.MEDIUM,
        "Karpenter is a single pod" if single else f"only 1 of Karpenter's {controller.wanted} pods is Ready",
        "its Deployment wants 1 replica; its chart's default is 2, of which one leads and the other waits" if single
        else few([_state(snapshot, pod) for pod in others], 3),
        f"until a lost pod {ready[0].metadata.name} is made again elsewhere, no node is bought, not even where its own node was lost with others",
        (Fix("fix", f"kubectl scale {controller.at} --replicas=2", text="and set replicas in the chart's values",
             risk="with the chart's defaults the second pod needs a second node outside of Karpenter's NodePools")
         if single else Fix("fix", f"kubectl describe pods -n {shlex.quote(controller.ref.namespace)} {_LABELLED}",
             text="with the chart's defaults each pod needs a node of its own outside of Karpenter's NodePools"),),
        occurrences=[Occurrence(pod_ref(pod), pod.metadata.uid, pod.node_name, "alone") for pod in ready],
        since=None if single else earliest(since),
    )  # fmt: skip
