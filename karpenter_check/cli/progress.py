"""How far a collection is: a line for each kind, on a terminal alone, gone when it is done."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from time import monotonic
from typing import TYPE_CHECKING

from karpenter_check.cli.said import Said
from karpenter_check.cli.signals import doing
from karpenter_check.snapshot import Coverage, Kind, Status

if TYPE_CHECKING:
    from rich.progress import TaskID

# rich is imported where it is used: only a terminal needs it before the report

_PAUSE = 0.25
"""Seconds between two drawings of the same kind; a page often takes less."""
_BEGINNING = 2
"""What is drawn of a kind however soon it comes: that it begins, and its first page."""
_MARKS = {Status.COMPLETE: "✓+", Status.PARTIAL: "~~", Status.FAILED: "✗x", Status.FORBIDDEN: "✗x"}
"""Before a kind that has ended, and where the terminal has no UTF-8."""
_ROOM_FOR_BARS = 60
"""Columns from which on there are bars: without one, the longest kind with the longest count just fits into 40."""


class Tell:
    """Told how far a collection is."""

    def __init__(self, now: Callable[[str], None], bars: "_Bars | None") -> None:
        self._now = now
        self._bars = bars

    def __call__(self, kind: Kind, count: int, remaining: int | None) -> None:
        """A list begins, or a page of it was read: how many were read, and how many are left if the server says."""
        self._now(f"collecting {kind}")
        if self._bars:
            self._bars.tell(kind, count, remaining)

    def ended(self, kind: Kind, coverage: Coverage) -> None:
        """All lists of a kind ended like that."""
        if self._bars:
            self._bars.ended(kind, coverage)


@contextmanager
def progress(said: Said) -> Iterator[Tell]:
    """Know which kind is being collected, and show it where there is somebody to look.

    What is said meanwhile stands above the lines. They are wiped, and the cursor is back, however this ends.
    """
    with doing("asking the cluster") as now:
        bars = _Bars() if said.for_people and _can_draw() else None
        tell = Tell(now, bars)
        if not bars:
            yield tell
            return
        try:
            bars.start()
            with said.through(bars.say):
                yield tell
        finally:
            bars.close()


def _can_draw() -> bool:
    """Whether standard error is a terminal that moves its cursor."""
    return bool(sys.stderr and sys.stderr.isatty()) and os.environ.get("TERM", "") not in {"", "dumb", "unknown"}


class _Bars:
    """The lines. They are drawn by whoever tells of a page, and by no thread of their own: that would take time from the collection."""

    def __init__(self) -> None:
        from rich.console import Console  # noqa: PLC0415  as above
        from rich.progress import BarColumn, Progress, TextColumn  # noqa: PLC0415  as above
        from rich.table import Column  # noqa: PLC0415  as above

        self._console = Console(file=sys.stderr, force_terminal=True, highlight=False)
        self._plain = not self._console.encoding.startswith("utf")
        bar = [BarColumn(None, table_column=Column(ratio=1))] if self._console.width >= _ROOM_FOR_BARS else []
        self._progress = Progress(
            TextColumn("{task.fields[mark]}"),
            TextColumn("{task.description}", markup=False),
            *bar,
            TextColumn("{task.fields[count]}"),
            console=self._console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            expand=bool(bar),
        )
        self._lines: dict[Kind, TaskID] = {}
        self._current: Kind | None = None
        self._told: tuple[int, int | None] = 0, None
        self._pages = 0
        self._counts_down = False  # whether the server says how many are left, so that none left is the end
        self._drawn = 0.0

    def start(self) -> None:
        """Take the terminal; `close` gives it back."""
        self._progress.start()

    def tell(self, kind: Kind, count: int, remaining: int | None) -> None:
        """Draw how far a kind is: its first page, which tells how many there are, and then not each of them."""
        if kind is not self._current:
            self._leave()
            self._begin(kind)
        self._pages += 1
        self._told = count, remaining
        self._counts_down = self._counts_down or bool(remaining)
        if self._pages <= _BEGINNING or monotonic() - self._drawn >= _PAUSE:
            self._draw(kind)

    def ended(self, kind: Kind, coverage: Coverage) -> None:
        """Mark how a kind ended. One that was not asked for has no line."""
        if kind is self._current:
            self._leave()
        if kind in self._lines and coverage.status in _MARKS:
            self._mark(kind, coverage.status)
            if coverage.status is Status.COMPLETE:
                self._progress.update(self._lines[kind], completed=1, count=f"{coverage.count:,}")
            self._progress.refresh()

    def say(self, line: str) -> None:
        """Print a line above the lines."""
        self._console.print(line, markup=False, emoji=False, soft_wrap=True)

    def close(self) -> None:
        """Wipe the lines. The terminal may be gone."""
        with suppress(OSError):
            try:
                self._progress.stop()
            finally:
                self._console.show_cursor()

    def _begin(self, kind: Kind) -> None:
        """A line for a kind. Where there are more lines than the terminal has, the oldest give way."""
        self._current, self._pages, self._counts_down = kind, 0, False
        if kind in self._lines:
            self._progress.update(self._lines[kind], mark=" ")
            return
        for old in list(self._lines.values())[: max(0, len(self._lines) + 2 - self._console.height)]:
            self._progress.update(old, visible=False)
        self._lines[kind] = self._progress.add_task(str(kind), total=1, mark=" ", count="")

    def _leave(self) -> None:
        """Draw the last page of a kind, which was told too soon. It is not known to be whole; that more was left is known."""
        if self._current:
            if self._told[1]:
                self._mark(self._current, Status.FAILED)
            self._draw(self._current)
        self._current = None

    def _mark(self, kind: Kind, status: Status) -> None:
        self._progress.update(self._lines[kind], mark=_MARKS[status][self._plain])

    def _draw(self, kind: Kind) -> None:
        count, remaining = self._told
        if remaining:
            total = count + remaining
            self._progress.update(self._lines[kind], completed=count / total, count=f"{count:,} of {total:,}")
        else:
            self._progress.update(self._lines[kind], completed=int(self._counts_down), count=f"{count:,}")
        self._progress.refresh()
        self._drawn = monotonic()
