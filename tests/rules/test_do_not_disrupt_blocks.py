from datetime import timedelta

import msgspec
import pytest

from karpenter_check.finding import Confidence, Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity
from karpenter_check.rules.do_not_disrupt_blocks import do_not_disrupt_blocks
from karpenter_check.scan import Outcome, scan
from karpenter_check.snapshot import Kind, NodeClaim, Snapshot, Status, Version
from karpenter_check.snapshot.metadata import Condition, OwnerReference
from karpenter_check.snapshot.pod_object import PodObject
from tests.build import (
    Thing,
    a_cluster,
    a_daemonset,
    a_deployment,
    a_node,
    a_nodeclaim,
    a_nodepool,
    a_pod,
    a_statefulset,
    a_uid,
    ago,
)

WEB, LOGS = a_deployment("web"), a_daemonset("logs")
POOL = Ref("NodePool", "default", "karpenter.sh/v1")
V1_13 = Version(1, 13)
DRIFTED = Condition("Drifted", "True", "NodePoolDrifted", last_transition_time=ago("25m"))
CONSOLIDATABLE = Condition("Consolidatable", "True", "Consolidatable", last_transition_time=ago("20m"))
PATCH = """--type merge -p '{"spec":{"template":{"metadata":{"annotations":{"karpenter.sh/do-not-disrupt":null}}}}}'"""
GRACE_PERIOD = Fix("fix", text="a terminationGracePeriod in the NodePool's template ends such drains, of nodes made from then on")


def found(*things: Thing, version: Version | None = V1_13) -> list[Finding]:
    return list(do_not_disrupt_blocks(a_cluster(*things, version=version)))


def judged(*things: Thing, version: Version | None = V1_13) -> list[tuple[str, Severity | None]]:
    return [(finding.cause, finding.severity) for finding in found(*things, version=version)]


def messages(*things: Thing) -> list[str]:
    return [finding.message for finding in found(*things)]


def pinned(
    name: str = "web-1", *, on: str = "n1", says: str = "true", age: str = "50m", phase: str = "", deleted: str = ""
) -> PodObject:
    return a_pod(name, on=on, of=WEB, do_not_disrupt=says, age=age, phase=phase, deleted=deleted)


def owned_by(pod: PodObject, kind: str, name: str, api_version: str) -> PodObject:
    owners = (OwnerReference(kind, name, a_uid(kind, name), api_version, controller=True),)
    return msgspec.structs.replace(pod, metadata=msgspec.structs.replace(pod.metadata, owner_references=owners))


def of_a_job(*, age: str = "50m", says: str = "true") -> PodObject:
    return owned_by(a_pod("train-1", on="n1", do_not_disrupt=says, age=age), "Job", "train", "batch/v1")


def terminating(*, grace: str = "", age: str = "200h", deleted: str = "14m") -> NodeClaim:
    return a_nodeclaim(age=age, deleted=deleted, termination_grace_period=grace)


def drifted(node: str = "n1", *, grace: str = "", age: str = "200h") -> NodeClaim:
    return a_nodeclaim(node=node, age=age, conditions=[DRIFTED], termination_grace_period=grace)


def expiring(within: int, *, grace: str = "") -> NodeClaim:
    return a_nodeclaim(age=f"{720 - within}h", expire_after="720h", termination_grace_period=grace)


