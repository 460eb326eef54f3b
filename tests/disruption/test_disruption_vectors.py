"""Karpenter's own answers about pods and budgets (tests/vectors/README.md)."""

import gzip
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import msgspec

from karpenter_check.disruption.budgets import allowance, allowed_at_a_time
from karpenter_check.disruption.openings import windows
from karpenter_check.disruption.pods import is_reschedulable, is_waited_for, says_do_not_disrupt
from karpenter_check.snapshot import NodePool, Pod
from karpenter_check.snapshot.pod import PodShapes
from karpenter_check.snapshot.pod_object import PodObject

VECTORS = Path(__file__).parent.parent / "vectors"
UNLIMITED = (1 << 31) - 1


class PodAnswers(msgspec.Struct, rename="camel"):
    """Karpenter's predicates of a pod."""

    drainable: bool
    do_not_disrupt_active: bool
    reschedulable: bool


class PodVector(msgspec.Struct):
    """A pod put to Karpenter."""

    id: str
    now: datetime
    pod: PodObject
    expect: PodAnswers

    @property
    def shared(self) -> Pod:
        """The pod as a snapshot holds it."""
        return PodShapes().share(self.pod)


class Allowed(msgspec.Struct):
    """How many nodes Karpenter lets go: what budgets that it can read allow, and what keeps it from reading the others."""

    allowed: int
    error: str = ""

    @property
    def in_effect(self) -> int | None:
        """What `MustGetAllowedDisruptions` makes of it: nothing after an error. None is unlimited."""
        if self.error:
            return 0
        return None if self.allowed == UNLIMITED else self.allowed


class BudgetVector(msgspec.Struct, rename="camel"):
    """A NodePool with budgets put to Karpenter."""

    id: str
    now: datetime
    node_pool: NodePool
    nodes: int
    reason: str
    expect: Allowed


Vector = TypeVar("Vector", PodVector, BudgetVector)


def vectors(name: str, of: type[Vector]) -> Iterator[Vector]:
    decoder = msgspec.json.Decoder(of)
    for line in gzip.decompress((VECTORS / f"{name}.jsonl.gz").read_bytes()).splitlines():
        yield decoder.decode(line)


def test_pods_say_do_not_disrupt_as_in_karpenter() -> None:
    asked = list(vectors("podstate", PodVector))
    wrong = [
        vector.id for vector in asked if says_do_not_disrupt(vector.shared, vector.now, None) != vector.expect.do_not_disrupt_active
    ]

    assert (len(asked), wrong) == (400, [])


def test_pods_would_run_elsewhere_as_in_karpenter() -> None:
    wrong = [
        vector.id for vector in vectors("podstate", PodVector) if is_reschedulable(vector.shared) != vector.expect.reschedulable
    ]

    assert wrong == []


def test_drains_wait_for_what_is_drainable_and_has_not_finished() -> None:
    wrong = [
        vector.id
        for vector in vectors("podstate", PodVector)
        if is_waited_for(vector.shared, vector.now)
        != (vector.expect.drainable and vector.pod.status.phase not in {"Succeeded", "Failed"})
    ]

    assert wrong == []


def test_budgets_allow_what_karpenter_allows() -> None:
    asked = list(vectors("budget", BudgetVector))
    answers = [(vector, allowance(vector.node_pool, vector.reason, vector.nodes, vector.now)) for vector in asked]
    wrong = [
        vector.id
        for vector, answer in answers
        if (answer.allowed, answer.unreadable != ()) != (vector.expect.in_effect, vector.expect.error != "")
    ]

    assert (len(asked), wrong) == (500, [])


def test_the_week_begins_with_what_karpenter_allows() -> None:
    wrong = [
        vector.id
        for vector in vectors("budget", BudgetVector)
        if windows(vector.node_pool, vector.reason, vector.nodes, vector.now)[0].allowed != vector.expect.in_effect
    ]

    assert wrong == []


def test_what_budgets_allow_at_any_hour_karpenter_allows() -> None:
    answers = [
        (vector, allowed)
        for vector in vectors("budget", BudgetVector)
        if (allowed := allowed_at_a_time(vector.node_pool, vector.reason, vector.nodes)) is not None
    ]
    wrong = [
        vector.id
        for vector, allowed in answers
        if (0 if vector.expect.error else min(vector.expect.allowed, vector.nodes)) != allowed
    ]

    assert (len(answers), wrong) == (242, [])
