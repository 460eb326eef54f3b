"""One scan: collect, judge, select, write, and the exit code."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from time import perf_counter

import click

from karpenter_check import __version__
from karpenter_check.cli.choose import choose_rules, listed
from karpenter_check.cli.commands import addressed
from karpenter_check.cli.configuration_options import ConfigurationOptions
from karpenter_check.cli.configured import configured
from karpenter_check.cli.dry_run import dry_run, push_check
from karpenter_check.cli.exits import Exit, exit_code
from karpenter_check.cli.input import Refused, Source, Taken
from karpenter_check.cli.judged import judged
from karpenter_check.cli.memory import keep, recall
from karpenter_check.cli.metrics_options import MetricsOptions
from karpenter_check.cli.output import use_color, width, write
from karpenter_check.cli.push import PushOptions, push_failure, push_report
from karpenter_check.cli.said import Said
from karpenter_check.cli.scan_types import PROMETHEUS, Output
from karpenter_check.cli.selection import Selection, at_least
from karpenter_check.cli.signals import doing
from karpenter_check.cli.step_summary import add_to_step_summary
from karpenter_check.finding import Severity
from karpenter_check.metrics.exposition import exposition
from karpenter_check.metrics.family import Family
from karpenter_check.metrics.gateway import Gateway
from karpenter_check.metrics.remembering import remembered
from karpenter_check.reports import Format, render
from karpenter_check.scan import Report
from karpenter_check.snapshot.selector import LabelSelector

_ANY_CLUSTER = "any"
"""Stands for the cluster's name until it is known: the rest of a push target can be looked at without it."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What `karpenter-check scan` was called with."""

    source: Source
    configuration: ConfigurationOptions
    dry_run: bool
    select: tuple[str, ...]
    ignore: tuple[str, ...]
    namespaces: tuple[str, ...]
    all_namespaces: bool
    selector: LabelSelector | None
    nodepools: tuple[str, ...]
    min_severity: str
    fail_on: str | None
    strict: bool
    outputs: tuple[Output, ...]
    push: PushOptions
    push_required: bool
    metrics: MetricsOptions
    log_format: str | None
    color: str
    width: int | None
    quiet: bool
    verbose: int


def run(options: Options, started: float) -> int:
    """Scan, and return the exit code. `started` is `perf_counter()` at the start. Raises click.ClickException where nothing can be judged."""
    _check(options)
    said = Said(-1 if options.quiet else options.verbose, options.log_format)
    rules = choose_rules(options.select, options.ignore)
    configuration = configured(options.configuration, said)
    if options.dry_run:
        target = push_check(options.push.target(_ANY_CLUSTER)) if options.push.push_gateway_url else None
        return int(
            dry_run(
                options.source.access,
                strict=options.strict,
                events=not options.source.no_events,
                push_target=target,
                push_required=options.push_required,
            )
        )
    snapshot, loose = _collected(options, said)
    gateway = options.push.target(snapshot.cluster, options.metrics.metrics_namespace) if options.push.push_gateway_url else None
    collected = perf_counter()
    with doing("judging"):
        report = judged(snapshot, rules, configuration, options.configuration)
    said.detail(f"collected in {collected - started:.2f} s, judged in {perf_counter() - collected:.2f} s")
    selection = Selection(
        frozenset(() if options.all_namespaces else listed(options.namespaces)),
        options.selector,
        frozenset(listed(options.nodepools)),
    )
    access = options.source.access
    for unknown in selection.unknown(snapshot):
        said.warning(unknown)
    counted = selection.apply(addressed(report, access.kubeconfig, access.context, files=loose))
    said.findings(counted)
    shown = at_least(counted, Severity(options.min_severity))
    outputs = options.outputs or (Output("table", None),)
    for output in outputs:
        if output.form != PROMETHEUS:
            write(_rendered(shown, output, options), output.file)
    if any(output.form == Format.GITHUB for output in outputs):
        add_to_step_summary(shown, said)
    pushed = True
    if gateway or options.metrics.state or any(output.form == PROMETHEUS for output in outputs):
        families, pushed = _metrics(options, report, gateway, said, started)
        for output in outputs:
            if output.form == PROMETHEUS:
                write(exposition(families, options.metrics.metrics_namespace), output.file)
    fail_on = options.fail_on or ("none" if options.source.demo else "high")
    threshold = None if fail_on == "none" else Severity(fail_on)
    return int(exit_code(counted, fail_on=threshold, strict=options.strict, push_failed=options.push_required and not pushed))


def _metrics(
    options: Options, report: Report, gateway: Gateway | None, said: Said, started: float
) -> tuple[Sequence[Family], bool]:
    """The families of the scan, its counters going on from the last one, and whether they are where they should be."""
    wanted, pushed = options.metrics, True
    with doing("reading what was counted"):
        memory = recall(wanted.state, gateway, report.snapshot.cluster, said, read_back=report.lacks_input)
    this_run = wanted.run(took=perf_counter() - started, source=memory.source, before=memory.pushed or ())
    families: Sequence[Family]
    families, remembers = remembered(report, memory.last, this_run)
    wanted.tell(families, said)
    if wanted.state:
        keep(wanted.state, remembers, said)  # before the push: what is pushed twice is only late, what is forgotten counts twice
    if gateway:
        with doing("pushing metrics"):
            families, pushed = push_report(gateway, report, families, said, memory)
    return families, pushed


def _rendered(report: Report, output: Output, options: Options) -> str:
    colored = use_color(options.color) and output.file is None
    every_story = options.verbose > 0
    return render(
        report,
        Format(output.form),
        version=__version__,
        width=width(options.width),
        color=colored,
        links=sys.stdout.isatty(),
        every_story=every_story,
        suppressed=options.configuration.show_suppressed,
    )


def _collected(options: Options, said: Said) -> Taken:
    """The snapshot, under the name that `--cluster-name` gives it. That it cannot be had is pushed too. Raises Refused."""
    if options.push.push_gateway_url:
        options.push.target(_ANY_CLUSTER)  # refuses what makes no group before a long collection, not after it
    try:
        snapshot, loose = options.source.taken(said)
    except Refused as refusal:
        if options.push.push_gateway_url and refusal.code in {Exit.CANNOT_SCAN, Exit.NO_KARPENTER}:
            _push_failure(options, refusal.cluster, said)
        raise
    return Taken(replace(snapshot, cluster=options.push.cluster_name or snapshot.cluster), loose)


def _push_failure(options: Options, cluster: str, said: Said) -> None:
    if options.push.cluster_name or cluster:
        push_failure(options.push.target(cluster, options.metrics.metrics_namespace), datetime.now(UTC), said)  # noqa: TID251  no snapshot, so no clock but ours
    else:
        said.warning("that the scan failed is not pushed: what the cluster is called is not known; give --cluster-name")


def _check(options: Options) -> None:
    """Raises click.UsageError for options that do not go together."""
    options.source.check(dry_run=options.dry_run)
    if options.push_required and not options.push.push_gateway_url:
        raise click.UsageError("--push-required: say where to push, with --push-gateway-url")
    if options.quiet and options.verbose:
        raise click.UsageError("-q and -v exclude each other")
    files = [output.file for output in options.outputs]
    if len(files) != len(set(files)):
        raise click.UsageError("two formats go to the same place: send one to a file with -o FORMAT=FILE")
