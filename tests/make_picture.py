"""The picture in the README: what the scan of the demo really prints, by rich's own export.

`python -m tests.make_picture` writes it; a test holds the file against this.
"""

from importlib.metadata import version
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.text import Text

from karpenter_check.cli.selection import Selection, at_least
from karpenter_check.collect.files import read_files
from karpenter_check.finding import Severity
from karpenter_check.reports import Format, render
from karpenter_check.rules import every_rule
from karpenter_check.scan import scan
from tests.make_demo import DEMO

PICTURE = Path(__file__).parent.parent / "docs" / "scan.svg"
COMMAND = "karpenter-check scan --demo --min-severity high --nodepool general --nodepool idle"
WIDTH = 110


def picture() -> str:
    """The SVG."""
    report = scan(read_files([DEMO]).snapshot, every_rule())
    shown = at_least(Selection(nodepools=frozenset({"general", "idle"})).apply(report), Severity.HIGH)
    text = render(shown, Format.TABLE, version=version("karpenter-check"), width=WIDTH, color=True)
    console = Console(record=True, width=WIDTH + 25, file=StringIO())
    console.print(Text.assemble(("$ ", "dim"), COMMAND), end="\n\n")
    console.print(Text.from_ansi(text), soft_wrap=True)
    return console.export_svg(title="karpenter-check", unique_id="scan")


if __name__ == "__main__":
    PICTURE.write_text(picture(), encoding="utf-8")
