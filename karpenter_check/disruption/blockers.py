"""Everything that keeps Karpenter from disrupting a node gracefully, where Karpenter itself says the first thing alone.

Source: `disruption/types.go:NewCandidate`, `state/statenode.go:ValidateNodeDisruptable` (1.0 to 1.14). Budgets are another question.
A NodePool whose instance types cannot be listed blocks, too; no snapshot shows that.
"""

from collections.abc import Iterator
from dataclasses import replace

from karpenter_check.disruption.blocker import Blocker, Lasts, Word, certainty, unknown
from karpenter_check.disruption.nominated import anybody_waits, nomination_of
from karpenter_check.disruption.pod_blockers import pod_blockers
from karpenter_check.disruption.pods import DISRUPTED_TAINT
from karpenter_check.disruption.state_node import StateNode, state_node
from karpenter_check.finding import Confidence
from karpenter_check.snapshot import Kind, Node, NodeClaim, Ref, Snapshot, Version
from karpenter_check.snapshot.node import NODEPOOL_LABEL

_NODEPOOL_LABEL_ALONE = Version(1, 1)
_ONCE_REQUIRED = ("karpenter.sh/capacity-type", "topology.kubernetes.io/zone", "node.kubernetes.io/instance-type")
"""Labels without which Karpenter before 1.1 disrupted no node."""


def blockers(snapshot: Snapshot, of: Node | NodeClaim, *, eventual: bool = False) -> tuple[Blocker, ...]:
    """All that keeps the node from being disrupted now, in Karpenter's order; what could not be looked at comes as `Word.UNKNOWN`.

    `eventual` is for drift: with a terminationGracePeriod on the NodeClaim no pod and no PodDisruptionBudget keeps it from that
    (`EventualDisruptionClass`); consolidation and emptiness are kept all the same. `pod_blockers` tells what is waived.
    """
    state = state_node(snapshot, of)
    node, claim = state.node, state.nodeclaim
    if claim is None:
        return tuple(_unmanaged(snapshot, state))
    found = [
        *_node_missing(snapshot, claim, node),
        *_not_initialized(snapshot, state),
        *_terminating(state),
        *_nominated(snapshot, state),
    ]
    found += [*_annotated(state), *_nodepool(snapshot, state)]
    if node and not (eventual and claim.termination_grace_period is not None):
        found += pod_blockers(snapshot, node)
    return tuple(found)


def _unmanaged(snapshot: Snapshot, state: StateNode) -> Iterator[Blocker]:
    """Without a NodeClaim Karpenter leaves a node alone. One of a young node may not have been listed yet."""
    confidence = certainty(snapshot, Kind.NODECLAIM)
    created = state.node.metadata.creation_timestamp if state.node else None
    if confidence is None:
        yield unknown(snapshot, "whether it is Karpenter's", Kind.NODECLAIM, state.ref)
    elif created and not snapshot.settled(created):
        said = "whether it is Karpenter's is not known: its NodeClaim may have come after NodeClaims were listed"
        yield Blocker(Word.UNKNOWN, said, (state.ref,), Confidence.POSSIBLE, Lasts.UNKNOWN)
    else:
        said = "it has no NodeClaim, so it is not Karpenter's to disrupt"
        yield Blocker(Word.UNMANAGED, said, (state.ref,), confidence, Lasts.FOR_EVER, created)


def _node_missing(snapshot: Snapshot, claim: NodeClaim, node: Node | None) -> Iterator[Blocker]:
    if node:
        return
    confidence, created = certainty(snapshot, Kind.NODE), claim.metadata.creation_timestamp
    ref = Ref("NodeClaim", claim.name, "karpenter.sh/v1")
    if confidence is None:
        yield unknown(snapshot, "whether it has a Node", Kind.NODE, ref)
    else:
        yield Blocker(Word.NO_NODE, "its NodeClaim has no Node", (ref,), confidence, since=created)


