"""Nodes that consolidation takes away soon after they came, while others are bought in their place."""

import json
import re
import shlex
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from karpenter_check.disruption.candidate import UNDERUTILIZED, never
from karpenter_check.disruption.remedies import command
from karpenter_check.disruption.rollout import claims_of_nodepool
from karpenter_check.finding import Confidence, Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity, earliest, verification
from karpenter_check.rule import rule
from karpenter_check.scheduling.claim_name import nodepool_of_claim
from karpenter_check.scheduling.labels import CAPACITY_TYPE
from karpenter_check.scheduling.template import nodepool_templates
from karpenter_check.snapshot import Kind, NodePool, Snapshot
from karpenter_check.snapshot.duration import duration, spoken
from karpenter_check.snapshot.event import Event, by_karpenter
from karpenter_check.snapshot.once import once

_UNDERUTILIZED = re.compile(r"Disrupting NodeClaim: (?:Underutilized|Consolidation/Replace)\b", re.IGNORECASE)
"""Not as Empty, and of v1beta1, whose `Consolidation/Delete` is said of empty ones too, only what was replaced
(`disruption/events/events.go:Terminating`, 0.32 to 1.14)."""
_BORN = re.compile(r"Status condition transitioned, Type: Launched, Status: Unknown -> True|Launching NodeClaim: ")
_OF_V1BETA1 = "WhenUnderutilized"
"""The policy of that API version, which refuses consolidateAfter beside it, and whose budgets know no reasons."""
_SHOWN = 3
_LONGER = timedelta(minutes=10)


@dataclass(frozen=True)
class _Life:
    """A NodeClaim that was taken away as under-used soon after it came."""

    claim: str
    uid: str
    born: datetime
    ended: datetime
    event: Event


@rule(severity=Severity.MEDIUM, needs={Kind.NODEPOOL, Kind.NODECLAIM, Kind.EVENT}, since="0.1.0")
def consolidation_churn(
    snapshot: Snapshot, *, minimum_nodes: int = 3, young: timedelta = timedelta(minutes=20)
) -> Iterator[Finding]:
    """Consolidation takes a NodePool's nodes away soon after they came, and others are bought again."""
    births = _births(snapshot)
    by_pool: dict[str, dict[str, _Life]] = defaultdict(dict)
    for event in snapshot.events_by_reason.get("DisruptionTerminating", ()):
        uid, ended = event.involved_object.uid, event.first_seen
        born = births.get(uid) if by_karpenter(event) and _UNDERUTILIZED.match(event.message) else None
        if ended and born and timedelta() <= ended - born < young:
            name = event.involved_object.name
            by_pool[nodepool_of_claim(snapshot, name)].setdefault(uid, _Life(name, uid, born, ended, event))
    for name, found in sorted(by_pool.items()):
        nodepool, lives = snapshot.nodepools_by_name.get(name), sorted(found.values(), key=lambda life: (life.ended, life.claim))
        if nodepool is None or nodepool.metadata.deletion_timestamp or never(nodepool, UNDERUTILIZED):
            continue
        again = _bought_again(snapshot, name, births, lives[0].ended, lives[-1].ended + young)
        if len(lives) >= max(1, minimum_nodes) and again >= max(1, minimum_nodes):
            yield _finding(snapshot, nodepool, lives, again)


@once
def _births(snapshot: Snapshot) -> Mapping[str, datetime]:
    """When NodeClaims came, by UID: those that are there, and those of which events tell. An event that is no birth proves no age."""
    found = {
        claim.metadata.uid: claim.metadata.creation_timestamp
        for claim in snapshot.nodeclaims
        if claim.metadata.uid and claim.metadata.creation_timestamp
    }
    for event in _birth_events(snapshot):
        uid = event.involved_object.uid
        if uid and event.first_seen:
            found[uid] = min(found.get(uid, event.first_seen), event.first_seen)
    return found


def _birth_events(snapshot: Snapshot) -> Iterator[Event]:
    for reason in ("Launched", "DisruptionLaunching"):
        for event in snapshot.events_by_reason.get(reason, ()):
            if event.involved_object.kind == "NodeClaim" and by_karpenter(event) and _BORN.match(event.message):
                yield event


def _bought_again(snapshot: Snapshot, nodepool: str, births: Mapping[str, datetime], first: datetime, until: datetime) -> int:
    """How many NodeClaims came in the place of those that went: as replacements, or soon after. A scale-in buys none."""
    came = {claim.metadata.uid for claim in claims_of_nodepool(snapshot).get(nodepool, ())}
    replacements = set()
    for event in _birth_events(snapshot):
        if nodepool_of_claim(snapshot, event.involved_object.name) == nodepool:
            came.add(event.involved_object.uid)
            if event.reason == "DisruptionLaunching" and UNDERUTILIZED.lower() in event.message.lower():
                replacements.add(event.involved_object.uid)
    return len(replacements | {uid for uid in came if (born := births.get(uid)) and first < born <= until})


