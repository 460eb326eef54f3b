"""Pods that have a node and get no address there, on more than one node."""

import re
import shlex
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

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
from karpenter_check.rule import Stage, rule
from karpenter_check.scheduling.capacity_errors import Lack, capacity_errors
from karpenter_check.scheduling.nomination import pod_ref
from karpenter_check.snapshot import Kind, Node, Pod, Snapshot
from karpenter_check.snapshot.counted import few, plural
from karpenter_check.snapshot.event import Event
from karpenter_check.snapshot.moments import at_and_distance

_ZONE = "topology.kubernetes.io/zone"
_STILL = timedelta(minutes=6)
"""A kubelet tries again every few seconds, and tells of it every five minutes at least (client-go `tools/record`: one event in 300 s)."""
_NO_ADDRESS = re.compile(
    r"failed to assign an ip address|no available ip addresses|no ip addresses available|insufficientfreeaddressesinsubnet|insufficientcidrblocks"
    r"|assigned 0 out of \d+ requested ipv[46] addresses|no available addresses|no more ips available|range is full|out of ip addresses",
    re.IGNORECASE,
)
"""In the words of the plugins for AWS, Azure, Calico, Cilium, and of host-local."""
_SUBNET = re.compile(r"insufficientfreeaddressesinsubnet|insufficientcidrblocks", re.IGNORECASE)
_FEW = 3


@dataclass(frozen=True)
class _Stuck:
    """A pod that gets no address, and what its kubelet says."""

    pod: Pod
    node: Node
    first: datetime
    last: datetime
    times: int
    event: Event
    """The latest."""

    @property
    def zone(self) -> str:
        """Empty where its node has none."""
        return self.node.metadata.labels.get(_ZONE, "")


@rule(severity=Severity.HIGH, needs={Kind.EVENT, Kind.NODE, Kind.POD}, since="0.1.0", stage=Stage.POD)
def pod_ip_exhausted(
    snapshot: Snapshot, *, fail_after: timedelta = timedelta(minutes=5), minimum_nodes: int = 2
) -> Iterator[Finding]:
    """Pods on several nodes get no IP address."""
    stuck = [entry for entry in _stuck(snapshot) if snapshot.taken_at - entry.first >= fail_after]
    by_place: dict[str, set[str]] = defaultdict(set)
    for entry in stuck:
        for place in filter(None, (f"nodepool:{entry.node.nodepool}", entry.zone and f"zone:{entry.zone}")):
            by_place[place].add(entry.node.name)
    by_nodepool: dict[str, list[_Stuck]] = defaultdict(list)
    for entry in stuck:
        together = max(len(by_place[f"nodepool:{entry.node.nodepool}"]), len(by_place.get(f"zone:{entry.zone}", ())))
        if entry.node.nodepool and together >= minimum_nodes:
            by_nodepool[entry.node.nodepool].append(entry)
    for nodepool, entries in by_nodepool.items():
        yield _finding(snapshot, nodepool, sorted(entries, key=lambda entry: (entry.first, entry.pod.metadata.name)))


def _stuck(snapshot: Snapshot) -> Iterator[_Stuck]:
    """Pods that are bound and have not started, of which a kubelet still says so."""
    of_pod: dict[str, list[Event]] = defaultdict(list)
    for event in snapshot.events_by_reason.get("FailedCreatePodSandBox", ()):
        if event.first_seen and event.last_seen and _NO_ADDRESS.search(event.message):
            of_pod[event.involved_object.uid].append(event)
    for uid, events in of_pod.items():
        pod = snapshot.pods_by_uid.get(uid)
        node = snapshot.nodes_by_name.get(pod.node_name) if pod else None
        if pod is None or node is None or not pod.active or pod.phase != "Pending":
            continue
        latest = max(events, key=lambda event: event.last_seen or snapshot.taken_at)
        first = earliest(event.first_seen for event in events)
        if first and latest.last_seen and snapshot.taken_at - latest.last_seen <= _STILL:
            yield _Stuck(pod, node, first, latest.last_seen, sum(event.times for event in events), latest)


def _finding(snapshot: Snapshot, nodepool: str, stuck: Sequence[_Stuck]) -> Finding:
    ref = Ref("NodePool", nodepool, "karpenter.sh/v1")
    nodes = sorted({entry.node.name for entry in stuck})
    zones = sorted({entry.zone for entry in stuck if entry.zone})
    latest = max(stuck, key=lambda entry: (entry.last, entry.pod.metadata.name))
    where = f" in {few(zones, _FEW)}" if zones else ""
    some = f"{plural(len(stuck), 'pod')} on {plural(len(nodes), 'node')} of {nodepool}{where}"
    subnet = any(_SUBNET.search(entry.event.message) for entry in stuck)
    failed = [error for error in capacity_errors(snapshot).get(nodepool, ()) if error.lack is Lack.SUBNET_ADDRESSES]
    since = stuck[0].first
    return Finding(
        object=ref,
        owner=ref,
        nodepool=nodepool,
        cause="no-address",
        confidence=Confidence.LIKELY,
        message=f"{some} {'gets' if len(stuck) == 1 else 'get'} no IP address, the first since {at_and_distance(snapshot, since)}",
        why=_why(subnet=subnet or bool(failed)),
        cost=f"{plural(len(stuck), 'pod')} that {'has' if len(stuck) == 1 else 'have'} a node and {'does' if len(stuck) == 1 else 'do'} not start",
        impact=Impact(nodes=len(nodes), pods=len(stuck)),
        evidence=(Evidence.of_event(latest.event, sum(entry.times for entry in stuck)),),
        occurrences=tuple(Occurrence(pod_ref(entry.pod), entry.pod.metadata.uid, entry.node.name, "no-address", entry.first) for entry in stuck),
        since=since,
        fix=tuple(_fix(snapshot, nodepool, latest.node)),
        blames=(Blame(ref),) if failed else (),
    )  # fmt: skip


def _why(*, subnet: bool) -> str:
    if subnet:
        return (
            "their subnets have no free addresses left: no object of the cluster tells how many there are, but the provider says so"
        )
    return (
        "the network plugin has no address left for them: either the subnets have none, or a node has more room for pods (allocatable pods) "
        "than its network interfaces have addresses; kube-scheduler and Karpenter count pods, not addresses"
    )


def _fix(snapshot: Snapshot, nodepool: str, node: Node) -> Iterator[Fix]:
    nodeclass = snapshot.nodeclass_of(found) if (found := snapshot.nodepools_by_name.get(nodepool)) else None
    zones = few(sorted({subnet.zone for subnet in nodeclass.status.subnets if subnet.zone}), _FEW) if nodeclass else "none"
    those = f" (its node class has some in {zones})" if zones != "none" else ""
    slots = node.status.allocatable.get("pods", "")
    yield Fix(
        "fix",
        text=f"see with the cloud's own means how many addresses are free in its subnets{those}: if none, add subnets to the node class, or let the network "
        "plugin hand out prefixes",
    )
    yield Fix(
        "or",
        f"kubectl describe node {shlex.quote(node.name)}",
        f"if there are free ones, it takes more pods ({slots or 'not known how many'}) than its interfaces have addresses: lower the kubelet's maxPods in the node class",
        "its nodes drift then",
    )
    yield verification("pod-ip-exhausted", nodepool=nodepool)
