"""Whatever an API server or a file holds, it is read, refused by the errors that are documented, or named as an object that could not be."""

import json
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from karpenter_check.collect.files import read_files
from karpenter_check.collect.gathering import Gathering
from karpenter_check.collect.refusal import UnreadableInput
from karpenter_check.collect.spool import Spool
from karpenter_check.collect.walk import next_token
from karpenter_check.reports import Format, render
from karpenter_check.rules import every_rule
from karpenter_check.scan import Outcome, scan
from karpenter_check.snapshot import Kind, Snapshot
from tests.collect.mutate import MUTATIONS, bend, revalue
from tests.collect.replay import List, read, taken_at

BODIES = 10_000
SNAPSHOTS = 300
RECORDINGS = ("healthy", "faults", "runaway")
KINDS = {
    "nodepools": Kind.NODEPOOL,
    "nodeclaims": Kind.NODECLAIM,
    "kwoknodeclasses": Kind.NODECLASS,
    "nodes": Kind.NODE,
    "daemonsets": Kind.DAEMONSET,
    "pods": Kind.POD,
    "replicasets": Kind.REPLICASET,
    "deployments": Kind.DEPLOYMENT,
    "statefulsets": Kind.STATEFULSET,
    "poddisruptionbudgets": Kind.PODDISRUPTIONBUDGET,
    "events": Kind.EVENT,
}
PER_KIND = -(-BODIES // len(KINDS))
REFUSALS = (msgspec.MsgspecError, RecursionError, UnicodeDecodeError)
"""What a page that is no list is refused with."""


@cache
def objects(recording: str, name: str) -> tuple[bytes, ...]:
    """A recorded list's."""
    return tuple(bytes(item) for item in msgspec.json.decode(read(recording, name), type=List).items)


def a_list(name: str, items: Iterable[bytes]) -> bytes:
    """A page of these objects, as the API server writes it; a custom resource's says its kind in each object."""
    of_kind = msgspec.json.decode(read("healthy", name), type=List)
    metadata = {"resourceVersion": "1", "continue": "MTA=", "remainingItemCount": 7}
    return msgspec.json.encode(List(of_kind.kind, of_kind.api_version, metadata, [msgspec.Raw(item) for item in items]))


def a_page(name: str, random: Random) -> bytes:
    """A page of up to four recorded objects."""
    recorded = objects(random.choice(RECORDINGS), name)
    return a_list(name, random.sample(recorded, min(random.randint(1, 4), len(recorded))))


def mutated(name: str, seed: int) -> bytes:
    random = Random(f"{name} {seed}")  # noqa: S311  a body that can be had again
    return random.choice(MUTATIONS)(a_page(name, random), random)


@pytest.mark.parametrize("name", KINDS)
def test_a_damaged_page_is_read_or_refused(name: str) -> None:
    kind, whole, refused, crashed = KINDS[name], 0, 0, []
    for seed in range(PER_KIND):
        body, gathering = mutated(name, seed), Gathering()
        try:
            assert isinstance(next_token(body), str)
            gathering.add_page(kind, body, "the page")
        except REFUSALS:
            refused += 1
        except Exception as error:  # noqa: BLE001  any other is what is looked for
            crashed.append((seed, repr(error)[:200]))
        else:
            whole += not gathering.errors
    assert crashed == []
    assert (whole > PER_KIND / 10, refused > PER_KIND / 10, whole + refused < PER_KIND) == (True, True, True)


@pytest.mark.parametrize("name", KINDS)
def test_a_damaged_file_is_read_or_refused(name: str, tmp_path: Path) -> None:
    crashed, unnamed = [], 0
    for seed in range(0, PER_KIND, 3):
        file = tmp_path / ("page.yaml" if seed % 40 == 0 else "page.json")
        file.write_bytes(mutated(name, seed))
        try:
            read_files([file])
        except UnreadableInput as refusal:
            unnamed += not str(refusal).startswith(str(file))
        except Exception as error:  # noqa: BLE001  any other is what is looked for
            crashed.append((seed, repr(error)[:200]))
    assert (crashed, unnamed) == ([], 0)


def pods_of(body: bytes, gathering: Gathering) -> tuple[list[Any], list[str]]:
    """The pods of a page, their shapes, which compare by identity, spread out; and what is said of those that could not be read."""
    with suppress(*REFUSALS):
        gathering.add_page(Kind.POD, body, "the page")
    pods = gathering.objects[Kind.POD].values()
    spread = [(msgspec.structs.astuple(pod.shape), msgspec.structs.replace(pod, shape=None)) for pod in pods]
    return spread, [str(error) for error in gathering.errors]


def test_damaged_pods_are_read_alike_with_a_snapshot_file_and_without() -> None:
    differing = []
    for seed in range(PER_KIND):
        random = Random(seed)  # noqa: S311  as above
        body = random.choice((revalue, bend, bend, *MUTATIONS))(a_page("pods", random), random)
        with Spool() as spool:
            if pods_of(body, Gathering(spool)) != pods_of(body, Gathering()):
                differing.append(seed)
    assert differing == []


def a_damaged_cluster(seed: int) -> Snapshot:
    """A recorded cluster, some of its lists with values that are none of theirs."""
    random = Random(seed)  # noqa: S311  a cluster that can be had again
    recording = random.choice(("healthy", "faults"))
    gathering = Gathering()
    damaged = random.sample(sorted(KINDS), random.randint(1, 3))
    for name, kind in KINDS.items():
        items = objects(recording, name)[:60]
        if name in damaged:
            items = tuple(damage(item, random) for item in items)
        gathering.add_items(kind, b"[%s]" % b",".join(items), name)
    return gathering.snapshot(taken_at(recording), {kind: gathering.coverage_of(kind) for kind in Kind})


def damage(item: bytes, random: Random) -> bytes:
    """Something wrong in some objects, though all stay JSON; seldom in managedFields, which are most of an object and hardly read."""
    if random.random() < 0.5:
        return item
    whole = json.loads(item)
    if random.random() < 0.9:
        whole["metadata"].pop("managedFields", None)
    damaged = random.choice((revalue, bend, bend, bend))(json.dumps(whole).encode(), random)
    try:
        msgspec.json.decode(damaged)
    except REFUSALS:  # NaN and the like
        return item
    return damaged


def test_no_rule_crashes_on_what_was_read_of_a_damaged_cluster() -> None:
    crashed, partial = [], 0
    for seed in range(SNAPSHOTS):
        snapshot = a_damaged_cluster(seed)
        partial += bool(snapshot.errors)
        report = scan(snapshot, every_rule())
        crashed += [(seed, run.rule.slug, run.reason) for run in report.runs if run.outcome is Outcome.ERROR]
        json.loads(render(report, Format.JSON, version="0", width=80, color=False, links=False, every_story=True))
    assert crashed == []
    assert partial > SNAPSHOTS / 2
