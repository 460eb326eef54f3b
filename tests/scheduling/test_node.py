"""What kube-scheduler and the DaemonSet controller say of a pod and a node."""

import pytest

from karpenter_check.scheduling.node import Room, admits_daemonset, cordoned, label_mismatch, repelled, room_on, taken_host_port
from karpenter_check.snapshot import Node, Pod
from karpenter_check.snapshot.pod import (
    Container,
    ContainerPort,
    NodeAffinity,
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    PodObject,
    PodShape,
    PodShapes,
    PodSpec,
)
from tests.build import a_cluster, a_node, a_pod, a_pod_spec, a_taint, a_term, a_toleration

NODE = a_node("n1", labels={"team": "a", "cores": "8", "rack": "r7"})


def shape_of(spec: PodSpec) -> PodShape:
    shape, _ = PodShapes().shape(spec)
    return shape


def mismatch(*terms: NodeSelectorTerm, node: Node = NODE) -> str:
    return label_mismatch({}, NodeAffinity(NodeSelector(terms)), node)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("team In a,b", ""),
        ("team In b", "needs team In [b], the node has team=a"),
        ("team NotIn b", ""),
        ("team NotIn a", "needs team NotIn [a], the node has team=a"),
        ("team Exists", ""),
        ("team DoesNotExist", "needs team DoesNotExist, the node has team=a"),
        ("cores Gt 7", ""),
        ("cores Gt 8", "needs cores >= 9, the node has cores=8"),
        ("cores Lt 9", ""),
        ("cores Lt 8", "needs cores <= 7, the node has cores=8"),
        ("rack Gt 1", "needs rack >= 2, the node has rack=r7"),
        ("absent In a", "needs absent In [a], the node has no absent"),
        ("absent Exists", "needs absent Exists, the node has no absent"),
        ("absent Gt 1", "needs absent >= 2, the node has no absent"),
        ("absent NotIn a", ""),
        ("absent DoesNotExist", ""),
    ],
)
def test_a_required_term_is_held_against_the_nodes_labels(asked: str, said: str) -> None:
    assert mismatch(a_term(asked)) == said


def test_of_several_terms_one_is_enough() -> None:
    assert mismatch(a_term("team In b"), a_term("team In a", "cores Gt 4")) == ""


def test_within_a_term_everything_is_needed() -> None:
    assert mismatch(a_term("team In a", "cores Gt 9")) == "needs cores >= 10, the node has cores=8"


def test_a_term_without_requirements_matches_no_node() -> None:
    assert mismatch(a_term()) == "has a required node affinity without any requirement, which matches no node"


def test_match_fields_name_nodes() -> None:
    others = NodeSelectorTerm((), (NodeSelectorRequirement("metadata.name", "NotIn", ("n1",)),))

    assert mismatch(others) == "is bound to other nodes by name"
    assert mismatch(others, node=a_node("n2")) == ""


def test_the_node_selector_comes_first() -> None:
    assert label_mismatch({"team": "b"}, NodeAffinity(), NODE) == "needs team=b, the node has team=a"
    assert label_mismatch({"absent": "b"}, NodeAffinity(), NODE) == "needs absent=b, the node has no absent"
    assert label_mismatch({"team": "a"}, NodeAffinity(), NODE) == ""


def test_only_taints_that_forbid_repel() -> None:
    node = a_node(taints=["soft:PreferNoSchedule", "gpu=true:NoSchedule", "held:NoSchedule", "gone:NoExecute"])
    shape = shape_of(a_pod_spec(tolerations=["held:NoSchedule"]))

    assert list(repelled(shape, node)) == [a_taint("gpu=true:NoSchedule"), a_taint("gone:NoExecute")]


def test_a_cordon_keeps_off_what_does_not_tolerate_it() -> None:
    node = a_node(cordoned=True)

    assert cordoned(shape_of(a_pod_spec()), node)
    assert not cordoned(shape_of(a_pod_spec(tolerations=["*"])), node)
    assert not cordoned(shape_of(a_pod_spec()), a_node())


@pytest.mark.parametrize(
    ("node", "wanted"),
    [
        (a_node(labels={"team": "a"}), True),
        (a_node(labels={"team": "b"}), False),
        (a_node(labels={"team": "a"}, taints=["gpu:NoSchedule"]), False),
        (a_node(labels={"team": "a"}, taints=["gpu:PreferNoSchedule"]), True),
        (a_node(labels={"team": "a"}, taints=["node.kubernetes.io/unschedulable:NoSchedule"], cordoned=True), True),
        (a_node(labels={"team": "a"}, taints=["node.kubernetes.io/not-ready:NoExecute"]), True),
        (a_node(labels={"team": "a"}, taints=["node.kubernetes.io/not-ready:NoSchedule"]), False),
        (a_node(labels={"team": "a"}, taints=["node.kubernetes.io/memory-pressure:NoSchedule"]), True),
    ],
)
def test_the_daemonset_controller_wants_a_pod_on_the_node(node: Node, wanted: bool) -> None:  # noqa: FBT001  the expectation
    shape = shape_of(a_pod_spec(selector={"team": "a"}))

    assert admits_daemonset(shape.node_selector, shape.node_affinity, shape, node) is wanted


