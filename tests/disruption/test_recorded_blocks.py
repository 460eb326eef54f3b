"""What keeps the nodes of a recorded cluster, held against what its Karpenter said of them itself."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from karpenter_check.collect.files import read_files
from karpenter_check.disruption.blocker import Word
from karpenter_check.disruption.blockers import blockers
from karpenter_check.snapshot import Node, Snapshot, Version

RECORDING = Path(__file__).parent.parent / "recordings" / "faults"
REPEATED_WITHIN = timedelta(minutes=2, seconds=30)
"""Karpenter says again what still holds after 2 minutes, at its next look at the node."""
WORDS = {
    "Node isn't initialized": Word.NOT_INITIALIZED,
    "Node is deleting or marked for deletion": Word.TERMINATING,
    "Node is nominated for a pending pod": Word.NOMINATED,
    'Pod has "karpenter.sh/do-not-disrupt" annotation': Word.DO_NOT_DISRUPT_POD,
    "Eviction does not support multiple PDBs": Word.MULTIPLE_PDBS,
    "Pdb prevents pod evictions": Word.PDB,
}


def recorded() -> Snapshot:
    taken_at = datetime.fromisoformat((RECORDING / "taken-at").read_text().strip())
    return replace(read_files([RECORDING], at=taken_at).snapshot, karpenter_version=Version(1, 13))


def told(snapshot: Snapshot, node: Node) -> Sequence[Word]:
    """What Karpenter told of the node last, if it still stands."""
    said = [
        (event.last_seen, event.message)
        for event in snapshot.events_by_reason.get("DisruptionBlocked", ())
        if event.involved_object.name == node.name and event.last_seen and snapshot.taken_at - event.last_seen <= REPEATED_WITHIN
    ]
    return [word for begin, word in WORDS.items() if said and max(said)[1].startswith(begin)]


def test_the_first_blocker_of_each_node_is_the_one_that_karpenter_tells() -> None:
    snapshot = recorded()
    first = {node.name: [blocker.word for blocker in blockers(snapshot, node)][:1] for node in snapshot.nodes}

    assert first == {node.name: told(snapshot, node) for node in snapshot.nodes}
    assert sorted(word for words in first.values() for word in words) == sorted([*WORDS.values(), Word.DO_NOT_DISRUPT_POD])
