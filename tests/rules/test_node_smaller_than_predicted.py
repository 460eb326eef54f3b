"""Nodes that are smaller than Karpenter expected."""

from collections.abc import Mapping, Sequence

import pytest
from msgspec.structs import replace

from karpenter_check.finding import Confidence, Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity
from karpenter_check.rules.node_smaller_than_predicted import node_smaller_than_predicted
from karpenter_check.rules.nominated_pod_failure import nominated_pod_failure
from karpenter_check.scan import Outcome, scan
from karpenter_check.snapshot import Kind, Node, NodeClaim, Status
from karpenter_check.snapshot.event import Event, InvolvedObject
from karpenter_check.snapshot.metadata import Condition
from tests.build import Thing, a_cluster, a_healthy_cluster, a_node, a_nodeclaim, a_nodepool, a_pod, ago, an_event, nominated

POOL, NODE = Ref("NodePool", "default", "karpenter.sh/v1"), Ref("Node", "n1", "v1")
CLAIM = Ref("NodeClaim", "default-n1", "karpenter.sh/v1")
TYPE = {"node.kubernetes.io/instance-type": "m6i.xlarge"}
PREDICTED = {"cpu": "4", "memory": "16Gi", "pods": "110"}
FAILED = Condition("ConsistentStateFound", "False", "ConsistencyCheckFailed", "Consistency Check Failed")


def a_real(
    name: str = "n1", *, memory: str = "16Gi", cpu: str = "4", pods: str = "110", more: Mapping[str, str] | None = None,
    age: str = "1h", initialized: bool = True, deleted: str = "", labels: Mapping[str, str] = TYPE,
) -> Node:  # fmt: skip
    """A node of which 16Gi of memory, 4 cpus and 110 pods were expected."""
    node = a_node(name, memory=memory, cpu=cpu, pods=pods, age=age, initialized=initialized, deleted=deleted, labels=labels)
    return replace(node, status=replace(node.status, allocatable={**node.status.allocatable, **(more or {})}))


def a_claim(
    node: str = "n1", *, age: str = "1h", initialized: bool = True, deleted: str = "", conditions: Sequence[Condition] = ()
) -> NodeClaim:
    return a_nodeclaim(node=node, age=age, allocatable=PREDICTED, initialized=initialized, deleted=deleted, conditions=conditions)


def found(*things: Thing, missing: Mapping[Kind, Status] | None = None) -> list[Finding]:
    return list(node_smaller_than_predicted(a_cluster(*things, missing=missing)))


def judged(*things: Thing) -> list[tuple[str, Severity | None]]:
    return [(finding.cause, finding.severity) for finding in found(*things)]


def test_a_node_with_less_memory_than_expected_is_found() -> None:
    node = a_real(memory="14Gi")

    assert found(node, a_claim()) == [
        Finding(
            object=NODE,
            owner=POOL,
            nodepool="default",
            cause="memory",
            severity=Severity.LOW,
            confidence=Confidence.CERTAIN,
            message="has 12.5 % less memory for pods than Karpenter expected (m6i.xlarge)",
            why="of n1 it expected 16Gi memory allocatable, and there is 14Gi; Karpenter takes a share off for the machine "
            "(vmMemoryOverheadPercent, 7.5 % on AWS by default), and what the node class lets the kubelet keep; the kubelet has less, or "
            "keeps more",
            cost="a pod that just fits what Karpenter expects does not come to the node that is bought for it",
            impact=Impact(nodes=1, share=0.125),
            evidence=(
                Evidence(CLAIM, "status.allocatable.memory", "16Gi"),
                Evidence(NODE, "status.allocatable.memory", "14Gi"),
            ),
            occurrences=(Occurrence(NODE, node.metadata.uid, "n1", "memory", ago("1h")),),
            since=ago("1h"),
            fix=(
                Fix(
                    "fix",
                    text="set kubeReserved, systemReserved and evictionHard in the node class as the kubelet has them; if they agree, raise "
                    "VM_MEMORY_OVERHEAD_PERCENT of Karpenter's Deployment",
                    risk="a change of the node class drifts its nodes",
                ),
                Fix("verify", "karpenter-check scan --select node-smaller-than-predicted --nodepool default"),
            ),
        )
    ]


def test_a_healthy_cluster_is_fine() -> None:
    assert list(node_smaller_than_predicted(a_healthy_cluster())) == []


