"""Random bad days: a scan ends in the whole report, or in one that names what is missing, or says why there is none."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stderr
from dataclasses import dataclass
from io import StringIO
from random import Random
from traceback import format_exc

import pytest

from karpenter_check.cli.exits import Exit
from karpenter_check.collect.refusal import CannotScan
from karpenter_check.snapshot import Kind, Status
from tests.collect import faults
from tests.collect.faults import FOREVER, Fault, Trouble
from tests.collect.replay import LISTS
from tests.collect.scanned import Scanned, held, lacking, on_a_good_day, scanned

pytestmark = pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")

SEEDS = range(200)
REQUEST_TIMEOUT = 0.5
"""Seconds."""
ADDRESSES = (
    *("/apis", "/version", "/apis/karpenter.kwok.sh/v1alpha1"),
    *(path for path in LISTS if path != "/api/v1/events"),
    *(f"/api/v1/events?{selector}" for selector in ("source=karpenter", "reason=Preempted", "reason=FailedCreatePodSandBox")),
)
SICK = 0.3
"""How many of the days are bad from morning to night."""


def a_fault(random: Random) -> Fault:
    size = random.choice((0, 1, 300, 5_000, 100_000))
    swift: tuple[Fault, ...] = (
        faults.Status(random.choice((429, 500, 502, 503, 504)), random.choice((None, None, "1", "30", "soon", "-1"))),
        faults.Status(random.choice((401, 403, 404, 418))),
        faults.HangUp(),
        faults.Reset(size),
        faults.Truncated(chunked=random.random() < 0.5),
        faults.Instead(random.choice((b"", b"{}", b"null", b"<html>", b'{"kind":"Status","status":"Failure"}', b'{"items":[]}'))),
        faults.Corrupt(),
        faults.DamagedGzip(),
        faults.Repeat(),
        faults.Moved(),
        faults.Expired(goes_on=random.random() < 0.5),
    )
    slow: tuple[Fault, ...] = (faults.Stall(size), faults.Slow(REQUEST_TIMEOUT / 10), faults.Slow(REQUEST_TIMEOUT * 2))
    return random.choice(slow if random.random() < 0.05 else swift)


def a_day(seed: int) -> list[Trouble]:
    random = Random(seed)  # noqa: S311  a schedule that can be had again
    sick = random.random() < SICK
    troubles = []
    for _ in range(random.randint(20, 60) if sick else random.randint(1, 4)):
        address = random.choice(ADDRESSES[1:] if sick else ADDRESSES)  # or nothing but /apis would ever be asked on such a day
        times = random.choice((1, 1, 1, 1, 2, 3, 5, FOREVER))
        troubles.append(Trouble(address, random.randint(1, 5), a_fault(random), times))
    return troubles


@dataclass(frozen=True)
class Ended:
    """How a bad day ended: with a report, with a refusal, or with a crash."""

    schedule: list[Trouble]
    scanned: Scanned | None = None
    refusal: str = ""
    crash: str = ""


def ended(seed: int) -> Ended:
    schedule = a_day(seed)
    try:
        return Ended(schedule, scanned(schedule, request_timeout=REQUEST_TIMEOUT, timeout=20))
    except CannotScan as refusal:
        return Ended(schedule, refusal=str(refusal))
    except Exception:  # noqa: BLE001  any other is what is looked for
        return Ended(schedule, crash=format_exc())


@dataclass(frozen=True)
class Days:
    """All of them, and what was said on stderr meanwhile."""

    ended: dict[int, Ended]
    stderr: str


@pytest.fixture(scope="module")
def days() -> Iterator[Days]:
    on_a_good_day()
    with pytest.MonkeyPatch.context() as patch, redirect_stderr(StringIO()) as stderr, ThreadPoolExecutor(8) as pool:
        patch.setattr("karpenter_check.collect.api.sleep", lambda _: None)
        yield Days(dict(zip(SEEDS, pool.map(ended, SEEDS), strict=True)), stderr.getvalue())


@pytest.mark.parametrize("seed", SEEDS)
def test_a_random_bad_day_ends_in_the_whole_report_or_in_one_that_names_what_is_missing(days: Days, seed: int) -> None:
    day = days.ended[seed]
    if day.scanned is None:
        assert (bool(day.refusal), day.crash) == (True, ""), day.schedule
        return
    snapshot, good = day.scanned.snapshot, on_a_good_day()
    incomplete = {kind for kind in Kind if snapshot.covered(kind).status is not Status.COMPLETE}
    silent = {kind for kind in incomplete if not snapshot.covered(kind).reason}
    miscounted = {kind for kind, objects in held(snapshot).items() if snapshot.covered(kind).count != objects.total()}
    pretended = set(lacking(snapshot)) - incomplete
    assert (silent, miscounted, pretended, day.scanned.crashed) == (set(), set(), set(), ()), day.schedule
    if {kind for kind in incomplete if not kind.optional and snapshot.covered(kind).status is not Status.ABSENT}:
        assert day.scanned.strict in {Exit.INCOMPLETE, Exit.CANNOT_SCAN}, day.schedule
    if snapshot.coverage == good.snapshot.coverage and snapshot.kubernetes_version:
        assert day.scanned.report == good.report, day.schedule


def test_nothing_crashes_on_a_bad_day(days: Days) -> None:
    assert days.stderr == ""


def test_the_days_are_bad_in_many_ways_and_some_are_overcome(days: Days) -> None:
    reports = [day.scanned.report for day in days.ended.values() if day.scanned]
    overcome = reports.count(on_a_good_day().report)
    statuses = {known.status for day in days.ended.values() if day.scanned for known in day.scanned.snapshot.coverage.values()}
    assert (overcome > 40, len(set(reports)) > 40, len(reports) < len(SEEDS)) == (True, True, True)
    assert statuses >= {Status.COMPLETE, Status.PARTIAL, Status.FAILED, Status.FORBIDDEN, Status.ABSENT}
