"""Node classes that are not there, are being deleted, or are not Ready."""

import dataclasses
from collections.abc import Sequence
from datetime import timedelta

import msgspec
import pytest

from karpenter_check.finding import Evidence, Finding, Fix, Occurrence, Ref, Severity
from karpenter_check.rules.nodeclass_not_ready import nodeclass_not_ready
from karpenter_check.scan import Outcome, scan
from karpenter_check.snapshot import Coverage, Kind, NodePool, Status
from karpenter_check.snapshot.metadata import Condition
from karpenter_check.snapshot.nodepool import NodeClass, NodeClassRef, NodeClassSpec, NodePoolStatus, SelectorTerm
from tests.build import Thing, a_cluster, a_node, a_node_class, a_nodeclaim, a_nodepool, a_uid, ago

WEB = Ref("NodePool", "web", "karpenter.sh/v1")
DEFAULT = Ref("EC2NodeClass", "default", "karpenter.k8s.aws/v1")
NO_SUBNETS = Condition("SubnetsReady", "False", "SubnetsNotFound", "SubnetSelector did not match any Subnets", ago("1h"))
SAID = "SubnetsReady is False (SubnetsNotFound: SubnetSelector did not match any Subnets)"
SPEC = NodeClassSpec(
    (SelectorTerm({"karpenter.sh/discovery": "prod", "tier": "a"}), SelectorTerm(id="subnet-1")),
    (SelectorTerm(name="nodes"),),
    (SelectorTerm(alias="al2023@latest"), SelectorTerm(name="nodes-*", owner="self"), SelectorTerm(ssm_parameter="/images/x")),
    "KarpenterNodeRole",
)
ROLE = "its spec.role is KarpenterNodeRole"


def found(*things: Thing) -> list[Finding]:
    return list(nodeclass_not_ready(a_cluster(*things)))


def a_class(*failing: Condition, status: str = "False", since: str = "1h", spec: NodeClassSpec = SPEC) -> NodeClass:
    """A node class that is not Ready, by these conditions and for so long."""
    message = ", ".join(f"{one.type}={one.status}" for one in failing)
    conditions = (*failing, Condition("Ready", status, "UnhealthyDependents", message, ago(since)))
    made = a_node_class()
    return msgspec.structs.replace(made, spec=spec, status=msgspec.structs.replace(made.status, conditions=conditions))


def a_user(
    name: str = "web", *, of: str = "default", reason: str = "NodeClassNotFound", status: str = "False", since: str = "1h"
) -> NodePool:
    """A NodePool that names a node class, and what Karpenter says of that on it."""
    pool = a_nodepool(name, node_class=NodeClassRef("EC2NodeClass", of, "karpenter.k8s.aws"))
    word = Condition("NodeClassReady", status, reason, "NodeClass not found on cluster" if status != "True" else "", ago(since))
    ready = Condition("Ready", status, "UnhealthyDependents", f"NodeClassReady={status}", ago(since))
    return msgspec.structs.replace(pool, status=NodePoolStatus((word, ready)))


def test_a_failing_condition_is_found_with_what_the_node_class_selects_by() -> None:
    terms = "tag karpenter.sh/discovery=prod and tag tier=a or id subnet-1"

    assert found(a_nodepool("web"), a_class(NO_SUBNETS)) == [
        Finding(
            object=DEFAULT,
            owner=DEFAULT,
            nodepool="web",
            cause="SubnetsReady",
            message=f"EC2NodeClass default is not Ready, and NodePool web needs it: {SAID}",
            why=f"its spec.subnetSelectorTerms is {terms}",
            cost="no node comes through such a NodePool, not even in the place of one that goes",
            evidence=(
                Evidence(DEFAULT, "status.conditions[type=SubnetsReady]", SAID),
                Evidence(DEFAULT, "spec.subnetSelectorTerms", terms),
            ),
            occurrences=(Occurrence(WEB, a_uid("NodePool", "web"), reason="SubnetsReady", since=ago("1h")),),
            since=ago("1h"),
            fix=(
                Fix(
                    "fix",
                    "kubectl edit ec2nodeclass.karpenter.k8s.aws default",
                    "mend spec.subnetSelectorTerms, or what should be found by it",
                    "an edit of a node class may drift the nodes that were made by it",
                ),
                Fix(
                    "fix",
                    'kubectl annotate ec2nodeclass.karpenter.k8s.aws default touched="$(date +%s)" --overwrite',
                    "if all is right by now, touch it: Karpenter keeps what it found for up to 30 minutes, "
                    "and looks again at what was changed",
                    "an annotation drifts no node",
                ),
                Fix("verify", "karpenter-check scan --select nodeclass-not-ready --nodepool web"),
            ),
        )
    ]


