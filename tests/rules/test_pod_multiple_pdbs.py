from datetime import timedelta

import pytest
from msgspec.structs import replace

from karpenter_check.finding import Confidence, EventEvidence, Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity
from karpenter_check.rules.pod_multiple_pdbs import pod_multiple_pdbs
from karpenter_check.snapshot import NodeClaim, Snapshot
from karpenter_check.snapshot.event import InvolvedObject
from karpenter_check.snapshot.metadata import Condition, OwnerReference
from karpenter_check.snapshot.pod_object import PodObject
from karpenter_check.snapshot.workload import PodDisruptionBudget
from tests.build import (
    Thing,
    a_budget,
    a_cluster,
    a_daemonset,
    a_deployment,
    a_node,
    a_nodeclaim,
    a_pod,
    a_uid,
    ago,
    an_event,
)

APP = {"app": "web"}
WEB = Ref("Deployment", "web", "apps/v1", "shop")
A, B = Ref("PodDisruptionBudget", "a", "policy/v1", "shop"), Ref("PodDisruptionBudget", "b", "policy/v1", "shop")
ONE = a_budget("a", selects=APP, max_unavailable=1)
TWO = a_budget("b", min_available="50%")
"""Over the whole namespace."""
DRIFTED = Condition("Drifted", "True", "NodePoolDrifted", last_transition_time=ago("3h"))
TERMINATING = a_nodeclaim(deleted="14m", termination_grace_period="")


def found(cluster: Snapshot) -> list[Finding]:
    return list(pod_multiple_pdbs(cluster))


def judged(cluster: Snapshot) -> list[tuple[Ref, Severity | None, Confidence]]:
    return [(finding.owner, finding.severity, finding.confidence) for finding in found(cluster)]


def web(*things: Thing, claim: NodeClaim | None = None) -> Snapshot:
    """Two pods of a Deployment on two nodes, the first of which has the claim; the things are what matches them."""
    deployment = a_deployment("web", replicas=2)
    return a_cluster(
        a_node("n1", deleted="14m" if claim and claim.metadata.deletion_timestamp else ""),
        a_node("n2"),
        *([claim] if claim else []),
        deployment,
        a_pod("web-1", on="n1", of=deployment, labels=APP),
        a_pod("web-2", on="n2", of=deployment, labels=APP),
        *things,
    )


def alone(pod: PodObject, *budgets: PodDisruptionBudget) -> Snapshot:
    """One pod, and a node that is being deleted without a forced end."""
    return a_cluster(a_node("n1", deleted="14m"), TERMINATING, a_node("foreign", pool=""), pod, *(budgets or (ONE, TWO)))


def test_pods_that_two_budgets_match_are_found() -> None:
    assert found(web(ONE, TWO)) == [
        Finding(
            object=WEB,
            owner=WEB,
            cause="multiple-pdbs",
            severity=Severity.MEDIUM,
            message="PodDisruptionBudgets a and b both match 2 pods of web, which nothing can evict; "
            "they hold 2 nodes, none of which is known to be kept from going",
            why="the API server evicts no pod that more than one budget matches, whatever they allow: a (maxUnavailable: 1), b (minAvailable: 50%)",
            cost="none now; a node that drifts or is under-used may stay, and one that expires would drain until its forced end, if it has one",
            impact=Impact(nodes=2, pods=2),
            evidence=(
                Evidence(A, "spec", "maxUnavailable: 1"),
                Evidence(B, "spec", "minAvailable: 50%"),
                Evidence(Ref("Pod", "web-1", "v1", "shop"), "metadata.labels", "matched by a and b"),
            ),
            occurrences=(
                Occurrence(Ref("Node", "n1", "v1"), a_uid("Node", "n1"), "n1", "held"),
                Occurrence(Ref("Node", "n2", "v1"), a_uid("Node", "n2"), "n2", "held"),
            ),
            fix=(
                Fix(
                    "fix",
                    "kubectl get poddisruptionbudget -n shop a b -o yaml",
                    "delete all but one of those that match these pods, or narrow their selectors",
                    "the one that is left decides alone how many pods may go at once",
                ),
                Fix("verify", "karpenter-check scan --select pod-multiple-pdbs -n shop"),
            ),
        )
    ]


