"""What counters count: each thing that happened, with a key of its own and the moment at which it counts."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from karpenter_check.disruption.deaths import Death, DeathReason, deaths
from karpenter_check.finding import Ref
from karpenter_check.metrics.catalogue import (
    MISMATCHES,
    NODES_FOR_PODS,
    NOMINATION_FAILURES,
    POOL_DEATHS,
    POOL_FAILURES,
    POOL_MISMATCHES,
    POOL_NODES_FOR_PODS,
    TTL_DEATHS,
)
from karpenter_check.metrics.family import Metric
from karpenter_check.scan import Report, Result
from karpenter_check.scheduling.claim_name import nodepool_of_claim
from karpenter_check.scheduling.nomination import nominations
from karpenter_check.snapshot import Snapshot
from karpenter_check.snapshot.last_run import KnownNode, Labels

MISMATCH_RULE, DEATH_RULE, FAILURE_RULE = "daemonset-nodepool-mismatch", "node-ttl-death", "nominated-pod-failure"
_AT_ONCE = timedelta(seconds=3)
"""Karpenter names the pods of a NodeClaim as soon as it has made it (`provisioning/provisioner.go:Create`, 1.13)."""


@dataclass(frozen=True)
class Occurred:
    """Something that counts once."""

    rule: str
    """It can only be told where this rule was evaluated."""
    key: str
    total: Metric
    total_labels: Labels
    metric: Metric | None = None
    """The metric with a series for the object, if there is one."""
    labels: Labels = ()
    crossed: datetime | None = None
    """When it counts; None for what no object tells the moment of: it counts when it is first seen."""
    began: datetime | None = None
    """The same where nothing tells what was counted: a time that no second object of the same kind can move."""
    formerly: Labels = ()
    """The labels that it had before its node was known."""


def occurred(report: Report, evaluated: Collection[str], known: Mapping[str, KnownNode]) -> Iterator[Occurred]:
    """Everything that the report and its snapshot show, of rules that were evaluated; `known` nodes by the UID of their NodeClaim."""
    for result in report.results:
        if result.rule.slug == MISMATCH_RULE:
            yield from _mismatches(report.snapshot, result)
        elif result.rule.slug == FAILURE_RULE:
            yield from _failures(result)
    if FAILURE_RULE in evaluated:
        yield from _nodes_for_pods(report.snapshot)
    if DEATH_RULE in evaluated:
        for death in deaths(report.snapshot):
            before = known.get(death.uid)
            yield of_death(replace(death, node=death.node or before.node, nodepool=before.nodepool) if before else death)


def _mismatches(snapshot: Snapshot, result: Result) -> Iterator[Occurred]:
    owner, nodepool = result.finding.owner, result.finding.nodepool
    daemonsets = {(entry.metadata.namespace, entry.metadata.name): entry.metadata for entry in snapshot.daemonsets}
    metadata = daemonsets.get((owner.namespace, owner.name))
    for occurrence in result.finding.occurrences:
        node = snapshot.nodes_by_name.get(occurrence.node)
        if metadata and node:
            made = [time for time in (metadata.creation_timestamp, node.metadata.creation_timestamp) if time]
            yield Occurred(
                MISMATCH_RULE,
                f"mismatch/{metadata.uid or owner}/{node.metadata.uid or node.name}",
                POOL_MISMATCHES,
                (nodepool,),
                MISMATCHES,
                (owner.name, owner.namespace, node.name, nodepool),
                occurrence.since,
                max(made, default=None),
            )


def _failures(result: Result) -> Iterator[Occurred]:
    for occurrence in result.finding.occurrences:
        target, reason = occurrence.node or occurrence.target, occurrence.reason
        pod = occurrence.object if occurrence.object.kind == "Pod" else Ref("Pod", "", "v1", result.finding.owner.namespace)
        key = f"failure/{occurrence.uid or occurrence.object}/{occurrence.target or occurrence.node}/{reason}"
        yield Occurred(
            FAILURE_RULE,
            key,
            POOL_FAILURES,
            (result.finding.nodepool, reason),
            NOMINATION_FAILURES,
            (pod.name, pod.namespace, target, reason),
            occurrence.crossed,
            occurrence.began or occurrence.since,
        )


def _nodes_for_pods(snapshot: Snapshot) -> Iterator[Occurred]:
    """The pods that a NodeClaim was made for. Later events name the claim alone, too, as long as it has no node: those come later."""
    named = [
        (event, target.nodeclaim, event.first_seen)
        for event, target in nominations(snapshot)
        if target.nodeclaim and not target.node and event.first_seen and event.involved_object.uid
    ]
    made: dict[str, datetime] = {}
    for _, name, first in named:
        made[name] = min(first, made.get(name, first))
    for name in made:
        claim = snapshot.nodeclaims_by_name.get(name)
        if claim and claim.metadata.creation_timestamp:
            made[name] = claim.metadata.creation_timestamp
    for event, name, first in named:
        if first - made[name] <= _AT_ONCE:
            claim, pod = snapshot.nodeclaims_by_name.get(name), event.involved_object
            nodepool = nodepool_of_claim(snapshot, name)
            node = (claim.status.node_name if claim else "") or name
            yield Occurred(
                FAILURE_RULE,
                f"bought/{name}/{pod.uid}",
                POOL_NODES_FOR_PODS,
                (nodepool,),
                NODES_FOR_PODS,
                (node, pod.name, pod.namespace, nodepool),
                first,
                first,
                (name, pod.name, pod.namespace, nodepool),
            )


def of_death(death: Death, *, between: bool = False) -> Occurred:
    """A death; `between` for one of which only that the node was there at the last run tells when."""
    at = None if between else death.at
    key, node, total = f"death/{death.uid or death.node}", death.node or death.nodeclaim, (death.nodepool, str(death.reason))
    if death.reason is DeathReason.EXPIRED:
        word = "ttl_expired"
    elif death.reason is DeathReason.UNKNOWN and death.had_time_to_live:
        word = "ttl_configured"
    else:
        return Occurred(DEATH_RULE, key, POOL_DEATHS, total, None, (), at, at)
    return Occurred(DEATH_RULE, key, POOL_DEATHS, total, TTL_DEATHS, (node, death.nodepool, word), at, at)
