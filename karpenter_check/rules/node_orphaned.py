"""Nodes and NodeClaims that have lost each other, their NodePool, their node class, or the finalizer that drains them."""

import shlex
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from karpenter_check.disruption.pods import DISRUPTED_TAINT
from karpenter_check.disruption.state_node import REGISTERED_LABEL
from karpenter_check.disruption.termination import FINALIZER
from karpenter_check.finding import (
    Blame,
    Confidence,
    Evidence,
    Finding,
    Fix,
    Impact,
    Occurrence,
    Ref,
    Severity,
    verification,
)
from karpenter_check.rule import Stage, rule
from karpenter_check.scheduling.labels import EKS_AUTO_MODE
from karpenter_check.scheduling.nomination import node_ref
from karpenter_check.scheduling.room import holds_room, occupants
from karpenter_check.snapshot import Kind, Node, NodeClaim, Snapshot
from karpenter_check.snapshot.counted import few, plural
from karpenter_check.snapshot.once import once

UNREGISTERED_TAINT = "karpenter.sh/unregistered"
_MOST = 3


@dataclass(frozen=True)
class _Orphan:
    """A node or NodeClaim that lacks something, the field that shows it, and what it lacks where that has a name."""

    of: Node | NodeClaim
    owner: Ref
    cause: str
    severity: Severity
    path: str
    value: str
    lacks: str = ""
    blamed: Ref | None = None

    @property
    def ref(self) -> Ref:
        """The object itself."""
        return node_ref(self.of.name) if isinstance(self.of, Node) else Ref("NodeClaim", self.of.name, "karpenter.sh/v1")

    @property
    def node(self) -> str:
        """The name of its Node, there or not."""
        return self.of.name if isinstance(self.of, Node) else self.of.status.node_name


@dataclass(frozen=True)
class _Words:
    """What a cause is called: of one thing, after the number of several, why it is so, and what it costs."""

    one: str
    several: str
    why: str
    cost: str


_WORDS: Mapping[str, _Words] = {
    "no-nodeclaim": _Words(
        "no NodeClaim stands behind it",
        "have no NodeClaim behind them",
        "Karpenter made it, and goes by NodeClaims alone: it never disrupts nor expires this node, and its provider may end an instance "
        "that belongs to no NodeClaim, without a drain",
        "{number} paid for until somebody ends that; {pods} there",
    ),
    "no-node": _Words(
        "it has registered, and its Node {lacks} is gone",
        "have registered, and their Nodes are gone",
        "no pod can run there; Karpenter removes such a NodeClaim within minutes where the instance is gone, too: either that was "
        "moments ago, or the instance lives on",
        "{number} paid for, if the instance lives",
    ),
    "nodepool-gone": _Words(
        "its NodePool {lacks} is not there",
        "are of NodePool {lacks}, which is not there",
        "Karpenter neither consolidates nor replaces nodes without their NodePool; only expiry ends them, where they expire",
        "{number} kept as they are; {pods} there",
    ),
    "nodeclass-gone": _Words(
        "its node class {lacks} is not there",
        "are of node class {lacks}, which is not there",
        "without it Karpenter cannot tell whether they have drifted",
        "{number} not replaced when they drift; {pods} there",
    ),
    "duplicate-provider-id": _Words(
        "another Node has its providerID",
        "share their providerID with one another",
        "a NodeClaim stands for one Node, and Karpenter keeps nodes by their providerID: of those that share one it sees one alone, and "
        "its pods; mostly an instance joined again under another name",
        "{number} for fewer instances; {pods} there",
    ),
    "no-finalizer": _Words(
        f"it lacks the finalizer {FINALIZER}",
        f"lack the finalizer {FINALIZER}",
        "the finalizer has a Node drained before it goes; Karpenter sets it as a Node registers, and never again: whoever deletes this "
        "one, Karpenter itself too, its pods end with the instance, and no PodDisruptionBudget is asked",
        "{number} not drained when the time comes; {pods} there",
    ),
}


