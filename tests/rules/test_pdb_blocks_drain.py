from collections.abc import Sequence
from datetime import timedelta

import pytest
from msgspec.structs import replace

from karpenter_check.finding import Confidence, EventEvidence, Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity
from karpenter_check.rules.pdb_blocks_drain import pdb_blocks_drain
from karpenter_check.snapshot import Kind, NodeClaim, Snapshot, Status
from karpenter_check.snapshot.event import InvolvedObject
from karpenter_check.snapshot.metadata import Condition, OwnerReference
from karpenter_check.snapshot.pod_object import PodObject
from karpenter_check.snapshot.workload import Deployment, PodDisruptionBudget
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
    a_statefulset,
    a_uid,
    ago,
    an_event,
)

APP = {"app": "web"}
BUDGET = Ref("PodDisruptionBudget", "web", "policy/v1", "shop")
DRIFTED = Condition("Drifted", "True", "NodePoolDrifted", last_transition_time=ago("3h"))
CONSOLIDATABLE = Condition("Consolidatable", "True", last_transition_time=ago("20m"))
UNTOUCHED = "none now; a node that drifts, empties or is under-used would stay, and one that expires would drain until its forced end, if it has one"
PATCH = Fix(
    "fix",
    """kubectl patch poddisruptionbudget -n shop web --type merge -p '{"spec":{"maxUnavailable":1}}'""",
    "then one pod at a time may go; unhealthyPodEvictionPolicy: AlwaysAllow would let go only those that are not ready",
)
VERIFY = Fix("verify", "karpenter-check scan --select pdb-blocks-drain -n shop")


def found(cluster: Snapshot) -> list[Finding]:
    return list(pdb_blocks_drain(cluster))


def judged(cluster: Snapshot) -> list[tuple[str, Severity | None, Confidence]]:
    return [(finding.cause, finding.severity, finding.confidence) for finding in found(cluster)]


def never(
    *,
    max_unavailable: int | str | None = None,
    min_available: int | str | None = None,
    expected: int = 2,
    healthy: int = 2,
    unhealthy_pods: str = "",
) -> PodDisruptionBudget:
    """A PodDisruptionBudget over `app: web` that allows nothing now: `maxUnavailable: 0`, of two healthy pods."""
    maximum = 0 if max_unavailable is None and min_available is None else max_unavailable
    return a_budget(
        "web", selects=APP, allowed=0, unhealthy_pods=unhealthy_pods, min_available=min_available, max_unavailable=maximum,
        expected=expected, healthy=healthy,
    )  # fmt: skip


def web(*things: Thing, budget: PodDisruptionBudget | None = None, claim: NodeClaim | None = None, replicas: int = 2) -> Snapshot:
    """A Deployment with a pod on each of two Karpenter nodes; the claim is the first one's."""
    deployment = a_deployment("web", replicas=replicas)
    return a_cluster(
        a_nodepool(consolidate_after="15s"),
        a_node("n1", deleted="14m" if claim and claim.metadata.deletion_timestamp else ""),
        a_node("n2"),
        *([claim] if claim else []),
        deployment,
        a_pod("web-1", on="n1", of=deployment, labels=APP, cpu="2", memory="8Gi"),
        a_pod("web-2", on="n2", of=deployment, labels=APP, cpu="2", memory="8Gi"),
        budget or never(),
        *things,
    )


def single(budget: PodDisruptionBudget, *things: Thing, replicas: int = 1, on: str = "n1") -> Snapshot:
    """One pod of a Deployment, on a node that is being deleted without a forced end."""
    deployment = a_deployment("web", replicas=replicas)
    return a_cluster(
        a_node("n1", deleted="14m"),
        a_nodeclaim(deleted="14m", termination_grace_period=""),
        a_node("foreign", pool=""),
        deployment,
        a_pod("web-1", on=on, of=deployment, labels=APP),
        budget,
        *things,
    )


def test_a_budget_that_never_allows_an_eviction_and_harms_nobody_is_low() -> None:
    assert found(web()) == [
        Finding(
            object=BUDGET,
            owner=BUDGET,
            cause="max-unavailable-zero",
            severity=Severity.LOW,
            confidence=Confidence.CERTAIN,
            message="web never lets a pod of Deployment shop/web be evicted (maxUnavailable: 0); "
            "it holds 2 nodes, none of which is known to be kept from going",
            why="maxUnavailable: 0: no pod may be unavailable, so every eviction is refused, however many are healthy (2 of 2 now)",
            cost=UNTOUCHED,
            impact=Impact(nodes=2, pods=2),
            evidence=(
                Evidence(BUDGET, "spec.maxUnavailable", "0"),
                Evidence(BUDGET, "status", "disruptionsAllowed 0, currentHealthy 2, expectedPods 2"),
            ),
            occurrences=(
                Occurrence(Ref("Node", "n1", "v1"), a_uid("Node", "n1"), "n1", "held"),
                Occurrence(Ref("Node", "n2", "v1"), a_uid("Node", "n2"), "n2", "held"),
            ),
            fix=(PATCH, VERIFY),
        )
    ]


