"""One story in lines, not columns, so that 80 columns are enough: what, why, what it costs, what follows, what to do."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from karpenter_check.finding import Ref, Severity
from karpenter_check.reports.printable import printable
from karpenter_check.reports.stories import Stories
from karpenter_check.reports.told import message, reasons, steps
from karpenter_check.scan import Report, Result

STYLES = {
    Severity.CRITICAL: "bold white on red",
    Severity.HIGH: "bold red",
    Severity.MEDIUM: "yellow",
    Severity.LOW: "cyan",
    Severity.INFO: "dim",
}
_INDENT = 10
"""Where texts begin; labels stand before them."""
_LABEL = "bold dim"


@dataclass(frozen=True)
class Line:
    """A line of a story. Its pieces stay whole where they can; a command is never broken, so that it can be copied."""

    pieces: Sequence[Text]
    first: str = " " * _INDENT
    rest: str = " " * _INDENT
    command: bool = False


def labelled(label: str, text: str, style: str = "") -> Line:
    """A text behind its label."""
    return Line([Text(printable(text), style)], f"  {label:{_INDENT - 2}}")


def linked_slug(result: Result, *, links: bool) -> Text:
    """A rule's slug, linked to its page where the terminal takes links."""
    return Text(result.rule.slug, style=f"link {result.rule.docs_url}" if links else "")


def story(report: Report, stories: Stories, root: Result, *, links: bool) -> Iterator[Line]:
    """The lines of a story."""
    finding = root.finding
    yield Line(_heading(report, root, f"{root.severity.upper():{_INDENT - 1}} ", links=links), "")
    yield Line([Text(printable(message(root)))], "  ", "  ")
    yield from (labelled(piece.label, piece.text) for piece in reasons(report, root))
    yield from _told_under(report, stories, root, links=links)
    for piece in steps(finding.fix):
        if piece.command:
            yield Line([Text(printable(piece.text), "bold")], f"  {piece.label:{_INDENT - 2}}", command=True)
        else:
            yield labelled(piece.label, piece.text, "dim" if piece.risk else "")


def _heading(report: Report, result: Result, severity: str, *, links: bool) -> list[Text]:
    head = Text.assemble((severity.rstrip(), STYLES[result.severity]), " " * (len(severity) - len(severity.rstrip())))
    pieces = [head.append_text(linked_slug(result, links=links)), Text(_object(report, result.finding.object))]
    if result.finding.nodepool:
        pieces.append(Text(f"NodePool {printable(result.finding.nodepool)}"))
    return pieces


def _object(report: Report, ref: Ref) -> str:
    """An object as people say it, with what it wants to run."""
    desired = report.snapshot.desired_replicas(ref)
    return printable(str(ref)) + ("" if desired is None else f" ({desired} replica{'s' * (desired != 1)})")


def _told_under(report: Report, stories: Stories, root: Result, *, links: bool) -> Iterator[Line]:
    for effect in stories.consequences(root):
        yield Line(_heading(report, effect, f"{effect.severity.upper()}  ", links=links), "  └ ")
        yield Line([Text(printable(message(effect)))])
        if effect.finding.why:
            yield Line([Text(printable(effect.finding.why), "dim")])
        yield from _told_under(report, stories, effect, links=links)


def print_line(console: Console, line: Line, width: int) -> None:
    """Print a line: its pieces beside each other as long as they fit, each wrapped under itself where it is too long alone."""
    if line.command:
        console.print(Text.assemble((line.first, _LABEL), line.pieces[0]), soft_wrap=True)
        return
    first, rest = max(20, width - len(line.first)), max(20, width - len(line.rest))
    rows = [Text()]
    for piece in line.pieces:
        joined = rows[-1].copy().append("   " if rows[-1] else "").append_text(piece)
        if joined.cell_len <= (first if len(rows) == 1 else rest) or not rows[-1]:
            rows[-1] = joined
        else:
            rows.append(piece)
    margin = line.first
    for row in rows:
        for part in [row] if margin == line.first and row.cell_len <= first else row.wrap(console, min(first, rest)):
            part.rstrip()
            console.print(Text.assemble((margin, _LABEL), part), soft_wrap=True)
            margin = line.rest
