"""Files, folders and standard input, as the bytes of one JSON document after another."""

import gzip
import json
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import yaml

from karpenter_check.collect.decode import documents
from karpenter_check.collect.refusal import UnreadableInput

_SUFFIXES = (".json", ".yaml", ".yml", ".json.gz", ".yaml.gz", ".yml.gz")
_MOST_NODES = 20_000_000
"""What aliases may blow a YAML document up to, in values; a document without aliases of that size is 100 MB and more."""


@dataclass(frozen=True)
class Source:
    """A named run of bytes, unpacked."""

    name: str
    content: bytes

    @property
    def is_json(self) -> bool:
        """Whether it is read as JSON, by its first character and its name."""
        return self.content.lstrip()[:1] in {b"{", b"["} and not self.name.endswith((".yaml", ".yml", ".yaml.gz", ".yml.gz"))


@dataclass(frozen=True)
class Folder:
    """The files of a folder that are read, and how many entries are not."""

    files: tuple[Path, ...]
    ignored: int


def is_folder(path: Path) -> bool:
    """Whether it is one. Raises UnreadableInput where that cannot be asked, as of a name that is too long."""
    try:
        return path.is_dir()
    except OSError as error:
        raise _unreadable(str(path), error) from error


def _unreadable(name: str, error: OSError) -> UnreadableInput:
    reason = (error.strerror or str(error)).lower()
    return UnreadableInput(f"{name}: {reason}; -f takes a file, a folder or - for standard input")


def list_folder(path: Path) -> Folder:
    """The `*.json`, `*.yaml` and `*.yml` files of a folder, plain or gzipped, by name; not of folders inside it.

    Raises UnreadableInput where there is none, or the folder cannot be read.
    """
    try:
        entries = sorted(path.iterdir())
    except OSError as error:
        raise _unreadable(str(path), error) from error
    files = tuple(entry for entry in entries if entry.is_file() and entry.name.endswith(_SUFFIXES))
    if not files:
        raise UnreadableInput(
            f"{path}: no *.json, *.yaml or *.yml file in this folder (gzipped ones are read too; folders in it are not)"
        )
    return Folder(files, len(entries) - len(files))


def read_source(path: Path | None) -> Source:
    """The bytes of a file, or of standard input for None, unpacked if they are gzip. Raises UnreadableInput."""
    name = str(path) if path else "standard input"
    try:
        content = path.read_bytes() if path else sys.stdin.buffer.read()
    except OSError as error:
        raise _unreadable(name, error) from error
    if content.startswith(b"\x1f\x8b"):
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise UnreadableInput(f"{name}: the gzip is truncated or damaged ({error}); copy the file again") from error
    return Source(name, content.removeprefix(b"\xef\xbb\xbf"))


if TYPE_CHECKING:
    _SafeLoader = yaml.SafeLoader
else:  # the C parser is ten times faster; PyYAML is built with it almost everywhere
    _SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Loader(_SafeLoader):
    """Safe YAML that leaves times as the text they are: the API's own types say what is one."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def split(source: Source) -> Iterator[bytes]:
    """The documents of a source as JSON. Raises UnreadableInput for what is neither JSON nor YAML."""
    content = source.content
    if not content.strip():
        raise UnreadableInput(f"{source.name}: is empty")
    if b"\x00" in content[:4096]:
        raise UnreadableInput(f"{source.name}: is binary, neither JSON nor YAML")
    if source.is_json:
        yield from _split_json(source)
    else:
        yield from _split_yaml(source)


def _split_json(source: Source) -> Iterator[bytes]:
    try:
        msgspec.json.decode(source.content, type=msgspec.Raw)
    except (msgspec.DecodeError, RecursionError):
        try:
            yield from documents(source.content)
        except UnicodeDecodeError as error:
            raise UnreadableInput(f"{source.name}: is not UTF-8 (byte {error.start})") from error
        except RecursionError as error:
            raise UnreadableInput(f"{source.name}: is nested too deeply") from error
        except json.JSONDecodeError as error:
            where = f"line {error.lineno}, column {error.colno}"
            raise UnreadableInput(f"{source.name}: is not JSON: {error.msg} ({where}); was it cut off?") from error
        except ValueError as error:  # a number of more digits than Python reads
            raise UnreadableInput(f"{source.name}: holds what JSON cannot: {error}") from error
    else:
        yield source.content


def _split_yaml(source: Source) -> Iterator[bytes]:
    try:
        text = source.content.decode()
    except UnicodeDecodeError as error:
        raise UnreadableInput(f"{source.name}: is neither JSON nor YAML: it is not UTF-8 (byte {error.start})") from error
    try:
        for document in yaml.load_all(text, Loader=Loader):
            if document is not None:
                if _expanded(document, {}) > _MOST_NODES:
                    raise UnreadableInput(f"{source.name}: its YAML aliases blow it up beyond {_MOST_NODES} values")
                yield msgspec.json.encode(document)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        if "{{" in text:
            raise UnreadableInput(
                f"{source.name}: looks like a template that was not rendered{where}: render it first (helm template …) and scan the result"
            ) from error
        problem = getattr(error, "problem", None) or str(error).partition("\n")[0]
        raise UnreadableInput(f"{source.name}: is neither JSON nor YAML: {problem}{where}") from error
    except RecursionError as error:
        raise UnreadableInput(f"{source.name}: is nested too deeply, or contains itself by a YAML alias") from error
    except (TypeError, ValueError) as error:
        raise UnreadableInput(f"{source.name}: holds what JSON cannot: {error}") from error


def _expanded(value: Any, known: dict[int, int]) -> int:
    """How many values a document has once its aliases are written out."""
    if not isinstance(value, dict | list):
        return 1
    if id(value) not in known:
        parts = value.values() if isinstance(value, dict) else value
        known[id(value)] = 1 + sum(_expanded(part, known) for part in parts)
    return known[id(value)]
