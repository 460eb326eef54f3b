"""The page of a GitHub Actions step, to which `-o github` adds the report."""

import os
from pathlib import Path

from karpenter_check import __version__
from karpenter_check.cli.said import Said
from karpenter_check.reports.markdown import render_markdown
from karpenter_check.scan import Report

_LARGEST = 1 << 20
"""Bytes that a step may write, else GitHub shows none of it: https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#adding-a-job-summary."""


def add_to_step_summary(report: Report, said: Said) -> None:
    """Append the report as Markdown to the file that `GITHUB_STEP_SUMMARY` names, if it does. One that cannot be written is a warning."""
    name = os.environ.get("GITHUB_STEP_SUMMARY")
    if not name:
        return
    file = Path(name)
    try:
        room = _LARGEST - (file.stat().st_size if file.exists() else 0)
        with file.open("a", encoding="utf-8") as stream:
            stream.write(render_markdown(report, __version__, limit=max(0, room)))
    except OSError as error:
        said.warning(f"the step summary {name} cannot be written: {error.strerror or error}")
