"""What a draining node waits for."""

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from karpenter_check.disruption.drain import Held, held_pods
from karpenter_check.disruption.pods import says_do_not_disrupt
from karpenter_check.snapshot import Snapshot, Version
from karpenter_check.snapshot.metadata import Metadata, OwnerReference
from karpenter_check.snapshot.pod import PodShapes
from karpenter_check.snapshot.pod_object import PodObject, PodSpec, PodStatus
from karpenter_check.snapshot.workload import PodDisruptionBudget, PodDisruptionBudgetSpec, PodDisruptionBudgetStatus
from tests.build import NOON, Thing, a_budget, a_cluster, a_daemonset, a_deployment, a_node, a_nodeclaim, a_pod, ago

WEB = {"app": "web"}


def a_drain(*things: Thing, version: Version | None = None) -> Snapshot:
    return a_cluster(a_node("n1", deleted="10m"), *things, version=version)


def held(cluster: Snapshot) -> list[tuple[str, str, bool]]:
    return [(entry.pod.metadata.name, entry.by, entry.for_ever) for entry in held_pods(cluster, "n1")]


def test_an_ordinary_pod_is_on_its_way_out() -> None:
    cluster = a_drain(a_pod("web-1", on="n1"))

    assert held_pods(cluster, "n1") == (Held(cluster.pods[0], "", for_ever=False),)


def test_a_pod_that_says_do_not_disrupt_stays_for_ever() -> None:
    web = a_deployment("web")

    assert held(a_drain(web, a_pod("web-1", on="n1", of=web, do_not_disrupt="true"))) == [
        ("web-1", 'karpenter.sh/do-not-disrupt: "true"', True)
    ]


def test_a_bare_pod_that_says_do_not_disrupt_may_finish_as_ci_runners_do() -> None:
    assert held(a_drain(a_pod("build", on="n1", do_not_disrupt="true"))) == [
        ("build", 'karpenter.sh/do-not-disrupt: "true"', False)
    ]


def test_a_pod_that_says_do_not_disrupt_for_a_time_stays_until_then() -> None:
    assert held(a_drain(a_pod("web-1", on="n1", age="50m", do_not_disrupt="1h"))) == [
        ("web-1", 'karpenter.sh/do-not-disrupt: "1h"', False)
    ]


def test_a_pod_in_two_budgets_stays_for_ever_whatever_they_allow() -> None:
    budgets = (a_budget("b", selects=WEB), a_budget("a"))

    assert held(a_drain(*budgets, a_pod("web-1", on="n1", labels=WEB))) == [
        ("web-1", "two PodDisruptionBudgets (a and b), which eviction refuses", True)
    ]


@pytest.mark.parametrize(
    ("budget", "by"),
    [
        (a_budget("web", selects=WEB, allowed=0), "PodDisruptionBudget web, which allows no disruption now"),
        (a_budget("everything", allowed=0), "PodDisruptionBudget everything, which allows no disruption now"),
        (a_budget("web", selects=WEB, allowed=1), ""),
        (a_budget("api", selects={"app": "api"}, allowed=0), ""),
        (a_budget("web", namespace="data", selects=WEB, allowed=0), ""),
        (PodDisruptionBudget(Metadata("none", "shop"), PodDisruptionBudgetSpec(None), PodDisruptionBudgetStatus(0)), ""),
    ],
)
def test_a_budget_that_allows_nothing_holds_its_pods_for_now(budget: PodDisruptionBudget, by: str) -> None:
    assert held(a_drain(budget, a_pod("web-1", on="n1", labels=WEB))) == [("web-1", by, False)]


def test_eviction_asks_no_budget_for_a_pod_that_is_pending() -> None:
    budgets = (a_budget("a", allowed=0), a_budget("b"))

    assert held(a_drain(*budgets, a_pod("starting", on="n1", phase="Pending"))) == [("starting", "", False)]


def test_nothing_holds_a_pod_that_is_being_deleted() -> None:
    leaving = a_pod("leaving", on="n1", deleted="30s", do_not_disrupt="true")

    assert held(a_drain(a_budget("a", allowed=0), leaving)) == [("leaving", "", False)]


def a_static_pod() -> PodObject:
    owner = OwnerReference("Node", "n1", "uid", "v1", controller=True)
    return PodObject(Metadata("static-n1", "kube-system", owner_references=(owner,)), PodSpec("n1"), PodStatus("Running"))


@pytest.mark.parametrize(
    "pod",
    [
        a_pod("finished", on="n1", phase="Succeeded"),
        a_pod("crashed", on="n1", phase="Failed"),
        a_pod("everywhere", on="n1", tolerations=["*"], do_not_disrupt="true"),
        a_pod("knows-karpenter", on="n1", tolerations=["karpenter.sh/disrupted:NoSchedule"]),
        a_pod("stuck", on="n1", deleted="61s"),
        a_static_pod(),
    ],
    ids=lambda pod: pod.metadata.name,
)
def test_a_drain_does_not_wait_for(pod: PodObject) -> None:
    assert held(a_drain(pod)) == []


