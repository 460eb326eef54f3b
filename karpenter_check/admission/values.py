"""Single values against a schema: types, enumerations, patterns, bounds."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from karpenter_check.admission.fault import one_of, quoted
from karpenter_check.admission.patterns import PATTERNS
from karpenter_check.snapshot.clip import clip
from karpenter_check.snapshot.manifest import Path

_LONG = 120
"""Characters from which on a text is not put to a pattern that takes time without end for some; then it is taken."""
_LONGEST = 2000
"""Characters of the longest text that any other pattern is put to: what it lets in is far shorter."""
_KINDS = {"object": "an object", "array": "a list", "string": "a text", "integer": "a whole number", "number": "a number", "boolean": "true or false"}  # fmt: skip
_LARGEST = 1 << 63
"""Whole numbers of JSON from which on Go has a floating one."""
_BITS = {"int32": 32, "int64": 64}


def type_of(value: Any) -> str:
    """What JSON calls it; of numbers, whether it is whole."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "integer" if value.is_integer() else "number"
        case str():
            return "string"
        case dict():
            return "object"
        case _:
            return "array"


def wrong_type(schema: Mapping[str, Any], value: Any, path: Path) -> str:
    """What is wrong with a value's type, or nothing."""
    found, wanted = type_of(value), schema.get("type", "")
    if schema.get("x-kubernetes-int-or-string"):
        fits = found == "string" or (found == "integer" and -_LARGEST <= value < _LARGEST)
        return "" if fits else f"is {quoted(value, path)}, and takes a whole number or a text"
    if not wanted or found == wanted or (wanted == "number" and found == "integer") or (found == "null" and schema.get("nullable")):
        return ""
    if found == "null":
        return f"has no value, and takes {_KINDS[wanted]}"
    written = quoted(value, path)
    if wanted == "string" and found in {"integer", "number", "boolean"}:
        return f"is {written}, {_KINDS[found] if found != 'boolean' else 'a boolean'}, and takes a text"
    return f"is {written}, and takes {_KINDS[wanted]}"


def rewritten(schema: Mapping[str, Any], value: Any) -> str:
    """How a value of the wrong type may be written, where that is plain."""
    wanted, found = schema.get("type"), type_of(value)
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if found in {"integer", "number", "boolean"} and (wanted == "string" or schema.get("x-kubernetes-int-or-string")):
        pattern = schema.get("pattern", "")
        advice = PATTERNS[pattern][1](text) if pattern and not _matches(pattern, text) else ""
        if choice := [quoted(one) for one in schema.get("enum", ()) if isinstance(one, str)]:
            return f"write {one_of(choice)}"
        return advice or (
            "" if pattern and not _matches(pattern, text) else f"put it in quotes as it stands: YAML takes it for {text}"
        )
    if isinstance(value, str) and (
        (wanted == "integer" and value.isdecimal()) or (wanted == "boolean" and value in {"true", "false"})
    ):
        return f"write {clip(value)} without quotes"
    return "write it as a list, with - before it" if wanted == "array" and isinstance(value, dict | str) else ""


def wrong_value(schema: Mapping[str, Any], value: Any, path: Path) -> Iterator[tuple[str, str]]:
    """What is wrong with a value of the right type, and what may be meant."""
    written = quoted(value, path)
    allowed = schema.get("enum", ())
    if allowed and value not in allowed:
        words = sorted(str(word) for word in allowed)
        near = [word for word in words if isinstance(value, str) and word.lower() == value.lower()]
        yield (
            f"is {written}, and may be {', '.join(words[:-1])} or {words[-1]}"
            if words[1:]
            else f"is {written}, and can only be {words[0]}",
            f"write {near[0]}" if near else "",
        )
    if isinstance(value, str):
        yield from _of_text(schema, value, written)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from _of_number(schema, value, written)
    elif isinstance(value, dict) and len(value) > schema.get("maxProperties", len(value)):
        yield f"has {len(value)} entries, and takes {schema['maxProperties']}", ""
    elif isinstance(value, list):
        if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
            bound = f"at least {schema['minItems']}" if len(value) < schema.get("minItems", 0) else f"at most {schema['maxItems']}"
            yield f"has {len(value)} entries, and takes {bound}", ""
        if schema.get("x-kubernetes-list-type") == "set" and (
            twice := [part for place, part in enumerate(value) if part in value[:place]]
        ):
            yield f"has {quoted(twice[0], path)} twice", ""


def _of_text(schema: Mapping[str, Any], value: str, written: str) -> Iterator[tuple[str, str]]:
    if len(value) < schema.get("minLength", 0):
        yield "is empty" if not value else f"is {written}, and has at least {schema['minLength']} characters", ""
    elif len(value) > schema.get("maxLength", len(value)):
        yield f"is {len(value)} characters long, and at most {schema['maxLength']} are taken", ""
    pattern = schema.get("pattern", "")
    if pattern and not _matches(pattern, value):
        wanted, advice = PATTERNS[pattern]
        yield f"is {written}, and must be {wanted}", advice(value)


def _of_number(schema: Mapping[str, Any], value: float, written: str) -> Iterator[tuple[str, str]]:
    low, high = schema.get("minimum"), schema.get("maximum")
    if (low is not None and value < low) or (high is not None and value > high):
        bounds = (
            f"{low} to {high}" if low is not None and high is not None else f"{low} or more" if high is None else f"{high} or less"
        )
        yield f"is {written}, and may be {bounds}", ""
    elif (bits := _BITS.get(schema.get("format", ""))) and not -(1 << bits - 1) <= value < 1 << bits - 1:
        yield f"is {written}, and must fit into {bits} bits", ""


def _matches(pattern: str, value: str) -> bool:
    if len(value) > _LONG and pattern.count(".+") > 1:
        return len(value.split()) >= pattern.count(".+")
    if len(value) > _LONGEST:
        return False
    return _compiled(pattern).search(value) is not None


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """Go's pattern as Python's: there `$` is the end of the text alone, and classes are ASCII's."""
    return re.compile(re.sub(r"(?<!\\)\$(?=\)|\||$)", r"\\Z", pattern), re.ASCII)