@rule(severity=Severity.HIGH, needs={Kind.NODE, Kind.NODECLAIM, Kind.NODEPOOL}, since="0.1.0", stage=Stage.NODECLAIM)
def node_orphaned(snapshot: Snapshot, *, fail_after: timedelta = timedelta(minutes=2)) -> Iterator[Finding]:
    """Nodes have no NodeClaim, NodeClaims have no node, or what they belong to is not there."""
    found: dict[tuple[Ref, str], list[_Orphan]] = defaultdict(list)
    for orphan in (*_nodes(snapshot, fail_after), *_claims(snapshot, fail_after)):
        found[orphan.owner, orphan.cause].append(orphan)
    for (owner, cause), orphans in found.items():
        yield _finding(snapshot, owner, cause, sorted(orphans, key=lambda entry: (entry.severity.rank, entry.ref.name)))


def _old(snapshot: Snapshot, since: datetime | None, fail_after: timedelta) -> bool:
    return since is not None and snapshot.settled(since) and snapshot.taken_at - since >= fail_after


def _pool(nodepool: str, otherwise: Ref) -> Ref:
    return Ref("NodePool", nodepool, "karpenter.sh/v1") if nodepool else otherwise


@once
def _finalized(snapshot: Snapshot) -> frozenset[str]:
    """What went a moment ago, by events: its counterpart may have been listed before that."""
    return frozenset(event.involved_object.name for event in snapshot.events_by_reason.get("Finalized", ()))


def _nodes(snapshot: Snapshot, fail_after: timedelta) -> Iterator[_Orphan]:
    alive = [node for node in snapshot.nodes if not node.metadata.deletion_timestamp]
    old = [node for node in alive if _old(snapshot, node.metadata.creation_timestamp, fail_after)]
    sharing = Counter(node.spec.provider_id for node in old if node.spec.provider_id)
    awaited = {claim.nodepool for claim in snapshot.nodeclaims if _awaits_its_node(claim)}
    marked = any(FINALIZER in node.metadata.finalizers for node in snapshot.nodes)
    for node in old:
        claim, provider_id = snapshot.nodeclaim_of_node.get(node.name), node.spec.provider_id
        if any(taint.key == DISRUPTED_TAINT.key for taint in node.spec.taints) or (claim and _goes(claim)):
            continue
        owner = _pool((claim.nodepool if claim else "") or node.nodepool, node_ref(node.name))
        mine = node.nodepool in awaited and any(taint.key == UNREGISTERED_TAINT for taint in node.spec.taints)
        if claim is None and snapshot.whole(Kind.NODECLAIM) and _left_behind(node) and not mine:
            yield _Orphan(node, owner, "no-nodeclaim", Severity.HIGH, "metadata.labels karpenter.sh/nodepool", node.nodepool)
        if claim and sharing[provider_id] > 1:
            yield _Orphan(node, owner, "duplicate-provider-id", Severity.HIGH, "spec.providerID", provider_id)
        if claim and marked and _lacks_finalizer(node, claim):
            has = ", ".join(node.metadata.finalizers) or "none"
            yield _Orphan(node, owner, "no-finalizer", Severity.MEDIUM, "metadata.finalizers", has)


def _awaits_its_node(claim: NodeClaim) -> bool:
    """Whether its instance was started and its Node is yet to register: one that just joined under another providerID, or none, may be it."""
    return claim.is_true("Launched") and not claim.is_true("Registered") and not claim.metadata.deletion_timestamp


def _left_behind(node: Node) -> bool:
    """Whether Karpenter made it and nobody ends it: a label alone somebody may have written, and a Node whose owner is gone Kubernetes deletes."""
    made = node.metadata.labels.get(REGISTERED_LABEL) == "true" or FINALIZER in node.metadata.finalizers
    made = made or any(taint.key == UNREGISTERED_TAINT for taint in node.spec.taints)
    return bool(node.nodepool) and made and not any(owner.kind == "NodeClaim" for owner in node.metadata.owner_references)


