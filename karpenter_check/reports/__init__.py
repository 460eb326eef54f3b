"""A report as text. Each format is one function from a report to a string."""

from enum import StrEnum
from typing import assert_never

from karpenter_check.reports.json import render_json
from karpenter_check.reports.jsonl import render_jsonl
from karpenter_check.scan import Report


class Format(StrEnum):
    """The formats of `-o`."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"


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
    match form:
        case Format.TABLE:
            from karpenter_check.reports.table import render_table  # noqa: PLC0415  rich is slow to import, and only needed here

            return render_table(
                report, version=version, width=width, color=color, links=links, every_story=every_story, suppressed=suppressed
            )
        case Format.JSON:
            return render_json(report, version)
        case Format.JSONL:
            return render_jsonl(report, version)
        case _:
            assert_never(form)
