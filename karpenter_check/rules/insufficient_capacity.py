"""Launches that fail for want of capacity again and again, while pods wait."""

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
    clip,
    earliest,
    verification,
)
from karpenter_check.rule import Stage, rule
from karpenter_check.scheduling.capacity_errors import CapacityError, Lack, capacity_errors
from karpenter_check.scheduling.nodeclaim import nodeclaim_ref
from karpenter_check.scheduling.nomination import pod_ref
from karpenter_check.scheduling.waiting import waiting_for
from karpenter_check.snapshot import GRACE, Kind, NodePool, Pod, Snapshot
from karpenter_check.snapshot.counted import few, plural
from karpenter_check.snapshot.duration import spoken
from karpenter_check.snapshot.moments import at_and_distance

_MESSAGE = 250
_FEW = 3
_CAPACITY_TYPE = "karpenter.sh/capacity-type"
_NARROWS = {
    "topology.kubernetes.io/zone": ("zone", "zones"),
    "node.kubernetes.io/instance-type": ("instance type", "instance types"),
    "karpenter.k8s.aws/instance-family": ("instance family", "instance families"),
    "karpenter.k8s.aws/instance-size": ("instance size", "instance sizes"),
    "karpenter.azure.com/sku-family": ("instance family", "instance families"),
    "karpenter.azure.com/sku-name": ("instance type", "instance types"),
}
_LACKS: Mapping[Lack, tuple[str, str]] = {
    Lack.CAPACITY: ("the provider has no such instances to sell", ""),
    Lack.SUBNET_ADDRESSES: ("a subnet has too few free addresses for another instance", "add subnets with free addresses to its node class, in as many zones as it may use"),
    Lack.ACCOUNT_LIMIT: ("the cloud account's own limit is reached", "ask the provider to raise the limit that the message names, or end instances that count against it"),
    Lack.SPOT_ROLE: ("the account may not create the role that spot instances need", "create the service-linked role once: aws iam create-service-linked-role --aws-service-name spot.amazonaws.com"),
    Lack.PLACEMENT_GROUP: ("the placement group takes no more instances in that zone", "allow more zones, or use another placement group"),
    Lack.RESERVATION: ("the capacity reservation is used up", "enlarge the reservation, or let it buy on-demand or spot beside it"),
    Lack.MIN_VALUES: ("what is to be had is less than its minValues ask for", "lower minValues, or allow more values"),
    Lack.UNSUPPORTED: ("the provider does not offer what it asks for there", "leave the instance types or the zones out that the message names"),
}  # fmt: skip


@rule(
    severity=Severity.MEDIUM,
    needs={Kind.NODEPOOL, Kind.NODECLAIM, Kind.NODE, Kind.POD},
    since="0.1.0",
    stage=Stage.NODECLAIM,
)
def insufficient_capacity(
    snapshot: Snapshot,
    *,
    minimum: int = 3,
    fail_after: timedelta = timedelta(minutes=5),
    recent: timedelta = timedelta(minutes=15),
) -> Iterator[Finding]:
    """Launches of a NodePool fail again and again for want of capacity, and pods wait for them."""
    for name, errors in capacity_errors(snapshot).items():
        nodepool = snapshot.nodepools_by_name.get(name)
        if nodepool is None or snapshot.taken_at - errors[-1].last > recent:
            continue
        waiting = [pod for pod in waiting_for(snapshot).get(name, ()) if _waits(snapshot, pod, max(GRACE, fail_after))]
        by_lack: dict[Lack, list[CapacityError]] = defaultdict(list)
        for error in errors:
            by_lack[error.lack].append(error)
        for lack, those in by_lack.items():
            if waiting and sum(error.times for error in those) >= minimum and snapshot.taken_at - those[-1].last <= recent:
                yield _finding(snapshot, nodepool, lack, those, waiting)


def _waits(snapshot: Snapshot, pod: Pod, least: timedelta) -> bool:
    return pod.unscheduled_since is not None and snapshot.taken_at - pod.unscheduled_since >= least