def test_a_node_that_is_deleted_and_drains_for_ever_makes_it_high() -> None:
    said = "Eviction does not support multiple PDBs (PodDisruptionBudget(s)=[shop/b shop/a])"
    claim = InvolvedObject("NodeClaim", "", "default-n1")
    events = [
        an_event("DisruptionBlocked", text, about=claim, first="30m", last=last)
        for text, last in (
            (said, "15m"),
            ("Pdb prevents pod evictions (PodDisruptionBudget=[shop/a])", "1m"),
        )
    ]

    (finding,) = found(web(ONE, TWO, *events, claim=TERMINATING))

    assert (finding.severity, finding.since) == (Severity.HIGH, ago("14m"))
    assert finding.message.endswith("they hold 2 nodes, 1 of which has to go: being deleted")
    assert finding.cost == "node n1 (being deleted, and nothing ends its drain by force) is held by Pod shop/web-1"
    assert finding.evidence[-1] == Evidence(event=EventEvidence("DisruptionBlocked", said, 1, ago("15m")))
    assert [step.step for step in finding.fix] == ["stop", "fix", "or", "verify"]
    assert finding.fix[0].command == "kubectl delete pod -n shop web-1"


@pytest.mark.parametrize(
    ("claim", "severity"),
    [
        (a_nodeclaim(deleted="14m", termination_grace_period="1h"), Severity.MEDIUM),
        (a_nodeclaim(age="1h", expire_after="49h", termination_grace_period=""), Severity.HIGH),
        (a_nodeclaim(age="1h", expire_after="49h"), Severity.MEDIUM),
        (a_nodeclaim(conditions=[DRIFTED], termination_grace_period=""), Severity.MEDIUM),
    ],
    ids=["forced-end", "expires-for-ever", "expires-with-grace", "drifted"],
)
def test_it_is_medium_unless_a_node_drains_for_ever(claim: NodeClaim, severity: Severity) -> None:
    assert judged(web(ONE, TWO, claim=claim)) == [(WEB, severity, Confidence.CERTAIN)]


def test_how_far_ahead_it_looks_for_expiries_is_a_setting() -> None:
    cluster = web(ONE, TWO, claim=a_nodeclaim(age="1h", expire_after="49h", termination_grace_period=""))

    (finding,) = pod_multiple_pdbs(cluster, look_ahead=timedelta(hours=47))

    assert finding.severity is Severity.MEDIUM


def test_one_budget_is_fine() -> None:
    assert found(web(ONE)) == []


def test_each_workload_is_a_finding_with_the_budgets_that_match_its_pods() -> None:
    api = a_deployment("api")
    more = (a_budget("c", selects={"tier": "front"}), a_budget("d", selects={"tier": "front"}))
    cluster = web(ONE, TWO, *more, api, a_pod("api-1", on="n2", of=api, labels={"tier": "front"}))

    assert [finding.message.partition(",")[0] for finding in found(cluster)] == [
        "PodDisruptionBudgets a and b both match 2 pods of web",
        "PodDisruptionBudgets b",
    ]
    assert "b, c, d together match 1 pod of api" in found(cluster)[1].message
    assert "d (neither minAvailable nor maxUnavailable)" in found(cluster)[1].why


def test_a_budget_of_another_namespace_and_one_without_a_selector_do_not_match() -> None:
    unselecting = replace(TWO, spec=replace(TWO.spec, selector=None))

    assert found(web(ONE, a_budget("b", namespace="data"))) == []
    assert found(web(ONE, unselecting)) == []


