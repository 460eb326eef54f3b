"""How many pods nodes may hold."""

from collections.abc import Mapping, Sequence

import pytest
from msgspec.structs import replace

from karpenter_check.finding import Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity
from karpenter_check.rules.max_pods_inconsistent import max_pods_inconsistent
from karpenter_check.scan import Outcome, scan
from karpenter_check.snapshot import Kind, Node, NodeClaim, Status
from karpenter_check.snapshot.metadata import Condition
from karpenter_check.snapshot.nodepool import NodeClassRef
from tests.build import Thing, a_cluster, a_healthy_cluster, a_node, a_nodeclaim, a_pod

POOL = Ref("NodePool", "default", "karpenter.sh/v1")
VERIFY = Fix("verify", "karpenter-check scan --select max-pods-inconsistent --nodepool default")
DRIFTED = Condition("Drifted", "True", "NodeClassDrift")


def a_large(
    name: str,
    pods: str,
    *,
    age: str = "5h",
    pool: str = "default",
    type: str = "m6i.large",
    initialized: bool = True,
    deleted: str = "",
) -> Node:
    """A node of an instance type that may hold so many pods."""
    labels = {"node.kubernetes.io/instance-type": type} if type else {}
    return a_node(name, pods=pods, age=age, pool=pool, labels=labels, initialized=initialized, deleted=deleted)


def found(*things: Thing, missing: Mapping[Kind, Status] | None = None) -> list[Finding]:
    return list(max_pods_inconsistent(a_cluster(*things, missing=missing)))


def judged(*things: Thing, missing: Mapping[Kind, Status] | None = None) -> list[tuple[str, Severity | None]]:
    return [(finding.cause, finding.severity) for finding in found(*things, missing=missing)]


MIXED = [a_large("n1", "29", age="9h"), a_large("n2", "110", age="8h"), a_large("n3", "29", age="7h")]


def test_nodes_of_one_type_that_hold_different_numbers_are_found() -> None:
    assert found(*MIXED) == [
        Finding(
            object=POOL,
            owner=POOL,
            nodepool="default",
            cause="capacity-differs",
            severity=Severity.MEDIUM,
            message="m6i.large holds 29 or 110 pods, by node",
            why="29 on 2 nodes, 110 on 1 node; nodes of either number were bought in turn, so that no single change explains it: maxPods is set by "
            "something else than the node class, as user data, or how the network plugin was set when they booted",
            cost="Karpenter counts on one number for a type: where a node has fewer, pods that it was bought for do not come; where it has "
            "more, addresses may run out",
            impact=Impact(nodes=3),
            evidence=(
                Evidence(Ref("Node", "n1", "v1"), "status.allocatable.pods", "29"),
                Evidence(Ref("Node", "n2", "v1"), "status.allocatable.pods", "110"),
            ),
            occurrences=tuple(
                Occurrence(Ref("Node", node.name, "v1"), node.metadata.uid, node.name, "capacity-differs") for node in MIXED
            ),
            fix=(
                Fix(
                    "fix",
                    "kubectl get nodes -l karpenter.sh/nodepool=default -o custom-columns="
                    r"'NODE:.metadata.name,TYPE:.metadata.labels.node\.kubernetes\.io/instance-type,"
                    "MADE:.metadata.creationTimestamp,PODS:.status.allocatable.pods'",
                    "set maxPods in the node class, and nowhere else",
                    "a change of the node class drifts its nodes",
                ),
                VERIFY,
            ),
        )
    ]


def test_a_healthy_cluster_is_fine() -> None:
    assert list(max_pods_inconsistent(a_healthy_cluster())) == []


def test_a_change_that_newer_nodes_have_is_less_severe() -> None:
    (finding,) = found(a_large("n1", "29", age="9h"), a_large("n2", "29", age="8h"), a_large("n3", "110", age="7h"))

    assert finding.severity is Severity.LOW
    assert finding.why == (
        "29 on 2 nodes, 110 on 1 node; the newest node, n3, has 110, and those that differ are older or have drifted: a change that nodes "
        "take over as they are replaced"
    )


def test_nodes_that_have_drifted_are_a_change_too() -> None:
    claims = [
        a_nodeclaim(node="n1", age="9h"),
        a_nodeclaim(node="n2", age="8h", conditions=[DRIFTED]),
        a_nodeclaim(node="n3", age="7h"),
    ]

    assert judged(*MIXED, *claims) == [("capacity-differs", Severity.LOW)]


def of_class(node: str, age: str, name: str) -> NodeClaim:
    claim = a_nodeclaim(node=node, age=age)
    return replace(claim, spec=replace(claim.spec, node_class_ref=NodeClassRef("EC2NodeClass", name, "karpenter.k8s.aws")))


@pytest.mark.parametrize(
    "things",
    [
        [a_large("n1", "29"), a_large("n2", "58", type="m6i.xlarge"), a_large("n3", "29")],
        [a_large("n1", "29"), a_large("n2", "110", pool="dense"), a_large("n3", "29")],
        [*MIXED, of_class("n1", "9h", "default"), of_class("n2", "8h", "dense"), of_class("n3", "7h", "default")],
        [MIXED[0], a_large("n2", "110", initialized=False), MIXED[2]],
        [MIXED[0], a_large("n2", "110", deleted="5m"), MIXED[2]],
        [*MIXED, a_nodeclaim(node="n2", deleted="5m")],
        [a_large("n1", "29", type=""), a_large("n2", "110", type=""), a_large("n3", "29", type="")],
        [a_large("n1", "29", pool=""), a_large("n2", "110", pool=""), a_large("n3", "29", pool="")],
        [a_large("n1", "29"), a_large("n2", "0"), a_large("n3", "29")],
    ],
    ids=[
        "another type", "another NodePool", "another node class", "not initialized", "deleted", "its claim is deleted", "no type is known",
        "not Karpenter's", "says nothing",
    ],
)  # fmt: skip
def test_numbers_that_differ_with_reason_are_fine(things: Sequence[Thing]) -> None:
    assert found(*things) == []


