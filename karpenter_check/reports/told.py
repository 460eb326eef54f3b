"""What there is to say of one finding besides its message, in pieces that every format lays out in its own way."""

from collections.abc import Iterator
from dataclasses import dataclass

from karpenter_check.finding import Evidence, Fix
from karpenter_check.scan import Report, Result
from karpenter_check.snapshot.duration import spoken

_PLACES = 3


@dataclass(frozen=True)
class Piece:
    """A labelled text, not yet made safe to look at. A step's second text has no label of its own."""

    label: str
    text: str
    command: bool = False
    """To be copied as it is."""
    risk: bool = False


def message(result: Result) -> str:
    """What was found, behind the place of it where that is in a file."""
    return f"{result.location}: {result.finding.message}" if result.location else result.finding.message


def causes(report: Report, result: Result) -> Iterator[Piece]:
    """The findings that explain it, for formats that do not tell it under them."""
    for cause in (*report.results, *report.suppressed):
        if cause.fingerprint in result.caused_by:
            yield Piece("caused by", f"{cause.severity} {cause.rule.slug}, {cause.finding.object}")


def reasons(report: Report, result: Result) -> Iterator[Piece]:
    """Why it is so, what it costs, what was said of it, and where it holds."""
    finding = result.finding
    if finding.why:
        yield Piece("why", finding.why)
    if finding.cost:
        yield Piece("cost", finding.cost)
    yield from (Piece("said", line) for line in _said(report, finding.evidence))
    if where := _where(result):
        yield Piece("where", where)


def steps(fix: tuple[Fix, ...]) -> Iterator[Piece]:
    """What to do: of each step its command, its words and its risk, as far as it has them."""
    for step in fix:
        label = step.step
        if step.command:
            yield Piece(label, step.command, command=True)
            label = ""
        if step.text:
            yield Piece(label, step.text)
            label = ""
        if step.risk:
            yield Piece(label, step.risk, risk=True)


def _said(report: Report, evidence: tuple[Evidence, ...]) -> Iterator[str]:
    """Events, in the words of who reported them."""
    for entry in evidence:
        if entry.event:
            times = f" x{entry.event.count}" if entry.event.count > 1 else ""
            last = f", last {spoken(report.snapshot.taken_at - entry.event.last_seen)} ago" if entry.event.last_seen else ""
            yield f'{entry.event.reason}{times}{last}: "{entry.event.message}"'


def _where(result: Result) -> str:
    """The places where it holds, unless that is the object itself."""
    places = list(dict.fromkeys(str(occurrence.object) for occurrence in result.finding.occurrences))
    if places == [str(result.finding.object)]:
        return ""
    more = len(places) - _PLACES
    return ", ".join(places[:_PLACES]) + (f" and {more} more" if more > 0 else "")
