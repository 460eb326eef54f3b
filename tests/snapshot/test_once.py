"""What is computed of a snapshot once."""

import gc
import weakref

from karpenter_check.snapshot import Snapshot
from karpenter_check.snapshot.once import once
from tests.build import a_cluster, a_node


def test_the_same_snapshot_is_asked_once_and_another_one_for_itself() -> None:
    asked: list[Snapshot] = []

    @once
    def names(snapshot: Snapshot) -> tuple[str, ...]:
        asked.append(snapshot)
        return tuple(node.name for node in snapshot.nodes)

    one, other = a_cluster(a_node("n1")), a_cluster(a_node("n2"))

    assert [names(one), names(other), names(one)] == [("n1",), ("n2",), ("n1",)]
    assert [snapshot.nodes for snapshot in asked] == [one.nodes, other.nodes]


def test_nothing_keeps_a_snapshot_whose_answer_is_remembered() -> None:
    @once
    def itself(snapshot: Snapshot) -> Snapshot:
        return snapshot

    gone = a_cluster(a_node("n1"))
    last = weakref.ref(gone)
    itself(gone)
    del gone
    gc.collect()

    assert last() is None
