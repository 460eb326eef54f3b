"""Nodes that are deleted and do not go."""

from collections.abc import Mapping
from datetime import timedelta

import pytest
from msgspec.structs import replace

from karpenter_check.finding import Blame, Confidence, EventEvidence, Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity
from karpenter_check.rules.node_terminating_stuck import node_terminating_stuck
from karpenter_check.rules.node_ttl_death import node_ttl_death
from karpenter_check.scan import scan
from karpenter_check.snapshot import Kind, NodeClaim, Snapshot, Status, Version
from karpenter_check.snapshot.event import InvolvedObject
from karpenter_check.snapshot.metadata import Condition, OwnerReference
from karpenter_check.snapshot.pod_object import PodObject
from tests.build import (
    Thing,
    a_budget,
    a_claim,
    a_cluster,
    a_daemonset,
    a_deployment,
    a_node,
    a_nodeclaim,
    a_nodepool,
    a_pod,
    a_volume,
    ago,
    an_attachment,
    an_event,
)

POOL = Ref("NodePool", "default", "karpenter.sh/v1")
NODE = Ref("Node", "n1", "v1")
CLAIM = Ref("NodeClaim", "default-n1", "karpenter.sh/v1")
WEB = {"app": "web"}
LOG = Fix(
    "fix",
    text="read Karpenter's log for this node, then restart its controller",
    risk="for a minute nothing is bought or taken away",
)
VERIFY = Fix("verify", "karpenter-check scan --select node-terminating-stuck --nodepool default")
LOW, HIGH = Severity.LOW, Severity.HIGH


def step(kind: str, status: str, since: str) -> Condition:
    return Condition(kind, status, last_transition_time=ago(since))


def a_drain(
    *things: Thing,
    since: str = "10m",
    grace: str = "",
    version: Version | None = None,
    missing: Mapping[Kind, Status] | None = None,
) -> Snapshot:
    """`n1` and its NodeClaim, deleted so long ago, without a terminationGracePeriod."""
    claim = a_nodeclaim(deleted=since, termination_grace_period=grace, conditions=[step("Drained", "Unknown", since)])
    return a_cluster(a_node("n1", deleted=since, age="30h"), claim, *things, version=version, missing=missing)


def past_drain(*conditions: Condition, since: str = "2h", grace: str = "", **things: NodeClaim) -> Snapshot:
    claim = a_nodeclaim(deleted=since, termination_grace_period=grace, conditions=conditions)
    return a_cluster(a_node("n1", deleted=since, age="30h"), claim, *things.values())


def found(cluster: Snapshot) -> list[Finding]:
    return list(node_terminating_stuck(cluster))


def judged(cluster: Snapshot) -> list[tuple[str, Severity | None, Confidence]]:
    return [(finding.cause, finding.severity, finding.confidence) for finding in found(cluster)]


def pinned(name: str = "pinned", value: str = "true", age: str = "29h") -> PodObject:
    """A pod of a StatefulSet that says do-not-disrupt."""
    return owned(a_pod(name, on="n1", do_not_disrupt=value, age=age), "StatefulSet", "apps/v1")


def a_web_pod(age: str = "29h") -> PodObject:
    return a_pod("web", on="n1", labels=WEB, age=age)


def owned(pod: PodObject, kind: str, version: str) -> PodObject:
    owner = OwnerReference(kind, "owner", "uid", version, controller=True)
    return replace(pod, metadata=replace(pod.metadata, owner_references=(owner,)))


