"""Instances that never join the cluster."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from karpenter_check.finding import Blame, Confidence, Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity
from karpenter_check.rules.nodeclaim_not_registered import nodeclaim_not_registered
from karpenter_check.snapshot import Kind, Node, NodeClaim, NodePool, Status
from karpenter_check.snapshot.metadata import Condition
from tests.build import Thing, a_cluster, a_controller, a_node, a_nodeclaim, a_nodepool, a_uid, ago

POOL = Ref("NodePool", "default", "karpenter.sh/v1")
CLAIM = Ref("NodeClaim", "c1", "karpenter.sh/v1")
NOT_FOUND = 'Registered is Unknown: NodeNotFound, "Node not registered with cluster"'


def a_claim(
    name: str = "c1",
    *,
    age: str = "11m",
    reason: str = "NodeNotFound",
    message: str = "Node not registered with cluster",
    status: str = "Unknown",
    launched: bool = True,
    deleted: str = "",
    provider_id: str = "aws:///eu-west-1a/i-0abc",
) -> NodeClaim:
    """A NodeClaim whose instance runs and has not registered."""
    claim = a_nodeclaim(name, node="", age=age, deleted=deleted)
    conditions = (
        Condition("Launched", "True" if launched else "Unknown", "Launched", last_transition_time=ago(age)),
        Condition("Registered", status, reason, message, ago(age)),
    )
    return replace(claim, status=replace(claim.status, provider_id=provider_id, conditions=conditions))


def a_failing_pool(*, since: str = "40m", status: str = "False", reason: str = "RegistrationFailed") -> NodePool:
    """A NodePool that says that its nodes fail to register."""
    pool = a_nodepool()
    said = Condition("NodeRegistrationHealthy", status, reason, "Failed to register node", ago(since))
    return replace(pool, status=replace(pool.status, conditions=(*pool.status.conditions, said)))


def a_stray(name: str = "ip-1", *, pool: str = "", provider_id: str = "", age: str = "5m") -> Node:
    """A Node that came with Karpenter's taint, and that no NodeClaim matches."""
    node = a_node(name, pool=pool, age=age, taints=["karpenter.sh/unregistered:NoExecute"])
    return replace(node, spec=replace(node.spec, provider_id=provider_id))


def found(*things: Thing, missing: dict[Kind, Status] | None = None) -> list[Finding]:
    return list(nodeclaim_not_registered(a_cluster(*things, missing=missing)))


def test_an_instance_that_does_not_join_is_found() -> None:
    assert found(a_nodepool(), a_claim()) == [
        Finding(
            object=CLAIM,
            owner=POOL,
            nodepool="default",
            cause="no_node",
            severity=Severity.HIGH,
            message="its instance was started 11m ago and has never joined the cluster",
            why=f"NodeClaim c1, providerID aws:///eu-west-1a/i-0abc: {NOT_FOUND}; Karpenter deletes it at 12:04:00Z (in 4m) "
            "and buys another if pods still wait",
            cost="1 instance paid for that no pod can use; pods that wait for it go on waiting",
            impact=Impact(nodeclaims=1),
            evidence=(Evidence(CLAIM, "status.conditions Registered", NOT_FOUND),),
            occurrences=(Occurrence(CLAIM, a_uid("NodeClaim", "c1"), "", "no_node", ago("11m")),),
            since=ago("11m"),
            fix=(
                Fix(
                    "fix",
                    "aws ec2 get-console-output --output text --instance-id i-0abc",
                    "see why the kubelet does not join: the node's role in the cluster's access entries, security groups and routes to the "
                    "API server, userData for the image's family",
                ),
                Fix("verify", "karpenter-check scan --select nodeclaim-not-registered --nodepool default"),
            ),
        )
    ]


def test_an_instance_that_joined_is_fine() -> None:
    assert found(a_node(age="20m")) == []


@pytest.mark.parametrize(
    "claim",
    [a_claim(age="4m59s"), a_claim(deleted="1m"), a_claim(launched=False)],
    ids=["boots", "is being deleted", "was not launched"],
)
def test_what_is_normal_is_silent(claim: NodeClaim) -> None:
    assert found(a_nodepool(), claim) == []


@pytest.mark.parametrize(("age", "severity"), [("5m", Severity.LOW), ("9m59s", Severity.LOW), ("10m", Severity.HIGH)])
def test_it_is_low_from_five_minutes_and_high_from_ten(age: str, severity: Severity) -> None:
    assert [finding.severity for finding in found(a_nodepool(), a_claim(age=age))] == [severity]


@pytest.mark.parametrize(("age", "severity"), [("14m59s", Severity.LOW), ("15m", Severity.HIGH)])
def test_windows_may_boot_for_as_long_as_karpenter_waits(age: str, severity: Severity) -> None:
    claim = a_claim(age=age)
    windows = a_nodeclaim(requirements=["kubernetes.io/os In windows"]).spec.requirements
    claim = replace(claim, spec=replace(claim.spec, requirements=windows))

    assert [finding.severity for finding in found(a_nodepool(), claim)] == [severity]


def test_it_is_high_at_once_where_earlier_ones_of_its_nodepool_failed() -> None:
    (finding,) = found(a_failing_pool(), a_claim(age="6m"))

    assert (finding.severity, finding.confidence) == (Severity.HIGH, Confidence.CERTAIN)
    assert "it is not the first of its NodePool: NodeRegistrationHealthy is False, and none has registered since" in finding.why
    assert finding.evidence[1] == Evidence(
        POOL, "status.conditions NodeRegistrationHealthy", "False since 11:20:00Z: Failed to register node"
    )


