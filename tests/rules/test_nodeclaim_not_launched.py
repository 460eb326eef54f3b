"""NodeClaims that no instance is started for."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from karpenter_check.finding import Blame, Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity
from karpenter_check.rules.controller_unhealthy import controller_unhealthy
from karpenter_check.rules.nodeclaim_not_launched import nodeclaim_not_launched
from karpenter_check.scan import scan
from karpenter_check.snapshot import Kind, NodeClaim, Status, Version
from karpenter_check.snapshot.event import InvolvedObject
from karpenter_check.snapshot.metadata import Condition
from karpenter_check.snapshot.nodepool import NodeClassRef
from tests.build import (
    KARPENTER,
    Thing,
    a_cluster,
    a_controller,
    a_node,
    a_node_class,
    a_nodeclaim,
    a_nodepool,
    a_pod,
    a_uid,
    ago,
    an_event,
)

POOL = Ref("NodePool", "default", "karpenter.sh/v1")
CLAIM = Ref("NodeClaim", "c1", "karpenter.sh/v1")
QUOTA = "VcpuLimitExceeded: you have requested more vCPU capacity than your current limit allows"


def a_claim(
    name: str = "c1",
    *,
    age: str = "3m",
    reason: str = "LaunchFailed",
    message: str = QUOTA,
    status: str = "Unknown",
    pool: str = "default",
    deleted: str = "",
) -> NodeClaim:
    """A NodeClaim without an instance; Launched says why."""
    claim = a_nodeclaim(name, node="", pool=pool, age=age, deleted=deleted)
    launched = (Condition("Launched", status, reason, message, ago(age)),) if reason else ()
    return replace(claim, status=replace(claim.status, conditions=launched))


def found(*things: Thing, version: Version | None = None, missing: dict[Kind, Status] | None = None) -> list[Finding]:
    return list(nodeclaim_not_launched(a_cluster(*things, version=version, missing=missing)))


def test_a_claim_without_an_instance_is_found() -> None:
    node_class = Ref("EC2NodeClass", "default", "karpenter.k8s.aws/v1")

    assert found(a_nodepool(), a_node_class(), a_claim(), a_pod("web-1")) == [
        Finding(
            object=CLAIM,
            owner=POOL,
            nodepool="default",
            cause="launch_failed",
            severity=Severity.CRITICAL,
            message="has had no instance for 3m; until then Karpenter buys and disrupts nothing",
            why=f'NodeClaim c1: Launched is Unknown: LaunchFailed, "{QUOTA}"; Karpenter\'s picture of the cluster is complete only when '
            "every NodeClaim has a providerID, and it does nothing before; after 5m (15m before Karpenter 1.7) it deletes this one and may make another that fails alike",
            cost="no node is bought, consolidated or replaced after drift while this lasts; 1 pod waits unscheduled, whatever for",
            impact=Impact(nodeclaims=1),
            evidence=(
                Evidence(CLAIM, "status.providerID", "none"),
                Evidence(CLAIM, "status.conditions Launched", f'Launched is Unknown: LaunchFailed, "{QUOTA}"'),
            ),
            occurrences=(Occurrence(CLAIM, a_uid("NodeClaim", "c1"), "", "launch_failed", ago("3m")),),
            since=ago("3m"),
            fix=(
                Fix(
                    "stop",
                    "kubectl delete nodeclaim c1",
                    risk="Karpenter works again only until it makes the next such NodeClaim, which it does at once if the pods still need it",
                ),
                Fix(
                    "fix",
                    "kubectl describe nodeclaim c1",
                    "mend what Launched names: the node class, a quota, the network or the launch template",
                ),
                Fix("verify", "karpenter-check scan --select nodeclaim-not-launched --nodepool default"),
            ),
            blames=(Blame(node_class),),
        )
    ]


def test_a_claim_with_an_instance_is_fine() -> None:
    assert found(a_nodepool(), a_nodeclaim(age="3m", node="n1", registered=False, initialized=False)) == []


@pytest.mark.parametrize(
    "claim",
    [
        a_claim(age="59s"),
        a_claim(deleted="10s"),
        a_claim(reason=""),
    ],
    ids=["young", "being deleted", "nobody looks after it"],
)
def test_what_is_normal_is_silent(claim: NodeClaim) -> None:
    assert found(a_nodepool(), claim) == []


def test_a_claim_that_the_cloud_has_no_capacity_for_is_not_this_rules() -> None:
    claim = a_claim()
    about = InvolvedObject("NodeClaim", "", "c1", claim.metadata.uid)
    event = an_event(
        "InsufficientCapacityError", "NodeClaim c1 event: all requested instance types were unavailable", about=about, first="1m"
    )

    assert found(a_nodepool(), claim, event) == []


@pytest.mark.parametrize(("age", "severity"), [("1m", Severity.MEDIUM), ("119s", Severity.MEDIUM), ("2m", Severity.CRITICAL)])
def test_it_is_medium_from_one_minute_and_critical_from_two(age: str, severity: Severity) -> None:
    assert [finding.severity for finding in found(a_nodepool(), a_claim(age=age))] == [severity]


def test_a_claim_that_karpenter_has_not_tried_points_at_karpenter() -> None:
    (finding,) = found(a_nodepool(), a_claim(reason="AwaitingReconciliation", message="object is awaiting reconciliation"))

    assert (finding.cause, finding.fix[1].command) == ("not_tried", "kubectl get pods -A -l app.kubernetes.io/name=karpenter")
    assert finding.why.endswith("a condition of a NodeClaim, which nobody else writes, last changed 3m ago")


def test_a_launched_claim_without_a_provider_id_is_its_own_cause() -> None:
    assert [finding.cause for finding in found(a_nodepool(), a_claim(status="True", reason="Launched"))] == ["no_provider_id"]


@pytest.mark.parametrize(
    ("message", "remedy"),
    [
        ("UnauthorizedOperation: you are not authorized", "give Karpenter's cloud identity the permission that Launched names, or look for a policy that denies it"),
        ("NodeClass default is not ready", "mend the node class; its own conditions say what it lacks"),
    ],
)  # fmt: skip
def test_what_karpenter_says_decides_what_to_do(message: str, remedy: str) -> None:
    (finding,) = found(a_nodepool(), a_claim(message=message))

    assert finding.fix[1].text == remedy


def test_claims_of_one_nodepool_are_one_finding() -> None:
    (finding,) = found(a_nodepool(), a_claim("c2", age="2m"), a_claim("c1"))

    assert (finding.object, finding.message, finding.impact, finding.fix[0].text) == (
        POOL,
        "2 NodeClaims have had no instance for up to 3m; until then Karpenter buys and disrupts nothing",
        Impact(nodeclaims=2),
        "and so the 1 other one",
    )
    assert [occurrence.object.name for occurrence in finding.occurrences] == ["c1", "c2"]


def test_a_karpenter_of_other_node_classes_goes_on() -> None:
    other = a_nodepool("auto", node_class=NodeClassRef("NodeClass", "default", "eks.amazonaws.com"))
    (finding,) = found(a_nodepool(), other, a_claim())

    assert finding.message.endswith("until then Karpenter buys and disrupts nothing in NodePools of karpenter.k8s.aws")


def test_before_1_7_it_is_given_up_after_15_minutes() -> None:
    (finding,) = found(a_nodepool(), a_claim(), version=Version(1, 6))

    assert finding.why.endswith("; after 15m it deletes this one and may make another that fails alike")


def test_pods_that_were_not_seen_are_not_called_none() -> None:
    (finding,) = found(a_nodepool(), a_claim(), missing={Kind.POD: Status.FORBIDDEN})

    assert finding.cost.endswith("; how many pods wait is not known: Pod is forbidden")


def test_warn_after_sets_from_when_a_claim_is_found_but_never_below_a_minute() -> None:
    cluster = a_cluster(a_nodepool(), a_claim(age="59s"), a_claim("c2", age="3m"))

    assert [
        [
            occurrence.object.name
            for finding in nodeclaim_not_launched(cluster, warn_after=after)
            for occurrence in finding.occurrences
        ]
        for after in (timedelta(0), timedelta(minutes=4))
    ] == [["c2"], []]


def test_fail_after_sets_from_when_it_is_critical() -> None:
    (finding,) = nodeclaim_not_launched(a_cluster(a_nodepool(), a_claim()), fail_after=timedelta(minutes=4))

    assert finding.severity == Severity.MEDIUM


def test_what_karpenter_says_is_cut() -> None:
    (finding,) = found(a_nodepool(), a_claim(message="x" * 3000))

    assert "(+2600 characters)" in finding.why


@pytest.mark.parametrize(
    ("age", "version", "minutes"),
    [("6m", Version(1, 7), "5m"), ("16m", Version(1, 6), "15m"), ("16m", None, "5m (15m before Karpenter 1.7)")],
)
def test_one_that_karpenter_should_have_given_up_is_not_said_to_be_deleted(age: str, version: Version | None, minutes: str) -> None:
    (finding,) = found(a_nodepool(), a_claim(age=age), version=version)

    assert f"; it should have deleted this one after {minutes}, and has not; no event of Karpenter's" in finding.why


@pytest.mark.parametrize(("age", "version"), [("5m59s", Version(1, 7)), ("14m", Version(1, 6)), ("14m", None)])
def test_one_that_it_may_yet_give_up_is(age: str, version: Version | None) -> None:
    (finding,) = found(a_nodepool(), a_claim(age=age), version=version)

    assert finding.why.endswith(" it deletes this one and may make another that fails alike")


def test_where_no_pod_of_karpenter_is_ready_that_is_why_nobody_tries() -> None:
    karpenter, claim = a_controller(age="3h"), a_claim(reason="AwaitingReconciliation", message="", age="20m")

    def story(*, ready: bool) -> list[tuple[str, list[str]]]:
        pod = a_pod(
            "karpenter-1",
            namespace="kube-system",
            on="group-1",
            of=karpenter,
            labels=KARPENTER,
            ready=ready,
            unready_for="" if ready else "30m",
        )
        cluster = a_cluster(a_nodepool(), claim, a_node("group-1", pool=""), karpenter, pod)
        results = scan(cluster, [nodeclaim_not_launched, controller_unhealthy]).results
        by_fingerprint = {result.fingerprint: result.rule.slug for result in results}
        return [(result.finding.cause, [by_fingerprint[cause] for cause in result.caused_by]) for result in results]

    assert story(ready=False) == [("no-ready-pod", []), ("not_tried", ["controller-unhealthy"])]
    assert ("not_tried", []) in story(ready=True)
