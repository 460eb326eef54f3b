"""What would hold a drain for ever."""

import pytest

from karpenter_check.disruption.blocker import Blocker, Lasts, Word
from karpenter_check.disruption.endless import endless
from karpenter_check.scheduling.nomination import pod_ref
from karpenter_check.snapshot import Ref, Snapshot, Version
from tests.build import Thing, a_budget, a_cluster, a_daemonset, a_deployment, a_node, a_pod

WEB = {"app": "web"}


def a_node_with(*things: Thing, version: Version | None = None) -> Snapshot:
    return a_cluster(a_node("n1"), *things, version=version)


def held_by(cluster: Snapshot) -> tuple[Blocker, ...]:
    return endless(cluster, cluster.nodes[0])


def words(cluster: Snapshot) -> list[Word]:
    return [blocker.word for blocker in held_by(cluster)]


def test_a_pod_of_a_deployment_that_says_do_not_disrupt_holds_it() -> None:
    cluster = a_node_with(a_pod("web", on="n1", of=a_deployment(), do_not_disrupt="true"), a_pod("other", on="n1"))

    assert held_by(cluster) == (
        Blocker(
            Word.DO_NOT_DISRUPT_POD,
            'Pod shop/web says karpenter.sh/do-not-disrupt: "true"',
            (pod_ref(cluster.pods[0]),),
            lasts=Lasts.FOR_EVER,
        ),
    )


def test_a_budget_that_never_allows_holds_it() -> None:
    cluster = a_node_with(
        a_pod("web", on="n1", of=a_deployment(), labels=WEB), a_budget("web", selects=WEB, allowed=0, max_unavailable=0)
    )

    assert words(cluster) == [Word.PDB]


@pytest.mark.parametrize("version", [None, Version(1, 3), Version(1, 13)])
def test_two_budgets_hold_it_whether_karpenter_minds_them_or_not(version: Version | None) -> None:
    pods = [a_pod(name, on="n1", of=a_deployment(), labels=WEB) for name in ("web-1", "web-2")]
    cluster = a_node_with(
        *pods, a_budget("a", selects=WEB, allowed=0, max_unavailable=0), a_budget("b", selects=WEB), version=version
    )

    assert held_by(cluster) == (
        Blocker(
            Word.MULTIPLE_PDBS,
            "PodDisruptionBudgets a and b match Pod shop/web-1 and 1 more together, and eviction refuses that",
            (
                Ref("PodDisruptionBudget", "a", "policy/v1", "shop"),
                Ref("PodDisruptionBudget", "b", "policy/v1", "shop"),
                *map(pod_ref, cluster.pods),
            ),
            lasts=Lasts.FOR_EVER,
        ),
    )


@pytest.mark.parametrize(
    "things",
    [
        [a_pod("bare", on="n1", do_not_disrupt="true")],
        [a_pod("web", on="n1", of=a_deployment(), do_not_disrupt="8h")],
        [a_pod("web", on="n1", of=a_deployment(), do_not_disrupt="true", tolerations=["*"])],
        [a_pod("web", on="n1", of=a_deployment(), do_not_disrupt="true", phase="Succeeded")],
        [a_pod("logs", on="n1", of=a_daemonset(), do_not_disrupt="true")],
        [a_pod("web", on="n1", labels=WEB), a_budget("web", selects=WEB, allowed=0, max_unavailable=1, expected=2)],
        [a_pod("web", on="n1", labels=WEB, phase="Pending"), a_budget("web", selects=WEB, allowed=0, max_unavailable=0)],
        [a_pod("web", on="n1", labels=WEB, tolerations=["*"]), a_budget("web", selects=WEB, allowed=0, max_unavailable=0)],
    ],
    ids=[
        "a bare pod may finish",
        "a duration passes",
        "who tolerates the taint is not waited for",
        "a pod has finished",
        "a DaemonSet's pod tolerates everything",
        "a budget allows later",
        "evictions of pending pods ask no budget",
        "who tolerates the taint is not evicted",
    ],
)  # fmt: skip
def test_what_ends_by_itself_or_is_not_waited_for_does_not_hold_it(things: list[Thing]) -> None:
    assert words(a_node_with(*things)) == []