def _not_initialized(snapshot: Snapshot, state: StateNode) -> Iterator[Blocker]:
    """Karpenter goes by the Node's label, which it writes once; nothing writes it again (`nodeclaim/lifecycle/initialization.go`)."""
    if not state.node or not state.nodeclaim or state.node.initialized:
        return
    condition = state.nodeclaim.condition("Initialized")
    if condition and condition.status == "True" and not snapshot.settled(condition.last_transition_time):
        said = "its Node was listed without the label karpenter.sh/initialized, which it gets as it is initialized"
        yield Blocker(Word.NOT_INITIALIZED, said, (state.ref,), Confidence.LIKELY)
        return
    if condition and condition.status == "True":
        said = "its label karpenter.sh/initialized was taken away, and Karpenter does not write it again"
        yield Blocker(Word.NOT_INITIALIZED, said, (state.ref,), lasts=Lasts.FOR_EVER)
        return
    why = (condition.message or condition.reason) if condition else ""
    said = "it is not initialized" + (f": {why}" if why else "")
    yield Blocker(Word.NOT_INITIALIZED, said, (state.ref,), since=state.nodeclaim.metadata.creation_timestamp)


def _terminating(state: StateNode) -> Iterator[Blocker]:
    """It is on its way out (`StateNode.Deleted`), or a disruption of it has begun, which Karpenter remembers and marks (`Queue`)."""
    node, claim = state.node, state.nodeclaim
    terminating, reason = claim and claim.condition("InstanceTerminating"), claim and claim.condition("DisruptionReason")
    deleted = next(
        (entry.metadata.deletion_timestamp for entry in (claim, node) if entry and entry.metadata.deletion_timestamp), None
    )
    if deleted:
        yield Blocker(Word.TERMINATING, "it is being deleted", state.refs, since=deleted)
    elif terminating and terminating.status == "True":
        yield Blocker(Word.TERMINATING, "its instance is being terminated", state.refs, since=terminating.last_transition_time)
    elif reason and reason.status == "True":
        said, since = f"Karpenter has begun to disrupt it as {reason.reason}", reason.last_transition_time
        yield Blocker(Word.TERMINATING, said, state.refs, Confidence.LIKELY, since=since)
    elif node and any(taint.key == DISRUPTED_TAINT.key for taint in node.spec.taints):
        said = f"its taint {DISRUPTED_TAINT} says that Karpenter has begun to disrupt it"
        yield Blocker(Word.TERMINATING, said, state.refs, Confidence.LIKELY)


def _nominated(snapshot: Snapshot, state: StateNode) -> Iterator[Blocker]:
    found = nomination_of(snapshot, state)
    if found:
        yield found
    elif certainty(snapshot, Kind.EVENT) is None and anybody_waits(snapshot):
        yield unknown(snapshot, "whether it is nominated for a pod", Kind.EVENT)


def _annotated(state: StateNode) -> Iterator[Blocker]:
    """Of a node only `true` counts; a duration does nothing there."""
    if state.annotations.do_not_disrupt == "true":
        said = f'{state.annotated} says karpenter.sh/do-not-disrupt: "true"'
        yield Blocker(Word.DO_NOT_DISRUPT_NODE, said, (state.annotated,), lasts=Lasts.FOR_EVER)


def _nodepool(snapshot: Snapshot, state: StateNode) -> Iterator[Blocker]:
    """The NodePool's label, the NodePool itself, and before 1.1 three labels more."""
    version, name = snapshot.karpenter_version, state.labels.get(NODEPOOL_LABEL)
    once = _ONCE_REQUIRED if version and version < _NODEPOOL_LABEL_ALONE else ()
    for label in (*once, NODEPOOL_LABEL):
        if label not in state.labels:
            said = f"{state.annotated} has no label {label}"
            yield Blocker(Word.MISSING_LABEL, said, (state.annotated,), lasts=Lasts.FOR_EVER)
    if name is None or name in snapshot.nodepools_by_name:
        return
    confidence, ref = certainty(snapshot, Kind.NODEPOOL), Ref("NodePool", name, "karpenter.sh/v1")
    missing = Blocker(Word.NODEPOOL_NOT_FOUND, f"there is no {ref}", (ref,), lasts=Lasts.FOR_EVER)
    yield (
        replace(missing, confidence=confidence) if confidence else unknown(snapshot, f"whether there is {ref}", Kind.NODEPOOL, ref)
    )