def test_a_loop_shows_in_young_claims() -> None:
    (finding,) = found(a_failing_pool(), a_claim(age="3m"), a_claim("c2", age="2m"))

    assert (finding.object, finding.severity, finding.confidence, finding.message) == (
        POOL,
        Severity.LOW,
        Confidence.LIKELY,
        "2 instances were started up to 3m ago and have never joined the cluster",
    )


@pytest.mark.parametrize(
    "things",
    [
        [a_failing_pool(), a_claim(age="3m")],
        [a_nodepool(), a_claim(age="3m"), a_claim("c2", age="2m")],
        [a_failing_pool(status="Unknown", reason="AwaitingReconciliation"), a_claim(age="3m"), a_claim("c2", age="2m")],
        [a_failing_pool(reason="LaunchFailed"), a_claim(age="3m"), a_claim("c2", age="2m")],
        [a_failing_pool(), a_node("n1", age="20m"), a_claim(age="3m"), a_claim("c2", age="2m")],
        [a_failing_pool(), a_claim(age="3m"), a_claim("c2", age="50s")],
    ],
    ids=["one claim", "a healthy pool", "after an edit", "launches failed", "one has registered since", "one is too young"],
)
def test_young_claims_alone_are_no_loop(things: list[Thing]) -> None:
    assert found(*things) == []


def test_several_nodes_with_its_provider_id_are_named() -> None:
    nodes = [a_node(name, pool="") for name in ("old", "new")]
    same = [replace(node, spec=replace(node.spec, provider_id="aws:///eu-west-1a/i-0abc")) for node in nodes]
    claim = a_claim(reason="MultipleNodesFound", message="Invariant violated, matched multiple nodes", status="False")
    (finding,) = found(a_nodepool(), claim, *same)

    assert (finding.cause, finding.message, finding.fix[0].command) == (
        "several_nodes",
        "its instance was started 11m ago and matches several Nodes",
        "kubectl get nodes old new",
    )
    assert "; Nodes with its providerID: old, new; Karpenter looks no further once it has seen two; " in finding.why
    assert finding.blames == (Blame(Ref("Node", "old", "v1")), Blame(Ref("Node", "new", "v1")))


@pytest.mark.parametrize(
    ("reason", "cause"),
    [("RegistrationHookPending", "hook_pending"), ("AwaitingReconciliation", "not_tried"), ("SomethingNew", "other")],
)
def test_each_reason_has_its_cause(reason: str, cause: str) -> None:
    (finding,) = found(a_nodepool(), a_claim(reason=reason))

    assert (finding.cause, finding.fix[0].command) == (cause, "kubectl describe nodeclaim c1")


def test_a_node_that_no_claim_matches_is_named() -> None:
    (finding,) = found(a_nodepool(), a_claim(), a_stray())

    assert "; ip-1 joined with the taint karpenter.sh/unregistered and a providerID that no NodeClaim has" in finding.why
    assert finding.evidence[1:] == (Evidence(Ref("Node", "ip-1", "v1"), "spec.providerID", "none"),)
    assert finding.fix[0].text.startswith("make the kubelet or the cloud controller set the providerID")


@pytest.mark.parametrize(
    "node",
    [a_stray(age="30s"), a_stray(pool="other")],
    ids=["too young to have been matched", "of another NodePool"],
)
def test_a_node_that_is_another_story_is_not_named(node: Node) -> None:
    claims = [a_nodeclaim("other-1", node="elsewhere", pool="other")]
    (finding,) = [entry for entry in found(a_nodepool(), a_claim(), node, *claims) if entry.object == CLAIM]

    assert len(finding.evidence) == 1


def test_an_instance_of_another_cloud_is_looked_at_by_its_claim() -> None:
    (finding,) = found(a_nodepool(), a_claim(provider_id="azure:///vm-1"))

    assert finding.fix[0].command == "kubectl describe nodeclaim c1"


def test_a_claim_past_its_timeout_says_so() -> None:
    (finding,) = found(a_nodepool(), a_claim(age="20m"))

    assert finding.why.endswith("; Karpenter should have deleted it after 15m, and has not")


def test_without_nodepools_the_loop_is_not_denied() -> None:
    (finding,) = found(a_claim(), missing={Kind.NODEPOOL: Status.FORBIDDEN})

    assert "; whether earlier ones failed, too, is not known: NodePool is forbidden; " in finding.why


def test_the_settings_set_from_when_on() -> None:
    cluster = a_cluster(a_failing_pool(), a_claim(age="7m"))

    assert list(nodeclaim_not_registered(cluster, warn_after=timedelta(minutes=8))) == []
    healthy = a_cluster(a_nodepool(), a_claim(age="7m"))
    assert [finding.severity for finding in nodeclaim_not_registered(healthy, fail_after=timedelta(minutes=7))] == [Severity.HIGH]


def test_minimum_claims_sets_how_many_young_ones_are_a_loop() -> None:
    cluster = a_cluster(a_failing_pool(), a_claim(age="3m"), a_claim("c2", age="2m"))

    assert list(nodeclaim_not_registered(cluster, minimum_claims=3)) == []


def test_a_karpenter_without_a_ready_pod_is_blamed_for_what_it_has_not_looked_at() -> None:
    (untouched,) = found(a_claim(reason="AwaitingReconciliation"), a_controller())
    (told,) = found(a_claim(), a_controller())

    assert (untouched.blames, told.blames) == ((Blame(Ref("Deployment", "karpenter", "apps/v1", "kube-system")),), ())
