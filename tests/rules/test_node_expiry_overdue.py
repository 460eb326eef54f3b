"""Nodes past their expireAfter that nobody deleted."""

from collections.abc import Mapping
from datetime import timedelta

import pytest
from msgspec.structs import replace

from karpenter_check.finding import Blame, Confidence, EventEvidence, Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity
from karpenter_check.rules.node_expiry_overdue import node_expiry_overdue
from karpenter_check.snapshot import Kind, Snapshot, Status
from karpenter_check.snapshot.event import Event, InvolvedObject
from karpenter_check.snapshot.metadata import Condition
from karpenter_check.snapshot.nodepool import Disruption, NodeClaim, NodeClassRef, NodePoolSpec
from tests.build import Thing, a_cluster, a_controller, a_node, a_nodeclaim, a_nodepool, a_pod, ago, an_event

POOL = Ref("NodePool", "default", "karpenter.sh/v1")
NODE = Ref("Node", "n1", "v1")
CLAIM = Ref("NodeClaim", "default-n1", "karpenter.sh/v1")


def an_old(node: str = "n1", *, age: str = "26h", expire_after: str = "24h", deleted: str = "", pool: str = "default") -> NodeClaim:
    return a_nodeclaim(node=node, age=age, expire_after=expire_after, deleted=deleted, pool=pool)


def said(reason: str = "Unconsolidatable", *, last: str, component: str = "karpenter") -> Event:
    return an_event(
        reason, "Can't replace with a cheaper node", about=InvolvedObject("Node", "", "n1"), first=last, component=component
    )


def found(
    *things: Thing, fail_after: timedelta = timedelta(minutes=5), missing: Mapping[Kind, Status] | None = None
) -> list[Finding]:
    return list(node_expiry_overdue(a_cluster(*things, missing=missing), fail_after=fail_after))


def test_a_node_that_should_have_expired_two_hours_ago_is_found() -> None:
    claim, pod = an_old(), a_pod("new", on="n1", age="10m")

    assert found(a_node("n1", age="26h"), claim, pod, said(last="150m")) == [
        Finding(
            object=NODE,
            owner=POOL,
            nodepool="default",
            cause="overdue",
            severity=Severity.HIGH,
            confidence=Confidence.CERTAIN,
            message="its expireAfter 24h ran out 2h ago, and nobody has deleted it",
            why="NodeClaim default-n1 was due at 10:00:00Z: its creation plus its expireAfter of 24h; Karpenter deletes it then, whatever "
            "budgets and pods say, so it is down, stuck or not the leader, or its deletions are refused, or it does not serve "
            "EC2NodeClass.karpenter.k8s.aws; Karpenter last said something 2h30m ago (Unconsolidatable); a condition of a NodeClaim, which "
            "nobody else writes, last changed 1d2h ago",
            cost="1 node that should be gone; if Karpenter does nothing at all, pending pods, drift and drains wait, too",
            impact=Impact(nodes=1, nodeclaims=1),
            evidence=(
                Evidence(CLAIM, "metadata.creationTimestamp", "2026-11-20T10:00:00Z"),
                Evidence(CLAIM, "spec.expireAfter", "24h"),
                Evidence(CLAIM, "metadata.deletionTimestamp", "none"),
                Evidence(event=EventEvidence("Unconsolidatable", "Can't replace with a cheaper node", 1, ago("150m"))),
            ),
            occurrences=(Occurrence(NODE, claim.metadata.uid, "n1", "overdue", ago("2h")),),
            since=ago("2h"),
            fix=(
                Fix(
                    "fix",
                    "kubectl get pods -A -l app.kubernetes.io/name=karpenter",
                    "see whether one of them is Ready and leads (Lease karpenter-leader-election), and what its log says",
                ),
                Fix("verify", "karpenter-check scan --select node-expiry-overdue --nodepool default"),
            ),
        )
    ]


