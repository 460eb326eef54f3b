"""One requirement: the set of values that a label may have.

Source: `pkg/scheduling/requirement.go` (1.13). A set is given by its values or, as a complement, by the values it leaves out;
Gt, Lt, Gte and Lte are complements with bounds.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

_INTEGER = re.compile(r"[+-]?[0-9]+")
_MIN_INT, _MAX_INT = -(1 << 63), (1 << 63) - 1
_MOST_DIGITS = 19
"""Of a number within 64 bits."""


def atoi(text: str) -> int | None:
    """What Go's `strconv.Atoi` makes of a text: ASCII digits with a sign, within 64 bits; else None."""
    digits = text.lstrip("+-").lstrip("0")
    if _INTEGER.fullmatch(text) is None or len(digits) > _MOST_DIGITS:
        return None
    number = int(digits or "0") * (-1 if text.startswith("-") else 1)
    return number if _MIN_INT <= number <= _MAX_INT else None


def _operand(text: str) -> int:
    """The number of an operand as Karpenter reads it, who does not look at Atoi's error: 0 for no number, the nearest one within 64 bits."""
    if _INTEGER.fullmatch(text) is None:
        return 0
    number = atoi(text)
    if number is not None:
        return number
    return _MIN_INT if text.startswith("-") else _MAX_INT


@dataclass(frozen=True)
class Requirement:
    """The values that `key` may have: `values`, or all but those (`complement`), within inclusive bounds."""

    key: str
    complement: bool
    values: frozenset[str]
    at_least: int | None = None
    at_most: int | None = None
    min_values: int | None = None
    """How many of the values the instance types of one purchase must have between them; only NodePools ask for it."""

    @classmethod
    def of(cls, key: str, operator: str, values: Iterable[str] = (), min_values: int | None = None) -> "Requirement":
        """The requirement as the API writes it. Operands that are no integers within 64 bits count as Karpenter counts them."""
        listed = tuple(values)
        bound = _operand(listed[0]) if listed else 0
        match operator:
            case "In":
                return cls(key, complement=False, values=frozenset(listed), min_values=min_values)
            case "NotIn":
                return cls(key, complement=True, values=frozenset(listed), min_values=min_values)
            case "DoesNotExist":
                return cls(key, complement=False, values=frozenset(), min_values=min_values)
            case "Gt" if bound == _MAX_INT:
                return cls(key, complement=False, values=frozenset())
            case "Gt":
                return cls(key, complement=True, values=frozenset(), at_least=bound + 1, min_values=min_values)
            case "Gte":
                return cls(key, complement=True, values=frozenset(), at_least=bound, min_values=min_values)
            case "Lt":
                return cls(
                    key,
                    complement=True,
                    values=frozenset(),
                    at_most=bound - 1 if bound > _MIN_INT else _MAX_INT,
                    min_values=min_values,
                )
            case "Lte":
                return cls(key, complement=True, values=frozenset(), at_most=bound, min_values=min_values)
            case _:
                return cls(key, complement=True, values=frozenset(), min_values=min_values)

    @property
    def operator(self) -> str:
        """In, NotIn, Exists or DoesNotExist; bounds alone read as Exists, as in Karpenter."""
        if self.complement:
            return "NotIn" if self.values else "Exists"
        return "In" if self.values else "DoesNotExist"

    @property
    def excludes(self) -> bool:
        """Whether it only says what must not be there."""
        return self.operator in {"NotIn", "DoesNotExist"}

    def _bounds_with(self, other: "Requirement") -> tuple[int | None, int | None]:
        lower = [bound for bound in (self.at_least, other.at_least) if bound is not None]
        upper = [bound for bound in (self.at_most, other.at_most) if bound is not None]
        return max(lower, default=None), min(upper, default=None)

    def intersection(self, other: "Requirement") -> "Requirement":
        """The values that satisfy both; contradicting bounds leave none."""
        lower, upper = self._bounds_with(other)
        minimum = max((asked for asked in (self.min_values, other.min_values) if asked is not None), default=None)
        if lower is not None and upper is not None and lower > upper:
            return Requirement.of(self.key, "DoesNotExist", min_values=minimum)
        match self.complement, other.complement:
            case True, True:
                values = self.values | other.values
            case True, False:
                values = other.values - self.values
            case False, True:
                values = self.values - other.values
            case _:
                values = self.values & other.values
        kept = frozenset(value for value in values if _within(value, lower, upper))
        if self.complement and other.complement:
            return Requirement(self.key, complement=True, values=kept, at_least=lower, at_most=upper, min_values=minimum)
        return Requirement(self.key, complement=False, values=kept, min_values=minimum)

    def has_intersection(self, other: "Requirement") -> bool:
        """Whether some value satisfies both."""
        lower, upper = self._bounds_with(other)
        if lower is not None and upper is not None and lower > upper:
            return False
        if self.complement and other.complement:
            return True
        return bool(self.intersection(other).values)

    def __str__(self) -> str:
        bounds = [f">= {self.at_least}"] * (self.at_least is not None) + [f"<= {self.at_most}"] * (self.at_most is not None)
        if self.operator == "Exists" and bounds:
            return f"{self.key} {' and '.join(bounds)}"
        values = sorted(self.values)
        listed = f" [{', '.join(values[:5])}{', …' if len(values) > 5 else ''}]" if values else ""
        return f"{self.key} {self.operator}{listed}"


def _within(value: str, lower: int | None, upper: int | None) -> bool:
    if lower is None and upper is None:
        return True
    number = atoi(value)
    return number is not None and (lower is None or number >= lower) and (upper is None or number <= upper)
