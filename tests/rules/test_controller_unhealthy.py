"""Karpenter itself, and what is wrong with it."""

import dataclasses
from collections.abc import Mapping
from datetime import timedelta

import pytest
from msgspec.structs import replace

from karpenter_check.finding import Confidence, EventEvidence, Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity
from karpenter_check.rule import NotProven
from karpenter_check.rules.controller_unhealthy import controller_unhealthy
from karpenter_check.rules.node_expiry_overdue import node_expiry_overdue
from karpenter_check.scan import scan
from karpenter_check.snapshot import Kind, NodeClaim, Status
from karpenter_check.snapshot.installation import Lease, LeaseSpec
from karpenter_check.snapshot.metadata import Condition, Metadata
from karpenter_check.snapshot.nodepool import NodeClassRef
from karpenter_check.snapshot.pod_object import PodObject
from tests.build import (
    KARPENTER,
    Thing,
    a_cluster,
    a_controller,
    a_node,
    a_nodeclaim,
    a_nodepool,
    a_pod,
    a_uid,
    about,
    ago,
    an_event,
)

DEPLOYMENT = Ref("Deployment", "karpenter", "apps/v1", "kube-system")
AUTO_MODE = NodeClassRef("NodeClass", "default", "eks.amazonaws.com")
GROUP = a_node("group-1", pool="")
MINUTE = timedelta(minutes=1)


def a_karpenter(name: str = "karpenter-1", *, on: str = "group-1", unready_for: str = "", age: str = "50h") -> PodObject:
    return a_pod(name, on=on, of=a_controller(), labels=KARPENTER, unready_for=unready_for, age=age)


def held_back(pod: PodObject, *, times: int = 12, last: str = "3m", what: str = "restarting failed container controller") -> Thing:
    return an_event(
        "BackOff", f"Back-off {what} in pod", about=about(pod), first="40m", last=last, times=times, component="kubelet"
    )


def found(
    *things: Thing,
    warn_after: timedelta = MINUTE,
    fail_after: timedelta = 5 * MINUTE,
    overdue_after: timedelta = 5 * MINUTE,
    alone_after: timedelta = 15 * MINUTE,
    restarts: int = 5,
    missing: Mapping[Kind, Status] | None = None,
) -> list[Finding]:
    pools = () if any(type(thing).__name__ == "NodePool" for thing in things) else (a_nodepool(),)
    cluster = a_cluster(*pools, *things, missing=missing)
    return list(
        controller_unhealthy(
            cluster,
            warn_after=warn_after,
            fail_after=fail_after,
            overdue_after=overdue_after,
            alone_after=alone_after,
            restarts=restarts,
        )
    )


def seen(*things: Thing, missing: Mapping[Kind, Status] | None = None) -> list[tuple[str, Severity | None, str]]:
    return [(finding.cause, finding.severity, finding.message) for finding in found(*things, missing=missing)]


def test_a_karpenter_of_which_no_pod_is_ready_is_critical() -> None:
    pods = (a_karpenter(unready_for="2h"), a_karpenter("karpenter-2", unready_for="14m"))

    assert found(a_controller(), GROUP, *pods, a_pod("web"), held_back(pods[0])) == [
        Finding(
            object=DEPLOYMENT,
            owner=DEPLOYMENT,
            cause="no-ready-pod",
            severity=Severity.CRITICAL,
            message="none of Karpenter's 2 pods is Ready, for 14m now",
            why="karpenter-1 on group-1 is not Ready since 10:00:00Z, karpenter-2 on group-1 is not Ready since 11:46:00Z; no event of "
            "Karpenter's is in what was read, which alone proves nothing",
            cost="no node is bought, replaced or drained, and interruptions are not answered; 1 pod waits for a node now",
            impact=Impact(pods=1),
            evidence=(
                Evidence(DEPLOYMENT, "spec.replicas", "2"),
                Evidence(event=EventEvidence("BackOff", "Back-off restarting failed container controller in pod", 12, ago("3m"))),
            ),
            occurrences=(
                Occurrence(
                    Ref("Pod", "karpenter-1", "v1", "kube-system"),
                    a_uid("Pod", "karpenter-1", "kube-system"),
                    "group-1",
                    "unready",
                    ago("2h"),
                ),
                Occurrence(
                    Ref("Pod", "karpenter-2", "v1", "kube-system"),
                    a_uid("Pod", "karpenter-2", "kube-system"),
                    "group-1",
                    "unready",
                    ago("14m"),
                ),
            ),
            since=ago("14m"),
            fix=(
                Fix(
                    "fix",
                    "kubectl describe pods -n kube-system -l app.kubernetes.io/name=karpenter",
                    "see what its pods wait for, or why they fail",
                    "all NodeClaims that expired meanwhile are deleted at once as it comes back, and no budget slows that",
                ),
                Fix("or", "kubectl logs -n kube-system deployment/karpenter --previous --tail=50"),
                Fix("verify", "karpenter-check scan --select controller-unhealthy"),
            ),
        )
    ]


