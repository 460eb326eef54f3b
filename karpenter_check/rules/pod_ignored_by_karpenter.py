"""Pending pods that Karpenter does not look at, so that no node is ever bought for them."""

import shlex
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from karpenter_check.finding import Confidence, Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity, verification
from karpenter_check.rule import Stage, rule
from karpenter_check.scheduling.ignored import Ignored, Reason, ignored
from karpenter_check.scheduling.labels import HOSTNAME
from karpenter_check.scheduling.last_word import is_later, karpenters_refusals, reason_in
from karpenter_check.scheduling.node import is_foreign, label_mismatch, repelled
from karpenter_check.scheduling.nomination import nominees, pod_ref
from karpenter_check.snapshot import Kind, Node, Pod, Snapshot
from karpenter_check.snapshot.clip import clip
from karpenter_check.snapshot.event import Event

_FRESH = timedelta(minutes=15)
"""How old an event may be: Karpenter repeats it every five minutes as long as the pod waits."""
_PROVISIONER = "karpenter.sh/provisioner-name"
_SURE = {Reason.LABEL, Reason.EXPRESSION, Reason.MATCH_FIELDS, Reason.OPTED_OUT, Reason.GATED}
"""What the objects alone prove. A flag may turn devices on, an event is a word, and a scheduler may be about to answer.

Nor does a nominated node that is not there prove anything: nothing tells when it was nominated, so it may have come since nodes were listed.
"""
_FOR_A_NODE = {Reason.LABEL, Reason.EXPRESSION, Reason.MATCH_FIELDS}
"""What a pod may ask that is meant for a node which is there."""
_WORDS = {
    Reason.OPTED_OUT: "nothing, if other nodes are meant for it; else take the expression out",
    Reason.GATED: "nothing, if whoever set its scheduling gates is about to lift them",
    Reason.UNSEEN: "start that scheduler or mend it; only what it calls Unschedulable is Karpenter's",
    Reason.MATCH_FIELDS: "select nodes by their labels",
    Reason.DEVICES: "make its nodes another way, or set Karpenter's IGNORE_DRA_REQUESTS to false where it can do that",
    Reason.VOLUME: "mend the volume claim that Karpenter's event names",
}


@dataclass(frozen=True)
class _Waiting:
    """A pod past the threshold."""

    pod: Pod
    since: datetime
    ignored: Ignored
    severity: Severity | None
    stranger: str
    """A node that admits it, and that Karpenter need not buy; else empty."""


@rule(severity=Severity.HIGH, needs={Kind.POD, Kind.NODEPOOL, Kind.NODE}, since="0.1.0", stage=Stage.POD)
def pod_ignored_by_karpenter(
    snapshot: Snapshot, *, warn_after: timedelta = timedelta(seconds=30), fail_after: timedelta = timedelta(minutes=5)
) -> Iterator[Finding]:
    """Pods wait, and Karpenter does not look at them."""
    waiting: dict[tuple[Ref, str], list[_Waiting]] = defaultdict(list)
    for pod in snapshot.unbound_pods if snapshot.nodepools else ():
        if not pod.active or pod.scheduler_name == "fargate-scheduler":
            continue
        since = pod.unscheduled_since
        if since is None or snapshot.taken_at - since < warn_after:
            continue
        why, long = ignored(snapshot, pod), snapshot.taken_at - since >= fail_after
        if why and _counts(snapshot, pod, why, long=long):
            stranger = _stranger(snapshot, pod, why) if why.reason in _FOR_A_NODE else ""
            severity = Severity.INFO if why.deliberate else Severity.HIGH.lowered(2) if stranger or not long else None
            waiting[snapshot.owner(pod), why.cause].append(_Waiting(pod, since, why, severity, stranger))
    for (owner, cause), pods in waiting.items():
        yield _finding(snapshot, owner, cause, sorted(pods, key=lambda entry: (entry.since, entry.pod.metadata.name)))