def test_a_pod_that_never_leaves_a_terminating_node_is_found() -> None:
    pod = Ref("Pod", "web-1", "v1", "shop")
    web = Ref("Deployment", "web", "apps/v1", "shop")
    claim = Ref("NodeClaim", "default-n1", "karpenter.sh/v1")

    assert found(WEB, a_node("n1", deleted="14m"), terminating(), pinned()) == [
        Finding(
            object=web,
            owner=web,
            cause="pod",
            severity=Severity.HIGH,
            message="shop/web says do-not-disrupt: its node has been terminating for 14m; nothing ends its drain by force",
            why='Pod shop/web-1 says karpenter.sh/do-not-disrupt: "true" on Node n1; '
            "a drain waits for such a pod, and Karpenter never evicts it",
            cost="a node that is paid for and takes no new pods, as long as that pod stays",
            impact=Impact(nodes=1, pods=1),
            evidence=(
                Evidence(pod, "metadata.annotations[karpenter.sh/do-not-disrupt]", "true"),
                Evidence(claim, "metadata.deletionTimestamp", "being deleted, and nothing ends its drain by force"),
            ),
            occurrences=(Occurrence(pod, a_uid("Pod", "web-1", "shop"), "n1", "terminating", ago("14m")),),
            since=ago("14m"),
            fix=(
                Fix(
                    "stop",
                    "kubectl annotate pod -n shop web-1 karpenter.sh/do-not-disrupt-",
                    "ask its owner first",
                    "Karpenter then evicts it",
                ),
                Fix(
                    "fix",
                    f"kubectl patch deployment -n shop web {PATCH}",
                    'if the template has it; with "4h" in place of null a pod is left alone so long after its start (Karpenter 1.12)',
                    "replaces the pods, now or as its strategy says",
                ),
                GRACE_PERIOD,
                Fix("verify", "karpenter-check scan --select do-not-disrupt-blocks -n shop"),
            ),
        )
    ]


def test_a_terminating_node_with_a_forced_end_is_less_bad() -> None:
    assert judged(WEB, a_node("n1", deleted="14m"), terminating(grace="24h"), pinned()) == [("pod", Severity.MEDIUM)]


def test_a_drifted_node_is_found() -> None:
    assert messages(WEB, a_node("n1"), drifted(), pinned()) == [
        "shop/web says do-not-disrupt: its node drifted 25m ago, and is not replaced"
    ]
    assert judged(WEB, a_node("n1"), drifted(), pinned()) == [("pod", Severity.MEDIUM)]


def test_with_a_termination_grace_period_drift_goes_on() -> None:
    assert judged(WEB, a_node("n1"), drifted(grace="24h"), pinned()) == []


def test_drift_of_a_moment_ago_is_not_judged_yet() -> None:
    just_now = Condition("Drifted", "True", "NodePoolDrifted", last_transition_time=ago("30s"))

    assert judged(WEB, a_node("n1"), a_nodeclaim(conditions=[just_now], termination_grace_period=""), pinned()) == []


@pytest.mark.parametrize(("within", "grace", "expected"), [(20, "", [("pod", Severity.HIGH)]), (100, "", [("pod", Severity.LOW)]), (200, "", []), (20, "24h", [])])  # fmt: skip
def test_a_node_that_expires_and_would_then_drain_for_ever(within: int, grace: str, expected: list[tuple[str, Severity]]) -> None:
    assert judged(WEB, a_node("n1"), expiring(within, grace=grace), pinned()) == expected


def test_an_expiry_says_when() -> None:
    assert messages(WEB, a_node("n1"), expiring(20), pinned()) == [
        "shop/web says do-not-disrupt: its node expires in 20h, and would then drain for ever"
    ]
    assert messages(WEB, a_node("n1"), expiring(-1), pinned()) == [
        "shop/web says do-not-disrupt: its node should have expired 1h ago, and would then drain for ever"
    ]


def test_pods_of_one_workload_are_one_finding() -> None:
    cluster = (
        WEB, a_node("n1"), a_node("n2"), a_node("n3"), drifted("n1"), drifted("n2"), a_nodeclaim(node="n3"),
        pinned("web-1"), pinned("web-2", on="n2"), pinned("web-3", on="n3"),
    )  # fmt: skip

    (finding,) = found(*cluster)

    assert finding.message == "2 pods of shop/web say do-not-disrupt: 2 nodes have drifted, the first 25m ago, and are not replaced"
    assert [entry.node for entry in finding.occurrences] == ["n1", "n2"]
    assert finding.fix[0].risk == "Karpenter may then evict it; 1 more like it"


def test_nodes_that_are_held_for_several_reasons_are_counted() -> None:
    cluster = (WEB, a_node("n1", deleted="14m"), a_node("n2"), terminating(), drifted("n2"), pinned(), pinned("web-2", on="n2"))
    (finding,) = found(*cluster)

    assert (finding.severity, finding.cost.partition("; ")[2]) == (Severity.HIGH, "1 terminating, 1 drifted")
    assert finding.message == (
        "2 pods of shop/web say do-not-disrupt: 1 of 2 nodes has been terminating for 14m; nothing ends its drain by force"
    )


