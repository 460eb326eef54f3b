"""Pods that several PodDisruptionBudgets match, which the eviction API refuses to evict."""

import shlex
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import timedelta

from karpenter_check.disruption.due import LOOK_AHEAD
from karpenter_check.disruption.eviction import budget_ref, guarded
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
from karpenter_check.finding import Confidence, Evidence, Finding, Fix, Impact, Ref, Severity, clip, earliest, verification
from karpenter_check.rule import Stage, rule
from karpenter_check.scheduling.nomination import pod_ref
from karpenter_check.snapshot import Kind, Pod, Snapshot
from karpenter_check.snapshot.counted import few, plural
from karpenter_check.snapshot.workload import PodDisruptionBudget

_UNTOUCHED = (
    "none now; a node that drifts or is under-used may stay, and one that expires would drain until its forced end, if it has one"
)


@rule(
    severity=Severity.MEDIUM,
    needs={Kind.NODE, Kind.NODECLAIM, Kind.NODEPOOL, Kind.POD, Kind.PODDISRUPTIONBUDGET},
    since="0.1.0",
    stage=Stage.BLOCKER,
)
def pod_multiple_pdbs(snapshot: Snapshot, *, look_ahead: timedelta = LOOK_AHEAD) -> Iterator[Finding]:
    """Pods on Karpenter's nodes cannot be evicted, because several PodDisruptionBudgets match them."""
    budgets: dict[Ref, dict[Ref, PodDisruptionBudget]] = defaultdict(dict)
    pods: dict[Ref, list[Pod]] = defaultdict(list)
    for group in guarded(snapshot):
        standing = [budget for budget in group.budgets if _stands(snapshot, budget)]
        if len(standing) > 1:
            for pod in group.pods:
                owner = snapshot.owner(pod)
                pods[owner].append(pod)
                budgets[owner].update((budget_ref(budget), budget) for budget in standing)
    holding = Holding(snapshot, look_ahead)
    for owner, matched in pods.items():
        if nodes := holding.nodes(matched):
            yield _finding(snapshot, owner, budgets[owner], nodes, passing=_is_passing(snapshot, owner, matched))


def _stands(snapshot: Snapshot, budget: PodDisruptionBudget) -> bool:
    """Whether the budget is not on its way out, nor so young that it may be there in the place of another."""
    created = budget.metadata.creation_timestamp
    return budget.metadata.deletion_timestamp is None and (created is None or snapshot.settled(created))


def _is_passing(snapshot: Snapshot, owner: Ref, matched: Sequence[Pod]) -> bool:
    """Whether the workload's newest pod is of another controller than these, as of a newer ReplicaSet: they go as it rolls out."""
    controllers = {pod.metadata.controller.uid for pod in matched if pod.metadata.controller}
    there = [pod for pod in snapshot.pods_of_owner.get(owner, ()) if pod.active and pod.metadata.creation_timestamp]
    newest = max(there, key=lambda pod: pod.metadata.creation_timestamp or snapshot.taken_at, default=None)
    controller = newest.metadata.controller if newest else None
    return controller is not None and controller.uid not in controllers


def _finding(
    snapshot: Snapshot, owner: Ref, budgets: dict[Ref, PodDisruptionBudget], nodes: Sequence[HeldNode], *, passing: bool
) -> Finding:
    worst, refs = nodes[0].due, sorted(budgets, key=lambda ref: ref.name)
    held = [pod for entry in nodes for pod in entry.pods]
    serious = worst is not None and worst.harm is Severity.HIGH
    severity = Severity.HIGH if serious else Severity.MEDIUM
    several = len(refs) > 2
    names = few([ref.name for ref in refs], 3) if several else " and ".join(ref.name for ref in refs)
    matched = f"{'together' if several else 'both'} match {plural(len(held), 'pod')} of {owner.name}"
    rules = few([f"{ref.name} ({_rule(budgets[ref])})" for ref in refs], 3)
    rollout = "; the newest of its pods is not among them, so that these may go with a rollout" if passing else ""
    where = places(snapshot, nodes)
    return Finding(
        object=owner,
        owner=owner,
        cause="multiple-pdbs",
        severity=severity.lowered(1) if passing else severity,
        confidence=Confidence.LIKELY if passing else Confidence.CERTAIN,
        message=f"PodDisruptionBudgets {names} {matched}, which nothing can evict; they hold {how_many(nodes)}",
        why=f"the API server evicts no pod that more than one budget matches, whatever they allow: {rules}{rollout}",
        cost=told(nodes) or _UNTOUCHED,
        impact=Impact(nodes=len(nodes), pods=len(held)),
        evidence=(
            *(Evidence(ref, "spec", _rule(budgets[ref])) for ref in refs),
            Evidence(pod_ref(held[0]), "metadata.labels", f"matched by {names}"),
            *proof(nodes),
            *said_by_karpenter(snapshot, nodes, refs),
        ),
        occurrences=where,
        since=earliest(entry.since for entry in where),
        fix=(
            *by_hand(nodes),
            Fix(
                "fix",
                f"kubectl get poddisruptionbudget -n {shlex.quote(owner.namespace)} {' '.join(shlex.quote(ref.name) for ref in refs)} -o yaml",
                "delete all but one of those that match these pods, or narrow their selectors",
                "the one that is left decides alone how many pods may go at once",
            ),
            *forced_ends(nodes),
            verification("pod-multiple-pdbs", namespace=owner.namespace),
        ),
    )  # fmt: skip


def _rule(budget: PodDisruptionBudget) -> str:
    """What a budget asks."""
    spec = budget.spec
    if spec.max_unavailable is not None:
        return clip(f"maxUnavailable: {spec.max_unavailable}")
    return "neither minAvailable nor maxUnavailable" if spec.min_available is None else clip(f"minAvailable: {spec.min_available}")
