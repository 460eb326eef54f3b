"""Pods that wait because their spread or (anti-)affinity leaves no zone, node or other domain for them."""

import shlex
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from karpenter_check.disruption.remedies import command
from karpenter_check.finding import Blame, Confidence, Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity, clip
from karpenter_check.rule import Stage, rule
from karpenter_check.scheduling.ignored import ignored
from karpenter_check.scheduling.last_word import karpenters_last_word, reason_in
from karpenter_check.scheduling.node import foreign_nodes, label_mismatch, repelled
from karpenter_check.scheduling.nomination import pod_ref
from karpenter_check.scheduling.topology import Form, TopologyRefusal, topology_refusals
from karpenter_check.scheduling.verdict import Answer, verdicts
from karpenter_check.snapshot import GRACE, Kind, Pod, Snapshot
from karpenter_check.snapshot.counted import few
from karpenter_check.snapshot.event import Event
from karpenter_check.snapshot.pod import PodShape

_FRESH = timedelta(minutes=15)
"""How old Karpenter's last word may be: it repeats it every five minutes as long as the pod waits."""
_FEW = 5
_REMADE = {"Pod", "Job"}
"""Kinds whose pods cannot be changed."""
_OTHER_WORDS = ("did not tolerate", "unsatisfiable topology constraint")
"""In the parts of a message that need no quotation: a NodePool that other pods are meant for, and what is told anyway."""


@dataclass(frozen=True)
class _Waiting:
    """A pod past the threshold, and what Karpenter said of it last."""

    pod: Pod
    since: datetime
    said: Event
    refusals: Sequence[TopologyRefusal]
    long: bool
    stranger: str
    """A node that is not Karpenter's and that admits the pod by labels and taints; else empty."""


@rule(severity=Severity.MEDIUM, needs={Kind.POD, Kind.NODEPOOL, Kind.EVENT}, since="0.1.0", stage=Stage.POD)
def topology_spread_deadlock(
    snapshot: Snapshot,
    *,
    warn_after: timedelta = GRACE,
    fail_after: timedelta = timedelta(minutes=5),
    rollout_after: timedelta = timedelta(minutes=30),
) -> Iterator[Finding]:
    """Pods wait, and Karpenter finds no domain that their topology spread or (anti-)affinity allows."""
    waiting: dict[tuple[Ref, str], list[_Waiting]] = defaultdict(list)
    strangers: dict[PodShape, str] = {}
    for pod in snapshot.unbound_pods if snapshot.nodepools else ():
        since = pod.unscheduled_since
        if not pod.active or not pod.unschedulable or since is None or snapshot.taken_at - since < max(GRACE, warn_after):
            continue
        said = karpenters_last_word(snapshot, pod)
        if said is None or said.reason != "FailedScheduling" or said.last_seen is None or ignored(snapshot, pod):
            continue
        refusals = topology_refusals(said.message) if snapshot.taken_at - said.last_seen <= _FRESH else ()
        if refusals:
            if pod.shape not in strangers:
                strangers[pod.shape] = _stranger(snapshot, pod.shape)
            owner = snapshot.owner(pod)
            long = snapshot.taken_at - since >= (max(rollout_after, fail_after) if _rolls_out(snapshot, owner) else fail_after)
            found = _Waiting(pod, since, said, refusals, long, strangers[pod.shape])
            waiting[owner, "+".join(sorted({refusal.cause for refusal in refusals}))].append(found)
    for (owner, cause), pods in waiting.items():
        yield _finding(snapshot, owner, cause, sorted(pods, key=lambda entry: (entry.since, entry.pod.metadata.name)))


def _stranger(snapshot: Snapshot, shape: PodShape) -> str:
    admitting = (node for node in foreign_nodes(snapshot) if not any(repelled(shape, node)))
    return next((node.name for node in admitting if not label_mismatch(shape.node_selector, shape.node_affinity, node)), "")


def _rolls_out(snapshot: Snapshot, owner: Ref) -> bool:
    """Whether pods of two generations are there: the old ones count for the spread, and go."""
    controllers = (
        pod.metadata.controller for pod in snapshot.pods_of_owner.get(owner, ()) if pod.phase not in {"Succeeded", "Failed"}
    )
    return owner.kind == "Deployment" and len({controller.uid or controller.name for controller in controllers if controller}) > 1


