"""Whose work a blocker is."""

from karpenter_check.disruption.blocker import Blocker
from karpenter_check.disruption.blockers import blockers
from karpenter_check.disruption.responsible import responsible
from karpenter_check.snapshot import Ref
from tests.build import Thing, a_budget, a_cluster, a_deployment, a_node, a_pod

WEB = a_deployment("web")
DEPLOYMENT = Ref("Deployment", "web", "apps/v1", "shop")
LABELS = {"app": "web"}


def of_the_blockers(*things: Thing) -> list[tuple[Ref, ...]]:
    node = a_node("n1")
    cluster = a_cluster(node, *things)
    return [responsible(cluster, blocker) for blocker in blockers(cluster, node)]


def a_budget_ref(name: str) -> Ref:
    return Ref("PodDisruptionBudget", name, "policy/v1", "shop")


def test_a_pod_that_says_do_not_disrupt_is_its_workloads() -> None:
    assert of_the_blockers(WEB, a_pod("web-1", on="n1", of=WEB, do_not_disrupt="true")) == [(DEPLOYMENT,)]


def test_a_bare_pod_is_its_own() -> None:
    assert of_the_blockers(a_pod("bare", on="n1", do_not_disrupt="true")) == [(Ref("Pod", "bare", "v1", "shop"),)]


def test_a_budget_keeps_pods_that_cannot_help_it() -> None:
    pods = [a_pod(f"web-{place}", on="n1", of=WEB, labels=LABELS) for place in (1, 2)]

    assert of_the_blockers(WEB, *pods, a_budget("web", selects=LABELS, allowed=0)) == [(a_budget_ref("web"),)]


def test_of_several_budgets_that_match_the_same_pods_the_workload_is_one_as_well() -> None:
    pods = [a_pod(f"web-{place}", on="n1", of=WEB, labels=LABELS) for place in (1, 2)]
    budgets = [a_budget(name, selects=LABELS) for name in ("one", "two")]

    assert of_the_blockers(WEB, *pods, *budgets) == [(a_budget_ref("one"), a_budget_ref("two"), DEPLOYMENT)]


def test_a_node_that_says_it_itself_is_responsible() -> None:
    node = a_node("n1", do_not_disrupt="true")
    cluster = a_cluster(node)

    assert [responsible(cluster, blocker) for blocker in blockers(cluster, node)] == [(Ref("Node", "n1", "v1"),)]


def test_a_pod_that_is_not_listed_stands_for_itself() -> None:
    gone = Ref("Pod", "gone", "v1", "shop")
    (blocker,) = blockers(a_cluster(a_node("n1"), a_pod("gone", on="n1", do_not_disrupt="true")), a_node("n1"))

    assert responsible(a_cluster(), Blocker(blocker.word, blocker.said, blocker.objects)) == (gone,)
