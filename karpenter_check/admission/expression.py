"""A validation rule of a schema, and what breaks it."""

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cache
from typing import Any

from karpenter_check.admission.evaluation import Environment, Evaluation, Unevaluated
from karpenter_check.admission.expression_parser import Parser


@dataclass(frozen=True)
class Expression:
    """A rule."""

    evaluate: Evaluation
    each: tuple[str, Evaluation] | None = None
    """Of `self.all(x, …)`, the variable and what must hold of every part."""

    def broken_by(self, value: Any, unsound: AbstractSet[str | int] = frozenset()) -> Iterator[tuple[str | int, ...]]:
        """Where a value breaks the rule: the parts that do, else the value as a whole. With unsound parts only the others are asked."""
        parts = self._broken_parts(value, unsound)
        if parts or (not unsound and not _holds(self.evaluate, {"self": value})):
            yield from [(part,) for part in parts]
            if not parts:
                yield ()

    def _broken_parts(self, value: Any, unsound: AbstractSet[str | int]) -> list[str | int]:
        if not self.each:
            return []
        variable, condition = self.each
        parts: Iterable[tuple[str | int, Any]] = enumerate(value) if isinstance(value, list) else ((key, key) for key in value)
        return [place for place, part in parts if place not in unsound and not _holds(condition, {"self": value, variable: part})]


def _holds(evaluation: Evaluation, environment: Environment) -> bool:
    try:
        return evaluation(environment) is True
    except Unevaluated:
        return False


@cache
def expression(text: str) -> Expression:
    """A rule from its text. Raises ValueError for what is not of this part of CEL."""
    parser = Parser(text)
    evaluation = parser.ternary()
    parser.expect("")
    return Expression(evaluation, parser.of_all.get(id(evaluation)))
