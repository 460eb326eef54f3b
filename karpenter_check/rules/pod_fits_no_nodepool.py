"""Pending pods that no NodePool would buy a node for, and what each NodePool has against them."""

import shlex
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from karpenter_check.finding import Blame, Confidence, Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity, clip
from karpenter_check.rule import Stage, rule
from karpenter_check.scheduling.capacity_errors import capacity_errors
from karpenter_check.scheduling.last_word import reason_in
from karpenter_check.scheduling.nodepool import LimitReached
from karpenter_check.scheduling.nomination import pod_ref
from karpenter_check.scheduling.refusal import NoOverlap, UndefinedLabel
from karpenter_check.scheduling.topology import topology_refusals
from karpenter_check.scheduling.unserved import Case, unserved
from karpenter_check.scheduling.verdict import Answer, Verdict
from karpenter_check.scheduling.volumes import claim_refs
from karpenter_check.snapshot import GRACE, Kind, Pod, Snapshot
from karpenter_check.snapshot.event import Event
from karpenter_check.snapshot.node import NODEPOOL_LABEL

_MIXED, _UNPROVEN = "mixed", "unproven"
_NEAREST = 3


@dataclass(frozen=True)
class _Waiting:
    """A pod past the threshold."""

    pod: Pod
    since: datetime
    case: Case
    cause: str
    said: Event | None
    """Karpenter's last word on it, where that is a refusal, and fresh."""
    blamed: tuple[str, ...]
    """The NodePools that would take it but for a state that can be mended."""
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
    causes: dict[Case, str] = {}
    waiting: dict[tuple[Ref, str], list[_Waiting]] = defaultdict(list)
    for entry in unserved(snapshot):
        waited = snapshot.taken_at - entry.since
        if waited < warn_after:
            continue
        if entry.case not in causes:
            causes[entry.case] = _cause(entry.case)
        cause = causes[entry.case]
        found = _Waiting(entry.pod, entry.since, entry.case, cause, entry.said, tuple(entry.blamed), waited >= fail_after)
        waiting[snapshot.owner(entry.pod), cause].append(found)
    for (owner, cause), pods in waiting.items():
        ordered = sorted(pods, key=lambda entry: (entry.since, entry.pod.metadata.name))
        yield _finding(snapshot, owner, cause, ordered)


def _cause(case: Case) -> str:
    """What all NodePools have in common: rather a label than a taint, and rather a taint than their own state."""
    if not case.refused:
        return _UNPROVEN
    ranks = {"label": 0, "taint": 1}
    common = frozenset.intersection(*(entry.causes for entry in case.verdicts))
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
        message=_message(first),
        why=_why(first) + foreign,
        impact=Impact(pods=len(pods)),
        evidence=(
            *(Evidence(_ref(entry.nodepool), value=str(entry)) for entry in case.verdicts),
            *((Evidence.of_event(first.said),) if first.said else ()),
        ),
        occurrences=tuple(
            Occurrence(pod_ref(entry.pod), entry.pod.metadata.uid, reason=cause, since=entry.since) for entry in pods
        ),
        since=pods[0].since,
        fix=(
            Fix("fix", text=_remedy(first)),
            Fix("verify", f"karpenter-check why pod -n {shlex.quote(pod.namespace)} {shlex.quote(pod.name)}"),
        ),
        blames=tuple(map(Blame, dict.fromkeys(_blamed(snapshot, owner, cause, first, pods)))),
    )


def _blamed(snapshot: Snapshot, owner: Ref, cause: str, first: _Waiting, pods: Sequence[_Waiting]) -> Iterator[Ref]:
    """The NodePools that would take them but for their own state or for lack of capacity, their volumes, and their own topology."""
    yield from (_ref(name) for entry in pods for name in entry.blamed)
    failed = capacity_errors(snapshot)
    able = (entry.nodepool for entry in first.case.verdicts if entry.answer is not Answer.REFUSES)
    yield from (_ref(name) for name in able if name in failed)
    yield from (claim for entry in pods for claim in claim_refs(entry.pod))
    if cause == _UNPROVEN and first.said and topology_refusals(first.said.message):
        yield owner


def _ref(nodepool: str) -> Ref:
    return Ref("NodePool", nodepool, "karpenter.sh/v1")


def _nearest(case: Case) -> Sequence[Verdict]:
    """The NodePools that refuse, the nearest to a yes first."""
    refusing = [entry for entry in case.verdicts if entry.answer is Answer.REFUSES and entry not in case.own]
    return [*case.own, *sorted(refusing, key=lambda entry: len(entry.hindrances))]


