"""Nodes that joined and are never initialized."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from karpenter_check.finding import Blame, Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity
from karpenter_check.rules.node_orphaned import node_orphaned
from karpenter_check.rules.nodeclaim_not_initialized import nodeclaim_not_initialized
from karpenter_check.rules.nodepool_limit_reached import nodepool_limit_reached
from karpenter_check.rules.nominated_pod_failure import nominated_pod_failure
from karpenter_check.rules.startup_taint_unremovable import startup_taint_unremovable
from karpenter_check.scan import scan
from karpenter_check.snapshot import Kind, Node, NodeClaim, Status
from karpenter_check.snapshot.metadata import Condition
from tests.build import (
    Thing,
    a_cluster,
    a_controller,
    a_daemonset,
    a_node,
    a_nodeclaim,
    a_nodepool,
    a_pod,
    a_uid,
    about,
    ago,
    an_event,
    nominated,
)

POOL = Ref("NodePool", "default", "karpenter.sh/v1")
CLAIM = Ref("NodeClaim", "default-n1", "karpenter.sh/v1")
NODE = Ref("Node", "n1", "v1")
TAINT = "agent.example.com/not-ready:NoSchedule"
CILIUM = "node.cilium.io/agent-not-ready=true:NoExecute"
EPHEMERAL = 'KnownEphemeralTaint "node.cloudprovider.kubernetes.io/uninitialized=true:NoSchedule" still exists'
STARTUP = f'StartupTaint "{TAINT}" still exists'


def a_claim(
    node: str = "n1",
    *,
    registered: str = "15m",
    reason: str = "StartupTaintsExist",
    message: str = STARTUP,
    startup_taints: tuple[str, ...] = (TAINT,),
    asks: str = "cpu",
    deleted: str = "",
    expire_after: str = "720h",
    status: str = "Unknown",
) -> NodeClaim:
    """A NodeClaim that registered so long ago, and whose Initialized says why it is not."""
    claim = a_nodeclaim(
        node=node, age="16m", startup_taints=startup_taints, requests={asks: "1"}, deleted=deleted, expire_after=expire_after
    )
    conditions = (
        Condition("Launched", "True", "Launched", last_transition_time=ago("16m")),
        Condition("Registered", "True" if registered else "Unknown", last_transition_time=ago(registered or "16m")),
        Condition("Initialized", status, reason, message, ago("16m")),
    )
    return replace(claim, status=replace(claim.status, conditions=conditions))


def a_young_node(name: str = "n1", *, taints: tuple[str, ...] = (TAINT,), initialized: bool = False, ready: bool = True) -> Node:
    return a_node(name, age="15m", taints=taints, initialized=initialized, ready=ready)


def ready_since(age: str) -> Node:
    node = a_young_node()
    return replace(node, status=replace(node.status, conditions=(Condition("Ready", "True", last_transition_time=ago(age)),)))


def found(*things: Thing, missing: dict[Kind, Status] | None = None) -> list[Finding]:
    return list(nodeclaim_not_initialized(a_cluster(*things, missing=missing)))


def test_a_node_whose_startup_taint_stays_is_found() -> None:
    assert found(a_young_node(), a_claim(), a_daemonset("logs")) == [
        Finding(
            object=CLAIM,
            owner=POOL,
            nodepool="default",
            cause="startup_taint:agent.example.com/not-ready",
            severity=Severity.HIGH,
            message=f"joined 15m ago and was never initialized: nobody takes its startup taint {TAINT} away",
            why=f'Initialized is Unknown: StartupTaintsExist, "{STARTUP}"; no DaemonSet names it in a toleration, '
            "1 DaemonSet only because it tolerates everything",
            cost="1 node paid for; Karpenter neither consolidates nor replaces it after drift, and goes on planning pods there; "
            "only expireAfter ends that, at 2026-12-21 11:44Z (in 29d23h)",
            impact=Impact(nodes=1),
            evidence=(
                Evidence(CLAIM, "status.conditions Initialized", f'Initialized is Unknown: StartupTaintsExist, "{STARTUP}"'),
                Evidence(NODE, "spec.taints", TAINT),
            ),
            occurrences=(Occurrence(CLAIM, a_uid("NodeClaim", "default-n1"), "n1", "startup_taint", ago("15m")),),
            since=ago("15m"),
            fix=(
                Fix(
                    "stop",
                    f"kubectl taint node n1 {TAINT}-",
                    risk="pods come there at once, whether or not what they need runs there",
                ),
                Fix(
                    "fix",
                    text="run what takes the taint away, or take it out of the NodePool's startupTaints",
                    risk="an edit of startupTaints drifts the pool's nodes",
                ),
                Fix("verify", "karpenter-check scan --select nodeclaim-not-initialized --nodepool default"),
            ),
            blames=(Blame(NODE),),
        )
    ]


def test_an_initialized_node_is_fine() -> None:
    assert found(a_node()) == []


@pytest.mark.parametrize(
    "things",
    [
        [a_young_node(), a_claim(registered="4m59s")],
        [a_young_node(), a_claim(deleted="1m")],
        [a_young_node(initialized=True), a_claim(reason="AwaitingReconciliation", message="")],
        [a_young_node(taints=()), a_claim()],
        [a_young_node(taints=()), a_claim(reason="KnownEphemeralTaintsExist", message=EPHEMERAL)],
        [ready_since("4m59s"), a_claim(reason="NodeNotReady", message="Node status is NotReady")],
        [a_young_node(), a_claim(reason="NodeNotFound", message="Node not registered with cluster")],
        [a_young_node(), a_claim(reason="ResourceNotRegistered", message='Resource "cpu" was requested but not registered')],
        [a_young_node(), a_claim(registered="")],
        [a_young_node(), a_claim(status="True")],
        [a_young_node(), a_claim(registered="9m", asks="nvidia.com/gpu")],
    ],
    ids=[
        "young",
        "being deleted",
        "its label says so",
        "the taint has just gone",
        "the taint of Kubernetes' own has just gone",
        "it has just become Ready",
        "the Node is there",
        "the resource has just come",
        "not registered",
        "initialized",
        "drivers take minutes",
    ],
)
def test_what_is_normal_is_silent(things: list[Thing]) -> None:
    assert found(*things) == []


@pytest.mark.parametrize(
    ("registered", "asks", "severity"),
    [
        ("5m", "cpu", Severity.LOW),
        ("9m59s", "cpu", Severity.LOW),
        ("10m", "cpu", Severity.HIGH),
        ("10m", "nvidia.com/gpu", Severity.LOW),
        ("20m", "nvidia.com/gpu", Severity.HIGH),
    ],
)
def test_it_is_low_at_first_and_high_later_with_devices_later_still(registered: str, asks: str, severity: Severity) -> None:
    assert [finding.severity for finding in found(a_young_node(), a_claim(registered=registered, asks=asks))] == [severity]


@pytest.mark.parametrize(
    ("reason", "message", "cause", "said"),
    [
        ("NodeNotReady", "Node status is NotReady", "not_ready", "the node is not Ready"),
        ("NodeNotFound", "Node not registered with cluster", "node_gone", "its Node is gone"),
        (
            "ResourceNotRegistered",
            'Resource "nvidia.com/gpu" was requested but not registered',
            "resource:nvidia.com/gpu",
            "it has none of the nvidia.com/gpu that it was bought for",
        ),
        ("DRADriverPoolsNotPublished", "", "dra_driver", "a DRA driver has published no devices"),
        ("AwaitingReconciliation", "object is awaiting reconciliation", "not_tried", "Karpenter has not looked at it"),
        ("SomethingNew", "", "other", "SomethingNew"),
        ("", "", "other", "Karpenter does not say why"),
    ],
)
def test_each_reason_has_its_cause(reason: str, message: str, cause: str, said: str) -> None:
    node = [] if cause == "node_gone" else [a_young_node(ready=cause != "not_ready")]
    (finding,) = found(*node, a_claim(reason=reason, message=message))

    assert (finding.cause, finding.message) == (cause, f"joined 15m ago and was never initialized: {said}")


@pytest.mark.parametrize(
    ("taint", "who"),
    [
        ("node.cloudprovider.kubernetes.io/uninitialized=true:NoSchedule", "the cloud controller manager takes it away"),
        ("readiness.k8s.io/network:NoSchedule", "the node readiness controller takes it away as its rule is met"),
    ],
)
def test_a_taint_of_kubernetes_own_names_who_takes_it_away(taint: str, who: str) -> None:
    message = f'KnownEphemeralTaint "{taint}" still exists'
    (finding,) = found(a_young_node(taints=(taint,)), a_claim(reason="KnownEphemeralTaintsExist", message=message))

    assert finding.cause == f"ephemeral_taint:{taint.partition('=')[0].partition(':')[0]}"
    assert finding.why.endswith(f"; {who}")


def test_a_node_that_is_not_ready_is_blamed_and_quoted() -> None:
    (finding,) = found(a_young_node(ready=False), a_claim(reason="NodeNotReady", message="Node status is NotReady"))

    assert finding.blames == (Blame(NODE),)
    assert finding.why.endswith("; Node n1: Ready is False, without a word")
    assert [fix.command for fix in finding.fix[:2]] == ["kubectl delete nodeclaim default-n1", "kubectl describe node n1"]


def test_the_daemonset_that_should_take_the_taint_away_is_named_and_blamed() -> None:
    claim = a_claim(startup_taints=("node.cilium.io/agent-not-ready:NoExecute",))
    (finding,) = found(a_young_node(taints=(CILIUM,)), claim, a_daemonset("cilium"), a_daemonset("logs"))

    assert finding.why.endswith("; cilium takes it away; made for it: DaemonSet kube-system/cilium")
    assert finding.fix[1] == Fix(
        "fix", "kubectl get pods -n kube-system --field-selector spec.nodeName=n1", "see why cilium is not ready there"
    )
    assert finding.blames == (Blame(Ref("DaemonSet", "cilium", "apps/v1", "kube-system")),)


def test_a_taint_that_some_node_got_rid_of_does_not_blame_the_nodepool() -> None:
    other = a_nodeclaim(node="n2", startup_taints=[TAINT])
    (finding,) = found(a_young_node(), a_claim(), a_node("n2"), other)

    assert finding.blames == ()


def test_nodes_of_one_nodepool_are_one_finding() -> None:
    (finding,) = found(a_young_node("n1"), a_young_node("n2"), a_claim("n1", registered="11m"), a_claim("n2"))

    assert (finding.object, finding.message.partition(":")[0], finding.impact, finding.fix[0].text) == (
        POOL,
        "2 nodes joined up to 15m ago and were never initialized",
        Impact(nodes=2),
        "and so for 1 other node",
    )
    assert [occurrence.node for occurrence in finding.occurrences] == ["n2", "n1"]


def test_a_node_that_never_expires_is_never_ended() -> None:
    (finding,) = found(a_young_node(), a_claim(expire_after="Never"))

    assert finding.cost.endswith("; nothing ends that: it has no expireAfter")


def test_what_was_not_seen_of_daemonsets_is_not_denied() -> None:
    (finding,) = found(a_young_node(), a_claim(), missing={Kind.DAEMONSET: Status.FORBIDDEN})

    assert finding.why.endswith("; which DaemonSets tolerate it is not known: DaemonSet is forbidden")
    assert finding.blames == ()


def test_the_settings_set_from_when_on() -> None:
    cluster = a_cluster(a_young_node(), a_claim(registered="8m"))
    devices = a_cluster(a_young_node(), a_claim(asks="nvidia.com/gpu"))

    assert list(nodeclaim_not_initialized(cluster, warn_after=timedelta(minutes=9))) == []
    assert [finding.severity for finding in nodeclaim_not_initialized(cluster, fail_after=timedelta(minutes=8))] == [Severity.HIGH]
    assert [finding.severity for finding in nodeclaim_not_initialized(devices, fail_after_for_devices=timedelta(minutes=12))] == [
        Severity.HIGH
    ]


def test_it_reads_as_one_story_with_the_pods_that_wait_for_any_of_its_nodes() -> None:
    first, second = a_pod("web-1"), a_pod("api-1")
    cluster = a_cluster(
        a_young_node("n1"),
        a_young_node("n2"),
        a_claim("n1"),
        a_claim("n2"),
        first,
        second,
        nominated(first, to="default-n1", node="n1", first="15m", last="1m"),
        nominated(second, to="default-n2", node="n2", first="15m", last="1m"),
    )
    results = scan(cluster, [nodeclaim_not_initialized, nominated_pod_failure, startup_taint_unremovable]).results
    by_fingerprint = {result.fingerprint: result.rule.slug for result in results}

    assert sorted((result.rule.slug, [by_fingerprint[cause] for cause in result.caused_by]) for result in results) == [
        ("nodeclaim-not-initialized", ["startup-taint-unremovable"]),
        ("nominated-pod-failure", ["nodeclaim-not-initialized"]),
        ("nominated-pod-failure", ["nodeclaim-not-initialized"]),
        ("startup-taint-unremovable", []),
    ]


def test_a_node_that_is_gone_is_told_once() -> None:
    claim = a_claim(reason="NodeNotFound", message="Node not registered with cluster")
    results = scan(a_cluster(a_nodepool(), claim), [nodeclaim_not_initialized, node_orphaned]).results
    by_fingerprint = {result.fingerprint: result.rule.slug for result in results}

    assert sorted((result.rule.slug, [by_fingerprint[cause] for cause in result.caused_by]) for result in results) == [
        ("node-orphaned", []),
        ("nodeclaim-not-initialized", ["node-orphaned"]),
    ]


def test_a_nodepool_that_has_reached_its_limits_does_not_keep_a_startup_taint() -> None:
    web, limits = a_pod("web-1", age="20m", cpu="3"), "all available instance types exceed limits for nodepool (NodePool=default)"
    things: list[Thing] = [
        a_nodepool(limits={"cpu": "8"}, used={"cpu": "7500m"}), a_young_node(), a_claim(), web,
        an_event("FailedScheduling", f"Failed to schedule pod, {limits}", about=about(web), first="20m", last="1m", times=4),
    ]  # fmt: skip
    results = scan(a_cluster(*things), [nodeclaim_not_initialized, nodepool_limit_reached, startup_taint_unremovable]).results
    by_fingerprint = {result.fingerprint: result.rule.slug for result in results}

    assert sorted((result.rule.slug, [by_fingerprint[cause] for cause in result.caused_by]) for result in results) == [
        ("nodeclaim-not-initialized", ["startup-taint-unremovable"]),
        ("nodepool-limit-reached", []),
        ("startup-taint-unremovable", []),
    ]


def test_a_node_that_has_long_been_ready_without_karpenter_s_notice_is_found() -> None:
    (finding,) = found(ready_since("5m"), a_claim(reason="NodeNotReady", message="Node status is NotReady"))

    assert (finding.cause, finding.message) == (
        "not_tried",
        "joined 15m ago and was never initialized: it is Ready, and Karpenter has not looked since",
    )
    assert "; no event of Karpenter's is in what was read" in finding.why
    assert finding.blames == ()


def test_a_karpenter_without_a_ready_pod_is_blamed_for_what_it_has_not_looked_at() -> None:
    karpenter = a_controller()
    (finding,) = found(a_young_node(), a_claim(reason="AwaitingReconciliation", message=""), karpenter)

    assert finding.blames == (Blame(Ref("Deployment", "karpenter", "apps/v1", "kube-system")),)