def test_a_drain_waits_for_what_tolerates_other_taints() -> None:
    pod = a_pod("other", on="n1", tolerations=["karpenter.sh/disrupted:NoExecute", "gpu:NoSchedule"])

    assert held(a_drain(pod)) == [("other", "", False)]


def test_what_stays_for_ever_comes_first_and_what_leaves_comes_last() -> None:
    cluster = a_drain(
        a_node("n2"),
        a_budget("slow", selects={"app": "slow"}, allowed=0),
        a_pod("b-leaves", on="n1"),
        a_pod("a-leaves", on="n1"),
        a_pod("waits", on="n1", labels={"app": "slow"}),
        a_pod("stays", on="n1", do_not_disrupt="true"),
        a_pod("elsewhere", on="n2", do_not_disrupt="true"),
    )

    assert [name for name, _, _ in held(cluster)] == ["stays", "waits", "a-leaves", "b-leaves"]


OLD, NEW = Version(1, 11), Version(1, 12)


@pytest.mark.parametrize(
    ("value", "version", "holds"),
    [
        ("true", OLD, True),
        ("true", NEW, True),
        ("true", None, True),
        ("2h", OLD, False),
        ("2h", NEW, True),
        ("2h", None, True),
        ("1h", NEW, False),
        ("1h0m1s", NEW, True),
        ("0s", NEW, False),
        ("-2h", NEW, False),
        ("", NEW, False),
        ("false", NEW, False),
        ("True", NEW, False),
        ("yes", NEW, False),
        ("1", NEW, False),
        ("1d", NEW, False),
        ("99999999999999999h", NEW, False),
    ],
)
def test_a_pod_of_an_hour_says_do_not_disrupt(value: str, version: Version | None, holds: bool) -> None:  # noqa: FBT001  the expectation
    pod = PodShapes().share(a_pod("web", on="n1", age="1h", do_not_disrupt=value))

    assert says_do_not_disrupt(pod, NOON, version) is holds


def test_of_a_pod_that_has_not_started_the_time_has_not_begun() -> None:
    pod = PodShapes().share(a_pod("web", age="1h", do_not_disrupt="1s"))

    assert says_do_not_disrupt(pod, NOON, NEW)


@pytest.mark.parametrize(("ready", "by"), [(True, "PodDisruptionBudget a, which allows no disruption now"), (False, "")])
def test_a_budget_may_let_go_of_pods_that_are_not_ready(ready: bool, by: str) -> None:  # noqa: FBT001  a row of the table above
    budget = a_budget("a", allowed=0, unhealthy_pods="AlwaysAllow")

    assert held(a_drain(budget, a_pod("web-1", on="n1", ready=ready))) == [("web-1", by, False)]


LOGS = a_daemonset("logs", tolerations=())
DNS = a_daemonset("dns", tolerations=(), priority_class="system-node-critical")


def tiers(cluster: Snapshot) -> dict[str, tuple[int, bool]]:
    return {entry.pod.metadata.name: (entry.tier, entry.turn) for entry in held_pods(cluster, "n1")}


def test_pods_go_in_four_tiers_and_only_the_first_has_its_turn() -> None:
    critical = a_pod("critical", on="n1", priority_class="system-cluster-critical")
    cluster = a_drain(
        LOGS, DNS, a_pod("web", on="n1"), a_pod("logs-1", on="n1", of=LOGS), a_pod("dns-1", on="n1", of=DNS), critical
    )

    assert tiers(cluster) == {"web": (1, True), "logs-1": (2, False), "critical": (3, False), "dns-1": (4, False)}


def test_a_pod_that_is_never_evicted_holds_back_the_tiers_behind_it_since_1_1() -> None:
    things = (LOGS, a_pod("web", on="n1", do_not_disrupt="true"), a_pod("logs-1", on="n1", of=LOGS))

    assert tiers(a_drain(*things, version=Version(1, 1))) == {"web": (1, True), "logs-1": (2, False)}
    assert tiers(a_drain(*things)) == {"web": (1, True), "logs-1": (2, False)}
    assert tiers(a_drain(*things, version=Version(1, 0, 9))) == {"web": (1, False), "logs-1": (2, True)}


def ends(*things: Thing, version: Version | None = None, grace_period: str = "1h") -> list[tuple[object, object]]:
    """Until when the pods of a node that is deleted for ten minutes are waited for, and when they go by force."""
    claim = a_nodeclaim(deleted="10m", termination_grace_period=grace_period)
    return [(entry.until, entry.forced) for entry in held_pods(a_drain(claim, *things, version=version), "n1")]


def test_a_pod_goes_by_force_its_own_grace_before_the_nodes_forced_end() -> None:
    assert ends(a_pod("web", on="n1", grace=30)) == [(None, ago("-49m30s"))]
    assert ends(a_pod("slow", on="n1", grace=7200)) == [(None, ago("70m"))], "it was due before the deletion: at once"
    assert ends(a_pod("for-ever", on="n1", grace=1 << 62)) == [(None, datetime.min.replace(tzinfo=UTC))]
    assert ends(a_pod("unsaid", on="n1", grace=None)) == [(None, None)]
    assert ends(a_pod("web", on="n1"), grace_period="") == [(None, None)]


