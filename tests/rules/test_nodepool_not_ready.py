"""NodePools that buy nothing, because they are not Ready or are being deleted."""

from datetime import timedelta

import msgspec
import pytest

from karpenter_check.finding import Blame, Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity
from karpenter_check.rules.nodeclass_not_ready import nodeclass_not_ready
from karpenter_check.rules.nodepool_not_ready import nodepool_not_ready
from karpenter_check.rules.pod_fits_no_nodepool import pod_fits_no_nodepool
from karpenter_check.scan import scan
from karpenter_check.snapshot import Kind, NodePool, Status
from karpenter_check.snapshot.metadata import Condition
from karpenter_check.snapshot.nodepool import NodePoolStatus
from tests.build import Thing, a_cluster, a_node, a_node_class, a_nodepool, a_pod, ago

WEB = Ref("NodePool", "web", "karpenter.sh/v1")
APP = Ref("Pod", "app", "v1", "shop")
CLASS = Ref("EC2NodeClass", "default", "karpenter.k8s.aws")
NOT_FOUND = Condition("NodeClassReady", "False", "NodeClassNotFound", "NodeClass not found on cluster", ago("1h"))
SAID = "NodeClassReady is False (NodeClassNotFound: NodeClass not found on cluster)"
VALID = Condition("ValidationSucceeded", "True", "ValidationSucceeded", "", ago("2h"))


def found(*things: Thing) -> list[Finding]:
    return list(nodepool_not_ready(a_cluster(*things)))


def broken(
    *failing: Condition, status: str = "False", since: str = "1h", name: str = "web", replicas: int | None = None
) -> NodePool:
    """A NodePool that is not Ready, by these conditions, and for so long."""
    conditions = failing or (NOT_FOUND,)
    ready = Condition("Ready", status, "UnhealthyDependents", ", ".join(f"{one.type}={one.status}" for one in failing), ago(since))
    return msgspec.structs.replace(a_nodepool(name, replicas=replicas), status=NodePoolStatus((VALID, *conditions, ready)))


def test_a_nodepool_whose_node_class_is_not_there_is_found_with_the_pods_that_wait() -> None:
    app = a_pod("app", selector={"karpenter.sh/nodepool": "web"})

    assert found(broken(NOT_FOUND), a_nodepool("api"), app) == [
        Finding(
            object=WEB,
            owner=WEB,
            nodepool="web",
            cause="NodeClassReady",
            message=f"web is not Ready and buys nothing: {SAID}",
            why="so since 11:00:00Z (1h ago); its node class is EC2NodeClass default",
            cost="1 pod waits for it: Pod shop/app; no node comes, not even in the place of one that goes",
            impact=Impact(pods=1),
            evidence=(
                Evidence(WEB, "status.conditions[type=NodeClassReady]", SAID),
                Evidence(WEB, "status.conditions[type=Ready]", "Ready is False (UnhealthyDependents: NodeClassReady=False)"),
            ),
            occurrences=(Occurrence(APP, app.metadata.uid, reason="stranded", since=ago("50m")),),
            since=ago("1h"),
            fix=(
                Fix(
                    "fix",
                    "kubectl edit nodepool web",
                    "make EC2NodeClass default, or name another in spec.template.spec.nodeClassRef",
                    "an edit of the template drifts its nodes",
                ),
                Fix("verify", "karpenter-check scan --select nodepool-not-ready --nodepool web"),
            ),
            blames=(Blame(CLASS),),
        )
    ]


def test_the_node_class_explains_it_and_it_explains_its_pods() -> None:
    cluster = a_cluster(broken(NOT_FOUND), a_pod("app"))
    report = scan(cluster, [nodepool_not_ready, nodeclass_not_ready, pod_fits_no_nodepool])
    of_rule = {result.rule.slug: result for result in report.results}
    pool, of_class = of_rule["nodepool-not-ready"], of_rule["nodeclass-not-ready"]

    assert (of_class.caused_by, pool.caused_by) == ((), (of_class.fingerprint,))
    assert of_rule["pod-fits-no-nodepool"].caused_by == (pool.fingerprint,)


