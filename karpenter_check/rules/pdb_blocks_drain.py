"""PodDisruptionBudgets that, as they are written, never let a pod be evicted."""

import json
import shlex
from collections.abc import Iterator, Sequence
from datetime import timedelta

from karpenter_check.disruption.due import LOOK_AHEAD
from karpenter_check.disruption.eviction import NeverAllows, budget_ref, guarded, keeps_from_eviction, never_allows
from karpenter_check.disruption.held_nodes import (
    HeldNode,
    Holding,
    by_hand,
    forced_ends,
    how_many,
    places,
    proof,
    said_by_karpenter,
    told,
)
from karpenter_check.disruption.remedies import command
from karpenter_check.finding import Confidence, Evidence, Finding, Fix, Impact, Ref, Severity, earliest, verification
from karpenter_check.rule import Stage, rule
from karpenter_check.snapshot import Kind, Pod, Snapshot
from karpenter_check.snapshot.counted import few, plural
from karpenter_check.snapshot.workload import PodDisruptionBudget

_SCALED = frozenset({"Deployment", "StatefulSet"})
_UNTOUCHED = "none now; a node that drifts, empties or is under-used would stay, and one that expires would drain until its forced end, if it has one"


@rule(
    severity=Severity.LOW,
    needs={Kind.NODE, Kind.NODECLAIM, Kind.NODEPOOL, Kind.POD, Kind.PODDISRUPTIONBUDGET},
    since="0.1.0",
    stage=Stage.BLOCKER,
)
def pdb_blocks_drain(snapshot: Snapshot, *, look_ahead: timedelta = LOOK_AHEAD) -> Iterator[Finding]:
    """A PodDisruptionBudget can never allow an eviction, as it is written, and holds Karpenter's nodes."""
    holding = Holding(snapshot, look_ahead)
    for group in guarded(snapshot):
        if len(group.budgets) > 1:  # eviction refuses these, whatever each of the budgets allows
            continue
        (budget,) = group.budgets
        created = budget.metadata.creation_timestamp
        if never_allows(budget) is None or (created and not snapshot.settled(created)):
            continue
        wanted, unknown = _wanted(snapshot, budget, group.pods)
        never = never_allows(budget, wanted=wanted)
        nodes = holding.nodes(pod for pod in group.pods if keeps_from_eviction(budget, pod)) if never else ()
        if never and nodes:
            yield _finding(snapshot, budget, never, nodes, max(wanted, budget.status.expected_pods), unknown)


def _wanted(snapshot: Snapshot, budget: PodDisruptionBudget, pods: Sequence[Pod]) -> tuple[int, tuple[Ref, ...]]:
    """How many pods the workloads want in all, and those of which that decides and is not known.

    Of a minAvailable that is a number, `status.expectedPods` counts the pods that are there; for a percentage the disruption controller
    asks the workloads themselves (k8s.io/kubernetes `pkg/controller/disruption:getExpectedPodCount`, v1.36). A bare pod wants itself.
    """
    owners = dict.fromkeys(snapshot.owner(pod) for pod in pods)
    numbers = {owner: 1 if owner.kind == "Pod" else snapshot.desired_replicas(owner) for owner in owners}
    counts_pods = isinstance(budget.spec.min_available, int)
    unknown = tuple(owner for owner, number in numbers.items() if number is None and counts_pods)
    return sum(number or 0 for number in numbers.values()), unknown


def _cause(budget: PodDisruptionBudget, never: NeverAllows, pods: int) -> str:
    if budget.spec.max_unavailable is not None:
        return "max-unavailable-zero"
    if not never.by_number:
        return "min-available-all"
    return "single-replica" if pods == 1 else "min-available-replicas"


