"""One snapshot file: collect, write, and say what is in it."""

import os
from dataclasses import dataclass, replace
from pathlib import Path

import click

from karpenter_check.cli.exits import Exit
from karpenter_check.cli.input import Refused, Source
from karpenter_check.cli.output import write_bytes
from karpenter_check.cli.said import Said
from karpenter_check.cli.signals import doing
from karpenter_check.collect.gathering import Gathering
from karpenter_check.collect.snapshot_file import snapshot_file
from karpenter_check.collect.spool import Spool
from karpenter_check.snapshot import Coverage, Kind, Snapshot, Status

STDOUT = Path("-")
_READ = {Status.COMPLETE, Status.PARTIAL}
_ALPHA = Coverage(Status.ABSENT, 0, "there is only Karpenter's alpha API (v1alpha5)")


@dataclass(frozen=True, kw_only=True)
class Options:
    """What `karpenter-check snapshot` was called with."""

    source: Source
    output: Path | None
    redact: bool
    strict: bool
    quiet: bool
    verbose: int


def take(options: Options) -> int:
    """Write the file, and return the exit code. Raises click.ClickException where there is nothing to write, or no Karpenter."""
    output = _checked(options)
    said = Said(-1 if options.quiet else options.verbose)
    try:
        with Spool() as spool:
            snapshot, refusal = _taken(options.source, said, Gathering(spool))
            with doing("writing the snapshot"):
                size = _write(snapshot, spool, output, redact=options.redact)
    except OSError as error:
        raise Refused(f"the objects cannot be kept on disk on their way: {error.strerror or error}", Exit.CANNOT_SCAN) from error
    if size is not None:
        said.note(_summary(snapshot, "standard output" if output == STDOUT else str(output), size))
    if refusal:
        raise refusal
    incomplete = bool(snapshot.errors) or any(entry.status is not Status.COMPLETE for entry in snapshot.coverage.values())
    return int(Exit.INCOMPLETE if options.strict and incomplete else Exit.CLEAN)


def _taken(source: Source, said: Said, gathering: Gathering) -> tuple[Snapshot, Refused | None]:
    """The snapshot, and why it cannot be judged where Karpenter is not there. Raises Refused where there is none."""
    try:
        return source.taken(said, gathering).snapshot, None
    except Refused as refusal:
        snapshot = refusal.snapshot
        if snapshot is None:
            raise
        if snapshot.covered(Kind.NODEPOOL).status is not Status.ABSENT:
            snapshot = replace(snapshot, coverage={**snapshot.coverage, Kind.NODEPOOL: _ALPHA})
        return snapshot, refusal


def _write(snapshot: Snapshot, spool: Spool, output: Path, *, redact: bool) -> int | None:
    """Returns how many bytes were written, or None where nobody reads them any more."""
    redaction = None
    if redact:
        from karpenter_check.collect.redaction import Redaction, redaction_key  # noqa: PLC0415  only this needs it

        redaction = Redaction(redaction_key(snapshot.nodepools))
    return write_bytes(snapshot_file(snapshot, spool, redaction), None if output == STDOUT else output)


def _checked(options: Options) -> Path:
    """Where to write. What can be known to fail fails before a long collection. Raises click.ClickException."""
    options.source.check()
    if options.quiet and options.verbose:
        raise click.UsageError("-q and -v exclude each other")
    output = options.output
    if output is None:
        raise click.UsageError("say where to write, with -o FILE or -o FILE.gz; -o - is standard output")
    if output == STDOUT:
        return output
    try:
        if output.is_dir():
            raise click.UsageError(f"-o: {str(output)!r} is a folder; name a file in it")
        if not output.parent.is_dir():
            raise click.UsageError(f"-o: there is no folder {str(output.parent)!r}")
        if not output.exists() and not os.access(output.parent, os.W_OK):
            raise click.FileError(str(output), "the folder may not be written to")
    except OSError as error:
        raise click.FileError(str(output), error.strerror) from error
    return output


def _summary(snapshot: Snapshot, name: str, size: int) -> str:
    """What was written, and what is not in it."""
    coverage = snapshot.coverage
    objects = sum(entry.count for entry in coverage.values())
    kinds = sum(entry.status in _READ for entry in coverage.values())
    parts = [f"wrote {name}: {objects:,} object{'s' * (objects != 1)} of {kinds} kind{'s' * (kinds != 1)}, {_size(size)}"]
    missing = [f"{kind} ({entry.status})" for kind, entry in coverage.items() if entry.status not in _READ]
    if missing:
        parts.append(f"not read: {', '.join(missing)}")
    partly = [f"{kind} ({entry.reason})" for kind, entry in coverage.items() if entry.status is Status.PARTIAL]
    if partly:
        parts.append(f"not wholly read: {', '.join(partly)}")
    return "; ".join(parts)


def _size(count: int) -> str:
    """Bytes as people read them."""
    for unit, factor in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= factor:
            amount = count / factor
            return f"{amount:.1f} {unit}" if amount < 10 else f"{amount:.0f} {unit}"
    return f"{count} B"