def test_the_annotation_of_a_healthy_node_is_there_to_be_used() -> None:
    assert judged(WEB, a_node("n1"), a_nodeclaim(termination_grace_period=""), pinned()) == []


def test_an_under_used_node_is_kept_on_purpose() -> None:
    claim = a_nodeclaim(conditions=[CONSOLIDATABLE], termination_grace_period="")

    assert judged(WEB, a_node("n1"), claim, pinned()) == []


def test_weeks_on_a_healthy_node_may_be_forgotten() -> None:
    (finding,) = found(WEB, a_node("n1"), a_nodeclaim(age="400h"), pinned(age="360h"))

    assert (finding.cause, finding.severity) == ("forgotten", Severity.LOW)
    assert finding.message == "shop/web says do-not-disrupt: Karpenter neither consolidates nor replaces its node, for 15d by now"
    assert [step.step for step in finding.fix] == ["fix", "verify"]


def test_what_is_harmful_is_not_told_again_as_forgotten() -> None:
    cluster = (WEB, a_node("n1"), a_node("n2"), drifted(age="400h"), a_nodeclaim(node="n2", age="400h"))

    assert judged(*cluster, pinned(age="360h"), pinned("web-2", on="n2", age="360h")) == [("pod", Severity.MEDIUM)]


def test_a_node_that_nothing_would_disrupt_is_not_held() -> None:
    never = a_nodepool(consolidate_after="Never")

    assert judged(WEB, never, a_node("n1"), a_nodeclaim(age="400h"), pinned(age="360h")) == []


def test_a_node_that_says_it_itself_is_kept_even_from_drift() -> None:
    cluster = (a_nodepool(consolidate_after="Never"), a_node("n1", do_not_disrupt="true"), a_nodeclaim(age="400h"))

    assert judged(*cluster) == [("forgotten", Severity.LOW)]


def test_forgotten_after_is_a_setting() -> None:
    cluster = a_cluster(WEB, a_node("n1"), pinned(age="50m"))

    assert [finding.cause for finding in do_not_disrupt_blocks(cluster, forgotten_after=timedelta(minutes=40))] == ["forgotten"]


@pytest.mark.parametrize(("fail", "warn", "expected"), [(10, 168, [Severity.LOW]), (10, 15, []), (30, 15, [Severity.HIGH])])
def test_how_far_ahead_an_expiry_counts_is_a_setting(fail: int, warn: int, expected: list[Severity]) -> None:
    cluster = a_cluster(WEB, a_node("n1"), expiring(20), pinned())
    findings = do_not_disrupt_blocks(cluster, fail_within=timedelta(hours=fail), warn_within=timedelta(hours=warn))

    assert [finding.severity for finding in findings] == expected


def test_a_daemonset_keeps_every_node_that_it_runs_on() -> None:
    (finding,) = found(
        LOGS, a_node("n1"), a_node("n2"), *(a_pod(f"logs-{n}", on=f"n{n}", of=LOGS, do_not_disrupt="true") for n in (1, 2))
    )

    assert (finding.owner, finding.cause, finding.severity) == (
        Ref("DaemonSet", "logs", "apps/v1", "kube-system"),
        "daemonset",
        Severity.HIGH,
    )
    assert finding.message == "kube-system/logs's pods say do-not-disrupt: Karpenter consolidates no node that they run on, 2 now"


def test_without_a_termination_grace_period_a_daemonset_keeps_drifted_nodes_too() -> None:
    claim = a_nodeclaim(termination_grace_period="")

    assert messages(LOGS, a_node("n1"), claim, a_pod("logs-1", on="n1", of=LOGS, do_not_disrupt="true")) == [
        "kube-system/logs's pods say do-not-disrupt: Karpenter disrupts no node that they run on, 1 now"
    ]


def test_a_daemonset_that_tolerates_everything_does_not_hold_a_drain() -> None:
    logs = a_pod("logs-1", on="n1", of=LOGS, do_not_disrupt="true")

    assert judged(LOGS, a_node("n1", deleted="14m"), terminating(), logs) == []


def test_a_daemonset_with_a_time_lets_its_nodes_go_in_the_end() -> None:
    logs = a_pod("logs-1", on="n1", of=LOGS, do_not_disrupt="2h")

    assert judged(LOGS, a_node("n1"), a_nodeclaim(), logs) == []
    assert judged(LOGS, a_node("n1"), a_nodeclaim(conditions=[CONSOLIDATABLE]), logs) == [("daemonset", Severity.LOW)]


