"""Would kube-scheduler put this pod on that node now? What it says no to, recomputed from the objects."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from karpenter_check.scheduling.requirement import Requirement
from karpenter_check.scheduling.taints import tolerates
from karpenter_check.snapshot import Node, Pod, Snapshot
from karpenter_check.snapshot.node import Taint
from karpenter_check.snapshot.pod import NodeAffinity, NodeSelectorRequirement, NodeSelectorTerm, PodShape, Toleration
from karpenter_check.snapshot.quantity import Milli, amounts, total


def _expression_matches(expression: NodeSelectorRequirement, labels: Mapping[str, str]) -> bool:
    """k8s.io/component-helpers nodeaffinity (v1.36): Gt and Lt want integers, NotIn holds for an absent label."""
    present = expression.key in labels
    if not present:
        return expression.operator in {"NotIn", "DoesNotExist"}
    asked = Requirement.of(expression.key, expression.operator, expression.values)
    return asked.has_intersection(Requirement.of(expression.key, "In", (labels[expression.key],)))


def _term_matches(term: NodeSelectorTerm, node: Node) -> bool:
    """A term without any requirement matches no node."""
    if not term.match_expressions and not term.match_fields:
        return False
    return all(_expression_matches(entry, node.metadata.labels) for entry in term.match_expressions) and all(
        _expression_matches(entry, {"metadata.name": node.name}) for entry in term.match_fields
    )


def label_mismatch(node_selector: Mapping[str, str], affinity: NodeAffinity, node: Node) -> str:
    """The label on which the node does not match, with both sides; empty if it matches."""
    for key, value in node_selector.items():
        has = node.metadata.labels.get(key)
        if has != value:
            return f"needs {key}={value}, the node has " + (f"{key}={has}" if has is not None else f"no {key}")
    terms = affinity.required.node_selector_terms if affinity.required else ()
    if not affinity.required or any(_term_matches(term, node) for term in terms):
        return ""
    missed = [entry for term in terms for entry in term.match_expressions if not _expression_matches(entry, node.metadata.labels)]
    if not missed and any(term.match_fields for term in terms):
        return "is bound to other nodes by name"
    if not missed:
        return "has a required node affinity without any requirement, which matches no node"
    key = missed[0].key
    has = node.metadata.labels.get(key)
    asked = Requirement.of(key, missed[0].operator, missed[0].values)
    return f"needs {asked}, the node has " + (f"{key}={has}" if has is not None else f"no {key}")


UNSCHEDULABLE_TAINT = Taint("node.kubernetes.io/unschedulable", "NoSchedule")
_GIVEN_TO_DAEMONSETS = tuple(
    Toleration(f"node.kubernetes.io/{name}", "Exists", effect=effect)
    for effect, names in (
        ("NoExecute", ("not-ready", "unreachable")),
        ("NoSchedule", ("disk-pressure", "memory-pressure", "pid-pressure", "unschedulable")),
    )
    for name in names
)
"""What the DaemonSet controller adds to its pods' tolerations (`AddOrUpdateDaemonPodTolerations`, v1.36)."""


def _repelled(tolerations: Sequence[Toleration], node: Node) -> Iterator[Taint]:
    for taint in node.spec.taints:
        if taint.effect in {"NoSchedule", "NoExecute"} and not any(tolerates(held, taint) for held in tolerations):
            yield taint


def repelled(shape: PodShape, node: Node) -> Iterator[Taint]:
    """The node's taints that keep the pod off it; PreferNoSchedule does not."""
    return _repelled(shape.tolerations, node)


def cordoned(shape: PodShape, node: Node) -> bool:
    """Whether the node's cordon keeps the pod off it; one that tolerates the cordon's taint comes all the same (`NodeUnschedulable`)."""
    return node.spec.unschedulable and not any(tolerates(held, UNSCHEDULABLE_TAINT) for held in shape.tolerations)


def admits_daemonset(node_selector: Mapping[str, str], affinity: NodeAffinity, shape: PodShape, node: Node) -> bool:
    """Whether the DaemonSet controller wants a pod on the node, by its labels and taints (`daemon.Predicates`, v1.36)."""
    taints = _repelled((*shape.tolerations, *_GIVEN_TO_DAEMONSETS), node)
    return not label_mismatch(node_selector, affinity, node) and not any(taints)


@dataclass(frozen=True)
class Room:
    """What a node has, and what its pods take of it, in thousandths by resource."""

    allocatable: Milli
    taken: Milli

    def free(self, resource: str) -> int:
        """What is left; negative where more is taken than there is."""
        return self.allocatable.get(resource, 0) - self.taken.get(resource, 0)

    def short_of(self, requests: Milli) -> dict[str, int]:
        """By how much each resource falls short for one more pod with these requests; empty if it fits."""
        asked = {**requests, "pods": 1000}
        return {name: asked[name] - self.free(name) for name in asked if asked[name] > max(0, self.free(name))}


def holds_room(pod: Pod) -> bool:
    """Whether a bound pod takes room: until it has finished, even while it is being deleted."""
    return pod.phase not in {"Succeeded", "Failed"}


def room_on(snapshot: Snapshot, node: Node, without: Iterable[Pod] = ()) -> Room:
    """The node's room, as if the pods in `without` were not on it."""
    left_out = {id(pod) for pod in without}
    pods = [pod for pod in snapshot.pods_on_node.get(node.name, ()) if holds_room(pod) and id(pod) not in left_out]
    taken = total(pod.shape.requests for pod in pods)
    return Room(amounts(node.status.allocatable), {**taken, "pods": 1000 * len(pods)})


def taken_host_port(snapshot: Snapshot, pod: Pod, node: Node) -> Pod | None:
    """A pod on the node that holds a host port which this one needs, or None.

    0.0.0.0 and :: stand for every address (`pkg/scheduling/hostportusage.go`).
    """
    for other in snapshot.pods_on_node.get(node.name, ()):
        for mine in pod.shape.host_ports:
            for theirs in other.shape.host_ports:
                same = (mine.host_port, mine.protocol) == (theirs.host_port, theirs.protocol)
                wildcard = {mine.host_ip, theirs.host_ip} & {"", "0.0.0.0", "::"}  # noqa: S104  an address in a pod's spec, nothing binds to it
                if same and holds_room(other) and (wildcard or mine.host_ip == theirs.host_ip):
                    return other
    return None
