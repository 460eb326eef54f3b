from collections.abc import Callable, Iterable

import pytest

from karpenter_check.finding import Ref, Severity
from karpenter_check.scan import Outcome, Report, Result

Recorded = Callable[[str], Report]
Row = tuple[Severity, str, Ref, str, str]


def rows(results: Iterable[Result]) -> list[Row]:
    """Severity, rule, object, NodePool and cause of each."""
    return [
        (result.severity, result.rule.slug, result.finding.object, result.finding.nodepool, str(result.finding.cause))
        for result in results
    ]


def the_result(report: Report, slug: str, owner: Ref) -> Result:
    (result,) = (entry for entry in report.results if (entry.rule.slug, entry.finding.owner) == (slug, owner))
    return result


def a_node(name: str) -> Ref:
    return Ref("Node", name, "v1")


def a_daemonset(namespace: str, name: str) -> Ref:
    return Ref("DaemonSet", name, "apps/v1", namespace)


def a_deployment(name: str) -> Ref:
    return Ref("Deployment", name, "apps/v1", "shop")


def a_nodepool(name: str) -> Ref:
    return Ref("NodePool", name, "karpenter.sh/v1")


GHOST = Ref("Pod", "ghost-scheduled", "v1", "shop")
IDLE = a_node("kwok-idle-d6jxr-robinhickory-13-9vco9iaj4g-2548200232")
SHORTLIVED = a_node("kwok-shortlived-mr7gw-liftersapphire-3-5quxdtwbbv-4114980422")
DRIFTY = a_node("kwok-drifty-5qssm-minnowbloom-4-w1ffyskswv-786023437")
DB_PDB = Ref("PodDisruptionBudget", "db-pdb", "policy/v1", "data")
BINPACKING = a_daemonset("aws-k8s-system", "aws-node-binpacking-v2")
ZONE_AGENT = a_daemonset("observability", "zone-agent")
HEAVY = a_daemonset("observability", "node-agent-heavy")


@pytest.mark.parametrize("name", ["faults", "runaway", "healthy"])
def test_everything_in_a_recording_can_be_read_and_judged(recorded: Recorded, name: str) -> None:
    report = recorded(name)

    # the recorded Karpenter runs outside of its cluster, and there are no volumes
    judged = [run for run in report.runs if not (run.unprovable or run.lacks_only_optional)]
    assert (report.snapshot.errors, {run.outcome for run in judged} - {Outcome.PASSED, Outcome.FAILED}, report.incomplete) == (
        (),
        set(),
        False,
    )


@pytest.mark.parametrize("name", ["faults", "runaway"])
def test_no_two_findings_share_a_fingerprint(recorded: Recorded, name: str) -> None:
    report = recorded(name)

    assert len({result.fingerprint for result in report.results}) == len(report.results)


def test_a_healthy_cluster_has_nothing_to_say(recorded: Recorded) -> None:
    assert rows(recorded("healthy").results) == []


