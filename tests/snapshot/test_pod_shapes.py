import pytest

from karpenter_check.snapshot.metadata import Metadata
from karpenter_check.snapshot.pod import PodShapes
from karpenter_check.snapshot.pod_object import (
    Affinity,
    Container,
    ContainerPort,
    NodeAffinity,
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    PodObject,
    PodSpec,
    PreferredSchedulingTerm,
    ResourceRequirements,
)
from tests.build import a_cluster, a_daemonset, a_node, a_pod, a_pod_spec, a_term, a_toleration

LOGS = a_daemonset("logs", selector={"team": "a"})


def asking(requests: dict[str, str] | None = None, *, limits: dict[str, str] | None = None) -> Container:
    return Container(ResourceRequirements(dict(requests or {}), dict(limits or {})))


def a_pin(node: str, *expressions: str) -> NodeSelectorTerm:
    return NodeSelectorTerm(a_term(*expressions).match_expressions, (NodeSelectorRequirement("metadata.name", "In", (node,)),))


def requiring(*terms: NodeSelectorTerm, preferred: tuple[PreferredSchedulingTerm, ...] = ()) -> PodSpec:
    return PodSpec(affinity=Affinity(NodeAffinity(NodeSelector(terms), preferred)))


def test_pods_that_ask_for_the_same_hold_the_same_shape() -> None:
    shapes = PodShapes()
    one, two = (
        shapes.share(PodObject(Metadata(name), a_pod_spec(selector={"a": "1", "b": "2"}, tolerations=["x:NoSchedule"], on=name)))
        for name in ("n1", "n2")
    )
    other_order, _ = shapes.shape(a_pod_spec(selector={"b": "2", "a": "1"}, tolerations=["x:NoSchedule"]))

    assert one.shape is two.shape
    assert one.shape is other_order
    assert len(shapes) == 1


@pytest.mark.parametrize(
    "other",
    [
        a_pod_spec(cpu="101m"),
        a_pod_spec(selector={"a": "1"}),
        a_pod_spec(terms=[a_term("a In 1")]),
        a_pod_spec(tolerations=["*"]),
        a_pod_spec(host_port=80),
    ],
)
def test_pods_that_ask_for_something_else_do_not(other: PodSpec) -> None:
    shapes = PodShapes()

    assert shapes.shape(a_pod_spec())[0] is not shapes.shape(other)[0]


def test_a_daemonsets_pods_share_a_shape_on_all_nodes_and_say_where_they_are_pinned() -> None:
    cluster = a_cluster(
        LOGS, a_node("n1"), a_node("n2"), a_pod("logs-1", on="n1", of=LOGS), a_pod("logs-2", pinned_to="n2", of=LOGS)
    )
    one, two = cluster.pods

    assert one.shape is two.shape
    assert [(pod.node_name, pod.pinned_to) for pod in cluster.pods] == [("n1", "n1"), ("", "n2")]
    assert one.shape.node_affinity == NodeAffinity()


@pytest.mark.parametrize(
    ("spec", "left", "pinned_to"),
    [
        (requiring(a_pin("n1")), NodeAffinity(), "n1"),
        (requiring(a_pin("n1", "team In a")), NodeAffinity(NodeSelector((a_term("team In a"),))), "n1"),
        (requiring(a_pin("n1"), a_pin("n1", "team In a")), NodeAffinity(), "n1"),
        (
            requiring(a_pin("n1"), preferred=(PreferredSchedulingTerm(1, a_term("team In a")),)),
            NodeAffinity(preferred=(PreferredSchedulingTerm(1, a_term("team In a")),)),
            "n1",
        ),
        (requiring(a_term("team In a")), NodeAffinity(NodeSelector((a_term("team In a"),))), ""),
        (requiring(a_pin("n1"), a_pin("n2")), NodeAffinity(NodeSelector((a_pin("n1"), a_pin("n2")))), ""),
        (
            requiring(a_pin("n1"), a_term("team In a")),
            NodeAffinity(NodeSelector((a_pin("n1"), a_term("team In a")))),
            "",
        ),
        (PodSpec(), NodeAffinity(), ""),
    ],
)
def test_only_a_pin_to_one_node_is_taken_out_of_the_affinity(spec: PodSpec, left: NodeAffinity, pinned_to: str) -> None:
    shape, node = PodShapes().shape(spec)

    assert (shape.node_affinity, node) == (left, pinned_to)


def test_a_template_with_limits_for_requests_has_a_shape_of_its_own() -> None:
    spec, shapes = PodSpec(containers=(asking(limits={"cpu": "1"}),)), PodShapes()

    assert [shapes.shape(spec, limits_as_requests=filled)[0].requests for filled in (False, True)] == [{}, {"cpu": 1000}]


def test_a_request_that_is_no_quantity_is_named() -> None:
    with pytest.raises(ValueError, match=r"^memory: '1 GB' is not a Kubernetes quantity$"):
        PodShapes().share(PodObject(Metadata("odd"), PodSpec(containers=(asking({"memory": "1 GB"}),))))


def test_only_ports_on_the_host_are_kept() -> None:
    spec = PodSpec(containers=(Container(ports=(ContainerPort(), ContainerPort(80, "10.0.0.1", "UDP"))),))

    assert PodShapes().shape(spec)[0].host_ports == (ContainerPort(80, "10.0.0.1", "UDP"),)


def test_a_shape_keeps_what_the_scheduler_looks_at() -> None:
    shape, _ = PodShapes().shape(a_pod_spec(selector={"a": "1"}, terms=[a_term("b In 2")], tolerations=["c=3:NoSchedule"]))

    assert (shape.node_selector, shape.node_affinity, shape.tolerations) == (
        {"a": "1"},
        NodeAffinity(NodeSelector((a_term("b In 2"),))),
        (a_toleration("c=3:NoSchedule"),),
    )


@pytest.mark.parametrize(
    ("pod", "active", "unschedulable"),
    [
        (a_pod("running", on="n1"), True, False),
        (a_pod("waiting"), True, True),
        (a_pod("leaving", on="n1", deleted="1s"), False, False),
        (a_pod("finished", on="n1", phase="Succeeded"), False, False),
        (a_pod("crashed", on="n1", phase="Failed"), False, False),
        (PodObject(Metadata("not-looked-at")), True, False),
    ],
)
def test_a_pod_is_active_or_unschedulable(pod: PodObject, active: bool, unschedulable: bool) -> None:  # noqa: FBT001  the expectation
    shared = PodShapes().share(pod)

    assert (shared.active, shared.unschedulable) == (active, unschedulable)


def test_whether_a_pod_mounts_a_claim() -> None:
    shapes = PodShapes()

    assert [shapes.share(pod).has_claims for pod in (a_pod("web"), a_pod("db", claims=["data"]))] == [False, True]
