"""Would a NodePool buy a node for a pod? What it says no to, and what no object can prove."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from karpenter_check.scheduling.host_ports import clash
from karpenter_check.scheduling.labels import is_listed
from karpenter_check.scheduling.nodepool import HostPortTaken, Unavailable, in_order, limits_reached, remaining, unavailable
from karpenter_check.scheduling.overhead import Overhead, overheads
from karpenter_check.scheduling.pod import alternatives, required_terms, rounds
from karpenter_check.scheduling.refusal import Refusal, UndefinedLabel
from karpenter_check.scheduling.requirement import Requirement
from karpenter_check.scheduling.requirements import Requirements
from karpenter_check.scheduling.taints import PREFER_NO_SCHEDULE, untolerated
from karpenter_check.scheduling.template import SIMULATES_LIFECYCLE_LABELS, NodeTemplate, nodepool_templates, of_other_template
from karpenter_check.snapshot import NodeClaim, NodePool, Snapshot
from karpenter_check.snapshot.once import once
from karpenter_check.snapshot.pod import PodShape
from karpenter_check.snapshot.quantity import Milli, amounts, shown, total

INSTANCE_TYPE = "node.kubernetes.io/instance-type"
Hindrance: TypeAlias = Refusal | Unavailable
"""What stands between a NodePool and a pod: on the pod's side or on the NodePool's."""


class Answer(StrEnum):
    """What a NodePool does with a pod."""

    TAKES = "takes"
    REFUSES = "refuses"
    UNPROVEN = "unproven"


@dataclass(frozen=True)
class Verdict:
    """A NodePool's answer to a pod, and why. It is never a promise: what a provider has to sell is not in any object."""

    nodepool: str
    answer: Answer
    hindrances: tuple[Hindrance, ...] = ()
    """Why it refuses: all that do, the NodePool's own first."""
    because: str = ""
    """Where it does not refuse: what shows that it would take the pod, or what cannot be proven."""
    certain: bool = True
    """Whether a refusal rests on objects alone, and not on a list of labels that a later Karpenter may have added to."""

    @property
    def causes(self) -> frozenset[str]:
        """Stable words for why it refuses."""
        return frozenset(hindrance.cause for hindrance in self.hindrances)

    def __str__(self) -> str:
        match self.answer:
            case Answer.REFUSES:
                return "; ".join(str(hindrance) for hindrance in self.hindrances)
            case Answer.TAKES:
                return f"would take it: {self.because}"
            case Answer.UNPROVEN:
                return f"not proven: {self.because}"


@dataclass(frozen=True)
class _Labels:
    """What came of putting a pod's labels to a template, round by round."""

    refusals: tuple[Refusal, ...]
    """Of the round without preferences that came nearest; none where some round is admitted."""
    admitted: Sequence[Requirements]
    """What the admitted rounds ask."""
    by_order: bool
    """Whether it is refused only because Karpenter gave up a term that would have done before a preference that does not."""


class _Judge:
    """The NodePools' answers; each shape is put to each NodePool once, however many pods have it."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._answers: dict[PodShape, tuple[Verdict, ...]] = {}
        self._owned = _claims_by_nodepool(snapshot)

    def verdicts(self, shape: PodShape) -> tuple[Verdict, ...]:
        """In Karpenter's order."""
        if shape not in self._answers:
            self._answers[shape] = tuple(self._verdict(shape, nodepool) for nodepool in in_order(self._snapshot))
        return self._answers[shape]

    def _verdict(self, shape: PodShape, nodepool: NodePool) -> Verdict:
        template, overhead = nodepool_templates(self._snapshot)[nodepool.name], overheads(self._snapshot)[nodepool.name]
        taints = tuple(untolerated(template.taints, (*shape.tolerations, PREFER_NO_SCHEDULE)))
        preferences = (taint for taint in template.taints if taint.effect == PREFER_NO_SCHEDULE.effect)
        preference_taints = any(untolerated(preferences, shape.tolerations))
        labels = _labels(shape, template, preference_taints=preference_taints)
        needed = self._needed(shape, overhead)
        hindrances = (
            *unavailable(self._snapshot)[nodepool.name],
            *limits_reached(nodepool, needed),
            *taints,
            *labels.refusals,
            *_ports_taken(shape, overhead),
        )
        if hindrances:
            return Verdict(nodepool.name, Answer.REFUSES, hindrances, certain=self._certain(hindrances, labels))
        if shape.neighbours:
            return Verdict(nodepool.name, Answer.UNPROVEN, because=f"its {' and '.join(shape.neighbours)} is not judged here")
        needed = total((shape.requests, overhead.requests, {"pods": 1000}))
        for claim in self._owned.get(nodepool.name, ()):
            if any(_holds(claim, nodepool, template, asked, needed) for asked in labels.admitted):
                bought = claim.metadata.labels.get(INSTANCE_TYPE) or f"what became {claim.name}"
                return Verdict(nodepool.name, Answer.TAKES, because=f"it has bought {bought}, which holds it")
        chosen = " and ".join(
            str(entry) for entry in labels.admitted[-1].by_key.values() if entry.key in template.provider.well_known
        )
        because = f"no object shows that it can buy {chosen or f'a node for {_size(shape.requests)}'}"
        return Verdict(nodepool.name, Answer.UNPROVEN, because=because)

    def _needed(self, shape: PodShape, overhead: Overhead) -> Milli:
        """The least that a node for the pod has; from 1.14 on, DaemonSets count by instance type, so that they prove nothing."""
        version = self._snapshot.karpenter_version
        kept: Milli = overhead.requests if version is None or version < SIMULATES_LIFECYCLE_LABELS else {}
        return total((shape.requests, kept, {"pods": 1000, "nodes": 1000}))

    def _certain(self, hindrances: Sequence[Hindrance], labels: _Labels) -> bool:
        """Whether one hindrance at least rests on objects alone. Which preferences Karpenter keeps is a setting (PREFERENCE_POLICY)."""
        listed = is_listed(self._snapshot.karpenter_version)
        return any(
            not (isinstance(entry, UndefinedLabel) and "/" in entry.key and not listed)
            and not (labels.by_order and entry in labels.refusals)
            for entry in hindrances
        )


