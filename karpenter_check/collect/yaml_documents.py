"""YAML as kubectl reads it, from whomever: no tags, bounded aliases, size and depth."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import yaml

from karpenter_check.collect.refusal import UnreadableInput

_MOST_NODES = 20_000_000
"""What aliases may blow a YAML document up to, in values; a document without aliases of that size is 100 MB and more."""
_FEW = 1000
"""Values that aliases may make of whatever share."""
_MOST_CHARACTERS = 512 << 20
"""Of a source; Python's YAML takes some thirty times as much memory."""
_DEEPEST = 500
"""Levels; libyaml and PyYAML recurse in C, and some ten thousand levels end the process."""
_BRACKETS = re.compile(r"[\[\]{}]")
_INDENT = re.compile(r"^[ ?:-]*", re.MULTILINE)

if TYPE_CHECKING:
    _SafeLoader = yaml.SafeLoader
else:  # the C parser is ten times faster; PyYAML is built with it almost everywhere
    _SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Document(NamedTuple):
    """A document of a source as JSON, and where it begins."""

    raw: bytes
    line: int = 1
    node: yaml.Node | None = None
    """What YAML composed it of, with the place of each value; None where it is JSON."""


class Loader(_SafeLoader):
    """Safe YAML whose plain scalars are what they are to kubectl (go.yaml.in/yaml v2.4, `resolve.go`).

    `yes`, `on` and `y` are booleans, `1e3` and `012345678901` are numbers, `1:30` is text, and times stay the text they are: the API's
    own types say what is one.
    """

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}
    bool_values = {**yaml.SafeLoader.bool_values, "y": True, "n": False}

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002  PyYAML's signature
        """A mapping with the keys that its JSON has."""
        found = super().construct_mapping(node, deep)
        if all(type(key) is str for key in found):
            return found
        return {_as_key(key): value for key, value in found.items()}


def _as_key(key: Any) -> Any:
    return str(key).lower() if isinstance(key, bool) else key


def _whole(loader: Loader, node: yaml.ScalarNode) -> int | float:
    number = float(loader.construct_yaml_float(node))
    return int(number) if number.is_integer() and abs(number) < 1e18 else number  # JSON of Go has no 1000.0


for _tag, _pattern, _first in (
    ("bool", r"y|Y|yes|Yes|YES|true|True|TRUE|on|On|ON|n|N|no|No|NO|false|False|FALSE|off|Off|OFF", "yYnNtTfFoO"),
    ("int", r"[-+]?(0b[01_]+|0x[0-9a-fA-F_]+|0o?[0-7_]*|[1-9][0-9_]*)", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9_]+|[0-9][0-9_]*(\.[0-9_]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", "-+.0123456789"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("merge", "<<", "<"),
):
    Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"(?:{_pattern})\Z"), list(_first))
Loader.add_constructor("tag:yaml.org,2002:float", _whole)


def yaml_documents(name: str, content: bytes) -> Iterator[Document]:
    """The documents of a YAML text. Raises UnreadableInput that names the source, the line and the column."""
    if len(content) > _MOST_CHARACTERS:
        raise UnreadableInput(f"{name}: is {len(content) >> 20} MB of YAML, {_MOST_CHARACTERS >> 20} MB are read; print it as JSON")
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise UnreadableInput(f"{name}: is neither JSON nor YAML: it is not UTF-8 (byte {error.start})") from error
    try:
        if _may_be_deep(text) and _is_deep(text):
            raise UnreadableInput(f"{name}: is nested too deeply, or contains itself by a YAML alias")
        yield from _documents(name, text)
    except yaml.YAMLError as error:
        raise UnreadableInput(_refusal(name, text, error)) from error
    except RecursionError as error:
        raise UnreadableInput(f"{name}: is nested too deeply, or contains itself by a YAML alias") from error
    except (TypeError, ValueError) as error:
        raise UnreadableInput(f"{name}: holds what JSON cannot: {error}") from error


def _documents(name: str, text: str) -> Iterator[Document]:
    loader: Any = Loader(text)
    try:
        while loader.check_node():
            node = loader.get_node()
            document = loader.construct_document(node)
            if document is None:
                continue
            _refuse_blown_up(name, document)
            yield Document(msgspec.json.encode(document), node.start_mark.line + 1, node)
    finally:
        loader.dispose()


def _refusal(name: str, text: str, error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
    if "{{" in text or "{%" in text:
        return f"{name}: looks like a template that was not rendered{where}: render it first (helm template …) and scan the result"
    problem = getattr(error, "problem", None) or str(error).partition("\n")[0]
    if "cannot start any token" in problem and "\t" in text.splitlines()[mark.line if mark else 0]:
        return f"{name}: has a tab where YAML wants spaces{where}"
    return f"{name}: is neither JSON nor YAML: {problem}{where}"


def _may_be_deep(text: str) -> bool:
    """Whether it can be so deep at all: by its indentation, and by its brackets, those in texts too."""
    if max(map(len, _INDENT.findall(text)), default=0) > _DEEPEST:
        return True
    depth = deepest = 0
    for bracket in _BRACKETS.findall(text):
        depth = depth + 1 if bracket in "[{" else max(0, depth - 1)
        deepest = max(deepest, depth)
    return deepest > _DEEPEST


def _is_deep(text: str) -> bool:
    """Whether it is; events come one by one, without recursion."""
    depth = 0
    for event in yaml.parse(text, Loader=Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _DEEPEST:
            return True
    return False


def _refuse_blown_up(name: str, document: Any) -> None:
    """Raises UnreadableInput for a document that is made of aliases (the share that kubectl allows: yaml v2.4, `decode.go`)."""
    known: dict[int, int] = {}
    values = _expanded(document, known)
    if values > _MOST_NODES:
        raise UnreadableInput(f"{name}: its YAML aliases blow it up beyond {_MOST_NODES} values")
    if values <= _FEW:
        return
    written = _written(document, set())
    share = 0.99 if values <= 400_000 else 0.10 if values >= 4_000_000 else 0.99 - 0.89 * (values - 400_000) / 3_600_000
    if values - written > _FEW and values - written > share * values:
        raise UnreadableInput(f"{name}: its YAML aliases make {values:,} values of {written:,}; kubectl refuses that, too")


def _expanded(value: Any, known: dict[int, int]) -> int:
    """How many values a document has once its aliases are written out."""
    if not isinstance(value, dict | list):
        return 1
    if id(value) not in known:
        parts = value.values() if isinstance(value, dict) else value
        known[id(value)] = 1 + sum(_expanded(part, known) for part in parts)
    return known[id(value)]


def _written(value: Any, seen: set[int]) -> int:
    """How many values stand there; an alias is none."""
    if not isinstance(value, dict | list):
        return 1
    if id(value) in seen:
        return 0
    seen.add(id(value))
    return 1 + sum(_written(part, seen) for part in (value.values() if isinstance(value, dict) else value))
