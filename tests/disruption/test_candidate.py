"""Which nodes Karpenter would take away."""

import pytest

from karpenter_check.disruption.candidate import Wanted, eviction_cost, is_empty, wanted_gone
from karpenter_check.snapshot import Version
from karpenter_check.snapshot.metadata import Condition, Metadata, OwnerReference
from karpenter_check.snapshot.pod import PodShapes
from karpenter_check.snapshot.pod_object import PodObject, PodSpec, PodStatus
from tests.build import Thing, a_cluster, a_daemonset, a_node, a_nodeclaim, a_nodepool, a_pod, a_statefulset, ago

CONSOLIDATABLE = Condition("Consolidatable", "True", last_transition_time=ago("20m"))
DRIFTED = Condition("Drifted", "True", "NodePoolDrifted", last_transition_time=ago("3h"))
LOGS, DB = a_daemonset("logs"), a_statefulset("db")


def wanted(*things: Thing) -> Wanted | None:
    """Whether `n1`, consolidatable unless `things` hold another claim, is wanted gone."""
    given = {type(thing).__name__: thing for thing in things}
    defaults: dict[str, Thing] = {
        "Node": a_node("n1"),
        "NodeClaim": a_nodeclaim(conditions=[CONSOLIDATABLE]),
        "NodePool": a_nodepool(consolidate_after="15s"),
    }
    cluster = a_cluster(*things, *(thing for kind, thing in defaults.items() if kind not in given))
    return wanted_gone(cluster, cluster.nodes[0], cluster.nodeclaims[0], cluster.nodepools[0])


def test_an_empty_node_is_wanted_gone_when_it_is_consolidatable() -> None:
    assert wanted() == Wanted("Empty", ago("20m"), "Consolidatable (WhenEmptyOrUnderutilized, consolidateAfter 15s)")


def test_a_node_with_a_pod_may_be_wanted_gone() -> None:
    assert wanted(a_pod("web", on="n1")) == Wanted(
        "Underutilized", ago("20m"), "Consolidatable (WhenEmptyOrUnderutilized, consolidateAfter 15s)"
    )


def test_a_node_with_a_pod_is_not_wanted_gone_when_only_empty_ones_are() -> None:
    only_empty = a_nodepool(policy="WhenEmpty", consolidate_after="15s")

    assert wanted(only_empty, a_pod("web", on="n1")) is None
    assert wanted(only_empty) == Wanted("Empty", ago("20m"), "Consolidatable (WhenEmpty, consolidateAfter 15s)")


def test_what_the_nodepool_leaves_out_has_karpenters_defaults() -> None:
    assert wanted(a_nodepool(policy="", consolidate_after="")) == Wanted(
        "Empty", ago("20m"), "Consolidatable (WhenEmptyOrUnderutilized, consolidateAfter 0s)"
    )


def test_drift_comes_first_and_needs_no_empty_node() -> None:
    drifted = a_nodeclaim(conditions=[CONSOLIDATABLE, DRIFTED])

    assert wanted(drifted, a_pod("web", on="n1")) == Wanted("Drifted", ago("3h"), "Drifted: NodePoolDrifted")


@pytest.mark.parametrize("nodepool", [a_nodepool(consolidate_after="Never"), a_nodepool(replicas=3)])
def test_without_consolidation_only_drifted_nodes_are_wanted_gone(nodepool: Thing) -> None:
    assert wanted(nodepool) is None
    assert wanted(nodepool, a_nodeclaim(conditions=[DRIFTED])) == Wanted("Drifted", ago("3h"), "Drifted: NodePoolDrifted")


@pytest.mark.parametrize(
    "thing",
    [
        a_node("n1", initialized=False),
        a_node("n1", deleted="1m"),
        a_nodeclaim(deleted="1m", conditions=[CONSOLIDATABLE, DRIFTED]),
        a_nodeclaim(),
        a_nodeclaim(conditions=[Condition("Consolidatable", "False"), Condition("Drifted", "False")]),
    ],
)
def test_a_node_is_not_wanted_gone_before_its_time_or_when_it_goes_already(thing: Thing) -> None:
    assert wanted(thing) is None


def a_stateful_pod(*, api_version: str) -> PodObject:
    owner = OwnerReference("StatefulSet", "db", "uid", api_version, controller=True)
    return PodObject(Metadata("db-0", "data", deletion_timestamp=ago("1s"), owner_references=(owner,)), PodSpec("n1"))


def a_static_pod() -> PodObject:
    owner = OwnerReference("Node", "n1", "uid", "v1", controller=True)
    return PodObject(Metadata("static-n1", owner_references=(owner,)), PodSpec("n1"), PodStatus("Running"))


@pytest.mark.parametrize(
    ("pod", "empty"),
    [
        (a_pod("web", on="n1"), False),
        (a_pod("starting", on="n1", phase="Pending"), False),
        (a_pod("logs-1", on="n1", of=LOGS), True),
        (a_pod("finished", on="n1", phase="Succeeded"), True),
        (a_pod("leaving", on="n1", deleted="1s"), True),
        (a_pod("db-0", on="n1", of=DB, deleted="1s"), False),
        (a_pod("db-0", on="n1", of=DB, deleted="1s", phase="Failed"), False),
        (a_pod("db-0", on="n1", of=DB, phase="Failed"), True),
        (a_stateful_pod(api_version="apps/v1"), False),
        (a_stateful_pod(api_version="apps.kruise.io/v1beta1"), True),
        (a_static_pod(), True),
    ],
)
def test_a_node_is_empty_when_nothing_on_it_would_have_to_run_elsewhere(pod: PodObject, empty: bool) -> None:  # noqa: FBT001  the expectation
    cluster = a_cluster(a_node("n1"), pod)

    assert is_empty(cluster, cluster.nodes[0]) is empty


def test_a_daemonset_owns_its_pods_even_where_it_does_not_control_them() -> None:
    owner = OwnerReference("DaemonSet", "logs", "uid", "apps/v1")
    cluster = a_cluster(a_node("n1"), PodObject(Metadata("logs-1", owner_references=(owner,)), PodSpec("n1"), PodStatus("Running")))

    assert is_empty(cluster, cluster.nodes[0])


@pytest.mark.parametrize(
    ("pod", "cost"),
    [
        (a_pod("web"), 1.0),
        (a_pod("web", deletion_cost="134217728"), 2.0),
        (a_pod("web", deletion_cost="-134217728"), 0.0),
        (a_pod("web", deletion_cost="-2147483647"), -10.0),
        (a_pod("web", deletion_cost="cheap"), 1.0),
        (a_pod("web", priority=33554432), 2.0),
        (a_pod("web", priority=2000000000), 10.0),
        (a_pod("web", priority=-33554432, deletion_cost="67108864"), 0.5),
    ],
)
def test_what_a_pod_costs_to_evict(pod: PodObject, cost: float) -> None:
    assert eviction_cost(PodShapes().share(pod)) == pytest.approx(cost, abs=1e-8)


@pytest.mark.parametrize(("version", "empty"), [(None, False), (Version(1, 13), False), (Version(1, 14), True)])
def test_since_1_14_a_node_of_pods_that_cost_nothing_is_empty(version: Version | None, empty: bool) -> None:  # noqa: FBT001  the expectation
    cluster = a_cluster(a_node("n1"), a_pod("spare", on="n1", priority=-40000000), version=version)
    costly = a_cluster(a_node("n1"), a_pod("spare", on="n1", priority=-40000000), a_pod("web", on="n1"), version=version)

    assert (is_empty(cluster, cluster.nodes[0]), is_empty(costly, costly.nodes[0])) == (empty, False)
