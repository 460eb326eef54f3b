"""What Karpenter asks of a node before it disrupts it, one check after another, and what each answers.

Source: `disruption/types.go:NewCandidate`, `state/statenode.go:ValidateNodeDisruptable` (1.13); the blockers are `disruption.blockers`'.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from karpenter_check.disruption.blocker import Blocker, Word, certainty
from karpenter_check.disruption.blockers import blockers
from karpenter_check.disruption.budget_blocker import BudgetAnswer, budget_answer
from karpenter_check.disruption.candidate import DRIFTED, EMPTY, UNDERUTILIZED
from karpenter_check.disruption.nominated import anybody_waits
from karpenter_check.disruption.state_node import StateNode
from karpenter_check.finding import Confidence
from karpenter_check.snapshot import Kind, NodePool, Snapshot
from karpenter_check.snapshot.node import NODEPOOL_LABEL


class Mark(StrEnum):
    """What a check answers."""

    BLOCKS = "blocks"
    PASSES = "passes"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Check:
    """One check. Several that block may be of one word: each PodDisruptionBudget is one."""

    word: Word
    mark: Mark
    said: str
    blocker: Blocker | None = None
    """What blocks."""


_NAMES = (
    (Word.NO_NODE, "has a Node", (Kind.NODE,)),
    (Word.NOT_INITIALIZED, "initialized", (Kind.NODE,)),
    (Word.TERMINATING, "not deleting", (Kind.NODE,)),
    (Word.NOMINATED, "nominated: no event says so", (Kind.EVENT,)),
    (Word.DO_NOT_DISRUPT_NODE, "do-not-disrupt on it: none", (Kind.NODE,)),
    (Word.MISSING_LABEL, "", ()),
    (Word.NODEPOOL_NOT_FOUND, "NodePool is there", (Kind.NODEPOOL,)),
    (Word.DO_NOT_DISRUPT_POD, "do-not-disrupt on pods: none", (Kind.POD,)),
    (Word.MULTIPLE_PDBS, "", ()),
    (Word.PDB, "PDBs: none in the way", (Kind.POD, Kind.PODDISRUPTIONBUDGET)),
)
"""In Karpenter's order: the check, what to say where it passes, and what must have been seen for that."""
_OF_NODE = {Word.NO_NODE, Word.NOT_INITIALIZED, Word.TERMINATING, Word.DO_NOT_DISRUPT_NODE}
_OF_PODS = {Word.DO_NOT_DISRUPT_POD, Word.MULTIPLE_PDBS, Word.PDB}


def checks(snapshot: Snapshot, state: StateNode, nodepool: NodePool | None, reason: str) -> tuple[Check, ...]:
    """Each check of a node that is Karpenter's; the budgets' for the reason, or where none is wanted for each.

    A check that was not made because something before it says no, as with pods of a NodeClaim without a Node, is left out.
    """
    of, claim = state.node or state.nodeclaim, state.nodeclaim
    if of is None or claim is None:
        return ()
    waived = _waived(state, reason)
    found = blockers(snapshot, of, eventual=reason == DRIFTED)
    answers: list[Check] = []
    for word, passes, needs in _NAMES:
        if word in _OF_PODS and (waived or state.node is None):
            continue
        blocking = [blocker for blocker in found if blocker.word is word]
        answers += [Check(word, Mark.BLOCKS, blocker.said, blocker) for blocker in blocking]
        if not blocking and passes and not _cannot_be_asked(state, word):
            known = state.node is not None if word in _OF_NODE else nodepool is not None and word is Word.NODEPOOL_NOT_FOUND
            answers.append(_without_blocker(snapshot, word, passes, () if known else needs))
    if waived and state.node:
        said = f"pods and PDBs: drift does not ask them (terminationGracePeriod {claim.spec.termination_grace_period})"
        answers.append(Check(Word.DO_NOT_DISRUPT_POD, Mark.PASSES, said))
    if nodepool and state.node and state.node.initialized:  # others do not count, so no budget is theirs
        answers += _budgets(snapshot, nodepool, (reason,) if reason else (DRIFTED, EMPTY, UNDERUTILIZED))
    if state.node and reason in {DRIFTED, UNDERUTILIZED}:
        said = "whether its pods would find another place: only Karpenter's own simulation tells"
        if nodepool and nodepool.static:  # `disruption/staticdrift.go` simulates nothing
            said = "whether its replacement may be made first: not above limits.nodes, nor while there are more nodes than replicas"
        answers.append(Check(Word.PODS_WOULD_NOT_SCHEDULE, Mark.UNKNOWN, said))
    return tuple(answers)


def _waived(state: StateNode, reason: str) -> bool:
    """Whether neither pods nor PodDisruptionBudgets keep it: drift with a terminationGracePeriod (`EventualDisruptionClass`)."""
    return reason == DRIFTED and state.nodeclaim is not None and state.nodeclaim.termination_grace_period is not None


def unasked(state: StateNode, reason: str, asked: Sequence[Check]) -> Mapping[Word, str]:
    """Blockers that may be there, though no check says so, and why.

    Karpenter goes on saying that pods keep a node from consolidation where its drift asks none of them (`NewCandidate`).
    """
    if _waived(state, reason):
        return dict.fromkeys(_OF_PODS, "that keeps it from consolidation, not from drift")
    words = {check.word for check in asked if check.mark is Mark.UNKNOWN}
    if Word.PDB in words:
        words.add(Word.MULTIPLE_PDBS)
    return dict.fromkeys(words, "what it speaks of was not seen here")


def _cannot_be_asked(state: StateNode, word: Word) -> bool:
    """Whether the check has no object: a Node that is not there, or a NodePool that no label names."""
    if word is Word.NOT_INITIALIZED:
        return state.node is None
    return word is Word.NODEPOOL_NOT_FOUND and not state.labels.get(NODEPOOL_LABEL)


def _without_blocker(snapshot: Snapshot, word: Word, passes: str, needs: Sequence[Kind]) -> Check:
    if word is Word.NOMINATED and certainty(snapshot, Kind.POD) and not anybody_waits(snapshot):
        return Check(word, Mark.PASSES, "nominated: no pod waits")
    unseen = [kind for kind in needs if certainty(snapshot, kind) is None]
    if unseen:
        question = passes.partition(":")[0]
        return Check(word, Mark.UNKNOWN, f"{question}: {' and '.join(f'{kind} is {snapshot.covered(kind)}' for kind in unseen)}")
    partial = any(certainty(snapshot, kind) is not Confidence.CERTAIN for kind in needs)
    return Check(word, Mark.PASSES, passes + (", as far as was seen" if partial else ""))


def _budgets(snapshot: Snapshot, nodepool: NodePool, reasons: Sequence[str]) -> Iterator[Check]:
    """A check for each answer, with the reasons for which it is so."""
    answers: dict[BudgetAnswer, list[str]] = {}
    for reason in reasons:
        answers.setdefault(budget_answer(snapshot, nodepool, reason), []).append(reason)
    marks = {True: Mark.PASSES, False: Mark.BLOCKS, None: Mark.UNKNOWN}
    for answer, of in answers.items():
        whom = "" if len(of) == len(reasons) > 1 else f" for {' and '.join(of)}"
        told = f"budget{whom}{answer.said}"
        yield Check(Word.BUDGET, marks[answer.free], told, answer.blocker(nodepool, told))