def _finding(
    snapshot: Snapshot, nodepool: NodePool, lack: Lack, errors: Sequence[CapacityError], waiting: Sequence[Pod]
) -> Finding:
    ref, latest = Ref("NodePool", nodepool.name, "karpenter.sh/v1"), errors[-1]
    claims, times = {error.nodeclaim for error in errors}, sum(error.times for error in errors)
    meaning, remedy = _LACKS[lack]
    places = [place for place, _ in Counter(place for error in errors for place in error.places).most_common()]
    where = f" ({few(places, _FEW)})" if places else ""
    narrow = list(_narrow(nodepool)) if lack is Lack.CAPACITY else []
    since = earliest(error.first for error in errors)
    span = f" in {spoken(latest.last - since)}" if since and latest.last > since else ""
    return Finding(
        object=ref,
        owner=ref,
        nodepool=nodepool.name,
        cause=lack,
        confidence=Confidence.LIKELY,
        message=f"{times} launch{'es' * (times != 1)} of {nodepool.name} failed{span}: {meaning}{where}; {_wait(waiting)}",
        why=_why(snapshot, nodepool, latest, narrow),
        cost=f"{plural(len(waiting), 'pod')} without a node",
        impact=Impact(pods=len(waiting), nodeclaims=len(claims)),
        evidence=(
            Evidence.of_event(latest.event, times)
            if latest.event
            else Evidence(Ref("NodeClaim", latest.nodeclaim, "karpenter.sh/v1"), "status.conditions Launched", clip(latest.said, _MESSAGE)),
            *(Evidence(ref, "spec.template.spec.requirements", clause) for clause in narrow),
        ),
        occurrences=tuple(Occurrence(pod_ref(pod), pod.metadata.uid, "", lack, pod.unscheduled_since) for pod in waiting),
        since=since,
        fix=tuple(_fix(nodepool, remedy, narrow)),
        blames=tuple(Blame(nodeclaim_ref(claim)) for error in errors if not error.event and (claim := snapshot.nodeclaims_by_name.get(error.nodeclaim))),
    )  # fmt: skip


def _why(snapshot: Snapshot, nodepool: NodePool, latest: CapacityError, narrow: Sequence[str]) -> str:
    said = "" if latest.event else f"NodeClaim {latest.nodeclaim} says {clip(latest.said, _MESSAGE)}; "
    again = f"{said}the last one failed at {at_and_distance(snapshot, latest.last)}; Karpenter tries again, and leaves out for a few minutes what failed"
    return again + (f"; {nodepool.name} may only buy {', '.join(narrow)}" if narrow else "")


def _wait(waiting: Sequence[Pod]) -> str:
    return "1 pod waits for it" if len(waiting) == 1 else f"{len(waiting)} pods wait for it"


def _narrow(nodepool: NodePool) -> Iterator[str]:
    """What leaves it little choice, as its requirements say it. Labels of the template count as requirements do."""
    template = nodepool.spec.template
    written = [(entry.key, list(entry.values)) for entry in template.spec.requirements if entry.operator == "In"]
    for key, values in (*written, *((key, [value]) for key, value in template.metadata.labels.items())):
        if key == _CAPACITY_TYPE and len(values) == 1:
            yield values[0]
        elif key in _NARROWS and 0 < len(values) <= _FEW:
            yield f"{_NARROWS[key][len(values) > 1]} {', '.join(values)}"


def _fix(nodepool: NodePool, remedy: str, narrow: Sequence[str]) -> Iterator[Fix]:
    if remedy:
        yield Fix("fix", text=remedy)
    else:
        widen = (
            f"let it buy more than {', '.join(narrow)}"
            if narrow
            else "allow instance types or zones that it, or its pods, leave out"
        )
        risk = "none for the nodes that are there: wider requirements drift nothing"
        yield Fix("fix", f"kubectl edit nodepool {shlex.quote(nodepool.name)}", widen, risk)
    yield verification("insufficient-capacity", nodepool=nodepool.name)
