"""Pods that tolerate the taint of nodes on their way out: Karpenter leaves them there, and they end with the instance."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from karpenter_check.disruption.eviction import budget_ref, budgets_of
from karpenter_check.disruption.pods import disruption_taint, is_mirror, says_do_not_disrupt
from karpenter_check.disruption.remedies import command
from karpenter_check.disruption.state_node import StateNode
from karpenter_check.finding import Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity, earliest, verification
from karpenter_check.rule import rule
from karpenter_check.scheduling.nomination import node_ref, pod_ref
from karpenter_check.scheduling.taints import tolerates
from karpenter_check.snapshot import Kind, Pod, Snapshot
from karpenter_check.snapshot.controller_label import is_controllers
from karpenter_check.snapshot.counted import few, plural
from karpenter_check.snapshot.moments import at
from karpenter_check.snapshot.pod import PodShape
from karpenter_check.snapshot.pod_object import Toleration

EVERYTHING, DISRUPTED = "everything", "disrupted-taint"
_CRITICAL = frozenset({"system-cluster-critical", "system-node-critical"})
_ADD_ONS = frozenset({"kube-system", "tigera-operator"})
"""Namespaces of what is made to run on any node, come what may."""
_FEW = 3
_REMADE = frozenset({"Pod", "Job"})
"""Kinds whose pods' tolerations cannot be changed."""
_SCHEDULER_UNAWARE = 5
"""Seconds in which pods may still come that do not tolerate the taint (`node/termination/controller.go:MinDrainTime`)."""


@dataclass(frozen=True)
class _Place:
    """A pod that tolerates the taint, and its node."""

    pod: Pod
    state: StateNode
    toleration: Toleration
    deleted: datetime | None
    """Since when its node is on its way out."""
    bound: datetime | None

    @property
    def landed(self) -> bool:
        """Whether it came when its node was on its way out already."""
        late = self.deleted and self.bound and (self.bound - self.deleted).total_seconds() > _SCHEDULER_UNAWARE
        return bool(late)

    @property
    def reason(self) -> str:
        """A stable word for how it is there."""
        return "landed_on_terminating" if self.landed else "on_terminating" if self.deleted else "tolerates"


@rule(severity=Severity.MEDIUM, needs={Kind.NODE, Kind.NODECLAIM, Kind.POD}, since="0.1.0")
def pod_tolerates_disruption(snapshot: Snapshot) -> Iterator[Finding]:
    """Pods tolerate the taint of nodes that Karpenter takes away, so they are not evicted and end with the instance."""
    shapes: dict[PodShape, Toleration | None] = {}
    found: dict[tuple[Ref, str], list[_Place]] = defaultdict(list)
    for name, claim in snapshot.nodeclaim_of_node.items():
        state = StateNode(snapshot.nodes_by_name[name], claim)
        for pod in snapshot.pods_on_node.get(name, ()):
            if pod.shape not in shapes:
                shapes[pod.shape] = _tolerating(snapshot, pod)
            toleration = shapes[pod.shape]
            if toleration and _is_meant(pod):
                found[snapshot.owner(pod), DISRUPTED if toleration.key else EVERYTHING].append(_place(pod, state, toleration))
    for (owner, cause), places in found.items():
        places.sort(
            key=lambda place: (not place.landed, place.deleted is None, place.pod.metadata.namespace, place.pod.metadata.name)
        )
        yield _finding(snapshot, owner, cause, places)


def _tolerating(snapshot: Snapshot, pod: Pod) -> Toleration | None:
    """The toleration that covers the taint, one of everything first."""
    taint = disruption_taint(snapshot.karpenter_version)
    covering = [entry for entry in pod.shape.tolerations if tolerates(entry, taint)]
    return min(covering, key=lambda entry: bool(entry.key), default=None)


def _is_meant(pod: Pod) -> bool:
    """Whether such a toleration is no matter of course: it is for DaemonSets of whatever group, static pods and Karpenter itself."""
    daemon = any(owner.kind == "DaemonSet" for owner in pod.metadata.owner_references)
    return pod.active and not (is_controllers(pod.metadata) or daemon or is_mirror(pod))


def _place(pod: Pod, state: StateNode, toleration: Toleration) -> _Place:
    times = [entry.metadata.deletion_timestamp for entry in (state.nodeclaim, state.node) if entry]
    bound = (pod.scheduled and pod.scheduled.last_transition_time) or pod.metadata.creation_timestamp
    return _Place(pod, state, toleration, earliest(times), bound)


