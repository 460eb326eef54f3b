"""Who wrote a node's labels and taints."""

import pytest

from karpenter_check.snapshot import Node
from karpenter_check.snapshot.metadata import Fields, FieldsOfMetadata, FieldsOfSpec, ManagedFields
from karpenter_check.snapshot.node import NodeMetadata, Writer
from karpenter_check.snapshot.part import Present
from tests.build import a_node, ago


def label(key: str) -> Fields:
    return Fields(FieldsOfMetadata({"f:other": Present(), f"f:{key}": Present()}))


TAINTS = Fields(spec=FieldsOfSpec(Present()))


def a_node_written_by(*entries: ManagedFields) -> Node:
    return Node(NodeMetadata("n1", managed_fields=entries))


def test_the_manager_of_a_label_wrote_it() -> None:
    node = a_node("n1", age="2h", labels={"heavy": "yes"}, written_by={"heavy": "kubectl-label"})

    assert node.label_writer("heavy") == Writer("kubectl-label", ago("2h"))


def test_the_last_of_several_managers_wrote_it() -> None:
    node = a_node_written_by(
        ManagedFields("karpenter", ago("2h"), label("heavy")),
        ManagedFields("labeller", ago("1h"), label("heavy")),
        ManagedFields("timeless", None, label("heavy")),
        ManagedFields("kubelet", ago("1m"), label("heavier")),
    )

    assert node.label_writer("heavy") == Writer("labeller", ago("1h"))


def test_a_manager_without_a_time_is_better_than_none() -> None:
    node = a_node_written_by(ManagedFields("one", None, label("heavy")), ManagedFields("two", None, label("heavy")))

    assert node.label_writer("heavy") == Writer("two", None)


def test_the_manager_of_the_taints_wrote_them() -> None:
    node = a_node_written_by(
        ManagedFields("karpenter", ago("2h"), TAINTS),
        ManagedFields("some-agent", ago("1h"), TAINTS),
        ManagedFields("kubelet", ago("1m"), label("heavy")),
    )

    assert node.taints_writer() == Writer("some-agent", ago("1h"))


@pytest.mark.parametrize("node", [a_node("n1", labels={"heavy": "yes"}), a_node_written_by(ManagedFields("kubelet", ago("1m")))])
def test_where_the_input_does_not_say_nobody_wrote_them(node: Node) -> None:
    assert (node.label_writer("heavy"), node.taints_writer()) == (None, None)