@pytest.mark.parametrize(
    ("failing", "cause", "command"),
    [
        (
            Condition("ValidationSucceeded", "False", "NodePoolValidationFailed", "invalid taint", ago("1h")),
            "ValidationSucceeded",
            "kubectl edit nodepool web",
        ),
        (
            Condition("NodeClassReady", "False", "SubnetsNotFound", "", ago("1h")),
            "NodeClassReady",
            "kubectl describe ec2nodeclass.karpenter.k8s.aws default",
        ),
        (
            Condition("NodeClassReady", "Unknown", "AwaitingReconciliation", "object is awaiting reconciliation", ago("1h")),
            "NodeClassReady",
            "kubectl describe ec2nodeclass.karpenter.k8s.aws default",
        ),
        (
            Condition("SomethingNew", "Unknown", "AwaitingReconciliation", "", ago("1h")),
            "SomethingNew",
            "kubectl describe nodepool web",
        ),
    ],
)
def test_the_failing_condition_is_the_cause(failing: Condition, cause: str, command: str) -> None:
    (finding,) = found(broken(failing, status=failing.status), a_nodepool("api"))

    assert (finding.cause, finding.fix[0].command, finding.severity) == (cause, command, None)


def test_several_failing_conditions_are_one_finding() -> None:
    invalid = Condition("ValidationSucceeded", "False", "NodePoolValidationFailed", "invalid taint", ago("1h"))
    (finding,) = found(broken(invalid, NOT_FOUND), a_nodepool("api"))

    assert (finding.cause, finding.why.partition("; ")[0]) == (
        "NodeClassReady",
        "ValidationSucceeded is False (NodePoolValidationFailed: invalid taint)",
    )


def test_a_nodepool_that_says_no_more_than_that_it_is_not_ready_is_found() -> None:
    (finding,) = found(a_nodepool("web", not_ready="reconciling"), a_nodepool("api"))

    assert (finding.cause, finding.message) == (
        "Ready",
        "web is not Ready and buys nothing: Ready is False (UnhealthyDependents: reconciling)",
    )


def test_it_is_critical_where_no_other_nodepool_is_ready() -> None:
    (finding,) = found(broken(NOT_FOUND))

    assert (finding.severity, finding.message) == (
        Severity.CRITICAL,
        f"web is not Ready and buys nothing: {SAID}; no other NodePool is Ready",
    )


def test_a_static_nodepool_is_of_no_use_to_pods_of_a_dynamic_one_but_the_other_way_round_it_is_no_alarm() -> None:
    assert [finding.severity for finding in found(broken(NOT_FOUND), a_nodepool("api", replicas=1))] == [Severity.CRITICAL]
    assert [finding.severity for finding in found(broken(NOT_FOUND, replicas=1), a_nodepool("api"))] == [None]


def test_a_nodepool_that_is_being_deleted_is_no_other_one() -> None:
    assert [entry.severity for entry in found(broken(NOT_FOUND), a_nodepool("api", deleted="5m"))] == [Severity.CRITICAL]


def test_nodepools_that_were_not_all_read_may_be_ready() -> None:
    cluster = a_cluster(broken(NOT_FOUND), missing={Kind.NODEPOOL: Status.PARTIAL})

    assert [finding.severity for finding in nodepool_not_ready(cluster)] == [None]


@pytest.mark.parametrize(("since", "expected"), [("59s", []), ("1m", [Severity.LOW]), ("4m59s", [Severity.LOW]), ("5m", [None])])
def test_what_is_certainly_wrong_is_low_from_one_minute_and_high_from_five_minutes(
    since: str, expected: list[Severity | None]
) -> None:
    assert [finding.severity for finding in found(broken(NOT_FOUND, since=since), a_nodepool("api"))] == expected


@pytest.mark.parametrize(
    "failing",
    [
        Condition("NodeClassReady", "Unknown", "AwaitingReconciliation", "object is awaiting reconciliation", ago("4m")),
        Condition("NodeClassReady", "False", "NodeClassReadinessUnknown", "Node Class Readiness Unknown", ago("4m")),
    ],
)
def test_unknown_after_an_edit_or_a_start_is_fine_for_five_minutes(failing: Condition) -> None:
    assert found(broken(failing, status=failing.status, since="4m59s"), a_nodepool("api")) == []


def test_fail_after_sets_from_when_it_is_high() -> None:
    cluster = a_cluster(broken(NOT_FOUND), a_nodepool("api"))

    assert [finding.severity for finding in nodepool_not_ready(cluster, fail_after=timedelta(hours=2))] == [Severity.LOW]


