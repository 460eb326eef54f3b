"""Karpenter's own answers about one pod: whether it is looked at, what takes it, and which ports clash (tests/vectors/README.md)."""

import gzip
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from karpenter_check.scheduling.host_ports import clash
from karpenter_check.scheduling.ignored import ignored
from karpenter_check.scheduling.labels import provider_of
from karpenter_check.scheduling.pod import pod_requirements, required_terms
from karpenter_check.scheduling.refusal import NoOverlap, UndefinedLabel, UntoleratedTaint
from karpenter_check.scheduling.requirement import Requirement
from karpenter_check.scheduling.requirements import Requirements
from karpenter_check.scheduling.taints import untolerated
from karpenter_check.scheduling.verdict import verdicts
from karpenter_check.snapshot import Node, NodePool, Snapshot, Version
from karpenter_check.snapshot.metadata import Condition
from karpenter_check.snapshot.nodepool import NodeClassRef
from karpenter_check.snapshot.pod import Pod, PodShapes
from karpenter_check.snapshot.pod_object import PodObject
from tests.build import NOON, a_nodepool

VECTORS = Path(__file__).parent.parent / "vectors"
GROUPS = {"aws": "karpenter.k8s.aws", "kwok": "karpenter.kwok.sh"}


class Vector(msgspec.Struct, rename="camel"):
    """One question put to Karpenter 1.13, and what it answered."""

    id: str
    provider: str
    pod: PodObject
    expect: dict[str, bool | int | str]
    node_pool: NodePool | None = None
    node: Node | None = None
    other: PodObject | None = None

    @property
    def waiting(self) -> Pod:
        """The pod, called Unschedulable by its scheduler."""
        return replace(PodShapes().share(self.pod), scheduled=Condition("PodScheduled", "False", "Unschedulable"))

    @property
    def snapshot(self) -> Snapshot:
        """A cluster with the NodePool, or with any one of the provider."""
        nodepool = self.node_pool or a_nodepool(node_class=NodeClassRef("NodeClass", "default", GROUPS[self.provider]))
        return Snapshot(NOON, karpenter_version=Version(1, 13), nodepools=(nodepool,))


def is_looked_at(vector: Vector) -> bool:
    return ignored(vector.snapshot, vector.waiting) is None


def is_taken(vector: Vector) -> bool:
    """By taints and labels, whatever else is wrong with the NodePool."""
    (verdict,) = verdicts(vector.snapshot, vector.waiting.shape)
    return not any(isinstance(entry, UntoleratedTaint | UndefinedLabel | NoOverlap) for entry in verdict.hindrances)


def node_admits(vector: Vector) -> bool:
    assert vector.node is not None
    shape, provider = vector.waiting.shape, provider_of(GROUPS[vector.provider])
    labels = Requirements.of(
        Requirement.of(provider.normalize(key), "In", (value,)) for key, value in vector.node.metadata.labels.items()
    )
    asked = pod_requirements(provider, shape.node_selector, required_terms(shape)[:1])
    return not any(labels.refusals(asked, None))


def node_is_tolerated(vector: Vector) -> bool:
    assert vector.node is not None
    return not any(untolerated(vector.node.spec.taints, vector.pod.spec.tolerations))


def ports_clash(vector: Vector) -> bool:
    assert vector.other is not None
    shapes = PodShapes()
    mine, theirs = (shapes.shape(pod.spec)[0].host_ports for pod in (vector.pod, vector.other))
    return any(clash(one, other) for one in mine for other in theirs)


def vectors(name: str) -> Iterator[Vector]:
    decoder = msgspec.json.Decoder(Vector)
    for line in gzip.decompress((VECTORS / f"{name}.jsonl.gz").read_bytes()).splitlines():
        yield decoder.decode(line)


@pytest.mark.parametrize(
    ("name", "answer", "ours"),
    [
        ("podvalidate", "valid", is_looked_at),
        ("relax", "takes", is_taken),
        ("existing", "compatible", node_admits),
        ("existing", "tolerates", node_is_tolerated),
        ("hostports", "conflicts", ports_clash),
    ],
)
def test_karpenter_answers_the_same(name: str, answer: str, ours: Callable[[Vector], bool]) -> None:
    asked = list(vectors(name))
    wrong = [
        f"case {vector.id}: Karpenter: {vector.expect}; we: {said}"
        for vector in asked
        if (said := ours(vector)) is not vector.expect[answer]
    ]

    assert (len(asked), wrong) == (800, [])