def test_several_types_of_a_nodepool_are_one_finding_about_the_worst() -> None:
    others = [a_large("a1", "8", type="a1.medium", age="3h"), a_large("a2", "11", type="a1.medium", age="2h")]
    (finding,) = found(*others, *MIXED)

    assert (finding.message, finding.severity) == ("m6i.large holds 29 or 110 pods, by node; and 1 other type", Severity.MEDIUM)
    assert finding.impact == Impact(nodes=5)


def pods_on(*nodes: str, number: int = 10, cpu: str = "100m", memory: str = "128Mi", phase: str = "") -> list[Thing]:
    return [a_pod(f"{node}-{place}", on=node, cpu=cpu, memory=memory, phase=phase) for node in nodes for place in range(number)]


SMALL = [a_large("n1", "10"), a_large("n2", "10")]


def test_nodes_that_are_full_of_pods_and_idle_are_found() -> None:
    (finding,) = found(*SMALL, *pods_on("n1", "n2"))

    assert (finding.object, finding.cause, finding.severity) == (POOL, "slots-full", Severity.LOW)
    assert finding.message == "2 nodes have no room for more pods, though less than 50 % of their cpu and memory is asked for"
    assert (
        finding.why == "n2 holds 10 pods of 10 at the most, which ask for 25 % of its cpu and 8 % of its memory; types: m6i.large"
    )
    assert finding.cost == "2 nodes paid for and used in part; Karpenter buys others for the next pods"
    assert (finding.impact, [entry.node for entry in finding.occurrences]) == (Impact(nodes=2), ["n1", "n2"])
    assert finding.fix[-1] == VERIFY


def test_pods_that_wait_for_a_slot_make_it_worse() -> None:
    waiting = a_pod("late", message="0/2 nodes are available: 2 Too many pods. preemption: …")
    (finding,) = found(*SMALL, *pods_on("n1", "n2"), waiting)

    assert (finding.severity, finding.impact.pods) == (Severity.MEDIUM, 1)
    assert finding.cost.endswith("; kube-scheduler says of 1 pod that nodes hold too many pods")


def test_pods_that_wait_for_something_else_or_for_seconds_do_not() -> None:
    others = [a_pod("big"), a_pod("new", message="2 Too many pods", age="59s")]

    assert judged(*SMALL, *pods_on("n1", "n2"), *others) == [("slots-full", Severity.LOW)]


@pytest.mark.parametrize(
    "things",
    [
        [*SMALL, *pods_on("n1")],
        [*SMALL, *pods_on("n1", "n2", number=9)],
        [*SMALL, *pods_on("n1", "n2", cpu="200m")],
        [*SMALL, *pods_on("n1", "n2", memory="1Gi")],
        [*SMALL, *pods_on("n1", "n2", phase="Succeeded")],
        [a_large("n1", "10", age="59s"), a_large("n2", "10", age="59s"), *pods_on("n1", "n2")],
        [a_large("n1", "10", pool="a"), a_large("n2", "10", pool="b"), *pods_on("n1", "n2")],
    ],
    ids=["one node", "slots are left", "cpu is used", "memory is used", "they have finished", "young nodes", "of two NodePools"],
)
def test_nodes_that_are_not_full_or_not_idle_are_fine(things: Sequence[Thing]) -> None:
    assert found(*things) == []


def test_pods_that_were_not_all_seen_prove_no_idleness() -> None:
    assert judged(*SMALL, *pods_on("n1", "n2"), missing={Kind.POD: Status.PARTIAL}) == []


def test_what_is_full_and_what_is_idle_and_how_many_are_settings() -> None:
    nine, half, one = (
        a_cluster(*SMALL, *pods_on("n1", "n2", number=9)),
        a_cluster(*SMALL, *pods_on("n1", "n2", cpu="200m")),
        a_cluster(*SMALL, *pods_on("n1")),
    )

    assert len(list(max_pods_inconsistent(nine, full_share=0.9))) == 1
    assert [finding.message for finding in max_pods_inconsistent(half, idle_share=0.6)] == [
        "2 nodes have no room for more pods, though less than 60 % of their cpu and memory is asked for"
    ]
    assert [finding.message for finding in max_pods_inconsistent(one, minimum_nodes=1)] == [
        "1 node has no room for more pods, though less than 50 % of their cpu and memory is asked for"
    ]


@pytest.mark.parametrize("kind", [Kind.NODE, Kind.NODECLAIM, Kind.POD])
def test_what_it_needs_it_needs(kind: Kind) -> None:
    assert scan(a_cluster(missing={kind: Status.FORBIDDEN}), [max_pods_inconsistent]).runs[0].outcome is Outcome.SKIPPED


def test_where_no_node_is_full_none_is_found_at_any_setting() -> None:
    assert list(max_pods_inconsistent(a_cluster(a_node("n1")), minimum_nodes=0)) == []
