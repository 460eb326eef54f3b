"""One scan: collect, judge, select, write, and the exit code."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from time import perf_counter

import click

from karpenter_check import __version__
from karpenter_check.cli.choose import choose_rules
from karpenter_check.cli.exits import exit_code
from karpenter_check.cli.input import from_cluster, from_demo, from_files
from karpenter_check.cli.output import use_color, width, write
from karpenter_check.cli.said import Said
from karpenter_check.cli.scan_types import Output
from karpenter_check.cli.selection import Selection, at_least
from karpenter_check.finding import Severity
from karpenter_check.reports import Format, render
from karpenter_check.scan import scan
from karpenter_check.snapshot import Snapshot, Version
from karpenter_check.snapshot.selector import LabelSelector


@dataclass(frozen=True, kw_only=True)
class Options:
    """What `karpenter-check scan` was called with."""

    filenames: tuple[Path | None, ...]
    complete: bool
    at: datetime | None
    demo: bool
    kubeconfig: Path | None
    context: str | None
    request_timeout: float
    karpenter_version: Version | None
    select: tuple[str, ...]
    ignore: tuple[str, ...]
    namespaces: tuple[str, ...]
    selector: LabelSelector | None
    nodepools: tuple[str, ...]
    min_severity: str
    fail_on: str | None
    strict: bool
    outputs: tuple[Output, ...]
    color: str
    width: int | None
    quiet: bool
    verbose: int


def run(options: Options, started: float) -> int:
    """Scan, and return the exit code. `started` is `perf_counter()` at the start. Raises click.ClickException where nothing can be judged."""
    _check(options)
    said = Said(-1 if options.quiet else options.verbose)
    rules = choose_rules(options.select, options.ignore)
    snapshot = _snapshot(options, said)
    collected = perf_counter()
    judged = scan(snapshot, rules)
    said.detail(f"collected in {collected - started:.2f} s, judged in {perf_counter() - collected:.2f} s")
    selection = Selection(frozenset(options.namespaces), options.selector, frozenset(options.nodepools))
    counted = selection.apply(judged)
    shown = at_least(counted, Severity(options.min_severity))
    color = use_color(options.color)
    for output in options.outputs or (Output("table", None),):
        colored = color and output.file is None
        text = render(
            shown,
            Format(output.form),
            version=__version__,
            width=width(options.width),
            color=colored,
            every_story=options.verbose > 0,
        )
        write(text, output.file)
    fail_on = options.fail_on or ("none" if options.demo else "high")
    return int(exit_code(counted, fail_on=None if fail_on == "none" else Severity(fail_on), strict=options.strict))


def _check(options: Options) -> None:
    """Raises click.UsageError for options that do not go together."""
    if options.demo and options.filenames:
        raise click.UsageError("--demo and -f exclude each other")
    if (options.demo or options.filenames) and (options.context or options.kubeconfig):
        raise click.UsageError("--context and --kubeconfig are for a live cluster; -f and --demo read none")
    if not options.filenames and (options.complete or options.at):
        raise click.UsageError("--complete and --at say something about -f, which is not given")
    if options.quiet and options.verbose:
        raise click.UsageError("-q and -v exclude each other")
    if options.filenames.count(None) > 1:
        raise click.UsageError("standard input can be read once: give -f - once")
    files = [output.file for output in options.outputs]
    if len(files) != len(set(files)):
        raise click.UsageError("two formats go to the same place: send one to a file with -o FORMAT=FILE")


def _snapshot(options: Options, said: Said) -> Snapshot:
    if options.demo:
        return from_demo(said, options.karpenter_version)
    if options.filenames:
        return from_files(
            options.filenames, complete=options.complete, at=options.at, karpenter_version=options.karpenter_version, said=said
        )
    return from_cluster(
        kubeconfig=options.kubeconfig,
        context=options.context,
        request_timeout=options.request_timeout,
        karpenter_version=options.karpenter_version,
        said=said,
    )
