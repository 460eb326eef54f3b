"""What is said on standard error: everything but the report."""

import sys

import click

from karpenter_check.finding import clip
from karpenter_check.reports.document import encoded, finding_document
from karpenter_check.reports.printable import printable, printable_json
from karpenter_check.scan import Report
from karpenter_check.snapshot import Kind

_LONGEST = 500


def one_line(text: str) -> str:
    """A text as one line of a sensible length, whatever a cluster or a file put into it."""
    return clip(printable(text), _LONGEST)


class Said:
    """Standard error at a verbosity: below 0 only errors and warnings, 0 notes too, above 0 details too.

    In a log format each line says its level, and each finding is a line, so that a log can be searched.
    """

    def __init__(self, verbosity: int, log_format: str | None = None) -> None:
        """`log_format` is None for people, `text` or `json` for logs."""
        self._verbosity = verbosity
        self._log_format = log_format
        self._drawn = 0

    def warning(self, text: str) -> None:
        """Something was not read or not done."""
        self._line("warning", text)

    def note(self, text: str) -> None:
        """Something that a careful reader wants to know."""
        if self._verbosity >= 0:
            self._line("note", text)

    def detail(self, text: str) -> None:
        """Something that only a curious reader wants to know."""
        if self._verbosity > 0:
            self._line("detail", text)

    def findings(self, report: Report) -> None:
        """In a log, a line for each finding, its severity in words."""
        for result in report.results if self._log_format else ():
            finding = result.finding
            if self._log_format == "json":
                document = finding_document(result)
                self._json(level="finding", severity=document.severity, rule=document.rule, object=document.object,
                           nodePool=document.node_pool, message=clip(document.message), fingerprint=document.fingerprint)  # fmt: skip
            else:
                where = f"{finding.object}" + (f" NodePool {finding.nodepool}" if finding.nodepool else "")
                self._echo(one_line(f"{result.severity.upper()} {result.rule.slug} {where}: {finding.message}"))

    def progress(self, kind: Kind, count: int, remaining: int | None) -> None:
        """How far the collection is: one line that is drawn over itself, on a terminal alone."""
        if self._verbosity < 0 or self._log_format or not sys.stderr.isatty():
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

    def _line(self, level: str, text: str) -> None:
        if self._log_format == "json":
            self._json(level=level, message=clip(text, _LONGEST))
        else:
            shown = level.upper() if self._log_format else f"{level}:"
            self._echo(one_line(text if level == "detail" and not self._log_format else f"{shown} {text}"))

    def _echo(self, line: str) -> None:
        self.progress_done()
        click.echo(line if self._log_format else f"karpenter-check: {line}", err=True)

    def _json(self, **fields: object) -> None:
        click.echo(printable_json(encoded(fields)), err=True)