def test_two_ready_pods_are_fine() -> None:
    assert found(a_controller(), GROUP, a_karpenter(), a_karpenter("karpenter-2")) == []


@pytest.mark.parametrize(
    ("unready_for", "severity"),
    [("59s", None), ("2m", Severity.MEDIUM), ("299s", Severity.MEDIUM), ("5m", Severity.CRITICAL)],
)
def test_a_karpenter_that_starts_again_is_given_its_time(unready_for: str, severity: Severity | None) -> None:
    findings = found(a_controller(replicas=1), GROUP, a_karpenter(unready_for=unready_for))

    assert [finding.severity for finding in findings] == ([severity] if severity else [])


def test_pods_that_wait_for_a_node_wait_for_themselves() -> None:
    (finding,) = found(a_controller(replicas=1), GROUP, a_karpenter(on="", age="20m"))

    assert (finding.cause, finding.severity) == ("waits-for-a-node", Severity.CRITICAL)
    assert finding.message == "Karpenter's only pod is not Ready, for 20m now"
    assert finding.why.startswith("karpenter-1 waits for a node since 11:40:00Z (0/1 nodes are available)")
    assert finding.fix[0].text == "Karpenter buys no node for itself while it is down: make room outside of its nodes"


def test_a_node_that_is_not_ready_either_is_said() -> None:
    (finding,) = found(a_controller(replicas=1), a_node("group-1", pool="", ready=False), a_karpenter(unready_for="9m"))

    assert finding.why.startswith("karpenter-1 on group-1 is not Ready since 11:51:00Z, and neither is its node; ")


def test_a_deployment_without_pods_is_found() -> None:
    assert seen(a_controller()) == [("no-ready-pod", Severity.CRITICAL, "Karpenter has no pod, though its Deployment wants 2")]


def test_a_deployment_made_just_now_may_have_no_pods_yet() -> None:
    assert seen(a_controller(age="30s")) == []


@pytest.mark.parametrize(("deleted", "number"), [("-20s", 0), ("20s", 0), ("9m", 1)])
def test_pods_that_go_are_given_time_to_be_followed(deleted: str, number: int) -> None:
    """As by a rollout that recreates: no pod is made until the last is gone, and its time of deletion may be ahead."""
    going = a_pod("karpenter-1", on="group-1", of=a_controller(), labels=KARPENTER, deleted=deleted)

    assert len(seen(a_controller(), GROUP, going)) == number


def test_a_karpenter_that_is_turned_off_is_found() -> None:
    assert seen(a_controller(replicas=0)) == [
        ("scaled-to-zero", Severity.HIGH, "Karpenter is turned off: its Deployment wants 0 replicas")
    ]
    assert found(a_controller(replicas=0))[0].fix[0].command == "kubectl scale -n kube-system deployment/karpenter --replicas=2"


@pytest.mark.parametrize("replicas", [0, 1])
def test_an_old_karpenter_beside_auto_mode_has_nothing_to_do(replicas: int) -> None:
    pods = [a_karpenter(unready_for="1h")] if replicas else []

    assert [
        severity for _, severity, _ in seen(a_nodepool(node_class=AUTO_MODE), a_controller(replicas=replicas), GROUP, *pods)
    ] == ([Severity.MEDIUM] if replicas else [])


def test_a_second_karpenter_that_runs_makes_it_less_severe() -> None:
    green = a_controller(name="karpenter-green")
    other = a_pod("green-1", on="group-1", of=green, labels=KARPENTER)
    pods = (other, a_pod("green-2", on="group-1", of=green, labels=KARPENTER), a_karpenter(unready_for="1h"))

    assert [severity for _, severity, _ in seen(a_controller(), green, GROUP, *pods)] == [Severity.MEDIUM]
    assert seen(a_controller(replicas=0), green, GROUP, *pods[:2]) == []


def test_pods_that_are_going_or_belong_to_a_hook_do_not_count() -> None:
    going = a_pod("karpenter-0", on="group-1", of=a_controller(), labels=KARPENTER, deleted="20s")
    hook = a_pod("karpenter-hook", namespace="kube-system", on="group-1", labels=KARPENTER)

    assert [cause for cause, _, _ in seen(a_controller(), GROUP, going, hook, a_karpenter(unready_for="8m"))] == ["no-ready-pod"]


def test_pods_are_told_by_their_label_where_replicasets_were_not_read() -> None:
    cluster = a_cluster(a_nodepool(), a_controller(), GROUP, a_karpenter(), a_karpenter("karpenter-2"))

    assert list(controller_unhealthy(dataclasses.replace(cluster, replicasets=()))) == []