def test_a_node_that_is_deleted_and_drains_for_ever_makes_it_high() -> None:
    said = "Pdb prevents pod evictions (PodDisruptionBudget=[shop/web])"
    blocked = [
        an_event("DisruptionBlocked", text, about=InvolvedObject("Node", "", node), first="30m", last=last, times=9)
        for text, node, last in (
            (said, "n1", "15m"),
            (said, "n2", "16m"),
            (said, "elsewhere", "1m"),
            ("Pdb prevents pod evictions (PodDisruptionBudget=[shop/api])", "n1", "1m"),
        )
    ]

    (finding,) = found(web(*blocked, claim=a_nodeclaim(deleted="14m", termination_grace_period="")))

    assert finding == Finding(
        object=BUDGET,
        owner=BUDGET,
        cause="max-unavailable-zero",
        severity=Severity.HIGH,
        message="web never lets a pod of Deployment shop/web be evicted (maxUnavailable: 0); it holds 2 nodes, 1 of which has to go: being deleted",
        why="maxUnavailable: 0: no pod may be unavailable, so every eviction is refused, however many are healthy (2 of 2 now)",
        cost="node n1 (being deleted, and nothing ends its drain by force) is held by Pod shop/web-1",
        impact=Impact(nodes=2, pods=2),
        evidence=(
            Evidence(BUDGET, "spec.maxUnavailable", "0"),
            Evidence(BUDGET, "status", "disruptionsAllowed 0, currentHealthy 2, expectedPods 2"),
            Evidence(
                Ref("NodeClaim", "default-n1", "karpenter.sh/v1"),
                "metadata.deletionTimestamp",
                "being deleted, and nothing ends its drain by force",
            ),
            Evidence(event=EventEvidence("DisruptionBlocked", said, 9, ago("15m"))),
        ),
        occurrences=(
            Occurrence(Ref("Node", "n1", "v1"), a_uid("Node", "n1"), "n1", "terminating", ago("14m")),
            Occurrence(Ref("Node", "n2", "v1"), a_uid("Node", "n2"), "n2", "held"),
        ),
        since=ago("14m"),
        fix=(
            Fix(
                "stop",
                "kubectl delete pod -n shop web-1",
                risk="this goes around its PodDisruptionBudget: ask its owner first; its controller makes it again",
            ),
            PATCH,
            Fix(
                "or",
                text="a terminationGracePeriod in the NodePool's template ends such drains, of nodes made from then on",
                risk="it drifts the pool's nodes, and whatever is left on a node when it elapses is killed",
            ),
            VERIFY,
        ),
    )


@pytest.mark.parametrize(
    ("claim", "severity", "reason", "confidence"),
    [
        (a_nodeclaim(deleted="14m", termination_grace_period="1h"), Severity.MEDIUM, "terminating", Confidence.CERTAIN),
        (a_nodeclaim(age="1h", expire_after="49h", termination_grace_period=""), Severity.HIGH, "expiring", Confidence.CERTAIN),
        (a_nodeclaim(age="1h", expire_after="49h"), Severity.LOW, "expiring", Confidence.CERTAIN),
        (a_nodeclaim(conditions=[DRIFTED], termination_grace_period=""), Severity.MEDIUM, "drifted", Confidence.CERTAIN),
        (a_nodeclaim(conditions=[DRIFTED]), Severity.LOW, "held", Confidence.CERTAIN),
    ],
    ids=["forced-end", "expires-for-ever", "expires-with-grace", "drifted", "drift-proceeds-with-grace"],
)
def test_the_severity_is_the_harm_of_the_worst_node(
    claim: NodeClaim, severity: Severity, reason: str, confidence: Confidence
) -> None:
    (finding,) = found(web(claim=claim))

    assert (finding.severity, finding.occurrences[0].reason, finding.confidence) == (severity, reason, confidence)


