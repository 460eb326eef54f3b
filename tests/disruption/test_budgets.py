import pytest

from karpenter_check.disruption.budgets import allowed_at_a_time
from karpenter_check.snapshot.nodepool import Budget
from tests.build import a_nodepool


@pytest.mark.parametrize(
    ("budgets", "nodes", "allowed"),
    [
        ([Budget()], 56, 6),
        ([Budget()], 10, 1),
        ([Budget()], 11, 2),
        ([Budget()], 1, 1),
        ([Budget()], 0, 0),
        ([Budget("0")], 10, 0),
        ([Budget("0%")], 10, 0),
        ([Budget("3")], 10, 3),
        ([Budget("30")], 10, 10),
        ([Budget("100%")], 10, 10),
        ([Budget("5"), Budget("20%")], 10, 2),
        ([], 10, 10),
        ([Budget("0", reasons=("Empty",))], 10, 10),
        ([Budget("0", reasons=("Empty", "Drifted"))], 10, 0),
        ([Budget("0", "@daily", ("Empty",)), Budget("2")], 10, 2),
        ([Budget("0", "0 9 * * 1-5"), Budget("2")], 10, None),
        ([Budget("a few")], 10, None),
        ([Budget("-1")], 10, None),
        ([Budget("10.5%")], 10, None),
    ],
)
def test_so_many_nodes_may_drift_at_a_time(budgets: list[Budget], nodes: int, allowed: int | None) -> None:
    assert allowed_at_a_time(a_nodepool(budgets=budgets), "Drifted", nodes) == allowed
