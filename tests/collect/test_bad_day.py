"""A scan on a bad day: what is overcome leaves no trace in the report, what is not is named, and no object is lost or doubled."""

import subprocess
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path

import msgspec
import pytest

from karpenter_check.cli.exits import Exit
from karpenter_check.collect.access import connect
from karpenter_check.collect.live import collect_live
from karpenter_check.collect.refusal import CannotScan
from karpenter_check.snapshot import Kind, Status
from tests.collect import faults
from tests.collect.bad_day import BadDay
from tests.collect.faults import FOREVER, Fault, Trouble
from tests.collect.replay import LISTS
from tests.collect.scanned import RECORDING, Scanned, incomplete, lacking, on_a_good_day, scanned

NODEPOOLS = "/apis/karpenter.sh/v1/nodepools"
PODS = "/api/v1/pods"
EVENTS = "/api/v1/events?source=karpenter"
KINDS = {NODEPOOLS: Kind.NODEPOOL, PODS: Kind.POD, EVENTS: Kind.EVENT}
CRITICAL = ("--fail-on", "critical")
DISCOVERY = ("/apis", "/version", "/apis/karpenter.kwok.sh/v1alpha1")
REQUEST_TIMEOUT = 1.0
"""Seconds."""

LONG_AGO, FAR_AHEAD = "Wed, 21 Oct 2015 07:28:00 GMT", "Wed, 21 Oct 2099 07:28:00 GMT"
REFUSED: dict[str, Fault] = {
    "too many requests": faults.Status(429),
    "too many requests, try again in a second": faults.Status(429, "1"),
    "too many requests, try again long ago": faults.Status(429, LONG_AGO),
    "an error": faults.Status(500),
    "a bad gateway": faults.Status(502),
    "unavailable": faults.Status(503),
    "unavailable for a second": faults.Status(503, "1"),
    "a gateway that waited too long": faults.Status(504),
}
BROKEN: dict[str, Fault] = {
    "hung up": faults.HangUp(),
    "reset at once": faults.Reset(0),
    "reset in the middle": faults.Reset(300),
    "stalled at once": faults.Stall(0),
    "stalled in the middle": faults.Stall(300),
    "cut off": faults.Truncated(),
    "cut off between chunks": faults.Truncated(chunked=True),
    "dripping for too long": faults.Slow(REQUEST_TIMEOUT * 1.5),
    "a damaged gzip": faults.DamagedGzip(),
}
NO_LIST: dict[str, Fault] = {
    "a page for people": faults.Instead(b"<html><body>Sign in</body></html>"),
    "nothing": faults.Instead(b""),
    "no list": faults.Instead(b'{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Success"}'),
    "broken JSON": faults.Corrupt(),
}
HARMLESS: dict[str, Fault] = {"slow": faults.Slow(REQUEST_TIMEOUT / 4), "repeating an object": faults.Repeat()}
LASTING = (
    "an error",
    "unavailable",
    "reset in the middle",
    "stalled in the middle",
    "cut off",
    "dripping for too long",
    "a page for people",
    "broken JSON",
)
PLACES = {"first": 1, "middle": 2, "last": 3}
ALL = REFUSED | BROKEN | NO_LIST | HARMLESS


def often(fault: str) -> str:
    """How often is asked before that fault counts as lasting: what is silent takes its time, and so is asked less often."""
    return "(asked 2 times)" if "stalled" in fault or "dripping" in fault else "(asked 7 times)"


def scan_with(*troubles: Trouble, timeout: float = 60) -> Scanned:
    return scanned(troubles, request_timeout=REQUEST_TIMEOUT, timeout=timeout)


