from collections.abc import Mapping, Sequence
from datetime import timedelta

import pytest
from msgspec.structs import replace

from karpenter_check.finding import Blame, Confidence, EventEvidence, Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity
from karpenter_check.rules.node_reaping_blocked import node_reaping_blocked
from karpenter_check.snapshot import Kind, Node, NodeClaim, Snapshot, Status, Version
from karpenter_check.snapshot.event import Event, InvolvedObject
from karpenter_check.snapshot.metadata import Condition, OwnerReference
from karpenter_check.snapshot.nodepool import Budget
from karpenter_check.snapshot.pod_object import PodObject
from tests.build import (
    Thing,
    a_budget,
    a_cluster,
    a_daemonset,
    a_deployment,
    a_node,
    a_nodeclaim,
    a_nodepool,
    a_pod,
    ago,
    an_event,
    nominated,
)

V = Version(1, 13)
POOL = Ref("NodePool", "default", "karpenter.sh/v1")
NODE = Ref("Node", "n1", "v1")
WEB = {"app": "web"}
NEVER = a_budget("web", selects=WEB, allowed=0, max_unavailable=0)
Told = list[tuple[str, Severity | None, Confidence]]


def drifted(age: str = "3h") -> Condition:
    return Condition("Drifted", "True", "NodePoolDrifted", last_transition_time=ago(age))


def consolidatable(age: str = "3h") -> Condition:
    return Condition("Consolidatable", "True", "Consolidatable", last_transition_time=ago(age))


def a_claim(node: str = "n1", *conditions: Condition, grace: str = "") -> NodeClaim:
    return a_nodeclaim(node=node, age="9h", termination_grace_period=grace, conditions=conditions or (drifted(),))


def a_web_pod(name: str = "web-1", *, on: str = "n1", says: str = "", age: str = "8h", ready: bool = True) -> PodObject:
    """A pod of Deployment web that takes up most of its node."""
    return a_pod(name, on=on, of=a_deployment("web"), labels=WEB, do_not_disrupt=says, age=age, cpu="3", memory="12Gi", ready=ready)


def a_job_pod(says: str = "true", age: str = "30h") -> PodObject:
    pod = a_pod("report-x", on="n1", do_not_disrupt=says, age=age, cpu="3", memory="12Gi")
    job = OwnerReference("Job", "report", "job-uid", "batch/v1", controller=True)
    return replace(pod, metadata=replace(pod.metadata, owner_references=(job,)))


def a_cluster_with(
    *things: Thing,
    claim: NodeClaim | None = None,
    version: Version | None = V,
    missing: Mapping[Kind, Status] | None = None,
) -> Snapshot:
    """Node `n1`, Drifted for 3 hours without a terminationGracePeriod unless `claim` or `things` say otherwise."""
    nodes = [] if any(thing.metadata.name == "n1" for thing in things if not isinstance(thing, Event)) else [a_node("n1")]
    pools = [] if any(thing.metadata.name == "default" for thing in things) else [a_nodepool()]
    return a_cluster(*pools, *nodes, claim or a_claim(), *things, version=version, missing=missing)


def found(cluster: Snapshot) -> list[Finding]:
    return list(node_reaping_blocked(cluster))


def told(cluster: Snapshot) -> Told:
    return [(finding.cause, finding.severity, finding.confidence) for finding in found(cluster)]


def said(message: str, *, last: str = "40s", about: str = "Node", name: str = "n1") -> Event:
    return an_event("DisruptionBlocked", message, about=InvolvedObject(about, name=name), first="2h", last=last, times=50)


