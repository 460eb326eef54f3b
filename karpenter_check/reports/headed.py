"""Lines behind a heading, as answers are laid out."""

from collections.abc import Iterable, Iterator, Sequence
from io import StringIO

from rich.console import Console
from rich.text import Text

from karpenter_check.reports.printable import printable
from karpenter_check.reports.story import Line, print_line

INDENT = 10
"""Where texts begin; headings stand before them."""
_FEW = 4


def console_onto(out: StringIO, *, width: int, color: bool) -> Console:
    """A console that writes into a text, and asks no terminal anything."""
    return Console(
        file=out, width=width, force_terminal=color, color_system="truecolor" if color else None, no_color=not color,
        highlight=False, markup=False, emoji=False, legacy_windows=False,
    )  # fmt: skip


def laid_out(lines: Iterable[Line], *, width: int, color: bool) -> str:
    """The lines as text, `width` columns wide."""
    out = StringIO()
    console = console_onto(out, width=width, color=color)
    for line in lines:
        print_line(console, line, width)
    return "\n".join(line.rstrip() for line in out.getvalue().split("\n"))


def headed(heading: str, *texts: str, style: str = "", indent: int = INDENT) -> Iterator[Line]:
    """Texts behind a heading, each on lines of its own."""
    for place, text in enumerate(texts):
        yield Line([Text(printable(text), style)], f"{heading if place == 0 else '':{indent}}", " " * indent)


def few(names: Sequence[str]) -> str:
    """The first names, and how many there are besides."""
    more = len(names) - _FEW
    return ", ".join(names[:_FEW]) + (f" and {more} more" if more > 0 else "")
