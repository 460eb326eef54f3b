"""Pending pods that no NodePool would buy a node for, and what each NodePool has against them."""

import shlex
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from karpenter_check.finding import Blame, Confidence, Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity, clip
from karpenter_check.rule import Stage, rule
from karpenter_check.scheduling.capacity_errors import capacity_errors
from karpenter_check.scheduling.ignored import ignored
from karpenter_check.scheduling.last_word import karpenters_last_word, reason_in
from karpenter_check.scheduling.node import foreign_nodes, label_mismatch, repelled
from karpenter_check.scheduling.nodepool import LimitReached
from karpenter_check.scheduling.nomination import pod_ref
from karpenter_check.scheduling.placement import fits_a_node
from karpenter_check.scheduling.refusal import NoOverlap, UndefinedLabel
from karpenter_check.scheduling.verdict import Answer, Verdict, verdicts
from karpenter_check.snapshot import GRACE, Kind, Pod, Snapshot
from karpenter_check.snapshot.event import Event
from karpenter_check.snapshot.node import NODEPOOL_LABEL
from karpenter_check.snapshot.pod import PodShape
from karpenter_check.snapshot.quantity import amounts

_MIXED, _UNPROVEN = "mixed", "unproven"
_FRESH = timedelta(minutes=15)
"""How old Karpenter's last word may be: it repeats it every five minutes as long as the pod waits."""
_NEAREST = 3


@dataclass(frozen=True, eq=False)
class _Case:
    """What the NodePools answer to one shape of pod, and the nodes."""

    snapshot: Snapshot
    pod: Pod
    """The first of that shape."""
    verdicts: Sequence[Verdict]
    cause: str

    @cached_property
    def fits(self) -> bool:
        """Whether Karpenter would place it on a node that is there."""
        return fits_a_node(self.snapshot, self.pod)

    @cached_property
    def stranger(self) -> str:
        """A node that is not Karpenter's and that admits it, by labels and taints; else empty."""
        shape = self.pod.shape
        foreign = (node for node in foreign_nodes(self.snapshot) if not any(repelled(shape, node)))
        return next((node.name for node in foreign if not label_mismatch(shape.node_selector, shape.node_affinity, node)), "")

    @property
    def own(self) -> Sequence[Verdict]:
        """Those of NodePools that have nothing against the pod, but are themselves in no state to buy."""
        return [
            entry
            for entry in self.verdicts
            if entry.answer is Answer.REFUSES and all(hindrance.cause.startswith("nodepool:") for hindrance in entry.hindrances)
        ]

    @property
    def nearest(self) -> Sequence[Verdict]:
        """Those that refuse, the nearest to a yes first."""
        refusing = [entry for entry in self.verdicts if entry.answer is Answer.REFUSES and entry not in self.own]
        return [*self.own, *sorted(refusing, key=lambda entry: len(entry.hindrances))]


@dataclass(frozen=True)
class _Waiting:
    """A pod past the threshold."""

    pod: Pod
    since: datetime
    case: _Case
    said: Event | None
    """Karpenter's last word on it, where that is a refusal, and fresh."""
    long: bool


@rule(
    severity=Severity.HIGH,
    needs={Kind.NODE, Kind.POD, Kind.NODEPOOL, Kind.DAEMONSET, Kind.NODECLAIM},
    since="0.1.0",
    stage=Stage.POD,
)
def pod_fits_no_nodepool(
    snapshot: Snapshot, *, warn_after: timedelta = GRACE, fail_after: timedelta = timedelta(minutes=5)
) -> Iterator[Finding]:
    """Pods wait, and no NodePool would buy a node for them."""
    if not snapshot.nodepools or not snapshot.whole(Kind.NODEPOOL):
        return  # one that could not be read may be the one that takes it
    cases: dict[PodShape, _Case] = {}
    waiting: dict[tuple[Ref, str], list[_Waiting]] = defaultdict(list)
    for pod in snapshot.unbound_pods:
        since = _since(pod)
        if since is None or snapshot.taken_at - since < max(GRACE, warn_after) or ignored(snapshot, pod):
            continue
        if pod.shape not in cases:
            answers = verdicts(snapshot, pod.shape)
            cases[pod.shape] = _Case(snapshot, pod, answers, _cause(answers))
        case = cases[pod.shape]
        word = karpenters_last_word(snapshot, pod)
        if any(entry.answer is Answer.TAKES for entry in case.verdicts) or (word and word.reason == "Nominated"):
            continue  # it has a node, or will have one; if it never comes there, that is another rule's
        said = word if word and word.last_seen and snapshot.taken_at - word.last_seen <= _FRESH else None
        if said or (case.cause != _UNPROVEN and not case.fits and not _may_be_bought_for(snapshot, pod)):
            found = _Waiting(pod, since, case, said, long=snapshot.taken_at - since >= fail_after)
            waiting[snapshot.owner(pod), case.cause].append(found)
    for (owner, cause), pods in waiting.items():
        ordered = sorted(pods, key=lambda entry: (entry.since, entry.pod.metadata.name))
        yield _finding(snapshot, owner, cause, ordered)