def _by_design(snapshot: Snapshot, nodepool: NodePool) -> str:
    """Why its nodes come and go anyway: it buys spot alone, or nothing but Jobs runs on it. Else, and where that is not known, empty."""
    capacity = nodepool_templates(snapshot)[nodepool.name].requirements.by_key.get(CAPACITY_TYPE)
    if capacity and capacity.operator == "In" and capacity.values == {"spot"}:
        return "its nodes are spot, which come and go anyway"
    owners = [
        snapshot.owner(pod).kind
        for node in snapshot.nodes_of_nodepool.get(nodepool.name, ())
        for pod in snapshot.pods_on_node.get(node.name, ())
        if pod.active and not pod.daemonset_uid
    ]
    return "only Jobs run on it" if owners and all(kind in {"Job", "CronJob"} for kind in owners) else ""


def _finding(snapshot: Snapshot, nodepool: NodePool, lives: Sequence[_Life], again: int) -> Finding:
    owner, disruption = Ref("NodePool", nodepool.name, "karpenter.sh/v1"), nodepool.spec.disruption
    policy, after = disruption.consolidation_policy or "WhenEmptyOrUnderutilized", disruption.consolidate_after or "0s"
    spans = sorted(life.ended - life.born for life in lives)
    design = _by_design(snapshot, nodepool)
    lived = spoken(spans[0]) if spans[0] == spans[-1] else f"{spoken(spans[0])} to {spoken(spans[-1])}"
    over = spoken(snapshot.taken_at - lives[0].ended)
    return Finding(
        object=owner,
        owner=owner,
        nodepool=nodepool.name,
        cause="young-nodes",
        severity=Severity.LOW if design else Severity.MEDIUM,
        confidence=Confidence.LIKELY,
        message=f"consolidation took {len(lives)} nodes of {nodepool.name} away {lived} after they came, and {again} were bought again",
        why=f"{_how(policy, after)}; "
        f"this within the last {over}" + (f"; {design}" if design else ""),
        cost="the pods of each were evicted, and each new node starts, pulls images and is paid for before it does any work",
        impact=Impact(nodes=len(lives)),
        evidence=(
            *([Evidence(owner, "spec.disruption.consolidateAfter", after)] if policy != _OF_V1BETA1 else []),
            Evidence(owner, "spec.disruption.consolidationPolicy", policy),
            *(Evidence.of_event(life.event) for life in lives[-_SHOWN:]),
        ),
        occurrences=tuple(
            Occurrence(Ref("NodeClaim", life.claim, "karpenter.sh/v1"), life.uid, "", "underutilized", life.ended) for life in lives
        ),
        since=earliest(life.ended for life in lives),
        fix=(*_fixes(nodepool, policy, after), verification("consolidation-churn", nodepool=nodepool.name)),
    )  # fmt: skip


def _how(policy: str, after: str) -> str:
    if policy == _OF_V1BETA1:
        return f"{policy}: Karpenter looks for something cheaper all the time"
    return f"{policy} with consolidateAfter {after}: Karpenter looks for something cheaper as soon as no pod has come or gone for so long"


def _fixes(nodepool: NodePool, policy: str, after: str) -> Iterable[Fix]:
    ref, now = Ref("NodePool", nodepool.name), duration(after)
    longer = policy != _OF_V1BETA1 and (now is None or now < _LONGER)
    if longer:
        patch = json.dumps({"spec": {"disruption": {"consolidateAfter": spoken(_LONGER)}}}, separators=(",", ":"))
        text = "nodes then stay until their pods have been quiet for so long"
        yield Fix(
            "fix",
            command("patch", ref, f"--type merge -p {shlex.quote(patch)}"),
            text,
            "nodes that are not needed cost longer; no node drifts",
        )
    value = {"nodes": "1"} if policy == _OF_V1BETA1 else {"nodes": "1", "reasons": [UNDERUTILIZED]}
    patch = json.dumps([{"op": "add", "path": "/spec/disruption/budgets/-", "value": value}], separators=(",", ":"))
    yield Fix("or" if longer else "fix", command("patch", ref, f"--type json -p {shlex.quote(patch)}"), "one node at a time" if policy == _OF_V1BETA1 else "one such node at a time", "it slows consolidation down, and ends no churn")  # fmt: skip
