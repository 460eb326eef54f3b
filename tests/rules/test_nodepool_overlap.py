from collections.abc import Sequence

import msgspec
import pytest

from karpenter_check.finding import Evidence, Finding, Fix, Occurrence, Ref
from karpenter_check.rules.nodepool_overlap import nodepool_overlap
from karpenter_check.snapshot import NodePool, Version
from karpenter_check.snapshot.nodepool import NodeClassRef, NodePoolStatus
from tests.build import a_cluster, a_nodepool, a_uid

ZONE, ARCH = "topology.kubernetes.io/zone", "kubernetes.io/arch"


def a_ref(name: str) -> Ref:
    return Ref("NodePool", name, "karpenter.sh/v1")


def found(*nodepools: NodePool, version: Version | None = None) -> list[Finding]:
    return list(nodepool_overlap(a_cluster(*nodepools, version=version)))


def winners(*nodepools: NodePool) -> list[tuple[str, list[str]]]:
    """Each winner, and those that it shadows."""
    return [(finding.nodepool, [entry.object.name for entry in finding.occurrences]) for finding in found(*nodepools)]


def test_of_equal_nodepools_the_last_name_shadows_the_others() -> None:
    assert found(a_nodepool("api"), a_nodepool("web"), a_nodepool("batch")) == [
        Finding(
            object=a_ref("web"),
            owner=a_ref("web"),
            nodepool="web",
            cause="equal-weight",
            message="web takes every pod that batch and api could take too: of equal weight, the last name wins",
            why="they have the same taints, and no requirement or label keeps them apart; Karpenter tries web first",
            evidence=tuple(Evidence(a_ref(name), "spec.weight", "unset") for name in ("web", "batch", "api")),
            occurrences=tuple(Occurrence(a_ref(name), a_uid("NodePool", name)) for name in ("batch", "api")),
            fix=(
                Fix(
                    "fix",
                    text="give the one that shall come first a higher spec.weight, or make them exclusive by a taint or a label",
                    risk="a weight drifts no node; a taint or label drifts the nodes of its NodePool",
                ),
                Fix("verify", "karpenter-check scan --select nodepool-overlap"),
            ),
        )
    ]


def test_requirements_that_share_a_value_overlap() -> None:
    api = a_nodepool("api", requirements=[f"{ZONE} In a,b", f"{ARCH} In arm64"])
    web = a_nodepool("web", requirements=[f"{ZONE} In b,c"], labels={"team": "web"})

    assert winners(api, web) == [("web", ["api"])]


def test_the_winner_takes_them_until_its_limits_are_reached() -> None:
    (finding,) = found(a_nodepool("api"), a_nodepool("web", limits={"cpu": "100"}))

    assert finding.why.endswith("Karpenter tries web first, until its limits are reached")


def test_nodepools_of_equal_weight_and_taints_overlap_whatever_the_order_of_their_taints() -> None:
    api = a_nodepool("api", weight=10, taints=["a:NoSchedule", "b=1:NoExecute"])
    web = a_nodepool("web", weight=10, taints=["b=1:NoExecute", "a:NoSchedule"])

    assert winners(api, web) == [("web", ["api"])]


def test_a_taint_that_is_only_preferred_makes_a_nodepool_the_last_resort() -> None:
    assert winners(a_nodepool("api"), a_nodepool("web", taints=["slow:PreferNoSchedule"])) == []


def test_startup_taints_keep_nobody_off() -> None:
    assert winners(a_nodepool("api"), a_nodepool("web", startup_taints=["agent:NoSchedule"])) == [("web", ["api"])]


def test_two_that_both_want_a_label_not_to_be_there_overlap() -> None:
    api, web = (a_nodepool(name, requirements=["karpenter.k8s.aws/instance-gpu-name DoesNotExist"]) for name in ("api", "web"))

    assert winners(api, web) == [("web", ["api"])]


@pytest.mark.parametrize("version", [None, Version(1, 14)])
def test_labels_that_karpenter_adds_keep_none_apart(version: Version | None) -> None:
    other_class = NodeClassRef("EC2NodeClass", "other", "karpenter.k8s.aws")

    assert len(found(a_nodepool("api"), a_nodepool("web", node_class=other_class), version=version)) == 1


@pytest.mark.parametrize(
    "other",
    [
        a_nodepool("api", weight=10),
        a_nodepool("api", taints=["team=api:NoSchedule"]),
        a_nodepool("api", requirements=[f"{ARCH} In arm64"]),
        a_nodepool("api", requirements=["beta.kubernetes.io/arch In arm64"]),
        a_nodepool("api", labels={"team": "api"}),
        a_nodepool("api", requirements=["team DoesNotExist"]),
        a_nodepool("api", not_ready="no node class"),
        a_nodepool("api", deleted="1m"),
        a_nodepool("api", replicas=3),
        a_nodepool("api", requirements=[f"{ZONE} In a", f"{ZONE} In b"]),
        a_nodepool("api", node_class=NodeClassRef("AKSNodeClass", "default", "karpenter.azure.com")),
    ],
    ids=[
        "another weight", "another taint", "another architecture", "another name of its key", "another value of a custom label",
        "no such label", "not Ready", "being deleted", "static", "can buy nothing", "another provider",
    ],
)  # fmt: skip
def test_what_sets_two_nodepools_apart_is_fine(other: NodePool) -> None:
    assert winners(other, a_nodepool("web", requirements=[f"{ARCH} In amd64"], labels={"team": "web"})) == []


def test_a_winner_that_is_not_ready_wins_nothing() -> None:
    assert winners(a_nodepool("api"), a_nodepool("web", not_ready="no node class")) == []


def test_a_nodepool_without_a_status_as_in_a_manifest_is_judged() -> None:
    web = msgspec.structs.replace(a_nodepool("web"), status=NodePoolStatus())

    assert winners(a_nodepool("api"), web) == [("web", ["api"])]


@pytest.mark.parametrize(
    ("zones", "told"),
    [
        ({"a": "x", "b": "x", "c": "x"}, [("c", ["b", "a"])]),
        ({"a": "x", "b": "x,y", "c": "y"}, [("c", ["b"]), ("b", ["a"])]),
        ({"a": "y", "b": "x", "c": "x,y"}, [("c", ["b", "a"])]),
        ({"a": "x", "b": "y", "c": "x", "d": "y"}, [("d", ["b"]), ("c", ["a"])]),
    ],
    ids=["all alike", "a shadowed one shadows another", "one over two that are apart", "two pairs"],
)
def test_each_shadowed_nodepool_is_told_once(zones: dict[str, str], told: Sequence[tuple[str, list[str]]]) -> None:
    assert winners(*(a_nodepool(name, requirements=[f"{ZONE} In {values}"]) for name, values in zones.items())) == told


def test_of_many_the_first_are_named() -> None:
    (finding,) = found(*(a_nodepool(f"pool-{place:02}") for place in range(50)))

    assert (finding.message, len(finding.occurrences)) == (
        "pool-49 takes every pod that pool-48, pool-47, pool-46, pool-45, pool-44 and 44 more could take too: of equal weight, the last name wins",
        49,
    )


def test_one_nodepool_alone_is_fine() -> None:
    assert winners(a_nodepool()) == []
