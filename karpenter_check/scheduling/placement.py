"""Would Karpenter place a waiting pod on a node that is there? Asked of thousands of nodes, most of them alike."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from karpenter_check.scheduling.existing import ExistingNode, existing_nodes, unwelcome
from karpenter_check.scheduling.labels import provider_of
from karpenter_check.scheduling.pod import rounds
from karpenter_check.snapshot import Pod, Snapshot
from karpenter_check.snapshot.once import once


@dataclass(frozen=True, eq=False)
class _Alike:
    """Nodes that no waiting pod can tell apart but by their room."""

    nodes: Sequence[ExistingNode]
    _most: dict[str, int] = field(default_factory=dict)

    def most(self, resource: str) -> int:
        """The most that one of them has left of a resource."""
        if resource not in self._most:
            self._most[resource] = max(node.left(resource) for node in self.nodes)
        return self._most[resource]


@once
def _nodes(snapshot: Snapshot) -> Sequence[_Alike]:
    """The nodes by their provider, their taints, and the labels that some waiting pod asks about."""
    existing = existing_nodes(snapshot)
    groups, shapes = {node.group for node in existing}, {pod.shape for pod in snapshot.unbound_pods}
    needs = (need for shape in shapes for group in groups for need, _ in rounds(shape, provider_of(group)))
    keys = sorted({key for need in needs for key in need.by_key})
    found: dict[object, list[ExistingNode]] = defaultdict(list)
    for node in existing:
        found[node.group, node.taints, tuple(node.labels.get(key) for key in keys)].append(node)
    return [_Alike(nodes) for nodes in found.values()]


def fits_a_node(snapshot: Snapshot, pod: Pod) -> bool:
    """Whether Karpenter would place the pod, which is one of the snapshot's unbound ones, on a node that is there.

    It is what `refusals_of_existing` tells node by node.
    """
    asked = {**pod.shape.requests, "pods": 1000}.items()
    return any(
        not unwelcome(pod.shape, alike.nodes[0])
        and all(amount <= max(0, alike.most(name)) for name, amount in asked)
        and any(all(amount <= max(0, node.left(name)) for name, amount in asked) for node in alike.nodes)
        for alike in _nodes(snapshot)
    )