def test_a_drifted_node_that_a_pod_of_a_deployment_keeps_is_found() -> None:
    web, pod = a_deployment("web"), a_web_pod(says="true")
    cluster = a_cluster_with(web, pod, said('Pod has "karpenter.sh/do-not-disrupt" annotation (Pod=shop/web-1)'))

    assert found(cluster) == [
        Finding(
            object=NODE,
            owner=POOL,
            nodepool="default",
            cause="do_not_disrupt_pod",
            severity=Severity.MEDIUM,
            message="should be gone as Drifted; kept for 3h by the do-not-disrupt of Pod shop/web-1",
            why='Pod shop/web-1 says karpenter.sh/do-not-disrupt: "true"; Karpenter leaves the node alone until somebody changes that',
            cost="node n1, Drifted: NodePoolDrifted since 09:00:00Z",
            impact=Impact(nodes=1, pods=1),
            evidence=(
                Evidence(
                    event=EventEvidence(
                        "DisruptionBlocked", 'Pod has "karpenter.sh/do-not-disrupt" annotation (Pod=shop/web-1)', 50, ago("40s")
                    )
                ),
                Evidence(NODE, "NodeClaim status.conditions", "Drifted: NodePoolDrifted"),
                Evidence(Ref("Pod", "web-1", "v1", "shop"), "metadata.annotations.karpenter.sh/do-not-disrupt", "true"),
            ),
            occurrences=(Occurrence(NODE, cluster.nodes[0].metadata.uid, "n1", "do_not_disrupt_pod", ago("3h")),),
            since=ago("3h"),
            fix=(
                Fix(
                    "fix",
                    "kubectl annotate pod -n shop web-1 karpenter.sh/do-not-disrupt-",
                    risk="it may be evicted then; its owner's template brings the annotation back with the next pod",
                ),
                Fix(
                    "fix",
                    text="or set a terminationGracePeriod in the NodePool's template: drift then asks neither pods nor PodDisruptionBudgets, of nodes made from then on",
                    risk="a change of the template drifts the NodePool's nodes",
                ),
                Fix("verify", "karpenter-check scan --select node-reaping-blocked --nodepool default"),
            ),
            blames=(Blame(Ref("Deployment", "web", "apps/v1", "shop")),),
        )
    ]


def test_a_node_that_nothing_keeps_is_fine() -> None:
    assert found(a_cluster_with(a_web_pod(), a_budget("web", selects=WEB))) == []


def test_a_node_that_nobody_wants_gone_may_be_kept() -> None:
    assert found(a_cluster_with(a_web_pod(says="true"), NEVER, claim=a_nodeclaim())) == []


def test_a_budget_that_never_allows_a_disruption_keeps_a_node_for_ever() -> None:
    (finding,) = found(a_cluster_with(a_web_pod(), NEVER, claim=a_claim("n1", drifted("2m"))))

    assert (finding.cause, finding.severity, finding.message, finding.blames) == (
        "pdb",
        Severity.MEDIUM,
        "should be gone as Drifted; kept for 2m by PodDisruptionBudget shop/web",
        (Blame(Ref("PodDisruptionBudget", "web", "policy/v1", "shop")),),
    )
    assert finding.evidence[-1] == Evidence(
        Ref("PodDisruptionBudget", "web", "policy/v1", "shop"), "status.disruptionsAllowed", "0"
    )


def test_two_budgets_that_match_a_pod_keep_its_node_for_ever() -> None:
    both = [a_budget(name, selects=WEB, age="5h") for name in ("web", "web-too")]
    (finding,) = found(a_cluster_with(a_deployment("web"), a_web_pod(), *both))

    assert (finding.cause, finding.severity, finding.confidence, finding.message, finding.blames) == (
        "multiple_pdbs",
        Severity.MEDIUM,
        Confidence.CERTAIN,
        "should be gone as Drifted; kept for 3h by PodDisruptionBudgets shop/web and shop/web-too together",
        (
            Blame(Ref("PodDisruptionBudget", "web", "policy/v1", "shop")),
            Blame(Ref("PodDisruptionBudget", "web-too", "policy/v1", "shop")),
            Blame(Ref("Deployment", "web", "apps/v1", "shop")),
        ),
    )


def test_a_budget_that_comes_while_another_one_goes_is_a_rollout() -> None:
    both = [a_budget("web", selects=WEB, age="5h"), a_budget("web-too", selects=WEB, age="30s")]

    assert found(a_cluster_with(a_web_pod(), *both)) == []


def test_of_an_unknown_version_several_budgets_are_only_possibly_minded() -> None:
    both = [a_budget(name, selects=WEB, age="5h") for name in ("web", "web-too")]

    assert told(a_cluster_with(a_web_pod(), *both, version=None)) == [("multiple_pdbs", Severity.MEDIUM, Confidence.POSSIBLE)]


def test_a_nodes_own_annotation_keeps_it_even_from_drift_with_a_grace_period() -> None:
    cluster = a_cluster_with(a_node("n1", do_not_disrupt="true"), a_web_pod(says="true"), claim=a_claim(grace="1h"))
    (finding,) = found(cluster)

    assert (finding.cause, finding.message, finding.fix[0].command, finding.blames) == (
        "do_not_disrupt_node",
        "should be gone as Drifted; kept for 3h by the do-not-disrupt of Node n1",
        "kubectl annotate node n1 karpenter.sh/do-not-disrupt-",
        (),
    )
    assert finding.evidence[-1] == Evidence(NODE, "metadata.annotations.karpenter.sh/do-not-disrupt", "true")


