"""The configuration of a scan, from the file that is meant."""

import os
from pathlib import Path

import click
import msgspec

from karpenter_check.cli.configuration_options import DEFAULT, ConfigurationOptions
from karpenter_check.cli.said import Said, one_line
from karpenter_check.collect.refusal import UnreadableInput
from karpenter_check.collect.sources import read_source, split
from karpenter_check.collect.twice import refuse_keys_written_twice
from karpenter_check.configuration import Configuration, ConfigurationError, configuration_of
from karpenter_check.rules import every_rule


def configured(options: ConfigurationOptions, said: Said) -> Configuration:
    """What the file that is named says, or the one in the working directory, or nothing. Raises click.UsageError for one that is wrong."""
    path = options.config or (None if options.no_config else _in_the_working_directory())
    if path is None:
        return Configuration()
    if options.config is None:
        said.note(f"configured by {path}")
    try:
        return configuration_of(_document(path), every_rule(), str(path))
    except ConfigurationError as error:
        raise click.UsageError(one_line(f"{path}: {error}")) from error
    except UnreadableInput as error:
        reason = error.__cause__.strerror if isinstance(error.__cause__, OSError) else None  # not in the words of -f
        raise click.UsageError(one_line(f"{path}: {reason.lower()}" if reason else str(error))) from error


def _in_the_working_directory() -> Path | None:
    """The file there; also a link to nowhere or a folder, which then is an error, since it was meant."""
    return DEFAULT if os.path.lexists(DEFAULT) else None


def _document(path: Path) -> object:
    """The one document of a file; of an empty one, or one of comments alone, nothing. Raises UnreadableInput."""
    source = read_source(path)
    documents = list(split(source)) if source.content.strip() else []
    if documents:
        refuse_keys_written_twice(source)
    if len(documents) > 1:
        raise UnreadableInput(f"{path}: holds {len(documents)} documents; one is expected")
    return msgspec.json.decode(documents[0].raw) if documents else None
