"""Workloads whose pods ask for no cpu or no memory, so that Karpenter packs them as nothing."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from karpenter_check.disruption.pods import is_mirror, is_owned_by
from karpenter_check.finding import Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity, earliest, verification
from karpenter_check.rule import rule
from karpenter_check.scheduling.nomination import node_ref, pod_ref
from karpenter_check.snapshot import Kind, Node, Pod, Snapshot
from karpenter_check.snapshot.counted import few, plural

_CAUSES = {("cpu",): "cpu", ("memory",): "memory", ("cpu", "memory"): "both"}
_SAID = {"cpu": "no cpu", "memory": "no memory", "both": "neither cpu nor memory"}
_LACKING = {"cpu": "cpu", "memory": "memory", "both": "cpu and memory"}
_SYSTEM = frozenset({"kube-system", "kube-node-lease", "tigera-operator"})
"""Namespaces of add-ons, which nobody here can change."""
_FEW = 3


class _Place(NamedTuple):
    """A pod without requests, and its node, on which such pods matter."""

    pod: Pod
    node: Node


@rule(severity=Severity.LOW, needs={Kind.NODE, Kind.POD}, since="0.1.0", judges_ages=False)
def pod_without_requests(snapshot: Snapshot, *, minimum_share: float = 0.2, minimum_pods: int = 2) -> Iterator[Finding]:
    """Pods that ask for no cpu or no memory are a good part of those on a NodePool's nodes, and Karpenter packs them as nothing."""
    lacks: dict[int, str] = {}
    """What each shape lacks, by its identity: pods are many, and shapes few."""
    for pod in snapshot.pods:
        if id(pod.shape) not in lacks:
            lacks[id(pod.shape)] = _lacks(pod)
    if not any(lacks.values()):
        return
    for nodepool, nodes in snapshot.nodes_of_nodepool.items():
        found: dict[str, list[_Place]] = defaultdict(list)
        shares: dict[str, float] = {}
        for node in nodes:
            on_node = snapshot.pods_on_node.get(node.name, ())
            lacking = [(pod, cause) for pod in on_node if (cause := lacks[id(pod.shape)]) and _counts(pod)]
            if not lacking or len(lacking) < minimum_pods:
                continue
            pods = [pod for pod in on_node if _counts(pod)]
            if len(lacking) >= minimum_share * len(pods):
                shares[node.name] = len(lacking) / len(pods)
                for pod, cause in lacking:
                    found[cause].append(_Place(pod, node))
        for cause, places in found.items():
            yield _finding(snapshot, nodepool, cause, places, shares)


def _counts(pod: Pod) -> bool:
    """Whether it is a workload's: not a DaemonSet's, static or an add-on's."""
    return (
        pod.active
        and pod.metadata.namespace not in _SYSTEM
        and not pod.daemonset_uid
        and not is_owned_by(pod, "apps/v1", "DaemonSet")
        and not is_mirror(pod)
    )


def _lacks(pod: Pod) -> str:
    """What Karpenter takes for zero: of the pod as a whole, its init containers and what LimitRanges wrote into it included."""
    return _CAUSES.get(tuple(name for name in ("cpu", "memory") if not pod.shape.requests.get(name)), "")


def _finding(snapshot: Snapshot, nodepool: str, cause: str, places: Sequence[_Place], shares: Mapping[str, float]) -> Finding:
    pool = Ref("NodePool", nodepool, "karpenter.sh/v1")
    owners = Counter(snapshot.owner(place.pod) for place in places)
    where = {snapshot.owner(place.pod): place for place in reversed(places)}
    nodes = Counter(place.node.name for place in places)
    most = max(nodes, key=lambda name: (shares[name], nodes[name], name))
    named = [f"{owner} ({count})" for owner, count in owners.most_common()]
    ask = "asks" if len(places) == 1 else "ask"
    worst = f"on {most} such pods are {round(100 * shares[most])}% of those that are no DaemonSet's"
    return Finding(
        object=pool,
        owner=pool,
        nodepool=nodepool,
        cause=cause,
        message=f"{plural(len(places), 'pod')} on {nodepool}'s nodes {ask} for {_SAID[cause]}: {few(named, _FEW)}",
        why=f"Karpenter sizes nodes by requests, and takes what is not asked for as 0: to it these pods need no more than a place; {worst}",
        cost=_cost(cause),
        impact=Impact(nodes=len(nodes), pods=len(places)),
        evidence=(
            Evidence(pod_ref(places[0].pod), "spec.containers[].resources.requests", f"without {_LACKING[cause]}"),
            Evidence(node_ref(most), value=f"{nodes[most]} of its pods"),
        ),
        occurrences=tuple(
            Occurrence(owner, where[owner].pod.metadata.uid, where[owner].node.name, cause) for owner, _ in owners.most_common()
        ),
        since=earliest(place.pod.metadata.creation_timestamp for place in places),
        fix=(
            Fix(
                "fix",
                text="ask for what the pods use, by requests in the workloads' templates, or by a LimitRange with defaultRequest in their namespaces; for memory, requests equal to limits",
                risk="Karpenter then packs fewer of them on a node, and may buy more nodes; a LimitRange counts for pods that are made later",
            ),
            verification("pod-without-requests", nodepool=nodepool),
        ),
    )


def _cost(cause: str) -> str:
    if cause == "cpu":
        return "nodes may be too small for them: they get what cpu others leave, and slow down together"
    evicted = "nodes may be too small for them, and where memory runs short, they are the first that the kubelet evicts"
    return evicted if cause == "memory" else f"{evicted}; a node that runs nothing else looks unused, and is consolidated"
