"""What keeps Karpenter from disrupting a node, as a value."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from karpenter_check.finding import Confidence
from karpenter_check.snapshot import Kind, Ref, Snapshot


class Word(StrEnum):
    """A stable word for each blocker, in the order in which Karpenter looks for them; it says the first one that it finds."""

    UNMANAGED = "unmanaged"
    NO_NODE = "no_node"
    NOT_INITIALIZED = "not_initialized"
    TERMINATING = "terminating"
    NOMINATED = "nominated"
    DO_NOT_DISRUPT_NODE = "do_not_disrupt_node"
    MISSING_LABEL = "missing_label"
    NODEPOOL_NOT_FOUND = "nodepool_not_found"
    DO_NOT_DISRUPT_POD = "do_not_disrupt_pod"
    MULTIPLE_PDBS = "multiple_pdbs"
    PDB = "pdb"
    BUDGET = "budget"
    PODS_WOULD_NOT_SCHEDULE = "pods_would_not_schedule"
    UNKNOWN = "unknown"
    """Whether something blocks cannot be told from the snapshot; the blocker says what."""


class Lasts(StrEnum):
    """How long a blocker stands if nobody does anything."""

    FOR_EVER = "for_ever"
    MAY_END = "may_end"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Blocker:
    """One thing that keeps Karpenter from disrupting a node, or, as `Word.UNKNOWN`, that could not be looked at."""

    word: Word
    said: str
    """A clause that ends "it is kept because …"."""
    objects: tuple[Ref, ...] = ()
    """Those responsible, the first one first."""
    confidence: Confidence = Confidence.CERTAIN
    lasts: Lasts = Lasts.MAY_END
    since: datetime | None = None
    """Since when, where something tells."""
    until: datetime | None = None
    """When it passes by itself, where that is known."""


def certainty(snapshot: Snapshot, kind: Kind) -> Confidence | None:
    """How sure one may be that an object which was not seen is not there; None where that says nothing."""
    if snapshot.whole(kind):
        return Confidence.CERTAIN
    return Confidence.LIKELY if snapshot.covered(kind).sufficient else None


def unknown(snapshot: Snapshot, question: str, kind: Kind, *objects: Ref) -> Blocker:
    """That a question has no answer, because objects of that kind were not all seen."""
    return Blocker(Word.UNKNOWN, f"{question} is not known: {kind} is {snapshot.covered(kind)}", objects, Confidence.POSSIBLE, Lasts.UNKNOWN)  # fmt: skip
