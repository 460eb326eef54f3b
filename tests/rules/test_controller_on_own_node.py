"""Karpenter on nodes of its own."""

import pytest

from karpenter_check.finding import Confidence, Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity
from karpenter_check.rule import NotProven
from karpenter_check.rules.controller_on_own_node import controller_on_own_node
from karpenter_check.snapshot.nodepool import NodeClassRef
from karpenter_check.snapshot.pod_object import PodObject
from tests.build import KARPENTER, Thing, a_cluster, a_controller, a_node, a_nodeclaim, a_nodepool, a_pod, a_uid, ago

DEPLOYMENT = Ref("Deployment", "karpenter", "apps/v1", "kube-system")
GROUP = a_node("group-1", pool="")


def a_karpenter(name: str, *, on: str = "", age: str = "50m", unready_for: str = "") -> PodObject:
    return a_pod(name, on=on, of=a_controller(), labels=KARPENTER, age=age, unready_for=unready_for)


def found(*things: Thing) -> list[Finding]:
    return list(controller_on_own_node(a_cluster(a_controller(), *things)))


def test_a_karpenter_on_a_node_of_its_own_is_found() -> None:
    pod = Ref("Pod", "karpenter-1", "v1", "kube-system")

    assert found(a_node("n1"), a_karpenter("karpenter-1", on="n1")) == [
        Finding(
            object=DEPLOYMENT,
            owner=DEPLOYMENT,
            cause="own-node",
            severity=Severity.HIGH,
            message="Karpenter's pod runs on 1 node that Karpenter manages itself, of NodePool default",
            why="karpenter-1 is on n1: Karpenter drains and deletes such a node as any other",
            cost="once these nodes are gone with it, its pods wait for a node that nobody buys, and so does everything else",
            impact=Impact(nodes=1, pods=1),
            evidence=(Evidence(Ref("Node", "n1", "v1"), "metadata.labels[karpenter.sh/nodepool]", "default"),),
            occurrences=(Occurrence(pod, a_uid("Pod", "karpenter-1", "kube-system"), "n1", "own-node", ago("50m")),),
            since=ago("50m"),
            fix=(
                Fix(
                    "fix",
                    "kubectl get deployment -n kube-system karpenter -o jsonpath='{.spec.template.spec.affinity}'",
                    "give it a managed node group or Fargate, and the affinity of its chart's default: karpenter.sh/nodepool DoesNotExist",
                    "without a node outside of Karpenter's NodePools its pods then wait, and Karpenter is down: make that node first",
                ),
                Fix("verify", "karpenter-check scan --select controller-on-own-node"),
            ),
        )
    ]


def test_all_pods_on_such_nodes_are_one_finding() -> None:
    things = (a_node("n1"), a_node("n2", pool="other"), a_karpenter("karpenter-1", on="n1"), a_karpenter("karpenter-2", on="n2"))

    assert [(finding.severity, finding.message) for finding in found(*things)] == [
        (Severity.HIGH, "2 of Karpenter's 2 pods run on 2 nodes that Karpenter manages itself, of NodePool default, other")
    ]


def test_a_pod_elsewhere_takes_over() -> None:
    (finding,) = found(a_node("n1"), GROUP, a_karpenter("karpenter-1", on="n1"), a_karpenter("karpenter-2", on="group-1"))

    assert (finding.severity, finding.message) == (
        Severity.MEDIUM,
        "1 of Karpenter's 2 pods runs on 1 node that Karpenter manages itself, of NodePool default",
    )
    assert finding.why.endswith("; karpenter-2 runs on group-1, which is not Karpenter's")


@pytest.mark.parametrize("other", [a_karpenter("karpenter-2"), a_karpenter("karpenter-2", on="group-1", unready_for="2m")])
def test_a_pod_that_waits_or_is_not_ready_takes_nothing_over(other: PodObject) -> None:
    assert [finding.severity for finding in found(a_node("n1"), GROUP, a_karpenter("karpenter-1", on="n1"), other)] == [
        Severity.HIGH
    ]


def test_a_node_that_lost_its_label_is_known_by_its_nodeclaim() -> None:
    (finding,) = found(a_node("n1", pool=""), a_nodeclaim(node="n1"), a_karpenter("karpenter-1", on="n1"))

    assert finding.message == "Karpenter's pod runs on 1 node that Karpenter manages itself, of NodePool default"


@pytest.mark.parametrize(
    "things",
    [
        (GROUP, a_karpenter("karpenter-1", on="group-1")),
        (a_node("fargate-1", pool="", labels={"eks.amazonaws.com/compute-type": "fargate"}), a_karpenter("karpenter-1", on="fargate-1")),
        (
            a_nodepool(node_class=NodeClassRef("NodeClass", "default", "eks.amazonaws.com")),
            a_node("n1"),
            a_karpenter("karpenter-1", on="n1"),
        ),
        (a_node("n1"), a_karpenter("karpenter-1", on="n1", age="20s")),
        (a_karpenter("karpenter-1"),),
    ],
    ids=["a node group", "Fargate", "EKS Auto Mode's node", "a moment ago", "waits"],
)  # fmt: skip
def test_nodes_that_are_not_its_own_are_fine(things: tuple[Thing, ...]) -> None:
    assert found(*things) == []


def test_with_two_karpenters_the_node_may_be_the_others() -> None:
    green = a_controller(name="karpenter-green")
    other = a_pod("green-1", on="group-1", of=green, labels=KARPENTER)
    (finding,) = found(a_node("n1"), GROUP, green, other, a_karpenter("karpenter-1", on="n1"))

    assert (finding.severity, finding.confidence) == (Severity.MEDIUM, Confidence.POSSIBLE)
    assert finding.why.endswith("; there is more than one Karpenter in the cluster, and the node may be another's")


def test_without_a_pod_of_karpenters_nothing_is_proven() -> None:
    with pytest.raises(NotProven, match="no pod of Karpenter is in the cluster"):
        found(a_node("n1"), a_pod("web", on="n1"))


def test_hostile_names_are_quoted() -> None:
    controller = a_controller(name="$(reboot)")
    (finding,) = found(a_node("n1"), controller, a_pod("karpenter-1", on="n1", of=controller, labels=KARPENTER))

    assert "-n kube-system '$(reboot)' -o" in finding.fix[0].command