def test_a_node_that_a_pod_holds_for_ever_is_found() -> None:
    said = an_event(
        "FailedDraining",
        "Failed to drain node, 2 pods are waiting to be evicted",
        about=InvolvedObject("Node", "", "n1"),
        first="9m",
    )
    cluster = a_drain(pinned(), a_pod("app", on="n1"), said)

    assert found(cluster) == [
        Finding(
            object=NODE,
            owner=POOL,
            nodepool="default",
            cause="pod-do-not-disrupt",
            severity=HIGH,
            message='terminating for 10m, and never ends: Pod shop/pinned is kept by karpenter.sh/do-not-disrupt: "true"',
            why="Karpenter waits for the pod and never evicts it; no terminationGracePeriod, so nothing forces it",
            cost="1 node to go since 11:50:00Z, and paid for; 2 pods still there",
            impact=Impact(nodes=1, pods=2),
            evidence=(
                Evidence(NODE, "metadata.deletionTimestamp", "2026-11-21T11:50:00Z"),
                Evidence(CLAIM, "metadata.deletionTimestamp", "2026-11-21T11:50:00Z"),
                Evidence(CLAIM, "status.conditions.Drained", "Unknown"),
                Evidence(Ref("Pod", "pinned", "v1", "shop"), "metadata.annotations.karpenter.sh/do-not-disrupt", "true"),
                Evidence(
                    event=EventEvidence("FailedDraining", "Failed to drain node, 2 pods are waiting to be evicted", 1, ago("9m"))
                ),
            ),
            occurrences=(Occurrence(NODE, cluster.nodeclaims[0].metadata.uid, "n1", "draining", ago("10m")),),
            since=ago("10m"),
            fix=(
                Fix(
                    "fix",
                    "kubectl annotate pod -n shop pinned karpenter.sh/do-not-disrupt-",
                    risk="Karpenter then evicts it, and the drain goes on",
                ),
                Fix("or", text="a terminationGracePeriod in the NodePool's template ends such drains, of nodes made from then on"),
                VERIFY,
            ),
            blames=(Blame(Ref("StatefulSet", "owner", "apps/v1", "shop")),),
        ),
    ]


def test_a_node_that_nobody_deletes_is_fine() -> None:
    assert found(a_cluster(a_node("n1", age="30h"), pinned())) == []


@pytest.mark.parametrize(("since", "expected"), [("4m59s", []), ("5m", [HIGH])])
def test_what_never_ends_is_told_after_five_minutes(since: str, expected: list[Severity]) -> None:
    assert [finding.severity for finding in found(a_drain(pinned(), since=since))] == expected


def test_blocked_after_sets_how_long_a_pod_that_never_leaves_may_hold_a_node() -> None:
    assert list(node_terminating_stuck(a_drain(pinned()), blocked_after=timedelta(minutes=11))) == []


def test_what_was_deleted_within_the_last_minute_is_not_judged() -> None:
    assert list(node_terminating_stuck(a_drain(pinned(), since="59s"), blocked_after=timedelta())) == []


def test_a_pod_that_two_budgets_match_holds_its_node_for_ever() -> None:
    web = a_deployment("web")
    cluster = a_drain(
        web,
        a_pod("web-1", on="n1", of=web, labels=WEB),
        a_budget("one", selects=WEB),
        a_budget("two", selects=WEB),
    )
    (finding,) = found(cluster)

    assert (finding.cause, finding.severity, finding.message, finding.blames, finding.fix[:2]) == (
        "multiple-pdbs",
        HIGH,
        "terminating for 10m, and never ends: Pod shop/web-1 is kept by two PodDisruptionBudgets (one and two), which eviction refuses",
        (
            Blame(Ref("Deployment", "web", "apps/v1", "shop")),
            Blame(Ref("PodDisruptionBudget", "one", "policy/v1", "shop")),
            Blame(Ref("PodDisruptionBudget", "two", "policy/v1", "shop")),
        ),
        (
            Fix(
                "stop",
                "kubectl delete pod -n shop web-1",
                risk="this goes around its PodDisruptionBudget: ask its owner first; its controller makes it again elsewhere",
            ),
            Fix("fix", "kubectl get poddisruptionbudget -n shop one two", "leave one of them that matches the pod"),
        ),
    )


def test_a_budget_that_never_allows_anything_holds_its_node_for_ever() -> None:
    cluster = a_drain(a_web_pod(), a_budget("web", selects=WEB, allowed=0, max_unavailable=0))
    (finding,) = found(cluster)

    assert (finding.cause, finding.severity, finding.confidence, finding.fix[1]) == (
        "pdb",
        HIGH,
        Confidence.CERTAIN,
        Fix("fix", "kubectl describe poddisruptionbudget -n shop web", "let it allow one disruption at least"),
    )
    assert "and never ends: Pod shop/web is kept by PodDisruptionBudget web, which never allows" in finding.message


