"""Why a node stays, in one sentence."""

from collections.abc import Sequence
from datetime import timedelta

from karpenter_check.disruption.blocker import Blocker, Word
from karpenter_check.disruption.candidate import UNDERUTILIZED
from karpenter_check.disruption.expiry import expiry
from karpenter_check.disruption.nominated import nomination_window
from karpenter_check.disruption.state_node import StateNode
from karpenter_check.disruption.termination import Phase, Termination
from karpenter_check.scheduling.nomination import Nominee, Reason, obstacle
from karpenter_check.snapshot import NO_TIME, NodeClaim, Snapshot
from karpenter_check.snapshot.clip import clip
from karpenter_check.snapshot.duration import spoken
from karpenter_check.snapshot.moments import at_and_distance
from karpenter_check.why.node_checks import Check, Mark
from karpenter_check.why.node_said import NodeSaid
from karpenter_check.why.node_wanted import Want

_LONGEST_SAID = 100
ORPHANED = frozenset({Word.MISSING_LABEL, Word.NODEPOOL_NOT_FOUND})
"""Of a node that no NodePool speaks for, so that no graceful disruption looks at it."""
_WOULD = "; were it wanted, what is marked ✗ would keep it"


def kept(
    snapshot: Snapshot,
    state: StateNode,
    wanted: Want,
    asked: Sequence[Check],
    blocking: Sequence[Blocker],
    nominee: Nominee | None,
    said: Sequence[NodeSaid],
) -> str:
    """Why a node that nobody deletes is still there, in a sentence; `blocking` is in Karpenter's order."""
    first = blocking[0] if blocking else None
    begun = next((blocker for blocker in blocking if blocker.word is Word.TERMINATING), None)
    if begun:
        since = f", since {at_and_distance(snapshot, begun.since)}" if begun.since else ""
        return f"it is on its way out: {begun.said}{since}"
    if first and first.word is Word.NO_NODE and state.nodeclaim:
        return _not_there(snapshot, state.nodeclaim)
    if first and first.word is Word.NOT_INITIALIZED:
        return f"Karpenter disrupts only what is initialized, and {first.said}"
    if not wanted.known:
        return "whether Karpenter wants it gone is not known" + (_WOULD if blocking else "")
    orphaned = next((blocker for blocker in blocking if blocker.word in ORPHANED), None)
    if not wanted.reason and orphaned:
        return f"Karpenter never disrupts it gracefully, because {orphaned.said}" + _expires(snapshot, state)
    if not wanted.reason:
        return "nothing wants it gone" + (_WOULD if blocking else "") + _expires(snapshot, state)
    if first:
        return _blocked(snapshot, wanted, blocking, nominee)
    refused = next((entry for entry in said if entry.reason == "Unconsolidatable"), None)
    if wanted.reason == UNDERUTILIZED and refused and refused.last and wanted.since and refused.last >= wanted.since:
        return f"Karpenter looked at it and left it: {clip(refused.message, _LONGEST_SAID)}"
    if any(check.mark is Mark.UNKNOWN for check in asked):
        return "nothing that was seen keeps it; what is marked ? could"
    return "nothing that was checked keeps it: Karpenter should take it soon; if it does not, its log says why"


def _not_there(snapshot: Snapshot, claim: NodeClaim) -> str:
    """How far a NodeClaim without a Node is."""
    stages = (claim.condition(stage) for stage in ("Launched", "Registered"))
    missing = next((stage for stage in stages if stage and stage.status != "True"), None)
    registered = claim.condition("Registered")
    if missing is None and registered and not snapshot.settled(registered.last_transition_time):
        return "its Node may have come after nodes were listed"
    if missing is None:
        return "its NodeClaim has no Node any more, and nothing says why"
    why = clip(missing.message or missing.reason, _LONGEST_SAID)
    return f"its NodeClaim has no Node: {missing.type} is {missing.status}" + (f" ({why})" if why else "")


def _expires(snapshot: Snapshot, state: StateNode) -> str:
    """That a node which nothing wants gone goes soon all the same."""
    due = expiry(snapshot, state.nodeclaim) if state.nodeclaim and state.nodeclaim.spec.expire_after else None
    soon = due and timedelta() <= due - snapshot.taken_at <= timedelta(days=1)
    return f"; its expiry, {at_and_distance(snapshot, due)}, asks none of that, and drains it" if due and soon else ""


def _blocked(snapshot: Snapshot, wanted: Want, blocking: Sequence[Blocker], nominee: Nominee | None) -> str:
    """What keeps a node that is wanted gone, the first thing in Karpenter's order, and how much more does."""
    first, rest = blocking[0], len(blocking) - 1
    more = "" if not rest else "; one more thing does, too" if rest == 1 else f"; {rest} more do, too"
    if first.word is Word.NOMINATED and nominee and first.until is None and not nominee.pod.node_name:
        return _nominated(snapshot, nominee) + more
    because = first.said if first.word is Word.BUDGET else first.said.partition("; ")[0]
    perhaps = "whether Karpenter wants it gone or not, it is kept" if wanted.reason == UNDERUTILIZED else "it is kept"
    until = f", until {at_and_distance(snapshot, first.until)}" if first.until else ""
    return f"{perhaps} {'by the ' if first.word is Word.BUDGET else 'because '}{because}{until}{more}"


def _nominated(snapshot: Snapshot, nominee: Nominee) -> str:
    """That a pod is expected which does not come."""
    found, window = obstacle(snapshot, nominee), spoken(nomination_window(snapshot))
    again = f"Karpenter sees the pod fit here again and again, and each time renews a nomination of {window}"
    if found.reason is not Reason.UNKNOWN:
        return f"{again}; it does not come, because {found.said}"
    if snapshot.taken_at != NO_TIME and not snapshot.settled(nominee.since):
        return f"Karpenter expects the pod here, since {at_and_distance(snapshot, nominee.since)}; it may be about to come"
    return f"{again}; why it does not come was not seen: {found.said}"


def ends(snapshot: Snapshot, ending: Termination) -> str:
    """What its end waits for, and whether that ends."""
    holding = [entry for entry in ending.held if entry.by and entry.turn]
    forced = f"by force from {at_and_distance(snapshot, ending.forced_end)} on" if ending.forced_end else ""
    if not ending.held or ending.phase not in {Phase.DRAINING, Phase.NOT_BEGUN, Phase.UNKNOWN}:
        more = " (which pods it waits for was not all seen)" if ending.unseen else ""
        return ending.said + more
    if not holding:
        return f"{ending.said}; its pods are on their way out" + (f", {forced}" if forced else "")
    first, more = holding[0], f" and {len(holding) - 1} more" if len(holding) > 1 else ""
    pod = f"{first.pod.metadata.namespace}/{first.pod.metadata.name}"
    if forced:
        return f"it drains, and {pod}{more} does not leave ({first.by}); {forced}"
    lasts = "for ever" if first.for_ever else "until that changes"
    return f"it drains {lasts}: {pod}{more} does not leave ({first.by}), and without a terminationGracePeriod nothing forces it"
