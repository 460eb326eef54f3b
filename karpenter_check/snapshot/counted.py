"""Numbers of things, and the first few of them."""

from collections.abc import Sequence


def few(things: Sequence[object], most: int) -> str:
    """The first ones, and how many there are besides; `none` without any."""
    more = len(things) - most
    return (", ".join(map(str, things[:most])) + (f" and {more} more" if more > 0 else "")) or "none"


def plural(number: int, word: str) -> str:
    """`1 node`, `2 nodes`."""
    return f"{number} {word}{'s' * (number != 1)}"
