"""Spot nodes that are taken back."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

import pytest
from msgspec.structs import replace

from karpenter_check.finding import Blame, Confidence, EventEvidence, Evidence, Finding, Fix, Impact, Occurrence, Ref
from karpenter_check.rule import NotProven
from karpenter_check.rules.insufficient_capacity import insufficient_capacity
from karpenter_check.rules.node_not_ready import node_not_ready
from karpenter_check.rules.spot_interruption_unhandled import spot_interruption_unhandled
from karpenter_check.scan import scan
from karpenter_check.snapshot import Kind, Node, Status, Version
from karpenter_check.snapshot.event import Event, InvolvedObject
from karpenter_check.snapshot.nodepool import NodeClassRef
from karpenter_check.snapshot.part import Present
from karpenter_check.snapshot.workload import Deployment, DeploymentContainer, DeploymentPodSpec, DeploymentTemplate, EnvVar
from tests.build import Thing, a_cluster, a_daemonset, a_deployment, a_node, a_nodeclaim, a_nodepool, a_pod, ago, an_event

KARPENTER, POOL = Ref("Deployment", "karpenter", "apps/v1", "kube-system"), Ref("NodePool", "default", "karpenter.sh/v1")
V1_13, NAMED = Version(1, 13), EnvVar("CLUSTER_NAME", "shop")
QUEUE = EnvVar("INTERRUPTION_QUEUE", "set")
WEB = a_deployment("web", replicas=2)


def a_controller(*env: EnvVar, name: str = "karpenter", replicas: int = 2) -> Deployment:
    deployment = a_deployment(name, namespace="kube-system", replicas=replicas)
    spec = DeploymentPodSpec((DeploymentContainer("public.ecr.aws/karpenter/controller:1.13.0", env),))
    return replace(deployment, spec=replace(deployment.spec, template=DeploymentTemplate(spec)))


def a_spot(name: str = "n1", pool: str = "default", age: str = "1h") -> Node:
    return a_node(name, pool=pool, age=age, labels={"karpenter.sh/capacity-type": "spot"})


def interrupted(
    claim: str = "default-bcdfg", reason: str = "SpotInterrupted", *, at: str = "20m", component: str = "karpenter"
) -> Event:
    return an_event(
        reason,
        "Spot interruption warning was triggered",
        about=InvolvedObject("NodeClaim", "", claim),
        first=at,
        component=component,
    )


def evicted(name: str = "web-bcdfg-24x6z", last: str = "19m") -> Event:
    return an_event("Evicted", "Evicted pod: Forceful Termination", about=InvolvedObject("Pod", "shop", name, "gone"), first=last)


def found(
    *things: Thing,
    version: Version | None = V1_13,
    missing: Mapping[Kind, Status] | None = None,
    fail_after: timedelta = timedelta(minutes=5),
) -> list[Finding]:
    cluster = a_cluster(*things, version=version, missing=missing)
    return list(spot_interruption_unhandled(cluster, fail_after=fail_after))


def test_spot_nodes_without_an_interruption_queue_are_found() -> None:
    node, other = a_spot(), a_spot("n2", pool="web")

    assert found(node, other, a_node("n3"), a_controller(NAMED)) == [
        Finding(
            object=KARPENTER,
            owner=KARPENTER,
            cause="no-queue",
            confidence=Confidence.LIKELY,
            message="Karpenter is not told of interruptions: INTERRUPTION_QUEUE is not set; 2 spot nodes will go without a drain",
            why="a spot instance is taken back two minutes after a warning; without a queue Karpenter learns of it when the instance is gone: "
            "nothing is evicted in time, and no replacement is bought before; spot nodes by NodePool: default 1, web 1",
            cost="the pods of 2 nodes are cut off without notice when their instance goes",
            impact=Impact(nodes=2),
            evidence=(Evidence(KARPENTER, "spec.template.spec.containers[].env[INTERRUPTION_QUEUE]", "not set"),),
            occurrences=(
                Occurrence(Ref("Node", "n1", "v1"), node.metadata.uid, "n1", "no-queue"),
                Occurrence(Ref("Node", "n2", "v1"), other.metadata.uid, "n2", "no-queue"),
            ),
            fix=(
                Fix(
                    "fix",
                    text="set the chart's settings.interruptionQueue (INTERRUPTION_QUEUE) to an SQS queue that EventBridge fills with EC2's interruption events",
                    risk="Karpenter restarts; make the queue first and let the controller's role read it, or Karpenter may not come up",
                ),
                Fix("verify", "karpenter-check scan --select spot-interruption-unhandled"),
            ),
        )
    ]


AZURE = a_nodepool(node_class=NodeClassRef("AKSNodeClass", "default", "karpenter.azure.com"))
AUTO_MODE = a_nodepool(node_class=NodeClassRef("NodeClass", "default", "eks.amazonaws.com"))
WATCHED = an_event("SpotRebalanceRecommendation", "no action", about=InvolvedObject("NodeClaim", "", "default-bcdfg"), first="5h")


@pytest.mark.parametrize(
    "things",
    [
        [a_spot(), a_controller(NAMED, QUEUE)],
        [a_spot(), a_controller(NAMED, EnvVar("INTERRUPTION_QUEUE", value_from=Present()))],
        [a_spot(), a_controller(NAMED), a_controller(NAMED, QUEUE, name="karpenter-2")],
        [a_spot(), a_controller(NAMED), WATCHED],
        [a_spot(), a_controller(NAMED), a_daemonset("aws-node-termination-handler")],
        [a_spot(), a_controller(NAMED), a_deployment("aws-node-termination-handler")],
        [a_spot(), a_controller(NAMED), AZURE],
        [a_spot(), AUTO_MODE],
        [a_node("n1"), a_controller(NAMED)],
        [a_node("n1")],
        [a_spot(pool=""), a_controller(NAMED)],
        [a_spot(age="30s"), a_controller(NAMED)],
    ],
    ids=["queue", "queue from elsewhere", "queue of another", "it hears", "handler", "handler by queue", "Azure", "Auto Mode", "no spot", "nothing to ask", "not Karpenter's", "just born"],
)  # fmt: skip
def test_what_is_handled_or_not_spot_of_aws_is_silent(things: Sequence[Thing]) -> None:
    assert found(*things) == []


@pytest.mark.parametrize(
    ("things", "version", "said"),
    [
        ([], V1_13, "no Deployment of Karpenter's shows its settings"),
        ([a_controller()], V1_13, "no Deployment of Karpenter's shows its settings"),
        ([a_controller(NAMED, replicas=0)], V1_13, "no Deployment of Karpenter's shows its settings"),
        ([a_controller(NAMED)], Version(0, 32, 1), "Karpenter 0.32.1 may name its interruption queue in a ConfigMap"),
    ],
    ids=["none", "set elsewhere", "not meant to run", "old"],
)
def test_where_the_controllers_settings_are_not_seen_nothing_is_proven(things: list[Thing], version: Version, said: str) -> None:
    with pytest.raises(NotProven, match=said):
        found(a_spot(), *things, version=version)


def test_without_daemonsets_it_is_only_possible() -> None:
    (finding,) = found(a_spot(), a_controller(NAMED), missing={Kind.DAEMONSET: Status.FORBIDDEN})

    assert finding.confidence is Confidence.POSSIBLE
    assert finding.why.endswith("; whether a node termination handler runs is not known: DaemonSet is forbidden")


POD = a_pod("web-bcdfg-z9kq2", of=WEB, age="18m")


def test_an_interrupted_node_whose_pods_still_wait_is_found() -> None:
    assert found(a_nodepool(), WEB, POD, interrupted(), evicted()) == [
        Finding(
            object=POOL,
            owner=POOL,
            nodepool="default",
            cause="no-replacement",
            confidence=Confidence.LIKELY,
            message="1 node of default was interrupted, and 1 pod of what ran there has no node for 18m",
            why="the last interruption was told at 11:40:00Z (20m ago) (SpotInterrupted); Karpenter drains such a node and buys another for its "
            "pods; those of Deployment shop/web still wait for it",
            cost="1 pod without a node",
            impact=Impact(pods=1, nodeclaims=1),
            evidence=(Evidence(event=EventEvidence("SpotInterrupted", "Spot interruption warning was triggered", 1, ago("20m"))),),
            occurrences=(
                Occurrence(Ref("Pod", "web-bcdfg-z9kq2", "v1", "shop"), POD.metadata.uid, "", "no-replacement", ago("18m")),
            ),
            since=ago("18m"),
            fix=(
                Fix(
                    "fix",
                    "karpenter-check why pod -n shop web-bcdfg-z9kq2",
                    "see what keeps Karpenter from a new node for them; with more instance types and zones in the NodePool, or on-demand beside spot, "
                    "it finds one sooner",
                ),
                Fix("verify", "karpenter-check scan --select spot-interruption-unhandled --nodepool default"),
            ),
            blames=(Blame(Ref("Pod", "web-bcdfg-z9kq2", "v1", "shop")),),
        )
    ]


def test_a_node_that_still_drains_tells_what_ran_there() -> None:
    going = (
        a_node("n1", deleted="19m", cpu="100m"),
        a_nodeclaim("c1", node="n1", deleted="19m"),
        a_pod("web-bcdfg-x4b7n", of=WEB, on="n1"),
    )
    (finding,) = found(WEB, POD, *going, interrupted("c1", "TerminatingOnInterruption"))

    assert (finding.cause, finding.nodepool) == ("no-replacement", "default")


def test_it_is_told_also_where_the_controller_is_not_seen() -> None:
    large = a_pod("web-bcdfg-z9kq2", of=WEB, age="18m", cpu="64")

    assert [finding.cause for finding in found(a_spot(), WEB, large, interrupted(reason="TerminatingOnInterruption"), evicted())] == ["no-replacement"]  # fmt: skip


@pytest.mark.parametrize(
    "things",
    [
        [POD, interrupted()],
        [POD, interrupted(reason="SpotRebalanceRecommendation"), evicted()],
        [POD, interrupted(reason="InstanceTerminating"), evicted()],
        [POD, interrupted(at="61m"), evicted()],
        [POD, interrupted(at="10m"), evicted()],
        [POD, interrupted("other-bcdfg"), evicted()],
        [POD, interrupted(component="somebody"), evicted()],
        [POD, interrupted(), evicted("other-bcdfg-24x6z")],
        [a_pod("web-bcdfg-z9kq2", of=WEB, age="4m"), interrupted(), evicted()],
        [POD, a_node("n2"), interrupted(), evicted()],
        [a_pod("web-bcdfg-z9kq2", of=WEB, age="18m", on="n2"), a_node("n2"), interrupted(), evicted()],
    ],
    ids=["nothing was evicted", "rebalance", "ended by anybody", "long ago", "waited before", "other NodePool", "not Karpenter's", "other workload", "for a moment", "fits a node", "has a node"],
)  # fmt: skip
def test_interruptions_that_are_nobodys_harm_are_silent(things: Sequence[Thing]) -> None:
    assert found(a_nodepool(), WEB, *things) == []


def test_without_events_no_interruption_is_judged() -> None:
    assert found(a_nodepool(), WEB, POD, interrupted(), evicted(), missing={Kind.EVENT: Status.FORBIDDEN}) == []


def test_how_long_pods_must_wait_is_a_setting() -> None:
    assert found(a_nodepool(), WEB, POD, interrupted(), evicted(), fail_after=timedelta(minutes=19)) == []


def test_it_folds_under_what_keeps_the_same_pods_waiting_and_under_nothing_else_of_the_nodepool() -> None:
    sick = a_node("n2", ready=False, cpu="0")
    refused = [
        an_event(
            "InsufficientCapacityError",
            "no such instances",
            about=InvolvedObject("NodeClaim", name=f"default-{letter * 5}"),
            first="5m",
        )
        for letter in "abc"
    ]
    cluster = a_cluster(a_nodepool(), WEB, POD, sick, interrupted(), evicted(), *refused)
    results = scan(cluster, [spot_interruption_unhandled, insufficient_capacity, node_not_ready]).results
    by_fingerprint = {result.fingerprint: result.rule.slug for result in results}

    assert sorted((result.rule.slug, [by_fingerprint[cause] for cause in result.caused_by]) for result in results) == [
        ("insufficient-capacity", []),
        ("node-not-ready", []),
        ("spot-interruption-unhandled", ["insufficient-capacity"]),
    ]