def test_a_node_whose_label_was_taken_away_is_kept() -> None:
    node = a_node("n1")
    labels = {key: value for key, value in node.metadata.labels.items() if key != "karpenter.sh/nodepool"}
    cluster = a_cluster_with(replace(node, metadata=replace(node.metadata, labels=labels)))
    (finding,) = found(cluster)

    assert (finding.cause, finding.nodepool, finding.message, finding.fix[0]) == (
        "missing_label",
        "default",
        "should be gone as Drifted; kept for 3h by a label that it lacks",
        Fix("fix", "kubectl get nodeclaim default-n1 -o jsonpath='{.metadata.labels}'", "put the label back on the node"),
    )


def test_no_pod_keeps_a_drifted_node_with_a_grace_period() -> None:
    assert found(a_cluster_with(a_web_pod(says="true"), NEVER, claim=a_claim(grace="1h"))) == []


def test_a_node_that_consolidation_may_not_take_and_drift_may_is_not_kept() -> None:
    little = a_pod("web-1", on="n1", labels=WEB)

    assert found(a_cluster_with(little, NEVER, claim=a_claim("n1", drifted(), consolidatable(), grace="1h"))) == []


def test_an_empty_node_is_kept_by_a_daemonsets_pod() -> None:
    logs = a_daemonset("logs")
    pod = a_pod("logs-1", on="n1", of=logs, do_not_disrupt="true")

    assert told(a_cluster_with(logs, pod, claim=a_claim("n1", consolidatable()))) == [
        ("do_not_disrupt_pod", Severity.MEDIUM, Confidence.CERTAIN)
    ]


@pytest.mark.parametrize(
    ("status", "expected"),
    [(Status.PARTIAL, [("do_not_disrupt_pod", Severity.MEDIUM, Confidence.LIKELY)]), (Status.FORBIDDEN, [])],
)
def test_that_a_node_is_empty_is_no_surer_than_the_list_of_pods(status: Status, expected: Told) -> None:
    logs = a_daemonset("logs")
    pod = a_pod("logs-1", on="n1", of=logs, do_not_disrupt="true")

    assert told(a_cluster_with(logs, pod, claim=a_claim("n1", consolidatable()), missing={Kind.POD: status})) == expected


def test_an_underused_node_should_only_perhaps_be_gone() -> None:
    little = a_pod("web-1", on="n1", labels=WEB)
    (finding,) = found(a_cluster_with(little, NEVER, claim=a_claim("n1", consolidatable())))

    assert (finding.severity, finding.confidence, finding.message) == (
        Severity.LOW,
        Confidence.POSSIBLE,
        "should perhaps be gone as Underutilized; kept for 50m by PodDisruptionBudget shop/web",
    )


def test_a_node_in_use_is_not_wanted_gone() -> None:
    assert found(a_cluster_with(a_web_pod(), NEVER, claim=a_claim("n1", consolidatable()))) == []


@pytest.mark.parametrize(
    ("closed", "expected"),
    [
        ("9m", []),
        ("10m", [("pdb", Severity.INFO, Confidence.CERTAIN)]),
        ("59m", [("pdb", Severity.INFO, Confidence.CERTAIN)]),
        ("1h", [("pdb", Severity.MEDIUM, Confidence.CERTAIN)]),
    ],
)
def test_a_budget_that_allows_nothing_for_a_while_is_a_rollout(closed: str, expected: Told) -> None:
    rollout = a_budget("web", selects=WEB, allowed=0, min_available=1, expected=3, healthy=1, desired_healthy=1, closed=closed)

    assert told(a_cluster_with(a_deployment("web", replicas=3), a_web_pod(), rollout)) == expected


def test_a_budget_counts_from_when_the_pod_came_and_the_node_was_wanted_gone() -> None:
    closed = a_budget("web", selects=WEB, allowed=0, min_available=1, expected=3, closed="5h")
    many = a_deployment("web", replicas=3)

    assert found(a_cluster_with(many, a_web_pod(age="5m"), closed)) == []
    assert found(a_cluster_with(many, a_web_pod(), closed, claim=a_claim("n1", drifted("5m")))) == []


