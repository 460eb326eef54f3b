"""What comes twice, and what is wrong, on the way into a snapshot."""

from typing import Any

import msgspec
import pytest

from karpenter_check.collect.gathering import Gathering
from karpenter_check.collect.spool import Spool
from karpenter_check.snapshot import Kind


def items(*objects: dict[str, Any]) -> bytes:
    return msgspec.json.encode(objects)


def a_pod(name: str, node: str = "", **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "a"}, "spec": {"nodeName": node, **spec}}


def test_what_comes_twice_is_told_as_it_came_first_in_the_snapshot_and_in_the_file() -> None:
    with Spool() as spool:
        for gathering in (Gathering(), Gathering(spool)):
            gathering.add_items(Kind.POD, items(a_pod("x", "n1"), a_pod("y", "n1")), "page 1")
            gathering.add_items(Kind.POD, items(a_pod("y", "n2"), a_pod("z", "n2")), "page 2")
            kept = [(pod.metadata.name, pod.node_name) for pod in gathering.objects[Kind.POD].values()]
            assert kept == [("x", "n1"), ("y", "n1"), ("z", "n2")]
        assert [msgspec.json.decode(line)["metadata"]["name"] for line in spool.lines(Kind.POD)] == ["x", "y", "z"]


def test_node_classes_of_two_groups_may_have_the_same_kind_and_name() -> None:
    gathering = Gathering()
    for group in ("a.example", "b.example"):
        node_class = {"apiVersion": f"{group}/v1", "kind": "NodeClass", "metadata": {"name": "default"}}
        gathering.add_items(Kind.NODECLASS, items(node_class), group)
    assert gathering.coverage_of(Kind.NODECLASS).count == 2


def test_an_object_that_cannot_be_read_counts_once_however_often_it_comes() -> None:
    gathering = Gathering()
    bad = a_pod("bad", containers=[{"resources": {"requests": {"cpu": "much"}}}])
    for _ in range(2):
        gathering.add_items(Kind.POD, items(bad, a_pod("good")), "/api/v1/pods")
    coverage = gathering.coverage_of(Kind.POD)
    assert (coverage.count, coverage.reason, len(gathering.errors)) == (1, "1 could not be read", 1)


@pytest.mark.parametrize(
    "damaged",
    [{"volumes": [1]}, {"volumes": [{"persistentVolumeClaim": 1}]}, {"tolerations": 1}],
    ids=lambda part: next(iter(part)),
)
def test_a_damaged_pod_is_refused_with_a_file_and_without(damaged: dict[str, Any]) -> None:
    with Spool() as spool:
        for gathering in (Gathering(), Gathering(spool)):
            gathering.add_items(Kind.POD, items(a_pod("good"), a_pod("bad", **damaged)), "/api/v1/pods")
            assert [pod.metadata.name for pod in gathering.objects[Kind.POD].values()] == ["good"]
            assert [error.name for error in gathering.errors] == ["a/bad"]
