"""Where reports go, how wide, and in which colours."""

import os
import shutil
import sys
from pathlib import Path

import click

from karpenter_check.cli import discard_stdout

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


def _write_file(text: str, file: Path) -> None:
    if file.exists() and not file.is_file():  # a pipe or a device, such as /dev/stderr, cannot be replaced
        try:
            file.write_text(text, encoding="utf-8")
        except OSError as error:
            raise click.FileError(str(file), error.strerror) from error
        return
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        beside.write_text(text, encoding="utf-8")
        beside.replace(file)
    except OSError as error:
        raise click.FileError(str(file), error.strerror) from error
    finally:  # after a signal, too
        beside.unlink(missing_ok=True)
