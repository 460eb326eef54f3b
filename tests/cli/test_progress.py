"""How far a collection is."""

import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Thread

import pytest

from karpenter_check.cli import progress as drawing
from karpenter_check.cli.progress import progress
from karpenter_check.cli.said import Said
from karpenter_check.snapshot import Coverage, Kind, Status
from tests.cli.stuck import Stuck
from tests.cli.terminal import Terminal, cursor_is_shown, screen
from tests.collect.bad_day import BadDay
from tests.collect.faults import Slow, Trouble
from tests.collect.replay import Replay


def a_terminal(monkeypatch: pytest.MonkeyPatch, *, columns: int = 40, lines: int = 24) -> Terminal:
    """Standard error as a terminal on which every page is drawn."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(drawing, "_PAUSE", 0)
    for name, value in {"TERM": "xterm", "COLUMNS": str(columns), "LINES": str(lines)}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("NO_COLOR", raising=False)
    return terminal


WHOLE = Coverage(Status.COMPLETE, 7)


def test_each_kind_has_a_line_with_its_count_and_a_mark_when_it_is_known_to_be_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = a_terminal(monkeypatch)
    with progress(Said(0)) as tell:
        tell(Kind.DAEMONSET, 0, None)
        tell(Kind.DAEMONSET, 7, None)
        tell.ended(Kind.DAEMONSET, WHOLE)
        tell(Kind.POD, 12_500, 137_500)

        assert terminal.screen == ["✓ DaemonSet 7", "  Pod       12,500 of 150,000"]


@pytest.mark.parametrize(
    ("coverage", "line"),
    [
        (Coverage(Status.COMPLETE, 57), "✓ Pod 57"),
        (Coverage(Status.PARTIAL, 56, "1 could not be read"), "~ Pod 19 of 57"),
        (Coverage(Status.FAILED, 19, "HTTP 500"), "✗ Pod 19 of 57"),
        (Coverage(Status.FORBIDDEN, 0, "grant it"), "✗ Pod 19 of 57"),
    ],
)
def test_the_mark_is_that_of_how_a_kind_ended(coverage: Coverage, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = a_terminal(monkeypatch)
    with progress(Said(0)) as tell:
        tell(Kind.POD, 19, 38)
        tell.ended(Kind.POD, coverage)
        tell.ended(Kind.NODE, coverage)

        assert terminal.screen == [line]


def test_a_kind_that_is_left_before_its_end_is_known_has_no_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = a_terminal(monkeypatch)
    with progress(Said(0)) as tell:
        tell(Kind.NODE, 7, None)
        tell(Kind.POD, 19, 38)
        tell(Kind.EVENT, 0, None)

        assert terminal.screen == ["  Node  7", "✗ Pod   19 of 57", "  Event 0"]


@pytest.mark.parametrize(("columns", "bars"), [(40, 0), (80, 40)])
def test_a_wide_terminal_has_bars_and_no_line_is_wider_than_it(columns: int, bars: int, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = a_terminal(monkeypatch, columns=columns)
    with progress(Said(0)) as tell:
        tell(Kind.PODDISRUPTIONBUDGET, 75_000, 75_000)

        (line,) = terminal.screen
    assert (line.split()[0], line.split()[-3:]) == ("PodDisruptionBudget", ["75,000", "of", "150,000"])
    assert (line.count("━") + line.count("╸") + line.count("╺"), len(line) <= columns) == (bars, True)


def test_the_lines_are_wiped_and_the_cursor_is_back_when_it_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = a_terminal(monkeypatch)
    with progress(Said(0)) as tell:
        tell(Kind.NODE, 5, None)
        tell(Kind.POD, 7, 3)

    assert (terminal.screen, cursor_is_shown(terminal.getvalue())) == ([], True)


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_the_lines_are_wiped_and_the_cursor_is_back_when_it_breaks(
    error: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = a_terminal(monkeypatch)
    with suppress(error), progress(Said(0)) as tell:
        tell(Kind.POD, 7, 3)
        raise error

    assert (terminal.screen, cursor_is_shown(terminal.getvalue())) == ([], True)


def test_what_is_said_meanwhile_stands_above_the_lines_and_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = a_terminal(monkeypatch)
    with progress(Said(0)) as tell:
        said = Said(0)
        tell(Kind.POD, 7, 3)
        assert terminal.screen == ["  Pod 7 of 10"]
    with progress(said) as tell:
        tell(Kind.POD, 7, 3)
        said.warning("[b]one[/b] :smile: " + "x" * 60)

        assert terminal.screen == ["karpenter-check: warning: [b]one[/b] :smile: " + "x" * 60, "  Pod 7 of 10"]
        tell(Kind.POD, 10, None)
    said.note("after")

    assert terminal.screen == ["karpenter-check: warning: [b]one[/b] :smile: " + "x" * 60, "karpenter-check: note: after"]


def test_on_a_low_terminal_the_oldest_kinds_give_way(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = a_terminal(monkeypatch, columns=40, lines=4)
    with progress(Said(0)) as tell:
        for kind in (Kind.NODEPOOL, Kind.NODECLAIM, Kind.NODE, Kind.DAEMONSET, Kind.POD):
            tell(kind, 1, None)

        assert terminal.screen == ["  Node      1", "  DaemonSet 1", "  Pod       1"]


def test_a_kind_that_is_told_of_again_is_not_done(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = a_terminal(monkeypatch)
    with progress(Said(0)) as tell:
        for kind in (Kind.EVENT, Kind.NODE):
            tell(kind, 7, None)
            tell.ended(kind, WHOLE)
        tell(Kind.EVENT, 8, None)

        assert terminal.screen == ["  Event 8", "✓ Node  7"]


def test_pages_that_come_fast_are_not_all_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = a_terminal(monkeypatch)
    monkeypatch.setattr(drawing, "_PAUSE", 3600)
    with progress(Said(0)) as tell:
        tell(Kind.POD, 0, None)
        tell(Kind.POD, 500, 1000)
        drawn = terminal.getvalue()
        assert terminal.screen == ["  Pod 500 of 1,500"]
        tell(Kind.POD, 1500, None)
        assert terminal.getvalue() == drawn
        tell(Kind.EVENT, 0, None)

        assert terminal.screen == ["  Pod   1,500", "  Event 0"]


def test_without_colour_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = a_terminal(monkeypatch)
    monkeypatch.setenv("NO_COLOR", "1")
    with progress(Said(0)) as tell:
        tell(Kind.POD, 500, 1000)

    assert "m" not in {line[-1:] for line in terminal.getvalue().split("\x1b[3")[1:]}
    assert terminal.getvalue().count("Pod 500 of 1,500") >= 1


@pytest.mark.parametrize("said", [Said(-1), Said(0, "text"), Said(0, "json")])
def test_who_wants_silence_or_logs_gets_no_lines(said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = a_terminal(monkeypatch)
    with progress(said) as tell:
        tell(Kind.POD, 7, 3)

    assert terminal.getvalue() == ""


@pytest.mark.parametrize("term", ["dumb", "unknown", ""])
def test_a_terminal_that_cannot_move_its_cursor_gets_no_lines(term: str, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = a_terminal(monkeypatch)
    monkeypatch.setenv("TERM", term)
    with progress(Said(0)) as tell:
        tell(Kind.POD, 7, 3)

    assert terminal.getvalue() == ""


def test_off_a_terminal_there_are_no_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with progress(Said(0)) as tell:
        tell(Kind.POD, 7, 3)

    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("command", [("scan",), ("why", "pod", "nobody")])
def test_a_real_terminal_is_left_as_it_was(command: tuple[str, ...], tmp_path: Path) -> None:
    with Replay("faults", page_size=20) as cluster:
        written = on_a_terminal(*command, "--kubeconfig", str(cluster.kubeconfig(tmp_path)))

    assert "Pod" in written
    assert "✓" in written
    left = [] if command == ("scan",) else ["Error: there "]
    assert [line[:13] for line in screen(written)] == left
    assert cursor_is_shown(written)


@pytest.mark.parametrize(
    ("number", "word"), [(signal.SIGINT, "interrupted"), (signal.SIGTERM, "terminated"), (signal.SIGHUP, "hung up")]
)
def test_a_signal_leaves_one_line_and_the_cursor(number: signal.Signals, word: str, tmp_path: Path) -> None:
    with Stuck() as cluster:
        written = on_a_terminal(
            "scan", "--kubeconfig", str(cluster.kubeconfig(tmp_path)),
            meanwhile=lambda process: process.send_signal(number) if cluster.asked.wait(60) else process.kill(),
        )  # fmt: skip

    assert "Node" in written
    assert screen(written) == [f"{word} while collecting Pod"]
    assert cursor_is_shown(written)


def test_while_pages_come_slowly_it_shows_how_many_there_are(tmp_path: Path) -> None:
    with BadDay("faults", [Trouble("/api/v1/pods", 2, Slow(1.0))]) as cluster:
        written = on_a_terminal("scan", "--kubeconfig", str(cluster.kubeconfig(tmp_path)))

    assert "Pod" in written
    frames = "".join(re.split("\x1b\\[[0-9;?]*[A-Za-z]", written))
    assert re.findall("Pod +[━╸╺]+ ([0-9]+ of [0-9]+)", frames)[:1] == ["19 of 57"]


def on_a_terminal(*arguments: str, meanwhile: Callable[["subprocess.Popen[bytes]"], None] = lambda _: None) -> str:
    """What a run writes to standard error, which is a terminal."""
    ours, its = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80", "LINES": "24", "PYTHONIOENCODING": "utf-8"}
    process = subprocess.Popen(
        [sys.executable, "-m", "karpenter_check", *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=its,
        env=environment,
    )  # fmt: skip
    os.close(its)
    written = bytearray()

    def read() -> None:
        with suppress(OSError):  # how Linux says that nobody has the terminal open any more
            while some := os.read(ours, 65536):
                written.extend(some)

    reader = Thread(target=read)  # a terminal that is not read holds 4 KB, and whoever writes more waits
    reader.start()
    meanwhile(process)
    process.wait()
    reader.join()
    os.close(ours)
    return written.decode()
