"""What is known of the death of a node that is gone: its events, and those of the pods that were placed on it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from karpenter_check.disruption.blocker import certainty
from karpenter_check.disruption.expiry import INTERRUPTIONS
from karpenter_check.finding import Ref, earliest
from karpenter_check.scheduling.nomination import nominations
from karpenter_check.snapshot import Kind, Snapshot
from karpenter_check.snapshot.duration import duration, spoken
from karpenter_check.snapshot.event import Event, assignment, by_karpenter
from karpenter_check.why.node_joined import Joined, joined

_NEVER_HAD = ("InsufficientCapacityError", "NodeClassNotReady")
_DEATH = (
    "DisruptionTerminating", *INTERRUPTIONS, *_NEVER_HAD, "FailedDraining",
    "TerminationGracePeriodExpiring", "AwaitingVolumeDetachment", "Drained", "VolumesDetached", "Finalized", "RemovingNode",
)  # fmt: skip
_REPLACES = ("DisruptionLaunching", "DisruptionWaitingReadiness")
"""Said of a NodeClaim that is bought in the place of nodes that are disrupted (`disruption/queue.go`, 1.13)."""
_BIRTH = (*_REPLACES, "Launched", "Registered", "RegisteredNode", "Initialized")
_FORCEFUL = "Forceful Termination"
_NEAR = timedelta(minutes=2)
"""How far the end of a life may lie from the expiry, as in `disruption.expiry`."""


@dataclass(frozen=True)
class GoneNode:
    """A node or NodeClaim that is not there any more, and of which events still tell."""

    name: str
    node: str
    nodeclaim: str
    """Empty where nothing tells it."""
    one: bool
    """Whether it is certain that the node and the NodeClaim were one; a pod that was meant for the one and ran on the other says little."""
    nodepool: str
    born: datetime | None
    ended: datetime | None
    """When its end began, as far as events tell."""
    conclusion: str
    events: tuple[Event, ...]
    """Those of its death, the first one first, and before them that it was bought to replace others."""
    evicted: tuple[Event, ...]
    """`Evicted` events of pods that other events place on it."""
    pods: tuple[Ref, ...]
    """The pods that events place on it."""
    seen: bool
    """Whether Nodes and NodeClaims were seen, so that it is known to be gone."""
    unseen: tuple[str, ...]


def gone_node(snapshot: Snapshot, kind: str, name: str) -> GoneNode | None:
    """What events tell of a node of that name that is not there; None where none does."""
    names = _names(snapshot, kind, name)
    node, claim = names.node, names.nodeclaim
    about = {key for key in (("Node", node), ("NodeClaim", claim)) if key[1]}
    own = [event for event in snapshot.events if (event.involved_object.kind, event.involved_object.name) in about]
    pods, placed = _placed(snapshot, node, claim)
    if not own and not placed:
        return None
    death = _in_order(snapshot, (event for event in own if event.reason in _DEATH))
    replaces = _in_order(snapshot, (event for event in own if event.reason in _REPLACES))
    evictions = (event for event in snapshot.events_by_reason.get("Evicted", ()) if event.involved_object.uid in pods)
    evicted = _in_order(snapshot, (event for event in evictions if by_karpenter(event)))
    born = earliest(event.first_seen for event in (*own, *placed) if event.reason in _BIRTH or event in placed)
    ended = earliest(event.first_seen for event in (*death, *evicted))
    pool = claim.rpartition("-")[0]
    pool = pool if pool in snapshot.nodepools_by_name else ""
    return GoneNode(
        name, node, claim, names.certain, pool, born, ended, _conclusion(snapshot, death, evicted, pool, born, ended), (*replaces, *death), tuple(evicted),
        tuple(dict.fromkeys(pods.values())),
        all(certainty(snapshot, entry) is not None for entry in (Kind.NODE, Kind.NODECLAIM)),
        tuple(f"{entry}: {snapshot.covered(entry)}" for entry in (Kind.NODE, Kind.NODECLAIM, Kind.EVENT) if not snapshot.whole(entry)),
    )  # fmt: skip


def _in_order(snapshot: Snapshot, events: Iterable[Event]) -> list[Event]:
    return sorted(events, key=lambda event: (event.first_seen or snapshot.taken_at, event.reason))


def _names(snapshot: Snapshot, kind: str, name: str) -> Joined:
    """The names of the node and of its NodeClaim, of which one may be empty."""
    for pair in joined(snapshot):
        if (name == pair.node and kind in {"", "Node"}) or (name == pair.nodeclaim and kind in {"", "NodeClaim"}):
            return pair
    kinds = {event.involved_object.kind for event in snapshot.events if event.involved_object.name == name}
    if any(target.nodeclaim == name for _, target in nominations(snapshot)):
        kinds.add("NodeClaim")
    is_claim = kind == "NodeClaim" or (not kind and "NodeClaim" in kinds and "Node" not in kinds)
    return Joined(name, "", certain=True) if is_claim else Joined("", name, certain=True)


def _placed(snapshot: Snapshot, node: str, claim: str) -> tuple[dict[str, Ref], list[Event]]:
    """The pods that were bound to the node, by UID, and the events that say so; or those that mean pods for the NodeClaim, which prove none."""
    bound = [event for event in snapshot.events_by_reason.get("Scheduled", ()) if node and assignment(event) == node]
    meant = [event for event, target in nominations(snapshot) if claim and target.nodeclaim == claim]
    found = {}
    for event in bound:
        about = event.involved_object
        found[about.uid] = Ref("Pod", about.name, "v1", about.namespace)
    return found, bound or meant


def _conclusion(
    snapshot: Snapshot, death: list[Event], evicted: list[Event], pool: str, born: datetime | None, ended: datetime | None
) -> str:
    for event in death:
        if event.reason == "DisruptionTerminating":
            return f"Karpenter disrupted it as {event.message.rpartition(': ')[2]}"
        if event.reason in INTERRUPTIONS:
            return f"it was interrupted: {event.message or event.reason}"
        if event.reason in _NEVER_HAD:
            return f"it was given up: {event.message or event.reason}"
    reasons = dict.fromkeys(event.message.removeprefix("Evicted pod: ") for event in evicted)
    reasons.pop(_FORCEFUL, None)
    if any(reasons):
        return f"Karpenter disrupted it as {' and '.join(filter(None, reasons))}: its pods were evicted for that"
    if not death and not evicted and born and not snapshot.settled(born):
        return "nothing tells of its end: it may have come after nodes were listed"
    if not death and not evicted:
        return "nothing tells of its end: events are kept for an hour, and not every end leaves one"
    forced = any(_FORCEFUL in event.message for event in evicted)
    told = "it was deleted, not disrupted gracefully" if forced else "it was deleted, and no event tells by whom"
    lived = ended - born if born and ended else None
    written = {claim.spec.expire_after for claim in snapshot.nodeclaims if pool and claim.nodepool == pool}
    if pool:
        written.add(snapshot.nodepools_by_name[pool].spec.template.spec.expire_after)
    lives = map(duration, written)
    near = [span for span in lives if span and lived is not None and abs(lived - span) <= min(_NEAR, span / 10)]
    if near and lived is not None:
        lives_for = f"it lived {spoken(lived)}, and nodes of {pool} have expireAfter {spoken(near[0])}"
        return f"{told}: probably its expiry, which leaves no event; {lives_for}"
    return f"{told}: an expiry, a deletion by hand, and repair leave none"
