"""Karpenter's own answers about pods on nodes that are disrupted (tests/vectors/README.md)."""

import gzip
from datetime import datetime
from functools import cache
from pathlib import Path

import msgspec

from karpenter_check.disruption.pods import is_disruptable, is_drainable, is_evictable, is_reschedulable, says_do_not_disrupt
from karpenter_check.snapshot.pod import PodShapes
from karpenter_check.snapshot.pod_object import PodObject

VECTORS = Path(__file__).parent.parent / "vectors"


class Answers(msgspec.Struct, rename="camel", frozen=True):
    """Karpenter's predicates of a pod."""

    evictable: bool
    disruptable: bool
    drainable: bool
    do_not_disrupt_active: bool
    reschedulable: bool


class Vector(msgspec.Struct):
    """A pod put to Karpenter."""

    id: str
    now: datetime
    pod: PodObject
    expect: Answers


@cache
def vectors() -> list[Vector]:
    lines = gzip.decompress((VECTORS / "podstate.jsonl.gz").read_bytes()).splitlines()
    return [msgspec.json.decode(line, type=Vector) for line in lines]


def answered(vector: Vector) -> Answers:
    pod = PodShapes().share(vector.pod)
    return Answers(
        is_evictable(pod, vector.now, None),
        is_disruptable(pod, vector.now, None),
        is_drainable(pod, vector.now),
        says_do_not_disrupt(pod, vector.now, None),
        is_reschedulable(pod),
    )


def test_every_predicate_answers_as_karpenters() -> None:
    wrong = [(vector.id, answered(vector)) for vector in vectors() if answered(vector) != vector.expect]

    assert (len(vectors()), wrong) == (400, [])


def test_both_answers_of_each_predicate_were_asked_for() -> None:
    for predicate in Answers.__struct_fields__:
        assert {getattr(vector.expect, predicate) for vector in vectors()} == {True, False}