def _finding(snapshot: Snapshot, owner: Ref, cause: str, places: Sequence[_Place]) -> Finding:
    nodes = {place.state.name for place in places}
    return Finding(
        object=owner,
        owner=owner,
        cause=cause,
        severity=Severity.LOW if all(map(_is_add_on, places)) else Severity.MEDIUM,
        message=_message(owner, cause, places),
        why=_why(snapshot, places),
        cost=_cost(snapshot, places),
        impact=Impact(nodes=len(nodes), pods=len(places)),
        evidence=tuple(_evidence(places[0])),
        occurrences=tuple(
            Occurrence(pod_ref(place.pod), place.pod.metadata.uid, place.state.name, place.reason, place.bound) for place in places
        ),
        since=earliest(place.bound for place in places),
        fix=(_narrow(owner, places), verification("pod-tolerates-disruption", namespace=owner.namespace)),
    )


def _is_add_on(place: _Place) -> bool:
    return place.pod.priority_class_name in _CRITICAL or place.pod.metadata.namespace in _ADD_ONS


def _message(owner: Ref, cause: str, places: Sequence[_Place]) -> str:
    what = "every taint, also that" if cause == EVERYTHING else f"{places[0].toleration.key}, the taint"
    its = "the pod is" if owner.kind == "Pod" else f"its {plural(len(places), 'pod')} {'is' if len(places) == 1 else 'are'}"
    ends = "ends" if len(places) == 1 else "end"
    message = f"{owner.name} tolerates {what} of nodes on their way out: {its} not evicted, and {ends} with the instance"
    leaving, landed = sum(place.deleted is not None for place in places), sum(place.landed for place in places)
    if landed:
        message += f"; {landed} came to a node that was on its way out already"
    elif leaving:
        message += f"; {leaving} {'is' if leaving == 1 else 'are'} on such a node"
    return message


def _why(snapshot: Snapshot, places: Sequence[_Place]) -> str:
    toleration = _written(places[0].toleration)
    why = f"its toleration {toleration} covers the taint that Karpenter drains with: Karpenter neither evicts such pods nor waits for them, and the scheduler puts new ones on nodes that are about to go"
    asked = {str(budget_ref(budget)): None for place in places for budget in budgets_of(snapshot, place.pod)}
    if asked:
        why += f"; {few(list(asked), 1)} is not asked"
    if any(says_do_not_disrupt(place.pod, snapshot.taken_at, snapshot.karpenter_version) for place in places):
        why += "; its do-not-disrupt does not hold a drain either"
    return why


def _cost(snapshot: Snapshot, places: Sequence[_Place]) -> str:
    """What becomes of them: nothing is made in their place before their node is gone."""
    cost = (
        "nothing takes their place before the instance ends"
        if places[0].pod.metadata.controller
        else "it is a bare pod, and is not made again"
    )
    if any(place.pod.has_claims for place in places):
        cost += "; their volumes are not waited for, and are still attached as the instance ends"
    landed = next((place for place in places if place.landed), None)
    if landed and landed.deleted and landed.bound:
        cost += f"; {pod_ref(landed.pod)} came at {at(snapshot, landed.bound)} to node {landed.state.name}, which goes since {at(snapshot, landed.deleted)}"
    return cost


def _written(toleration: Toleration) -> str:
    """A toleration as its author wrote it, on one line."""
    fields = {"key": toleration.key, "operator": toleration.operator, "value": toleration.value, "effect": toleration.effect}
    return "{" + ", ".join(f"{name}: {value}" for name, value in fields.items() if value) + "}"


def _evidence(place: _Place) -> Iterator[Evidence]:
    ref = pod_ref(place.pod)
    yield Evidence(ref, "spec.tolerations", _written(place.toleration))
    if place.deleted:
        yield Evidence(node_ref(place.state.name), "metadata.deletionTimestamp", f"{place.deleted:%Y-%m-%dT%H:%M:%SZ}")
    if place.landed:
        yield Evidence(ref, "status.conditions.PodScheduled.lastTransitionTime", f"{place.bound:%Y-%m-%dT%H:%M:%SZ}")


def _narrow(owner: Ref, places: Sequence[_Place]) -> Fix:
    """The tolerations that the pods need where they are: those of the taints that Karpenter makes these nodes with."""
    taints = {str(taint) for place in places if place.state.nodeclaim for taint in place.state.nodeclaim.spec.taints}
    text = (
        f"tolerate what its nodes are made with: {few(sorted(taints), _FEW)}"
        if taints
        else "take the toleration away: its nodes are made without taints"
    )
    if owner.kind in _REMADE:
        return Fix("fix", text=f"make it again, and {text}")
    return Fix("fix", command("edit", owner), text, "its pods are replaced, as by a rollout")
