"""Whether a NodePool's budgets keep its nodes from going now, for a reason, and until when.

The numbers are `allowance.remaining`'s; this says them.
"""

from dataclasses import dataclass

from karpenter_check.disruption.allowance import Remaining, Unknown, remaining
from karpenter_check.disruption.blocker import Blocker, Lasts, Word
from karpenter_check.disruption.openings import next_opening, windows
from karpenter_check.finding import Confidence
from karpenter_check.snapshot import NO_TIME, NodePool, Ref, Snapshot
from karpenter_check.snapshot.moments import at_and_distance


@dataclass(frozen=True)
class BudgetAnswer:
    """What the budgets of a NodePool say to a reason."""

    free: bool | None
    """Whether a node may go now; None where that is not known."""
    said: str
    """What follows `budget` or `budget for Drifted`."""
    lasts: Lasts = Lasts.MAY_END
    """For ever where every deciding budget holds at any hour and allows nothing, or cannot be read."""

    def blocker(self, nodepool: NodePool, told: str) -> Blocker | None:
        """What keeps its nodes, in these words, where budgets do."""
        if self.free is not False:
            return None
        return Blocker(Word.BUDGET, told, (Ref("NodePool", nodepool.name, "karpenter.sh/v1"),), lasts=self.lasts)


def budget_answer(snapshot: Snapshot, nodepool: NodePool, reason: str) -> BudgetAnswer:
    """What the budgets of a NodePool say to a reason: Drifted, Empty or Underutilized."""
    left = remaining(snapshot, nodepool, reason)
    if isinstance(left, Unknown):
        return BudgetAnswer(None, f": {left.why}", Lasts.UNKNOWN)
    if left.left is None:
        return BudgetAnswer(True, ": no limit now")
    allowed = left.allowance.allowed or 0
    if left.left > 0:
        return BudgetAnswer(True, f": {left.left} of {allowed} free now")
    paths = " and ".join(entry.path for entry in left.allowance.deciding)
    if left.allowance.unreadable:
        broken = left.allowance.unreadable[0]
        return BudgetAnswer(
            False, f": Karpenter cannot read {broken.entry.path} ({broken.why}), and lets no node go", Lasts.FOR_EVER
        )
    if allowed:
        using = left.disrupting[0]
        more = f", and {len(left.disrupting) - 1} more" if len(left.disrupting) > 1 else ""
        sure = "" if left.left_at_most == 0 else "probably "
        return BudgetAnswer(False, f": {sure}used up: {allowed} at once ({paths}), used by {using.node} ({using.why}){more}")
    if any(not entry.budget.schedule for entry in left.allowance.deciding):
        return BudgetAnswer(False, f": 0 of {left.total} may go, at any hour ({paths})", Lasts.FOR_EVER)
    return BudgetAnswer(False, f": 0 of {left.total} may go now ({paths}); {_opening(snapshot, nodepool, reason, left)}")


def budget_blocker(snapshot: Snapshot, nodepool: NodePool, reason: str) -> Blocker | None:
    """What keeps a NodePool's nodes from going for a reason, where its budgets do, or where that is not known."""
    answer = budget_answer(snapshot, nodepool, reason)
    told = f"budget for {reason}{answer.said}"
    if answer.free is None:
        return Blocker(Word.UNKNOWN, told, confidence=Confidence.POSSIBLE, lasts=Lasts.UNKNOWN)
    return answer.blocker(nodepool, told)


def _opening(snapshot: Snapshot, nodepool: NodePool, reason: str, left: Remaining) -> str:
    if snapshot.taken_at == NO_TIME:
        return "when that changes is not known: the input carries no time"
    opens = next_opening(windows(nodepool, reason, left.total, snapshot.taken_at))
    return f"opens {at_and_distance(snapshot, opens)}" if opens else "it does not open within a week"