@once
def _judge(snapshot: Snapshot) -> _Judge:
    return _Judge(snapshot)


def verdicts(snapshot: Snapshot, shape: PodShape) -> Sequence[Verdict]:
    """What each NodePool answers to pods of that shape, in Karpenter's order (`provisioning/scheduling/nodeclaim.go:CanAdd`, 1.13).

    Required terms, preferences and PreferNoSchedule taints are given up in Karpenter's order.
    """
    return _judge(snapshot).verdicts(shape)


def _labels(shape: PodShape, template: NodeTemplate, *, preference_taints: bool) -> _Labels:
    """Put the pod's labels to the template as Karpenter does; untolerated PreferNoSchedule taints are the last thing that it gives up."""
    tried = [
        (tuple(template.requirements.refusals(asked, template.provider)), asked, strict)
        for asked, strict in rounds(shape, template.provider)
    ]
    if preference_taints:
        tried = tried[-1:]
    admitted = [asked for refused, asked, _ in tried if not refused]
    if admitted:
        return _Labels((), admitted, by_order=False)
    nearest = min((refused for refused, _, strict in tried if strict), key=len)
    several = len(required_terms(shape)) > 1 and (preference_taints or bool(shape.node_affinity.preferred))
    by_order = several and any(
        not any(template.requirements.refusals(asked, template.provider)) for asked in alternatives(shape, template.provider)
    )
    return _Labels(nearest, (), by_order)


def _ports_taken(shape: PodShape, overhead: Overhead) -> Iterator[HostPortTaken]:
    for mine in shape.host_ports:
        for theirs, by in overhead.host_ports:
            if clash(mine, theirs):
                yield HostPortTaken(mine, by)


def _claims_by_nodepool(snapshot: Snapshot) -> Mapping[str, Sequence[NodeClaim]]:
    """What each NodePool has bought from its present template: one claim of each instance type, zone and capacity type."""
    kept: dict[str, dict[object, NodeClaim]] = {}
    for claim in snapshot.nodeclaims:
        nodepool = snapshot.nodepools_by_name.get(claim.nodepool)
        if (
            nodepool
            and claim.status.allocatable
            and not claim.metadata.deletion_timestamp
            and not of_other_template(claim, nodepool)
        ):
            kind = (frozenset(claim.metadata.labels.items()), frozenset(claim.status.allocatable.items()))
            kept.setdefault(claim.nodepool, {}).setdefault(kind, claim)
    return {name: tuple(claims.values()) for name, claims in kept.items()}


def _holds(claim: NodeClaim, nodepool: NodePool, template: NodeTemplate, asked: Requirements, needed: Milli) -> bool:
    """Whether one more instance like the claim's would hold the pod, within the NodePool's limits."""
    provider = template.provider
    labels = Requirements.of(
        Requirement.of(provider.normalize(key), "In", (value,)) for key, value in claim.metadata.labels.items()
    )
    well_known = Requirements({key: entry for key, entry in asked.by_key.items() if key in provider.well_known})
    has = amounts(claim.status.allocatable)
    capacity = {**has, **amounts(claim.status.capacity)}
    return (
        all(has.get(name, 0) >= amount for name, amount in needed.items())
        and all(capacity.get(name, 0) <= limit - used for name, (limit, used) in remaining(nodepool).items() if name != "nodes")
        and not any(labels.refusals(well_known, None))
    )


def _size(requests: Milli) -> str:
    """What is asked, in words."""
    asked = [f"{shown(name, amount)} {name}" for name, amount in requests.items() if amount]
    return ", ".join(asked) or "a pod without requests"