def _lacks_finalizer(node: Node, claim: NodeClaim) -> bool:
    """Karpenter sets it as it registers a Node (`nodeclaim/lifecycle/registration.go:syncNode`, 1.13); what Auto Mode does is not known."""
    registered = claim.is_true("Registered") and node.metadata.labels.get(REGISTERED_LABEL) == "true"
    return registered and FINALIZER not in node.metadata.finalizers and claim.spec.node_class_ref.api_group != EKS_AUTO_MODE


def _goes(claim: NodeClaim) -> bool:
    under_way = any(claim.is_true(word) for word in ("InstanceTerminating", "DisruptionReason"))
    return claim.metadata.deletion_timestamp is not None or under_way


def _claims(snapshot: Snapshot, fail_after: timedelta) -> Iterator[_Orphan]:
    cascading = {claim.nodepool for claim in snapshot.nodeclaims if claim.metadata.deletion_timestamp}
    for claim in snapshot.nodeclaims:
        if _goes(claim) or not _old(snapshot, claim.metadata.creation_timestamp, fail_after):
            continue
        pool, node = claim.nodepool, claim.status.node_name
        owner = _pool(pool, Ref("NodeClaim", claim.name, "karpenter.sh/v1"))
        if _lost_its_node(snapshot, claim, fail_after):
            yield _Orphan(claim, owner, "no-node", Severity.MEDIUM, "status.nodeName", node or "none", node)
        if snapshot.whole(Kind.NODEPOOL) and pool not in cascading and _lost_its_nodepool(snapshot, claim):
            severity = Severity.MEDIUM if claim.expire_after else Severity.HIGH
            yield _Orphan(claim, owner, "nodepool-gone", severity, "metadata.labels karpenter.sh/nodepool", pool, pool, owner)
        if missing := _missing_class(snapshot, claim):
            yield _Orphan(claim, owner, "nodeclass-gone", Severity.MEDIUM, "spec.nodeClassRef", str(missing), missing.name, missing)


def _lost_its_node(snapshot: Snapshot, claim: NodeClaim, fail_after: timedelta) -> bool:
    """Whether it has been registered for a while, and its Node has been gone for a minute.

    NodeClaims are listed before Nodes, so the Node may have gone in between. Then its pods are still listed: Kubernetes removes those of
    a Node that is gone after some 40 s (`podgc`, v1.36).
    """
    node, registered = claim.status.node_name, claim.condition("Registered")
    seen = snapshot.whole(Kind.NODE) and snapshot.whole(Kind.POD)
    if claim.name in snapshot.node_of_nodeclaim or not seen or {claim.name, node} & _finalized(snapshot):
        return False
    since = registered.last_transition_time if registered and registered.status == "True" else None
    return _old(snapshot, since, fail_after) and node not in snapshot.pods_on_node


def _lost_its_nodepool(snapshot: Snapshot, claim: NodeClaim) -> bool:
    """Whether its NodePool is gone, and Kubernetes does not delete it for that: then nothing owns it any more (`--cascade=orphan`)."""
    owned = any(owner.kind == "NodePool" for owner in claim.metadata.owner_references)
    return bool(claim.nodepool) and claim.nodepool not in snapshot.nodepools_by_name and not owned


@once
def _classes(snapshot: Snapshot) -> Mapping[tuple[str, str], Mapping[str, str]]:
    """The API version of each node class that is there, by group and kind, then by name."""
    found: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for entry in snapshot.nodeclasses:
        found[entry.api_version.partition("/")[0], entry.kind][entry.metadata.name] = entry.api_version
    return found


def _missing_class(snapshot: Snapshot, claim: NodeClaim) -> Ref | None:
    """The node class that it names, if others of its kind were seen and this one was not."""
    reference = claim.spec.node_class_ref
    alike = _classes(snapshot).get((reference.api_group, reference.kind), {})
    if not alike or not snapshot.whole(Kind.NODECLASS) or reference.name in alike:
        return None
    return Ref(reference.kind, reference.name, next(iter(alike.values())))