def test_every_fault_is_found_and_nothing_else(recorded: Recorded) -> None:
    assert rows(recorded("faults").results) == [
        (Severity.HIGH, "daemonset-nodepool-mismatch", BINPACKING, "general", "label:binpacking"),
        (Severity.HIGH, "do-not-disrupt-blocks", a_deployment("ephemeral-pinned"), "", "pod"),
        (Severity.HIGH, "node-reaping-nominated", IDLE, "idle", "other_scheduler"),
        (Severity.HIGH, "node-terminating-stuck", SHORTLIVED, "shortlived", "pod-do-not-disrupt"),
        (Severity.HIGH, "node-ttl-death", SHORTLIVED, "shortlived", "drain-hangs"),
        (
            Severity.HIGH,
            "nodeclaim-not-initialized",
            Ref("NodeClaim", "guarded-49qgt", "karpenter.sh/v1"),
            "guarded",
            "startup_taint:agent.example.com/not-ready",
        ),
        (Severity.HIGH, "nodeclass-not-ready", Ref("KWOKNodeClass", "missing", "karpenter.kwok.sh/v1alpha1"), "broken", "missing"),
        (Severity.HIGH, "nodepool-limit-reached", a_nodepool("tiny"), "tiny", "pods-wait"),
        (Severity.HIGH, "nodepool-not-ready", a_nodepool("broken"), "broken", "NodeClassReady"),
        (Severity.HIGH, "nominated-pod-failure", GHOST, "idle", "other_scheduler"),
        (Severity.HIGH, "nominated-pod-failure", a_deployment("guarded-app"), "guarded", "not_initialized"),
        (Severity.HIGH, "pod-fits-no-nodepool", a_deployment("broken-app"), "", "mixed"),
        (Severity.HIGH, "pod-fits-no-nodepool", a_deployment("huge"), "", "mixed"),
        (Severity.HIGH, "pod-fits-no-nodepool", a_deployment("tiny-app"), "", "mixed"),
        (Severity.HIGH, "pod-fits-no-nodepool", a_deployment("typo"), "", "label:workload-class"),
        (Severity.HIGH, "pod-fits-no-nodepool", a_deployment("windowsy"), "", "label:kubernetes.io/os"),
        (Severity.HIGH, "pod-fits-no-nodepool", a_deployment("wrongzone"), "", "unproven"),
        (Severity.HIGH, "pod-ignored-by-karpenter", a_deployment("legacy"), "", "label:karpenter.sh/provisioner-name"),
        (Severity.MEDIUM, "do-not-disrupt-blocks", a_deployment("drifty-app"), "", "pod"),
        (Severity.MEDIUM, "legacy-vocabulary", a_deployment("legacy"), "", "do-not-evict"),
        (Severity.MEDIUM, "legacy-vocabulary", a_deployment("legacy"), "", "provisioner-name"),
        (Severity.MEDIUM, "node-expiry-herd", a_deployment("ephemeral"), "shortlived", "replicas"),
        (Severity.MEDIUM, "node-reaping-blocked", DRIFTY, "drifty", "do_not_disrupt_pod"),
        (Severity.MEDIUM, "pod-multiple-pdbs", a_deployment("web"), "", "multiple-pdbs"),
        (Severity.MEDIUM, "startup-taint-unremovable", a_nodepool("guarded"), "guarded", "no_remover:agent.example.com/not-ready"),
        (Severity.MEDIUM, "termination-grace-trap", a_nodepool("shortlived"), "shortlived", "endless-drain"),
        (Severity.LOW, "daemonset-overhead-wasted", ZONE_AGENT, "batch-spot", "counted-not-running"),
        (Severity.LOW, "daemonset-overhead-wasted", ZONE_AGENT, "frozen", "counted-not-running"),
        (Severity.LOW, "daemonset-overhead-wasted", ZONE_AGENT, "idle", "counted-not-running"),
        (Severity.LOW, "daemonset-overhead-wasted", ZONE_AGENT, "tiny", "counted-not-running"),
        (Severity.LOW, "nodepool-without-limits", a_nodepool("arm"), "arm", "no-limits"),
        (Severity.LOW, "nodepool-without-limits", a_nodepool("batch-spot"), "batch-spot", "no-limits"),
        (Severity.LOW, "nodepool-without-limits", a_nodepool("broken"), "broken", "no-limits"),
        (Severity.LOW, "nodepool-without-limits", a_nodepool("drifty"), "drifty", "no-limits"),
        (Severity.LOW, "nodepool-without-limits", a_nodepool("frozen"), "frozen", "no-limits"),
        (Severity.LOW, "nodepool-without-limits", a_nodepool("gpu"), "gpu", "no-limits"),
        (Severity.LOW, "nodepool-without-limits", a_nodepool("guarded"), "guarded", "no-limits"),
        (Severity.LOW, "nodepool-without-limits", a_nodepool("idle"), "idle", "no-limits"),
        (Severity.LOW, "nodepool-without-limits", a_nodepool("nominal"), "nominal", "no-limits"),
        (Severity.LOW, "nodepool-without-limits", a_nodepool("shortlived"), "shortlived", "no-limits"),
        (Severity.LOW, "nodepool-without-limits", a_nodepool("slowboot"), "slowboot", "no-limits"),
        (Severity.LOW, "pdb-blocks-drain", DB_PDB, "", "max-unavailable-zero"),
        (Severity.LOW, "pod-without-requests", a_nodepool("general"), "general", "both"),
        (Severity.LOW, "termination-grace-trap", a_nodepool("batch-spot"), "batch-spot", "endless-drain"),
        (Severity.LOW, "termination-grace-trap", a_nodepool("drifty"), "drifty", "endless-drain"),
        (Severity.LOW, "termination-grace-trap", a_nodepool("general"), "general", "endless-drain"),
        (Severity.INFO, "workload-on-one-node", a_deployment("api"), "general", "one-node"),
        (Severity.INFO, "workload-on-one-node", a_deployment("norequests"), "general", "one-node"),
    ]