def test_a_pod_that_is_being_deleted_is_waited_for_until_a_minute_after_its_end() -> None:
    assert ends(a_pod("leaving", on="n1", deleted="-5m")) == [(ago("-6m"), None)]


def test_a_pod_that_takes_longer_than_the_node_has_is_hurried_since_1_6() -> None:
    slow = a_pod("slow", on="n1", deleted="-2h", grace=60)

    assert ends(slow, version=Version(1, 6)) == [(ago("-2h1m"), ago("-49m"))]
    assert ends(slow, version=Version(1, 5)) == [(ago("-2h1m"), None)]


def test_what_lies_beyond_the_calendar_is_never() -> None:
    last = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    leaving, asking = a_pod("leaving", on="n1", deleted="-5m"), a_pod("asking", on="n1", do_not_disrupt="1h")
    leaving = replace(leaving, metadata=replace(leaving.metadata, deletion_timestamp=last))
    asking = replace(asking, status=replace(asking.status, start_time=last))

    assert [(entry.pod.metadata.name, entry.until) for entry in held_pods(a_drain(leaving, asking), "n1")] == [
        ("asking", None),
        ("leaving", None),
    ]


def test_a_pod_that_asks_not_to_be_disrupted_for_a_time_says_until_when() -> None:
    assert ends(a_pod("job", on="n1", age="50m", do_not_disrupt="1h")) == [(ago("-10m"), ago("-49m30s"))]


def test_three_budgets_are_counted() -> None:
    budgets = (a_budget("a"), a_budget("b"), a_budget("c"))

    assert held(a_drain(*budgets, a_pod("web", on="n1"))) == [
        ("web", "three PodDisruptionBudgets (a and b and c), which eviction refuses", True)
    ]


def test_a_pod_that_is_not_ready_goes_where_as_many_others_are_healthy_as_must_be() -> None:
    budget = a_budget("a", allowed=0, healthy=2, desired_healthy=2)

    assert held(a_drain(budget, a_pod("web", on="n1", ready=False))) == [("web", "", False)]


def test_before_1_0_another_taint_tells_what_is_not_waited_for() -> None:
    old = a_pod("old", on="n1", tolerations=["karpenter.sh/disruption=disrupting:NoSchedule"])

    assert held(a_drain(old, version=Version(0, 37))) == []
    assert held(a_drain(old)) == [("old", "", False)]


def test_a_budget_that_never_allows_anything_holds_its_pods_for_ever() -> None:
    budget = a_budget("web", selects=WEB, allowed=0, max_unavailable=0)

    assert held(a_drain(budget, a_pod("web-1", on="n1", labels=WEB))) == [
        ("web-1", "PodDisruptionBudget web, which never allows a disruption (maxUnavailable: 0)", True)
    ]


@pytest.mark.parametrize(("replicas", "expected", "for_ever"), [(1, 1, True), (2, 1, False), (1, 2, False)])
def test_a_budget_of_a_number_holds_for_ever_where_its_workload_wants_no_more_pods(
    replicas: int,
    expected: int,
    for_ever: bool,  # noqa: FBT001  the expectation
) -> None:
    web, budget = (
        a_deployment("web", replicas=replicas),
        a_budget("web", selects=WEB, allowed=0, min_available=expected, expected=expected),
    )

    assert [entry[2] for entry in held(a_drain(web, budget, a_pod("web-1", on="n1", of=web, labels=WEB)))] == [for_ever]


def test_a_budget_of_a_number_does_not_hold_for_ever_where_nobody_knows_how_many_pods_are_wanted() -> None:
    budget = a_budget("web", selects=WEB, allowed=0, min_available=1, expected=1)

    assert [entry[2] for entry in held(a_drain(budget, a_pod("web-1", on="n1", labels=WEB)))] == [False]


def test_a_jobs_pod_that_says_do_not_disrupt_stays_until_the_job_is_done() -> None:
    job = a_pod("train", on="n1", do_not_disrupt="true")
    owner = OwnerReference("Job", "train", "uid", "batch/v1", controller=True)
    job = replace(job, metadata=replace(job.metadata, owner_references=(owner,)))

    assert held(a_drain(job)) == [("train", 'karpenter.sh/do-not-disrupt: "true"', False)]


def test_what_keeps_a_pod_is_named_by_its_budgets() -> None:
    cluster = a_drain(a_budget("b", selects=WEB), a_budget("a"), a_pod("web-1", on="n1", labels=WEB), a_pod("x", on="n1"))

    assert [[str(ref) for ref in entry.budgets] for entry in held_pods(cluster, "n1")] == [
        ["PodDisruptionBudget shop/b", "PodDisruptionBudget shop/a"],
        [],
    ]