def a_pod_that_just_fits(memory: str = "15Gi", *, on: str = "") -> list[Thing]:
    """A pod that Karpenter nominated to the node because it fits what it expected."""
    pod = a_pod("web", memory=memory, on=on, age="20m")
    return [pod, nominated(pod, to="default-n1", node="n1", first="20m")]


def test_a_pod_that_waits_for_such_a_node_makes_it_worse() -> None:
    (finding,) = found(a_real(memory="14Gi"), a_claim(), *a_pod_that_just_fits())

    assert (finding.severity, finding.impact.pods) == (Severity.MEDIUM, 1)
    assert finding.cost == "1 pod of Pod shop/web waits: on a node as expected there would be room"


def test_it_explains_the_pods_that_found_no_room_there() -> None:
    things = [a_real(memory="14Gi"), a_claim(), *a_pod_that_just_fits()]
    report = scan(a_cluster(*things), [node_smaller_than_predicted, nominated_pod_failure])
    found_of = {result.rule.slug: result for result in report.results}
    root, symptom = found_of["node-smaller-than-predicted"], found_of["nominated-pod-failure"]

    assert symptom.finding.why.endswith("; the node has 2Gi memory less than Karpenter expected"), symptom.finding
    assert (root.caused_by, symptom.caused_by) == ((), (root.fingerprint,))


def test_a_pod_that_would_not_fit_either_way_or_fits_or_runs_is_not_its_doing() -> None:
    for pods in (a_pod_that_just_fits("17Gi"), a_pod_that_just_fits("1Gi"), a_pod_that_just_fits(on="n1")):
        assert judged(a_real(memory="14Gi"), a_claim(), *pods) == [("memory", Severity.LOW)]


@pytest.mark.parametrize(
    ("memory", "told"),
    [
        ("17Gi", []), ("16Gi", []), ("15900Mi", []), ("15893Mi", []), ("15892Mi", [Severity.INFO]),
        ("15565Mi", [Severity.INFO]), ("15564Mi", [Severity.LOW]),
    ],
)  # fmt: skip
def test_a_few_percent_are_normal(memory: str, told: list[Severity]) -> None:
    assert [finding.severity for finding in found(a_real(memory=memory), a_claim())] == told


def test_what_is_too_much_is_a_setting() -> None:
    cluster = a_cluster(a_real(memory="15Gi"), a_claim())

    assert list(node_smaller_than_predicted(cluster, warn_share=0.1)) == []
    assert [finding.severity for finding in node_smaller_than_predicted(cluster, fail_share=0.1)] == [Severity.INFO]


@pytest.mark.parametrize(
    ("node", "cause", "words"),
    [
        (a_real(cpu="3500m"), "cpu", "of n1 it expected 4 cpu allocatable, and there is 3500m; "),
        (a_real(pods="29"), "pods", "of n1 it expected 110 pods allocatable, and there is 29; "),
    ],
)
def test_cpu_and_pods_count_as_well(node: Node, cause: str, words: str) -> None:
    (finding,) = found(node, a_claim())

    assert (finding.cause, finding.why.startswith(words)) == (cause, True)


def test_several_nodes_are_one_finding_for_each_resource() -> None:
    nodes = [a_real("n1", memory="15Gi"), a_real("n2", memory="14Gi", cpu="3", labels={})]
    findings = found(*nodes, a_claim("n1"), a_claim("n2"))

    assert [(finding.object, finding.message) for finding in findings] == [
        (POOL, "2 nodes have less memory for pods than Karpenter expected, by up to 12.5 % (m6i.xlarge)"),
        (Ref("Node", "n2", "v1"), "has 25.0 % less cpu for pods than Karpenter expected"),
    ]


def test_hugepages_are_not_lost() -> None:
    assert found(a_real(memory="8Gi", more={"hugepages-2Mi": "8Gi", "hugepages-1Gi": "0"}), a_claim()) == []


@pytest.mark.parametrize(
    "things",
    [
        [a_real(memory="8Gi", initialized=False), a_claim(initialized=False)],
        [a_real(memory="8Gi", deleted="5m"), a_claim()],
        [a_real(memory="8Gi"), a_claim(deleted="5m")],
        [a_real(memory="8Gi"), a_nodeclaim()],
        [a_node(pool="", memory="1Gi")],
    ],
    ids=["not initialized", "deleted", "its claim is deleted", "nothing was predicted", "not Karpenter's"],
)
def test_what_proves_nothing_is_silent(things: Sequence[Thing]) -> None:
    assert found(*things) == []


