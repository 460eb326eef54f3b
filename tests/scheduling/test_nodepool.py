"""NodePools as Karpenter weighs them: their order, and what keeps one from buying anything, or enough, for anybody."""

import msgspec
import pytest

from karpenter_check.scheduling.nodepool import (
    BeingDeleted,
    Invalid,
    LimitReached,
    NothingToBuy,
    NotReady,
    Static,
    Unavailable,
    in_order,
    limits_reached,
    nothing_to_buy,
    remaining,
    unavailable,
)
from karpenter_check.scheduling.requirement import Requirement
from karpenter_check.scheduling.template import template_of_nodepool
from karpenter_check.scheduling.validation import Violation
from karpenter_check.snapshot import NodePool, Version
from karpenter_check.snapshot.metadata import Condition
from karpenter_check.snapshot.nodepool import NodePoolStatus
from tests.build import a_cluster, a_nodepool

GIBIBYTE = 1024**3 * 1000
ZONE = "topology.kubernetes.io/zone"


def test_the_heaviest_comes_first_and_of_equal_ones_the_last_name() -> None:
    cluster = a_cluster(
        a_nodepool("b"), a_nodepool("light", weight=1), a_nodepool("c"), a_nodepool("heavy", weight=100), a_nodepool("a", weight=1)
    )

    assert [nodepool.name for nodepool in in_order(cluster)] == ["heavy", "light", "a", "c", "b"]


def test_what_remains_of_each_limit() -> None:
    nodepool = a_nodepool(limits={"cpu": "10", "memory": "8Gi", "nodes": "3"}, used={"cpu": "4500m", "pods": "110", "nodes": "2"})

    assert remaining(nodepool) == {"cpu": (10_000, 4500), "memory": (8 * GIBIBYTE, 0), "nodes": (3000, 2000)}
    assert remaining(a_nodepool(used={"cpu": "4"})) == {}


@pytest.mark.parametrize(
    ("limits", "used", "asked", "reached"),
    [
        ({}, {"cpu": "4"}, {"cpu": 1000}, []),
        ({"cpu": "10"}, {"cpu": "4"}, {"cpu": 6000}, []),
        ({"cpu": "10"}, {"cpu": "4"}, {"cpu": 6001}, [LimitReached("cpu", 10_000, 4000, 6001)]),
        ({"cpu": "10"}, {"cpu": "10"}, {}, [LimitReached("cpu", 10_000, 10_000, 0)]),
        ({"cpu": "10"}, {"cpu": "12"}, {}, [LimitReached("cpu", 10_000, 12_000, 0)]),
        ({"cpu": "0"}, {}, {}, [LimitReached("cpu", 0, 0, 0)]),
        ({"memory": "8Gi"}, {"memory": "8Gi"}, {}, [LimitReached("memory", 8 * GIBIBYTE, 8 * GIBIBYTE, 0)]),
        ({"nodes": "3"}, {"nodes": "2"}, {"nodes": 1000}, []),
        ({"nodes": "3"}, {"nodes": "3"}, {"nodes": 1000}, [LimitReached("nodes", 3000, 3000, 1000)]),
        ({"nvidia.com/gpu": "2"}, {"nvidia.com/gpu": "2"}, {"cpu": 1000}, []),  # an instance may have none
        ({"nvidia.com/gpu": "0"}, {}, {"nvidia.com/gpu": 1000}, [LimitReached("nvidia.com/gpu", 0, 0, 1000)]),
        (
            {"cpu": "1", "memory": "1Gi"},
            {},
            {"cpu": 2000, "memory": 2 * GIBIBYTE},
            [LimitReached("cpu", 1000, 0, 2000), LimitReached("memory", GIBIBYTE, 0, 2 * GIBIBYTE)],
        ),
    ],
)
def test_a_limit_is_reached(
    limits: dict[str, str], used: dict[str, str], asked: dict[str, int], reached: list[LimitReached]
) -> None:
    assert list(limits_reached(a_nodepool(limits=limits, used=used), asked)) == reached


def test_a_limit_that_is_reached_reads_as() -> None:
    nodepool = a_nodepool(
        limits={"cpu": "10", "memory": "8Gi", "nodes": "3", "nvidia.com/gpu": "2", "ephemeral-storage": "1Gi"},
        used={"cpu": "9500m", "memory": "9Gi", "nodes": "3", "nvidia.com/gpu": "1"},
    )
    asked = {"cpu": 600, "nodes": 1000, "nvidia.com/gpu": 2000, "ephemeral-storage": 2 * GIBIBYTE}

    assert [str(entry) for entry in limits_reached(nodepool, asked)] == [
        "limit reached: 500m of 10 cpu left, 600m needed",
        "limit reached: 0 of 8Gi memory left",
        "limit reached: 3 of 3 nodes",
        "limit reached: 1 of 2 nvidia.com/gpu left, 2 needed",
        "limited to 1Gi ephemeral-storage, 2Gi needed",
    ]