@pytest.mark.parametrize(("since", "expected"), [("14m", None), ("15m", LOW), ("59m", LOW), ("60m", HIGH)])
def test_a_budget_that_allows_nothing_now_may_open_within_the_hour(since: str, expected: Severity | None) -> None:
    cluster = a_drain(a_web_pod(), a_budget("web", selects=WEB, allowed=0), since=since)

    assert judged(cluster) == ([("pdb", expected, Confidence.LIKELY)] if expected else [])


def test_warn_after_and_fail_after_set_when_a_drain_is_told() -> None:
    cluster = a_drain(a_web_pod(), a_budget("web", selects=WEB, allowed=0))
    early = node_terminating_stuck(cluster, warn_after=timedelta(minutes=9))
    bad = node_terminating_stuck(cluster, warn_after=timedelta(minutes=1), fail_after=timedelta(minutes=9))

    assert ([entry.severity for entry in early], [entry.severity for entry in bad]) == ([LOW], [HIGH])


@pytest.mark.parametrize(
    ("since", "expected"),
    [
        ("59m", []),
        ("61m", [("pod-do-not-disrupt", LOW)]),
        ("3h4m", [("pod-do-not-disrupt", LOW)]),
        ("3h5m", [("not-forced", HIGH)]),
    ],
)
def test_what_has_a_forced_end_is_not_stuck_before_that_has_passed(since: str, expected: list[tuple[str, Severity]]) -> None:
    assert [entry[:2] for entry in judged(a_drain(pinned(), since=since, grace="3h"))] == expected


def test_the_forced_end_is_said() -> None:
    (ahead,), (passed,) = found(a_drain(pinned(), since="2h", grace="3h")), found(a_drain(pinned(), since="4h", grace="3h"))

    assert (ahead.message, ahead.why) == (
        'terminating for 2h: Pod shop/pinned is kept by karpenter.sh/do-not-disrupt: "true"',
        "Karpenter waits for the pod and never evicts it; its forced end is 13:00:00Z (in 1h)",
    )
    assert (passed.message, passed.fix[-2]) == ("terminating for 4h: Pod shop/pinned should have gone by force 1h ago", LOG)


@pytest.mark.parametrize("grace", ["", "1h"])
def test_a_pod_with_a_long_grace_drains_rightly(grace: str) -> None:
    worker = a_pod("worker", on="n1", deleted="-4h", grace=21600, age="29h")

    assert found(a_drain(worker, since="2h", grace=grace)) == []


def test_while_a_pod_takes_its_time_another_that_waits_for_eviction_is_not_stuck() -> None:
    worker = a_pod("worker", on="n1", deleted="-4h", grace=21600, age="29h")

    assert found(a_drain(worker, a_pod("app", on="n1", age="29h"), since="2h")) == []


def test_a_pod_that_takes_its_time_hides_none_that_never_leaves() -> None:
    worker = a_pod("worker", on="n1", deleted="-4h", grace=21600, age="29h")

    assert judged(a_drain(worker, pinned())) == [("pod-do-not-disrupt", HIGH, Confidence.CERTAIN)]


@pytest.mark.parametrize("since", ["3m", "14m"])
def test_that_a_drain_fails_for_a_while_is_normal(since: str) -> None:
    said = an_event(
        "FailedDraining",
        "Failed to drain node, 6 pods are waiting to be evicted",
        about=InvolvedObject("Node", "", "n1"),
        first=since,
        times=40,
    )

    assert found(a_drain(said, a_pod("app", on="n1", age="29h"), since=since)) == []


def test_pods_that_nothing_keeps_and_that_are_never_evicted_are_karpenters_own_failing() -> None:
    cluster = a_drain(a_pod("a", on="n1", age="29h"), a_pod("b", on="n1", age="29h"), since="70m")
    (finding,) = found(cluster)

    assert finding.blames == ()
    assert (finding.cause, finding.severity, finding.confidence, finding.message, finding.fix) == (
        "pods",
        HIGH,
        Confidence.LIKELY,
        "terminating for 1h10m: Pod shop/a and 1 more are not evicted, and nothing that was seen keeps them",
        (LOG, VERIFY),
    )


