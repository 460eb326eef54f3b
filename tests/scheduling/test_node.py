"""What kube-scheduler and the DaemonSet controller say of a pod and a node."""

import pytest

from karpenter_check.scheduling.node import admits_daemonset, cordoned, label_mismatch, repelled
from karpenter_check.snapshot import Node
from karpenter_check.snapshot.pod import PodShape, PodShapes
from karpenter_check.snapshot.pod_object import NodeAffinity, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, PodSpec
from tests.build import a_node, a_pod_spec, a_taint, a_term, a_toleration

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


def test_a_toleration_of_one_value_does_not_cover_another() -> None:
    node = a_node(taints=["gpu=a10:NoSchedule"])
    shape = shape_of(PodSpec(tolerations=(a_toleration("gpu=h100:NoSchedule"),)))

    assert list(repelled(shape, node)) == [a_taint("gpu=a10:NoSchedule")]
