"""Nodes that should go and that the budgets of their NodePool keep: nothing of it may go now, and no work under way explains that."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from karpenter_check.disruption.allowance import Remaining, Unknown, Using, remaining
from karpenter_check.disruption.blocker import Blocker, Word
from karpenter_check.disruption.blockers import blockers
from karpenter_check.disruption.budget import is_always_active
from karpenter_check.disruption.candidate import DRIFTED, EMPTY, UNDERUTILIZED
from karpenter_check.disruption.due import Due, Way, due
from karpenter_check.disruption.openings import next_opening, windows
from karpenter_check.snapshot import Node, NodePool, Snapshot

CLOSED, WINDOW, NOT_READY = "always-closed", "window-closed", "not-ready-nodes"
REASON_OF = {Way.DRIFTED: DRIFTED, Way.EMPTY: EMPTY, Way.UNDERUTILIZED: UNDERUTILIZED}


@dataclass(frozen=True)
class Shut:
    """That the budgets let no node go for a reason, and will not by themselves as long as this stands."""

    cause: str
    left: Remaining
    opens: datetime | None = None
    """When they let one go next, within a week."""
    not_ready: tuple[Node, ...] = ()
    """The nodes that use them up."""
    since: datetime | None = None
    """Since when these do."""


@dataclass(frozen=True)
class Waiting:
    """A node that should go and may not."""

    node: Node
    due: Due
    since: datetime
    also: Blocker | None
    """What keeps it besides the budgets."""

    @property
    def reason(self) -> str:
        """Drifted, Empty or Underutilized."""
        return REASON_OF[self.due.way]


def shut_for(snapshot: Snapshot, nodepool: NodePool, reason: str) -> Shut | None:
    """Whether nothing may go for a reason, and the work that is under way does not explain it.

    Budgets that cannot be read are the rule `budget-schedule-invalid`'s.
    """
    left = remaining(snapshot, nodepool, reason)
    if isinstance(left, Unknown) or left.left != 0 or left.allowance.unreadable or not left.total:
        return None
    if allowed := left.allowance.allowed:
        lame = [snapshot.nodes_by_name[user.node] for user in left.disrupting if user.why is Using.NOT_READY]
        times = sorted(ready.last_transition_time for node in lame if (ready := node.readiness) and ready.last_transition_time)
        # while so many are not ready, none may go, whatever else ends
        return Shut(NOT_READY, left, None, tuple(lame), times[allowed - 1]) if len(times) >= allowed else None
    opens = next_opening(windows(nodepool, reason, left.total, snapshot.taken_at))
    always = any(is_always_active(entry.budget, snapshot.taken_at) for entry in left.allowance.deciding)
    return Shut(CLOSED if always else WINDOW, left, opens)


def waiting_for(snapshot: Snapshot, node: Node, shut: Mapping[str, Shut]) -> Waiting | None:
    """The node, if every way that it certainly has to go by is shut: under the one that opens first."""
    ways = [entry for entry in due(snapshot, node) if entry.way in REASON_OF]
    sure = [entry for entry in ways if entry.way is not Way.UNDERUTILIZED] or ways
    if not sure or any(REASON_OF[entry.way] not in shut for entry in sure):
        return None
    never = datetime.max.replace(tzinfo=snapshot.taken_at.tzinfo)
    way = min(sure, key=lambda entry: shut[REASON_OF[entry.way]].opens or never)
    since = max((moment for moment in (way.at, shut[REASON_OF[way.way]].since) if moment), default=None)
    keeping = blockers(snapshot, node, eventual=way.way is Way.DRIFTED)
    if way.at is None or since is None or any(blocker.word is Word.TERMINATING for blocker in keeping):
        return None
    return Waiting(node, way, since, next((blocker for blocker in keeping if blocker.word is not Word.UNKNOWN), None))