LOGS = a_daemonset("logs", tolerations=())


@pytest.mark.parametrize(
    "things",
    [
        (LOGS, a_pod("logs-1", on="n1", of=LOGS)),
        (a_pod("young", on="n1", age="1m"),),
        (a_web_pod(), a_budget("web", selects=WEB, allowed=1)),
    ],
    ids=["a later wave", "a pod that came later", "a budget that allows one by one"],
)
def test_pods_of_which_the_turn_may_just_have_come_are_told_low(things: tuple[Thing, ...]) -> None:
    assert judged(a_drain(*things, since="50m")) == []
    assert judged(a_drain(*things, since="2h")) == [("pods", LOW, Confidence.POSSIBLE)]


def test_what_waits_for_its_wave_is_not_what_holds_the_node() -> None:
    critical = a_pod("dns", on="n1", priority_class="system-cluster-critical", age="29h")

    (finding,) = found(a_drain(critical, a_pod("app", on="n1", age="29h"), since="2h"))

    assert finding.message == "terminating for 2h: Pod shop/app is not evicted, and nothing that was seen keeps it"


@pytest.mark.parametrize(("since", "expected"), [("50m", []), ("9h", [("pod-do-not-disrupt", LOW, Confidence.CERTAIN)])])
def test_a_jobs_pod_that_asks_not_to_be_disturbed_is_by_design(since: str, expected: list[object]) -> None:
    assert judged(a_drain(owned(pinned(), "Job", "batch/v1"), since=since)) == expected


@pytest.mark.parametrize(
    "pod", [a_pod("build", on="n1", do_not_disrupt="true", age="29h"), owned(pinned(), "EphemeralRunner", "v1")]
)
@pytest.mark.parametrize(("since", "expected"), [("50m", []), ("9h", [LOW]), ("25h", [HIGH])])
def test_a_pod_that_may_finish_by_itself_has_a_day(pod: PodObject, since: str, expected: list[Severity]) -> None:
    assert [finding.severity for finding in found(a_drain(pod, since=since))] == expected
    assert not any("never ends" in finding.message for finding in found(a_drain(pod, since=since)))


@pytest.mark.parametrize(("since", "expected"), [("50m", []), ("9h", [("pod-do-not-disrupt", LOW, Confidence.CERTAIN)])])
def test_a_pod_that_asks_not_to_be_disturbed_for_a_time_is_by_design(since: str, expected: list[object]) -> None:
    assert judged(a_drain(pinned(value="48h"), since=since)) == expected


@pytest.mark.parametrize(
    "pod",
    [
        owned(pinned("static"), "Node", "v1"),
        a_pod("everywhere", on="n1", do_not_disrupt="true", tolerations=["*"]),
        a_pod("finished", on="n1", do_not_disrupt="true", phase="Succeeded"),
        a_pod("crashed", on="n1", do_not_disrupt="true", phase="Failed"),
    ],
    ids=lambda pod: pod.metadata.name,
)
def test_pods_that_no_drain_waits_for_hold_nothing(pod: PodObject) -> None:
    assert judged(a_drain(pod)) == []
    assert judged(a_drain(pod, since="2h")) == [("unknown", LOW, Confidence.POSSIBLE)]


def test_a_drain_that_was_not_gone_on_with_may_just_be_over() -> None:
    (finding,) = found(a_drain(since="2h"))

    assert finding.message == "terminating for 2h: no pod is left that its drain waits for, and Karpenter has not gone on"


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ((step("Drained", "True", "10m"), step("VolumesDetached", "Unknown", "10m")), []),
        ((step("Drained", "True", "50m"), step("VolumesDetached", "Unknown", "50m")), [("volumes", LOW)]),
        ((step("Drained", "True", "70m"), step("VolumesDetached", "Unknown", "70m")), [("volumes", HIGH)]),
        ((step("InstanceTerminating", "True", "10m"),), []),
        ((step("InstanceTerminating", "True", "20m"),), [("instance", LOW)]),
        ((step("InstanceTerminating", "True", "70m"),), [("instance", HIGH)]),
    ],
)
def test_each_phase_has_its_own_time(conditions: tuple[Condition, ...], expected: list[tuple[str, Severity]]) -> None:
    assert [entry[:2] for entry in judged(past_drain(*conditions))] == expected