def test_the_daemonset_that_waits_for_a_node_labelled_by_hand_names_the_hand(recorded: Recorded) -> None:
    finding = the_result(recorded("faults"), "daemonset-nodepool-mismatch", BINPACKING).finding

    assert (finding.message, finding.why, finding.cost) == (
        "Karpenter sizes general's nodes without aws-node-binpacking-v2; it is Pending for 1 of 2",
        'selects binpacking=v2; NodePool general declares no such label; on the nodes it was written by "kubectl-label"',
        "1500m cpu a node, 19% of 7900m allocatable; planned 7770m, needed 9270m",
    )


def test_the_node_that_drains_for_ever_names_the_pod_that_holds_it(recorded: Recorded) -> None:
    finding = the_result(recorded("faults"), "node-ttl-death", Ref("NodePool", "shortlived", "karpenter.sh/v1")).finding

    assert (finding.message, finding.why, finding.cost, finding.fix[0].command) == (
        "terminating since its expireAfter 3m ran out 14m48s ago; the drain hangs on 1 pod",
        'Pod shop/ephemeral-pinned-667644f5f-w4qzb is kept by karpenter.sh/do-not-disrupt: "true"; no terminationGracePeriod, so it drains for ever',
        "2 pods evicted by force, 1 still there",
        "kubectl delete pod -n shop ephemeral-pinned-667644f5f-w4qzb",
    )


def test_the_replicas_that_expire_together_are_counted(recorded: Recorded) -> None:
    finding = the_result(recorded("faults"), "node-expiry-herd", a_deployment("ephemeral")).finding

    assert (finding.message, finding.why) == (
        "all 2 replicas of ephemeral are on one node that expires in 18s",
        "one NodeClaim of shortlived holds them all; its expireAfter is 3m",
    )


def test_the_pod_whose_scheduler_answers_nothing_explains_the_node_that_it_holds(recorded: Recorded) -> None:
    report = recorded("faults")
    pod = the_result(report, "nominated-pod-failure", GHOST)
    node = the_result(report, "node-reaping-nominated", Ref("NodePool", "idle", "karpenter.sh/v1"))

    assert (pod.finding.why, node.caused_by, node.finding.message) == (
        'its schedulerName "batch-scheduler" answers nothing: no pod of it is bound anywhere',
        (pod.fingerprint,),
        "should be gone as Empty; kept for 15m6s by the nomination of Pod shop/ghost-scheduled",
    )


def test_the_pod_that_waits_for_a_node_with_a_startup_taint_names_the_taint(recorded: Recorded) -> None:
    finding = the_result(recorded("faults"), "nominated-pod-failure", a_deployment("guarded-app")).finding

    assert (finding.message, finding.why) == (
        "waits for guarded-49qgt since its nomination 17m4s ago: the node was never initialized",
        'NodeClaim guarded-49qgt was never initialized: StartupTaint "agent.example.com/not-ready:NoSchedule" still exists',
    )


def test_the_pods_that_fit_no_nodepool_name_each_its_own_reason(recorded: Recorded) -> None:
    told = {
        result.finding.owner.name: (result.finding.message, [str(blame.object) for blame in result.finding.blames])
        for result in recorded("faults").results
        if result.rule.slug == "pod-fits-no-nodepool"
    }

    assert told == {
        "broken-app": ("none of 13 NodePools takes it", ["NodePool broken"]),
        "huge": ("none of 13 NodePools takes it", []),
        "tiny-app": ("none of 13 NodePools takes it", ["NodePool tiny"]),
        "typo": ("no NodePool offers workload-class In [web]", []),
        "windowsy": ("no NodePool offers kubernetes.io/os In [windows]", []),
        "wrongzone": ("Karpenter finds no instance type for it; the NodePools alone do not prove why (not proven)", []),
    }