def test_a_node_of_which_little_is_used_is_only_possibly_kept() -> None:
    deployment = a_deployment("web", replicas=1)
    claim = a_nodeclaim(conditions=[CONSOLIDATABLE])
    cluster = a_cluster(a_node("n1"), claim, deployment, a_pod("web-1", on="n1", of=deployment, labels=APP), never(expected=1))

    assert judged(cluster) == [("max-unavailable-zero", Severity.MEDIUM, Confidence.POSSIBLE)]
    assert "it holds 1 node, which has to go: maybe under-used" in found(cluster)[0].message


def test_how_far_ahead_it_looks_for_expiries_is_a_setting() -> None:
    cluster = web(claim=a_nodeclaim(age="1h", expire_after="49h", termination_grace_period=""))

    (finding,) = pdb_blocks_drain(cluster, look_ahead=timedelta(hours=47))

    assert finding.severity is Severity.LOW


@pytest.mark.parametrize(
    ("budget", "cause", "patch"),
    [
        (never(max_unavailable=0), "max-unavailable-zero", '{"spec":{"maxUnavailable":1}}'),
        (never(max_unavailable="0%"), "max-unavailable-zero", '{"spec":{"maxUnavailable":1}}'),
        (never(min_available="100%"), "min-available-all", '{"spec":{"minAvailable":null,"maxUnavailable":1}}'),
        (never(min_available=2), "min-available-replicas", '{"spec":{"minAvailable":null,"maxUnavailable":1}}'),
        (never(min_available="90%"), "min-available-replicas", '{"spec":{"minAvailable":null,"maxUnavailable":1}}'),
    ],
)
def test_each_way_to_never_allow_is_a_cause_of_its_own(budget: PodDisruptionBudget, cause: str, patch: str) -> None:
    (finding,) = found(web(budget=budget))

    assert finding.cause == cause
    assert any(f"--type merge -p '{patch}'" in step.command for step in finding.fix)


@pytest.mark.parametrize(
    "budget",
    [
        never(max_unavailable=1, healthy=1),
        never(max_unavailable="1%", healthy=1),
        never(min_available=1, healthy=1),
        never(min_available="50%", healthy=1),
        never(min_available=0, healthy=1),
    ],
)
def test_a_budget_that_allows_nothing_only_now_is_fine(budget: PodDisruptionBudget) -> None:
    """As in a rollout, and while pods are not healthy."""
    assert found(web(budget=budget)) == []


def test_what_is_only_so_for_the_number_of_replicas_is_likely_and_more_of_them_are_the_fix() -> None:
    (finding,) = found(single(never(min_available=1, expected=1, healthy=1)))

    assert (finding.cause, finding.severity, finding.confidence) == ("single-replica", Severity.HIGH, Confidence.LIKELY)
    assert finding.message == (
        "web lets no pod of Deployment shop/web be evicted while 1 pod is wanted (minAvailable: 1); "
        "it holds 1 node, which has to go: being deleted"
    )
    assert finding.why == (
        "minAvailable: 1: 1 must be available, of 1 wanted in all, so every eviction is refused, however many are healthy (1 of 1 now); "
        "with more replicas, as an autoscaler may want, it lets one go"
    )
    assert finding.fix[1:3] == (
        Fix(
            "fix",
            "kubectl scale deployment -n shop web --replicas=2",
            "of 2 replicas one may go; where an autoscaler sets their number, raise its minimum",
            "only where it can run that often",
        ),
        Fix(
            "or",
            """kubectl patch poddisruptionbudget -n shop web --type merge -p '{"spec":{"minAvailable":null,"maxUnavailable":1}}'""",
            PATCH.text,
            "with one replica nothing runs until the next one is ready",
        ),
    )


@pytest.mark.parametrize(
    ("budget", "scales"),
    [
        (never(min_available="50%", expected=1, healthy=1), True),
        (never(min_available="90%", expected=1, healthy=1), False),
        (never(min_available=9, expected=1, healthy=1), False),
    ],
)
def test_one_more_replica_is_the_fix_only_where_it_is_enough(budget: PodDisruptionBudget, scales: bool) -> None:  # noqa: FBT001  the expectation
    (finding,) = found(single(budget))

    assert any("--replicas=2" in step.command for step in finding.fix) is scales
    assert not any("--replicas" in step.command for step in finding.fix if "--replicas=2" not in step.command)


def test_pods_that_are_wanted_and_not_there_yet_count() -> None:
    """Two of three are there: expectedPods of a minAvailable that is a number says 2."""
    assert found(web(budget=never(min_available=2), replicas=3)) == []


