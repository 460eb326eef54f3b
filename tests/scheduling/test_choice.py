import pytest

from karpenter_check.scheduling.choice import Choice, choices, may_take_pods_of
from karpenter_check.snapshot import NodePool
from karpenter_check.snapshot.nodepool import NodeClass
from tests.build import a_cluster, a_node_class, a_nodepool

TYPE, ZONE = "node.kubernetes.io/instance-type", "topology.kubernetes.io/zone"


def choice(*requirements: str, node_class: NodeClass | None = None) -> Choice:
    pool = a_nodepool(requirements=requirements)
    return choices(a_cluster(pool, *([node_class] if node_class else [])))["default"]


def test_what_requirements_leave_open_is_not_guessed() -> None:
    left_open = choice(f"{TYPE} NotIn m5.large", "karpenter.k8s.aws/instance-family In m5", "karpenter.sh/capacity-type Exists")

    assert (left_open.types, left_open.zones, left_open.capacity_types, left_open.spot) == (None, None, None, False)


def test_several_requirements_leave_what_they_share() -> None:
    assert choice(f"{TYPE} In a,b,c", f"{TYPE} NotIn c").types == frozenset({"a", "b"})


@pytest.mark.parametrize(
    ("requirements", "zones", "by"),
    [
        ((), {"b", "c"}, "status.subnets"),
        ((f"{ZONE} In b",), {"b"}, "spec.template.spec.requirements"),
        (("topology.k8s.aws/zone-id In use1-az1",), {"use1-az1"}, "spec.template.spec.requirements"),
    ],
)
def test_zones_are_those_of_the_requirements_or_of_the_subnets(requirements: tuple[str, ...], zones: set[str], by: str) -> None:
    found = choice(*requirements, node_class=a_node_class(zones=["b", "c", "b"]))

    assert (found.zones, found.zones_by) == (frozenset(zones), by)


def takes(ours: NodePool, other: NodePool) -> bool:
    return may_take_pods_of(a_cluster(ours, other), ours, other)


def test_another_zone_or_type_keeps_no_pod_off_that_asks_for_none() -> None:
    ours = a_nodepool("ours", requirements=[f"{ZONE} In a", f"{TYPE} In m5.large"])
    other = a_nodepool("other", requirements=[f"{ZONE} In b", f"{TYPE} In c5.large"])

    assert (takes(ours, other), takes(other, ours)) == (True, True)


def test_a_taint_that_only_the_other_has_keeps_them_off() -> None:
    ours, other = a_nodepool("ours"), a_nodepool("other", taints=["db:NoSchedule"])

    assert (takes(ours, other), takes(other, ours)) == (False, True)