def _counts(snapshot: Snapshot, pod: Pod, why: Ignored, *, long: bool) -> bool:
    """Whether it is worth a word by now: what somebody wants so, and what may pass, is given the whole time."""
    if why.reason in {Reason.OWNED_BY_DAEMONSET, Reason.OWNED_BY_NODE}:
        return False
    if why.reason is Reason.NOMINATED:
        leaving = any(other.metadata.deletion_timestamp for other in snapshot.pods_on_node.get(why.value, ()))
        return long and not leaving  # victims that still make room
    if why.reason is Reason.VOLUME:
        nominee = nominees(snapshot).get(pod.metadata.uid)
        return why.event is not None and _fresh(snapshot, why.event) and not (nominee and is_later(nominee.latest, why.event))
    return long or not why.deliberate


def _fresh(snapshot: Snapshot, event: Event) -> bool:
    return event.last_seen is not None and snapshot.taken_at - event.last_seen <= _FRESH


def _stranger(snapshot: Snapshot, pod: Pod, why: Ignored) -> str:
    """A node that admits the pod by labels and taints, and is not Karpenter's or is one that the pod asks for by name."""

    def admits(node: Node) -> bool:
        meant = node.name == pod.pinned_to if pod.pinned_to else is_foreign(snapshot, node) or why.key == HOSTNAME
        shape = pod.shape
        return meant and not label_mismatch(shape.node_selector, shape.node_affinity, node) and not any(repelled(shape, node))

    return next((node.name for node in snapshot.nodes if admits(node)), "")


def _event(snapshot: Snapshot, pod: Pod) -> Event | None:
    """Karpenter's latest `FailedScheduling` of the pod, if it is fresh."""
    event = karpenters_refusals(snapshot).get(pod.metadata.uid)
    return event if event and _fresh(snapshot, event) else None


def _finding(snapshot: Snapshot, owner: Ref, cause: str, pods: Sequence[_Waiting]) -> Finding:
    first = pods[0]
    why = first.ignored
    event = next((found for entry in pods if (found := entry.ignored.event or _event(snapshot, entry.pod))), None)
    severities = [entry.severity or Severity.HIGH for entry in pods]
    worst = min(severities, key=lambda severity: severity.rank)
    known = next((entry.stranger for entry in pods if entry.stranger), "")
    reasons = (
        f"Node {known} admits it, and Karpenter need not buy that: it may wait for a place there" if known else "",
        f'Karpenter says "{clip(reason_in(why.event.message))}"' if why.event else "",
    )
    return Finding(
        object=owner,
        owner=owner,
        cause=cause,
        severity=None if worst is Severity.HIGH else worst,
        confidence=Confidence.CERTAIN if why.reason in _SURE else Confidence.LIKELY,
        message=f"Karpenter does not look at {'it' if len(pods) == 1 else f'{len(pods)} of its pods'}: {why.said}",
        why="; ".join(filter(None, reasons)),
        impact=Impact(pods=len(pods)),
        evidence=(
            *((Evidence(pod_ref(first.pod), why.path, why.value),) if why.path else ()),
            *((Evidence.of_event(event),) if event else ()),
        ),
        occurrences=tuple(
            Occurrence(pod_ref(entry.pod), entry.pod.metadata.uid, reason=cause, since=entry.since) for entry in pods
        ),
        since=first.since,
        fix=(_remedy(first), verification("pod-ignored-by-karpenter", namespace=owner.namespace)),
    )


def _remedy(waiting: _Waiting) -> Fix:
    why, pod = waiting.ignored, waiting.pod.metadata
    if why.key == _PROVISIONER and why.reason is Reason.LABEL:
        return Fix("fix", text=f"rename {_PROVISIONER} to karpenter.sh/nodepool: Provisioners are gone since Karpenter 0.32")
    if why.reason is Reason.LABEL:
        return Fix("fix", text=f"take {why.key} out of what the pod selects; a label of your own will do that a NodePool declares")
    if why.reason is Reason.NOMINATED:
        command = f"kubectl delete pod -n {shlex.quote(pod.namespace)} {shlex.quote(pod.name)}"
        again = "its owner makes it again" if pod.controller else "a bare pod is not made again"
        return Fix("fix", command, text="no scheduler takes the nomination back by itself", risk=again)
    return Fix("fix", text=_WORDS.get(why.reason, f"mend {why.path}"))
