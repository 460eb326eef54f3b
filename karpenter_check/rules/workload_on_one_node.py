"""Workloads of which one node holds every replica, with no PodDisruptionBudget between them and its end."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import timedelta

from karpenter_check.disruption.eviction import budgets_of
from karpenter_check.disruption.expiry import expiry
from karpenter_check.disruption.pods import says_do_not_disrupt
from karpenter_check.disruption.remedies import command
from karpenter_check.finding import Confidence, Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity, verification
from karpenter_check.rule import rule
from karpenter_check.scheduling.labels import HOSTNAME
from karpenter_check.scheduling.nomination import node_ref, pod_ref
from karpenter_check.snapshot import Kind, Node, NodeClaim, Pod, Snapshot
from karpenter_check.snapshot.duration import spoken

_REPLICATING = {"ReplicaSet", "StatefulSet", "ReplicationController", "CloneSet"}
"""Controllers whose pods stand in for each other; a Job's or a workflow's do not, and come to their own end."""
_TOGETHER = f"pod affinity over {HOSTNAME}"
"""What pods ask that want to be on one node."""


@rule(severity=Severity.INFO, needs={Kind.NODE, Kind.NODECLAIM, Kind.POD, Kind.PODDISRUPTIONBUDGET}, since="0.1.0")
def workload_on_one_node(
    snapshot: Snapshot, *, minimum_age: timedelta = timedelta(minutes=10), expires_within: timedelta = timedelta(days=7)
) -> Iterator[Finding]:
    """All replicas of a workload are on one Karpenter node, and no PodDisruptionBudget keeps them from going at once."""
    if not snapshot.whole(Kind.PODDISRUPTIONBUDGET) or not snapshot.whole(Kind.POD):
        return  # the budget, or the replica elsewhere, may be the one that could not be read
    for owner, pods in _replicated(snapshot):
        node = snapshot.nodes_by_name.get(pods[0].node_name)
        claim = snapshot.nodeclaim_of_node.get(pods[0].node_name)
        if node is None or claim is None or len(snapshot.nodes_of_nodepool.get(node.nodepool, ())) < 2:
            continue  # not Karpenter's, or there is no other node that they could be on
        if _ends_within(snapshot, claim, expires_within) or not all(_counts(snapshot, pod, minimum_age) for pod in pods):
            continue
        yield _finding(snapshot, owner, pods, node, claim)


def _replicated(snapshot: Snapshot) -> Iterator[tuple[Ref, Sequence[Pod]]]:
    """Workloads that have all the pods that they want, two at least, every one on the same node."""
    pods_of: dict[Ref, list[Pod]] = defaultdict(list)
    for group in snapshot.pods_of_controllers:
        if group.controller.kind in _REPLICATING and (active := [pod for pod in group.pods if pod.active]):
            pods_of[snapshot.owner(active[0])] += active
    for owner, pods in pods_of.items():
        desired = snapshot.desired_replicas(owner)
        together = pods[0].node_name and len({pod.node_name for pod in pods}) == 1
        if together and len(pods) >= 2 and (desired is None or 2 <= desired <= len(pods)):
            yield owner, sorted(pods, key=lambda pod: pod.metadata.name)


def _ends_within(snapshot: Snapshot, claim: NodeClaim, span: timedelta) -> bool:
    """Whether the node is on its way out, or its forceful expiry is near: that is told already, and is more urgent."""
    due = expiry(snapshot, claim) if claim.spec.expire_after else None
    return bool(claim.metadata.deletion_timestamp) or (due is not None and due - snapshot.taken_at <= span)


def _counts(snapshot: Snapshot, pod: Pod, minimum_age: timedelta) -> bool:
    """Whether nothing guards the pod, nothing ties it to that node, and it is past a rollout."""
    born, shape = pod.metadata.creation_timestamp, pod.shape
    old = born is not None and snapshot.taken_at - born >= minimum_age
    tied = HOSTNAME in shape.node_selector or bool(pod.pinned_to) or _TOGETHER in shape.neighbours
    kept = says_do_not_disrupt(pod, snapshot.taken_at, snapshot.karpenter_version)  # a drain waits for it, as for a budget
    return old and not tied and not kept and not budgets_of(snapshot, pod)


def _finding(snapshot: Snapshot, owner: Ref, pods: Sequence[Pod], node: Node, claim: NodeClaim) -> Finding:
    due = expiry(snapshot, claim)
    ends = f"its node expires in {spoken(due - snapshot.taken_at)}, if consolidation or drift do not come first" if due else ""
    born = [pod.metadata.creation_timestamp for pod in pods if pod.metadata.creation_timestamp]
    return Finding(
        object=owner,
        owner=owner,
        nodepool=node.nodepool,
        cause="one-node",
        confidence=Confidence.LIKELY if snapshot.desired_replicas(owner) is None else Confidence.CERTAIN,
        message=f"all {len(pods)} replicas of {owner.name} are on one node of {node.nodepool}, and no PodDisruptionBudget matches them",
        why="whatever ends that node evicts them at the same moment: consolidation, drift, expiry, or the end of a spot instance"
        + (f"; {ends}" if ends else ""),
        cost=f"{owner.name} has no replica left until new ones run elsewhere",
        impact=Impact(nodes=1, pods=len(pods)),
        evidence=(Evidence(pod_ref(pods[0]), "spec.nodeName", node.name),),
        occurrences=(Occurrence(node_ref(node.name), claim.metadata.uid, node.name, "one-node", max(born, default=None)),),
        since=max(born, default=None),
        fix=(
            Fix(
                "fix",
                command("edit", owner),
                f"spread its pods by a topology spread constraint over {HOSTNAME} or zones, and make a PodDisruptionBudget for them with maxUnavailable: 1",
                "its pods are replaced, as by a rollout; spread over nodes may want more of them",
            ),
            verification("workload-on-one-node", namespace=owner.namespace),
        ),
    )
