"""Pending pods whose volume is in a zone in which no NodePool that would take them buys nodes."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from karpenter_check.finding import Blame, Confidence, Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity, verification
from karpenter_check.rule import Stage, rule
from karpenter_check.scheduling.ignored import ignored
from karpenter_check.scheduling.last_word import karpenters_last_word
from karpenter_check.scheduling.node import label_mismatch, repelled
from karpenter_check.scheduling.nomination import pod_ref
from karpenter_check.scheduling.requirement import Requirement
from karpenter_check.scheduling.template import nodepool_templates
from karpenter_check.scheduling.verdict import Answer, Verdict, verdicts
from karpenter_check.scheduling.volumes import ZONE, BoundVolume, bound_volumes
from karpenter_check.snapshot import GRACE, Kind, NodePool, Pod, Snapshot
from karpenter_check.snapshot.counted import few, plural
from karpenter_check.snapshot.event import Event

_PASSING = frozenset({"nodepool:not-ready", "nodepool:limit"})
"""What may end without a change of the NodePool: it is then the one that will take the pod."""
_MOST = 5
_NAMED = 2
"""So many of the NodePools that refuse the pod anyway are named."""


@dataclass(frozen=True)
class _Away:
    """A NodePool that would take the pod and buys nothing in the zones of its volume."""

    nodepool: str
    path: str
    offers: str
    """What it offers, in words."""


@dataclass(frozen=True)
class _Waiting:
    """A pod past the threshold, its volume, and why no NodePool goes there."""

    pod: Pod
    since: datetime
    bound: BoundVolume
    zones: frozenset[str]
    away: Sequence[_Away]
    refusing: Sequence[Verdict]
    stranger: str
    """A node in one of the zones that admits the pod; else empty."""
    said: Event | None
    long: bool


@rule(
    severity=Severity.MEDIUM,
    needs={
        Kind.POD, Kind.NODE, Kind.NODEPOOL, Kind.NODECLAIM, Kind.DAEMONSET, Kind.PERSISTENTVOLUMECLAIM, Kind.PERSISTENTVOLUME,
    },
    since="0.1.0",
    stage=Stage.POD,
)  # fmt: skip
def volume_zone_conflict(
    snapshot: Snapshot, *, warn_after: timedelta = GRACE, fail_after: timedelta = timedelta(minutes=5)
) -> Iterator[Finding]:
    """Pods wait for a node in the zone of their volume, and no NodePool that would take them buys nodes there."""
    if not snapshot.nodepools or not snapshot.whole(Kind.NODEPOOL):
        return  # one that could not be read may be the one that goes there
    waiting: dict[Ref, list[_Waiting]] = defaultdict(list)
    for pod in snapshot.unbound_pods:
        since = pod.unscheduled_since
        if not (pod.claims and pod.unschedulable and pod.active) or since is None or pod.scheduler_name == "fargate-scheduler":
            continue
        age, word = snapshot.taken_at - since, karpenters_last_word(snapshot, pod)
        if age < max(GRACE, warn_after) or ignored(snapshot, pod) or (word and word.reason == "Nominated"):
            continue
        found = next(filter(None, (_conflict(snapshot, pod, bound) for bound in bound_volumes(snapshot, pod))), None)
        if found:
            bound, zones, away, refusing = found
            stranger = _stranger(snapshot, pod, zones)
            entry = _Waiting(pod, since, bound, zones, away, refusing, stranger, word, long=age >= fail_after)
            waiting[snapshot.owner(pod)].append(entry)
    for owner, pods in waiting.items():
        yield _finding(snapshot, owner, sorted(pods, key=lambda entry: (entry.since, entry.pod.metadata.name)))


_Found = tuple[BoundVolume, frozenset[str], Sequence[_Away], Sequence[Verdict]]


def _conflict(snapshot: Snapshot, pod: Pod, bound: BoundVolume) -> _Found | None:
    """Why no NodePool that takes the pod buys a node where the volume is; None where one does, or may, or where none takes the pod anyway."""
    away, refusing, zones = [], [], frozenset[str]()
    for verdict in verdicts(snapshot, pod.shape):
        nodepool = snapshot.nodepools_by_name[verdict.nodepool]
        if verdict.answer is Answer.REFUSES and not verdict.causes <= _PASSING:
            refusing.append(verdict)
            continue
        asked = bound.zones(nodepool_templates(snapshot)[nodepool.name].provider)
        offered = _offered(snapshot, nodepool, asked) if asked else None
        if asked is None or offered is None:
            return None
        away.append(offered)
        zones |= asked
    return (bound, zones, away, refusing) if away else None


def _offered(snapshot: Snapshot, nodepool: NodePool, zones: frozenset[str]) -> _Away | None:
    """What a NodePool offers in the place of the zones; None where it may buy in one of them, or that is not known."""
    template = nodepool_templates(snapshot)[nodepool.name].requirements.by_key.get(ZONE)
    left = template.intersection(Requirement.of(ZONE, "In", zones)).values if template else zones
    if template and not left:
        return _Away(nodepool.name, "spec.template.spec.requirements", f"offers {template}")
    node_class = snapshot.nodeclass_of(nodepool)
    subnets = [subnet.zone for subnet in node_class.status.subnets] if node_class else []
    if node_class is None or not subnets or not all(subnets) or left & set(subnets):
        return None
    offers = f"its {node_class.kind} {node_class.metadata.name} has subnets in {few(sorted(set(subnets)), _MOST)} alone"
    return _Away(nodepool.name, "status.subnets", offers)


def _stranger(snapshot: Snapshot, pod: Pod, zones: frozenset[str]) -> str:
    """A node in one of the zones that admits the pod by labels and taints: it may wait for a place there."""
    shape = pod.shape
    there = (node for node in snapshot.nodes if node.metadata.labels.get(ZONE) in zones and not node.metadata.deletion_timestamp)
    admitting = (node for node in there if not any(repelled(shape, node)))
    return next((node.name for node in admitting if not label_mismatch(shape.node_selector, shape.node_affinity, node)), "")


def _finding(snapshot: Snapshot, owner: Ref, pods: Sequence[_Waiting]) -> Finding:
    first = next((entry for entry in pods if entry.long and not entry.stranger), pods[0])
    volumes = {entry.bound.claim_ref: entry for entry in pods}
    zones = sorted(frozenset[str]().union(*(entry.zones for entry in pods)))
    more = f" and of {len(volumes) - 1} more" if len(volumes) > 1 else ""
    fine = any(entry.long and not entry.stranger for entry in pods)
    return Finding(
        object=first.bound.claim_ref,
        owner=owner,
        cause="zone",
        severity=None if fine else Severity.MEDIUM.lowered(2),
        confidence=Confidence.CERTAIN
        if all(entry.certain for waiting in pods for entry in waiting.refusing)
        else Confidence.LIKELY,
        message=(
            f"no NodePool that would take {owner} buys nodes in {_zones(zones)}, where the volume of {first.bound.claim_ref}{more} is"
        ),
        why=_why(snapshot, first),
        cost=f"{plural(len(pods), 'pod')} of {owner} wait{'s' * (len(pods) == 1)} until a node comes there",
        impact=Impact(pods=len(pods)),
        evidence=(*_evidence(first), *((Evidence.of_event(first.said),) if first.said else ())),
        occurrences=tuple(
            Occurrence(pod_ref(entry.pod), entry.pod.metadata.uid, reason="zone", since=entry.since) for entry in pods
        ),
        since=pods[0].since,
        fix=(*_remedies(snapshot, first), verification("volume-zone-conflict", namespace=owner.namespace)),
        blames=tuple(Blame(entry.bound.ref) for entry in pods),
    )


def _zones(zones: Sequence[str]) -> str:
    return f"zone {zones[0]}" if len(zones) == 1 else f"zones {few(zones, _MOST)}"


def _why(snapshot: Snapshot, found: _Waiting) -> str:
    parts = [f"{found.bound.ref} can be used in {_zones(sorted(found.zones))} alone"]
    parts += [f"NodePool {entry.nodepool}: {entry.offers}" for entry in found.away[:_MOST]]
    parts += [f"NodePool {entry.nodepool}: {entry}" for entry in found.refusing[:_NAMED]]
    if others := len(found.away[_MOST:]) + len(found.refusing[_NAMED:]):
        parts.append(f"{plural(others, 'other NodePool')} do{'es' * (others == 1)} not help either")
    if _bound_at_once(snapshot, found.bound):
        name = found.bound.claim.spec.storage_class_name or found.bound.volume.spec.storage_class_name
        parts.append(f"StorageClass {name} binds at once (volumeBindingMode Immediate), wherever that is: no pod was asked for")
    elif not snapshot.covered(Kind.STORAGECLASS).sufficient:
        parts.append(
            f"whether its StorageClass chose the zone before the pod is not known: StorageClass is {snapshot.covered(Kind.STORAGECLASS)}"
        )
    if found.stranger:
        parts.append(f"Node {found.stranger} is there and admits it: it may wait for a place on it")
    return "; ".join(parts)


def _bound_at_once(snapshot: Snapshot, bound: BoundVolume) -> bool:
    storage_class = bound.storage_class(snapshot)
    return storage_class is not None and storage_class.volume_binding_mode == "Immediate"


def _evidence(found: _Waiting) -> Iterator[Evidence]:
    yield Evidence(found.bound.claim_ref, "spec.volumeName", found.bound.volume.metadata.name)
    yield Evidence(found.bound.ref, "spec.nodeAffinity.required", f"{ZONE} In [{', '.join(sorted(found.zones))}]")
    for entry in found.away:
        yield Evidence(Ref("NodePool", entry.nodepool, "karpenter.sh/v1"), entry.path, entry.offers)


def _remedies(snapshot: Snapshot, found: _Waiting) -> Iterator[Fix]:
    zones = _zones(sorted(found.zones))
    by_class = [entry.nodepool for entry in found.away if entry.path == "status.subnets"]
    by_template = [entry.nodepool for entry in found.away if entry.nodepool not in by_class]
    if by_template:
        yield Fix(
            "fix",
            text=f"let NodePool {by_template[0]} buy in {zones} (spec.template.spec.requirements, {ZONE})",
            risk="its nodes drift",
        )
    else:
        yield Fix("fix", text=f"select a subnet in {zones} in the node class of NodePool {by_class[0]} (spec.subnetSelectorTerms)")
    yield Fix("fix", text="or move the data: make a snapshot of the volume, and a new claim from it in a zone that is offered")
    if _bound_at_once(snapshot, found.bound):
        yield Fix(
            "fix",
            text="for claims to come, use a StorageClass with volumeBindingMode WaitForFirstConsumer; of one that is there it cannot be changed",
        )