def test_a_node_that_says_nothing_of_a_resource_proves_nothing() -> None:
    node = a_real()

    assert found(replace(node, status=replace(node.status, allocatable={})), a_claim()) == []


def test_what_karpenter_has_learned_since_is_history() -> None:
    old, new = a_real("n1", memory="14Gi", age="9h"), a_real("n2", age="1h")

    assert found(old, a_claim("n1", age="9h"), new, a_claim("n2")) == []
    assert judged(a_real("n1", age="9h"), a_claim("n1", age="9h"), a_real("n2", memory="14Gi"), a_claim("n2")) == [
        ("memory", Severity.LOW)
    ]


def test_another_instance_type_has_taught_nothing() -> None:
    old, new = a_real("n1", memory="14Gi", age="9h"), a_real("n2", labels={"node.kubernetes.io/instance-type": "c6i.large"})

    assert judged(old, a_claim("n1", age="9h"), new, a_claim("n2")) == [("memory", Severity.LOW)]


def said(resource: str = "nvidia.com/gpu", *, component: str = "karpenter") -> Event:
    message = f"expected 4 of resource {resource}, but found 2 (50.0% of expected)"
    return an_event(
        "FailedConsistencyCheck", message, about=InvolvedObject("NodeClaim", "", "default-n1"), first="9m", component=component
    )


def test_karpenters_own_check_counts() -> None:
    (finding,) = found(a_real(memory="8Gi"), a_claim(conditions=[FAILED]))

    assert (finding.cause, finding.severity) == ("memory", Severity.MEDIUM)
    assert finding.why.endswith("; Karpenter's own check of it failed (ConsistentStateFound is False)")
    assert finding.evidence[2] == Evidence(CLAIM, "status.conditions ConsistentStateFound", "False")


def test_what_the_check_was_about_is_known_from_its_event() -> None:
    (finding,) = found(a_real(), a_claim(conditions=[FAILED]), said())

    assert (finding.cause, finding.severity) == ("nvidia.com/gpu", Severity.MEDIUM)
    assert finding.message == "has less nvidia.com/gpu than 90 % of what Karpenter expected (m6i.xlarge)"
    assert finding.evidence[1].event is not None
    assert finding.fix[0].text == "see what its instances really have of it"


def test_a_check_about_another_resource_says_nothing_of_the_memory() -> None:
    assert judged(a_real(memory="8Gi"), a_claim(conditions=[FAILED]), said()) == [
        ("memory", Severity.LOW),
        ("nvidia.com/gpu", Severity.MEDIUM),
    ]


@pytest.mark.parametrize("events", [[], [said(component="somebody")]])
def test_a_check_of_which_nothing_tells_what_it_was_about_is_found(events: list[Event]) -> None:
    nodes = [a_real("n1"), a_real("n2")]
    (finding,) = found(*nodes, a_claim("n1", conditions=[FAILED]), a_claim("n2", conditions=[FAILED]), *events)

    assert (finding.cause, finding.severity) == ("unknown-resource", Severity.MEDIUM)
    assert finding.message == "2 nodes have less of something than 90 % of what Karpenter expected (m6i.xlarge)"


def test_a_check_that_passed_or_was_not_made_yet_is_none() -> None:
    for status in ("True", "Unknown"):
        assert found(a_real(), a_claim(conditions=[replace(FAILED, status=status)])) == []


def test_whether_pods_wait_is_not_denied_where_that_was_not_seen() -> None:
    (finding,) = found(a_real(memory="14Gi"), a_claim(), missing={Kind.EVENT: Status.FORBIDDEN})

    assert finding.cost.endswith("; whether pods wait for that is not known: Event is forbidden")


def test_a_claim_that_somebody_made_by_hand_owns_itself() -> None:
    node = a_node(pool="", memory="14Gi", labels={"karpenter.sh/initialized": "true"})
    (finding,) = found(node, a_nodeclaim("mine", pool="", allocatable=PREDICTED))

    assert (finding.owner, finding.nodepool) == (Ref("NodeClaim", "mine", "karpenter.sh/v1"), "")


def test_without_nodeclaims_nothing_is_judged() -> None:
    report = scan(a_cluster(a_nodepool(), missing={Kind.NODECLAIM: Status.FORBIDDEN}), [node_smaller_than_predicted])

    assert report.runs[0].outcome is Outcome.SKIPPED
