"""Where reports go, how wide, and in which colours."""

import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from gzip import GzipFile
from io import BufferedWriter
from pathlib import Path
from stat import S_IMODE
from typing import IO

import click

from karpenter_check.cli import discard_stdout

_BUFFER = 1 << 18
_LOG_WIDTH = 160
"""Columns where there is no terminal: a log is read in a wide window, and 80 would fold every name."""


def use_color(choice: str) -> bool:
    """Whether standard output is coloured: asked for, or a terminal that NO_COLOR and TERM do not forbid."""
    if choice != "auto":
        return choice == "always"
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return os.environ.get("FORCE_COLOR", "").lower() not in {"", "0", "false"} or sys.stdout.isatty()


def width(chosen: int | None) -> int:
    """How many columns standard output has: what was chosen, the terminal's (or COLUMNS), or a log's."""
    if chosen:
        return chosen
    if sys.stdout.isatty() or os.environ.get("COLUMNS"):
        return max(40, shutil.get_terminal_size((80, 24)).columns)
    return _LOG_WIDTH


def write(text: str, file: Path | None) -> None:
    """Write a report; a file appears whole or not at all. Raises click.FileError; a reader that went away is no error."""
    if file:
        _write_file(text, file)
        return
    write_stdout(text)


def write_stdout(text: str) -> None:
    """Write to standard output, what its encoding lacks as escapes. A reader that went away is no error."""
    encoding = sys.stdout.encoding or "utf-8"
    try:
        click.echo(text.encode(encoding, "backslashreplace").decode(encoding), nl=False, color=True)
        sys.stdout.flush()
    except BrokenPipeError:
        discard_stdout()


def write_bytes(pieces: Iterable[bytes], file: Path | None) -> int:
    """Write a file that only its owner may read if it is new, packed if its name ends in .gz, or to standard output.

    Returns how many bytes it has.

    Raises click.FileError, also for an OSError of the pieces, and click.ClickException where standard output takes less than all.
    """
    if file:
        with _whole(file, private=True) as stream:
            if file.suffix.lower() == ".gz":
                # without a name and a time, so that the same content gives the same bytes
                with GzipFile("", "wb", 9, stream, mtime=0) as packed, BufferedWriter(packed, _BUFFER) as buffer:
                    buffer.writelines(pieces)
            else:
                stream.writelines(pieces)
            stream.flush()
            return os.fstat(stream.fileno()).st_size
    count = 0
    try:
        for piece in pieces:
            count += sys.stdout.buffer.write(piece)
        sys.stdout.flush()
    except BrokenPipeError as error:
        discard_stdout()
        raise click.ClickException("standard output was not wholly written: its reader went away") from error
    except OSError as error:
        discard_stdout()
        raise click.ClickException(f"standard output cannot be written: {error.strerror or error}") from error
    return count


def _write_file(text: str, file: Path) -> None:
    with _whole(file) as stream:
        stream.write(text.encode())


@contextmanager
def _whole(file: Path, *, private: bool = False) -> Iterator[IO[bytes]]:
    """A file to write, which gets its name when all is written; one that is there keeps its permissions, and so does a link to it.

    Raises click.FileError, also for an OSError of the block.
    """
    beside = None
    try:
        place, mode = file, None
        if _replaceable(file):
            place = Path(os.path.realpath(file))
            mode = S_IMODE(place.stat().st_mode) if place.exists() else None
            beside = place.with_name(f".{place.name}.{os.getpid()}")
        with open(beside or file, "wb", _BUFFER, opener=_private if private or mode is not None else None) as stream:
            if beside and mode is not None:
                os.fchmod(stream.fileno(), mode)
            yield stream
        if beside:
            beside.replace(place)
    except OSError as error:
        raise click.FileError(str(file), error.strerror) from error
    finally:  # after a signal, too
        if beside:
            with suppress(OSError):  # it may have its name by now, or could not be made
                beside.unlink()


def _replaceable(file: Path) -> bool:
    """Whether another file can take its place: not of a pipe, nor of a device such as /dev/stderr, whatever that leads to."""
    return not file.is_relative_to("/dev") and not file.is_relative_to("/proc") and (not file.exists() or file.is_file())


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
