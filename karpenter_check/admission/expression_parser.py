"""The part of CEL that the validation rules of Karpenter's schemas are written in: what is not in this part does not parse."""

import re
from typing import Any

from karpenter_check.admission.evaluation import MACROS, METHODS, RELATIONS, Evaluation, called, constant, method, settled, value_at

_TOKEN = re.compile(
    r"""\s*(?:(?P<text>"[^"]*"|'[^']*')|(?P<number>\d+)|(?P<word>\w+)|(?P<sign>\|\||&&|[=!<>]=|[-!<>?:.,()\[\]{}+]))"""
)
_WORDS: dict[str, Any] = {"true": True, "false": False}


class Parser:
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
        return parts[0] if len(parts) == 1 else lambda env: settled(True, ((part, env) for part in parts))

    def conjunction(self) -> Evaluation:
        """`a && b`."""
        parts = [self.relation()]
        while self.next() == "&&":
            self.take()
            parts.append(self.relation())
        return parts[0] if len(parts) == 1 else lambda env: settled(False, ((part, env) for part in parts))

    def relation(self) -> Evaluation:
        """`a == b` and its like."""
        left = self.unary()
        if self.next() not in RELATIONS:
            return left
        compare = RELATIONS[self.take()[1]]
        return called(compare, [left, self.unary()])

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
                found = value_at(found, self.ternary())
                self.expect("]")
                continue
            name = self.take()[1]
            if self.next() != "(":
                found = value_at(found, constant(name))
            elif name in MACROS:
                found = self.macro(found, name)
            else:
                found = called(method(name), [found, *self.arguments()])
        return found

    def macro(self, of: Evaluation, name: str) -> Evaluation:
        """`a.all(x, …)` and its like."""
        self.expect("(")
        variable = self.take()[1]
        self.expect(",")
        condition = self.ternary()
        self.expect(")")
        evaluation = MACROS[name](of, variable, condition)
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
        if word in METHODS and self.next() == "(":
            return called(METHODS[word], self.arguments())
        literal = {"text": word[1:-1], "number": int(word) if kind == "number" else 0, "word": _WORDS.get(word)}.get(kind)
        if literal is None and kind == "word":
            return lambda env: env[word]
        if kind == "sign":
            raise ValueError(f"nothing can begin with {word}")
        return constant(literal)

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
            of = value_at(of, constant(name))
        return called(lambda whole: names[-1] in whole, [of])
