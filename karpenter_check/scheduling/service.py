"""The nodes that are Karpenter's and in service: looked through once, asked for by rules."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from karpenter_check.snapshot import Node, NodeClaim, Snapshot
from karpenter_check.snapshot.once import once


@once
def nodes_in_service(snapshot: Snapshot) -> Mapping[str, Sequence[tuple[Node, NodeClaim]]]:
    """Of each NodePool that stays: its nodes that are Ready, initialized, not cordoned and there to stay, with their NodeClaims."""
    found: dict[str, list[tuple[Node, NodeClaim]]] = defaultdict(list)
    claims = snapshot.nodeclaim_of_node
    for name, nodes in snapshot.nodes_of_nodepool.items():
        nodepool = snapshot.nodepools_by_name.get(name)
        if not nodepool or nodepool.metadata.deletion_timestamp:
            continue
        for node in nodes:
            claim = claims.get(node.name)
            going = not claim or claim.metadata.deletion_timestamp or node.metadata.deletion_timestamp
            if claim and not going and not node.spec.unschedulable and node.initialized and node.ready:
                found[name].append((node, claim))
    return found