AWAITING = (step("Drained", "True", "70m"), step("VolumesDetached", "Unknown", "70m"))


def test_a_wait_for_volumes_names_them_and_those_that_it_does_not_wait_for() -> None:
    agent = a_pod("agent", on="n1", tolerations=["*"], claims=["cache"])
    cluster = that_waits_for(
        agent,
        a_claim("cache", volume="pv-2"),
        a_volume("pv-1", claim="data"),
        a_volume("pv-2"),
        an_attachment("pv-1", deleted="40m", error="rpc error: code = Internal desc = busy"),
        an_attachment("pv-2"),
        an_attachment("pv-3", on="n9"),
    )
    (finding,) = found(cluster)

    assert (finding.message, finding.why, finding.fix[0].command) == (
        "terminating for 2h: it is drained, and waits for volumes to be detached: PersistentVolume pv-1 (PersistentVolumeClaim shop/data)",
        (
            "Karpenter waits until the VolumeAttachments of its pods are gone; VolumeAttachment csi-pv-1 is being deleted since "
            '11:20:00Z (40m ago); ebs.csi.aws.com says of csi-pv-1: "rpc error: code = Internal desc = busy"; '
            "1 other of pods that are not drained, which it does not wait for; no terminationGracePeriod, so nothing forces it"
        ),
        "kubectl describe volumeattachment csi-pv-1",
    )


def test_a_wait_for_volumes_that_nobody_detaches_says_so() -> None:
    (finding,) = found(that_waits_for(an_attachment("pv-1")))

    assert "; nobody has asked to detach them yet" in finding.why


def test_a_wait_for_volumes_of_which_none_is_left_says_so() -> None:
    (finding,) = found(that_waits_for())

    assert "; none of them was seen, so that the last may just have gone; " in finding.why


def test_which_volumes_are_waited_for_is_not_known_without_claims() -> None:
    cluster = that_waits_for(an_attachment("pv-1"), missing={Kind.PERSISTENTVOLUMECLAIM: Status.FORBIDDEN})
    (finding,) = found(cluster)

    assert "so not waited for, is not known: PersistentVolumeClaim is forbidden" in finding.why


def that_waits_for(*volumes: Thing, missing: Mapping[Kind, Status] | None = None) -> Snapshot:
    """A node that is drained and waits for volumes, for more than an hour."""
    return a_cluster(
        a_node("n1", deleted="2h", age="30h"),
        a_nodeclaim(deleted="2h", termination_grace_period="", conditions=AWAITING),
        *volumes,
        missing=missing,
    )


def test_a_wait_for_volumes_says_where_they_are_not_read() -> None:
    (finding,) = found(that_waits_for(missing={Kind.VOLUMEATTACHMENT: Status.FORBIDDEN}))

    assert (finding.message, finding.why, finding.fix[0].command) == (
        "terminating for 2h: it is drained, and waits for volumes to be detached",
        "Karpenter waits until the VolumeAttachments of its pods are gone; which ones is not known: VolumeAttachment is forbidden; no terminationGracePeriod, so nothing forces it",
        "kubectl get volumeattachments",
    )


def test_a_wait_for_volumes_ends_by_force_and_that_for_the_instance_does_not() -> None:
    volumes = past_drain(step("Drained", "True", "100m"), step("VolumesDetached", "Unknown", "100m"), grace="24h")
    instance = past_drain(step("InstanceTerminating", "True", "100m"), grace="24h")

    assert [entry[:2] for cluster in (volumes, instance) for entry in judged(cluster)] == [("volumes", LOW), ("instance", HIGH)]


