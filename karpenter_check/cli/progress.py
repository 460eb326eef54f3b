"""How far a collection is: a line for each kind, on a terminal alone, gone when it is done."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, TypeAlias

from karpenter_check.cli.said import Said
from karpenter_check.cli.signals import doing
from karpenter_check.snapshot import Kind

if TYPE_CHECKING:
    from rich.progress import TaskID

# rich is imported where it is used: only a terminal needs it before the report

Tell: TypeAlias = Callable[[Kind, int, int | None], None]
"""Told the kind, how many were read, and how many are left if the server says; as in collect.pages."""

_PAUSE = 0.25
"""Seconds between two drawings of the same kind; a page often takes less."""
_ROOM_FOR_BARS = 60
"""Columns from which on there are bars: without one, the longest kind with the longest count just fits into 40."""


@contextmanager
def progress(said: Said) -> Iterator[Tell]:
    """Know which kind is being collected, and show it where there is somebody to look.

    What is said meanwhile stands above the lines. They are wiped, and the cursor is back, however this ends.
    """
    with doing("asking the cluster") as now:
        bars = _Bars() if said.for_people and _can_draw() else None

        def tell(kind: Kind, count: int, remaining: int | None) -> None:
            now(f"collecting {kind}")
            if bars:
                bars.tell(kind, count, remaining)

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
        self._done_mark = "✓" if self._console.encoding.startswith("utf") else "+"
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
        self._told = 0
        self._drawn = 0.0

    def start(self) -> None:
        """Take the terminal; `close` gives it back."""
        self._progress.start()

    def tell(self, kind: Kind, count: int, remaining: int | None) -> None:
        """Draw how far a kind is. The one before it is done; where its last page was told too soon, it is drawn now."""
        another = kind is not self._current
        if another:
            self._finish()
            self._begin(kind)
        self._told = count
        if another or monotonic() - self._drawn >= _PAUSE:
            total = count + (remaining or 0)
            text = f"{count:,} of {total:,}" if remaining else f"{count:,}"
            self._progress.update(self._lines[kind], completed=count / total if remaining else 0, count=text)
            self._progress.refresh()
            self._drawn = monotonic()

    def say(self, line: str) -> None:
        """Print a line above the lines."""
        self._console.print(line, markup=False, emoji=False, soft_wrap=True)

    def close(self) -> None:
        """Wipe the lines."""
        try:
            self._progress.stop()
        finally:
            self._console.show_cursor()

    def _begin(self, kind: Kind) -> None:
        """A line for a kind. Where there are more lines than the terminal has, the oldest give way."""
        self._current = kind
        if kind in self._lines:
            self._progress.update(self._lines[kind], mark=" ")
            return
        for old in list(self._lines.values())[: max(0, len(self._lines) + 2 - self._console.height)]:
            self._progress.update(old, visible=False)
        self._lines[kind] = self._progress.add_task(str(kind), total=1, mark=" ", count="")

    def _finish(self) -> None:
        if self._current:
            self._progress.update(self._lines[self._current], completed=1, mark=self._done_mark, count=f"{self._told:,}")