def test_several_nodes_of_a_nodepool_are_one_finding_that_warns_of_the_day_karpenter_comes_back() -> None:
    (finding,) = found(
        *(a_node(f"n{n}", age="26h") for n in (1, 2, 3)), an_old("n2"), an_old("n1", age="25h"), an_old("n3", age="1h")
    )

    assert finding.object == finding.owner == POOL
    assert finding.message == "2 nodes are past their expireAfter, the longest for 2h, and nobody has deleted them"
    assert [(entry.node, entry.since) for entry in finding.occurrences] == [("n2", ago("2h")), ("n1", ago("1h"))]
    assert [(fix.step, fix.command, fix.risk) for fix in finding.fix[:2]] == [
        (
            "fix", "kubectl get pods -A -l app.kubernetes.io/name=karpenter",
            "once Karpenter does its work again, it deletes all of them at once, and no budget slows that",
        ),
        (
            "or", "kubectl delete nodeclaim default-n2",
            "its node drains as soon as Karpenter works; while it is down, the deletion waits for its finalizer",
        ),
    ]  # fmt: skip


def test_each_nodepool_has_its_own_finding_and_a_claim_without_one_owns_itself() -> None:
    alone = replace(an_old("n3"), metadata=replace(an_old("n3").metadata, labels={}))
    things = (a_node("n1"), a_node("n2", pool="other"), a_node("n3", pool=""), an_old(), an_old("n2", pool="other"), alone)

    assert [(finding.owner.kind, finding.owner.name, finding.nodepool) for finding in found(*things)] == [
        ("NodePool", "default", "default"),
        ("NodePool", "other", "other"),
        ("NodeClaim", "default-n3", ""),
    ]


@pytest.mark.parametrize(
    "claim",
    [
        an_old(age="23h"),
        an_old(age="24h4m"),
        an_old(expire_after="Never"),
        an_old(expire_after=""),
        an_old(deleted="1h"),
        an_old(expire_after="9999999h"),
        an_old(expire_after="soon"),
        an_old(age="-26h"),
    ],
    ids=["not due", "due a moment ago", "Never", "no field", "deleted, and held by its finalizer", "centuries", "unreadable", "from the future"],
)  # fmt: skip
def test_what_is_not_overdue_is_silent(claim: NodeClaim) -> None:
    assert found(a_node("n1"), claim) == []


def test_the_claim_counts_and_not_its_nodepool_which_was_edited_since() -> None:
    pool = a_nodepool()
    template = replace(pool.spec.template, spec=replace(pool.spec.template.spec, expire_after="1h"))

    assert found(replace(pool, spec=replace(pool.spec, template=template)), a_node("n1"), an_old(expire_after="720h")) == []


def test_v1beta1_expires_gracefully_and_a_budget_may_keep_a_node() -> None:
    pool = replace(a_nodepool(), spec=NodePoolSpec(disruption=Disruption(expire_after="24h")))
    expired = Condition("Expired", "True", "TTLExpired", last_transition_time=ago("2h"))
    claim = a_nodeclaim(node="n1", age="26h", expire_after="", conditions=(expired,))

    assert found(pool, a_node("n1"), claim) == []


def test_fail_after_is_a_setting() -> None:
    assert found(a_node("n1"), an_old(), fail_after=timedelta(hours=3)) == []
    assert len(found(a_node("n1"), an_old(age="24h1m"), fail_after=timedelta(minutes=1))) == 1


def test_a_claim_that_became_no_node_is_named_itself() -> None:
    (finding,) = found(an_old(node=""), a_nodepool())

    assert finding.object == Ref("NodeClaim", "default-", "karpenter.sh/v1")
    assert finding.impact == Impact(nodes=0, nodeclaims=1)


@pytest.mark.parametrize(
    ("last", "component", "awake"),
    [("1m", "karpenter", True), ("1m", "eks-auto-mode/compute", True), ("3h", "karpenter", False), ("1m", "kubelet", False)],
)
def test_a_karpenter_that_did_something_since_is_not_called_down(last: str, component: str, *, awake: bool) -> None:
    (finding,) = found(a_node("n1"), an_old(), said(last=last, component=component))

    assert ("so it is down" not in finding.why) is awake