def _may_be_bought_for(snapshot: Snapshot, pod: Pod) -> bool:
    """Whether, for all that is known without Karpenter's events, a NodeClaim that is not launched yet was made for the pod."""
    if snapshot.covered(Kind.EVENT).sufficient:
        return False
    coming = (claim for claim in snapshot.nodeclaims if not claim.status.provider_id and not claim.metadata.deletion_timestamp)
    return any(
        all(sized.get(name, 0) >= amount for name, amount in pod.shape.requests.items())
        for sized in (amounts(claim.spec.resources.requests) for claim in coming)
    )


def _since(pod: Pod) -> datetime | None:
    """Since when a pod waits that Karpenter could provision for; Fargate's scheduler brings its own nodes."""
    if not pod.unschedulable or not pod.active or pod.scheduler_name == "fargate-scheduler":
        return None
    return pod.unscheduled_since


def _cause(answers: Sequence[Verdict]) -> str:
    """What all NodePools have in common: rather a label than a taint, and rather a taint than their own state."""
    if any(entry.answer is not Answer.REFUSES for entry in answers):
        return _UNPROVEN
    ranks = {"label": 0, "taint": 1}
    common = frozenset.intersection(*(entry.causes for entry in answers))
    return min(common, key=lambda cause: (ranks.get(cause.partition(":")[0], 2), cause), default=_MIXED)


def _finding(snapshot: Snapshot, owner: Ref, cause: str, pods: Sequence[_Waiting]) -> Finding:
    """Karpenter's events would contradict where it sees a node that these rules do not; without them nothing is proven."""
    heard = snapshot.covered(Kind.EVENT).sufficient
    first = next((entry for entry in pods if entry.said), pods[0])
    case = first.case
    proven = heard and cause != _UNPROVEN and all(entry.certain for pod in pods for entry in pod.case.verdicts)
    foreign = f"; Node {case.stranger} is not Karpenter's and admits it: it may wait for another autoscaler" * bool(case.stranger)
    pod = pods[0].pod.metadata
    return Finding(
        object=owner,
        owner=owner,
        cause=cause,
        severity=None if any(entry.long and not entry.case.stranger for entry in pods) else Severity.HIGH.lowered(2),
        confidence=Confidence.CERTAIN if proven else Confidence.LIKELY,
        message=_message(case, first.said),
        why=_why(case, first.said) + foreign,
        impact=Impact(pods=len(pods)),
        evidence=(
            *(Evidence(_nodepool(entry), value=str(entry)) for entry in case.verdicts),
            *((Evidence.of_event(first.said),) if first.said else ()),
        ),
        occurrences=tuple(
            Occurrence(pod_ref(entry.pod), entry.pod.metadata.uid, reason=cause, since=entry.since) for entry in pods
        ),
        since=pods[0].since,
        fix=(
            Fix("fix", text=_remedy(case)),
            Fix("verify", f"karpenter-check why pod -n {shlex.quote(pod.namespace)} {shlex.quote(pod.name)}"),
        ),
        blames=tuple(Blame(_nodepool(entry)) for entry in (*case.own, *_without_capacity(snapshot, case))),
    )


def _without_capacity(snapshot: Snapshot, case: _Case) -> Iterator[Verdict]:
    """Those of NodePools that have nothing against the pod, and of which launches failed."""
    failed = capacity_errors(snapshot)
    return (entry for entry in case.verdicts if entry.answer is not Answer.REFUSES and entry.nodepool in failed)


def _nodepool(verdict: Verdict) -> Ref:
    return Ref("NodePool", verdict.nodepool, "karpenter.sh/v1")


def _labels(case: _Case) -> Mapping[str, Sequence[UndefinedLabel | NoOverlap]]:
    """What the NodePools have against each label that none of them offers, the cause's first."""
    common = frozenset.intersection(*(entry.causes for entry in case.verdicts))
    return {
        cause: [
            hindrance
            for entry in case.verdicts
            for hindrance in entry.hindrances
            if isinstance(hindrance, UndefinedLabel | NoOverlap) and hindrance.cause == cause
        ]
        for cause in sorted(common, key=lambda entry: (entry != case.cause, entry))
        if cause.startswith("label:")
    }