def _labels(of: _Waiting) -> Mapping[str, Sequence[UndefinedLabel | NoOverlap]]:
    """What the NodePools have against each label that none of them offers, the cause's first."""
    common = frozenset.intersection(*(entry.causes for entry in of.case.verdicts))
    return {
        cause: [
            hindrance
            for entry in of.case.verdicts
            for hindrance in entry.hindrances
            if isinstance(hindrance, UndefinedLabel | NoOverlap) and hindrance.cause == cause
        ]
        for cause in sorted(common, key=lambda entry: (entry != of.cause, entry))
        if cause.startswith("label:")
    }


def _asked(refusals: Sequence[UndefinedLabel | NoOverlap]) -> str:
    return " or ".join(dict.fromkeys(str(entry.asked) for entry in refusals))


def _message(of: _Waiting) -> str:
    if of.cause == _UNPROVEN:
        what = "no instance type" if of.said and "no instance type" in of.said.message else "no node to buy"
        return f"Karpenter finds {what} for it; the NodePools alone do not prove why (not proven)"
    if labels := _labels(of):
        meant = next((entry.meant for entry in labels[of.cause] if isinstance(entry, UndefinedLabel) and entry.meant), "")
        return f"no NodePool offers {', nor '.join(map(_asked, labels.values()))}" + (f" (typo of {meant}?)" if meant else "")
    total = len(of.case.verdicts)
    return f"none of {total} NodePools takes it" if total > 1 else f"NodePool {of.case.verdicts[0].nodepool} does not take it"


def _why(of: _Waiting) -> str:
    if of.cause == _UNPROVEN:
        quoted = " and ".join(f'"{clip(part)}"' for part in _parts(of))
        unproven = [f"NodePool {entry.nodepool}: {entry.because}" for entry in of.case.verdicts if entry.answer is Answer.UNPROVEN]
        return "; ".join([*([f"Karpenter says {quoted}"] if quoted else []), *unproven])
    if labels := _labels(of):
        has = Counter(str(entry.declared) for entry in labels[of.cause] if isinstance(entry, NoOverlap))
        declared = "; ".join(f"{count} of {len(of.case.verdicts)} NodePools: {said}" for said, count in has.items())
        return (
            f"what they declare: {declared}" if declared else "no NodePool declares that label, as a label or in its requirements"
        )
    named = of.case.own[:_NEAREST] or _nearest(of.case)[:_NEAREST]
    others = len(of.case.verdicts) - len(named)
    listed = "; ".join(f"NodePool {entry.nodepool}: {entry}" for entry in named)
    return listed + (f"; {others} other{'s' * (others > 1)} refuse{'s' * (others == 1)} it too" if others else "")


def _parts(of: _Waiting) -> Sequence[str]:
    """What Karpenter says beside taints and of NodePools that refuse anyway.

    It joins one error for each NodePool by "; " (`provisioning/scheduling/scheduler.go:addToNewNodeClaim`, 1.13).
    """
    text = reason_in(of.said.message) if of.said else ""
    known = ["did not tolerate", *(f"(NodePool={entry.nodepool})" for entry in _nearest(of.case))]
    return list(dict.fromkeys(part for part in text.split("; ") if part and not any(words in part for words in known)))


def _remedy(of: _Waiting) -> str:
    if of.cause == _UNPROVEN:
        pools = ", ".join(entry.nodepool for entry in of.case.verdicts if entry.answer is Answer.UNPROVEN)
        return f"compare what it asks, in size, zone and kind of instance, with what can be bought through {pools}"
    if labels := _labels(of):
        refusals = labels[of.cause]
        if refusals[0].key == NODEPOOL_LABEL:
            return "make a NodePool of that name, or mend the pod's selector"
        if any(isinstance(entry, UndefinedLabel) for entry in refusals):
            where = "spec.template.metadata.labels, or a requirement in spec.template.spec.requirements"
            return f"declare {refusals[0].key} on a NodePool ({where}), or mend the pod's selector"
        return f"let a NodePool's spec.template.spec.requirements allow {_asked(refusals)}, or mend the pod's selector"
    if of.case.own:
        return "; ".join(dict.fromkeys(_mended(entry) for entry in of.case.own[:_NEAREST]))
    nearest = _nearest(of.case)[0]
    keys = [hindrance for hindrance in nearest.hindrances if hindrance.cause.startswith("taint:")]
    tolerate = f"add a toleration to the pod, if NodePool {nearest.nodepool} is meant for it: it {keys[0]}" if keys else ""
    return tolerate or f"mend what NodePool {nearest.nodepool} has against it, which is the nearest"


def _mended(verdict: Verdict) -> str:
    """What makes a NodePool buy again that has nothing against the pod."""
    worse = next((entry for entry in verdict.hindrances if not isinstance(entry, LimitReached)), None)
    if worse:
        return f"mend NodePool {verdict.nodepool}: it {worse}"
    return f"raise the limit of NodePool {verdict.nodepool} (spec.limits): that helps only if an instance type holds the pod"