@pytest.mark.parametrize(
    ("failing", "why"),
    [
        (Condition("SecurityGroupsReady", "False", "SecurityGroupsNotFound"), "its spec.securityGroupSelectorTerms is name nodes"),
        (
            Condition("AMIsReady", "False", "AMINotFound", "AMISelector did not match any AMIs"),
            "its spec.amiSelectorTerms is alias al2023@latest or name nodes-* and owner self or ssmParameter /images/x",
        ),
        (Condition("InstanceProfileReady", "Unknown", "AwaitingReconciliation"), ROLE),
        (Condition("ValidationSucceeded", "False", "RunInstancesAuthCheckFailed", "not authorized"), ROLE),
        (Condition("PlacementGroupReady", "False", "PlacementGroupNotFound"), ""),
        (Condition("KubernetesVersionReady", "Unknown", "KubernetesUpgradeInProgress"), ""),
    ],
)
def test_each_condition_tells_of_its_own_field(failing: Condition, why: str) -> None:
    (finding,) = found(a_nodepool("web"), a_class(failing, status=failing.status))

    assert (finding.cause, finding.why, finding.severity) == (failing.type, why, None)


def test_an_instance_profile_is_told_too() -> None:
    failing = Condition("ValidationSucceeded", "False", "InstanceProfileNotFound")
    (finding,) = found(a_nodepool("web"), a_class(failing, spec=NodeClassSpec(instance_profile="nodes")))

    assert finding.why == "its spec.instanceProfile is nodes"


def test_each_failing_condition_is_a_finding_and_what_only_follows_from_them_is_none() -> None:
    follows = Condition("ValidationSucceeded", "False", "DependenciesNotReady", "Awaiting Instance Profile", ago("1h"))
    groups = Condition("SecurityGroupsReady", "False", "SecurityGroupsNotFound", "", ago("1h"))

    assert [entry.cause for entry in found(a_nodepool("web"), a_class(follows, NO_SUBNETS, groups))] == [
        "SecurityGroupsReady",
        "SubnetsReady",
    ]


def test_a_node_class_that_was_not_reconciled_since_an_edit_is_found() -> None:
    (finding,) = found(a_nodepool("web"), a_class(status="Unknown"))

    assert (finding.cause, finding.fix[0].text) == (
        "Ready",
        "see whether Karpenter runs, and what its log says of it: errors that it tries again are only there",
    )


def test_a_node_class_of_several_nodepools_is_one_finding() -> None:
    (finding,) = found(a_nodepool("api"), a_nodepool("web"), a_class(NO_SUBNETS))

    assert (finding.nodepool, finding.message, [entry.object.name for entry in finding.occurrences]) == (
        "",
        f"EC2NodeClass default is not Ready, and NodePools api, web need it: {SAID}",
        ["api", "web"],
    )


@pytest.mark.parametrize(("since", "expected"), [("59s", []), ("1m", [Severity.LOW]), ("4m59s", [Severity.LOW]), ("5m", [None])])
def test_what_is_certainly_wrong_is_low_from_one_minute_and_high_from_five_minutes(
    since: str, expected: list[Severity | None]
) -> None:
    assert [finding.severity for finding in found(a_nodepool("web"), a_class(NO_SUBNETS, since=since))] == expected


def test_unknown_after_an_edit_or_a_start_is_fine_for_five_minutes() -> None:
    awaiting = Condition("AMIsReady", "Unknown", "AwaitingReconciliation", "object is awaiting reconciliation", ago("4m"))

    assert found(a_nodepool("web"), a_class(awaiting, status="Unknown", since="4m59s")) == []


def test_it_is_never_critical_for_nodes_that_are_there_live_on() -> None:
    no_images = Condition("AMIsReady", "False", "AMINotFound", "AMISelector did not match any AMIs", ago("1h"))

    assert [entry.severity for entry in found(a_nodepool("web"), a_node("n1", pool="web"), a_class(no_images))] == [None]


@pytest.mark.parametrize(
    "settings", [{"warn_after": timedelta(hours=2), "fail_after": timedelta(hours=2)}, {"fail_after": timedelta(hours=2)}]
)
def test_the_thresholds_are_settings(settings: dict[str, timedelta]) -> None:
    cluster = a_cluster(a_nodepool("web"), a_class(NO_SUBNETS))
    expected = [] if "warn_after" in settings else [Severity.LOW]

    assert [finding.severity for finding in nodeclass_not_ready(cluster, **settings)] == expected