@pytest.mark.parametrize(
    ("app", "causes"),
    [("broken-app", ["nodepool-not-ready", "nodeclass-not-ready"]), ("tiny-app", ["nodepool-limit-reached"]), ("huge", [])],
)
def test_what_keeps_a_nodepool_from_buying_explains_the_pods_that_wait_for_it(
    recorded: Recorded, app: str, causes: list[str]
) -> None:
    report = recorded("faults")
    by_fingerprint = {result.fingerprint: result for result in report.results}
    result, chain = the_result(report, "pod-fits-no-nodepool", a_deployment(app)), []
    while result.caused_by:
        (cause,) = result.caused_by
        result = by_fingerprint[cause]
        chain.append(result.rule.slug)

    assert chain == causes


def test_the_daemonset_that_is_counted_everywhere_tells_what_it_costs(recorded: Recorded) -> None:
    found = [entry.finding for entry in recorded("faults").results if entry.rule.slug == "daemonset-overhead-wasted"]

    assert {finding.cost for finding in found} == {"20m cpu, 32Mi memory on each of 1 node"}


@pytest.mark.parametrize("name", ["faults", "runaway"])
@pytest.mark.parametrize(
    "right", [a_daemonset("observability", "log-agent"), a_daemonset("observability", "gpu-feature-discovery")], ids=str
)
def test_a_daemonset_that_is_right_is_in_no_finding(recorded: Recorded, name: str, right: Ref) -> None:
    results = recorded(name).results

    assert [result for result in results if right in {result.finding.object, result.finding.owner}] == []


def test_the_runaway_is_one_story_with_one_root(recorded: Recorded) -> None:
    report = recorded("runaway")
    root = the_result(report, "daemonset-nodepool-mismatch", HEAVY)
    symptom = the_result(report, "nominated-pod-failure", a_deployment("nominal-app"))

    assert (root.severity, root.finding.cause, root.caused_by) == (Severity.CRITICAL, "label:heavy", ())
    assert (symptom.severity, symptom.finding.cause, symptom.caused_by) == (Severity.HIGH, "preempted", (root.fingerprint,))


def test_the_root_of_the_runaway_names_the_label_its_writer_and_its_cost(recorded: Recorded) -> None:
    root = the_result(recorded("runaway"), "daemonset-nodepool-mismatch", HEAVY).finding

    assert (root.message, root.why, root.cost, len(root.occurrences), root.evidence[1].written_by) == (
        "Karpenter sizes nominal's nodes without node-agent-heavy; it runs on 56 of 56",
        'selects heavy=yes; NodePool nominal declares no such label; on the nodes it was written by "kubectl-label"',
        "600m cpu a node, 67% of 900m allocatable; planned 770m, needed 1370m",
        56,
        "kubectl-label",
    )


def test_the_symptom_of_the_runaway_counts_nodeclaims_and_preemptions(recorded: Recorded) -> None:
    symptom = the_result(recorded("runaway"), "nominated-pod-failure", a_deployment("nominal-app")).finding

    assert (symptom.message, symptom.impact.nodeclaims, symptom.impact.pods, len(symptom.occurrences)) == (
        "57 NodeClaims in 1m55s; landed 13 times, preempted 13 times by node-agent-heavy (system-node-critical)",
        57,
        13,
        13,
    )


