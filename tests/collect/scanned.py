"""Scans of the recorded cluster on a bad day, to be compared with one on a good day."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from karpenter_check.cli.exits import Exit, exit_code
from karpenter_check.collect.access import connect
from karpenter_check.collect.live import collect_live
from karpenter_check.reports import Format, render
from karpenter_check.rules import every_rule
from karpenter_check.scan import Outcome, scan
from karpenter_check.snapshot import Coverage, Kind, Snapshot, Status
from tests.collect.bad_day import BadDay
from tests.collect.faults import Trouble

RECORDING = "faults"


@dataclass(frozen=True)
class Scanned:
    """What came of a scan."""

    snapshot: Snapshot = field(repr=False)
    report: str = field(repr=False)
    strict: Exit
    """The exit code with --strict --fail-on none."""
    played: int
    """How often a trouble was met."""
    crashed: tuple[str, ...]
    """The rules that did not come to an end."""

    def covered(self, kind: Kind) -> Coverage:
        """What is known of a kind."""
        return self.snapshot.covered(kind)


def scanned(troubles: Iterable[Trouble] = (), *, request_timeout: float = 1, timeout: float = 60) -> Scanned:
    """A scan amid trouble; times in seconds. Raises CannotScan."""
    with TemporaryDirectory() as folder, BadDay(RECORDING, troubles) as day:
        snapshot = collect_live(connect(day.kubeconfig(Path(folder)), request_timeout=request_timeout, timeout=timeout))
    report = scan(snapshot, every_rule())
    text = render(report, Format.JSON, version="0", width=80, color=False, links=False, every_story=False)
    crashed = tuple(run.rule.slug for run in report.runs if run.outcome is Outcome.ERROR)
    return Scanned(snapshot, text, exit_code(report, fail_on=None, strict=True), len(day.played), crashed)


@cache
def on_a_good_day() -> Scanned:
    """A scan without trouble."""
    return scanned()


def held(snapshot: Snapshot) -> dict[Kind, Counter[str]]:
    """What there is of each kind, by name; of events, which have none, all that is kept."""
    lists: dict[Kind, tuple[Any, ...]] = {
        Kind.NODEPOOL: snapshot.nodepools,
        Kind.NODECLAIM: snapshot.nodeclaims,
        Kind.NODECLASS: snapshot.nodeclasses,
        Kind.NODE: snapshot.nodes,
        Kind.DAEMONSET: snapshot.daemonsets,
        Kind.POD: snapshot.pods,
        Kind.REPLICASET: snapshot.replicasets,
        Kind.DEPLOYMENT: snapshot.deployments,
        Kind.STATEFULSET: snapshot.statefulsets,
        Kind.PODDISRUPTIONBUDGET: snapshot.poddisruptionbudgets,
        Kind.STORAGECLASS: snapshot.storageclasses,
        Kind.PERSISTENTVOLUME: snapshot.persistentvolumes,
        Kind.PERSISTENTVOLUMECLAIM: snapshot.persistentvolumeclaims,
        Kind.VOLUMEATTACHMENT: snapshot.volumeattachments,
        Kind.LEASE: snapshot.leases,
        Kind.CUSTOMRESOURCEDEFINITION: snapshot.customresourcedefinitions,
    }
    named = {kind: Counter(f"{one.metadata.namespace}/{one.metadata.name}" for one in ones) for kind, ones in lists.items()}
    return {**named, Kind.EVENT: Counter(msgspec.json.encode(event).decode() for event in snapshot.events)}


def lacking(snapshot: Snapshot) -> dict[Kind, int]:
    """How many objects of each kind are not there that are on a good day. There must be none that is not there then, and none twice."""
    good, seen = held(on_a_good_day().snapshot), held(snapshot)
    assert {kind: seen[kind] - good[kind] for kind in Kind if seen[kind] - good[kind]} == {}
    return {kind: missing.total() for kind in Kind if (missing := good[kind] - seen[kind])}


def incomplete(snapshot: Snapshot) -> dict[Kind, Status]:
    """The kinds of which not all is known, those aside that need not be."""
    return {
        kind: coverage.status
        for kind, coverage in snapshot.coverage.items()
        if coverage.status is not Status.COMPLETE and not kind.optional
    }
