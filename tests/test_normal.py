"""What looks wrong and is normal in a working cluster: beside a healthy one, no rule says more of it than a remark."""

from collections.abc import Sequence
from dataclasses import replace as replaced
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from karpenter_check.finding import Severity
from karpenter_check.rules import every_rule
from karpenter_check.scan import scan
from karpenter_check.snapshot import NodePool
from karpenter_check.snapshot.event import InvolvedObject
from karpenter_check.snapshot.metadata import Condition
from karpenter_check.snapshot.nodepool import Budget
from tests.build import NOON, Thing, a_cluster, a_node, a_nodeclaim, a_nodepool, a_pod, ago, an_event, nominated

NODE = InvolvedObject("Node", "", "n3")
ALLOCATABLE = {"cpu": "4", "memory": "16Gi", "pods": "110"}


def a_pool(**settings: Any) -> NodePool:
    """A NodePool as people should have it."""
    return a_nodepool("other", **{"limits": {"cpu": "100"}} | settings)


def a_pool_that_says(condition: Condition) -> NodePool:
    pool = a_pool()
    return replace(pool, status=replace(pool.status, conditions=(*pool.status.conditions, condition)))


def with_a_node(*things: Thing, **settings: Any) -> list[Thing]:
    """A node in use, with its NodeClaim."""
    nodes: list[Thing] = [a_node("n3", pool="other"), a_nodeclaim(node="n3", pool="other", **settings)]
    return [*nodes, a_pod("app", on="n3", cpu="3", memory="9Gi"), *things]


DRIFTED = Condition("Drifted", "True", "NodePoolDrifted", last_transition_time=ago("2h"))
IN_THE_NIGHT = Budget(nodes="100%", schedule="0 2 * * *", duration="4h")
BY_DAY = Budget(nodes="0", schedule="0 6 * * *", duration="20h")
BOOTS: list[Thing] = [
    a_node("n3", pool="other", age="1m", initialized=False, ready=False, taints=["karpenter.sh/unregistered:NoExecute"]),
    a_nodeclaim(node="n3", pool="other", age="2m", registered=False, initialized=False),
]
APP = a_pod("app", on="n3", cpu="3", memory="9Gi", deleted="10s")


@pytest.mark.parametrize(
    "things",
    [
        [a_pool(), *with_a_node()],
        [a_pool(), *BOOTS, an_event("DisruptionBlocked", "Node isn't initialized", about=NODE, first="1m", times=3)],
        [a_pool(), *with_a_node(an_event("Unconsolidatable", "Can't replace with a cheaper node", about=NODE, first="55m", times=4))],
        [a_pool(policy="WhenEmpty"), *with_a_node(an_event("Unconsolidatable", 'NodePool "other" has non-empty consolidation disabled', about=NODE, first="55m"))],
        [a_pool(budgets=[IN_THE_NIGHT, BY_DAY]), *with_a_node(conditions=[DRIFTED])],
        [a_pool_that_says(Condition("NodeRegistrationHealthy", "Unknown", "AwaitingReconciliation", last_transition_time=ago("3h"))), *with_a_node()],
        [a_pool(limits={"cpu": "10"}, used={"cpu": "12"}), *with_a_node()],
        [a_pool(), *with_a_node(allocatable=ALLOCATABLE | {"memory": "16600Mi"})],
        [a_pool(), *BOOTS],
        [
            a_pool(), a_node("n3", pool="other", deleted="1m", taints=["karpenter.sh/disrupted:NoSchedule"]), APP,
            a_nodeclaim(node="n3", pool="other", deleted="1m", conditions=[DRIFTED, Condition("Drained", "Unknown", last_transition_time=ago("1m"))]),
            a_node("n4", pool="other"), a_nodeclaim(node="n4", pool="other"), nominated(APP, to="other-n4", node="n4", first="90s"),
            an_event("FailedDraining", "Failed to drain node, 1 pods are waiting to be evicted", about=NODE, first="50s"),
        ],
    ],
    ids=[
        "no condition Consolidatable", "a young node is not initialized", "a node that can be replaced by no cheaper one",
        "a node of which only emptiness counts", "a maintenance window", "registration was not judged since an edit",
        "limits that are exceeded a little", "a prediction that is a few percent too high", "a node that has not registered yet",
        "a pod that is nominated away from a node that drains",
    ],
)  # fmt: skip
def test_what_is_normal_is_no_more_than_a_remark(things: Sequence[Thing]) -> None:
    report = scan(a_cluster(*things, a_node("group-1", pool="")), every_rule())

    told = [(result.rule.slug, result.finding.message) for result in report.results if result.severity is not Severity.INFO]
    assert told == []


def test_what_is_checked_here_would_be_told_if_it_lasted() -> None:
    """The same booting node, hours later."""
    cluster = a_cluster(a_pool(), *BOOTS)
    later = replaced(cluster, taken_at=NOON + timedelta(hours=2))

    assert {result.rule.slug for result in scan(later, every_rule()).results} >= {"nodeclaim-not-registered"}