def _finding(
    snapshot: Snapshot,
    budget: PodDisruptionBudget,
    never: NeverAllows,
    nodes: Sequence[HeldNode],
    pods: int,
    unknown: tuple[Ref, ...],
) -> Finding:
    ref, worst, status = budget_ref(budget), nodes[0].due, budget.status
    held = [pod for entry in nodes for pod in entry.pods]
    owners = list(dict.fromkeys(snapshot.owner(pod) for pod in held))
    severity = worst.harm if worst else Severity.LOW
    confidence = Confidence.LIKELY if never.by_number else Confidence.CERTAIN
    if unknown:
        severity, confidence = severity.lowered(1), Confidence.POSSIBLE
    elif worst and worst.confidence is Confidence.POSSIBLE:
        confidence = Confidence.POSSIBLE
    field, _, value = never.field.partition(": ")
    where = places(snapshot, nodes)
    return Finding(
        object=ref,
        owner=ref,
        cause=_cause(budget, never, pods),
        severity=severity,
        confidence=confidence,
        message=f"{_message(ref, never, owners, pods, sure=not unknown)}; it holds {how_many(nodes)}",
        why=_why(snapshot, budget, never, pods, unknown),
        cost=told(nodes) or _UNTOUCHED,
        impact=Impact(nodes=len(nodes), pods=len(held)),
        evidence=(
            Evidence(ref, f"spec.{field}", value),
            Evidence(ref, "status", f"disruptionsAllowed 0, currentHealthy {status.current_healthy}, expectedPods {status.expected_pods}"),
            *proof(nodes),
            *said_by_karpenter(snapshot, nodes, (ref,)),
        ),
        occurrences=where,
        since=earliest(entry.since for entry in where),
        fix=(
            *by_hand(nodes),
            *_fix(budget, never, owners, pods),
            *forced_ends(nodes),
            verification("pdb-blocks-drain", namespace=ref.namespace),
        ),
    )  # fmt: skip


def _message(ref: Ref, never: NeverAllows, owners: Sequence[Ref], pods: int, *, sure: bool) -> str:
    whose = few(list(map(str, owners)), 2)
    if not never.by_number:
        return f"{ref.name} never lets a pod of {whose} be evicted ({never.field})"
    verb = "is" if pods == 1 else "are"
    number = f"{plural(pods, 'pod')} {verb} wanted" if sure else f"there {verb} {plural(pods, 'pod')}"
    return f"{ref.name} lets no pod of {whose} be evicted while {number} ({never.field})"


def _why(snapshot: Snapshot, budget: PodDisruptionBudget, never: NeverAllows, pods: int, unknown: Sequence[Ref]) -> str:
    status = budget.status
    healthy = f" ({status.current_healthy} of {status.expected_pods} now)" if status.expected_pods else ""
    because = f"the {pods} that {'is' if pods == 1 else 'are'} there must be available" if unknown else never.because
    said = f"{never.field}: {because}, so every eviction is refused, however many are healthy{healthy}"
    if unknown:
        kinds = [Kind(owner.kind) for owner in unknown if owner.kind in _SCALED and not snapshot.whole(Kind(owner.kind))]
        unread = f": {kinds[0]} is {snapshot.covered(kinds[0])}" if kinds else ""
        return f"{said}; how many pods {unknown[0]} wants is not known{unread}: if it wants more, one may go"
    return f"{said}; with more replicas, as an autoscaler may want, it lets one go" if never.by_number else said


def _fix(budget: PodDisruptionBudget, never: NeverAllows, owners: Sequence[Ref], pods: int) -> Iterator[Fix]:
    """More replicas where one more lets one go, and maxUnavailable 1 in any case."""
    minimum, step = budget.spec.min_available, "fix"
    if never.by_number and len(owners) == 1 and owners[0].kind in _SCALED:
        enough = minimum + 1 if isinstance(minimum, int) else -(-100 // (100 - int(str(minimum)[:-1])))
        if enough == pods + 1:
            text = f"of {enough} replicas one may go; where an autoscaler sets their number, raise its minimum"
            yield Fix(step, command("scale", owners[0], f"--replicas={enough}"), text, "only where it can run that often")
            step = "or"
    spec = {"maxUnavailable": 1} if minimum is None else {"minAvailable": None, "maxUnavailable": 1}
    patch = shlex.quote(json.dumps({"spec": spec}, separators=(",", ":")))
    text = "then one pod at a time may go; unhealthyPodEvictionPolicy: AlwaysAllow would let go only those that are not ready"
    risk = "with one replica nothing runs until the next one is ready" if pods == 1 else ""
    yield Fix(step, command("patch", budget_ref(budget), f"--type merge -p {patch}"), text, risk)
