"""Annotations of GitHub Actions (workflow commands): a line for each finding.

https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
"""

import re
from collections.abc import Iterator

from karpenter_check.finding import Location, Severity
from karpenter_check.reports.printable import printable
from karpenter_check.reports.summary import last_line, not_checked
from karpenter_check.scan import Report, Result

_COMMANDS = {
    Severity.CRITICAL: "error", Severity.HIGH: "error", Severity.MEDIUM: "warning", Severity.LOW: "notice", Severity.INFO: "notice",
}  # fmt: skip
_LINE = re.compile(r"\(line ([0-9]+)")
"""How what cannot be read says where."""
_DATA = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_PROPERTY = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A", ":": "%3A", ",": "%2C"})


def render_github(report: Report) -> str:
    """An `error`, `warning` or `notice` for each finding, worst first: GitHub shows ten of each a step. The last line is plain text.

    Suppressed findings are notices that say so, what was not checked is a warning, or a notice where nothing was missing.
    """
    return "\n".join([*_lines(report), printable(last_line(report))]) + "\n"


def _lines(report: Report) -> Iterator[str]:
    for result in report.results:
        yield _annotation(_COMMANDS[result.severity], f"{result.severity} {_what(result)}", _said(result), result.location)
    files = {error.source for error in report.snapshot.errors} if report.snapshot.of_manifests else set()
    for what, why in not_checked(report):
        line = _LINE.search(why)
        place = Location(what, int(line[1]) if line else 1) if what in files else None
        missing = report.incomplete and bool(place or not report.snapshot.of_manifests)
        yield _annotation("warning" if missing else "notice", f"not checked: {what}", why, place)
    for result in report.suppressed:
        reason = f"suppressed: {result.ignored.reason}; " if result.ignored else ""
        yield _annotation("notice", f"suppressed {_what(result)}", reason + _said(result), result.location)


def _what(result: Result) -> str:
    finding = result.finding
    return f"{result.rule.slug}, {finding.object}" + (f" in NodePool {finding.nodepool}" if finding.nodepool else "")


def _said(result: Result) -> str:
    finding = result.finding
    return "; ".join(part for part in (finding.message, finding.why, result.rule.docs_url) if part)


def _annotation(command: str, title: str, message: str, location: Location | None = None) -> str:
    properties = {"title": title}
    if location and location.in_a_file:
        properties = {"file": location.file, "line": str(location.line), "col": str(location.column), **properties}
    written = ",".join(f"{name}={printable(value).translate(_PROPERTY)}" for name, value in properties.items())
    return f"::{command} {written}::{printable(message).translate(_DATA)}"
