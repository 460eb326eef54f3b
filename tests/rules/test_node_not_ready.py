"""Nodes that are not Ready and that nothing replaces."""

from collections.abc import Mapping
from datetime import timedelta

import pytest
from msgspec.structs import replace

from karpenter_check.finding import Confidence, EventEvidence, Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity
from karpenter_check.rules.node_not_ready import node_not_ready
from karpenter_check.rules.nominated_pod_failure import nominated_pod_failure
from karpenter_check.scan import Outcome, scan
from karpenter_check.snapshot import Kind, Node, NodeClaim, Status, Version
from karpenter_check.snapshot.event import Event, InvolvedObject
from karpenter_check.snapshot.metadata import Condition
from karpenter_check.snapshot.nodepool import Budget, NodeClassRef
from karpenter_check.snapshot.part import Present
from karpenter_check.snapshot.workload import Deployment, DeploymentContainer, DeploymentPodSpec, DeploymentTemplate, EnvVar
from tests.build import (
    Thing,
    a_cluster,
    a_daemonset,
    a_deployment,
    a_node,
    a_nodeclaim,
    a_nodepool,
    a_pod,
    ago,
    an_event,
    nominated,
)

POOL, NODE = Ref("NodePool", "default", "karpenter.sh/v1"), Ref("Node", "n1", "v1")
V1_13 = Version(1, 13)
NO_HEARTBEAT = "Kubelet stopped posting node status."
NO_CNI = "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:cni plugin not initialized"


def unready(
    name: str = "n1",
    *,
    since: str = "25m",
    status: str = "Unknown",
    reason: str = "NodeStatusUnknown",
    message: str = NO_HEARTBEAT,
    others: tuple[Condition, ...] = (),
    node: Node | None = None,
) -> Node:
    """A node, nine hours old, whose Ready condition has been so for so long."""
    node = node or a_node(name, age="9h")
    ready = Condition("Ready", status, reason, message, ago(since))
    return replace(node, status=replace(node.status, conditions=(ready, *others)))


def karpenter(gates: str | None = "NodeRepair=false", *, elsewhere: bool = False) -> Deployment:
    """Karpenter's own Deployment, with these feature gates."""
    deployment = a_deployment("karpenter", namespace="kube-system", labels={"app.kubernetes.io/name": "karpenter"})
    variable = EnvVar("FEATURE_GATES", gates or "", Present() if elsewhere else None)
    containers = (DeploymentContainer("karpenter:1.13.0", () if gates is None else (variable,)),)
    template = DeploymentTemplate(DeploymentPodSpec(containers))
    return replace(deployment, spec=replace(deployment.spec, template=template))


def found(*things: Thing, version: Version | None = V1_13, missing: Mapping[Kind, Status] | None = None) -> list[Finding]:
    return list(node_not_ready(a_cluster(*things, version=version, missing=missing)))


def judged(*things: Thing, version: Version | None = V1_13) -> list[tuple[str, Severity | None, Confidence]]:
    return [(finding.cause, finding.severity, finding.confidence) for finding in found(*things, version=version)]


def severities(*things: Thing) -> list[Severity | None]:
    return [finding.severity for finding in found(*things)]


OFF, ON = karpenter(), karpenter("NodeRepair=true,NodeOverlay=false")
SURE = [("kubelet-silent", Severity.HIGH, Confidence.CERTAIN)]


def test_a_node_whose_kubelet_stopped_is_found() -> None:
    logs, node = a_daemonset("logs"), unready()
    pods = [a_pod("web-1", on="n1"), a_pod("logs-1", on="n1", of=logs), a_pod("job-1", on="n1", phase="Succeeded")]

    assert found(node, a_nodeclaim(age="9h"), OFF, logs, *pods) == [
        Finding(
            object=NODE,
            owner=POOL,
            nodepool="default",
            cause="kubelet-silent",
            severity=Severity.HIGH,
            message="not Ready for 25m: the kubelet has stopped reporting",
            why='its condition Ready is Unknown since 11:35:00Z (25m ago): "Kubelet stopped posting node status."; Karpenter\'s node repair '
            "is off, and nothing else of it replaces a node for that; it expires at 2026-12-21 03:00Z (in 29d15h)",
            cost="1 node paid for; 1 pod still bound there, DaemonSets' aside; counted against default's budgets, which let no node go as "
            "Empty or Drifted or Underutilized now",
            impact=Impact(nodes=1, pods=1),
            evidence=(Evidence(NODE, "status.conditions Ready", "Unknown (NodeStatusUnknown)"),),
            occurrences=(Occurrence(NODE, node.metadata.uid, "n1", "kubelet-silent", ago("25m")),),
            since=ago("25m"),
            fix=(
                Fix(
                    "stop",
                    "kubectl delete nodeclaim default-n1",
                    risk="it drains, which PodDisruptionBudgets and do-not-disrupt can hold, and its instance ends; Karpenter buys another where pods need it",
                ),
                Fix(
                    "fix",
                    "kubectl describe node n1",
                    "see whether the instance still runs and reaches the API server; pods that took all its memory are a common cause",
                ),
                Fix(
                    "or",
                    text="with the feature gate NodeRepair=true (FEATURE_GATES of its Deployment) Karpenter 1.1 and later replaces such "
                    "nodes, where the cloud provider supports it",
                    risk="up to 1.14 repair ends pods by force: it asks neither PodDisruptionBudgets nor do-not-disrupt",
                ),
                Fix("verify", "karpenter-check scan --select node-not-ready --nodepool default"),
            ),
        )
    ]


