"""Spot nodes that are taken back without a warning, or with one and without a replacement."""

import shlex
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta

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
    earliest,
    verification,
)
from karpenter_check.rule import NotProven, rule
from karpenter_check.scheduling.capacity_errors import EVENTS_LIVE
from karpenter_check.scheduling.claim_name import nodepool_by_claim_name
from karpenter_check.scheduling.nomination import node_ref, pod_ref
from karpenter_check.scheduling.waiting import waiting_for
from karpenter_check.snapshot import GRACE, Kind, Node, Pod, Snapshot, Version
from karpenter_check.snapshot.counted import few, plural
from karpenter_check.snapshot.duration import spoken
from karpenter_check.snapshot.event import Event, by_karpenter
from karpenter_check.snapshot.moments import at_and_distance
from karpenter_check.snapshot.workload import Deployment

_QUEUE, _NAME = "INTERRUPTION_QUEUE", "CLUSTER_NAME"
_AWS = "karpenter.k8s.aws"
_BY_ENVIRONMENT = Version(0, 33)
"""Before, the queue could be named in a ConfigMap."""
_INTERRUPTED = ("SpotInterrupted", "CapacityReservationInstanceInterrupted", "TerminatingOnInterruption")
"""What ends a node. InstanceTerminating is said of nodes that Karpenter itself ends, too, and a rebalance recommendation ends nothing."""
_HEARD = ("SpotInterrupted", "CapacityReservationInstanceInterrupted", "SpotRebalanceRecommendation", "InstanceStopping", "InstanceTerminating")  # fmt: skip
"""What Karpenter knows from its queue alone (karpenter-provider-aws `pkg/controllers/interruption`, 1.14)."""
_FEW = 3


@rule(severity=Severity.MEDIUM, needs={Kind.DEPLOYMENT, Kind.NODE, Kind.NODECLAIM}, since="0.1.0")
def spot_interruption_unhandled(snapshot: Snapshot, *, fail_after: timedelta = timedelta(minutes=5)) -> Iterator[Finding]:
    """Karpenter is not told when spot instances are taken back, or interrupted nodes get no replacement."""
    unreplaced = list(_unreplaced(snapshot, max(GRACE, fail_after)))
    spot = [node for node in snapshot.nodes if _is_spot_of_aws(snapshot, node)]
    controllers = [deployment for deployment in snapshot.deployments if _sets(deployment, _NAME)]
    handled = _hears(snapshot) or _has_termination_handler(snapshot) or any(_sets(entry, _QUEUE) for entry in controllers)
    if spot and not handled:
        version = snapshot.karpenter_version
        if controllers and (version is None or version >= _BY_ENVIRONMENT):
            yield _without_queue(snapshot, controllers[0], spot)
        elif not unreplaced:
            raise NotProven(_unseen(version if controllers else None))
    yield from unreplaced


def _is_spot_of_aws(snapshot: Snapshot, node: Node) -> bool:
    claim = snapshot.nodeclaim_of_node.get(node.name)
    aws = claim is not None and claim.spec.node_class_ref.api_group == _AWS
    return (
        aws
        and node.metadata.labels.get("karpenter.sh/capacity-type") == "spot"
        and snapshot.settled(node.metadata.creation_timestamp)
    )


def _sets(deployment: Deployment, variable: str) -> bool:
    """Whether Karpenter's own Deployment, which is meant to run, sets it; no other Deployment's environment is kept."""
    spec = deployment.spec
    env = (entry for container in spec.template.spec.containers for entry in container.env)
    return spec.replicas > 0 and any(entry.name == variable and (entry.value or entry.value_from) for entry in env)


def _unseen(version: Version | None) -> str:
    if version:
        return f"Karpenter {version} may name its interruption queue in a ConfigMap"
    return "no Deployment of Karpenter's shows its settings, so whether it has an interruption queue is not known"


def _hears(snapshot: Snapshot) -> bool:
    """Whether Karpenter told of something that it knows from its queue alone."""
    return any(by_karpenter(event) for reason in _HEARD for event in snapshot.events_by_reason.get(reason, ()))


def _has_termination_handler(snapshot: Snapshot) -> bool:
    """Whether AWS' node termination handler is there, which drains nodes itself."""
    metadata = [*(entry.metadata for entry in snapshot.daemonsets), *(entry.metadata for entry in snapshot.deployments)]
    return any("node-termination-handler" in entry.name for entry in metadata)


def _without_queue(snapshot: Snapshot, controller: Deployment, spot: Sequence[Node]) -> Finding:
    metadata = controller.metadata
    ref = Ref("Deployment", metadata.name, "apps/v1", metadata.namespace)
    pools = [f"{name} {number}" for name, number in Counter(node.nodepool for node in spot).most_common()]
    unseen = (
        ""
        if snapshot.covered(Kind.DAEMONSET).sufficient
        else f"; whether a node termination handler runs is not known: DaemonSet is {snapshot.covered(Kind.DAEMONSET)}"
    )
    return Finding(
        object=ref,
        owner=ref,
        cause="no-queue",
        confidence=Confidence.LIKELY if snapshot.covered(Kind.DAEMONSET).sufficient else Confidence.POSSIBLE,
        message=f"Karpenter is not told of interruptions: {_QUEUE} is not set; {plural(len(spot), 'spot node')} will go without a drain",
        why="a spot instance is taken back two minutes after a warning; without a queue Karpenter learns of it when the instance is gone: nothing is evicted "
        f"in time, and no replacement is bought before; spot nodes by NodePool: {few(pools, _FEW)}{unseen}",
        cost=f"the pods of {plural(len(spot), 'node')} are cut off without notice when their instance goes",
        impact=Impact(nodes=len(spot)),
        evidence=(Evidence(ref, f"spec.template.spec.containers[].env[{_QUEUE}]", "not set"),),
        occurrences=tuple(Occurrence(node_ref(node.name), node.metadata.uid, node.name, "no-queue") for node in spot),
        fix=(
            Fix(
                "fix",
                text=f"set the chart's settings.interruptionQueue ({_QUEUE}) to an SQS queue that EventBridge fills with EC2's interruption events",
                risk="Karpenter restarts; make the queue first and let the controller's role read it, or Karpenter may not come up",
            ),
            verification("spot-interruption-unhandled"),
        ),
    )  # fmt: skip