def _finding(snapshot: Snapshot, owner: Ref, cause: str, pods: Sequence[_Waiting]) -> Finding:
    first = pods[0]
    pod = first.pod
    long = any(entry.long and not entry.stranger for entry in pods)
    others = f"; Node {first.stranger} is not Karpenter's and admits it: it may wait for another autoscaler" * bool(first.stranger)
    rolling = "; pods of an older ReplicaSet count as well, until they are gone" if _rolls_out(snapshot, owner) else ""
    hindered = [
        Ref("NodePool", entry.nodepool, "karpenter.sh/v1")
        for entry in verdicts(snapshot, pod.shape)
        if entry.answer is Answer.REFUSES and all(hindrance.cause.startswith("nodepool:") for hindrance in entry.hindrances)
    ]
    return Finding(
        object=owner,
        owner=owner,
        cause=cause,
        severity=None if long else Severity.MEDIUM.lowered(2),
        confidence=Confidence.LIKELY,
        message=f"Karpenter finds no place for {'it' if len(pods) == 1 else f'{len(pods)} of its pods'} that {_asked(pod.shape, first.refusals)} allows",
        why="; ".join(_why(first)) + rolling + others,
        impact=Impact(pods=len(pods)),
        evidence=(Evidence.of_event(first.said),),
        occurrences=tuple(
            Occurrence(pod_ref(entry.pod), entry.pod.metadata.uid, reason=cause, since=entry.since) for entry in pods
        ),
        since=first.since,
        fix=(
            _changed(owner, _remedy(first, rolling=bool(rolling))),
            Fix("verify", f"karpenter-check why pod -n {shlex.quote(pod.metadata.namespace)} {shlex.quote(pod.metadata.name)}"),
        ),
        blames=tuple(map(Blame, hindered)),
    )


def _changed(owner: Ref, remedy: str) -> Fix:
    if owner.kind in _REMADE:
        return Fix("fix", text=remedy if owner.kind == "Pod" else f"make it again, and {remedy}")
    return Fix("fix", command("edit", owner), remedy, "its pods are replaced, as by a rollout" if owner.kind != "CronJob" else "")


def _asked(shape: PodShape, refusals: Sequence[TopologyRefusal]) -> str:
    """Whose constraints they are, in words: anti-affinity also keeps away pods that do not ask for it."""
    words = []
    for refusal in refusals:
        asked = f"{refusal.form} over {refusal.key}"
        other = "other pods' " if refusal.form is Form.ANTI_AFFINITY else "the "
        words.append(("its " if asked in shape.neighbours else other) + asked)
    return " and ".join(dict.fromkeys(words))


def _why(waiting: _Waiting) -> Iterator[str]:
    for refusal in waiting.refusals[:_FEW]:
        yield f"Karpenter counts {clip(refusal.counts) or 'no domains'}; the new node may have {clip(refusal.node_domains)}"
    for key in dict.fromkeys(refusal.key for refusal in waiting.refusals):
        if behind := _behind(waiting.refusals, key):
            yield f"the fewest are in {few(behind, _FEW)}, where the new node may not be, so that no other domain may get further ahead"
    if part := next(
        (part for part in reason_in(waiting.said.message).split("; ") if not any(word in part for word in _OTHER_WORDS)), ""
    ):
        yield f'of another NodePool it says "{clip(part)}"'


def _behind(refusals: Sequence[TopologyRefusal], key: str) -> Sequence[str]:
    """The domains with the fewest pods, where a spread over the key waits for just them and no new node may be in any."""
    spread = [refusal for refusal in refusals if refusal.key == key and refusal.form is Form.SPREAD]
    behind: set[str] = set()
    for refusal in spread:
        counted = refusal.counted
        if not counted:
            return ()
        behind |= {domain for domain, count in counted.items() if count == min(counted.values())}
    reachable = [refusal.reachable for refusal in spread]
    return () if any(domains is None or domains & behind for domains in reachable) else sorted(behind)


def _remedy(waiting: _Waiting, *, rolling: bool) -> str:
    match waiting.refusals[0].form:
        case Form.AFFINITY:
            return "see that the pods which it must be near run where a NodePool can make a node, or prefer them instead of requiring them"
        case Form.ANTI_AFFINITY:
            return "have no more replicas than there are domains, or prefer to be apart instead of requiring it, or let NodePools offer more of them"
        case Form.SPREAD:
            behind = _behind(waiting.refusals, waiting.refusals[0].key)
            text = "say whenUnsatisfiable: ScheduleAnyway, or a greater maxSkew"
            text += (
                f"; or let a NodePool make nodes in {few(behind, _FEW)}, or the pod's node affinity name the others alone"
                if behind
                else ""
            )
            return text + ("; matchLabelKeys: [pod-template-hash] leaves the old ReplicaSet's pods out" if rolling else "")
