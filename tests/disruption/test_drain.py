"""What a draining node waits for."""

import pytest

from karpenter_check.disruption.drain import Held, held_pods
from karpenter_check.disruption.pods import says_do_not_disrupt
from karpenter_check.snapshot import Snapshot, Version
from karpenter_check.snapshot.metadata import Metadata, OwnerReference
from karpenter_check.snapshot.pod import PodShapes
from karpenter_check.snapshot.pod_object import PodObject, PodSpec, PodStatus
from karpenter_check.snapshot.workload import PodDisruptionBudget, PodDisruptionBudgetSpec, PodDisruptionBudgetStatus
from tests.build import NOON, Thing, a_budget, a_cluster, a_node, a_pod

WEB = {"app": "web"}


def a_drain(*things: Thing, version: Version | None = None) -> Snapshot:
    return a_cluster(a_node("n1", deleted="10m"), *things, version=version)


def held(cluster: Snapshot) -> list[tuple[str, str, bool]]:
    return [(entry.pod.metadata.name, entry.by, entry.for_ever) for entry in held_pods(cluster, "n1")]


def test_an_ordinary_pod_is_on_its_way_out() -> None:
    cluster = a_drain(a_pod("web-1", on="n1"))

    assert held_pods(cluster, "n1") == (Held(cluster.pods[0], "", for_ever=False),)


def test_a_pod_that_says_do_not_disrupt_stays_for_ever() -> None:
    assert held(a_drain(a_pod("web-1", on="n1", do_not_disrupt="true"))) == [("web-1", 'karpenter.sh/do-not-disrupt: "true"', True)]


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