def test_a_budget_that_does_not_say_since_when_it_allows_nothing_proves_nothing() -> None:
    closed = a_budget("web", selects=WEB, allowed=0, min_available=1, expected=3)

    assert found(a_cluster_with(a_deployment("web", replicas=3), a_web_pod(), closed)) == []


def test_a_budget_lets_a_pod_go_that_is_not_ready_where_it_says_so() -> None:
    lenient = a_budget("web", selects=WEB, allowed=0, max_unavailable=0, unhealthy_pods="AlwaysAllow")

    assert found(a_cluster_with(a_web_pod(ready=False), lenient)) == []


@pytest.mark.parametrize("says", ["true", "40h"])
@pytest.mark.parametrize(("age", "expected"), [("23h", []), ("24h", [("do_not_disrupt_pod", Severity.LOW, Confidence.CERTAIN)])])
def test_a_pod_that_finishes_keeps_its_node_by_design(says: str, age: str, expected: Told) -> None:
    assert told(a_cluster_with(a_job_pod(says), claim=a_claim("n1", drifted(age)))) == expected


def test_a_pod_that_came_lately_has_not_kept_the_node_for_long() -> None:
    assert found(a_cluster_with(a_job_pod(age="1h"), claim=a_claim("n1", drifted("30h")))) == []


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_a_pod_that_has_finished_keeps_nothing(phase: str) -> None:
    assert found(a_cluster_with(a_pod("done", on="n1", do_not_disrupt="true", phase=phase))) == []


def test_what_began_within_a_minute_is_not_told() -> None:
    assert found(a_cluster_with(a_web_pod(says="true"), claim=a_claim("n1", drifted("59s")))) == []
    assert found(a_cluster_with(a_web_pod(says="true", age="59s"))) == []


def test_settings_say_from_when_on_it_is_told() -> None:
    closed = a_budget("web", selects=WEB, allowed=0, min_available=1, expected=3, closed="5m")
    rollout = a_cluster_with(a_deployment("web", replicas=3), a_web_pod(), closed)
    job = a_cluster_with(a_job_pod())

    assert [entry.severity for entry in node_reaping_blocked(rollout, warn_after=timedelta(minutes=5))] == [Severity.INFO]
    assert [entry.severity for entry in node_reaping_blocked(rollout, fail_after=timedelta(minutes=5))] == [Severity.MEDIUM]
    assert [entry.severity for entry in node_reaping_blocked(job, finishing_after=timedelta(hours=3))] == [Severity.LOW]


@pytest.mark.parametrize(
    "node",
    [
        a_node("n1", initialized=False),
        a_node("n1", deleted="1h"),
        a_node("n1", taints=["karpenter.sh/disrupted:NoSchedule"]),
    ],
    ids=["not initialized", "terminating", "chosen"],
)
def test_a_node_that_is_no_candidate_is_another_rules(node: Node) -> None:
    assert found(a_cluster_with(node, a_web_pod(says="true"))) == []


def test_a_node_that_is_not_karpenters_is_nobodys() -> None:
    assert found(a_cluster(a_nodepool(), a_node("n1", pool=""), a_web_pod(says="true"), version=V)) == []


GHOST = a_pod("ghost", age="20m", scheduler="batch-scheduler")
FOR_GHOST = nominated(GHOST, to="default-n1", node="n1", first="15m", last="5s", times=8)
CLOSED = a_nodepool(budgets=[Budget("0")])


def test_a_nomination_alone_and_a_budget_alone_are_other_rules() -> None:
    assert found(a_cluster_with(GHOST, FOR_GHOST)) == []
    assert found(a_cluster_with(CLOSED)) == []
    assert found(a_cluster_with(CLOSED, GHOST, FOR_GHOST)) == []