def test_a_static_pod_keeps_drifted_nodes_and_holds_no_drain() -> None:
    static = owned_by(a_pod("proxy-n1", on="n1", do_not_disrupt="true"), "Node", "n1", "v1")

    assert [(finding.owner, finding.nodepool) for finding in found(a_node("n1"), drifted(), static)] == [(POOL, "default")]
    assert judged(a_node("n1", deleted="14m"), terminating(), static) == []


def test_a_job_finishes_some_day() -> None:
    (finding,) = found(a_node("n1", deleted="14m"), terminating(), of_a_job())

    assert (finding.severity, finding.fix[0].text) == (Severity.LOW, "or wait: Jobs finish")
    assert judged(a_node("n1"), expiring(20), of_a_job()) == []


def test_a_job_that_has_held_a_node_for_very_long_is_no_excuse() -> None:
    assert judged(a_node("n1", deleted="30h"), terminating(deleted="30h"), of_a_job(age="40h")) == [("pod", Severity.HIGH)]
    assert judged(a_node("n1"), expiring(20), of_a_job(age="40h")) == [("pod", Severity.HIGH)]


def test_when_a_job_should_have_finished_is_a_setting() -> None:
    cluster = a_cluster(a_node("n1", deleted="14m"), terminating(), of_a_job())

    assert [entry.severity for entry in do_not_disrupt_blocks(cluster, finishes_within=timedelta(minutes=10))] == [Severity.HIGH]


def test_whether_a_bare_pod_finishes_is_not_known() -> None:
    bare = a_pod("runner", on="n1", do_not_disrupt="true")
    (finding,) = found(a_node("n1", deleted="14m"), terminating(), bare)

    assert (finding.severity, finding.object) == (Severity.MEDIUM, Ref("Pod", "runner", "v1", "shop"))
    assert [step.step for step in finding.fix] == ["fix", "fix", "verify"]


def test_a_statefulset_stays_for_ever_and_other_owners_are_named() -> None:
    stateful = a_statefulset("db")
    rollout = owned_by(a_pod("canary-1", on="n1", do_not_disrupt="true"), "CloneSet", "canary", "apps.kruise.io/v1alpha1")
    db = a_pod("db-0", on="n1", of=stateful, do_not_disrupt="true")

    assert judged(stateful, a_node("n1", deleted="14m"), terminating(), db) == [("pod", Severity.HIGH)]
    (finding,) = found(a_node("n1", deleted="14m"), terminating(), rollout)
    assert finding.fix[1] == Fix("fix", text="take the annotation out of what CloneSet shop/canary makes its pods from")


@pytest.mark.parametrize(
    ("says", "version", "expected"),
    [
        ("4h", V1_13, [Severity.LOW]),
        ("30m", V1_13, []),
        ("4h", Version(1, 9), []),
        ("1d", V1_13, []),
        ("8760h", V1_13, [Severity.HIGH]),
    ],
)
def test_a_time_passes(says: str, version: Version, expected: list[Severity]) -> None:
    node, claim = a_node("n1", deleted="14m"), terminating()

    assert [severity for _, severity in judged(WEB, node, claim, pinned(says=says), version=version)] == expected


def test_a_time_says_until_when() -> None:
    (finding,) = found(WEB, a_node("n1", deleted="14m"), terminating(), pinned(says="4h"))

    assert "until 2026-11-21 15:10Z" in finding.why


def test_a_time_that_passes_before_its_node_expires_does_no_harm() -> None:
    assert judged(WEB, a_node("n1"), expiring(20), pinned(says="4h")) == []


def test_a_time_of_an_unknown_version_may_hold() -> None:
    (finding,) = found(WEB, a_node("n1", deleted="14m"), terminating(), pinned(says="4h"), version=None)

    assert (finding.severity, finding.confidence) == (Severity.LOW, Confidence.POSSIBLE)
    assert "which version runs is not known" in finding.why


@pytest.mark.parametrize("pod", [pinned(phase="Succeeded"), pinned(deleted="10s"), pinned(age="20s"), pinned(says="True")])
def test_finished_deleted_and_new_pods_keep_nothing(pod: PodObject) -> None:
    assert judged(WEB, a_node("n1"), drifted(), pod) == []


