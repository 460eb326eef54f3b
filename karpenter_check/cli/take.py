"""One snapshot file: collect, write, and say what is in it."""

from collections.abc import Container
from dataclasses import dataclass, replace
from pathlib import Path

import click

from karpenter_check.cli.destination import STDOUT, destination
from karpenter_check.cli.exits import Exit
from karpenter_check.cli.input import Refused, Source
from karpenter_check.cli.output import write_bytes
from karpenter_check.cli.said import Said
from karpenter_check.cli.signals import doing
from karpenter_check.collect.gathering import Gathering
from karpenter_check.collect.snapshot_file import snapshot_file
from karpenter_check.collect.spool import Spool, SpoolFailed
from karpenter_check.snapshot import Coverage, Kind, Snapshot, Status

_ALPHA = Coverage(Status.ABSENT, 0, "there is only Karpenter's alpha API (v1alpha5)")


@dataclass(frozen=True, kw_only=True)
class Options:
    """What `karpenter-check snapshot` was called with."""

    source: Source
    outputs: tuple[str, ...]
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
            with doing("writing the snapshot" if output == STDOUT else "writing the snapshot; nothing was written"):
                size = _write(snapshot, spool, output, redact=options.redact)
    except SpoolFailed as failure:
        raise Refused(f"the objects cannot be kept on disk on their way: {failure}", Exit.CANNOT_SCAN) from failure
    missed = _missed(snapshot, options.source, judged=not refusal)
    for kind, entry in missed.items():
        said.warning(f"{kind}: {entry}" + (f"; {entry.count:,} of it are in the file" if entry.count else ""))
    said.note(_summary(snapshot, missed, "standard output" if output == STDOUT else str(output), size))
    if refusal:
        raise refusal
    unread = any(not error.optional for error in snapshot.errors)
    incomplete = unread or any(
        entry.status is not Status.COMPLETE for kind, entry in snapshot.coverage.items() if not kind.optional
    )
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


def _write(snapshot: Snapshot, spool: Spool, output: Path, *, redact: bool) -> int:
    """Returns how many bytes were written."""
    redaction = None
    if redact:
        from karpenter_check.collect.redaction import Redaction, redaction_key  # noqa: PLC0415  only this needs it

        redaction = Redaction(redaction_key(snapshot.nodepools))
    return write_bytes(snapshot_file(snapshot, spool, redaction), None if output == STDOUT else output)


def _checked(options: Options) -> Path:
    """Where to write. Raises click.ClickException for options that cannot be followed."""
    options.source.check()
    if options.quiet and options.verbose:
        raise click.UsageError("-q and -v exclude each other")
    return destination(options.outputs)


def _missed(snapshot: Snapshot, source: Source, *, judged: bool) -> dict[Kind, Coverage]:
    """The kinds that were asked for and are not in the file, or not wholly: of a cluster, and of what is said to be one, all are."""
    whole = judged and (source.complete or not (source.filenames or source.demo))
    return {
        kind: entry
        for kind, entry in snapshot.coverage.items()
        if not kind.optional
        if entry.not_had or (whole and entry.status is Status.NOT_COLLECTED and not (kind is Kind.EVENT and source.no_events))
    }


def _summary(snapshot: Snapshot, missed: Container[Kind], name: str, size: int) -> str:
    """What was written, and what is not in it; why, where no warning has told it."""
    counts = [entry.count for entry in snapshot.coverage.values() if entry.count]
    objects, kinds = sum(counts), len(counts)
    parts = [f"wrote {name}: {objects:,} object{'s' * (objects != 1)} of {kinds} kind{'s' * (kinds != 1)}, {_size(size)}"]
    lacking = {kind: entry for kind, entry in snapshot.coverage.items() if entry.status is not Status.COMPLETE}
    optional = [str(kind) for kind, entry in lacking.items() if kind.optional and entry.not_had]
    lacking = {kind: entry for kind, entry in lacking.items() if not kind.optional}
    named = {
        kind: f"{kind} ({entry.status if kind in missed else entry.reason or entry.status})" for kind, entry in lacking.items()
    }
    for words, partly in (("not read", False), ("not wholly read", True)):
        entries = [named[kind] for kind, entry in lacking.items() if (entry.status is Status.PARTIAL or entry.count > 0) is partly]
        if entries:
            parts.append(f"{words}: {', '.join(entries)}")
    if optional:
        parts.append(f"optional kinds not read, or not wholly: {', '.join(optional)}")
    return "; ".join(parts)


def _size(count: int) -> str:
    """Bytes as people read them."""
    for unit, factor in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= factor:
            amount = count / factor
            return f"{amount:.1f} {unit}" if amount < 10 else f"{amount:.0f} {unit}"
    return f"{count} B"