def test_a_ready_node_is_fine() -> None:
    assert found(a_node(), OFF) == []


@pytest.mark.parametrize(
    ("status", "reason", "message", "cause", "short"),
    [
        ("Unknown", "NodeStatusNeverUpdated", "Kubelet never posted node status.", "never-reported", "the kubelet has never reported"),
        ("False", "KubeletNotReady", NO_CNI, "network", "the network plugin is not ready"),
        ("False", "KubeletNotReady", "[container runtime is down, PLEG is not healthy]", "container-runtime", "the container runtime does not work"),
        ("False", "KubeletNotReady", "missing node capacity for resources: memory", "kubelet", "the kubelet says so"),
    ],
)  # fmt: skip
def test_what_is_not_ready_is_told_apart(status: str, reason: str, message: str, cause: str, short: str) -> None:
    (finding,) = found(unready(status=status, reason=reason, message=message), OFF)

    assert (finding.cause, finding.message) == (cause, f"not Ready for 25m: {short}")
    assert f'"{message}"' in finding.why


def test_where_the_network_plugin_is_not_ready_its_pod_is_looked_at() -> None:
    (finding,) = found(unready("odd name", status="False", message=NO_CNI), OFF)

    assert finding.fix[1].command == "kubectl get pods -A -o wide --field-selector spec.nodeName='odd name'"


def test_a_long_message_is_cut() -> None:
    (finding,) = found(unready(message="x" * 3000), OFF)

    assert len(finding.why) < 600


def test_pressures_are_said() -> None:
    full = (Condition("DiskPressure", "True"), Condition("MemoryPressure", "False"), Condition("PIDPressure", "Unknown"))
    (finding,) = found(unready(status="False", others=full), OFF)

    assert "; it has DiskPressure; " in finding.why


def test_several_nodes_of_a_nodepool_are_one_finding_and_those_of_another_another() -> None:
    other = unready(node=a_node("m1", pool="other", age="9h"))
    findings = found(unready(), unready("n2", since="40m"), unready("n3", status="False", message=NO_CNI), other, OFF)

    assert [(finding.object, finding.cause, finding.message) for finding in findings] == [
        (POOL, "kubelet-silent", "2 nodes not Ready, n2 for 40m: the kubelet has stopped reporting"),
        (Ref("Node", "n3", "v1"), "network", "not Ready for 25m: the network plugin is not ready"),
        (Ref("Node", "m1", "v1"), "kubelet-silent", "not Ready for 25m: the kubelet has stopped reporting"),
    ]
    assert [entry.node for entry in findings[0].occurrences] == ["n2", "n1"]
    assert findings[0].fix[0].text == "and so for 1 other node, one after another"


@pytest.mark.parametrize(
    ("since", "severity"), [("4m59s", []), ("5m", [Severity.LOW]), ("9m59s", [Severity.LOW]), ("10m", [Severity.HIGH])]
)
def test_a_node_is_given_minutes(since: str, severity: list[Severity]) -> None:
    assert severities(unready(since=since), OFF) == severity


def test_when_it_warns_and_fails_are_settings() -> None:
    cluster = a_cluster(unready(since="3m"), OFF)
    short = timedelta(minutes=2)

    assert [finding.severity for finding in node_not_ready(cluster, warn_after=short)] == [Severity.LOW]
    assert [finding.severity for finding in node_not_ready(cluster, warn_after=short, fail_after=short)] == [Severity.HIGH]


def test_how_long_repair_is_given_is_a_setting() -> None:
    cluster = a_cluster(unready(since="25m"), *others(5), ON, version=V1_13)

    assert list(node_not_ready(cluster)) == []
    assert [finding.severity for finding in node_not_ready(cluster, repaired_after=timedelta(minutes=20))] == [Severity.HIGH]


