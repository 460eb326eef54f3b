"""Which node is meant by a name."""

from difflib import get_close_matches

from karpenter_check.disruption.state_node import StateNode, state_node
from karpenter_check.snapshot import Kind, Snapshot
from karpenter_check.why.subject import NotFound

_KINDS = {
    "no": "Node", "node": "Node", "nodes": "Node",
    "nodeclaim": "NodeClaim", "nodeclaims": "NodeClaim",
}  # fmt: skip
"""What kubectl takes for a kind, too."""


def kind_and_name(name: str) -> tuple[str, str]:
    """The kind, empty where none is said, and the name. Raises NotFound for a kind that is no node's."""
    said, slash, bare = name.rpartition("/")
    if slash and said.lower().partition(".")[0] not in _KINDS:
        raise NotFound(f"{said!r} is no kind of node: one of {', '.join(sorted(set(_KINDS.values())))}")
    return (_KINDS[said.lower().partition(".")[0]] if slash else "", bare)


def node_meant(snapshot: Snapshot, kind: str, name: str) -> StateNode | None:
    """The node of that name, or of the NodeClaim of that name, or of the NodeClaim that names a Node which is not there; else None."""
    node, claim = snapshot.nodes_by_name.get(name), snapshot.nodeclaims_by_name.get(name)
    if node and kind in {"", "Node"}:
        return state_node(snapshot, node)
    if claim and kind in {"", "NodeClaim"}:
        return state_node(snapshot, claim)
    if kind in {"", "Node"}:
        named = next((entry for entry in snapshot.nodeclaims if entry.status.node_name == name), None)
        return state_node(snapshot, named) if named else None
    return None


def nothing(snapshot: Snapshot, name: str, bare: str) -> NotFound:
    """That no such node is there, and nothing is known of one; with what may be meant and what was not seen."""
    there = sorted({*snapshot.nodes_by_name, *snapshot.nodeclaims_by_name})
    close = get_close_matches(bare, there, n=3)
    unseen = [str(kind) for kind in (Kind.NODE, Kind.NODECLAIM, Kind.EVENT) if not snapshot.covered(kind).sufficient]
    said = f"there is no node or NodeClaim {name!r}, and no event tells of one"
    if unseen:
        said = f"no node or NodeClaim {name!r} was seen, nor an event of one; not all was seen of {' and '.join(unseen)}"
    return NotFound(said + (f": did you mean {' or '.join(close)}?" if close else ""))
