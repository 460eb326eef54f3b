"""Where a snapshot goes. What can be known to fail fails before a long collection."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from karpenter_check.cli.scan_types import FORMATS

STDOUT = Path("-")
_NO_NAMES = {*FORMATS, "wide"}
"""What follows -o where it names a format, of ours or kubectl's: a file of that name is surely not meant."""


def destination(outputs: Sequence[str]) -> Path:
    """Where to write, as -o says. Raises click.UsageError, or click.ClickException where standard output is closed."""
    if not outputs:
        raise click.UsageError("say where to write, with -o FILE or -o FILE.gz; -o - is standard output")
    if len(outputs) > 1:
        raise click.UsageError("-o: a snapshot goes to one file: give it once")
    (output,) = outputs
    if output == str(STDOUT):
        return _standard_output()
    if not output:
        raise click.UsageError("-o: the name of the file is empty")
    if output.partition("=")[0] in _NO_NAMES:
        raise click.UsageError(f"-o: snapshot writes one format: name a file, such as cluster.json.gz, not {output!r}")
    try:
        return _file(output)
    except OSError as error:
        raise click.FileError(output, error.strerror) from error


def _standard_output() -> Path:
    if sys.__stdout__ is None:  # closed by whoever called; sys.stdout leads nowhere by now
        raise click.ClickException("standard output cannot be written: it is closed")
    if sys.stdout.isatty():
        raise click.UsageError("-o -: standard output is a terminal; send it to a file or to another program")
    return STDOUT


def _file(output: str) -> Path:
    """The file, of a symbolic link what it leads to. Raises click.UsageError where it can have no place, and OSError."""
    if os.path.isdir(output) or output.endswith("/"):  # noqa: PTH112  a Path has lost the slash
        raise click.UsageError(f"-o: {output!r} is a folder; name a file in it")
    file = Path(output)
    folder = Path(os.path.realpath(file)).parent
    if not folder.is_dir():
        raise click.UsageError(f"-o: there is no folder {str(folder if file.is_symlink() else file.parent)!r}")
    if not file.exists() and not os.access(folder, os.W_OK | os.X_OK):
        raise click.UsageError(f"-o: the folder {str(folder if file.is_symlink() else file.parent)!r} may not be written to")
    return file
