"""A node as Karpenter holds it in its state: a Node, the NodeClaim behind it, or both.

Source: `controllers/state/statenode.go` (1.13, 1.14).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from karpenter_check.snapshot import Node, NodeClaim, Ref, Snapshot
from karpenter_check.snapshot.metadata import Annotations, Metadata

REGISTERED_LABEL = "karpenter.sh/registered"


@dataclass(frozen=True)
class StateNode:
    """A Node and its NodeClaim; at least one of them is there."""

    node: Node | None
    nodeclaim: NodeClaim | None

    @property
    def name(self) -> str:
        """The Node's name, or of a NodeClaim without one, its own."""
        return self._metadata.name

    @property
    def ref(self) -> Ref:
        """The Node, or the NodeClaim without one."""
        return self.refs[0]

    @property
    def refs(self) -> tuple[Ref, ...]:
        """The Node and the NodeClaim, as far as they are there."""
        node = (Ref("Node", self.node.name, "v1"),) if self.node else ()
        return (*node, Ref("NodeClaim", self.nodeclaim.name, "karpenter.sh/v1")) if self.nodeclaim else node

    @property
    def _metadata(self) -> Metadata:
        if self.node:
            return self.node.metadata
        return self.nodeclaim.metadata if self.nodeclaim else Metadata()

    @property
    def _spoken_for(self) -> Metadata:
        """What Karpenter takes labels and annotations from: the NodeClaim, until the Node is registered."""
        registered = self.node and self.node.metadata.labels.get(REGISTERED_LABEL) == "true"
        return self.nodeclaim.metadata if self.nodeclaim and not registered else self._metadata

    @property
    def labels(self) -> Mapping[str, str]:
        """The labels that count (`StateNode.Labels`)."""
        return self._spoken_for.labels

    @property
    def annotations(self) -> Annotations:
        """The annotations that count (`StateNode.Annotations`)."""
        return self._spoken_for.annotations

    @property
    def annotated(self) -> Ref:
        """The object whose labels and annotations count."""
        return self.refs[-1] if self.nodeclaim and self._spoken_for is self.nodeclaim.metadata else self.ref


def state_node(snapshot: Snapshot, of: Node | NodeClaim) -> StateNode:
    """The Node and the NodeClaim that belong together, of either of them."""
    if isinstance(of, Node):
        return StateNode(of, snapshot.nodeclaim_of_node.get(of.name))
    return StateNode(snapshot.node_of_nodeclaim.get(of.name), of)
