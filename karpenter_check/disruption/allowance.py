"""What is left of a NodePool's disruption budgets now.

Sources: `disruption/helpers.go:BuildDisruptionBudgetMapping` (1.1 to 1.14), `NodePoolStatsFromNodes` (1.15),
`state/statenode.go` (`Managed`, `Initialized`, `MarkedForDeletion`, `Labels`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from karpenter_check.disruption.budgets import Allowance, allowance
from karpenter_check.disruption.pods import DISRUPTED_TAINT
from karpenter_check.snapshot import Kind, Node, NodeClaim, NodePool, Snapshot, Version
from karpenter_check.snapshot.once import once

_LEAVES_OUT_TERMINATING = Version(1, 1)
UNHEALTHY = "Unhealthy"
"""A reason since 1.15: repair. Nodes that are not ready are what it is for, and do not count against it."""


class Using(StrEnum):
    """Why a node counts against the budgets."""

    NOT_READY = "its Ready condition is not True"
    DELETING = "its NodeClaim is being deleted"
    REBOOTING = "it is rebooting"
    CHOSEN = "Karpenter has begun to disrupt it"
    """Its NodeClaim has a DisruptionReason, or the node Karpenter's taint. The mark that counts is in Karpenter's memory: it comes
    a moment after these, when the replacements are made, and both go again where it does not."""


@dataclass(frozen=True)
class User:
    """A node that counts against the budgets, by its name."""

    node: str
    why: Using

    @property
    def certain(self) -> bool:
        """Whether the snapshot proves it."""
        return self.why is not Using.CHOSEN


@dataclass(frozen=True)
class Unknown:
    """What is left cannot be told from this snapshot."""

    why: str


@dataclass(frozen=True)
class Remaining:
    """What a NodePool's budgets still allow for a reason."""

    allowance: Allowance
    total: int
    """The nodes that count: managed, initialized, and with an instance that is not being terminated."""
    disrupting: tuple[User, ...]
    """Those of them that use the budgets up, by name."""

    @property
    def left(self) -> int | None:
        """How many more nodes may be disrupted now; None is unlimited. A node that Karpenter has `CHOSEN` counts."""
        return self._less(len(self.disrupting))

    @property
    def left_at_most(self) -> int | None:
        """The same, if Karpenter had none of the nodes in mind that it has `CHOSEN`."""
        return self._less(sum(user.certain for user in self.disrupting))

    def _less(self, used: int) -> int | None:
        return None if self.allowance.allowed is None else max(0, self.allowance.allowed - used)


@once
def _managed(snapshot: Snapshot) -> Mapping[str, Sequence[tuple[Node, NodeClaim]]]:
    """The initialized or rebooting nodes of each NodePool, with their NodeClaims."""
    found: dict[str, list[tuple[Node, NodeClaim]]] = {}
    for name, nodeclaim in sorted(snapshot.nodeclaim_of_node.items()):
        node = snapshot.nodes_by_name[name]
        registered = node.metadata.labels.get("karpenter.sh/registered") == "true"
        if node.initialized or nodeclaim.is_true("Rebooting"):
            found.setdefault(node.nodepool if registered else nodeclaim.nodepool, []).append((node, nodeclaim))
    return found


def _users(members: Sequence[tuple[Node, NodeClaim]], reason: str) -> Iterator[User]:
    for node, nodeclaim in members:
        # of a node that has a NodeClaim, the node's own deletionTimestamp does not count
        if nodeclaim.metadata.deletion_timestamp:
            yield User(node.name, Using.DELETING)
        elif nodeclaim.is_true("Rebooting"):
            yield User(node.name, Using.REBOOTING)
        elif not node.ready and reason != UNHEALTHY:
            yield User(node.name, Using.NOT_READY)
        elif nodeclaim.is_true("DisruptionReason") or DISRUPTED_TAINT in node.spec.taints:
            yield User(node.name, Using.CHOSEN)


def remaining(snapshot: Snapshot, nodepool: NodePool, reason: str) -> Remaining | Unknown:
    """What the budgets of a NodePool still allow for a reason at the time of the snapshot.

    Unknown where not every node and NodeClaim was seen, as percentages are of all of them.
    """
    for kind in (Kind.NODE, Kind.NODECLAIM):
        if not snapshot.whole(kind):
            return Unknown(f"not every {kind} was seen: {snapshot.covered(kind)}")
    of_pool = _managed(snapshot).get(nodepool.name, ())
    counted = [(node, claim) for node, claim in of_pool if not claim.is_true("InstanceTerminating")]
    version = snapshot.karpenter_version
    if version and version < _LEAVES_OUT_TERMINATING and len(counted) != len(of_pool):
        return Unknown(f"Karpenter {version} counts nodes whose instances are being terminated as well")
    return Remaining(allowance(nodepool, reason, len(counted), snapshot.taken_at), len(counted), tuple(_users(counted, reason)))
