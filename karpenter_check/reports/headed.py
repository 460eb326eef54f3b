"""Lines behind a heading, as answers are laid out."""

from collections.abc import Iterator, Sequence

from rich.text import Text

from karpenter_check.reports.printable import printable
from karpenter_check.reports.story import Line

INDENT = 10
"""Where texts begin; headings stand before them."""
_FEW = 4


def headed(heading: str, *texts: str, style: str = "") -> Iterator[Line]:
    """Texts behind a heading, each on lines of its own."""
    for place, text in enumerate(texts):
        yield Line([Text(printable(text), style)], f"{heading if place == 0 else '':{INDENT}}")


def few(names: Sequence[str]) -> str:
    """The first names, and how many there are besides."""
    more = len(names) - _FEW
    return ", ".join(names[:_FEW]) + (f" and {more} more" if more > 0 else "")
