"""How CEL computes: what is missing, what holds of all, what its functions are.

Semantics: github.com/google/cel-spec `doc/langdef.md`, and Kubernetes' string library (`find`, `split`).
"""

import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

Environment: TypeAlias = Mapping[str, Any]
Evaluation: TypeAlias = Callable[[Environment], Any]


class Unevaluated(Exception):
    """CEL has no value for it, as for a key that is not there; a rule that comes to this is broken."""


def settled(decisive: bool, parts: Iterable[tuple[Evaluation, Environment]]) -> bool:  # noqa: FBT001  one of two values
    """`||` and `exists` are true where a part is, `&&` and `all` false where one is, whatever the others come to."""
    unevaluated: Unevaluated | None = None
    for part, environment in parts:
        try:
            found: object = part(environment)
        except Unevaluated as error:
            unevaluated = error
            continue
        if found is decisive:
            return decisive
    if unevaluated:
        raise unevaluated
    return not decisive


def constant(value: Any) -> Evaluation:
    """What is the same whatever it is of."""
    return lambda _: value


def value_at(of: Evaluation, key: Evaluation) -> Evaluation:
    """The value at a key; Unevaluated where there is none."""

    def found(environment: Environment) -> Any:
        try:
            return of(environment)[key(environment)]
        except (KeyError, IndexError, TypeError) as error:
            raise Unevaluated from error

    return found


def called(function: Callable[..., Any], arguments: Sequence[Evaluation]) -> Evaluation:
    """What a function makes of its arguments; Unevaluated where it takes no such ones."""

    def found(environment: Environment) -> Any:
        try:
            return function(*(argument(environment) for argument in arguments))
        except (TypeError, ValueError, AttributeError) as error:
            raise Unevaluated from error

    return found


def method(name: str) -> Callable[..., Any]:
    """A function by its name. Raises ValueError for one that is not of this part of CEL."""
    if name not in METHODS:
        raise ValueError(f"{name} is not of the CEL that is read")
    return METHODS[name]


def _whole_number(text: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]{1,19}", text):
        raise ValueError(text)
    return int(text)


def _found(text: str, pattern: str) -> str:
    match = re.search(pattern, text)
    return match[0] if match else ""


def _each(
    of: Evaluation, variable: str, condition: Evaluation
) -> Callable[[Environment], Iterator[tuple[Evaluation, Environment]]]:
    return lambda env: ((condition, {**env, variable: part}) for part in of(env))


RELATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "in": lambda part, whole: part in whole,
}
METHODS: dict[str, Callable[..., Any]] = {
    "size": len,
    "int": _whole_number,
    "find": _found,
    "matches": lambda text, pattern: re.search(pattern, text) is not None,
    "split": lambda text, separator: text.split(separator),
    "startsWith": str.startswith,
    "endsWith": str.endswith,
}
MACROS: dict[str, Callable[[Evaluation, str, Evaluation], Evaluation]] = {
    "all": lambda of, variable, condition: lambda env: settled(False, _each(of, variable, condition)(env)),
    "exists": lambda of, variable, condition: lambda env: settled(True, _each(of, variable, condition)(env)),
    "filter": lambda of, variable, condition: lambda env: [part for part in of(env) if condition({**env, variable: part}) is True],
}
