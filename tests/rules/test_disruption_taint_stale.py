"""Taints of Karpenter's that were left behind."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from msgspec.structs import replace

from karpenter_check.finding import Blame, Confidence, Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity
from karpenter_check.rules.disruption_taint_stale import disruption_taint_stale
from karpenter_check.snapshot import Kind, Node, Status, Version
from karpenter_check.snapshot.event import Event, InvolvedObject
from karpenter_check.snapshot.metadata import Condition, Fields, FieldsOfSpec, ManagedFields
from karpenter_check.snapshot.part import Present
from tests.build import Thing, a_cluster, a_node, a_nodeclaim, ago, an_event

POOL = Ref("NodePool", "default", "karpenter.sh/v1")
NODE = Ref("Node", "n1", "v1")
CLAIM = Ref("NodeClaim", "default-n1", "karpenter.sh/v1")
DISRUPTED, UNREGISTERED = "karpenter.sh/disrupted:NoSchedule", "karpenter.sh/unregistered:NoExecute"
OLD = "karpenter.sh/disruption=disrupting:NoSchedule"
V1_13 = Version(1, 13)


def a_tainted(
    name: str = "n1",
    *,
    taint: str = DISRUPTED,
    written: str = "3h",
    by: str = "karpenter",
    pool: str = "default",
    cordoned: bool = False,
) -> Node:
    """A node with a taint; its taints were written last so long ago, or nothing says when."""
    node = a_node(name, age="9h", taints=[taint, "dedicated=batch:NoSchedule"], pool=pool, cordoned=cordoned)
    fields = (ManagedFields(by, ago(written), Fields(spec=FieldsOfSpec(Present()))),) if written else ()
    return replace(node, metadata=replace(node.metadata, managed_fields=fields))


def disrupting(since: str, status: str = "True") -> Condition:
    return Condition("DisruptionReason", status, "Drifted", last_transition_time=ago(since))


def said(reason: str, *, last: str, component: str = "karpenter") -> Event:
    return an_event(reason, "said", about=InvolvedObject("NodeClaim", "", "new"), first="5h", last=last, component=component)


def found(
    *things: Thing,
    version: Version | None = V1_13,
    missing: dict[Kind, Status] | None = None,
    fail_after: timedelta = timedelta(minutes=15),
    command_timeout: timedelta = timedelta(hours=1),
) -> list[Finding]:
    cluster = a_cluster(*things, version=version, missing=missing)
    return list(disruption_taint_stale(cluster, fail_after=fail_after, command_timeout=command_timeout))


def judged(*things: Thing, version: Version | None = V1_13) -> list[tuple[str, Severity | None, Confidence]]:
    return [(finding.cause, finding.severity, finding.confidence) for finding in found(*things, version=version)]


STALE = [("disrupted", Severity.MEDIUM, Confidence.CERTAIN)]


def test_a_taint_that_nothing_explains_any_more_is_found() -> None:
    node = a_tainted()

    assert found(node, a_nodeclaim(age="9h"), said("Unconsolidatable", last="4h")) == [
        Finding(
            object=NODE,
            owner=POOL,
            nodepool="default",
            cause="disrupted",
            severity=Severity.MEDIUM,
            confidence=Confidence.CERTAIN,
            message="takes no new pods: it carries karpenter.sh/disrupted:NoSchedule, which was left behind",
            why="its NodeClaim is not being deleted and has no DisruptionReason, and its taints have not changed since 09:00:00Z (3h ago); "
            "Karpenter takes the taint off nodes that it is not disrupting whenever it looks for nodes to disrupt, so it does not come to "
            "that, as when it is down or was removed; Karpenter last said something 4h ago (Unconsolidatable); a condition of a NodeClaim, "
            "which nobody else writes, last changed 9h ago",
            cost="1 node paid for and closed to new pods; Karpenter buys others for pods that would fit there",
            impact=Impact(nodes=1),
            evidence=(
                Evidence(NODE, "spec.taints", "karpenter.sh/disrupted:NoSchedule", "karpenter"),
                Evidence(CLAIM, "status.conditions DisruptionReason", "none"),
            ),
            occurrences=(Occurrence(NODE, node.metadata.uid, "n1", "disrupted", ago("3h")),),
            since=ago("3h"),
            fix=(
                Fix(
                    "fix",
                    "kubectl get pods -A -l app.kubernetes.io/name=karpenter",
                    "see whether one of them is Ready and leads (Lease karpenter-leader-election), and what its log says",
                ),
                Fix(
                    "or",
                    "kubectl taint node n1 karpenter.sh/disrupted:NoSchedule-",
                    risk="pods come there at once; if Karpenter disrupts the node after all, they move again",
                ),
                Fix("verify", "karpenter-check scan --select disruption-taint-stale --nodepool default"),
            ),
        )
    ]


def test_a_command_that_neither_ended_nor_gave_up_is_found() -> None:
    (finding,) = found(a_tainted(written=""), a_nodeclaim(age="9h", conditions=[disrupting("5h")]))

    assert (finding.cause, finding.severity, finding.confidence) == STALE[0]
    assert finding.since == ago("5h")
    assert finding.why.startswith("Karpenter began to disrupt it as Drifted at 07:00:00Z (5h ago), and neither ended nor gave up; ")


@pytest.mark.parametrize(
    "things",
    [
        [a_tainted(), a_nodeclaim(age="9h", conditions=[disrupting("59m")])],
        [a_tainted(), a_nodeclaim(age="9h", conditions=[replace(disrupting("5h"), last_transition_time=None)])],
        [a_tainted(written="14m")],
        [a_tainted(), a_nodeclaim(age="9h", deleted="2h")],
        [a_tainted(), a_nodeclaim(age="9h", conditions=[Condition("InstanceTerminating", "True")])],
        [replace(a_tainted(), metadata=a_node("n1", deleted="2h").metadata)],
        [a_tainted(cordoned=True)],
        [a_tainted(pool="")],
        [a_tainted(taint="karpenter.sh/disrupted:NoExecute")],
        [a_tainted(taint="karpenter.sh/disrupted-by-hand:NoSchedule")],
        [a_node("n1", taints=["node.kubernetes.io/unschedulable:NoSchedule"])],
        [a_node("n1")],
    ],
    ids=[
        "a command in flight", "a command of unknown age", "tainted moments ago", "its claim is deleted", "its instance is terminated",
        "it is deleted", "cordoned", "no node of Karpenter's", "not Karpenter's effect", "not Karpenter's key", "another taint", "no taint",
    ],
)  # fmt: skip
def test_what_was_not_left_behind_is_silent(things: Sequence[Thing]) -> None:
    assert found(*things) == []


def test_a_reason_that_is_false_is_none() -> None:
    assert judged(a_tainted(), a_nodeclaim(age="9h", conditions=[disrupting("5h", "False")])) == STALE


def test_the_value_of_the_taint_does_not_count() -> None:
    assert judged(a_tainted(taint="karpenter.sh/disrupted=yes:NoSchedule")) == STALE


@pytest.mark.parametrize("reason", ["DisruptionLaunching", "DisruptionWaitingReadiness", "Unconsolidatable"])
@pytest.mark.parametrize(("written", "told"), [("59m", False), ("61m", True)])
def test_while_karpenter_disrupts_nodes_a_command_is_given_its_hour(reason: str, written: str, *, told: bool) -> None:
    busy = said(reason, last="5m")

    assert judged(a_tainted(written=written), busy) == ([("disrupted", Severity.MEDIUM, Confidence.LIKELY)] if told else [])
    assert judged(a_tainted(written=written), said(reason, last="20m")) == STALE
    assert judged(a_tainted(written=written), said(reason, last="5m", component="somebody")) == STALE


def test_a_karpenter_that_looked_since_remembers_the_node() -> None:
    (finding,) = found(a_tainted(), said("DisruptionBlocked", last="5m"))

    assert (
        "and it has looked since: it still takes this one for a node that it disrupts, which a restart of Karpenter ends"
        in finding.why
    )


@pytest.mark.parametrize(("written", "told"), [("59m", False), ("61m", True), ("", False)])
def test_before_1_2_no_condition_tells_of_a_command(written: str, *, told: bool) -> None:
    likely = [("disrupted", Severity.MEDIUM, Confidence.LIKELY)]

    assert judged(a_tainted(written=written), version=Version(1, 1)) == (likely if told else [])


def test_without_managed_fields_it_is_a_hint() -> None:
    (finding,) = found(a_tainted(written=""))

    assert (finding.severity, finding.confidence, finding.since) == (Severity.INFO, Confidence.POSSIBLE, None)
    assert "since when it has the taint is not known, as the input has no managedFields" in finding.why
    assert found(a_tainted(written=""), said("DisruptionLaunching", last="5m")) == []


def test_a_node_that_is_sure_comes_before_one_that_is_not() -> None:
    (finding,) = found(a_tainted("n1", written=""), a_tainted("n2"), a_tainted("n3", written="4h"))

    assert finding.object == POOL
    assert finding.message == "3 nodes take no new pods: they carry karpenter.sh/disrupted:NoSchedule, which was left behind"
    assert [(entry.node, entry.since) for entry in finding.occurrences] == [("n3", ago("4h")), ("n2", ago("3h")), ("n1", None)]
    assert (finding.severity, finding.fix[1].text, finding.since) == (Severity.MEDIUM, "and so for 2 other nodes", ago("4h"))


def test_a_claim_that_was_never_launched_is_why_karpenter_does_not_look() -> None:
    waiting = a_nodeclaim("stuck", node="", age="170m")
    (finding,) = found(a_tainted(), a_nodeclaim(age="9h"), waiting)
    (later,) = found(
        a_tainted(), a_nodeclaim(age="9h"), replace(waiting, metadata=replace(waiting.metadata, creation_timestamp=ago("1h")))
    )

    assert "it does not look while it waits for NodeClaim stuck, which has no providerID" in finding.why
    assert finding.blames == (Blame(Ref("NodeClaim", "stuck", "karpenter.sh/v1")),)
    assert (later.blames, "it waits for" in later.why) == ((), False)


def test_a_node_that_is_registered_and_kept_its_first_taint_is_found() -> None:
    node = a_tainted(taint=UNREGISTERED, by="kubelet")

    (finding,) = found(node, a_nodeclaim(age="8h"))
    assert (finding.cause, finding.severity, finding.confidence, finding.since) == (
        "unregistered", Severity.MEDIUM, Confidence.CERTAIN, ago("8h"),
    )  # fmt: skip
    assert (
        finding.why
        == "its NodeClaim is Registered since 04:00:00Z (8h ago); Karpenter takes this taint away just before, and never again"
    )
    assert finding.cost == "1 node paid for and closed to new pods; pods there that do not tolerate it were evicted"
    assert finding.evidence == (
        Evidence(NODE, "spec.taints", UNREGISTERED, "kubelet"),
        Evidence(CLAIM, "status.conditions Registered", "True"),
    )
    assert finding.fix[0] == Fix(
        "fix", "kubectl taint node n1 karpenter.sh/unregistered:NoExecute-", risk="pods come there at once"
    )


@pytest.mark.parametrize(
    "things",
    [
        [a_nodeclaim(age="9h", registered=False)],
        [a_nodeclaim(age="10m")],
        [replace(a_nodeclaim(), status=replace(a_nodeclaim().status, conditions=()))],
    ],
    ids=["never registered", "registered a moment ago", "nothing says so"],
)
def test_a_node_that_is_about_to_register_keeps_its_taint(things: Sequence[Thing]) -> None:
    assert found(a_tainted(taint=UNREGISTERED), *things) == []


def test_a_young_node_of_a_registered_claim_is_given_time() -> None:
    node = a_tainted(taint=UNREGISTERED)

    assert found(replace(node, metadata=replace(node.metadata, creation_timestamp=ago("5m"))), a_nodeclaim(age="9h")) == []


@pytest.mark.parametrize(
    ("version", "confidence"), [(Version(1, 1), Confidence.CERTAIN), (V1_13, Confidence.CERTAIN), (None, Confidence.LIKELY)]
)
def test_the_taint_of_v1beta1_is_left_by_a_karpenter_that_does_not_know_it(version: Version | None, confidence: Confidence) -> None:
    (finding,) = found(a_tainted(taint=OLD, written=""), version=version)

    who = f"Karpenter {version}" if version else "the Karpenter of this cluster"
    assert (finding.cause, finding.severity, finding.confidence) == ("disruption", Severity.MEDIUM, confidence)
    assert finding.why == f"Karpenter before 1.0 set it; {who} goes by karpenter.sh/disrupted, and takes no other away"
    assert finding.fix[0].command == "kubectl taint node n1 karpenter.sh/disruption:NoSchedule-"


def test_the_taint_of_v1beta1_is_right_where_karpenter_is_that_old() -> None:
    beta = a_nodeclaim(age="9h", expire_after="")

    assert found(a_tainted(taint=OLD), beta, version=None) == []
    assert found(a_tainted(taint=OLD), version=Version(0, 37)) == []
    assert found(a_tainted(taint=OLD), version=Version(1, 0)) == []
    assert found(a_tainted(taint=OLD, written="5m")) == []


def test_two_taints_and_two_nodepools_are_findings_of_their_own() -> None:
    both = replace(
        a_tainted("n1"),
        spec=replace(a_tainted("n1").spec, taints=(*a_tainted("n1").spec.taints, *a_tainted(taint=OLD).spec.taints)),
    )
    causes = [(finding.nodepool, finding.cause) for finding in found(both, a_tainted("n2", pool="other"))]

    assert causes == [("default", "disrupted"), ("default", "disruption"), ("other", "disrupted")]


def test_a_claim_without_a_nodepool_owns_itself() -> None:
    alone = a_nodeclaim("alone", node="n1", pool="", age="9h")
    (finding,) = found(a_tainted(pool=""), alone)

    assert (finding.owner, finding.nodepool) == (Ref("NodeClaim", "alone", "karpenter.sh/v1"), "")
    assert finding.fix[-1].command == "karpenter-check scan --select disruption-taint-stale"


def test_fail_after_is_a_setting() -> None:
    assert found(a_tainted(written="10m"), fail_after=timedelta(minutes=9))
    assert not found(a_tainted(), fail_after=timedelta(hours=4))


def test_command_timeout_is_a_setting() -> None:
    begun = a_nodeclaim(age="9h", conditions=[disrupting("30m")])

    assert found(a_tainted(), begun, command_timeout=timedelta(minutes=20))
    assert not found(a_tainted(), begun, command_timeout=timedelta(hours=2))


def test_events_that_were_not_read_are_said_to_be_missing() -> None:
    (finding,) = found(a_tainted(), missing={Kind.EVENT: Status.FORBIDDEN})

    assert "what Karpenter last said is not known: Event is forbidden" in finding.why