@pytest.mark.parametrize(
    "pod",
    [
        a_pod("web", on="n1", labels=APP, tolerations=["*"]),
        a_pod("web", on="n1", labels=APP, phase="Succeeded"),
        a_pod("web", on="n1", labels=APP, phase="Failed"),
        a_pod("web", on="n1", labels=APP, phase="Pending"),
        a_pod("web", on="n1", labels=APP, deleted="10s"),
        a_pod("web", on="n1", labels=APP, do_not_disrupt="true"),
        a_pod("web", on="foreign", labels=APP),
        a_pod("web", labels=APP),
    ],
    ids=["tolerates", "succeeded", "failed", "pending", "leaving", "do-not-disrupt", "no-node-of-karpenters", "unbound"],
)
def test_pods_that_karpenter_need_not_evict_with_a_budget_are_fine(pod: PodObject) -> None:
    assert found(alone(pod)) == []


def test_pods_of_a_daemonset_are_evicted_as_well() -> None:
    logs = a_daemonset("logs", namespace="shop", tolerations=())
    cluster = a_cluster(a_node("n1"), logs, a_pod("logs-1", on="n1", of=logs, labels=APP), ONE, TWO)

    assert judged(cluster) == [(Ref("DaemonSet", "logs", "apps/v1", "shop"), Severity.MEDIUM, Confidence.CERTAIN)]


def test_a_bare_pod_owns_itself() -> None:
    cluster = alone(a_pod("web", on="n1", labels=APP))

    assert judged(cluster) == [(Ref("Pod", "web", "v1", "shop"), Severity.HIGH, Confidence.CERTAIN)]


@pytest.mark.parametrize(
    "second", [a_budget("b", selects=APP, age="30s"), replace(TWO, metadata=replace(TWO.metadata, deletion_timestamp=ago("1m")))]
)
def test_a_budget_that_takes_the_place_of_another_is_fine(second: PodDisruptionBudget) -> None:
    assert found(web(ONE, second)) == []


def test_a_budget_that_has_stood_a_minute_counts() -> None:
    assert len(found(web(ONE, a_budget("b", selects=APP, age="1m")))) == 1


def a_newer_pod(labels: dict[str, str], on: str = "n2") -> PodObject:
    """Of the Deployment's next ReplicaSet."""
    pod = a_pod("web-3", on=on, labels={**labels, "pod-template-hash": "next"}, age="1m")
    owner = OwnerReference("ReplicaSet", "web-next", a_uid("ReplicaSet", "web-next"), "apps/v1", controller=True)
    return replace(pod, metadata=replace(pod.metadata, owner_references=(owner,)))


def test_two_budgets_that_match_only_the_pods_of_an_older_replicaset_may_pass_with_the_rollout() -> None:
    both = (ONE, a_budget("b", selects=APP))

    assert judged(web(*both, a_newer_pod({}))) == [(WEB, Severity.LOW, Confidence.LIKELY)]
    assert found(web(*both, a_newer_pod({})))[0].why.endswith(
        "; the newest of its pods is not among them, so that these may go with a rollout"
    )
    assert judged(web(*both, a_newer_pod({}), claim=TERMINATING)) == [(WEB, Severity.MEDIUM, Confidence.LIKELY)]


def test_a_rollout_whose_new_pods_they_match_as_well_does_not_end_it() -> None:
    assert judged(web(ONE, TWO, a_newer_pod(APP))) == [(WEB, Severity.MEDIUM, Confidence.CERTAIN)]
    assert judged(web(ONE, TWO, a_newer_pod(APP, on=""))) == [(WEB, Severity.MEDIUM, Confidence.CERTAIN)]


def test_the_fingerprint_does_not_move_with_the_pods() -> None:
    before, after = found(web(ONE, TWO))[0], found(web(ONE, TWO, a_budget("c"), claim=TERMINATING))[0]

    assert (before.owner, before.nodepool, before.cause) == (after.owner, "", after.cause)
