"""Why does no NodePool take this pod?"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from karpenter_check.finding import Fix
from karpenter_check.scheduling.daemonset import daemonset_pod, refusals
from karpenter_check.scheduling.existing import existing_nodes, refusals_of_existing
from karpenter_check.scheduling.ignored import Ignored, ignored
from karpenter_check.scheduling.last_word import karpenters_last_word
from karpenter_check.scheduling.nodepool import in_order
from karpenter_check.scheduling.nomination import Nominee, node_obstacle, nominees, obstacle
from karpenter_check.scheduling.pod import alternatives
from karpenter_check.scheduling.refusal import NoOverlap, UndefinedLabel, UntoleratedTaint
from karpenter_check.scheduling.template import nodepool_templates
from karpenter_check.scheduling.verdict import Answer, Verdict, verdicts
from karpenter_check.snapshot import Kind, Pod, Ref, Snapshot, Status
from karpenter_check.why.advice import advice
from karpenter_check.why.subject import pods_meant

_RECENT = timedelta(hours=1)


class Conclusion(StrEnum):
    """What it comes to. No snapshot can promise that a pod will be scheduled."""

    NO_NODEPOOL_CAN = "no NodePool can"
    NOT_PROVEN = "not proven"
    WOULD_TAKE = "a NodePool would take it"
    IGNORED = "Karpenter does not look at it"
    BOUND = "it is on a node"


@dataclass(frozen=True)
class Said:
    """What somebody said of the pod: who, when last, how often, and the words."""

    by: str
    reason: str
    message: str
    times: int
    last: datetime | None


@dataclass(frozen=True)
class NodesAnswer:
    """What the nodes that are there say to the pod, as kube-scheduler would."""

    could: tuple[str, ...]
    """Nodes on which nothing that was checked keeps it."""
    cannot: Mapping[str, int]
    """How many say no, by the word for why."""
    only_karpenter: tuple[tuple[str, str], ...]
    """Nodes that Karpenter's simulation would use and that kube-scheduler would not, and why not."""
    unchecked: tuple[str, ...]
    """What was not checked, in words."""


@dataclass(frozen=True)
class PodAnswer:
    """All that a snapshot tells of why a pod is where it is not."""

    subject: Ref
    pod: Pod
    owner: Ref
    others: int
    """How many more pods of the subject wait for the same."""
    since: datetime | None
    """From when on it waits; None if it does not."""
    asks: tuple[str, ...]
    """What it needs of labels, in words; alternatives one by one."""
    conclusion: Conclusion
    common: str
    """What every NodePool that refuses has against it, in words; empty where that differs."""
    common_cause: str
    ignored: Ignored | None
    nodepools: tuple[Verdict, ...]
    """In Karpenter's order."""
    nodes: NodesAnswer
    nomination: str
    """Where Karpenter last said it should go, and why it is not there; empty without one."""
    said: tuple[Said, ...]
    fix: tuple[Fix, ...]
    unseen: tuple[str, ...]
    """Kinds that were not seen, or not whole, and why."""


def why_pod(snapshot: Snapshot, name: str, namespace: str | None = None) -> PodAnswer:
    """The answer for the pod of that name, or for the pod of a workload that waits longest. Raises `subject.NotFound`."""
    subject, pods = pods_meant(snapshot, name, namespace)
    pod = pods[0]
    waiting = not pod.node_name
    overlooked = ignored(snapshot, pod) if waiting else None
    answers = _answers(snapshot, pod)
    causes = frozenset.intersection(*(verdict.causes for verdict in answers)) if answers else frozenset()
    common_cause = min(causes, key=lambda cause: (not cause.startswith("label:"), cause), default="")
    nominee = nominees(snapshot).get(pod.metadata.uid)
    others = sum(1 for other in pods[1:] if other.shape is pod.shape and not other.node_name) if waiting else 0
    conclusion = _conclusion(pod, overlooked, answers)
    return PodAnswer(
        subject=subject,
        pod=pod,
        owner=snapshot.owner(pod),
        others=others,
        since=pod.unscheduled_since if waiting else None,
        asks=_asks(snapshot, pod),
        conclusion=conclusion,
        common=_in_common(answers, common_cause),
        common_cause=common_cause,
        ignored=overlooked,
        nodepools=answers,
        nodes=_nodes(snapshot, pod) if waiting else NodesAnswer((), {}, (), ()),
        nomination=_nomination(snapshot, nominee) if waiting and nominee else "",
        said=tuple(_said(snapshot, pod)),
        fix=tuple(advice(snapshot, pod, overlooked, answers)) if waiting else (),
        unseen=tuple(
            f"{kind}: {coverage}"
            for kind in (Kind.NODEPOOL, Kind.NODE, Kind.POD, Kind.DAEMONSET, Kind.NODECLAIM, Kind.EVENT)
            if (coverage := snapshot.covered(kind)).status is not Status.COMPLETE
        ),
    )