def test_nodes_of_others_are_not_karpenters() -> None:
    assert judged(WEB, a_node("n1", pool=""), pinned(age="3000h")) == []


def test_a_node_that_says_it_is_not_replaced_whatever_its_grace() -> None:
    (finding,) = found(a_node("n1", do_not_disrupt="true"), drifted(grace="24h"))

    assert (finding.object, finding.owner, finding.cause, finding.severity) == (
        Ref("Node", "n1", "v1"),
        POOL,
        "node",
        Severity.MEDIUM,
    )
    assert finding.message == "n1 says do-not-disrupt: it drifted 25m ago, and is not replaced"
    assert finding.fix[0].command == "kubectl annotate node n1 karpenter.sh/do-not-disrupt-"


def test_an_empty_node_that_says_it_is_kept() -> None:
    claim = a_nodeclaim(conditions=[CONSOLIDATABLE])

    assert messages(a_node("n1", do_not_disrupt="true"), claim) == ["n1 says do-not-disrupt: it is empty and has been kept for 20m"]


def test_a_node_that_says_it_expires_and_is_deleted_all_the_same() -> None:
    assert judged(a_node("n1", do_not_disrupt="true"), expiring(20)) == [("forgotten", Severity.LOW)]
    assert judged(a_node("n1", do_not_disrupt="true", deleted="14m"), terminating()) == []


def test_since_when_a_node_says_it_is_not_known() -> None:
    (finding,) = found(a_node("n1", do_not_disrupt="true"), a_nodeclaim(age="400h"))

    assert (finding.cause, finding.severity, finding.confidence) == ("forgotten", Severity.LOW, Confidence.POSSIBLE)
    assert finding.message == "n1 says do-not-disrupt: Karpenter neither consolidates nor replaces it; it is 16d16h old"


def test_a_nodepools_template_keeps_all_of_its_nodes() -> None:
    pool = a_nodepool(do_not_disrupt="true")
    nodes = [a_node(name, do_not_disrupt="true") for name in ("n1", "n2")]
    (finding,) = found(pool, *nodes, drifted("n1"), a_nodeclaim(node="n2", age="400h", do_not_disrupt="true"))

    assert (finding.owner, finding.cause, finding.severity) == (POOL, "nodepool-template", Severity.MEDIUM)
    assert finding.message == "default's template says do-not-disrupt: 1 of 2 nodes drifted 25m ago, and is not replaced"
    assert [step.command for step in finding.fix] == [
        "kubectl annotate node -l karpenter.sh/nodepool=default karpenter.sh/do-not-disrupt-",
        f"kubectl patch nodepool default {PATCH}",
        "karpenter-check scan --select do-not-disrupt-blocks --nodepool default",
    ]


def test_a_template_of_young_nodes_is_a_choice() -> None:
    pool, node = a_nodepool(do_not_disrupt="true"), a_node("n1", do_not_disrupt="true")

    assert judged(pool, node, a_nodeclaim(do_not_disrupt="true")) == []
    assert judged(pool, node, a_nodeclaim(do_not_disrupt="true", age="400h")) == [("nodepool-template", Severity.LOW)]


@pytest.mark.parametrize("kind", [Kind.POD, Kind.NODE, Kind.NODECLAIM, Kind.NODEPOOL])
def test_without_what_it_needs_it_is_not_checked(kind: Kind) -> None:
    cluster: Snapshot = a_cluster(a_node("n1"), missing={kind: Status.FORBIDDEN})

    assert [run.outcome for run in scan(cluster, [do_not_disrupt_blocks]).runs] == [Outcome.SKIPPED]


def test_nodes_that_were_made_by_hand_stand_for_themselves() -> None:
    nodes = [
        a_node(
            name,
            pool="",
            do_not_disrupt="true",
            labels={"karpenter.sh/registered": "true", "karpenter.sh/initialized": "true"},
            age="900h",
        )
        for name in ("n1", "n2")
    ]
    claims = [a_nodeclaim(f"by-hand-{node.name}", node=node.name, pool="", expire_after="Never", age="900h") for node in nodes]

    assert [finding.owner.name for finding in found(*nodes, *claims)] == ["by-hand-n1", "by-hand-n2"]
