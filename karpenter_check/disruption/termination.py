"""How far the termination of a node has come, and what it waits for.

Source: `nodeclaim/lifecycle/controller.go:finalize`, `node/termination/controller.go:finalize` (1.0 to 1.14). The conditions that tell it are
written since 1.6, InstanceTerminating since 1.0.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from karpenter_check.disruption.attachments import Attachments, attachments, named
from karpenter_check.disruption.blocker import certainty
from karpenter_check.disruption.drain import Held, held_pods
from karpenter_check.disruption.expiry import forced_end
from karpenter_check.disruption.state_node import StateNode, state_node
from karpenter_check.finding import Confidence
from karpenter_check.snapshot import Kind, Node, NodeClaim, Snapshot, Version

FINALIZER = "karpenter.sh/termination"
_WRITES_CONDITIONS = Version(1, 6)


class Phase(StrEnum):
    """What the termination is at."""

    NOT_BEGUN = "not_begun"
    """Deleted, and Karpenter has done nothing about it yet."""
    NEVER_REGISTERED = "never_registered"
    """No Node is drained; the instance, if there is one, is deleted at once."""
    DRAINING = "draining"
    VOLUMES = "volumes"
    INSTANCE_TERMINATING = "instance_terminating"
    OTHER_FINALIZERS = "other_finalizers"
    """Karpenter has done its part; somebody else's finalizer holds it."""
    DONE = "done"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Termination:
    """The termination of a node or NodeClaim that is being deleted."""

    phase: Phase
    deleted: datetime
    """Since when it is being deleted."""
    since: datetime | None
    """Since when it is at this phase, where something tells."""
    said: str
    held: tuple[Held, ...] = ()
    """The pods that the drain waits for, while it waits."""
    forced_end: datetime | None = None
    """When its pods go by force; None where nothing ends the drain."""
    finalizers: tuple[str, ...] = ()
    """The finalizers that are not Karpenter's."""
    unseen: tuple[Kind, ...] = ()
    """Kinds that were not all seen, so that more may hold the drain."""
    attached: Attachments | None = None
    """While it waits for volumes: what is attached to the node, where that was seen."""

    @property
    def endless(self) -> bool:
        """Whether a pod that never leaves by itself holds the drain, and nothing forces it: it lasts until somebody acts."""
        return self.forced_end is None and any(entry.for_ever for entry in self.held)


def termination(snapshot: Snapshot, of: Node | NodeClaim) -> Termination | None:
    """How far the termination of the node has come; None of one that nobody deletes."""
    state = state_node(snapshot, of)
    entries = [entry.metadata for entry in (state.nodeclaim, state.node) if entry]
    deleted = min((entry.deletion_timestamp for entry in entries if entry.deletion_timestamp), default=None)
    if deleted is None:
        return None
    phase, since, said = _phase(snapshot, state, deleted)
    holding = phase in {Phase.DRAINING, Phase.NOT_BEGUN, Phase.UNKNOWN} and state.node
    needed = (Kind.POD, Kind.PODDISRUPTIONBUDGET)
    unseen = tuple(kind for kind in needed if certainty(snapshot, kind) is None) if holding else ()
    if phase is Phase.UNKNOWN and state.node is None:
        unseen = (Kind.NODE,)
    attached = attachments(snapshot, state.node.name) if phase is Phase.VOLUMES and state.node else None
    if attached and attached.awaited:
        said += f": {named(snapshot, attached.awaited)}"
    return Termination(
        phase,
        deleted,
        since,
        said,
        held_pods(snapshot, state.node.name) if holding and state.node else (),
        forced_end(state.nodeclaim) if state.nodeclaim else None,
        tuple(dict.fromkeys(name for entry in entries for name in entry.finalizers if name != FINALIZER)),
        unseen,
        attached,
    )


_Answer = tuple[Phase, datetime | None, str]


def _phase(snapshot: Snapshot, state: StateNode, deleted: datetime) -> _Answer:
    node, claim = state.node, state.nodeclaim
    last = node.metadata if node else claim.metadata if claim else None
    never_registered = claim and claim.metadata.deletion_timestamp and not claim.is_true("Registered")
    held = claim.metadata if claim and never_registered else last
    if held and held.deletion_timestamp and held.finalizers and FINALIZER not in held.finalizers:
        return Phase.OTHER_FINALIZERS, None, f"{', '.join(held.finalizers)} holds it; Karpenter has done its part"
    if never_registered:
        return Phase.NEVER_REGISTERED, deleted, "it never registered: nothing is drained, its instance is deleted at once"
    if claim and (terminating := claim.condition("InstanceTerminating")) and terminating.status == "True":
        if not last or not last.finalizers:
            return Phase.DONE, None, "its instance is terminated, and no finalizer is left"
        return Phase.INSTANCE_TERMINATING, terminating.last_transition_time, "its instance is being terminated"
    if node is None:
        if certainty(snapshot, Kind.NODE) is not Confidence.CERTAIN:
            return Phase.UNKNOWN, None, f"whether it still has a Node is not known: Node is {snapshot.covered(Kind.NODE)}"
        return Phase.INSTANCE_TERMINATING, None, "its Node is gone, and its instance is to be deleted"
    if node.metadata.deletion_timestamp is None:
        return Phase.NOT_BEGUN, deleted, "its NodeClaim is being deleted, and Karpenter has not deleted its Node yet"
    if claim and claim.metadata.deletion_timestamp is None:
        return Phase.NOT_BEGUN, deleted, "its Node is being deleted, and Karpenter has not deleted its NodeClaim yet"
    return (_of_conditions(claim) if claim else None) or _of_pods(snapshot, node, claim)


def _of_conditions(claim: NodeClaim) -> _Answer | None:
    """What Drained and VolumesDetached say; the later one first."""
    drained, detached = claim.condition("Drained"), claim.condition("VolumesDetached")
    if detached and detached.status == "Unknown":
        return Phase.VOLUMES, detached.last_transition_time, "it is drained, and waits for volumes to be detached"
    if detached:
        how = "its volumes are detached" if detached.status == "True" else "its volumes are waited for no more"
        return Phase.INSTANCE_TERMINATING, detached.last_transition_time, f"{how}, and its instance is to be deleted"
    if drained and drained.status == "True":
        return Phase.VOLUMES, drained.last_transition_time, "it is drained, and its volumes are looked at next"
    return (Phase.DRAINING, drained.last_transition_time, "it is being drained") if drained else None


def _of_pods(snapshot: Snapshot, node: Node, claim: NodeClaim | None) -> _Answer:
    """Without conditions, which Karpenter writes since 1.6 and on NodeClaims, the pods are what tells."""
    version, deleted = snapshot.karpenter_version, node.metadata.deletion_timestamp
    if claim and version and version >= _WRITES_CONDITIONS:
        return Phase.NOT_BEGUN, deleted, "it is being deleted, and Karpenter has not begun to drain it"
    if held_pods(snapshot, node.name):
        return Phase.DRAINING, deleted, "it is being drained"
    return Phase.UNKNOWN, None, "no pod is seen that it waits for; whether volumes or its instance hold it is not said"