def test_a_node_class_that_is_ready_is_fine_whatever_else_it_says() -> None:
    reservations = Condition("CapacityReservationsReady", "Unknown", "AwaitingReconciliation", "", ago("1h"))

    assert found(a_nodepool("web"), a_class(reservations, status="True")) == []


def test_a_node_class_that_no_controller_looks_at_is_fine() -> None:
    made = a_node_class()
    silent = msgspec.structs.replace(made, status=msgspec.structs.replace(made.status, conditions=()))

    assert found(a_nodepool("web"), silent) == []


@pytest.mark.parametrize("users", [[], [a_nodepool("web", deleted="5m")]], ids=["nobody", "one that goes"])
def test_a_node_class_that_nobody_buys_by_is_fine(users: Sequence[NodePool]) -> None:
    assert found(*users, a_class(NO_SUBNETS)) == []


def test_a_node_class_that_is_not_there_is_found() -> None:
    (finding,) = found(a_user(of="defualt"), a_node_class("default"))

    assert (finding.object, finding.cause, finding.message, finding.why, finding.since, finding.severity) == (
        Ref("EC2NodeClass", "defualt", "karpenter.k8s.aws/v1"),
        "missing",
        "EC2NodeClass defualt is not there, and NodePool web needs it",
        "of EC2NodeClass there is default; default may be meant",
        ago("1h"),
        None,
    )
    assert finding.fix[0] == Fix(
        "fix",
        "kubectl edit nodepool web",
        "name one in spec.template.spec.nodeClassRef that is there, or make EC2NodeClass defualt",
        "an edit of a NodePool's template drifts its nodes",
    )


def test_karpenters_own_word_tells_it_where_there_is_none_of_the_kind() -> None:
    (finding,) = found(a_user())

    assert (finding.cause, finding.why, finding.evidence[0].value) == (
        "missing",
        "of EC2NodeClass there is none",
        "NodeClassReady is False (NodeClassNotFound: NodeClass not found on cluster)",
    )


def test_one_that_is_missing_for_a_moment_is_low_or_not_told() -> None:
    assert [entry.severity for entry in found(a_user(since="4m"))] == [Severity.LOW]
    assert found(a_user(since="59s")) == []


def test_one_of_a_kind_that_may_not_have_been_asked_for_is_not_called_missing() -> None:
    assert found(a_user(reason="SubnetsNotFound")) == []


def test_one_that_karpenter_finds_ready_is_not_called_missing() -> None:
    assert found(a_user(status="True", reason="NodeClassReady"), a_node_class("other")) == []


def test_one_that_was_not_seen_is_not_called_missing() -> None:
    cluster = a_cluster(a_user(), a_node_class("other"))
    partial = {**cluster.coverage, Kind.NODECLASS: Coverage(Status.PARTIAL, reason="1 could not be read")}

    assert list(nodeclass_not_ready(dataclasses.replace(cluster, coverage=partial))) == []


def test_without_node_classes_nothing_is_judged() -> None:
    cluster = a_cluster(a_user(), missing={Kind.NODECLASS: Status.FORBIDDEN})

    assert [run.outcome for run in scan(cluster, [nodeclass_not_ready]).runs] == [Outcome.SKIPPED]


def deleted(age: str) -> NodeClass:
    made = a_node_class()
    metadata = msgspec.structs.replace(made.metadata, deletion_timestamp=ago(age), finalizers=("karpenter.k8s.aws/termination",))
    return msgspec.structs.replace(made, metadata=metadata)


def test_a_node_class_that_is_being_deleted_is_found() -> None:
    (finding,) = found(a_nodepool("web"), deleted("10m"), a_node("n1", pool="web"), a_nodeclaim(node="n1", pool="web"))

    assert (finding.cause, finding.message, finding.why, finding.since) == (
        "deleted",
        "EC2NodeClass default is being deleted, and NodePool web needs it",
        "deleted at 11:50:00Z (10m ago); it goes when its 1 NodeClaim is gone; its finalizers are karpenter.k8s.aws/termination",
        ago("10m"),
    )


def test_what_a_deletion_waits_for_is_told_where_it_is_known() -> None:
    things = a_nodepool("web"), deleted("10m")
    unseen = a_cluster(*things, missing={Kind.NODECLAIM: Status.FORBIDDEN})

    assert [finding.why.split("; ")[1] for finding in (*nodeclass_not_ready(a_cluster(*things)), *nodeclass_not_ready(unseen))] == [
        "it goes when its finalizers are gone",
        "it goes when its NodeClaims are gone, of which nothing is known: NodeClaim is forbidden",
    ]


def test_a_deletion_of_a_moment_ago_is_not_told_yet() -> None:
    assert found(a_nodepool("web"), deleted("59s")) == []
