"""Pending pods that Karpenter does not look at, and why."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from karpenter_check.scheduling.labels import Provider, provider_of
from karpenter_check.scheduling.last_word import karpenters_refusals
from karpenter_check.scheduling.pod import pod_requirements, required_terms
from karpenter_check.scheduling.validation import requirement_violations
from karpenter_check.snapshot import Pod, Snapshot
from karpenter_check.snapshot.event import Event
from karpenter_check.snapshot.node import NODEPOOL_LABEL
from karpenter_check.snapshot.once import once
from karpenter_check.snapshot.pod import PodShape
from karpenter_check.snapshot.pod_object import NodeSelectorRequirement

_TERMS = "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms"
_ABOUT_CLAIMS = ("persistentvolumeclaim", "pvc", "storage class", "persistentvolume")
"""Words in Karpenter's events about pods whose volumes keep it from looking at them (`ValidatePersistentVolumeClaims`)."""


class Reason(StrEnum):
    """Why Karpenter does not look at a pod."""

    OWNED_BY_DAEMONSET = "daemonset"
    OWNED_BY_NODE = "static-pod"
    OPTED_OUT = "opted-out"
    GATED = "gated"
    UNSEEN = "unseen"
    NOMINATED = "nominated"
    MATCH_FIELDS = "match-fields"
    LABEL = "label"
    EXPRESSION = "expression"
    DEVICES = "devices"
    VOLUME = "volume"


@dataclass(frozen=True)
class Ignored:
    """Why Karpenter does not look at a pod."""

    reason: Reason
    said: str
    """The sentence's end: "Karpenter does not look at it: …"."""
    path: str = ""
    """The field of the pod that does it."""
    value: str = ""
    key: str = ""
    """The label, where one does it."""
    event: Event | None = None
    """Karpenter's event that says so, where only that tells."""

    @property
    def cause(self) -> str:
        """A stable word for it."""
        return f"{self.reason}:{self.key}" if self.key else str(self.reason)

    @property
    def deliberate(self) -> bool:
        """Whether somebody wants it so: other nodes, or another moment, are meant."""
        return self.reason in {Reason.OPTED_OUT, Reason.GATED, Reason.OWNED_BY_DAEMONSET, Reason.OWNED_BY_NODE}


@once
def _providers(snapshot: Snapshot) -> tuple[Provider, ...]:
    """The providers of the NodePools; without any, what all of them know."""
    groups = {nodepool.spec.template.spec.node_class_ref.api_group for nodepool in snapshot.nodepools}
    return tuple(provider_of(group) for group in sorted(groups)) or (provider_of(""),)


def _about_claims(snapshot: Snapshot, pod: Pod) -> Event | None:
    """Karpenter's latest event about the pod, if it is about its volumes."""
    event = karpenters_refusals(snapshot).get(pod.metadata.uid)
    return event if event and any(word in event.message.lower() for word in _ABOUT_CLAIMS) else None


class _Judge:
    """What Karpenter's validation has against each shape, each looked at once."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._answers: dict[tuple[PodShape, bool], Ignored | None] = {}

    def refused(self, pod: Pod) -> Ignored | None:
        """The first thing that it has against the pod's shape."""
        key = (pod.shape, bool(pod.pinned_to))
        if key not in self._answers:
            self._answers[key] = next(_against(self._snapshot, pod), None)
        return self._answers[key]


@once
def _judge(snapshot: Snapshot) -> _Judge:
    return _Judge(snapshot)


def ignored(snapshot: Snapshot, pod: Pod) -> Ignored | None:
    """Why Karpenter does not look at an unbound pod, or None if it does (`utils/pod:IsProvisionable`, `provisioner.go:Validate`, 1.13).

    That a pod's volumes are the reason is known from Karpenter's own event alone.
    """
    if (found := _not_provisionable(snapshot, pod)) or (found := _judge(snapshot).refused(pod)):
        return found
    event = _about_claims(snapshot, pod) if pod.has_claims else None
    return Ignored(Reason.VOLUME, "its volumes are not as Karpenter wants them", "spec.volumes", event=event) if event else None


def _not_provisionable(snapshot: Snapshot, pod: Pod) -> Ignored | None:
    owners = {(owner.api_version, owner.kind) for owner in pod.metadata.owner_references}
    if ("apps/v1", "DaemonSet") in owners:
        return Ignored(Reason.OWNED_BY_DAEMONSET, "it is a DaemonSet's, and no node is bought for those")
    if ("v1", "Node") in owners:
        return Ignored(Reason.OWNED_BY_NODE, "it is a static pod of a node")
    reason = pod.scheduled.reason if pod.scheduled else ""
    if reason == "SchedulingGated":
        return Ignored(Reason.GATED, "its scheduling gates are not lifted", "spec.schedulingGates")
    if reason != "Unschedulable":
        said = f"{pod.scheduler_name} has not called it Unschedulable" + (f", but {reason}" if reason else "")
        return Ignored(Reason.UNSEEN, said, "spec.schedulerName", pod.scheduler_name)
    if pod.nominated_node_name:
        there = pod.nominated_node_name in snapshot.nodes_by_name or not snapshot.settled(pod.unscheduled_since)
        said = f"the scheduler means to make room for it on {pod.nominated_node_name}" + ("" if there else ", which is not there")
        return Ignored(Reason.NOMINATED, said, "status.nominatedNodeName", pod.nominated_node_name)
    return None


def _against(snapshot: Snapshot, pod: Pod) -> Iterator[Ignored]:
    """What Karpenter's validation has against a pod; with several providers, what each of them has."""
    providers, version = _providers(snapshot), snapshot.karpenter_version
    terms = required_terms(pod.shape)
    heaviest = max(pod.shape.node_affinity.preferred, key=lambda term: term.weight, default=None)
    counted = (*terms[:1], *((heaviest.preference,) if heaviest else ()))
    pools = pod_requirements(providers[0], pod.shape.node_selector, counted).by_key.get(NODEPOOL_LABEL)
    if pools and pools.operator == "DoesNotExist":
        yield Ignored(Reason.OPTED_OUT, f"it asks for nodes without {NODEPOOL_LABEL}", key=NODEPOOL_LABEL)
    if pod.pinned_to or any(term.match_fields for term in terms):
        path = f"{_TERMS}[].matchFields"
        yield Ignored(
            Reason.MATCH_FIELDS, "its node affinity has matchFields, which Karpenter does not support", path, pod.pinned_to
        )
    asked = [
        (f"spec.nodeSelector[{key}]", NodeSelectorRequirement(key, "In", (value,)))
        for key, value in pod.shape.node_selector.items()
    ]
    asked += [
        (f"{_TERMS}[{term}].matchExpressions[{place}]", expression)
        for term, entry in enumerate(terms)
        for place, expression in enumerate(entry.match_expressions)
    ]
    for path, expression in asked:
        found = [next(requirement_violations(expression, provider, version, path), None) for provider in providers]
        if found[0] and all(found):
            restricted = all(provider.restricts(provider.normalize(expression.key), version) for provider in providers)
            reason = Reason.LABEL if restricted else Reason.EXPRESSION
            value = f"{expression.operator} {', '.join(expression.values)}".strip()
            yield Ignored(reason, found[0].reason, path, value, expression.key)
    if pod.shape.claims_devices:
        said = "it claims devices by Dynamic Resource Allocation, which Karpenter leaves alone unless IGNORE_DRA_REQUESTS is false"
        yield Ignored(Reason.DEVICES, said, "spec.resourceClaims")
