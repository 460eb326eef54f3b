"""The report for people: a table of all findings, then the story of each that is serious."""

from collections.abc import Iterator
from io import StringIO

from rich.table import Table
from rich.text import Text

from karpenter_check.finding import Severity
from karpenter_check.reports.headed import console_onto
from karpenter_check.reports.printable import printable
from karpenter_check.reports.stories import Stories, stories_of
from karpenter_check.reports.story import STYLES, labelled, linked_slug, print_line, story
from karpenter_check.reports.summary import complaints, last_line, not_checked
from karpenter_check.scan import Report, Result
from karpenter_check.snapshot import NO_TIME

_WIDE = 120
"""From this width on every column stands beside the other; below it rule, object and NodePool are one column."""


def render_table(
    report: Report, *, version: str, width: int, color: bool, links: bool, every_story: bool, suppressed: bool = False
) -> str:
    """The table and the stories, `width` columns wide; with ANSI colours where `color`, and then links to the rules' pages where `links`.

    What is left be is told where `suppressed`, and counted always.
    """
    links = links and color
    out = StringIO()
    console = console_onto(out, width=width, color=color)
    console.print(Text(_header(report, version), style="dim"))
    stories = stories_of(report)
    if report.results:
        console.print()
        console.print(_table(stories, wide=width >= _WIDE, links=links))
    for root in stories.roots:
        if every_story or _serious(stories, root):
            console.print()
            for line in story(report, stories, root, links=links):
                print_line(console, line, width)
    sections = {
        "SUPPRESSED": _suppressed(report) if suppressed else (),
        "IGNORES": complaints(report),
        "NOT CHECKED": (f"{what}: {why}" for what, why in not_checked(report)),
    }
    for heading, lines in sections.items():
        if told := list(lines):
            console.print()
            console.print(Text(heading, style="bold"))
            for text in told:
                print_line(console, labelled("", text), width)
    console.print()
    console.print(Text(printable(last_line(report)), style="bold"))
    return "\n".join(line.rstrip() for line in out.getvalue().split("\n"))


def _suppressed(report: Report) -> Iterator[str]:
    """Each finding that is left be, and why."""
    for result in report.suppressed:
        if ignore := result.ignored:
            until = f" until {ignore.until:%Y-%m-%d %H:%MZ}" if ignore.until else ""
            what = f"{result.severity} {result.rule.slug}, {result.finding.object}: {result.finding.message}"
            yield f"{what}; left be{until}: {ignore.reason} ({ignore.source})"


def _header(report: Report, version: str) -> str:
    snapshot = report.snapshot
    parts = [f"karpenter-check {version}"]
    if snapshot.cluster:
        parts.append(f"cluster {printable(snapshot.cluster)}")
    parts.append("at an unknown time" if snapshot.taken_at == NO_TIME else f"at {snapshot.taken_at:%Y-%m-%d %H:%M:%SZ}")
    if snapshot.kubernetes_version:
        parts.append(f"Kubernetes {printable(snapshot.kubernetes_version)}")
    elif snapshot.cluster:  # of a cluster it is looked for; a dump or manifests need not tell it
        parts.append("Kubernetes of unknown version")
    parts.append(f"Karpenter {snapshot.karpenter_version or 'of unknown version, judged as 1.2 to 1.13'}")
    return ", ".join(parts)


def _serious(stories: Stories, root: Result) -> bool:
    """Whether a finding, or one that is told under it, is high or worse."""
    return root.severity.at_least(Severity.HIGH) or any(_serious(stories, effect) for effect in stories.consequences(root))


def _table(stories: Stories, *, wide: bool, links: bool) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("SEVERITY", no_wrap=True)
    for column in ("RULE", "OBJECT", "NODEPOOL") if wide else ("FINDING",):
        table.add_column(column, overflow="fold", no_wrap=column == "RULE")
    table.add_column("WHAT", overflow="fold")
    for depth, result in stories.in_order():
        finding = result.finding
        severity = Text("  " * (depth - 1) + "└ " if depth else "").append(result.severity.upper(), STYLES[result.severity])
        what = Text(printable(finding.message))
        rule, named, nodepool = linked_slug(result, links=links), Text(printable(str(finding.object))), printable(finding.nodepool)
        if wide:
            table.add_row(severity, rule, named, nodepool, what)
        else:
            place = [rule, named, *([Text(f"NodePool {nodepool}", style="dim")] if nodepool else [])]
            table.add_row(severity, Text("\n").join(place), what)
    return table