def _asked(refusals: Sequence[UndefinedLabel | NoOverlap]) -> str:
    return " or ".join(dict.fromkeys(str(entry.asked) for entry in refusals))


def _message(case: _Case, said: Event | None) -> str:
    if case.cause == _UNPROVEN:
        what = "no instance type" if said and "no instance type" in said.message else "no node to buy"
        return f"Karpenter finds {what} for it; the NodePools alone do not prove why (not proven)"
    if labels := _labels(case):
        meant = next((entry.meant for entry in labels[case.cause] if isinstance(entry, UndefinedLabel) and entry.meant), "")
        return f"no NodePool offers {', nor '.join(map(_asked, labels.values()))}" + (f" (typo of {meant}?)" if meant else "")
    total = len(case.verdicts)
    return f"none of {total} NodePools takes it" if total > 1 else f"NodePool {case.verdicts[0].nodepool} does not take it"


def _why(case: _Case, said: Event | None) -> str:
    if case.cause == _UNPROVEN:
        quoted = " and ".join(f'"{clip(part)}"' for part in _parts(case, said))
        unproven = [f"NodePool {entry.nodepool}: {entry.because}" for entry in case.verdicts if entry.answer is Answer.UNPROVEN]
        return "; ".join([*([f"Karpenter says {quoted}"] if quoted else []), *unproven])
    if labels := _labels(case):
        has = Counter(str(entry.declared) for entry in labels[case.cause] if isinstance(entry, NoOverlap))
        declared = "; ".join(f"{count} of {len(case.verdicts)} NodePools: {said}" for said, count in has.items())
        return (
            f"what they declare: {declared}" if declared else "no NodePool declares that label, as a label or in its requirements"
        )
    named = case.own[:_NEAREST] or case.nearest[:_NEAREST]
    others = len(case.verdicts) - len(named)
    listed = "; ".join(f"NodePool {entry.nodepool}: {entry}" for entry in named)
    return listed + (f"; {others} other{'s' * (others > 1)} refuse{'s' * (others == 1)} it too" if others else "")


def _parts(case: _Case, said: Event | None) -> Sequence[str]:
    """What Karpenter says beside taints and of NodePools that refuse anyway.

    It joins one error for each NodePool by "; " (`provisioning/scheduling/scheduler.go:addToNewNodeClaim`, 1.13).
    """
    text = reason_in(said.message) if said else ""
    known = ["did not tolerate", *(f"(NodePool={entry.nodepool})" for entry in case.nearest)]
    return list(dict.fromkeys(part for part in text.split("; ") if part and not any(words in part for words in known)))


def _remedy(case: _Case) -> str:
    if case.cause == _UNPROVEN:
        pools = ", ".join(entry.nodepool for entry in case.verdicts if entry.answer is Answer.UNPROVEN)
        return f"compare what it asks, in size, zone and kind of instance, with what can be bought through {pools}"
    if labels := _labels(case):
        refusals = labels[case.cause]
        if refusals[0].key == NODEPOOL_LABEL:
            return "make a NodePool of that name, or mend the pod's selector"
        if any(isinstance(entry, UndefinedLabel) for entry in refusals):
            where = "spec.template.metadata.labels, or a requirement in spec.template.spec.requirements"
            return f"declare {refusals[0].key} on a NodePool ({where}), or mend the pod's selector"
        return f"let a NodePool's spec.template.spec.requirements allow {_asked(refusals)}, or mend the pod's selector"
    if case.own:
        return "; ".join(dict.fromkeys(_mended(entry) for entry in case.own[:_NEAREST]))
    nearest = case.nearest[0]
    keys = [hindrance for hindrance in nearest.hindrances if hindrance.cause.startswith("taint:")]
    tolerate = f"add a toleration to the pod, if NodePool {nearest.nodepool} is meant for it: it {keys[0]}" if keys else ""
    return tolerate or f"mend what NodePool {nearest.nodepool} has against it, which is the nearest"


def _mended(verdict: Verdict) -> str:
    """What makes a NodePool buy again that has nothing against the pod."""
    worse = next((entry for entry in verdict.hindrances if not isinstance(entry, LimitReached)), None)
    if worse:
        return f"mend NodePool {verdict.nodepool}: it {worse}"
    return f"raise the limit of NodePool {verdict.nodepool} (spec.limits): that helps only if an instance type holds the pod"