def _interrupted(snapshot: Snapshot) -> Mapping[str, Mapping[str, list[Event]]]:
    """The interruptions of the last hour, by NodePool and NodeClaim."""
    found: dict[str, dict[str, list[Event]]] = defaultdict(lambda: defaultdict(list))
    for event in (event for reason in _INTERRUPTED for event in snapshot.events_by_reason.get(reason, ())):
        about, first = event.involved_object, event.first_seen
        if about.kind != "NodeClaim" or not by_karpenter(event) or first is None or snapshot.taken_at - first > EVENTS_LIVE:
            continue
        claim = snapshot.nodeclaims_by_name.get(about.name)
        if nodepool := claim.nodepool if claim else nodepool_by_claim_name(snapshot, about.name):
            found[nodepool][about.name].append(event)
    return found


def _displaced(snapshot: Snapshot) -> Iterator[Ref]:
    """The workloads that lost pods: those that Karpenter evicted in the last hour."""
    for event in snapshot.events_by_reason.get("Evicted", ()):
        about, last = event.involved_object, event.last_seen
        if about.kind == "Pod" and by_karpenter(event) and last and snapshot.taken_at - last <= EVENTS_LIVE:
            pod = snapshot.pods_by_uid.get(about.uid)
            owner = snapshot.owner(pod) if pod else snapshot.owner_of_name(about.namespace, about.name)
            if owner:
                yield owner


def _unreplaced(snapshot: Snapshot, least: timedelta) -> Iterator[Finding]:
    if not all(snapshot.covered(kind).sufficient for kind in (Kind.EVENT, Kind.POD, Kind.NODEPOOL)):
        return
    interrupted = _interrupted(snapshot)
    displaced = set(_displaced(snapshot)) if interrupted else set()
    for nodepool, claims in interrupted.items():
        nodes = [snapshot.node_of_nodeclaim[name].name for name in claims if name in snapshot.node_of_nodeclaim]
        owners = displaced | {snapshot.owner(pod) for node in nodes for pod in snapshot.pods_on_node.get(node, ())}
        began = earliest(event.first_seen for events in claims.values() for event in events) or snapshot.taken_at
        waiting = [
            pod
            for pod in waiting_for(snapshot).get(nodepool, ())
            if snapshot.owner(pod) in owners
            and (since := pod.unscheduled_since)
            and since >= began
            and snapshot.taken_at - since >= least
        ]
        if waiting:
            yield _without_replacement(snapshot, nodepool, claims, waiting)


def _without_replacement(
    snapshot: Snapshot, nodepool: str, claims: Mapping[str, Sequence[Event]], waiting: Sequence[Pod]
) -> Finding:
    ref = Ref("NodePool", nodepool, "karpenter.sh/v1")
    latest = max(
        (event for events in claims.values() for event in events),
        key=lambda event: (event.last_seen or snapshot.taken_at, event.message),
    )
    since = earliest(pod.unscheduled_since for pod in waiting)
    waited = spoken(snapshot.taken_at - since) if since else "a while"
    workloads = few(sorted({str(snapshot.owner(pod)) for pod in waiting}), _FEW)
    some = f"{plural(len(claims), 'node')} of {nodepool} {'was' if len(claims) == 1 else 'were'} interrupted"
    return Finding(
        object=ref,
        owner=ref,
        nodepool=nodepool,
        cause="no-replacement",
        confidence=Confidence.LIKELY,
        message=f"{some}, and {plural(len(waiting), 'pod')} of what ran there {'has' if len(waiting) == 1 else 'have'} no node for {waited}",
        why=f"the last interruption was told at {at_and_distance(snapshot, latest.last_seen or snapshot.taken_at)} ({latest.reason}); "
        f"Karpenter drains such a node and buys another for its pods; those of {workloads} still wait for it",
        cost=f"{plural(len(waiting), 'pod')} without a node",
        impact=Impact(pods=len(waiting), nodeclaims=len(claims)),
        evidence=(Evidence.of_event(latest),),
        occurrences=tuple(Occurrence(pod_ref(pod), pod.metadata.uid, "", "no-replacement", pod.unscheduled_since) for pod in waiting),
        since=since,
        fix=(
            Fix(
                "fix",
                f"karpenter-check why pod -n {shlex.quote(waiting[0].metadata.namespace)} {shlex.quote(waiting[0].metadata.name)}",
                "see what keeps Karpenter from a new node for them; with more instance types and zones in the NodePool, or on-demand beside spot, it finds one sooner",
            ),
            verification("spot-interruption-unhandled", nodepool=nodepool),
        ),
        blames=tuple(Blame(pod_ref(pod)) for pod in waiting),
    )  # fmt: skip