@pytest.mark.parametrize(
    ("nodepool", "empty"),
    [
        (a_nodepool(), None),
        (a_nodepool(requirements=[f"{ZONE} In a,b", f"{ZONE} NotIn a"]), None),
        (a_nodepool(requirements=[f"{ZONE} In a", f"{ZONE} In b"]), ZONE),
        (a_nodepool(requirements=[f"{ZONE} In a"], labels={ZONE: "b"}), ZONE),
        (a_nodepool(requirements=[f"{ZONE} DoesNotExist"]), ZONE),
        (a_nodepool(requirements=["failure-domain.beta.kubernetes.io/zone In a", f"{ZONE} In b"]), ZONE),
        (a_nodepool(requirements=["karpenter.k8s.aws/instance-cpu Gt 8", "karpenter.k8s.aws/instance-cpu Lt 4"]),
         "karpenter.k8s.aws/instance-cpu"),
        (a_nodepool(requirements=["karpenter.k8s.aws/instance-gpu-count DoesNotExist"]), None),  # most instances have none
        (a_nodepool(requirements=["team In a", "team In b"]), None),
    ],
)  # fmt: skip
def test_there_is_nothing_to_buy_where_no_value_is_left_of_what_every_instance_has(nodepool: NodePool, empty: str | None) -> None:
    expected = Requirement.of(empty, "DoesNotExist") if empty else None

    assert nothing_to_buy(template_of_nodepool(nodepool)) == expected


@pytest.mark.parametrize(
    ("nodepool", "why", "reads"),
    [
        (a_nodepool(deleted="1m"), BeingDeleted(), "is being deleted"),
        (a_nodepool(replicas=0), Static(0), "is static (0 replicas): it buys nothing for pods"),
        (
            a_nodepool(not_ready="NodeClassReady=False"),
            NotReady("UnhealthyDependents", "NodeClassReady=False"),
            "is not Ready (UnhealthyDependents: NodeClassReady=False)",
        ),
        (
            a_nodepool(labels={"team": "-"}),
            Invalid(
                Violation(
                    "spec.template.metadata.labels[team]",
                    "-",
                    "the value '-' may hold only letters, digits, -, _ and ., and begins and ends with a letter or digit",
                )
            ),
            (
                "is not valid: spec.template.metadata.labels[team]: "
                "the value '-' may hold only letters, digits, -, _ and ., and begins and ends with a letter or digit"
            ),
        ),
        (
            a_nodepool(requirements=[f"{ZONE} In a", f"{ZONE} In b"]),
            NothingToBuy(Requirement.of(ZONE, "DoesNotExist")),
            f"can buy nothing: its requirements leave no {ZONE}",
        ),
    ],
    ids=["being deleted", "static", "not ready", "invalid", "nothing to buy"],
)
def test_a_nodepool_buys_nothing(nodepool: NodePool, why: Unavailable, reads: str) -> None:
    assert unavailable(a_cluster(nodepool, a_nodepool("sound"))) == {"default": (why,), "sound": ()}
    assert str(why) == reads


def test_all_that_keeps_it_from_buying_is_named_and_of_what_is_invalid_the_first() -> None:
    nodepool = a_nodepool(
        deleted="1m", replicas=2, not_ready="gone", labels={"a": "-", "b": "-"}, requirements=[f"{ZONE} In a", f"{ZONE} In b"]
    )

    assert [entry.cause for entry in unavailable(a_cluster(nodepool))["default"]] == [
        "nodepool:deleted",
        "nodepool:static",
        "nodepool:not-ready",
        "nodepool:invalid",
        "nodepool:nothing-to-buy",
    ]


@pytest.mark.parametrize(
    ("status", "why"),
    [
        (NodePoolStatus(), ()),  # as in a manifest
        (NodePoolStatus((Condition("Ready", "Unknown"),)), (NotReady("", ""),)),
        (NodePoolStatus((Condition("Ready", "True"), Condition("ValidationSucceeded", "Unknown"))), ()),
    ],
)
def test_readiness_counts_where_there_is_a_status(status: NodePoolStatus, why: tuple[Unavailable, ...]) -> None:
    assert unavailable(a_cluster(msgspec.structs.replace(a_nodepool(), status=status))) == {"default": why}


def test_what_is_valid_depends_on_the_version() -> None:
    nodepool = a_nodepool(requirements=["team Gte 4"])

    assert [len(unavailable(a_cluster(nodepool, version=version))["default"]) for version in (Version(1, 8), Version(1, 9))] == [
        1,
        0,
    ]


def test_why_a_nodepool_is_not_ready_may_be_unsaid_or_long() -> None:
    assert [str(NotReady("", "")), str(NotReady("Gone", "")), len(str(NotReady("Gone", "x" * 76_000)))] == [
        "is not Ready",
        "is not Ready (Gone)",
        len("is not Ready (Gone: )") + 400 + len("… (+75600 characters)"),
    ]