def others(number: int) -> list[Node]:
    """Nodes of the same NodePool that are Ready."""
    return [a_node(f"ready-{place}", age="9h") for place in range(number)]


@pytest.mark.parametrize(("since", "told"), [("34m", []), ("35m", [Severity.HIGH])])
def test_where_repair_is_on_it_is_given_its_time(since: str, told: list[Severity]) -> None:
    assert severities(unready(since=since), *others(4), ON) == told


def test_repair_that_has_not_come_is_said() -> None:
    (finding,) = found(unready(since="40m"), *others(4), ON)

    assert "Karpenter's node repair is on, and has not replaced it" in finding.why
    assert [step.step for step in finding.fix] == ["stop", "fix", "verify"]


def test_repair_stops_where_too_many_nodes_are_not_ready() -> None:
    said = an_event(
        "NodeRepairBlocked", "more than 20% nodes are unhealthy in the nodepool", about=InvolvedObject("Node", "", "n1"), first="10m", times=2
    )  # fmt: skip
    (finding,) = found(unready(), unready("n2", since="20m"), *others(3), ON, said)

    assert finding.severity is Severity.HIGH
    assert (
        "while more than 20 % of a NodePool's nodes are not Ready, here 2 of 5, Karpenter's node repair replaces none"
        in finding.why
    )
    assert finding.evidence[1] == Evidence(event=EventEvidence("NodeRepairBlocked", said.message, 2, ago("10m")))


def test_one_node_of_a_few_does_not_stop_repair() -> None:
    assert severities(unready(), ON) == []
    assert severities(unready(), *others(1), ON) == []


@pytest.mark.parametrize(
    ("gates", "since", "told"),
    [
        (karpenter(None), "25m", [Severity.MEDIUM]),
        (karpenter("NodeRepair=true", elsewhere=True), "25m", [Severity.MEDIUM]),
        (a_deployment("web"), "25m", [Severity.MEDIUM]),
        (karpenter("NodeOverlay=true"), "25m", [Severity.HIGH]),
        (a_deployment("web"), "9m", [Severity.LOW]),
        (a_deployment("web"), "35m", [Severity.HIGH]),
    ],
    ids=["no gates", "gates elsewhere", "no Deployment", "off by default", "young", "old"],
)
def test_where_nothing_tells_whether_repair_is_on_it_is_less_severe_for_a_while(
    gates: Deployment, since: str, told: list[Severity]
) -> None:
    assert severities(unready(since=since), *others(4), gates) == told


def test_that_nothing_tells_is_said() -> None:
    (finding,) = found(unready(), *others(4))

    assert finding.confidence is Confidence.LIKELY
    assert "whether Karpenter's node repair is on is not known" in finding.why


def test_deployments_that_were_not_all_seen_tell_nothing_of_repair() -> None:
    (finding,) = found(unready(), *others(4), ON, missing={Kind.DEPLOYMENT: Status.PARTIAL})

    assert finding.confidence is Confidence.LIKELY


def test_two_karpenters_that_differ_tell_nothing_of_repair() -> None:
    second = replace(ON, metadata=replace(ON.metadata, name="karpenter-2"))

    assert judged(unready(), *others(4), OFF, second) == [("kubelet-silent", Severity.MEDIUM, Confidence.LIKELY)]


def test_karpenter_1_0_repairs_nothing() -> None:
    assert judged(unready(), *others(4), ON, version=Version(1, 0)) == SURE


def test_eks_auto_mode_repairs() -> None:
    claim = a_nodeclaim(age="9h")
    auto = replace(claim, spec=replace(claim.spec, node_class_ref=NodeClassRef("NodeClass", "default", "eks.amazonaws.com")))

    assert judged(unready(), auto, *others(4)) == []
    assert judged(unready(since="40m"), auto, *others(4)) == SURE


@pytest.mark.parametrize(
    "claim",
    [
        a_nodeclaim(deleted="20m"),
        a_nodeclaim(conditions=[Condition("InstanceTerminating", "True")]),
        a_nodeclaim(conditions=[Condition("DisruptionReason", "True", "Drifted")]),
        a_nodeclaim(conditions=[Condition("Rebooting", "True")]),
    ],
    ids=["deleted", "its instance is terminated", "being disrupted", "rebooting"],
)
def test_a_node_whose_claim_goes_is_not_this_rules(claim: NodeClaim) -> None:
    assert found(unready(), claim, OFF) == []