class Scans:
    """Scans that wait for one another's pauses and timeouts, not after one another."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        on_a_good_day()
        self._submit = partial(pool.submit, scan_with)
        self._once = {
            **{(name, place): self._on(KINDS, ALL[name], PLACES[place]) for name, place in product(ALL, PLACES)},
            **{(name, path): self._on([path], ALL[name], 1) for name, path in product(REFUSED | BROKEN, DISCOVERY)},
        }
        self._ever = {
            (name, place, addresses): self._on(addresses, ALL[name], PLACES[place], FOREVER)
            for name, place, addresses in product(LASTING, PLACES, [(PODS, EVENTS), (NODEPOOLS,)])
        }

    def _on(self, addresses: Iterable[str], fault: Fault, request: int, times: int = 1) -> "Future[Scanned]":
        return self._submit(*(Trouble(address, request, fault, times) for address in addresses))

    def once(self, fault: str, place: str) -> Scanned:
        """With a fault in the answer to one request: to that page of NodePools, pods and events, or to that path."""
        return self._once[fault, place].result()

    def ever(self, fault: str, place: str, *addresses: str) -> Scanned:
        """With a fault in that page of these lists and in each page after it."""
        return self._ever[fault, place, addresses].result()


@pytest.fixture(scope="module")
def scans() -> Iterator[Scans]:
    with ThreadPoolExecutor(24) as pool:
        yield Scans(pool)
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("fault", ALL)
def test_a_page_that_goes_wrong_once_leaves_no_trace_in_the_report(scans: Scans, fault: str, place: str) -> None:
    result = scans.once(fault, place)
    assert result.played == len(KINDS)
    assert lacking(result.snapshot) == {}
    assert result.report == on_a_good_day().report


@pytest.mark.parametrize("path", DISCOVERY)
@pytest.mark.parametrize("fault", REFUSED | BROKEN)
def test_a_discovery_that_goes_wrong_once_leaves_no_trace_in_the_report(scans: Scans, fault: str, path: str) -> None:
    result = scans.once(fault, path)
    assert result.played == 1
    assert result.report == on_a_good_day().report


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("fault", LASTING)
def test_lists_that_go_wrong_for_good_have_failed_and_what_was_read_stays(scans: Scans, fault: str, place: str) -> None:
    result = scans.ever(fault, place, PODS, EVENTS)
    pages = PLACES[place] - 1
    assert incomplete(result.snapshot) == {Kind.POD: Status.FAILED, Kind.EVENT: Status.FAILED}
    assert [result.covered(kind).reason.endswith(often(fault)) for kind in (Kind.POD, Kind.EVENT)] == [True, True]
    assert [result.covered(kind).count for kind in (Kind.POD, Kind.EVENT)] == [19 * pages, 318 * pages]
    assert set(lacking(result.snapshot)) == {Kind.POD, Kind.EVENT}
    assert result.strict is Exit.INCOMPLETE


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("fault", LASTING)
def test_nodepools_that_go_wrong_for_good_leave_the_node_classes_unknown_too(scans: Scans, fault: str, place: str) -> None:
    result = scans.ever(fault, place, NODEPOOLS)
    assert incomplete(result.snapshot) == {Kind.NODEPOOL: Status.FAILED, Kind.NODECLASS: Status.NOT_COLLECTED}
    assert result.covered(Kind.NODEPOOL).reason.endswith(often(fault))
    assert result.covered(Kind.NODEPOOL).count == 5 * (PLACES[place] - 1)
    assert result.strict is Exit.INCOMPLETE


@pytest.mark.parametrize(("address", "kind"), KINDS.items())
@pytest.mark.parametrize("place", [2, 3])
def test_a_token_that_expires_goes_on_with_the_servers_and_the_coverage_says_so(address: str, kind: Kind, place: int) -> None:
    result = scan_with(Trouble(address, place, faults.Expired(goes_on=True)))
    assert result.played == 1
    assert incomplete(result.snapshot)[kind] is Status.PARTIAL
    assert "later" in result.covered(kind).reason
    assert lacking(result.snapshot) == {}
    assert result.strict is Exit.INCOMPLETE


@pytest.mark.parametrize(("address", "kind"), KINDS.items())
@pytest.mark.parametrize("times", [1, 2])
def test_a_token_that_expires_for_good_has_the_list_read_again(address: str, kind: Kind, times: int) -> None:
    result = scan_with(*(Trouble(address, 2 * time, faults.Expired(goes_on=False)) for time in range(1, times + 1)))
    assert result.played == times
    assert incomplete(result.snapshot) == {}
    assert "again" in result.covered(kind).reason
    assert lacking(result.snapshot) == {}


@pytest.mark.parametrize(("address", "kind"), KINDS.items())
def test_a_list_whose_tokens_always_expire_has_failed(address: str, kind: Kind) -> None:
    result = scan_with(*(Trouble(address, 2 * time, faults.Expired(goes_on=False)) for time in range(1, 9)))
    assert result.played == 3
    assert result.covered(kind).status is Status.FAILED
    assert result.strict is Exit.INCOMPLETE


@pytest.mark.parametrize(("address", "kind"), KINDS.items())
def test_a_page_of_another_moment_makes_the_list_partial(address: str, kind: Kind) -> None:
    result = scan_with(Trouble(address, 2, faults.Moved()))
    assert result.played == 1
    assert result.covered(kind).status is Status.PARTIAL
    assert lacking(result.snapshot) == {}


@pytest.mark.parametrize("retry_after", ["3600", FAR_AHEAD])
def test_a_server_that_asks_for_a_pause_beyond_the_timeout_is_given_up_at_once(retry_after: str) -> None:
    result = scan_with(Trouble(PODS, 2, faults.Status(429, retry_after), FOREVER))
    assert result.played == 1
    assert incomplete(result.snapshot) == {Kind.POD: Status.FAILED}


def test_a_new_token_in_its_file_is_taken_in_the_middle_of_a_list(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("an-old-token")
    with BadDay(RECORDING, [Trouble(PODS, 2, faults.Unauthorized(token))]) as day:
        snapshot = collect_live(connect(day.kubeconfig(tmp_path, user={"tokenFile": str(token)})))
    assert len(day.played) == 1
    assert lacking(snapshot) == {}
    assert snapshot.coverage == on_a_good_day().snapshot.coverage


def test_a_token_that_is_not_valid_any_more_fails_what_is_still_to_read() -> None:
    result = scan_with(Trouble(PODS, 2, faults.Unauthorized(), FOREVER))
    assert result.played == 1
    assert incomplete(result.snapshot) == {Kind.POD: Status.FAILED}
    assert "HTTP 401" in result.covered(Kind.POD).reason


def test_what_is_not_reached_when_the_timeout_ends_has_failed() -> None:
    result = scan_with(Trouble(PODS, 2, faults.Stall(300), FOREVER), timeout=2)
    late = [Kind.POD, Kind.REPLICASET, Kind.DEPLOYMENT, Kind.STATEFULSET, Kind.PODDISRUPTIONBUDGET, Kind.EVENT]
    assert incomplete(result.snapshot) == dict.fromkeys(late, Status.FAILED)
    assert [kind for kind in late if "--timeout" not in result.covered(kind).reason] == []


def test_where_every_list_fails_nothing_can_be_scanned() -> None:
    lists = [*LISTS, *(f"/api/v1/events?{selector}" for selector in ("source=karpenter", "reason=Preempted"))]
    with pytest.raises(CannotScan, match="HTTP 503"):
        scan_with(*(Trouble(address, 1, faults.Status(503, "3600"), FOREVER) for address in lists))


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    output: str
    said: str


def command(troubles: list[Trouble], folder: Path, *options: str, timeout: int, name: str = "scan") -> Ended:
    """A command of karpenter-check on that cluster, as a process. That it is killed a while after its timeout is a hang."""
    with BadDay(RECORDING, troubles) as day:
        asked = ["--kubeconfig", str(day.kubeconfig(folder)), "--request-timeout", "1s", "--timeout", f"{timeout}s"]
        done = subprocess.run(
            [sys.executable, "-m", "karpenter_check", name, *asked, *options],
            capture_output=True,
            text=True,
            timeout=timeout + 20,
            check=False,
        )
    assert "Traceback" not in done.stderr
    return Ended(done.returncode, done.stdout, done.stderr)


def test_the_command_tells_nothing_of_what_it_overcame(tmp_path: Path) -> None:
    troubles = [
        Trouble("/apis", 1, faults.Status(503)),
        Trouble(NODEPOOLS, 2, faults.Reset(300)),
        Trouble(PODS, 3, faults.Truncated()),
        Trouble(EVENTS, 2, faults.Stall(300)),
        Trouble(EVENTS, 3, faults.Status(429, "1")),
    ]
    good, bad = (command(those, tmp_path, "-o", "json", timeout=30) for those in ([], troubles))
    assert (good.code, bad.code) == (10, 10)
    assert bad.output == good.output


@pytest.mark.parametrize(
    ("address", "options", "code"),
    [(PODS, CRITICAL, 0), (PODS, (*CRITICAL, "--strict"), 4), (EVENTS, (), 10), (EVENTS, ("--strict",), 10)],
    ids=["nothing critical without pods", "nothing critical, strict", "findings without events", "findings, strict"],
)
def test_the_command_says_what_it_could_not_have(tmp_path: Path, address: str, options: tuple[str, ...], code: int) -> None:
    ended = command([Trouble(address, 3, faults.Status(503), FOREVER)], tmp_path, "-o", "json", *options, timeout=30)
    assert ended.code == code
    coverage = msgspec.json.decode(ended.output)["coverage"][KINDS[address]]
    path = address.partition("?")[0]
    assert (coverage["status"], coverage["reason"]) == ("failed", f"GET {path}: HTTP 503: it is a bad day (asked 7 times)")


@pytest.mark.parametrize(
    "fault", [faults.Stall(0), faults.Slow(600), faults.Status(503, "1"), faults.HangUp()], ids=lambda fault: type(fault).__name__
)
def test_the_command_ends_with_its_timeout_whatever_the_server_does(tmp_path: Path, fault: Fault) -> None:
    troubles = [Trouble(address, 2, fault, FOREVER) for address in (PODS, EVENTS)]
    ended = command(troubles, tmp_path, "-o", "json", "--strict", *CRITICAL, timeout=2)
    assert ended.code == 4
    assert msgspec.json.decode(ended.output)["coverage"]["Event"]["status"] == "failed"


def test_the_command_cannot_scan_where_nobody_answers(tmp_path: Path) -> None:
    ended = command([Trouble("/apis", 1, faults.Stall(0), FOREVER)], tmp_path, timeout=2)
    assert (ended.code, ended.output) == (1, "")


def test_a_snapshot_file_taken_on_a_bad_day_holds_what_it_holds_on_a_good_one(tmp_path: Path) -> None:
    troubles = [
        Trouble(NODEPOOLS, 2, faults.Corrupt()),
        Trouble(NODEPOOLS, 4, faults.Expired(goes_on=False)),
        Trouble(PODS, 2, faults.Repeat()),
        Trouble(EVENTS, 2, faults.Reset(300)),
        Trouble(EVENTS, 4, faults.Expired(goes_on=False)),
    ]
    files = {tmp_path / "good.json": [], tmp_path / "bad.json": troubles}
    ended = [command(those, tmp_path, "-o", str(file), timeout=30, name="snapshot") for file, those in files.items()]
    good, bad = (msgspec.json.decode(file.read_bytes())["lists"] for file in files)
    assert [one.code for one in ended] == [0, 0]
    assert bad == good