def test_an_instance_that_does_not_go_is_a_matter_of_the_cloud() -> None:
    (finding,) = found(past_drain(step("InstanceTerminating", "True", "70m")))

    assert (finding.why, finding.fix[0].command) == (
        "Karpenter asks the cloud until the instance is gone; what the cloud answers stands in Karpenter's log alone",
        "kubectl describe nodeclaim default-n1",
    )


def test_a_nodeclaim_without_node_stands_for_itself() -> None:
    claim = a_nodeclaim("c", node="", registered=False, initialized=False, deleted="70m", finalizers=["karpenter.sh/termination"])
    (finding,) = found(a_cluster(a_nodepool(), claim))

    assert (finding.object, finding.cause, finding.severity, finding.occurrences) == (
        Ref("NodeClaim", "c", "karpenter.sh/v1"),
        "never-registered",
        HIGH,
        (Occurrence(Ref("NodeClaim", "c", "karpenter.sh/v1"), claim.metadata.uid, "", "never_registered", ago("70m")),),
    )


def test_somebody_elses_finalizer_is_named() -> None:
    claim = a_nodeclaim("c", node="", deleted="70m", finalizers=["example.com/backup"])
    (finding,) = found(a_cluster(a_nodepool(), claim))

    assert (finding.cause, finding.message, finding.evidence[1], finding.fix[0].text) == (
        "finalizer",
        "terminating for 1h10m: example.com/backup holds it; Karpenter has done its part",
        Evidence(Ref("NodeClaim", "c", "karpenter.sh/v1"), "metadata.finalizers", "example.com/backup"),
        "see why whoever set example.com/backup does not take it away",
    )


@pytest.mark.parametrize(("node", "claim"), [("70m", ""), ("", "70m")])
def test_karpenter_that_deletes_but_one_of_both_has_not_begun(node: str, claim: str) -> None:
    cluster = a_cluster(a_node("n1", deleted=node), a_nodeclaim(deleted=claim), pinned())

    assert judged(cluster) == [("not-begun", HIGH, Confidence.CERTAIN)]
    assert found(cluster)[0].fix == (LOG, VERIFY)


def test_a_node_whose_nodeclaim_is_gone_is_judged_by_its_pods() -> None:
    node = a_node("n1", pool="", finalizers=["karpenter.sh/termination"], deleted="10m")
    (finding,) = found(a_cluster(node, pinned()))

    assert (finding.cause, finding.owner, finding.nodepool) == ("pod-do-not-disrupt", NODE, "")


def test_a_node_that_is_not_karpenters_is_not_judged() -> None:
    assert found(a_cluster(a_node("n1", pool="", finalizers=["example.com/theirs"], deleted="2h"), pinned())) == []


def test_a_pod_that_never_leaves_holds_its_node_though_its_wave_has_not_come() -> None:
    dns = a_pod("dns", on="n1", priority_class="system-cluster-critical", do_not_disrupt="true", age="29h")
    dns = owned(dns, "StatefulSet", "apps/v1")
    (finding,) = found(a_drain(dns, a_pod("app", on="n1", age="29h", deleted="-20s")))

    assert (finding.severity, finding.fix[0].command) == (
        HIGH,
        "kubectl annotate pod -n shop dns karpenter.sh/do-not-disrupt-",
    )


def test_pods_that_were_not_seen_are_not_absent() -> None:
    missing = {Kind.POD: Status.FORBIDDEN}
    (finding,) = found(a_drain(since="2h", missing=missing))

    assert (finding.cause, finding.severity, finding.confidence, finding.message) == (
        "unknown",
        LOW,
        Confidence.POSSIBLE,
        "terminating for 2h: what it waits for is not known: Pod is forbidden",
    )
    assert found(a_drain(since="50m", missing=missing)) == []


def test_without_budgets_a_pod_that_nothing_else_keeps_may_be_kept_by_one() -> None:
    (finding,) = found(a_drain(a_web_pod(), since="2h", missing={Kind.PODDISRUPTIONBUDGET: Status.FAILED}))

    assert (finding.cause, finding.severity) == ("unknown", LOW)


