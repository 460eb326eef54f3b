"""Kubelets and images that are not supported."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from karpenter_check.finding import Blame, Confidence, Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity
from karpenter_check.rule import NotProven
from karpenter_check.rules.node_version_behind import node_version_behind
from karpenter_check.snapshot import Kind, Status
from karpenter_check.snapshot.metadata import Condition
from karpenter_check.snapshot.nodepool import NodeClassRef
from tests.build import Thing, a_budget, a_cluster, a_node, a_node_class, a_nodeclaim, a_nodepool, a_pod, ago

POOL, NODE = Ref("NodePool", "default", "karpenter.sh/v1"), Ref("Node", "n1", "v1")
AL2 = "Amazon Linux 2"


def drifted(since: str) -> Condition:
    return Condition("Drifted", "True", "AMIDrift", "AMIDrift", ago(since))


def found(*things: Thing, server: str = "v1.33.4-eks-3025e55", under_way: timedelta = timedelta(hours=24)) -> list[Finding]:
    return list(node_version_behind(a_cluster(*things, kubernetes=server), under_way=under_way))


def causes(*things: Thing, server: str = "v1.33.4-eks-3025e55") -> list[str]:
    return [finding.cause for finding in found(*things, server=server)]


def test_a_kubelet_that_is_too_old_is_found() -> None:
    node = a_node("n1", kubelet="v1.29.15-eks-473151a")

    assert found(node, a_node("n2", kubelet="v1.30.1")) == [
        Finding(
            object=POOL,
            owner=POOL,
            nodepool="default",
            cause="kubelet-too-old",
            severity=Severity.MEDIUM,
            confidence=Confidence.CERTAIN,
            message="1 node of default runs kubelet 1.29, too old for the API server's 1.33",
            why="a kubelet may be 3 minor versions older than the API server (2 before kubelet 1.25), and no more; none of them is Drifted: "
            "they are what their node class asks for, so Karpenter leaves them",
            impact=Impact(nodes=1),
            evidence=(Evidence(NODE, "status.nodeInfo.kubeletVersion", "v1.29.15-eks-473151a"),),
            occurrences=(Occurrence(NODE, node.metadata.uid, "n1", "kubelet-too-old"),),
            fix=(
                Fix(
                    "fix",
                    "kubectl edit ec2nodeclass.karpenter.k8s.aws default",
                    "let it select a newer image",
                    "all nodes that use it drift, and are replaced as budgets allow",
                ),
                Fix("verify", "karpenter-check scan --select node-version-behind --nodepool default"),
            ),
        )
    ]


@pytest.mark.parametrize(
    ("server", "kubelet", "expected"),
    [
        ("v1.33.4", "v1.33.4", []),
        ("v1.33.4", "v1.30.0", []),
        ("v1.33.4+k3s1", "v1.29.9+build.7", ["kubelet-too-old"]),
        ("v1.28.1", "v1.25.0", []),
        ("v1.27.1", "v1.25.0", []),
        ("v1.27.1", "v1.24.17", ["kubelet-too-old"]),
        ("v1.33.4", "v1.34.0", ["kubelet-newer"]),
        ("v1.33.4", "", []),
        ("v1.33.4", "fake", []),
        ("v2.0.0", "v1.29.0", []),
    ],
)
def test_the_skew_is_that_of_kubernetes(server: str, kubelet: str, expected: list[str]) -> None:
    assert causes(a_node(age="2h", kubelet=kubelet), server=server) == expected


def test_a_newer_kubelet_is_told_so_and_an_upgrade_that_is_under_way_is_not() -> None:
    (finding,) = found(a_node(age="61m", kubelet="v1.34.0"))

    assert finding.message == "1 node of default runs kubelet 1.34, newer than the API server's 1.33"
    assert finding.fix[0].text == "let it select an image of the API server's version"
    assert found(a_node(age="59m", kubelet="v1.34.0")) == []


def test_an_image_that_its_node_class_calls_deprecated_is_found_by_the_nodes_that_run_it() -> None:
    things = (a_node("n1"), a_nodeclaim(node="n1", image="ami-1"), a_node("n2"), a_nodeclaim(node="n2", image="ami-2"))
    (finding,) = found(*things, a_node_class(deprecated_images=["ami-1", "ami-3"]), server="v1.36.0")

    assert (finding.cause, finding.message) == (
        "image-deprecated",
        "1 node of default runs an image that its owner has deprecated: ami-1",
    )
    assert finding.evidence == (Evidence(Ref("NodeClaim", "default-n1", "karpenter.sh/v1"), "status.imageID", "ami-1"),)
    assert found(*things, a_node_class("other", deprecated_images=["ami-1"]), server="v1.36.0") == []


def test_amazon_linux_2_is_found_where_kubernetes_has_none() -> None:
    old = a_node(kubelet="v1.32.9", os_image=AL2)
    (finding,) = found(old)

    assert finding.message == "1 node of default runs Amazon Linux 2, of which there is no image for Kubernetes 1.33"
    assert finding.fix[0].text == "let it select an image of Amazon Linux 2023 or of Bottlerocket"
    assert causes(old, server="v1.32.9") == []
    assert causes(a_node(kubelet="v1.32.9", os_image="Amazon Linux 2023.9.20251110")) == []
    assert causes(a_node(kubelet="v1.32.9", os_image="Ubuntu 22.04")) == [], "the AMI family AL2 starts Ubuntu, too"


def test_each_nodepool_and_each_cause_is_one_finding() -> None:
    nodes = (
        a_node("n1", kubelet="v1.29.1"),
        a_node("n2", kubelet="v1.28.1", os_image=AL2),
        a_node("n3", pool="web", kubelet="v1.29.1"),
    )

    assert [(finding.nodepool, finding.cause, finding.impact.nodes) for finding in found(*nodes)] == [
        ("default", "kubelet-too-old", 2),
        ("default", "al2-ended", 1),
        ("web", "kubelet-too-old", 1),
    ]
    assert found(*nodes)[0].message == "2 nodes of default run kubelet 1.29, 1.28, too old for the API server's 1.33"


def test_nodes_that_are_being_replaced_are_no_more_than_a_remark() -> None:
    things = (a_node(kubelet="v1.29.1"), a_nodeclaim(conditions=[drifted("3h")]))
    (finding,) = found(*things)

    assert (finding.severity, finding.since) == (Severity.INFO, ago("3h"))
    assert finding.why.endswith("; 1 of 1 is Drifted: they are being replaced")
    assert finding.fix[0] == Fix("fix", "karpenter-check why nodepool default", "see how many nodes its budgets let go, and when")
    assert found(*things, under_way=timedelta(hours=2))[0].severity is Severity.MEDIUM


def test_nodes_that_drifted_long_ago_are_told_with_their_time() -> None:
    (finding,) = found(a_node(kubelet="v1.29.1"), a_nodeclaim(conditions=[drifted("30h")]))

    assert finding.severity is Severity.MEDIUM
    assert finding.why.endswith(
        "; 1 of 1 is Drifted, the first since 2026-11-20 06:00Z (1d6h ago): Karpenter replaces them as budgets allow"
    )


def test_what_keeps_a_drifted_node_is_named_and_blamed() -> None:
    (finding,) = found(
        a_node(kubelet="v1.29.1"),
        a_nodeclaim(conditions=[drifted("3h")], termination_grace_period=""),
        a_pod("app", on="n1", labels={"app": "app"}),
        a_budget("app-pdb", selects={"app": "app"}, allowed=0, max_unavailable=0),
    )
    budget = Ref("PodDisruptionBudget", "app-pdb", "policy/v1", "shop")

    assert finding.severity is Severity.MEDIUM
    assert "; 1 of 1 is Drifted, but n1 is kept because " in finding.why
    assert Blame(budget) in finding.blames
    assert finding.fix[0].command == "kubectl describe poddisruptionbudget -n shop app-pdb"


def test_auto_mode_chooses_its_images_itself() -> None:
    auto = a_nodepool(node_class=NodeClassRef("NodeClass", "default", "eks.amazonaws.com"))
    (finding,) = found(auto, a_node(kubelet="v1.29.1"))

    assert finding.fix[0].text == "EKS Auto Mode chooses the image itself: ask AWS why these nodes stay"


@pytest.mark.parametrize(
    "things",
    [
        [a_node(pool="", kubelet="v1.29.1")],
        [a_node(kubelet="v1.29.1", deleted="5m")],
        [a_node(kubelet="v1.29.1"), a_nodeclaim(deleted="5m")],
    ],
    ids=["not Karpenter's", "going", "its NodeClaim is going"],
)
def test_nodes_that_are_not_karpenters_or_are_going_are_silent(things: Sequence[Thing]) -> None:
    assert causes(*things) == []


def test_without_the_api_servers_version_nothing_is_called_fine() -> None:
    with pytest.raises(NotProven, match="the input does not tell the API server's version"):
        found(a_node(kubelet="v1.29.1"), server="")
    deprecated = (a_node(), a_nodeclaim(image="ami-1"), a_node_class(deprecated_images=["ami-1"]))
    assert causes(*deprecated, server="") == ["image-deprecated"]


def test_without_node_classes_images_are_not_judged() -> None:
    things = (a_node(), a_nodeclaim(image="ami-1"), a_node_class(deprecated_images=["ami-1"]))

    assert list(node_version_behind(a_cluster(*things, kubernetes="v1.36.0", missing={Kind.NODECLASS: Status.FORBIDDEN}))) == []
