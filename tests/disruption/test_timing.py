"""When a node's time comes."""

import pytest

from karpenter_check.disruption.timing import Consolidation, Stage, consolidation, drift
from karpenter_check.snapshot import NodeClaim, NodePool, Version
from karpenter_check.snapshot.metadata import Condition
from tests.build import a_cluster, a_node, a_nodeclaim, a_nodepool, ago

CONSOLIDATABLE = Condition("Consolidatable", "True", last_transition_time=ago("20m"))
POOL = a_nodepool(consolidate_after="1h")


@pytest.mark.parametrize(
    ("pool", "claim", "expected"),
    [
        (POOL, a_nodeclaim(last_pod_event="30m"), Consolidation(Stage.WAITING, "lastPodEventTime and consolidateAfter 1h", ago("-30m"))),
        (POOL, a_nodeclaim(last_pod_event="60m"), Consolidation(Stage.DUE, "lastPodEventTime and consolidateAfter 1h", ago("0s"))),
        (POOL, a_nodeclaim(last_pod_event="", age="10m"), Consolidation(Stage.WAITING, "Initialized and consolidateAfter 1h", ago("-50m"))),
        (a_nodepool(consolidate_after="0s"), a_nodeclaim(age="2h", last_pod_event="1s"), Consolidation(Stage.DUE, "Initialized and consolidateAfter 0s", ago("2h"))),
        (a_nodepool(consolidate_after=""), a_nodeclaim(age="2h"), Consolidation(Stage.DUE, "Initialized and consolidateAfter 0s", ago("2h"))),
        (POOL, a_nodeclaim(conditions=[CONSOLIDATABLE]), Consolidation(Stage.CONSOLIDATABLE, "Consolidatable, consolidateAfter 1h", ago("20m"))),
        (POOL, a_nodeclaim(initialized=False), Consolidation(Stage.NOT_INITIALIZED, "its NodeClaim is not initialized")),
        (a_nodepool(consolidate_after="Never"), a_nodeclaim(), Consolidation(Stage.NEVER, "consolidateAfter Never")),
        (a_nodepool(replicas=2), a_nodeclaim(), Consolidation(Stage.NEVER, "its NodePool has replicas, and consolidates nothing")),
        (a_nodepool(consolidate_after="1d"), a_nodeclaim(), Consolidation(Stage.UNKNOWN, "consolidateAfter 1d, since when is not said")),
    ],
)  # fmt: skip
def test_a_node_is_consolidatable_when_no_pod_came_or_went_for_so_long(
    pool: NodePool, claim: NodeClaim, expected: Consolidation
) -> None:
    cluster = a_cluster(pool, a_node("n1"), claim, version=Version(1, 13))

    assert consolidation(cluster, pool, claim) == expected


def test_before_1_0_nothing_tells_when() -> None:
    cluster = a_cluster(POOL, a_node("n1"), version=Version(0, 37))
    said = "Karpenter 0.37.0 does not say when nodes become consolidatable"

    assert consolidation(cluster, POOL, cluster.nodeclaims[0]) == Consolidation(Stage.UNKNOWN, said)


def test_a_claim_has_drifted_when_its_condition_says_so() -> None:
    drifted = Condition("Drifted", "True", "NodePoolDrifted", last_transition_time=ago("3h"))

    assert drift(a_nodeclaim(conditions=[drifted])) == drifted
    assert drift(a_nodeclaim(conditions=[Condition("Drifted", "False")])) is None
    assert drift(a_nodeclaim()) is None