def test_warn_after_sets_from_when_it_is_told() -> None:
    cluster = a_cluster(broken(NOT_FOUND), a_nodepool("api"))
    settings = {"warn_after": timedelta(hours=2), "fail_after": timedelta(hours=3)}

    assert list(nodepool_not_ready(cluster, **settings)) == []


def test_a_nodepool_that_no_controller_looks_at_is_fine() -> None:
    """Several Karpenters share the NodePools: each looks at those of the node class kinds that it knows."""
    assert found(msgspec.structs.replace(a_nodepool("web"), status=NodePoolStatus())) == []


def test_registrations_that_failed_are_informational() -> None:
    unhealthy = Condition("NodeRegistrationHealthy", "False", "RegistrationFailed", "Failed to register node", ago("1h"))
    ready = Condition("Ready", "True", "Ready", "", ago("1h"))

    assert found(msgspec.structs.replace(a_nodepool("web"), status=NodePoolStatus((unhealthy, ready)))) == []


def test_conditions_that_ready_does_not_name_are_not_blamed() -> None:
    unhealthy = Condition("NodeRegistrationHealthy", "Unknown", "AwaitingReconciliation", "", ago("1h"))
    (finding,) = found(broken(unhealthy, NOT_FOUND), a_nodepool("api"))

    assert finding.cause == "NodeClassReady"


def test_pods_that_another_nodepool_takes_do_not_wait_for_it() -> None:
    (finding,) = found(broken(NOT_FOUND), a_nodepool("api"), a_pod("app"))

    assert (finding.impact, finding.cost) == (
        Impact(pods=0),
        "no pod waits for it; no node comes, not even in the place of one that goes",
    )


def test_pods_that_were_not_seen_are_not_known_to_wait() -> None:
    cluster = a_cluster(broken(NOT_FOUND), a_nodepool("api"), missing={Kind.POD: Status.FORBIDDEN})
    (finding,) = nodepool_not_ready(cluster)

    assert (finding.impact, finding.cost.partition(";")[0]) == (
        Impact(),
        "whether pods wait for it is not known: Pod is forbidden",
    )


def test_a_nodepool_that_is_being_deleted_is_critical_for_its_nodes_go_with_it() -> None:
    (finding,) = found(a_nodepool("web", deleted="10m"), a_nodepool("api"), a_node("n1", pool="web"), a_node("n2", pool="web"))

    assert (finding.severity, finding.cause, finding.message, finding.why, finding.impact, finding.since) == (
        Severity.CRITICAL,
        "deleted",
        "web is being deleted, and its 2 nodes go with it",
        "deleted at 11:50:00Z (10m ago); its NodeClaims belong to it, so that they are deleted, too, and their nodes drain",
        Impact(nodes=2, pods=0),
        ago("10m"),
    )


def test_a_nodepool_that_is_gone_but_for_its_name_is_fine() -> None:
    assert found(a_nodepool("web", deleted="10m"), a_nodepool("api")) == []


def test_pods_that_wait_for_one_that_is_gone_but_for_its_name_are_found() -> None:
    (finding,) = found(a_nodepool("web", deleted="10m"), a_pod("app"))

    assert (finding.severity, finding.message) == (None, "web is being deleted, and no node is left of it")


def test_nodes_that_were_not_seen_are_not_counted() -> None:
    cluster = a_cluster(a_nodepool("web", deleted="10m"), missing={Kind.NODE: Status.FORBIDDEN, Kind.NODECLAIM: Status.FORBIDDEN})
    (finding,) = nodepool_not_ready(cluster)

    assert (finding.severity, finding.message) == (
        None,
        "web is being deleted, and its nodes go with it; how many is not known: Node is forbidden",
    )


def test_a_deletion_of_a_moment_ago_is_not_told_yet() -> None:
    assert found(a_nodepool("web", deleted="59s"), a_node("n1", pool="web")) == []


def test_a_node_class_that_was_seen_is_blamed_with_its_version() -> None:
    (finding,) = found(broken(NOT_FOUND), a_node_class("other"))

    assert finding.blames == (Blame(Ref("EC2NodeClass", "default", "karpenter.k8s.aws/v1")),)
