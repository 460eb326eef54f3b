"""Others that add, drain or empty nodes."""

from collections.abc import Mapping

import pytest

from karpenter_check.finding import Confidence, Evidence, Finding, Fix, Ref, Severity
from karpenter_check.rules.competing_autoscaler import competing_autoscaler
from karpenter_check.snapshot import Kind, Status
from karpenter_check.snapshot.workload import Deployment
from tests.build import Thing, a_cluster, a_controller, a_daemonset, a_deployment, a_node, a_nodepool, a_pod

HANDLER = "aws-node-termination-handler"
QUEUE = {"INTERRUPTION_QUEUE": "set"}


def named(name: str, *, label: str = "", image: str = "", replicas: int = 1, deleted: str = "") -> Deployment:
    labels = {"app.kubernetes.io/name": label} if label else {}
    return a_deployment(name, namespace="kube-system", labels=labels, image=image or "acme:1", replicas=replicas, deleted=deleted)


def found(*things: Thing, missing: Mapping[Kind, Status] | None = None) -> list[Finding]:
    return list(competing_autoscaler(a_cluster(a_nodepool(), *things, missing=missing)))


def causes(*things: Thing, missing: Mapping[Kind, Status] | None = None) -> list[tuple[str, Severity | None]]:
    return [(finding.cause, finding.severity) for finding in found(*things, missing=missing)]


def test_a_cluster_autoscaler_is_found() -> None:
    ref = Ref("Deployment", "cluster-autoscaler", "apps/v1", "kube-system")

    assert found(named("cluster-autoscaler")) == [
        Finding(
            object=ref,
            owner=ref,
            cause="cluster-autoscaler",
            severity=Severity.INFO,
            confidence=Confidence.LIKELY,
            message="cluster-autoscaler runs beside Karpenter and adds and removes nodes, too",
            why="both see the same pending pods, so both may buy for them, and each takes the other's half-empty nodes for wanted ones; with "
            "node groups that none of Karpenter's NodePools serves they get along",
            cost="nodes that come twice, or pods that move twice",
            evidence=(Evidence(ref, "metadata.name", "cluster-autoscaler"),),
            fix=(
                Fix(
                    "fix",
                    "kubectl get deployment -n kube-system cluster-autoscaler -o yaml",
                    "scale it to 0 once Karpenter's NodePools serve all pods, or keep its node groups apart by taints",
                ),
                Fix("verify", "karpenter-check scan --select competing-autoscaler"),
            ),
        )
    ]


@pytest.mark.parametrize(
    "deployment",
    [
        named("autoscaler", label="aws-cluster-autoscaler"),
        named("autoscaler", image="registry.example.com:5000/autoscaling/cluster-autoscaler:v1.35.0@sha256:abc"),
        named("prod-cluster-autoscaler"),
    ],
    ids=["label", "image", "name"],
)
def test_it_is_told_by_label_image_or_name(deployment: Deployment) -> None:
    assert causes(deployment) == [("cluster-autoscaler", Severity.INFO)]


@pytest.mark.parametrize(
    "deployment",
    [
        named("cluster-autoscaler", replicas=0),
        named("cluster-autoscaler", deleted="1m"),
        named("cluster-proportional-autoscaler"),
        named("vertical-pod-autoscaler"),
        named("cluster-autoscaler-exporter", image="acme/cluster-autoscaler-exporter:1"),
        a_controller(),
    ],
    ids=["scaled to 0", "going", "of pods", "of requests", "an exporter", "Karpenter"],
)
def test_what_does_not_touch_nodes_is_silent(deployment: Deployment) -> None:
    assert found(deployment) == []


def test_a_handler_with_a_queue_beside_karpenters_own_is_worse() -> None:
    (finding,) = found(named(HANDLER), a_controller(env=QUEUE))

    assert (finding.cause, finding.severity) == ("node-termination-handler-queue", Severity.MEDIUM)
    assert finding.evidence[1] == Evidence(
        Ref("Deployment", "karpenter", "apps/v1", "kube-system"), "spec.template.spec.containers.env[INTERRUPTION_QUEUE]", "set"
    )


@pytest.mark.parametrize(
    "things",
    [(a_controller(),), (a_controller(env={"INTERRUPTION_QUEUE": ""}),), (a_controller(env=QUEUE, replicas=0),), ()],
    ids=["no queue", "an empty name", "turned off", "no Deployment"],
)
def test_whether_karpenter_has_a_queue_is_not_supposed(things: tuple[Thing, ...]) -> None:
    (finding,) = found(named(HANDLER), *things)

    assert (finding.cause, finding.severity) == ("node-termination-handler", Severity.INFO)
    assert "whether Karpenter has one, too, does not show in what was read" in finding.why


def test_a_handler_on_each_node_is_no_queue() -> None:
    handler = a_daemonset(HANDLER)
    things = (handler, a_node("n1"), a_pod("nth-1", on="n1", of=handler), a_controller(env=QUEUE))

    assert causes(*things) == [("node-termination-handler", Severity.INFO)]


def test_a_handler_that_keeps_off_karpenters_nodes_is_fine() -> None:
    handler = a_daemonset(HANDLER)
    things = (handler, a_node("n1"), a_node("group-1", pool=""), a_pod("nth-1", on="group-1", of=handler))

    assert causes(*things) == []
    assert causes(*things, missing={Kind.POD: Status.FORBIDDEN}) == [("node-termination-handler", Severity.INFO)]


def test_a_descheduler_is_found_and_each_is_a_finding_of_its_own() -> None:
    assert causes(named("descheduler"), named("cluster-autoscaler"), named("web")) == [
        ("descheduler", Severity.INFO),
        ("cluster-autoscaler", Severity.INFO),
    ]


def test_without_nodepools_there_is_nothing_to_compete_with() -> None:
    assert list(competing_autoscaler(a_cluster(named("cluster-autoscaler")))) == []


def test_hostile_names_are_quoted() -> None:
    (finding,) = found(named("$(reboot)-cluster-autoscaler"))

    assert finding.fix[0].command == "kubectl get deployment -n kube-system '$(reboot)-cluster-autoscaler' -o yaml"