def test_a_workload_that_an_autoscaler_has_at_its_minimum_is_likely() -> None:
    assert judged(web(budget=never(min_available=2))) == [("min-available-replicas", Severity.LOW, Confidence.LIKELY)]


def a_rollouts_pod(name: str, on: str = "n1") -> PodObject:
    """A pod of a workload whose number of pods is not read."""
    pod = a_pod(name, on=on, labels=APP)
    owner = OwnerReference("Rollout", "web", a_uid("Rollout", "web"), "argoproj.io/v1alpha1", controller=True)
    return replace(pod, metadata=replace(pod.metadata, owner_references=(owner,)))


def drained(*things: Thing, missing: Sequence[Kind] = ()) -> Snapshot:
    """A node that is being deleted without a forced end."""
    lifecycle = (a_node("n1", deleted="14m"), a_nodeclaim(deleted="14m", termination_grace_period=""))
    return a_cluster(*lifecycle, *things, missing=dict.fromkeys(missing, Status.FORBIDDEN))


def test_where_the_number_of_wanted_pods_is_not_known_it_is_possible_and_one_lower() -> None:
    cluster = drained(a_rollouts_pod("web-1"), never(min_available=1, expected=1, healthy=1))

    assert judged(cluster) == [("single-replica", Severity.MEDIUM, Confidence.POSSIBLE)]
    assert found(cluster)[0].message.startswith(
        "web lets no pod of Rollout shop/web be evicted while there is 1 pod (minAvailable: 1); "
    )
    assert found(cluster)[0].why == (
        "minAvailable: 1: the 1 that is there must be available, so every eviction is refused, however many are healthy (1 of 1 now); "
        "how many pods Rollout shop/web wants is not known: if it wants more, one may go"
    )


def test_of_a_percentage_the_disruption_controller_knows_the_number() -> None:
    cluster = drained(a_rollouts_pod("web-1"), never(min_available="50%", expected=1, healthy=1))

    assert judged(cluster) == [("single-replica", Severity.HIGH, Confidence.LIKELY)]


def test_a_deployment_that_was_not_read_is_said() -> None:
    deployment = a_deployment("web")
    pod = a_pod("web-1", on="n1", of=deployment, labels=APP)
    whole = drained(deployment, pod, never(min_available=1, expected=1, healthy=1), missing=[Kind.DEPLOYMENT])
    cluster = Snapshot(**{name: getattr(whole, name) for name in whole.__dataclass_fields__} | {"deployments": ()})

    assert judged(cluster) == [("single-replica", Severity.MEDIUM, Confidence.POSSIBLE)]
    assert "how many pods Deployment shop/web wants is not known: Deployment is forbidden: if it" in found(cluster)[0].why


def test_a_bare_pod_is_one_that_is_wanted_and_does_not_come_again() -> None:
    (finding,) = found(drained(a_pod("web", on="n1", labels=APP), never(min_available=1, expected=1, healthy=1)))

    assert (finding.cause, finding.confidence) == ("single-replica", Confidence.LIKELY)
    assert finding.fix[0].risk.endswith("it is a bare pod and is not made again")
    assert finding.fix[1].command.startswith("kubectl patch poddisruptionbudget")


def test_a_status_that_nobody_has_written_yet_says_nothing_about_numbers() -> None:
    assert found(web(budget=never(min_available=2, expected=0, healthy=0))) == []


def test_a_budget_younger_than_a_minute_may_change_yet() -> None:
    assert found(web(budget=a_budget("web", selects=APP, allowed=0, max_unavailable=0, age="30s"))) == []
    assert len(found(web(budget=a_budget("web", selects=APP, allowed=0, max_unavailable=0, age="2m")))) == 1


def test_a_budget_that_still_allows_an_eviction_holds_nothing_now() -> None:
    """Its spec was edited a moment ago, or a rollout has more pods than are wanted."""
    assert found(web(budget=a_budget("web", selects=APP, allowed=1, max_unavailable=0, expected=2, healthy=2))) == []


def test_a_budget_that_holds_no_node_of_karpenters_is_fine() -> None:
    assert found(single(never(expected=1, healthy=1), on="foreign")) == []
    assert found(a_cluster(a_node("n1"), never(expected=0, healthy=0))) == []


def unready(*, policy: str) -> Snapshot:
    budget = never(expected=2, healthy=0, unhealthy_pods=policy)
    pods = [a_pod(f"web-{place}", on="n1", labels=APP, ready=False) for place in (1, 2)]
    return drained(*pods, budget)


