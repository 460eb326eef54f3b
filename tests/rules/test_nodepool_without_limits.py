"""NodePools that may buy without end."""

import msgspec
import pytest

from karpenter_check.finding import Evidence, Finding, Fix, Impact, Ref
from karpenter_check.rules.nodepool_without_limits import nodepool_without_limits
from karpenter_check.snapshot import NodePool, Snapshot
from tests.build import a_cluster, a_nodepool

WEB = Ref("NodePool", "web", "karpenter.sh/v1")


def found(cluster: Snapshot) -> list[Finding]:
    return list(nodepool_without_limits(cluster))


def managed_by(manager: str) -> NodePool:
    pool = a_nodepool("general-purpose")
    metadata = msgspec.structs.replace(pool.metadata, labels={"app.kubernetes.io/managed-by": manager})
    return msgspec.structs.replace(pool, metadata=metadata)


def test_a_nodepool_without_limits_is_found() -> None:
    assert found(a_cluster(a_nodepool("web", used={"nodes": "3", "cpu": "12", "memory": "48Gi", "pods": "330"}))) == [
        Finding(
            object=WEB,
            owner=WEB,
            nodepool="web",
            cause="no-limits",
            message="nothing bounds what web may buy: it has no limits",
            why="Karpenter buys for every pod that waits; spec.limits is all that stops it when pods multiply, or do not fit what was bought for them",
            cost="it has 3 nodes now: 12 cpu, 48Gi memory",
            impact=Impact(nodes=3),
            evidence=(Evidence(WEB, "spec.limits", "not set"),),
            fix=(
                Fix(
                    "fix",
                    "kubectl edit nodepool web",
                    "set spec.limits, as of cpu and memory, to the most that it should ever have, with room for nodes that are being replaced",
                    "pods wait once a limit is reached; a change of limits drifts no node",
                ),
                Fix("verify", "karpenter-check scan --select nodepool-without-limits --nodepool web"),
            ),
        )
    ]


def test_each_nodepool_is_found_by_itself() -> None:
    pools = a_nodepool("api", limits={"cpu": "9"}), a_nodepool("batch"), a_nodepool("web")

    assert [finding.nodepool for finding in found(a_cluster(*pools))] == ["batch", "web"]


def test_what_it_has_is_left_out_where_its_status_does_not_say() -> None:
    (finding,) = found(a_cluster(a_nodepool("web")))

    assert (finding.cost, finding.impact) == ("", Impact())


@pytest.mark.parametrize("resource", ["cpu", "memory", "nodes", "nvidia.com/gpu"])
def test_one_limit_is_enough(resource: str) -> None:
    assert found(a_cluster(a_nodepool(limits={resource: "100"}))) == []


def test_a_limit_of_nothing_is_one() -> None:
    assert found(a_cluster(a_nodepool(limits={"cpu": "0"}))) == []


def test_a_static_nodepool_is_bounded_by_its_replicas() -> None:
    assert found(a_cluster(a_nodepool(replicas=3))) == []


def test_a_nodepool_that_is_being_deleted_buys_nothing() -> None:
    assert found(a_cluster(a_nodepool(deleted="5m"))) == []


def test_the_built_in_nodepools_of_eks_auto_mode_cannot_be_edited() -> None:
    assert found(a_cluster(managed_by("eks"))) == []


def test_a_nodepool_that_another_tool_manages_is_found() -> None:
    assert len(found(a_cluster(managed_by("Helm")))) == 1
