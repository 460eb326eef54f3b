"""The part of CEL that the validation rules of Karpenter's schemas are written in.

Semantics: github.com/google/cel-spec `doc/langdef.md`, and Kubernetes' string library (`find`). What is not in this part does not parse,
and a test holds that every rule of the schemas does.
"""

import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

Environment: TypeAlias = Mapping[str, Any]
Evaluation: TypeAlias = Callable[[Environment], Any]

_TOKEN = re.compile(
    r"""\s*(?:(?P<text>"[^"]*"|'[^']*')|(?P<number>\d+)|(?P<word>\w+)|(?P<sign>\|\||&&|[=!<>]=|[-!<>?:.,()\[\]{}+]))"""
)
_WORDS: dict[str, Any] = {"true": True, "false": False}


class Unevaluated(Exception):
    """CEL has no value for it, as for a key that is not there; a rule that comes to this is broken."""


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
    parser = _Parser(text)
    evaluation = parser.ternary()
    parser.expect("")
    return Expression(evaluation, parser.of_all.get(id(evaluation)))


class _Parser:
    """Recursive descent; what a method returns computes the value that it has read."""

    def __init__(self, text: str) -> None:
        found = [match for match in _TOKEN.finditer(text) if match[0].strip()]
        if "".join(match[0] for match in found).split() != text.split():
            raise ValueError(f"not of the CEL that is read: {text}")
        self.tokens = [(str(match.lastgroup), match[0].strip()) for match in found]
        self.of_all: dict[int, tuple[str, Evaluation]] = {}

    def next(self) -> str:
        """The token that comes, without taking it; empty at the end. Texts keep their quotes."""
        return self.tokens[0][1] if self.tokens else ""

    def take(self) -> tuple[str, str]:
        """The token that comes, and its kind. Raises ValueError at the end."""
        if not self.tokens:
            raise ValueError("the expression breaks off")
        return self.tokens.pop(0)

    def expect(self, sign: str) -> None:
        """Take that sign, or be at the end. Raises ValueError."""
        if self.next() != sign:
            raise ValueError(f"{sign or 'the end'} is expected where {self.next()} stands")
        if sign:
            self.take()

    def ternary(self) -> Evaluation:
        """`a ? b : c`."""
        condition = self.disjunction()
        if self.next() != "?":
            return condition
        self.take()
        then = self.ternary()
        self.expect(":")
        otherwise = self.ternary()
        return lambda env: then(env) if condition(env) else otherwise(env)

    def disjunction(self) -> Evaluation:
        """`a || b`."""
        parts = [self.conjunction()]
        while self.next() == "||":
            self.take()
            parts.append(self.conjunction())
        return parts[0] if len(parts) == 1 else lambda env: _settled(True, ((part, env) for part in parts))

    def conjunction(self) -> Evaluation:
        """`a && b`."""
        parts = [self.relation()]
        while self.next() == "&&":
            self.take()
            parts.append(self.relation())
        return parts[0] if len(parts) == 1 else lambda env: _settled(False, ((part, env) for part in parts))

    def relation(self) -> Evaluation:
        """`a == b` and its like."""
        left = self.unary()
        if self.next() not in _RELATIONS:
            return left
        compare = _RELATIONS[self.take()[1]]
        return _called(compare, [left, self.unary()])

    def unary(self) -> Evaluation:
        """`!a`."""
        if self.next() != "!":
            return self.member()
        self.take()
        negated = self.unary()
        return lambda env: not negated(env)

    def member(self) -> Evaluation:
        """`a.b`, `a[b]`, `a.b(c)`."""
        found = self.primary()
        while self.next() in {".", "["}:
            if self.take()[1] == "[":
                found = _at(found, self.ternary())
                self.expect("]")
                continue
            name = self.take()[1]
            if self.next() != "(":
                found = _at(found, _constant(name))
            elif name in _MACROS:
                found = self.macro(found, name)
            else:
                found = _called(_method(name), [found, *self.arguments()])
        return found

    def macro(self, of: Evaluation, name: str) -> Evaluation:
        """`a.all(x, …)` and its like."""
        self.expect("(")
        variable = self.take()[1]
        self.expect(",")
        condition = self.ternary()
        self.expect(")")
        evaluation = _MACROS[name](of, variable, condition)
        if name == "all":
            self.of_all[id(evaluation)] = variable, condition
        return evaluation

    def arguments(self) -> list[Evaluation]:
        """What stands in parentheses, or in brackets."""
        closing = {"(": ")", "[": "]"}[self.take()[1]]
        found = []
        while self.next() != closing:
            found.append(self.ternary())
            if self.next() == ",":
                self.take()
        self.expect(closing)
        return found

    def primary(self) -> Evaluation:
        """A literal, a name, a call, a list, or what stands in parentheses."""
        if self.next() == "[":
            parts = self.arguments()
            return lambda env: [part(env) for part in parts]
        kind, word = self.take()
        if word == "(":
            found = self.ternary()
            self.expect(")")
            return found
        if word == "has":
            return self.presence()
        if word in _METHODS and self.next() == "(":
            return _called(_METHODS[word], self.arguments())
        constant = {"text": word[1:-1], "number": int(word) if kind == "number" else 0, "word": _WORDS.get(word)}.get(kind)
        if constant is None and kind == "word":
            return lambda env: env[word]
        if kind == "sign":
            raise ValueError(f"nothing can begin with {word}")
        return _constant(constant)

    def presence(self) -> Evaluation:
        """`has(a.b)`."""
        self.expect("(")
        names = [self.take()[1]]
        while self.next() == ".":
            self.take()
            names.append(self.take()[1])
        self.expect(")")
        of: Evaluation = lambda env: env[names[0]]  # noqa: E731  the others are made the same way
        for name in names[1:-1]:
            of = _at(of, _constant(name))
        return _called(lambda whole: names[-1] in whole, [of])


def _settled(decisive: bool, parts: Iterable[tuple[Evaluation, Environment]]) -> bool:  # noqa: FBT001  one of two values
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


def _constant(value: Any) -> Evaluation:
    return lambda _: value


def _at(of: Evaluation, key: Evaluation) -> Evaluation:
    def found(environment: Environment) -> Any:
        try:
            return of(environment)[key(environment)]
        except (KeyError, IndexError, TypeError) as error:
            raise Unevaluated from error

    return found


def _called(function: Callable[..., Any], arguments: Sequence[Evaluation]) -> Evaluation:
    def found(environment: Environment) -> Any:
        try:
            return function(*(argument(environment) for argument in arguments))
        except (TypeError, ValueError, AttributeError) as error:
            raise Unevaluated from error

    return found


def _method(name: str) -> Callable[..., Any]:
    if name not in _METHODS:
        raise ValueError(f"{name} is not of the CEL that is read")
    return _METHODS[name]


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


_RELATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "in": lambda part, whole: part in whole,
}
_METHODS: dict[str, Callable[..., Any]] = {
    "size": len,
    "int": _whole_number,
    "find": _found,
    "matches": lambda text, pattern: re.search(pattern, text) is not None,
    "split": lambda text, separator: text.split(separator),
    "startsWith": str.startswith,
    "endsWith": str.endswith,
}
_MACROS: dict[str, Callable[[Evaluation, str, Evaluation], Evaluation]] = {
    "all": lambda of, variable, condition: lambda env: _settled(False, _each(of, variable, condition)(env)),
    "exists": lambda of, variable, condition: lambda env: _settled(True, _each(of, variable, condition)(env)),
    "filter": lambda of, variable, condition: lambda env: [part for part in of(env) if condition({**env, variable: part}) is True],
}
