"""Files, folders and standard input, as the bytes of one JSON document after another."""

import gzip
import json
import os
import sys
import zlib
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import msgspec

from karpenter_check.collect.decode import documents
from karpenter_check.collect.refusal import UnreadableInput
from karpenter_check.collect.yaml_documents import Document, yaml_documents
from karpenter_check.snapshot.manifest import STANDARD_INPUT

_SUFFIXES = (".json", ".yaml", ".yml", ".json.gz", ".yaml.gz", ".yml.gz")
_MOST_BYTES = 8 << 30
"""What a gzip file may unpack to."""


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


def list_folder(path: Path, *, recursive: bool = False) -> Folder:
    """The `*.json`, `*.yaml` and `*.yml` files of a folder, plain or gzipped, by name; of folders inside it where `recursive`.

    Folders whose names begin with a dot, such as `.git`, and those that are links are not gone into.
    Raises UnreadableInput where there is no such file, or a folder cannot be read.
    """
    try:
        entries = sorted(_walked(path) if recursive else path.iterdir())
    except OSError as error:
        raise _unreadable(str(error.filename or path), error) from error
    files = tuple(entry for entry in entries if entry.is_file() and entry.name.endswith(_SUFFIXES))
    if not files:
        inside = "" if recursive else "; folders in it are with -R"
        raise UnreadableInput(f"{path}: no *.json, *.yaml or *.yml file in this folder (gzipped ones are read too{inside})")
    return Folder(files, len(entries) - len(files))


def _walked(path: Path) -> Iterator[Path]:
    """All files below a folder. Raises OSError, with the name of the folder that cannot be read."""

    def refuse(error: OSError) -> None:
        raise error

    for folder, inside, names in os.walk(path, onerror=refuse):
        inside[:] = [name for name in inside if not name.startswith(".")]
        yield from (Path(folder, name) for name in names)


def read_source(path: Path | None) -> Source:
    """The bytes of a file, or of standard input for None, unpacked if they are gzip. Raises UnreadableInput."""
    name = str(path) if path else STANDARD_INPUT
    try:
        content = path.read_bytes() if path else sys.stdin.buffer.read()
    except OSError as error:
        raise _unreadable(name, error) from error
    if content.startswith(b"\x1f\x8b"):
        try:
            content = _unpacked(name, content)
        except (OSError, EOFError, zlib.error) as error:
            raise UnreadableInput(f"{name}: the gzip is truncated or damaged ({error}); copy the file again") from error
    return Source(name, _as_utf8(name, content).removeprefix(b"\xef\xbb\xbf"))


def _unpacked(name: str, content: bytes) -> bytes:
    with gzip.open(BytesIO(content)) as file:
        unpacked = file.read(_MOST_BYTES + 1)
    if len(unpacked) > _MOST_BYTES:
        raise UnreadableInput(f"{name}: the gzip unpacks to more than {_MOST_BYTES >> 30} GB")
    return unpacked


def _as_utf8(name: str, content: bytes) -> bytes:
    """The text as UTF-8; what PowerShell redirects to a file is UTF-16, and says so by its first two bytes."""
    if not content.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        return content
    try:
        return content.decode("utf-16").encode()
    except UnicodeError as error:
        raise UnreadableInput(f"{name}: begins as UTF-16, and is none: {error}") from error


def split(source: Source) -> Iterator[Document]:
    """The documents of a source as JSON, and where each begins. Raises UnreadableInput for what is neither JSON nor YAML."""
    content = source.content
    if not content.strip():
        raise UnreadableInput(f"{source.name}: is empty")
    if b"\x00" in content[:4096]:
        raise UnreadableInput(f"{source.name}: is binary, neither JSON nor YAML")
    if source.is_json:
        yield from _split_json(source)
    else:
        yield from yaml_documents(source.name, content)


def _split_json(source: Source) -> Iterator[Document]:
    try:
        msgspec.json.decode(source.content, type=msgspec.Raw)
    except (msgspec.DecodeError, RecursionError):
        try:
            for line, raw in documents(source.content):
                yield Document(raw, line)
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
        before = len(source.content) - len(source.content.lstrip())
        yield Document(source.content, source.content.count(b"\n", 0, before) + 1)
