"""A report as text. Each format is one function from a report to a string."""

from collections.abc import Callable, Mapping
from enum import StrEnum

from karpenter_check.reports.brief import render_summary
from karpenter_check.reports.github import render_github
from karpenter_check.reports.html import render_html
from karpenter_check.reports.json import render_json
from karpenter_check.reports.jsonl import render_jsonl
from karpenter_check.reports.junit import render_junit
from karpenter_check.reports.markdown import render_markdown
from karpenter_check.reports.sarif import render_sarif
from karpenter_check.scan import Report


class Format(StrEnum):
    """The formats of `-o`."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    YAML = "yaml"
    SARIF = "sarif"
    JUNIT = "junit"
    GITHUB = "github"
    MARKDOWN = "markdown"
    HTML = "html"
    SUMMARY = "summary"


def render(
    report: Report,
    form: Format,
    *,
    version: str,
    width: int = 160,
    color: bool = False,
    links: bool = False,
    every_story: bool = False,
    suppressed: bool = False,
) -> str:
    """The report in a format. Only the table has a width (in columns), colours, links, stories for less than high findings, and `suppressed` ones only where asked.

    Links are for terminals: each time they have other ids, so that a text with links is never the same twice.
    """
    if form is Format.TABLE:
        from karpenter_check.reports.table import render_table  # noqa: PLC0415  rich is slow to import, and only needed here

        return render_table(
            report, version=version, width=width, color=color, links=links, every_story=every_story, suppressed=suppressed
        )
    if form is Format.YAML:
        from karpenter_check.reports.yaml import render_yaml  # noqa: PLC0415  so is PyYAML

        return render_yaml(report, version)
    return _RENDERERS[form](report, version)


_RENDERERS: Mapping[Format, Callable[[Report, str], str]] = {
    Format.JSON: render_json,
    Format.JSONL: render_jsonl,
    Format.SARIF: render_sarif,
    Format.JUNIT: render_junit,
    Format.GITHUB: lambda report, _: render_github(report),
    Format.MARKDOWN: render_markdown,
    Format.HTML: render_html,
    Format.SUMMARY: lambda report, _: render_summary(report),
}
