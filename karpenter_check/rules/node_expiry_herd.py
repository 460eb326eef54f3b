"""Nodes that were born together die together: expiry has no jitter and no budget."""

import shlex
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from karpenter_check.disruption.expiry import expiry
from karpenter_check.finding import Confidence, Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity, verification
from karpenter_check.rule import rule
from karpenter_check.scheduling.nomination import node_ref
from karpenter_check.snapshot import Kind, Node, NodeClaim, Pod, Snapshot
from karpenter_check.snapshot.duration import spoken

_REPLICATING = {"ReplicaSet", "StatefulSet", "ReplicationController", "CloneSet"}
"""Controllers whose pods are replicas of each other; a Job's or a workflow's are not, and come to their own end."""
_VITAL_NAMES = ("coredns", "kube-dns", "node-local-dns", "webhook")


class _Expiring(NamedTuple):
    due: datetime
    claim: NodeClaim
    node: Node


@rule(severity=Severity.MEDIUM, needs={Kind.NODE, Kind.POD, Kind.NODEPOOL, Kind.NODECLAIM}, since="0.1.0")
def node_expiry_herd(
    snapshot: Snapshot,
    *,
    window: timedelta = timedelta(minutes=30),
    fail_within: timedelta = timedelta(hours=24),
    warn_within: timedelta = timedelta(days=7),
    minimum_nodes: int = 5,
    minimum_share: float = 0.3,
) -> Iterator[Finding]:
    """Many nodes of one NodePool, or every replica of one workload, expire within minutes of each other."""
    expiring = sorted(_expiring(snapshot, warn_within), key=lambda entry: (entry.due, entry.claim.name))
    by_pool: dict[str, list[_Expiring]] = defaultdict(list)
    for entry in expiring:
        by_pool[entry.claim.nodepool].append(entry)
    alive_in = Counter(claim.nodepool for claim in snapshot.nodeclaims if not claim.metadata.deletion_timestamp)
    workloads = list(_doomed(snapshot, expiring, window))
    told: set[str] = set()
    by_pool.pop("", None)  # NodeClaims that somebody made by hand are no NodePool's
    for nodepool, entries in by_pool.items():
        alive = alive_in[nodepool]
        soon = [entry for entry in entries if entry.due - snapshot.taken_at <= fail_within]
        herds = (_largest_herd(some, window) for some in (soon, entries))  # a herd that is near counts before a larger one later
        many = (herd for herd in herds if len(herd) >= minimum_nodes or len(herd) >= max(3, minimum_share * alive))
        if herd := next(many, None):
            nodes = {entry.node.name for entry in herd}
            told |= nodes
            with_it = sum(all(host.node.name in nodes for host in hosts) for _, _, hosts in workloads)
            yield _pool_finding(snapshot, nodepool, herd, alive, with_it, fail_within)
    for owner, pods, hosts in workloads:
        if _vital(owner) or not all(host.node.name in told for host in hosts):  # the others go with a herd that is told already
            yield _workload_finding(snapshot, owner, pods, hosts, fail_within)


def _doomed(
    snapshot: Snapshot, expiring: Sequence[_Expiring], window: timedelta
) -> Iterator[tuple[Ref, Sequence[Pod], Sequence[_Expiring]]]:
    """The workloads of which every replica is on a node that expires inside one window, and those nodes, soonest first."""
    due = {entry.node.name: entry for entry in expiring}
    for owner, pods in _replicated(snapshot, due):
        hosts = sorted((due[name] for name in {pod.node_name for pod in pods}), key=lambda entry: (entry.due, entry.claim.name))
        if hosts[-1].due - hosts[0].due <= window:
            yield owner, pods, hosts


def _vital(owner: Ref) -> bool:
    """Whether the cluster itself stops without it, as far as its namespace and name tell."""
    return owner.namespace == "kube-system" or any(word in owner.name for word in _VITAL_NAMES)


def _expiring(snapshot: Snapshot, within: timedelta) -> Iterator[_Expiring]:
    """The nodes whose forceful expiry lies ahead. Claims of v1beta1, which carry none themselves, expire gracefully, by budgets."""
    for claim in snapshot.nodeclaims:
        due = expiry(snapshot, claim) if claim.spec.expire_after else None
        node = snapshot.node_of_nodeclaim.get(claim.name)
        if due and node and not claim.metadata.deletion_timestamp and timedelta() <= due - snapshot.taken_at <= within:
            yield _Expiring(due, claim, node)


def _largest_herd(entries: Sequence[_Expiring], window: timedelta) -> Sequence[_Expiring]:
    """The most entries, sorted by time, that lie inside one window; the earliest of equals."""
    best: Sequence[_Expiring] = ()
    start = 0
    for end in range(len(entries)):
        while entries[end].due - entries[start].due > window:
            start += 1
        if end - start + 1 > len(best):
            best = entries[start : end + 1]
    return best


def _replicated(snapshot: Snapshot, on: Collection[str]) -> Iterator[tuple[Ref, list[Pod]]]:
    """Workloads with two and more pods that stand in for each other, all of them on these nodes."""
    pods_of: dict[Ref, list[Pod]] = defaultdict(list)
    elsewhere: set[Ref] = set()
    for group in snapshot.pods_of_controllers:
        if group.controller.kind not in _REPLICATING:
            continue
        owner = snapshot.owner(group.pods[0])
        if owner in elsewhere or any(pod.node_name not in on and pod.active for pod in group.pods):
            elsewhere.add(owner)
        else:
            pods_of[owner] += [pod for pod in group.pods if pod.active]
    for owner, pods in pods_of.items():
        desired = snapshot.desired_replicas(owner)
        if owner not in elsewhere and len(pods) >= 2 and (desired is None or len(pods) >= desired):
            yield owner, pods


