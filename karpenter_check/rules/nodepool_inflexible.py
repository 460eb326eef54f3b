"""NodePools that buy from so little choice that there may be nothing to buy."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from karpenter_check.disruption.feature_gates import SPOT_TO_SPOT, feature_gate
from karpenter_check.disruption.pods import is_reschedulable
from karpenter_check.disruption.remedies import command
from karpenter_check.finding import Evidence, Finding, Fix, Occurrence, Ref, Severity, verification
from karpenter_check.rule import rule
from karpenter_check.scheduling.choice import ZONE, Choice, choices, may_take_pods_of
from karpenter_check.scheduling.claim_name import nodepool_of_claim
from karpenter_check.scheduling.labels import CAPACITY_TYPE
from karpenter_check.scheduling.nodepool import Invalid, NothingToBuy, unavailable
from karpenter_check.snapshot import Kind, NodePool, Pod, Snapshot
from karpenter_check.snapshot.counted import few, plural
from karpenter_check.snapshot.event import Event, by_karpenter
from karpenter_check.snapshot.once import once
from karpenter_check.snapshot.quantity import milli

SPOT_TO_SPOT_TYPES = 15
"""So many cheaper types there must be for one spot node to be replaced by another
(`disruption/consolidation.go:MinInstanceTypesForSpotToSpotConsolidation`, 1.13)."""
_NAMED = 5
_CONFIGURED = "spec.template.spec.requirements"


@dataclass(frozen=True)
class _Narrow:
    """One way in which a NodePool has little choice."""

    cause: str
    severity: Severity
    message: str
    why: str
    evidence: Evidence
    advice: str


@rule(severity=Severity.MEDIUM, needs={Kind.NODEPOOL}, since="0.1.0", judges_ages=False, of_manifests=True)
def nodepool_inflexible(snapshot: Snapshot, *, minimum_types: int = 5, refusals: int = 3) -> Iterator[Finding]:
    """A NodePool buys of few instance types, in one zone, or spot alone, so that there may be nothing to buy."""
    for nodepool in sorted(snapshot.nodepools, key=lambda entry: entry.name):
        cannot = any(isinstance(entry, Invalid | NothingToBuy) for entry in unavailable(snapshot)[nodepool.name])
        if nodepool.static or nodepool.metadata.deletion_timestamp or cannot:
            continue
        choice, refused = choices(snapshot)[nodepool.name], _refusals(snapshot).get(nodepool.name, ())
        for found in _narrow(snapshot, nodepool, choice, minimum_types):
            yield _finding(snapshot, nodepool, choice, found, refused, refusals)


def _narrow(snapshot: Snapshot, nodepool: NodePool, choice: Choice, minimum_types: int) -> Iterator[_Narrow]:
    if choice.capacity_types != frozenset({"reserved"}):
        for found in (
            _types(snapshot, nodepool, choice, minimum_types), _zone(snapshot, nodepool, choice), _spot(snapshot, nodepool, choice)
        ):  # fmt: skip
            if found:
                yield found
    if choice.burstable:
        kinds = few(choice.burstable, _NAMED)
        why = "such instances live on CPU credits: pods that need more than the baseline for long are slowed down, or cost more, and their requests do not show it"
        evidence = Evidence(_ref(nodepool), _CONFIGURED, kinds)
        advice = "let it buy other families too, unless the load comes in bursts"
        yield _Narrow("burstable", Severity.INFO, f"{nodepool.name} buys burstable instances alone: {kinds}", why, evidence, advice)


def _types(snapshot: Snapshot, nodepool: NodePool, choice: Choice, minimum_types: int) -> _Narrow | None:
    """Too few types; of those on demand one alone is too few, and spot is refused by type and zone."""
    if choice.types is None:
        return None
    number, named = len(choice.types), few(sorted(choice.types), _NAMED)
    evidence = Evidence(_ref(nodepool), _CONFIGURED, named)
    advice = f"let it choose from {SPOT_TO_SPOT_TYPES} types or more: by category, generation and size rather than by name"
    severity = Severity.MEDIUM if choice.spot_alone else Severity.LOW
    if number == 1 or (choice.spot and number < minimum_types):
        cause, bought = "one-type" if number == 1 else "few-types", "spot" if choice.spot_alone else "nodes"
        message = f"{nodepool.name} buys {bought} of {plural(number, 'instance type')} alone: {named}"
        why = "where the provider has none of them left, no node comes until it has" + (
            f"; spot is taken back type by type, and Karpenter replaces one spot node by another only where {SPOT_TO_SPOT_TYPES} types are cheaper"
            if choice.spot
            else ""
        )
        return _Narrow(cause, severity, message, why, evidence, advice)
    if choice.spot and number < SPOT_TO_SPOT_TYPES and feature_gate(snapshot, SPOT_TO_SPOT):
        message = f"{nodepool.name} has {number} instance types, too few to replace a spot node by a cheaper one"
        why = f"{SPOT_TO_SPOT} is on, and needs {SPOT_TO_SPOT_TYPES} types that are cheaper than the node"
        return _Narrow("spot-to-spot", Severity.INFO, message, why, evidence, advice)
    return None


def _zone(snapshot: Snapshot, nodepool: NodePool, choice: Choice) -> _Narrow | None:
    """One zone alone, where no other NodePool takes the same pods in another one."""
    if choice.zones is None or len(choice.zones) != 1:
        return None
    siblings = (other for other in snapshot.nodepools if may_take_pods_of(snapshot, nodepool, other))
    if any(choices(snapshot)[other.name].zones != choice.zones for other in siblings):
        return None
    (zone,), pods = choice.zones, _pods(snapshot, nodepool)
    severity, because = (Severity.MEDIUM if choice.spot_alone and pods is not None else Severity.LOW), ""
    if not _other_zones(snapshot, zone):
        severity, because = Severity.INFO, "; no node of the cluster is in another zone, so it may be meant"
    elif any(pod.has_claims for pod in pods or ()):
        severity, because = Severity.INFO, "; pods on it have volumes, which may be why"
    by = choice.zones_by
    where = _ref(nodepool) if by == _CONFIGURED else Ref(*_class_of(nodepool))
    return _Narrow(
        "one-zone",
        severity,
        f"{nodepool.name} buys in one zone alone: {zone}",
        f"where that zone has no capacity, or fails, no node comes{because}",
        Evidence(where, by, zone),
        f"leave {ZONE} open; pods with volumes go where these are without it" if by == _CONFIGURED else "select subnets of other zones too",
    )  # fmt: skip


def _spot(snapshot: Snapshot, nodepool: NodePool, choice: Choice) -> _Narrow | None:
    """Spot alone, with no NodePool that would take its pods on demand."""
    others = (other for other in snapshot.nodepools if may_take_pods_of(snapshot, nodepool, other))
    if not choice.spot_alone or any(not choices(snapshot)[other.name].spot_alone for other in others):
        return None
    pods = _pods(snapshot, nodepool)
    steady = [pod for pod in pods or () if snapshot.owner(pod).kind not in {"Job", "CronJob"}]
    severity = Severity.MEDIUM if steady else Severity.LOW if pods is None else Severity.INFO
    if pods is None:
        runs = f"what runs on it is not known: Pod is {snapshot.covered(Kind.POD)}"
    else:
        runs = f"{plural(len(steady), 'pod')} that {'are' if len(steady) != 1 else 'is'} no Job's {'run' if len(steady) != 1 else 'runs'} on it"
    return _Narrow(
        "spot-only",
        severity,
        f"{nodepool.name} buys spot alone, and no other NodePool would take its pods on demand",
        f"where there is no spot capacity its pods wait, and those of nodes that are taken back wait with them; {runs}",
        Evidence(_ref(nodepool), _CONFIGURED, str(choice.requirements[CAPACITY_TYPE])),
        "let it buy on-demand too: Karpenter takes spot first; or add a NodePool of less weight that does",
    )


def _pods(snapshot: Snapshot, nodepool: NodePool) -> list[Pod] | None:
    """The pods on its nodes that would have to run elsewhere; None where they were not all seen."""
    if not (snapshot.whole(Kind.POD) and snapshot.whole(Kind.NODE)):
        return None
    nodes = snapshot.nodes_of_nodepool.get(nodepool.name, ())
    return [pod for node in nodes for pod in snapshot.pods_on_node.get(node.name, ()) if is_reschedulable(pod)]


def _other_zones(snapshot: Snapshot, zone: str) -> bool:
    """Whether the cluster has nodes, or buys them, in another zone. A zone's id is no zone of a node's label, so it has others."""
    bought = {name for choice in choices(snapshot).values() for name in choice.zones or ()}
    return bool((bought | {node.metadata.labels.get(ZONE, zone) for node in snapshot.nodes}) - {zone})


def _unused(snapshot: Snapshot, nodepool: NodePool) -> bool:
    """Whether it is known to have no nodes."""
    if snapshot.whole(Kind.NODE):
        return not snapshot.nodes_of_nodepool.get(nodepool.name)
    return "nodes" in nodepool.status.resources and milli(nodepool.status.resources["nodes"]) == 0


@once
def _refusals(snapshot: Snapshot) -> Mapping[str, Sequence[Event]]:
    """What providers had no capacity for, by NodePool; Karpenter deletes the NodeClaim then, and tries again."""
    found: dict[str, list[Event]] = defaultdict(list)
    for event in snapshot.events_by_reason.get("InsufficientCapacityError", ()):
        if by_karpenter(event) and event.involved_object.kind == "NodeClaim":
            found[nodepool_of_claim(snapshot, event.involved_object.name)].append(event)
    return found


def _ref(nodepool: NodePool) -> Ref:
    return Ref("NodePool", nodepool.name, "karpenter.sh/v1")


def _class_of(nodepool: NodePool) -> tuple[str, str]:
    reference = nodepool.spec.template.spec.node_class_ref
    return reference.kind, reference.name


def _finding(
    snapshot: Snapshot, nodepool: NodePool, choice: Choice, found: _Narrow, refused: Sequence[Event], refusals: int
) -> Finding:
    """Worse where the provider did refuse of late; less where there is little choice by nature, or nothing runs."""
    owner, severity, why = _ref(nodepool), found.severity, found.why
    times = sum(event.times for event in refused)
    if choice.special:
        severity, why = Severity.INFO, f"{why}; of such hardware there is little choice"
    elif times >= max(1, refusals) and severity is Severity.LOW:
        severity = Severity.MEDIUM
    elif not times and _unused(snapshot, nodepool):
        severity, why = severity.lowered(1), f"{why}; it has no nodes now"
    if times:
        why += f"; by the events of the last hour or so, the provider had no capacity for it {plural(times, 'time')}"
    risk = "more choice drifts no node; other types and zones cost differently"
    return Finding(
        object=owner,
        owner=owner,
        nodepool=nodepool.name,
        cause=found.cause,
        severity=severity,
        message=found.message,
        why=why,
        evidence=(found.evidence, *(Evidence.of_event(event) for event in refused[:1])),
        occurrences=(Occurrence(owner, nodepool.metadata.uid, "", found.cause),),
        fix=(
            Fix("fix", command("edit", owner), found.advice, risk),
            verification("nodepool-inflexible", nodepool=nodepool.name),
        ),
    )