def test_everything_that_keeps_it_is_told_in_karpenters_order() -> None:
    event = said("Node is nominated for a pending pod")
    cluster = a_cluster_with(
        CLOSED, GHOST, FOR_GHOST, a_deployment("web"), a_web_pod(says="true"), a_web_pod("web-2"), NEVER, event
    )
    (finding,) = found(cluster)

    assert (finding.cause, finding.message) == (
        "do_not_disrupt_pod",
        "should be gone as Drifted; kept for 3h by the do-not-disrupt of Pod shop/web-1, and by 1 more",
    )
    assert finding.why == (
        "in Karpenter's order: 1. Karpenter keeps it for Pod shop/ghost; "
        '2. Pod shop/web-1 says karpenter.sh/do-not-disrupt: "true"; '
        "3. PodDisruptionBudget shop/web allows no disruption of Pod shop/web-2 now, nor ever: maxUnavailable: 0, no pod may be unavailable; "
        "4. budget for Drifted: 0 of 1 may go, at any hour (spec.disruption.budgets[0]); "
        "Karpenter leaves the node alone until somebody changes that"
    )
    assert [fix.command for fix in finding.fix] == [
        "kubectl annotate pod -n shop web-1 karpenter.sh/do-not-disrupt-",
        "kubectl describe poddisruptionbudget -n shop web",
        "kubectl edit nodepool default",
        "",
        "karpenter-check scan --select node-reaping-blocked --nodepool default",
    ]


def test_of_many_blockers_the_first_four_are_told() -> None:
    pods = [a_web_pod(f"web-{place}", says="true") for place in range(1, 7)]

    assert "; 4. Pod shop/web-4 says" in found(a_cluster_with(a_deployment("web"), *pods))[0].why
    assert '"true"; and 2 more; Karpenter leaves' in found(a_cluster_with(a_deployment("web"), *pods))[0].why


def test_karpenters_word_of_another_blocker_is_quoted() -> None:
    event = said("Pdb prevents pod evictions (PodDisruptionBudget=[shop/web])", about="NodeClaim", name="default-n1")
    (finding,) = found(a_cluster_with(a_deployment("web"), a_web_pod(says="true"), event))

    assert finding.why.endswith(
        "; Karpenter, which tells only the first that it meets, said 40s ago: "
        '"Pdb prevents pod evictions (PodDisruptionBudget=[shop/web])"'
    )


def test_what_karpenter_said_long_ago_is_left_out() -> None:
    old = said("Pdb prevents pod evictions (PodDisruptionBudget=[shop/web])", last="3m1s")
    (finding,) = found(a_cluster_with(a_deployment("web"), a_web_pod(says="true"), old))

    assert [entry.event for entry in finding.evidence if entry.event] == []
    assert finding.why.endswith("until somebody changes that")


def test_what_was_not_seen_is_told_beside_what_was_and_proves_nothing_alone() -> None:
    unseen = {Kind.PODDISRUPTIONBUDGET: Status.FORBIDDEN}
    pods = [a_web_pod(says="true"), a_web_pod("web-2")]
    (finding,) = found(a_cluster_with(a_deployment("web"), *pods, missing=unseen))

    assert "; 2. whether PodDisruptionBudgets keep its pods is not known: PodDisruptionBudget is forbidden;" in finding.why
    assert found(a_cluster_with(a_web_pod(), missing=unseen)) == []


def several(*names: str) -> Sequence[Thing]:
    claims = [a_claim(name, drifted(f"{place + 2}h")) for place, name in enumerate(names)]
    nodes = [a_node(name) for name in names]
    return [*claims, *nodes]


def test_nodes_of_one_nodepool_that_are_kept_alike_are_one_finding() -> None:
    pods = [
        a_web_pod("web-1", on="n1"),
        a_web_pod("web-2", on="n2"),
        a_pod("db", on="n3", of=a_deployment("db"), do_not_disrupt="true"),
    ]
    cluster = a_cluster(a_nodepool(), a_deployment("web"), a_deployment("db"), *several("n1", "n2", "n3"), *pods, NEVER, version=V)

    assert [(finding.object, finding.message, finding.cost, finding.impact) for finding in found(cluster)] == [
        (
            POOL,
            "2 nodes should be gone as Drifted, and are kept; n2 for 3h by PodDisruptionBudget shop/web",
            "node n2, Drifted: NodePoolDrifted since 09:00:00Z; and 1 more node",
            Impact(nodes=2, pods=2),
        ),
        (
            Ref("Node", "n3", "v1"),
            "should be gone as Drifted; kept for 50m by the do-not-disrupt of Pod shop/db",
            "node n3, Drifted: NodePoolDrifted since 08:00:00Z",
            Impact(nodes=1, pods=1),
        ),
    ]
    assert [(entry.node, entry.reason, entry.since) for finding in found(cluster) for entry in finding.occurrences] == [
        ("n2", "pdb", ago("3h")),
        ("n1", "pdb", ago("2h")),
        ("n3", "do_not_disrupt_pod", ago("50m")),
    ]
