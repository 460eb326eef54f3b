"""What is said on standard error: everything but the report."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from karpenter_check.finding import clip
from karpenter_check.reports.document import encoded, finding_document
from karpenter_check.reports.printable import printable, printable_json
from karpenter_check.scan import Report

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
        self._print: Callable[[str], None] = _print

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

    @property
    def for_people(self) -> bool:
        """Whether somebody is to be kept company: these are no logs, and notes are wanted."""
        return self._verbosity >= 0 and not self._log_format

    @contextmanager
    def through(self, printer: Callable[[str], None]) -> Iterator[None]:
        """Have the lines printed by that meanwhile: by what draws on standard error, too."""
        self._print = printer
        try:
            yield
        finally:
            self._print = _print

    def _line(self, level: str, text: str) -> None:
        if self._log_format == "json":
            self._json(level=level, message=clip(text, _LONGEST))
        else:
            shown = level.upper() if self._log_format else f"{level}:"
            self._echo(one_line(text if level == "detail" and not self._log_format else f"{shown} {text}"))

    def _echo(self, line: str) -> None:
        self._print(line if self._log_format else f"karpenter-check: {line}")

    def _json(self, **fields: object) -> None:
        self._print(printable_json(encoded(fields)))


def _print(line: str) -> None:
    click.echo(line, err=True)