def test_room_is_what_the_pods_that_have_not_finished_leave() -> None:
    node = a_node("n1", cpu="4", memory="8Gi", pods="10")
    cluster = a_cluster(
        node,
        a_node("n2"),
        a_pod("running", on="n1", cpu="1", memory="1Gi"),
        a_pod("leaving", on="n1", cpu="500m", memory="", deleted="5s"),
        a_pod("finished", on="n1", cpu="2", phase="Succeeded"),
        a_pod("crashed", on="n1", cpu="2", phase="Failed"),
        a_pod("elsewhere", on="n2", cpu="2"),
    )
    gibibyte = 1024**3 * 1000

    assert room_on(cluster, node) == Room(
        allocatable={"cpu": 4000, "memory": 8 * gibibyte, "pods": 10_000},
        taken={"cpu": 1500, "memory": gibibyte, "pods": 2000},
    )
    assert room_on(cluster, node, without=[pod for pod in cluster.pods if pod.metadata.name == "running"]).taken == {
        "cpu": 500,
        "pods": 1000,
    }


@pytest.mark.parametrize(
    ("requests", "short"),
    [
        ({"cpu": 1000}, {}),
        ({"cpu": 1001}, {"cpu": 1}),
        ({"cpu": 3000, "memory": 500}, {"cpu": 2000, "memory": 800}),
        ({"nvidia.com/gpu": 1000}, {"nvidia.com/gpu": 1000}),
        ({"nvidia.com/gpu": 0, "memory": 0}, {}),
    ],
)
def test_what_a_pod_asks_beyond_the_room_is_short(requests: dict[str, int], short: dict[str, int]) -> None:
    room = Room({"cpu": 4000, "memory": 1000, "pods": 10_000}, {"cpu": 3000, "memory": 1300, "pods": 3000})

    assert room.short_of(requests) == short


def test_a_pod_needs_a_slot_too() -> None:
    assert Room({"cpu": 4000, "pods": 3000}, {"pods": 3000}).short_of({"cpu": 1}) == {"pods": 1000}


def with_port(name: str, port: ContainerPort, *, on: str = "", phase: str = "") -> PodObject:
    pod = a_pod(name, on=on, phase=phase)
    return PodObject(pod.metadata, PodSpec(on, containers=(Container(ports=(port,)),)), pod.status)


@pytest.mark.parametrize(
    ("theirs", "mine", "collide"),
    [
        (ContainerPort(80), ContainerPort(80), True),
        (ContainerPort(80), ContainerPort(81), False),
        (ContainerPort(80), ContainerPort(80, protocol="UDP"), False),
        (ContainerPort(80, "10.0.0.1"), ContainerPort(80, "10.0.0.2"), False),
        (ContainerPort(80, "10.0.0.1"), ContainerPort(80, "10.0.0.1"), True),
        (ContainerPort(80, "10.0.0.1"), ContainerPort(80, "0.0.0.0"), True),  # noqa: S104  an address in a pod's spec
        (ContainerPort(80, "10.0.0.1"), ContainerPort(80), True),
        (ContainerPort(80, "::"), ContainerPort(80, "10.0.0.2"), True),
        (ContainerPort(0), ContainerPort(0), False),
    ],
)
def test_host_ports_collide(theirs: ContainerPort, mine: ContainerPort, collide: bool) -> None:  # noqa: FBT001  the expectation
    node = a_node("n1")
    cluster = a_cluster(node, with_port("holder", theirs, on="n1"), with_port("comer", mine))
    holder, comer = cluster.pods

    assert taken_host_port(cluster, comer, node) == (holder if collide else None)


def test_a_finished_pod_holds_no_host_port() -> None:
    node = a_node("n1")
    cluster = a_cluster(
        node, with_port("holder", ContainerPort(80), on="n1", phase="Failed"), with_port("comer", ContainerPort(80))
    )
    comer: Pod = cluster.pods[1]

    assert taken_host_port(cluster, comer, node) is None


def test_a_toleration_of_one_value_does_not_cover_another() -> None:
    node = a_node(taints=["gpu=a10:NoSchedule"])
    shape = shape_of(PodSpec(tolerations=(a_toleration("gpu=h100:NoSchedule"),)))

    assert list(repelled(shape, node)) == [a_taint("gpu=a10:NoSchedule")]
