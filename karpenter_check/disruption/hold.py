"""What holds a termination up, told from what it may rightly wait for.

Source: `node/termination/controller.go`, `node/termination/terminator` (1.0 to 1.14); kubernetes-sigs/karpenter issue 3144.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from karpenter_check.disruption.attachments import states
from karpenter_check.disruption.blocker import Lasts
from karpenter_check.disruption.drain import Held
from karpenter_check.disruption.eviction import budgets_of
from karpenter_check.disruption.pod_blockers import annotated
from karpenter_check.disruption.termination import Phase, Termination
from karpenter_check.finding import Confidence
from karpenter_check.scheduling.nomination import pod_ref
from karpenter_check.snapshot import Kind, Snapshot
from karpenter_check.snapshot.counted import few, plural
from karpenter_check.snapshot.duration import spoken

LATE = timedelta(minutes=5)
"""So long after its forced end a drain should be over."""

FINISHES = timedelta(hours=24)
"""So long a pod may take to finish of which it is not known whether it does: a bare one, or one of an operator, as CI runners are."""


class Cause(StrEnum):
    """What holds it: stable words."""

    DO_NOT_DISRUPT = "pod-do-not-disrupt"
    MULTIPLE_PDBS = "multiple-pdbs"
    PDB = "pdb"
    PODS = "pods"
    """Pods that nothing keeps, and that are not evicted."""
    NOT_FORCED = "not-forced"
    """Pods that should have gone by force."""
    VOLUMES = "volumes"
    INSTANCE = "instance"
    NEVER_REGISTERED = "never-registered"
    FINALIZER = "finalizer"
    NOT_BEGUN = "not-begun"
    UNKNOWN = "unknown"


class Firm(StrEnum):
    """How firmly it holds."""

    FOR_EVER = "for_ever"
    """Until somebody acts."""
    STUCK = "stuck"
    """It may end by itself, and should not last."""
    RIGHTLY = "rightly"
    """It may be meant so, or about to end: a Job or a bare pod that asked not to be disturbed, a wait of which not all was seen."""


@dataclass(frozen=True)
class Hold:
    """What holds a termination up."""

    cause: Cause
    firm: Firm
    said: str
    """A clause that ends "terminating for 1h: …"."""
    why: str
    pods: tuple[Held, ...] = ()
    """The pods that hold it, the worst first."""
    confidence: Confidence = Confidence.CERTAIN


_KEPT = {
    Cause.DO_NOT_DISRUPT: "Karpenter waits for the pod and never evicts it",
    Cause.MULTIPLE_PDBS: "the API server refuses to evict a pod that several PodDisruptionBudgets match, whatever they allow",
    Cause.PDB: "Karpenter asks again and again to evict the pod, and the API server refuses as long as the budget allows nothing",
}


def keeper(entry: Held) -> Cause:
    """What keeps a pod that something keeps."""
    return Cause.DO_NOT_DISRUPT if not entry.budgets else Cause.PDB if len(entry.budgets) == 1 else Cause.MULTIPLE_PDBS


def hold(snapshot: Snapshot, ending: Termination) -> Hold | None:
    """What holds the termination up; None where it only waits for what is on its way, or is done."""
    match ending.phase:
        case Phase.DONE:
            return None
        case Phase.DRAINING:
            return _of_drain(snapshot, ending)
        case Phase.UNKNOWN if ending.unseen:
            return _unseen(snapshot, ending)
        case Phase.UNKNOWN:
            return Hold(Cause.UNKNOWN, Firm.RIGHTLY, ending.said, "only Karpenter 1.6 and later says it", (), Confidence.POSSIBLE)
        case Phase.VOLUMES:
            return Hold(Cause.VOLUMES, Firm.STUCK, ending.said, "; ".join(_of_volumes(snapshot, ending)))
        case Phase.OTHER_FINALIZERS:
            return Hold(Cause.FINALIZER, Firm.STUCK, ending.said, "it goes once whoever set the finalizer takes it away")
        case Phase.NOT_BEGUN:
            return Hold(Cause.NOT_BEGUN, Firm.STUCK, ending.said, "Karpenter does that within seconds where it runs and is well")
        case Phase.NEVER_REGISTERED:
            return Hold(Cause.NEVER_REGISTERED, Firm.STUCK, ending.said, _CLOUD)
        case Phase.INSTANCE_TERMINATING:
            return Hold(Cause.INSTANCE, Firm.STUCK, ending.said, _CLOUD)


def _of_volumes(snapshot: Snapshot, ending: Termination) -> Iterator[str]:
    """Why it waits for volumes."""
    yield "Karpenter waits until the VolumeAttachments of its pods are gone"
    if ending.attached is None:
        yield f"which ones is not known: VolumeAttachment is {snapshot.covered(Kind.VOLUMEATTACHMENT)}"
        return
    if not ending.attached.awaited:
        yield "none of them was seen, so that the last may just have gone"
    yield from states(snapshot, ending.attached)


_CLOUD = "Karpenter asks the cloud until the instance is gone; what the cloud answers stands in Karpenter's log alone"


def _of_drain(snapshot: Snapshot, ending: Termination) -> Hold | None:
    """What holds a drain; nothing where its pods are on their way out, each within the time that it asked for."""
    turn = [entry for entry in ending.held if entry.turn]
    staying = [entry for entry in turn if not entry.pod.metadata.deletion_timestamp]
    if ending.endless:
        return _kept([entry for entry in ending.held if entry.for_ever], Firm.FOR_EVER)
    if ending.forced_end and staying and snapshot.taken_at - ending.forced_end >= LATE:
        late = spoken(snapshot.taken_at - ending.forced_end)
        said = f"{_listed(staying)} should have gone by force {late} ago"
        return Hold(
            Cause.NOT_FORCED,
            Firm.STUCK,
            said,
            "past the forced end Karpenter deletes its pods, whatever keeps them",
            tuple(staying),
        )
    kept = [entry for entry in staying if entry.by]
    if firmly := [entry for entry in kept if entry.budgets or entry.for_ever]:
        return _kept(firmly, Firm.STUCK)
    if kept:
        lingers = any(annotated(snapshot, entry.pod).lasts is Lasts.UNKNOWN for entry in kept)
        return _kept(kept, Firm.STUCK if lingers and snapshot.taken_at - ending.deleted >= FINISHES else Firm.RIGHTLY)
    if ending.unseen:
        return _unseen(snapshot, ending)
    if len(staying) < len(turn):
        return None  # Karpenter evicts here, and pods may take their time
    return _not_evicted(snapshot, ending, staying)


def _unseen(snapshot: Snapshot, ending: Termination) -> Hold:
    kinds = " and ".join(f"{kind} is {snapshot.covered(kind)}" for kind in ending.unseen)
    why = "pods may take their time, or be kept; without them it cannot be told"
    return Hold(Cause.UNKNOWN, Firm.RIGHTLY, f"what it waits for is not known: {kinds}", why, (), Confidence.POSSIBLE)


def _kept(entries: Sequence[Held], firm: Firm) -> Hold:
    """What the pods are kept by, of several causes the first in the order of `Cause`."""
    cause = min(map(keeper, entries), key=list(Cause).index)
    pods = tuple(entry for entry in entries if keeper(entry) is cause) + tuple(
        entry for entry in entries if keeper(entry) is not cause
    )
    same = [entry for entry in pods if entry.by == pods[0].by]
    said = f"{_listed(same)} {'is' if len(same) == 1 else 'are'} kept by {pods[0].by}"
    if len(same) < len(pods):
        said += f"; {plural(len(pods) - len(same), 'pod')} more by others"
    sure = cause is not Cause.PDB or firm is Firm.FOR_EVER
    return Hold(cause, firm, said, _KEPT[cause], pods, Confidence.CERTAIN if sure else Confidence.LIKELY)


def _not_evicted(snapshot: Snapshot, ending: Termination, pods: Sequence[Held]) -> Hold:
    """Pods that nothing keeps and that nobody evicts, which is sure of those alone whose turn came first and that no budget matches."""
    if not pods:
        said = "no pod is left that its drain waits for, and Karpenter has not gone on"
        return Hold(Cause.UNKNOWN, Firm.RIGHTLY, said, "the last pod may just have gone", (), Confidence.POSSIBLE)
    first = [
        entry
        for entry in pods
        if entry.tier == 1
        and (created := entry.pod.metadata.creation_timestamp)
        and created <= ending.deleted
        and not budgets_of(snapshot, entry.pod)
    ]
    said = f"{_listed(first or pods)} {'is' if len(first or pods) == 1 else 'are'} not evicted, and nothing that was seen keeps "
    said += "it" if len(first or pods) == 1 else "them"
    if first:
        why = "Karpenter's eviction of it fails or is never tried (its log says which): an admission webhook, or Karpenter's issue 3144"
        return Hold(Cause.PODS, Firm.STUCK, said, why, tuple(first), Confidence.LIKELY)
    why = "pods are evicted in waves, and as their budgets allow; the turn of these may just have come"
    return Hold(Cause.PODS, Firm.RIGHTLY, said, why, tuple(pods), Confidence.POSSIBLE)


def _listed(entries: Sequence[Held]) -> str:
    return few([pod_ref(entry.pod) for entry in entries], 1)
