"""The report for people: a table of all findings, then the story of each that is serious, then in full what the table cut of the others."""

from collections.abc import Container, Iterable, Iterator, Sequence
from io import StringIO

from rich.cells import cell_len, set_cell_size
from rich.table import Table
from rich.text import Text

from karpenter_check.finding import Severity
from karpenter_check.reports.headed import console_onto
from karpenter_check.reports.printable import printable
from karpenter_check.reports.rows import Row, rows
from karpenter_check.reports.stories import Stories, stories_of
from karpenter_check.reports.story import STYLES, labelled, linked_slug, print_line, story
from karpenter_check.reports.summary import complaints, last_line, not_checked, title
from karpenter_check.reports.told import message
from karpenter_check.scan import Report, Result

_WIDE = 140
"""From this width on every column stands beside the other, one line a row; below it rule, object and NodePool are one column, and nothing is cut."""
_BETWEEN = 2
_NODEPOOL = 30
"""Columns that the name of a NodePool may take."""
_CUT = "…"


def render_table(
    report: Report, *, version: str, width: int, color: bool, links: bool, every_story: bool, suppressed: bool = False
) -> str:
    """The table, the stories and what else there is to say, `width` columns wide; with ANSI colours where `color`, and then links to the rules' pages where `links`.

    What is left be is told where `suppressed`, and counted always.
    """
    links = links and color
    out = StringIO()
    console = console_onto(out, width=width, color=color)
    console.print(Text(printable(title(report, version)), style="dim"))
    stories = stories_of(report)
    shown = list(rows(stories))
    table, cut = _wide_table(shown, width=width, links=links) if width >= _WIDE else _table(shown, links=links)
    if shown:
        console.print()
        console.print(table)
    told = [root for root in stories.roots if every_story or _serious(stories, root)]
    for root in told:
        console.print()
        for line in story(report, stories, root, links=links):
            print_line(console, line, width)
    sections: dict[str, Iterable[str]] = {
        "IN FULL": _in_full(cut, stories.fingerprints(told)),
        "SUPPRESSED": _suppressed(report) if suppressed else (),
        "IGNORES": complaints(report),
        "NOT CHECKED": (f"{what}: {why}" for what, why in not_checked(report)),
    }
    for heading, lines in sections.items():
        if texts := list(lines):
            console.print()
            console.print(Text(heading, style="bold"))
            for text in texts:
                print_line(console, labelled("", text), width)
    console.print()
    console.print(Text(printable(last_line(report)), style="bold"))
    return "\n".join(line.rstrip() for line in out.getvalue().split("\n"))


def _suppressed(report: Report) -> Iterator[str]:
    """Each finding that is left be, and why."""
    for result in report.suppressed:
        if ignore := result.ignored:
            until = f" until {ignore.until:%Y-%m-%d %H:%MZ}" if ignore.until else ""
            what = f"{result.severity} {result.rule.slug}, {result.finding.object}: {message(result)}"
            yield f"{what}; left be{until}: {ignore.reason} ({ignore.source})"


def _serious(stories: Stories, root: Result) -> bool:
    """Whether a finding, or one that is told under it, is high or worse."""
    return root.severity.at_least(Severity.HIGH) or any(_serious(stories, effect) for effect in stories.consequences(root))


def _table(shown: Sequence[Row], *, links: bool) -> tuple[Table, Sequence[Row]]:
    """The table for narrow screens, and the rows that do not name all that they stand for."""
    table = Table(box=None, padding=(0, _BETWEEN, 0, 0), header_style="bold")
    table.add_column("SEVERITY", no_wrap=True)
    for column in ("FINDING", "WHAT"):
        table.add_column(column, overflow="fold")
    for row in shown:
        place = [linked_slug(row.results[0], links=links), Text(row.object)]
        nodepool = f"NodePool {row.nodepool}" if _is_name(row) else row.nodepool
        if row.nodepool and nodepool != row.object:  # about a NodePool itself it is said once
            place.append(Text(nodepool, style="dim"))
        table.add_row(_severity(row), Text("\n").join(place), Text(row.message))
    return table, [row for row in shown if len(row.results) > 1]


def _is_name(row: Row) -> bool:
    return row.nodepool == printable(row.results[0].finding.nodepool)


def _severity(row: Row) -> Text:
    severity = row.results[0].severity
    return Text("  " * (row.depth - 1) + "└ " if row.depth else "").append(severity.upper(), STYLES[severity])


def _wide_table(shown: Sequence[Row], *, width: int, links: bool) -> tuple[Table, Sequence[Row]]:
    """The table for wide screens, one line a row, and the rows that lost something by that."""
    columns = {
        "SEVERITY": [_severity(row).plain for row in shown],
        "RULE": [row.results[0].rule.slug for row in shown],
        "OBJECT": [row.object for row in shown],
        "NODEPOOL": [row.nodepool for row in shown],
    }
    needed = {heading: max(cell_len(text) for text in (heading, *texts)) for heading, texts in columns.items()}
    nodepools = min(needed["NODEPOOL"], _NODEPOOL)
    room = width - needed["SEVERITY"] - needed["RULE"] - nodepools - (len(columns) + 1) * _BETWEEN
    objects = min(needed["OBJECT"], room * 9 // 20)
    table = Table(box=None, padding=(0, _BETWEEN, 0, 0), header_style="bold")
    for column in (*columns, "WHAT"):
        table.add_column(column, no_wrap=True, overflow="ellipsis")
    cut = []
    for row in shown:
        named, nodepool, what = Text(_shortened(row.object, objects)), Text(_shortened(row.nodepool, nodepools)), Text(row.message)
        what.truncate(room - objects, overflow="ellipsis")
        table.add_row(_severity(row), linked_slug(row.results[0], links=links), named, nodepool, what)
        if len(row.results) > 1 or (named.plain, nodepool.plain, what.plain) != (row.object, row.nodepool, row.message):
            cut.append(row)
    return table, cut


def _shortened(name: str, width: int) -> str:
    """A name without its middle where it is too long: both its ends tell what it is."""
    if cell_len(name) <= width:
        return name
    end = (width - 1) // 2
    return set_cell_size(name, width - 1 - end).rstrip() + _CUT + name[-end:]


def _in_full(cut: Sequence[Row], told: Container[str]) -> Iterator[str]:
    """What the table cut and no story tells."""
    for row in cut:
        for result in row.results:
            if result.fingerprint not in told:
                finding = result.finding
                nodepool = f", NodePool {finding.nodepool}" if finding.nodepool and finding.object.kind != "NodePool" else ""
                yield f"{result.severity} {result.rule.slug}, {finding.object}{nodepool}: {message(result)}"