def _severity(snapshot: Snapshot, first: datetime, fail_within: timedelta, *, vital: bool) -> Severity:
    severity = Severity.HIGH if vital else Severity.MEDIUM
    return severity if first - snapshot.taken_at <= fail_within else severity.lowered(2)


def _occurrences(entries: Sequence[_Expiring]) -> tuple[Occurrence, ...]:
    return tuple(
        Occurrence(node_ref(entry.node.name), entry.claim.metadata.uid, entry.node.name, "", entry.due) for entry in entries
    )


def _evidence(entries: Sequence[_Expiring]) -> tuple[Evidence, ...]:
    claim = entries[0].claim
    ref = Ref("NodeClaim", claim.name, "karpenter.sh/v1")
    return (Evidence(ref, "metadata.creationTimestamp + spec.expireAfter", f"{entries[0].due:%Y-%m-%dT%H:%M:%SZ}"),)


def _when(snapshot: Snapshot, entries: Sequence[_Expiring]) -> str:
    """`in 17s, all within 4m`."""
    span = entries[-1].due - entries[0].due
    soon = f"in {spoken(entries[0].due - snapshot.taken_at)}"
    return f"{soon}, all within {spoken(span)}" if span else soon


def _stagger(nodepool: str) -> Fix:
    return Fix(
        "fix",
        f"kubectl get nodeclaims -l karpenter.sh/nodepool={shlex.quote(nodepool)} --sort-by=.metadata.creationTimestamp",
        text="delete a few of them, hours apart, so that the rest do not go together; a longer expireAfter only puts it off",
        risk="each deletion drains its node; PodDisruptionBudgets slow it, disruption budgets do not hold expiry at all",
    )


def _pool_finding(
    snapshot: Snapshot, nodepool: str, herd: Sequence[_Expiring], alive: int, workloads: int, fail_within: timedelta
) -> Finding:
    pool = Ref("NodePool", nodepool, "karpenter.sh/v1")
    pods = _workload_pods(snapshot, {entry.node.name for entry in herd})
    return Finding(
        object=pool,
        owner=pool,
        nodepool=nodepool,
        cause="nodes",
        severity=_severity(snapshot, herd[0].due, fail_within, vital=False),
        message=f"{len(herd)} of {nodepool}'s {alive} nodes expire {_when(snapshot, herd)}",
        why="expiry is forceful: exact to the second, without jitter, bound by no disruption budget, and nothing is bought beforehand",
        cost=_cost(pods, workloads),
        impact=Impact(nodes=len(herd), pods=pods, share=round(len(herd) / alive, 2)),
        evidence=_evidence(herd),
        occurrences=_occurrences(herd),
        fix=(
            _stagger(nodepool),
            verification("node-expiry-herd", nodepool=nodepool),
        ),
    )


def _workload_pods(snapshot: Snapshot, nodes: Collection[str]) -> int:
    """How many pods run on these nodes that are no DaemonSet's."""
    here = sum(pod.active for name in nodes for pod in snapshot.pods_on_node.get(name, ()))
    return here - sum(pod.active for pods in snapshot.pods_of_daemonset.values() for pod in pods if pod.node_name in nodes)


def _cost(pods: int, workloads: int) -> str:
    if not pods:
        return ""
    run = f"{pods} pods run there" if pods != 1 else "1 pod runs there"
    return run + (f"; {workloads} workload{'s lose' if workloads != 1 else ' loses'} every replica" if workloads else "")


def _made_together(hosts: Sequence[_Expiring], nodepools: Sequence[str]) -> str:
    lives = sorted({entry.claim.spec.expire_after for entry in hosts})
    if len(hosts) == 1:
        return f"one NodeClaim of {nodepools[0]} holds them all; its expireAfter is {lives[0]}"
    return f"their NodeClaims of {' and '.join(nodepools)} end together; expireAfter {' and '.join(lives)}"


def _workload_finding(
    snapshot: Snapshot, owner: Ref, pods: Sequence[Pod], hosts: Sequence[_Expiring], fail_within: timedelta
) -> Finding:
    nodepools = sorted({entry.claim.nodepool for entry in hosts})
    where = "one node" if len(hosts) == 1 else f"{len(hosts)} nodes"
    return Finding(
        object=owner,
        owner=owner,
        nodepool=nodepools[0] if len(nodepools) == 1 else "",
        cause="replicas",
        confidence=Confidence.LIKELY if snapshot.desired_replicas(owner) is None else Confidence.CERTAIN,
        severity=_severity(snapshot, hosts[0].due, fail_within, vital=_vital(owner)),
        message=f"all {len(pods)} replicas of {owner.name} are on {where} that expire{'s' * (len(hosts) == 1)} {_when(snapshot, hosts)}",
        why=_made_together(hosts, nodepools),
        impact=Impact(nodes=len(hosts), pods=len(pods)),
        evidence=_evidence(hosts),
        occurrences=_occurrences(hosts),
        fix=(
            Fix(
                "fix",
                text="spread its replicas by a topology spread constraint over zones, and give it a PodDisruptionBudget, so that they move one by one",
            ),
            verification("node-expiry-herd"),
        ),
    )