def _finding(snapshot: Snapshot, owner: Ref, cause: str, orphans: Sequence[_Orphan]) -> Finding:
    first, words, one = orphans[0], _WORDS[cause], len(orphans) == 1
    names = dict.fromkeys(entry.node for entry in orphans if entry.node)
    nodes = [node for name in names if (node := snapshot.nodes_by_name.get(name))]
    pods = sum(1 for node in nodes for pod in occupants(snapshot, node).pods if holds_room(pod) and not pod.daemonset_uid)
    seen = snapshot.covered(Kind.POD).sufficient
    counted = plural(pods, "pod") if seen else f"how many pods is not known (Pod is {snapshot.covered(Kind.POD)})"
    nodepool = owner.name if owner.kind == "NodePool" else ""
    lacks = few([*dict.fromkeys(entry.lacks for entry in orphans)], _MOST)
    return Finding(
        object=first.ref if one else owner,
        owner=owner,
        nodepool=nodepool,
        cause=cause,
        severity=first.severity,
        confidence=Confidence.LIKELY if cause == "no-node" else Confidence.CERTAIN,
        message=words.one.format(lacks=lacks) if one else f"{len(orphans)} {first.ref.kind}s {words.several.format(lacks=lacks)}",
        why=words.why,
        cost=words.cost.format(number=plural(len(orphans), "node"), pods=counted),
        impact=Impact(
            nodes=len(nodes) or None,
            pods=pods if seen and nodes else None,
            nodeclaims=len(orphans) if first.ref.kind == "NodeClaim" else None,
        ),
        evidence=tuple(Evidence(entry.ref, entry.path, entry.value) for entry in orphans[:_MOST]),
        occurrences=tuple(Occurrence(entry.ref, entry.of.metadata.uid, entry.node, cause) for entry in orphans),
        fix=(*_fix(snapshot, cause, orphans), verification("node-orphaned", nodepool=nodepool)),
        blames=tuple(Blame(ref) for ref in dict.fromkeys(entry.blamed for entry in orphans) if ref),
    )


def _fix(snapshot: Snapshot, cause: str, orphans: Sequence[_Orphan]) -> Iterator[Fix]:
    first = orphans[0]
    name, node = shlex.quote(first.ref.name), snapshot.nodes_by_name.get(first.node)
    more = f"and so for {len(orphans) - 1} more, one after another" if len(orphans) > 1 else ""
    drains = "its pods are evicted, PodDisruptionBudgets asked, and its instance ends"
    if cause == "no-finalizer" and node:
        value = f'"{FINALIZER}"' if node.metadata.finalizers else f'["{FINALIZER}"]'
        path = "/metadata/finalizers/-" if node.metadata.finalizers else "/metadata/finalizers"
        patch = shlex.quote(f'[{{"op":"add","path":"{path}","value":{value}}}]')
        yield Fix("fix", f"kubectl patch node {name} --type json -p {patch}", more)
    elif cause == "no-nodeclaim" and node and FINALIZER in node.metadata.finalizers:
        risk = "Karpenter evicts its pods, and asks PodDisruptionBudgets; see in the cloud whether its instance ends, too"
        yield Fix("fix", f"kubectl delete node {name}", more, risk)
    elif cause == "no-nodeclaim":
        yield Fix(
            "fix",
            f"kubectl drain {name} --ignore-daemonsets",
            f"then end its instance{'; ' + more if more else ''}",
            "its pods are evicted",
        )
    elif cause == "no-node":
        yield Fix(
            "fix", f"kubectl delete nodeclaim {name}", more, "its instance ends at once: without a Node there is nothing to drain"
        )
    elif cause == "duplicate-provider-id":
        claim = snapshot.nodeclaim_of_node[first.node]
        text = "the simplest way out is to replace the instance"
        risk = "both of its Nodes are drained, and its instance ends; so it does if only one of the Nodes is deleted"
        yield Fix("fix", f"kubectl delete nodeclaim {shlex.quote(claim.name)}", text, risk)
    else:
        lost = "NodePool" if cause == "nodepool-gone" else "node class"
        yield Fix(
            "fix",
            text=f"make the {lost} {first.lacks} again, as it was",
            risk="what differs from what it was makes its nodes drift",
        )
        yield Fix("or", f"kubectl delete nodeclaim {name}", more, drains)
