"""One field of a cron schedule, by the grammar of github.com/robfig/cron v3.0.1 (`parser.go:getField`, `getRange`)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

_INTEGER = re.compile(r"[+-]?[0-9]{1,99}")
_LARGEST = (1 << 63) - 1


@dataclass(frozen=True)
class Bounds:
    """A field's name, its lowest and highest value, and words for values."""

    name: str
    lowest: int
    highest: int
    words: Mapping[str, int]


def _counted(words: str, start: int) -> Mapping[str, int]:
    return {word: number for number, word in enumerate(words.split(), start)}


FIELDS = (
    Bounds("minute", 0, 59, {}),
    Bounds("hour", 0, 23, {}),
    Bounds("day of month", 1, 31, {}),
    Bounds("month", 1, 12, _counted("jan feb mar apr may jun jul aug sep oct nov dec", 1)),
    Bounds("day of week", 0, 6, _counted("sun mon tue wed thu fri sat", 0)),
)


def _number(text: str, words: Mapping[str, int]) -> int:
    """A word of the field, or a number as Go's `strconv.Atoi` reads it."""
    if text.lower() in words:
        return words[text.lower()]
    if not _INTEGER.fullmatch(text) or int(text) > _LARGEST:
        raise ValueError(f'"{text}" is no number{" or name" if words else ""}')
    if int(text) < 0:
        raise ValueError(f"{text} is negative")
    return int(text)


def _range(expression: str, bounds: Bounds) -> tuple[range, bool]:
    """The values of what stands between two commas, and whether it is a star, which a step above 1 makes an ordinary range."""
    span, *steps = expression.split("/")
    low, *highs = span.split("-")
    star = low in {"*", "?"}
    if star:
        # what follows a hyphen is not even looked at
        start, end = bounds.lowest, bounds.highest
    elif len(highs) > 1:
        raise ValueError("more than one hyphen")
    else:
        start = _number(low, bounds.words)
        end = _number(highs[0], bounds.words) if highs else start
    if len(steps) > 1:
        raise ValueError("more than one slash")
    step = _number(steps[0], {}) if steps else 1
    if max(start, end) > bounds.highest:
        sunday = ", and Sunday is 0" if bounds.name == "day of week" else ""
        raise ValueError(f"{max(start, end)} is above {bounds.highest}{sunday}")
    if steps and not highs:
        end = bounds.highest
    if start < bounds.lowest:
        raise ValueError(f"{start} is below {bounds.lowest}")
    if start > end:
        raise ValueError(f"the range begins at {start} and ends before it, at {end}")
    if step == 0:
        raise ValueError("a step of 0")
    return range(start, end + 1, step), star and step == 1


def field_values(text: str, bounds: Bounds) -> tuple[tuple[int, ...], bool]:
    """The values of a field in order, and whether a star is among its parts.

    Commas alone are no error but no value either. Raises ValueError, which names the field and says what is wrong with it.
    """
    values: set[int] = set()
    starred = False
    for expression in filter(None, text.split(",")):
        try:
            found, star = _range(expression, bounds)
        except ValueError as error:
            raise ValueError(f'{bounds.name} "{text}": {error}') from error
        values.update(found)
        starred |= star
    return tuple(sorted(values)), starred
