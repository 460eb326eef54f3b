from collections.abc import Sequence
from dataclasses import replace

import pytest

from karpenter_check.disruption.allowance import Remaining, Unknown, User, Using, remaining
from karpenter_check.disruption.budget import Entry
from karpenter_check.disruption.budgets import Allowance
from karpenter_check.snapshot import Kind, Node, NodeClaim, Version
from karpenter_check.snapshot.coverage import Status
from karpenter_check.snapshot.metadata import Condition
from karpenter_check.snapshot.nodepool import Budget
from tests.build import a_cluster, a_node, a_nodeclaim, a_nodepool

TERMINATING = Condition("InstanceTerminating", "True")
CHOSEN = Condition("DisruptionReason", "True", "Underutilized")
REBOOTING = Condition("Rebooting", "True")


def left(*things: Node | NodeClaim, budgets: Sequence[Budget] = (Budget("2"),), reason: str = "Drifted") -> Remaining:
    """What is left of the budgets of NodePool default, whose every node is given."""
    nodepool = a_nodepool(budgets=budgets)
    found = remaining(a_cluster(nodepool, *things), nodepool, reason)
    assert isinstance(found, Remaining)
    return found


def test_what_is_not_in_use_is_left() -> None:
    found = left(a_node("n1"), a_node("n2"), a_node("n3"))

    assert found == Remaining(Allowance(2, (Entry(0, Budget("2")),)), 3, ())
    assert (found.left, found.left_at_most) == (2, 2)


def test_nodes_that_are_not_ready_and_those_that_are_deleted_use_the_budget_up() -> None:
    found = left(a_node("n1", ready=False), a_node("n2"), a_nodeclaim(node="n2", deleted="1m"), a_node("n3"), budgets=[Budget("3")])

    assert (found.total, found.disrupting, found.left) == (
        3,
        (User("n1", Using.NOT_READY), User("n2", Using.DELETING)),
        1,
    )


def test_no_less_than_nothing_is_left() -> None:
    found = left(a_node("n1", ready=False), a_node("n2", ready=False), a_node("n3"), budgets=[Budget("10%")])

    assert (found.allowance.allowed, found.left, found.left_at_most) == (1, 0, 0)


def test_without_a_budget_for_the_reason_there_is_no_limit() -> None:
    found = left(a_node("n1", ready=False), budgets=[Budget("0", reasons=("Empty",))])

    assert (found.left, found.left_at_most) == (None, None)


@pytest.mark.parametrize(
    "things",
    [
        (a_node("n2", initialized=False),),
        (a_node("n2", pool="other"),),
        (a_node("n2"), a_nodeclaim(node="n2", deleted="5m", conditions=[TERMINATING])),
    ],
    ids=["not initialized", "of another NodePool", "its instance is being terminated"],
)
def test_only_initialized_nodes_of_the_nodepool_that_have_an_instance_count(things: tuple[Node | NodeClaim, ...]) -> None:
    found = left(a_node("n1"), *things, budgets=[Budget("100%")])

    assert found == Remaining(Allowance(1, (Entry(0, Budget("100%")),)), 1, ())


def test_a_node_without_a_nodeclaim_does_not_count() -> None:
    nodepool = a_nodepool()
    snapshot = replace(a_cluster(nodepool, a_node("n1")), nodeclaims=())

    assert remaining(snapshot, nodepool, "Drifted") == Remaining(Allowance(0, (Entry(0, Budget()),)), 0, ())


def test_a_node_that_is_deleted_by_hand_counts_only_once_its_nodeclaim_is() -> None:
    assert left(a_node("n1", deleted="1m")).disrupting == ()


@pytest.mark.parametrize(
    "things",
    [
        (a_node("n1"), a_nodeclaim(node="n1", conditions=[CHOSEN])),
        (a_node("n1", taints=["karpenter.sh/disrupted:NoSchedule"]),),
    ],
    ids=["DisruptionReason", "taint"],
)
def test_a_node_that_karpenter_has_chosen_may_count_already(things: tuple[Node | NodeClaim, ...]) -> None:
    found = left(*things, a_node("n2"))

    assert (found.disrupting, found.left, found.left_at_most) == ((User("n1", Using.CHOSEN),), 1, 2)


def test_a_node_that_reboots_counts_though_it_is_not_initialized_yet() -> None:
    found = left(a_node("n1", initialized=False), a_nodeclaim(node="n1", conditions=[REBOOTING]))

    assert (found.total, found.disrupting) == (1, (User("n1", Using.REBOOTING),))


def test_repair_is_not_held_up_by_what_it_is_to_repair() -> None:
    assert left(a_node("n1", ready=False), reason="Unhealthy").disrupting == ()


def test_until_a_node_is_registered_its_nodeclaim_says_of_which_nodepool_it_is() -> None:
    node = a_node("n1", pool="", labels={"karpenter.sh/initialized": "true"})

    assert left(node, a_nodeclaim(node="n1")).total == 1


@pytest.mark.parametrize("kind", [Kind.NODE, Kind.NODECLAIM])
def test_nothing_is_said_where_nodes_or_nodeclaims_were_not_seen(kind: Kind) -> None:
    nodepool = a_nodepool()
    snapshot = a_cluster(nodepool, a_node("n1"), missing={kind: Status.FORBIDDEN})

    assert remaining(snapshot, nodepool, "Drifted") == Unknown(f"not every {kind} was seen: forbidden")


def test_before_1_1_instances_that_are_being_terminated_counted() -> None:
    nodepool = a_nodepool()
    terminating = a_nodeclaim(node="n1", deleted="5m", conditions=[TERMINATING])

    assert remaining(a_cluster(nodepool, a_node("n1"), version=Version(1, 0, 6)), nodepool, "Drifted") == Remaining(
        Allowance(1, (Entry(0, Budget()),)), 1, ()
    )
    assert remaining(a_cluster(nodepool, a_node("n1"), terminating, version=Version(1, 0, 6)), nodepool, "Drifted") == Unknown(
        "Karpenter 1.0.6 counts nodes whose instances are being terminated as well"
    )