def _answers(snapshot: Snapshot, pod: Pod) -> tuple[Verdict, ...]:
    """What each NodePool answers; to a DaemonSet's pod, for which none buys, whether it counts it when it sizes nodes."""
    daemonset = snapshot.daemonsets_by_uid.get(pod.daemonset_uid)
    if daemonset is None:
        return tuple(verdicts(snapshot, pod.shape))
    simulated = daemonset_pod(snapshot, daemonset)
    found = []
    for nodepool in in_order(snapshot):
        refused = refusals(simulated, nodepool_templates(snapshot)[nodepool.name], snapshot.karpenter_version)
        answer = Answer.REFUSES if refused else Answer.TAKES
        found.append(Verdict(nodepool.name, answer, refused, "" if refused else "counts it when it sizes nodes"))
    return tuple(found)


def _conclusion(pod: Pod, overlooked: Ignored | None, answers: Sequence[Verdict]) -> Conclusion:
    if pod.node_name:
        return Conclusion.BOUND
    if overlooked:
        return Conclusion.IGNORED
    if any(verdict.answer is Answer.TAKES for verdict in answers):
        return Conclusion.WOULD_TAKE
    if any(verdict.answer is Answer.UNPROVEN for verdict in answers):
        return Conclusion.NOT_PROVEN
    return Conclusion.NO_NODEPOOL_CAN


def _in_common(answers: Sequence[Verdict], cause: str) -> str:
    """What all have against the pod, in words; nothing without a cause that is common to all."""
    entry = next((entry for verdict in answers for entry in verdict.hindrances if entry.cause == cause), None)
    match entry:
        case None:
            return ""
        case UndefinedLabel(asked):
            return f"it needs {asked}, which none declares" + (f" (typo of {entry.meant}?)" if entry.meant else "")
        case NoOverlap(_, asked):
            return f"it needs {asked}, which none offers"
        case UntoleratedTaint(taint):
            return f"it does not tolerate {taint}, which each has"
        case _:
            return f"each {entry}"


def _asks(snapshot: Snapshot, pod: Pod) -> tuple[str, ...]:
    first = next(iter(nodepool_templates(snapshot).values()), None)
    if first is None:
        return ()
    shown = (" and ".join(str(entry) for entry in asked.by_key.values()) for asked in alternatives(pod.shape, first.provider))
    return tuple(text for text in shown if text)


def _nodes(snapshot: Snapshot, pod: Pod) -> NodesAnswer:
    views = {existing.node.name: existing for existing in existing_nodes(snapshot) if existing.node}
    could, only_karpenter, cannot = [], [], Counter[str]()
    for node in snapshot.nodes:
        if pod.pinned_to and pod.pinned_to != node.name:
            cannot["label"] += 1
            continue
        if node.metadata.deletion_timestamp:
            cannot["being deleted"] += 1
            continue
        found = node_obstacle(snapshot, pod, node)
        if found is None:
            could.append(node.name)
            continue
        cannot[found.reason.replace("_", " ")] += 1
        if node.name in views and not pod.daemonset_uid and not refusals_of_existing(pod.shape, views[node.name]):
            only_karpenter.append((node.name, found.said))
    unchecked = [*pod.shape.neighbours, *(["its volumes"] if pod.has_claims else [])]
    return NodesAnswer(tuple(could), dict(cannot.most_common()), tuple(only_karpenter), tuple(unchecked))


def _nomination(snapshot: Snapshot, nominee: Nominee) -> str:
    target = " and ".join(f"{kind} {name}" for kind, name in (("NodeClaim", nominee.nodeclaim), ("node", nominee.node)) if name)
    return f"Karpenter nominated it to {target}; {obstacle(snapshot, nominee).said}"


def _said(snapshot: Snapshot, pod: Pod) -> Iterator[Said]:
    """Karpenter's last word within the hour, then the scheduler's."""
    event = karpenters_last_word(snapshot, pod)
    if event and event.last_seen and snapshot.taken_at - event.last_seen <= _RECENT:
        yield Said("Karpenter", event.reason, event.message, event.times, event.last_seen)
    if not pod.node_name and pod.scheduled and pod.scheduled.message:
        yield Said(pod.scheduler_name, pod.scheduled.reason, pod.scheduled.message, 1, pod.scheduled.last_transition_time)