def test_pods_that_could_not_all_be_read_prove_nothing() -> None:
    partial = {Kind.POD: Status.PARTIAL}

    assert seen(a_controller(), missing=partial) == []
    assert seen(a_controller(replicas=1), GROUP, a_karpenter(), missing=partial) == []


def test_a_pod_that_fails_again_and_again_is_found_though_it_is_ready_at_the_moment() -> None:
    pods = (a_karpenter(), a_karpenter("karpenter-2"))
    (finding,) = found(a_controller(), GROUP, *pods, held_back(pods[0]))

    assert (finding.cause, finding.severity, finding.confidence) == ("restarts", Severity.HIGH, Confidence.LIKELY)
    assert finding.message == "1 of Karpenter's 2 pods fails again and again"
    assert finding.why.startswith(
        "the kubelet held a failed container of karpenter-1 back 12 times; 2 pods are Ready at this moment; "
    )
    assert finding.fix[0].command == "kubectl logs -n kube-system karpenter-1 --previous --tail=50"


@pytest.mark.parametrize(
    "event",
    [
        held_back(a_karpenter(), times=4),
        held_back(a_karpenter(), last="11m"),
        held_back(a_karpenter(), what="pulling image"),
        held_back(a_pod("web-1", on="group-1")),
    ],
    ids=["a few times", "over", "an image", "another pod"],
)
def test_what_is_no_loop_is_silent(event: Thing) -> None:
    assert found(a_controller(), GROUP, a_karpenter(), a_karpenter("karpenter-2"), event) == []


def two() -> tuple[Thing, ...]:
    return (
        a_controller(),
        GROUP,
        a_karpenter(),
        a_karpenter("karpenter-2"),
        a_node("n1", age="26h"),
        a_pod("new", on="n1", age="1m"),
    )


def an_old(*, group: str = "karpenter.k8s.aws", age: str = "26h") -> NodeClaim:
    claim = a_nodeclaim(node="n1", age=age, expire_after="24h")
    return replace(claim, spec=replace(claim.spec, node_class_ref=NodeClassRef("EC2NodeClass", "default", group)))


def test_a_karpenter_that_runs_and_does_not_do_its_work_is_found() -> None:
    (finding,) = found(*two(), an_old())

    assert (finding.cause, finding.severity, finding.confidence) == ("overdue-work", Severity.HIGH, Confidence.LIKELY)
    assert finding.message == "Karpenter runs, and has not deleted 1 NodeClaim that expired, for 2h now"
    assert finding.why.startswith(
        "NodeClaim default-n1 was to be deleted at 10:00:00Z, as its expireAfter ran out; Karpenter does that at once, so none of its "
        "pods leads, it is stuck, or its deletions are refused; "
    )


def test_a_claim_that_never_became_a_node_is_overdue_work_too() -> None:
    unknown = Condition("Registered", "Unknown", "AwaitingReconciliation", last_transition_time=ago("40m"))
    claim = a_nodeclaim("stray", node="", age="40m")
    claim = replace(claim, status=replace(claim.status, conditions=(unknown,)))
    (finding,) = found(*two(), claim)

    assert finding.message == "Karpenter runs, and has not deleted 1 NodeClaim that never became a node, for 25m now"
    assert [(entry.object.name, entry.reason, entry.since) for entry in finding.occurrences] == [
        ("stray", "unregistered", ago("25m"))
    ]


def test_what_is_overdue_is_one_finding() -> None:
    unknown = Condition("Registered", "Unknown", "AwaitingReconciliation", last_transition_time=ago("40m"))
    stray = a_nodeclaim("stray", node="", age="40m")
    stray = replace(stray, status=replace(stray.status, conditions=(unknown,)))
    (finding,) = found(*two(), an_old(), stray)

    assert (
        finding.message == "Karpenter runs, and has not deleted 2 NodeClaims that expired or never became a node, for up to 2h now"
    )
    assert finding.impact == Impact(nodes=1, nodeclaims=2)


@pytest.mark.parametrize(
    "claim",
    [an_old(age="24h4m"), an_old(group="eks.amazonaws.com"), an_old(group="karpenter.azure.com")],
    ids=["a moment ago", "EKS Auto Mode's", "of another provider, whose Karpenter may be gone"],
)
def test_what_is_not_this_karpenters_work_is_silent(claim: NodeClaim) -> None:
    assert found(*two(), claim) == []


def test_of_two_karpenters_it_is_not_known_whose_work_it_is() -> None:
    assert found(*two(), a_controller(name="karpenter-green", replicas=0), an_old()) == []


def test_nodes_that_are_overdue_fold_under_the_karpenter_that_leaves_them() -> None:
    report = scan(a_cluster(a_nodepool(), *two(), an_old()), [controller_unhealthy, node_expiry_overdue])
    cause, effect = sorted(report.results, key=lambda result: result.rule.slug)

    assert (cause.finding.cause, effect.caused_by) == ("overdue-work", (cause.fingerprint,))