def test_beside_the_runaway_only_what_was_done_to_the_cluster_is_found(recorded: Recorded) -> None:
    assert rows(recorded("runaway").results) == [
        (Severity.CRITICAL, "daemonset-nodepool-mismatch", HEAVY, "nominal", "label:heavy"),
        (Severity.HIGH, "daemonset-nodepool-mismatch", BINPACKING, "general", "label:binpacking"),
        (Severity.HIGH, "do-not-disrupt-blocks", a_deployment("ephemeral-pinned"), "", "pod"),
        (Severity.HIGH, "nominated-pod-failure", a_deployment("nominal-app"), "nominal", "preempted"),
        (Severity.MEDIUM, "do-not-disrupt-blocks", a_deployment("drifty-app"), "", "pod"),
        (Severity.MEDIUM, "legacy-vocabulary", a_deployment("legacy"), "", "do-not-evict"),
        (Severity.MEDIUM, "legacy-vocabulary", a_deployment("legacy"), "", "provisioner-name"),
        (Severity.MEDIUM, "node-expiry-herd", a_deployment("ephemeral"), "shortlived", "replicas"),
        (Severity.MEDIUM, "node-reaping-blocked", DRIFTY, "drifty", "do_not_disrupt_pod"),
        (Severity.MEDIUM, "pod-multiple-pdbs", a_deployment("web"), "", "multiple-pdbs"),
        (Severity.MEDIUM, "termination-grace-trap", a_nodepool("shortlived"), "shortlived", "endless-drain"),
        (Severity.LOW, "nodeclass-not-ready", Ref("KWOKNodeClass", "missing", "karpenter.kwok.sh/v1alpha1"), "broken", "missing"),
        (Severity.LOW, "nodepool-limit-reached", a_nodepool("tiny"), "tiny", "pods-wait"),
        (Severity.LOW, "nodepool-not-ready", a_nodepool("broken"), "broken", "NodeClassReady"),
        (Severity.LOW, "nodepool-without-limits", a_nodepool("arm"), "arm", "no-limits"),
        (Severity.LOW, "nodepool-without-limits", a_nodepool("batch-spot"), "batch-spot", "no-limits"),
        (Severity.LOW, "nodepool-without-limits", a_nodepool("broken"), "broken", "no-limits"),
        (Severity.LOW, "nodepool-without-limits", a_nodepool("drifty"), "drifty", "no-limits"),
        (Severity.LOW, "nodepool-without-limits", a_nodepool("frozen"), "frozen", "no-limits"),
        (Severity.LOW, "nodepool-without-limits", a_nodepool("gpu"), "gpu", "no-limits"),
        (Severity.LOW, "nodepool-without-limits", a_nodepool("guarded"), "guarded", "no-limits"),
        (Severity.LOW, "nodepool-without-limits", a_nodepool("idle"), "idle", "no-limits"),
        (Severity.LOW, "nodepool-without-limits", a_nodepool("nominal"), "nominal", "no-limits"),
        (Severity.LOW, "nodepool-without-limits", a_nodepool("shortlived"), "shortlived", "no-limits"),
        (Severity.LOW, "nodepool-without-limits", a_nodepool("slowboot"), "slowboot", "no-limits"),
        (Severity.LOW, "pdb-blocks-drain", DB_PDB, "", "max-unavailable-zero"),
        (Severity.LOW, "pod-fits-no-nodepool", a_deployment("broken-app"), "", "mixed"),
        (Severity.LOW, "pod-fits-no-nodepool", a_deployment("huge"), "", "mixed"),
        (Severity.LOW, "pod-fits-no-nodepool", a_deployment("tiny-app"), "", "mixed"),
        (Severity.LOW, "pod-fits-no-nodepool", a_deployment("typo"), "", "label:workload-class"),
        (Severity.LOW, "pod-fits-no-nodepool", a_deployment("windowsy"), "", "label:kubernetes.io/os"),
        (Severity.LOW, "pod-fits-no-nodepool", a_deployment("wrongzone"), "", "unproven"),
        (Severity.LOW, "pod-ignored-by-karpenter", a_deployment("legacy"), "", "label:karpenter.sh/provisioner-name"),
        (Severity.LOW, "pod-without-requests", a_nodepool("general"), "general", "both"),
        (Severity.LOW, "termination-grace-trap", a_nodepool("batch-spot"), "batch-spot", "endless-drain"),
        (Severity.LOW, "termination-grace-trap", a_nodepool("drifty"), "drifty", "endless-drain"),
        (Severity.LOW, "termination-grace-trap", a_nodepool("general"), "general", "endless-drain"),
        (Severity.INFO, "node-ttl-death", SHORTLIVED, "shortlived", "expired"),
    ]
