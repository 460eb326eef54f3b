"""Markdown as GitHub and GitLab have it, for step summaries and comments: a table, what there is to say of each finding, what was not checked."""

import html
import re
from collections.abc import Iterator

from karpenter_check.reports.printable import printable
from karpenter_check.reports.summary import complaints, last_line, not_checked, title
from karpenter_check.reports.told import causes, message, reasons, steps
from karpenter_check.scan import Report, Result

_ACTIVE = re.compile(r"([\\`*_{}\[\]<>|~$&])")
"""Punctuation that means something in the middle of a line."""
_CALLS = re.compile(
    r"@(?=\w)|#(?=\d)|:(?=(?:[a-z+-][\w+-]*|100|1234):)|(?<=\bhttp):(?=//)|(?<=\bhttps):(?=//)|(?<=\bwww)\.", re.IGNORECASE
)
"""What GitHub and GitLab make of it unasked: mentions, references, emoji, links."""


def render_markdown(report: Report, version: str, *, limit: int | None = None) -> str:
    """The whole report, or as much as fits into so many bytes, the last findings left out first, and that said."""
    head = [f"# {escaped(title(report, version))}", f"**{escaped(last_line(report))}**"]
    missing = list(_missing(report))
    results = (*report.results, *report.suppressed)
    for shown, detailed in _shorter(len(results)):
        blocks = [*head, *_table(results[:shown]), *_left_out(len(results), shown, detailed), *missing]
        text = "\n\n".join([*blocks, *(_detail(report, result) for result in results[:detailed])]) + "\n"
        if limit is None or len(text.encode()) <= limit:
            return text
    return text.encode()[:limit].decode(errors="ignore")


def _shorter(findings: int) -> Iterator[tuple[int, int]]:
    """How many findings stand in the table, and how many are told in full: all, then fewer and fewer."""
    detailed = shown = findings
    yield shown, detailed
    while detailed:
        detailed //= 2
        yield shown, detailed
    while shown:
        shown //= 2
        yield shown, 0


def _left_out(findings: int, shown: int, detailed: int) -> Iterator[str]:
    if detailed < findings:
        few = "none is" if not detailed else f"the first {detailed} are"
        yield f"There is room for {shown} of {findings} findings; {few} told in full."


def _table(results: tuple[Result, ...]) -> Iterator[str]:
    if results:
        rows = ["| severity | rule | object | NodePool | what |", "|---|---|---|---|---|"]
        for result in results:
            finding = result.finding
            left_be = f" (suppressed: {result.ignored.reason})" if result.ignored else ""
            severity = "suppressed" if result.ignored else str(result.severity)
            cells = [escaped(str(finding.object)), escaped(finding.nodepool), escaped(message(result) + left_be)]
            rows.append("| " + " | ".join([severity, f"[{result.rule.slug}]({result.rule.docs_url})", *cells]) + " |")
        yield "\n".join(rows)


def _detail(report: Report, result: Result) -> str:
    """What unfolds below a finding's heading."""
    finding = result.finding
    head = html.escape(printable(f"{result.severity} {result.rule.slug}, {finding.object}"))
    blocks = [f"<details><summary>{_CALLS.sub(_kept_apart, head)}</summary>", escaped(message(result))]
    for piece in (*causes(report, result), *reasons(report, result), *steps(finding.fix)):
        label = [f"**{piece.label}**"] if piece.label else []
        blocks += [*label, _code(piece.text)] if piece.command else [" ".join([*label, escaped(piece.text)])]
    return "\n\n".join([*blocks, "</details>"])


def _missing(report: Report) -> Iterator[str]:
    """What was not checked, and the ignores that are of no use."""
    for what_kind, lines in (
        ("Not checked", [f"{what}: {why}" for what, why in not_checked(report)]),
        ("Ignores", list(complaints(report))),
    ):
        if lines:
            yield f"**{what_kind}**"
            yield "\n".join(f"- {escaped(line)}" for line in lines)


def _code(command: str) -> str:
    """A command to be copied, fenced by more backticks than it has."""
    text = printable(command)
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{fence}sh\n{text}\n{fence}"


def escaped(text: str) -> str:
    """A text that stays text, also where it looks like a mention, a reference or a link."""
    return _CALLS.sub(_kept_apart, _ACTIVE.sub(r"\\\1", printable(text)))


def _kept_apart(found: "re.Match[str]") -> str:
    return f"{found[0]}&#8203;"