def test_what_nobody_said_proves_nothing() -> None:
    (finding,) = found(a_node("n1"), an_old())
    (unread,) = found(a_node("n1"), an_old(), missing={Kind.EVENT: Status.FORBIDDEN})

    assert "no event of Karpenter's is in what was read, which alone proves nothing" in finding.why
    assert "what Karpenter last said is not known: Event is forbidden" in unread.why


def test_a_condition_that_changed_since_is_a_sign_of_life() -> None:
    drifted = Condition("Drifted", "True", "NodePoolDrifted", last_transition_time=ago("1m"))
    (finding,) = found(a_node("n1"), replace(an_old(), status=replace(an_old().status, conditions=(drifted,))))

    assert finding.why.endswith("a condition of a NodeClaim, which nobody else writes, last changed 1m ago")
    assert "so its deletions are refused" in finding.why


@pytest.mark.parametrize(
    ("newest", "severity", "confidence"),
    [
        ("26h", Severity.LOW, Confidence.POSSIBLE),
        ("119m", Severity.LOW, Confidence.POSSIBLE),
        ("10m", Severity.HIGH, Confidence.CERTAIN),
    ],
)
def test_a_time_that_nothing_in_the_snapshot_comes_near_was_given_by_hand_and_may_be_wrong(
    newest: str, severity: Severity, confidence: Confidence
) -> None:
    (finding,) = found(a_node("n1", age="26h"), an_old(), said("Nominated", last=newest))

    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert ("its time may have been set too late" in finding.why) is (severity is Severity.LOW)


def test_a_quiet_hour_makes_it_no_less_severe() -> None:
    (finding,) = found(a_node("n1", age="26h"), an_old(age="24h30m"), said(last="40m"))

    assert (finding.severity, finding.confidence) == (Severity.HIGH, Confidence.LIKELY)


def test_auto_mode_is_run_by_somebody_else() -> None:
    auto = replace(an_old(), spec=replace(an_old().spec, node_class_ref=NodeClassRef("NodeClass", "default", "eks.amazonaws.com")))
    (finding,) = found(a_node("n1"), auto)

    assert "it does not serve NodeClass.eks.amazonaws.com" in finding.why
    assert finding.fix[0] == Fix(
        "fix", text="EKS Auto Mode's Karpenter is run by AWS: open a support case with the NodeClaim's name and these times"
    )


def test_the_deployment_of_karpenter_is_to_blame_unless_it_is_auto_modes_work_or_the_time_may_be_wrong() -> None:
    controller, pod = a_controller(), a_pod("new", on="n1", age="10m")
    auto = replace(an_old(), spec=replace(an_old().spec, node_class_ref=NodeClassRef("NodeClass", "default", "eks.amazonaws.com")))
    blame = Blame(Ref("Deployment", "karpenter", "apps/v1", "kube-system"))
    blames = [
        found(*things)[0].blames
        for things in (
            (a_node("n1"), an_old(), pod, controller),
            (a_node("n1"), auto, pod, controller),
            (a_node("n1"), an_old(), pod),
            (a_node("n1", age="26h"), an_old(), controller),
        )
    ]

    assert blames == [(blame,), (), (), ()]


def test_events_and_pods_are_not_needed() -> None:
    missing: dict[Kind, Status] = {kind: Status.FORBIDDEN for kind in Kind if kind is not Kind.NODECLAIM}

    assert len(found(an_old(), a_node("n1"), missing=missing)) == 1


def test_hostile_names_are_quoted() -> None:
    claims = [replace(an_old(node), metadata=replace(an_old(node).metadata, name=f"$(reboot) {node}")) for node in ("n1", "n2")]
    (finding,) = found(a_node("n1"), a_node("n2"), *claims)

    assert finding.fix[1].command == "kubectl delete nodeclaim '$(reboot) n1'"


def test_nothing_is_found_in_an_empty_cluster() -> None:
    assert list(node_expiry_overdue(Snapshot(ago("0s")))) == []