def test_with_always_allow_pods_that_are_not_ready_go() -> None:
    assert found(unready(policy="AlwaysAllow")) == []


def test_without_it_pods_that_are_not_ready_stay() -> None:
    assert judged(unready(policy="")) == [("max-unavailable-zero", Severity.HIGH, Confidence.CERTAIN)]


@pytest.mark.parametrize(
    "pod",
    [
        a_pod("web", on="n1", labels=APP, tolerations=["*"]),
        a_pod("web", on="n1", labels=APP, phase="Succeeded"),
        a_pod("web", on="n1", labels=APP, phase="Pending"),
        a_pod("web", on="n1", labels=APP, deleted="10s"),
        a_pod("web", on="n1", labels=APP, do_not_disrupt="true"),
        a_pod("web", on="n1", labels={"app": "other"}),
        a_pod("web", on="n1", labels=APP, namespace="data"),
        a_pod("web", labels=APP),
    ],
    ids=["tolerates", "finished", "pending", "leaving", "do-not-disrupt", "other-labels", "other-namespace", "unbound"],
)
def test_pods_that_no_budget_holds_are_fine(pod: PodObject) -> None:
    assert found(drained(pod, never(expected=1, healthy=1))) == []


def test_static_pods_are_not_evicted() -> None:
    pod = a_pod("web", on="n1", labels=APP)
    static = replace(
        pod, metadata=replace(pod.metadata, owner_references=(OwnerReference("Node", "n1", "", "v1", controller=True),))
    )

    assert found(drained(static, never(expected=1, healthy=1))) == []


def test_pods_of_a_daemonset_are_evicted_and_so_they_hold_their_nodes() -> None:
    logs = a_daemonset("logs", namespace="shop", tolerations=())
    cluster = drained(logs, a_pod("logs-1", on="n1", of=logs, labels=APP), never(expected=1, healthy=1))

    assert judged(cluster) == [("max-unavailable-zero", Severity.HIGH, Confidence.CERTAIN)]


def test_a_pod_that_two_budgets_match_is_another_finding() -> None:
    assert found(web(a_budget("everything"))) == []


def test_an_empty_selector_is_the_whole_namespace_and_none_is_nothing() -> None:
    everything = replace(never(), spec=replace(never().spec, selector=a_budget("any").spec.selector))
    nothing = replace(never(), spec=replace(never().spec, selector=None))

    assert len(found(web(budget=everything))) == 1
    assert found(web(budget=nothing)) == []


def test_a_termination_that_is_past_its_drain_waits_for_no_pod() -> None:
    gone = Condition("InstanceTerminating", "True", last_transition_time=ago("1m"))
    claim = a_nodeclaim(deleted="14m", termination_grace_period="", conditions=[gone])

    assert [finding.impact.nodes for finding in found(web(claim=claim))] == [1]


def test_budgets_are_told_each_for_itself_and_workloads_by_name() -> None:
    db, api = a_statefulset("db", namespace="data"), a_deployment("api")
    cluster = a_cluster(
        a_node("n1"),
        db,
        api,
        a_pod("db-0", on="n1", of=db),
        a_pod("api-1", on="n1", of=api, labels={"tier": "front"}),
        a_pod("bare", on="n1", labels={"tier": "front"}),
        a_budget("db", namespace="data", allowed=0, max_unavailable="0%"),
        a_budget("front", selects={"tier": "front"}, allowed=0, min_available="100%"),
    )

    assert [finding.message.partition(";")[0] for finding in found(cluster)] == [
        "db never lets a pod of StatefulSet data/db be evicted (maxUnavailable: 0%)",
        "front never lets a pod of Deployment shop/api, Pod shop/bare be evicted (minAvailable: 100%)",
    ]


def test_the_fingerprint_does_not_move_with_the_pods() -> None:
    before, after = found(web())[0], found(web(claim=a_nodeclaim(conditions=[DRIFTED], termination_grace_period="")))[0]

    assert (before.owner, before.nodepool, before.cause) == (after.owner, "", after.cause)


def test_deployments_and_statefulsets_of_one_name_are_two_workloads() -> None:
    deployment: Deployment = a_deployment("web")
    stateful = a_statefulset("web", namespace="shop")
    pods = (a_pod("web-a", on="n1", of=deployment, labels=APP), a_pod("web-0", on="n1", of=stateful, labels=APP))

    assert judged(drained(deployment, stateful, *pods, never(min_available=2))) == [
        ("min-available-replicas", Severity.HIGH, Confidence.LIKELY)
    ]
