"""What is said on standard error: everything but the report."""

import sys

import click

from karpenter_check.finding import clip
from karpenter_check.reports.printable import printable
from karpenter_check.snapshot import Kind

_LONGEST = 500


def one_line(text: str) -> str:
    """A text as one line of a sensible length, whatever a cluster or a file put into it."""
    return clip(printable(text), _LONGEST)


class Said:
    """Standard error at a verbosity: below 0 only errors and warnings, 0 notes too, above 0 details too."""

    def __init__(self, verbosity: int) -> None:
        self._verbosity = verbosity
        self._drawn = 0

    def warning(self, text: str) -> None:
        """Something was not read or not done."""
        self._line(f"warning: {text}")

    def note(self, text: str) -> None:
        """Something that a careful reader wants to know."""
        if self._verbosity >= 0:
            self._line(f"note: {text}")

    def detail(self, text: str) -> None:
        """Something that only a curious reader wants to know."""
        if self._verbosity > 0:
            self._line(text)

    def progress(self, kind: Kind, count: int, remaining: int | None) -> None:
        """How far the collection is: one line that is drawn over itself, on a terminal alone."""
        if self._verbosity < 0 or not sys.stderr.isatty():
            return
        of = f" of {count + remaining}" if remaining else ""
        text = f"collecting {kind}: {count}{of}"
        click.echo(f"\r{text:{self._drawn}}", err=True, nl=False)
        self._drawn = len(text)

    def progress_done(self) -> None:
        """Wipe the progress line."""
        if self._drawn:
            click.echo(f"\r{'':{self._drawn}}\r", err=True, nl=False)
            self._drawn = 0

    def _line(self, text: str) -> None:
        self.progress_done()
        click.echo(f"karpenter-check: {one_line(text)}", err=True)
