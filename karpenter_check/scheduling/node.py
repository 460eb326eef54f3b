"""Would kube-scheduler put this pod on that node now? What it says no to, recomputed from the objects."""

from collections.abc import Iterator, Mapping, Sequence

from karpenter_check.scheduling.requirement import Requirement, atoi
from karpenter_check.scheduling.taints import tolerates
from karpenter_check.snapshot import Node, Snapshot
from karpenter_check.snapshot.node import Taint
from karpenter_check.snapshot.once import once
from karpenter_check.snapshot.pod import PodShape
from karpenter_check.snapshot.pod_object import NodeAffinity, NodeSelectorRequirement, NodeSelectorTerm, Toleration


def _expression_matches(expression: NodeSelectorRequirement, labels: Mapping[str, str]) -> bool:
    """k8s.io/component-helpers nodeaffinity (v1.36): Gt and Lt want integers, NotIn holds for an absent label."""
    present = expression.key in labels
    if not present:
        return expression.operator in {"NotIn", "DoesNotExist"}
    if expression.operator in {"Gt", "Lt"} and not _is_number(expression.values):
        return False
    asked = Requirement.of(expression.key, expression.operator, expression.values)
    return asked.has_intersection(Requirement.of(expression.key, "In", (labels[expression.key],)))


def _is_number(values: Sequence[str]) -> bool:
    """Whether they are one operand that kube-scheduler compares with: digits, so no sign, within 64 bits."""
    return len(values) == 1 and values[0].isascii() and values[0].isdigit() and atoi(values[0]) is not None


def term_matches(term: NodeSelectorTerm, node: Node) -> bool:
    """Whether a node's labels and name satisfy a term; one without any requirement matches no node."""
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
    if not affinity.required or any(term_matches(term, node) for term in terms):
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


def is_foreign(snapshot: Snapshot, node: Node) -> bool:
    """Whether a node is not Karpenter's; of one that has just come it is not known: its NodeClaim may have come between the lists."""
    claimed = node.nodepool or node.name in snapshot.nodeclaim_of_node
    return not claimed and snapshot.settled(node.metadata.creation_timestamp)


@once
def foreign_nodes(snapshot: Snapshot) -> Sequence[Node]:
    """The nodes that are not Karpenter's."""
    return [node for node in snapshot.nodes if is_foreign(snapshot, node)]


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
