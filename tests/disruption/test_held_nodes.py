"""Which nodes pods hold that cannot be evicted, and how that is told."""

from datetime import timedelta

import pytest

from karpenter_check.disruption.due import LOOK_AHEAD, Due
from karpenter_check.disruption.held_nodes import HeldNode, Holding, by_hand, how_many, told
from karpenter_check.snapshot import Node, Snapshot
from karpenter_check.snapshot.metadata import Condition
from tests.build import a_cluster, a_node, a_nodeclaim, a_pod, ago

DRIFTED = Condition("Drifted", "True", "NodePoolDrifted", last_transition_time=ago("3h"))


def held(cluster: Snapshot, look_ahead: timedelta = LOOK_AHEAD) -> tuple[HeldNode, ...]:
    return Holding(cluster, look_ahead).nodes(cluster.pods)


def drifted(nodes: int) -> Snapshot:
    """Drifted nodes, the first of which is being deleted as well, with two pods on each."""
    return a_cluster(
        *(a_node(f"n{place}", deleted="5m" if place == 1 else "") for place in range(1, nodes + 1)),
        *(
            a_nodeclaim(node=f"n{place}", conditions=[DRIFTED], termination_grace_period="", deleted="5m" if place == 1 else "")
            for place in range(1, nodes + 1)
        ),
        *(a_pod(f"web-{place}-{which}", on=f"n{place}") for place in range(nodes, 0, -1) for which in (1, 2)),
    )


def test_the_worst_node_comes_first_and_the_rest_by_name() -> None:
    assert [(entry.node.name, len(entry.pods), entry.hangs) for entry in held(drifted(3))] == [
        ("n1", 2, True),
        ("n2", 2, False),
        ("n3", 2, False),
    ]


@pytest.mark.parametrize(
    ("nodes", "said"),
    [
        (1, "1 node, which has to go: being deleted"),
        (5, "5 nodes, 5 of which have to go: being deleted, drifted"),
    ],
)
def test_how_many_have_to_go_is_said(nodes: int, said: str) -> None:
    assert how_many(held(drifted(nodes))) == said


def test_where_none_has_to_go_only_what_is_known_is_said() -> None:
    assert how_many(held(a_cluster(a_node("n1"), a_pod("web", on="n1")))) == "1 node, not known to be kept from going"


def test_three_nodes_are_told_and_the_rest_counted() -> None:
    assert told(held(drifted(5))) == (
        "node n1 (being deleted, and nothing ends its drain by force) is held by Pod shop/web-1-1 and 1 more; "
        "node n2 (Drifted: NodePoolDrifted) is held by Pod shop/web-2-1 and 1 more; "
        "node n3 (Drifted: NodePoolDrifted) is held by Pod shop/web-3-1 and 1 more; and 2 more nodes"
    )


def test_what_is_deleted_by_hand_is_told_with_its_number() -> None:
    assert [step.text for step in by_hand(held(drifted(2)))] == ["and so 1 more pod on nodes that are being deleted"]


def test_each_node_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def counted(_: Snapshot, node: Node, __: timedelta) -> tuple[Due, ...]:
        asked.append(node.name)
        return ()

    monkeypatch.setattr("karpenter_check.disruption.held_nodes.due", counted)
    cluster = drifted(2)
    holding = Holding(cluster, LOOK_AHEAD)

    for _ in range(3):
        holding.nodes(cluster.pods)

    assert sorted(asked) == ["n1", "n2"]