def test_a_single_pod_by_design_is_found() -> None:
    (finding,) = found(a_controller(replicas=1), GROUP, a_karpenter())

    assert (finding.cause, finding.severity, finding.message) == ("single-replica", Severity.MEDIUM, "Karpenter is a single pod")
    assert finding.fix[0].command == "kubectl scale -n kube-system deployment/karpenter --replicas=2"


@pytest.mark.parametrize(("age", "number"), [("14m", 0), ("15m", 1)])
def test_a_second_pod_that_does_not_come_up_leaves_a_single_one(age: str, number: int) -> None:
    findings = seen(a_controller(), GROUP, a_karpenter(), a_karpenter("karpenter-2", on="", age=age))

    assert findings == [("single-replica", Severity.MEDIUM, "only 1 of Karpenter's 2 pods is Ready")][:number]


def test_what_is_worse_goes_without_the_single_pod() -> None:
    pod = a_karpenter()

    assert [finding.cause for finding in found(a_controller(replicas=1), GROUP, pod, held_back(pod))] == ["restarts"]


def test_its_settings() -> None:
    starting = (a_controller(replicas=1), GROUP, a_karpenter(unready_for="2m"))
    pods = (a_karpenter(), a_karpenter("karpenter-2"))

    assert found(*starting, warn_after=3 * MINUTE) == []
    assert [finding.severity for finding in found(*starting, fail_after=2 * MINUTE)] == [Severity.CRITICAL]
    assert found(*two(), an_old(), overdue_after=180 * MINUTE) == []
    assert found(a_controller(), GROUP, pods[0], a_karpenter("karpenter-3", on="", age="20m"), alone_after=60 * MINUTE) == []
    assert found(a_controller(), GROUP, *pods, held_back(pods[0]), restarts=13) == []


def test_without_a_deployment_nothing_is_proven() -> None:
    gone = a_controller(deleted="5m")

    for things in ((), (gone,)):
        with pytest.raises(NotProven, match="EKS Auto Mode"):
            found(*things)


def test_events_and_nodeclaims_are_not_needed() -> None:
    missing = dict.fromkeys((Kind.EVENT, Kind.NODECLAIM, Kind.NODEPOOL, Kind.NODE), Status.FORBIDDEN)

    assert [cause for cause, _, _ in seen(a_controller(), GROUP, a_karpenter(unready_for="9m"), missing=missing)] == [
        "no-ready-pod"
    ]
    assert seen(*two(), an_old(), missing=missing) == []


def test_hostile_names_are_quoted() -> None:
    (finding,) = found(a_controller(name="$(reboot)", replicas=0))

    assert finding.fix[0].command == "kubectl scale -n kube-system deployment/'$(reboot)' --replicas=2"


def leased(*things: Thing, renewed: str, namespace: str = "kube-system", holder: str = "karpenter-1_0b7e") -> list[Finding]:
    lease = Lease(Metadata("karpenter-leader-election", namespace), LeaseSpec(holder, ago("50h"), ago(renewed), 15))
    pair = (a_controller(), GROUP, a_karpenter(), a_karpenter("karpenter-2"))
    return list(controller_unhealthy(dataclasses.replace(a_cluster(a_nodepool(), *pair, *things), leases=(lease,))))


def test_a_lease_that_nobody_renews_is_found_though_the_pods_are_ready() -> None:
    (finding,) = leased(renewed="4m")

    assert (finding.cause, finding.severity, finding.since) == ("stale-lease", Severity.CRITICAL, ago("4m"))
    assert finding.message == "no pod of Karpenter leads: its Lease was last renewed 4m ago"
    assert finding.why.startswith(
        "karpenter-1_0b7e holds Lease kube-system/karpenter-leader-election, renewed at 11:56:00Z; a leader renews it every 2 s, and only "
        "the leader works; "
    )


def test_a_lease_that_is_renewed_or_another_ones_or_left_over_is_fine() -> None:
    said = an_event("Unconsolidatable", "no", about=about(a_pod("web")), first="1m")

    assert leased(renewed="50s") == []
    assert leased(renewed="4m", namespace="elsewhere") == []
    assert leased(said, renewed="4m") == []


def test_from_when_on_a_lease_is_stale_is_a_setting() -> None:
    lease = Lease(Metadata("karpenter-leader-election", "kube-system"), LeaseSpec("", None, ago("2m"), 15))
    cluster = a_cluster(a_nodepool(), a_controller(), GROUP, a_karpenter(), a_karpenter("karpenter-2"))

    assert list(controller_unhealthy(dataclasses.replace(cluster, leases=(lease,)), lease_after=3 * MINUTE)) == []