def test_a_pod_that_was_seen_counts_though_budgets_were_not() -> None:
    (finding,) = found(a_drain(pinned(), missing={Kind.PODDISRUPTIONBUDGET: Status.FAILED}))

    assert (finding.severity, finding.why) == (
        HIGH,
        "Karpenter waits for the pod and never evicts it; no terminationGracePeriod, so nothing forces it; more may hold it: PodDisruptionBudget is failed",
    )


def test_before_1_6_nothing_tells_what_follows_the_drain() -> None:
    cluster = a_cluster(a_node("n1", deleted="2h"), a_nodeclaim(deleted="2h", termination_grace_period=""), version=Version(1, 5))

    assert judged(cluster) == [("unknown", LOW, Confidence.POSSIBLE)]


def test_nodes_of_one_nodepool_and_one_cause_are_one_finding() -> None:
    cluster = a_drain(
        a_node("n2", deleted="20m"),
        a_nodeclaim(node="n2", deleted="20m", termination_grace_period=""),
        pinned(),
        owned(a_pod("other", on="n2", do_not_disrupt="true"), "ReplicaSet", "apps/v1"),
    )
    (finding,) = found(cluster)

    assert (finding.object, finding.message, finding.impact, [entry.node for entry in finding.occurrences], finding.blames) == (
        POOL,
        '2 nodes terminating, n2 for 20m, and never ends: Pod shop/other is kept by karpenter.sh/do-not-disrupt: "true"',
        Impact(nodes=2, pods=2),
        ["n2", "n1"],
        (Blame(Ref("ReplicaSet", "owner", "apps/v1", "shop")), Blame(Ref("StatefulSet", "owner", "apps/v1", "shop"))),
    )


def test_pods_that_different_things_keep_are_told_by_the_first_cause() -> None:
    cluster = a_drain(pinned(), pinned("too"), a_web_pod(), a_budget("web", selects=WEB, allowed=0, max_unavailable=0))
    (finding,) = found(cluster)

    assert finding.message == (
        'terminating for 10m, and never ends: Pod shop/pinned and 1 more are kept by karpenter.sh/do-not-disrupt: "true"; '
        "1 pod more by others"
    )


def test_a_forced_end_that_is_no_time_forces_nothing() -> None:
    claim = a_nodeclaim(deleted="10m", termination_grace_period="1h", conditions=[step("Drained", "Unknown", "10m")])
    annotations = replace(claim.metadata.annotations, termination_timestamp="soon")
    claim = replace(claim, metadata=replace(claim.metadata, annotations=annotations))
    (finding,) = found(a_cluster(a_node("n1", deleted="10m"), claim, pinned()))

    assert finding.why.endswith("its annotation karpenter.sh/nodeclaim-termination-timestamp is no time, so nothing forces it")


def test_a_node_that_expired_and_hangs_is_one_story() -> None:
    claim = a_nodeclaim(age="24h10m", expire_after="24h", deleted="10m", termination_grace_period="")
    cluster = a_cluster(a_node("n1", age="24h10m", deleted="10m"), claim, pinned())
    stuck, death = scan(cluster, [node_terminating_stuck, node_ttl_death]).results

    assert (stuck.rule.slug, stuck.caused_by, death.caused_by) == ("node-terminating-stuck", (), (stuck.fingerprint,))


def test_nodes_of_no_nodepool_stand_for_themselves() -> None:
    claims = [a_nodeclaim(name, node="", pool="", registered=False, deleted="2h") for name in ("by-hand", "by-another-hand")]

    assert [(finding.owner.name, finding.nodepool) for finding in found(a_cluster(*claims))] == [
        ("by-another-hand", ""),
        ("by-hand", ""),
    ]


def test_a_node_that_is_not_in_what_was_read_need_not_be_gone() -> None:
    claim = a_nodeclaim(deleted="2h", termination_grace_period="", node="n1")
    (finding,) = found(a_cluster(claim, missing={Kind.NODE: Status.PARTIAL}))

    assert (finding.cause, finding.severity, finding.confidence, finding.message) == (
        "unknown",
        LOW,
        Confidence.POSSIBLE,
        "terminating for 2h: what it waits for is not known: Node is partial",
    )
