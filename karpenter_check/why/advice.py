"""What to do about a pod that waits."""

import shlex
from collections.abc import Iterator, Sequence

from karpenter_check.finding import Fix
from karpenter_check.scheduling.ignored import Ignored, Reason
from karpenter_check.scheduling.labels import restricted
from karpenter_check.scheduling.nodepool import (
    BeingDeleted,
    HostPortTaken,
    Invalid,
    LimitReached,
    NothingToBuy,
    NotReady,
    Static,
    Unavailable,
)
from karpenter_check.scheduling.refusal import NoOverlap, Refusal, UndefinedLabel, UntoleratedTaint
from karpenter_check.scheduling.verdict import Answer, Hindrance, Verdict
from karpenter_check.snapshot import Pod, Snapshot
from karpenter_check.snapshot.node import NODEPOOL_LABEL
from karpenter_check.snapshot.quantity import shown

LEGACY_NODEPOOL_LABEL = "karpenter.sh/provisioner-name"
_FEW = 2
"""From how many ways out on the rest is left out."""


def advice(snapshot: Snapshot, pod: Pod, overlooked: Ignored | None, answers: Sequence[Verdict]) -> Iterator[Fix]:
    """The ways out, the shortest first; nothing where somebody wants it as it is."""
    if overlooked:
        yield from _look_at_it(pod, overlooked)
        return
    if any(verdict.answer is not Answer.REFUSES for verdict in answers) or pod.daemonset_uid:
        return
    nearest = sorted(answers, key=_distance)
    told: dict[str, None] = {}
    for verdict in nearest:
        if _distance(verdict) == _distance(nearest[0]):
            limited = any(isinstance(entry, LimitReached) for entry in verdict.hindrances)
            ways = " and ".join(_way_out(snapshot, verdict.nodepool, entry) for entry in verdict.hindrances)
            told[ways + ("; that helps only if an instance type holds the pod, which is not proven" if limited else "")] = None
    for place, text in enumerate(list(told)[:_FEW]):
        yield Fix("fix" if place == 0 else "or", text=text)


def _distance(verdict: Verdict) -> tuple[int, int]:
    """How far a NodePool is from taking the pod: by how much of the pod's is in the way, then by what the NodePool itself lacks."""
    refusals = sum(isinstance(entry, UntoleratedTaint | NoOverlap | UndefinedLabel) for entry in verdict.hindrances)
    return refusals, len(verdict.hindrances) - refusals


def _look_at_it(pod: Pod, overlooked: Ignored) -> Iterator[Fix]:
    match overlooked.reason:
        case Reason.LABEL if overlooked.key == LEGACY_NODEPOOL_LABEL:
            text = f"select {NODEPOOL_LABEL} instead: {LEGACY_NODEPOOL_LABEL} is of Karpenter 0.32 and earlier"
        case Reason.LABEL | Reason.EXPRESSION:
            text = f"take {overlooked.key} out of the pod's selector and required affinity, or mend it ({overlooked.path})"
        case Reason.MATCH_FIELDS:
            text = "use matchExpressions on labels in place of matchFields"
        case Reason.NOMINATED:
            where = f"-n {shlex.quote(pod.metadata.namespace)} {shlex.quote(pod.metadata.name)}"
            yield Fix(
                "fix",
                f"kubectl delete pod {where}",
                risk="its controller makes it again without the nomination; a bare pod is gone",
            )
            return
        case Reason.UNSEEN:
            text = f'start the scheduler "{pod.scheduler_name}", or see why it has not come to the pod'
        case Reason.DEVICES:
            text = "claim devices on nodes that another way brings, or set IGNORE_DRA_REQUESTS=false on Karpenter"
        case Reason.VOLUME:
            where = f"-n {shlex.quote(pod.metadata.namespace)}"
            yield Fix("fix", f"kubectl get persistentvolumeclaims {where}", text="mend what Karpenter says of its volumes")
            return
        case _:
            return
    yield Fix("fix", text=text)


def _way_out(snapshot: Snapshot, nodepool: str, hindrance: Hindrance) -> str:
    if isinstance(hindrance, UntoleratedTaint | UndefinedLabel | NoOverlap):
        return _way_out_of_refusal(snapshot, nodepool, hindrance)
    return _way_out_of_lack(nodepool, hindrance)


def _way_out_of_refusal(snapshot: Snapshot, nodepool: str, refusal: Refusal) -> str:
    match refusal:
        case UntoleratedTaint(taint):
            return f"tolerate {taint} if the pod is meant for NodePool {nodepool}"
        case UndefinedLabel(asked) if refusal.meant:
            return f"select {refusal.meant}, which is probably meant, instead of {asked.key}"
        case UndefinedLabel(asked) if restricted(asked.key, snapshot.karpenter_version):
            return f"take {asked.key} out of what the pod asks: no NodePool may declare it"
        case UndefinedLabel(asked):
            return f"declare {asked.key} on a NodePool (spec.template.metadata.labels, or a requirement), or take it out of what the pod asks"
        case NoOverlap(declared, asked):
            return f"let NodePool {nodepool} have {asked} besides {declared}, or change what the pod asks"


def _way_out_of_lack(nodepool: str, lack: Unavailable) -> str:
    match lack:
        case LimitReached(resource, _, used, needed):
            least = shown(resource, used + needed)
            return f"raise NodePool {nodepool}'s limit of {resource} to {least} or more"
        case NotReady():
            return f"make NodePool {nodepool} Ready: kubectl describe nodepool {shlex.quote(nodepool)}"
        case Invalid(violation):
            return f"mend NodePool {nodepool}: {violation}"
        case NothingToBuy(requirement):
            return f"mend the requirements of NodePool {nodepool}, which leave no {requirement.key}"
        case HostPortTaken(port):
            return f"give the pod another host port than {port.host_port}"
        case Static():
            return f"raise the replicas of NodePool {nodepool}"
        case BeingDeleted():
            return f"NodePool {nodepool} is being deleted: make another one"