@pytest.mark.parametrize(
    "node",
    [
        a_node(deleted="20m"),
        a_node(taints=["karpenter.sh/disrupted:NoSchedule"]),
        a_node(labels={"karpenter.sh/registered": "false"}),
        a_node(pool=""),
    ],
    ids=["deleted", "being disrupted", "never registered", "not Karpenter's"],
)
def test_a_node_that_goes_or_never_came_is_not_this_rules(node: Node) -> None:
    assert found(unready(node=node), OFF) == []


def test_a_node_that_says_nothing_of_it_or_not_since_when_is_not_judged() -> None:
    node = unready()
    silent = replace(node, status=replace(node.status, conditions=()))
    timeless = replace(node, status=replace(node.status, conditions=(Condition("Ready", "Unknown"),)))

    assert (found(silent, OFF), found(timeless, OFF)) == ([], [])


def interrupted(about: str, *, last: str = "14m", reason: str = "SpotInterrupted", component: str = "karpenter") -> Event:
    kind = "Node" if about == "n1" else "NodeClaim"
    return an_event(reason, "interrupted", about=InvolvedObject(kind, "", about), first=last, component=component)


@pytest.mark.parametrize("reason", ["SpotInterrupted", "InstanceStopping", "InstanceTerminating", "TerminatingOnInterruption"])
@pytest.mark.parametrize("name", ["n1", "default-n1"])
def test_an_instance_that_was_interrupted_is_given_to_go(reason: str, name: str) -> None:
    assert judged(unready(), OFF, interrupted(name, reason=reason)) == []


def test_an_interruption_of_long_ago_or_of_another_or_told_by_another_is_none() -> None:
    assert judged(unready(), OFF, interrupted("n1", last="15m")) == SURE
    assert judged(unready(), OFF, interrupted("n2")) == SURE
    assert judged(unready(), OFF, interrupted("n1", component="somebody")) == SURE


def test_a_cordoned_node_is_less_severe() -> None:
    (finding,) = found(unready(node=a_node(age="9h", cordoned=True)), OFF)

    assert (finding.severity, "somebody cordoned it, and may be at work on it" in finding.why) == (Severity.MEDIUM, True)


def test_a_node_that_never_was_ready_counts_against_no_budget() -> None:
    node = unready(since="30m", status="False", message=NO_CNI, node=a_node(age="30m", initialized=False))
    (finding,) = found(node, a_nodeclaim(age="30m", initialized=False), OFF)

    assert (finding.cause, finding.severity) == ("network", Severity.HIGH)
    assert "; it was never initialized; " in finding.why
    assert finding.cost == "1 node paid for; 0 pods still bound there, DaemonSets' aside"


def test_a_budget_that_still_lets_nodes_go_is_not_spoken_of() -> None:
    (finding,) = found(unready(), *others(4), OFF, a_nodepool(budgets=[Budget("3")]))

    assert "budgets" not in finding.cost


def test_a_budget_that_lets_none_go_anyway_is_not_the_nodes_doing() -> None:
    (finding,) = found(unready(), *others(4), OFF, a_nodepool(budgets=[Budget("0")]))

    assert "budgets" not in finding.cost


def test_pods_that_were_not_seen_are_not_denied() -> None:
    (finding,) = found(unready(), OFF, missing={Kind.POD: Status.FORBIDDEN})

    assert finding.impact == Impact(nodes=1)
    assert "; how many pods are there is not known: Pod is forbidden" in finding.cost


def test_a_node_that_never_expires_has_no_end() -> None:
    (finding,) = found(unready(), a_nodeclaim(age="9h", expire_after="Never"), OFF)

    assert "expires" not in finding.why


def test_a_claim_that_somebody_made_by_hand_owns_itself() -> None:
    node = unready(node=a_node(pool="", labels={"karpenter.sh/registered": "true"}))
    (finding,) = found(node, a_nodeclaim("mine", pool="", age="9h"), OFF)

    assert (finding.owner, finding.nodepool) == (Ref("NodeClaim", "mine", "karpenter.sh/v1"), "")


def test_without_nodeclaims_nothing_is_judged() -> None:
    report = scan(a_cluster(unready(), missing={Kind.NODECLAIM: Status.FORBIDDEN}), [node_not_ready])

    assert (report.runs[0].outcome, report.results) == (Outcome.SKIPPED, ())


def test_it_explains_the_pods_that_were_nominated_to_the_node() -> None:
    pod = a_pod("web", age="40m")
    cluster = a_cluster(unready(), a_nodeclaim(age="9h"), OFF, pod, nominated(pod, to="default-n1", node="n1", first="40m"))
    root, symptom = scan(cluster, [node_not_ready, nominated_pod_failure]).results

    assert (root.rule.slug, symptom.rule.slug) == ("node-not-ready", "nominated-pod-failure")
    assert symptom.caused_by == (root.fingerprint,)
