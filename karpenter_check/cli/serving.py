"""Scan after scan, whose metrics are scraped."""

import gc
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from time import monotonic, sleep

import click

from karpenter_check import __version__
from karpenter_check.cli.choose import choose_rules
from karpenter_check.cli.configuration_options import ConfigurationOptions
from karpenter_check.cli.configured import configured
from karpenter_check.cli.exits import Exit
from karpenter_check.cli.input import Refused, Source
from karpenter_check.cli.judged import judged
from karpenter_check.cli.memory import keep, recall
from karpenter_check.cli.metrics_options import MetricsOptions
from karpenter_check.cli.said import Said
from karpenter_check.cli.signals import doing
from karpenter_check.configuration import Configuration
from karpenter_check.metrics.endpoint import Endpoint
from karpenter_check.metrics.family import Family
from karpenter_check.metrics.remembering import remembered
from karpenter_check.metrics.run_families import status_families
from karpenter_check.rule import AnyRule
from karpenter_check.snapshot.counted import plural
from karpenter_check.snapshot.last_run import LastRun

PROCESS = "process"
"""The source of a memory that this process itself has."""
_LATE = 3
"""So many intervals without the end of a scan are too many, and what a scan may take."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What `karpenter-check serve` was called with."""

    source: Source
    configuration: ConfigurationOptions
    metrics: MetricsOptions
    interval: float
    host: str
    port: int
    select: tuple[str, ...]
    ignore: tuple[str, ...]
    cluster_name: str | None
    log_format: str | None
    quiet: bool
    verbose: int


def serve(options: Options) -> None:
    """Scan and answer until a signal ends it. Raises click.ClickException where that cannot begin."""
    options.source.check()
    if None in options.source.filenames:
        raise click.UsageError("serve reads its input again and again, and standard input can be read once")
    if options.quiet and options.verbose:
        raise click.UsageError("-q and -v exclude each other")
    said = Said(-1 if options.quiet else options.verbose, options.log_format)
    rules, configuration = choose_rules(options.select, options.ignore), configured(options.configuration, said)
    scans = _Scans(options, rules, configuration, said)
    try:
        endpoint = Endpoint(options.host, options.port, lives=scans.go_on, namespace=options.metrics.metrics_namespace)
    except OSError as error:
        where = f"{options.host}:{options.port}"
        raise click.ClickException(f"--metrics-addr: cannot listen on {where}: {(error.strerror or str(error)).lower()}") from error
    said.note(f"listening on port {endpoint.port}")
    try:
        while True:
            started = monotonic()
            scans.scan()
            if scans.families:
                endpoint.show(scans.families)
            with doing("waiting for the next scan"):
                sleep(max(0.0, started + options.interval - monotonic()))
    finally:
        endpoint.close()


class _Scans:
    """Scans that remember each other."""

    def __init__(self, options: Options, rules: Sequence[AnyRule], configuration: Configuration, said: Said) -> None:
        self._options = options
        self._rules = rules
        self._configuration = configuration
        self._said = said
        self._memory: LastRun | None = None
        self._ended = monotonic()
        self.families: Sequence[Family] = ()
        """Of the latest scan that could be made, with what is known of later ones; none before the first."""

    def go_on(self) -> bool:
        """Whether scans come to an end, well or not."""
        allowed = _LATE * self._options.interval + self._options.source.access.timeout
        return monotonic() - self._ended <= allowed

    def scan(self) -> None:
        """Make one scan. One that fails leaves what the last one found. Raises Refused for a first one that was called wrongly."""
        try:
            self._scan()
        except Refused as refusal:
            if not self.families and refusal.code not in {Exit.CANNOT_SCAN, Exit.NO_KARPENTER}:
                raise
            self._said.warning(f"no scan: {refusal.format_message()}")
            if self.families:
                status = status_families(None, version=__version__, at=datetime.now(UTC))  # noqa: TID251  no snapshot, so no clock but ours
                told = {family.name for family in status}
                self.families = (*(family for family in self.families if family.name not in told), *status)
        finally:
            self._ended = monotonic()
            gc.unfreeze()  # what a collection keeps from Python's own would otherwise stay for ever
            gc.collect()

    def _scan(self) -> None:
        started, wanted = monotonic(), self._options.metrics
        snapshot = self._options.source.snapshot(self._said)
        snapshot = replace(snapshot, cluster=self._options.cluster_name or snapshot.cluster)
        with doing("judging"):
            report = judged(snapshot, self._rules, self._configuration, self._options.configuration)
        self._said.findings(report)
        last, source = self._memory, PROCESS
        if last and last.cluster and snapshot.cluster and last.cluster != snapshot.cluster:
            self._said.warning(f"this is cluster {snapshot.cluster}, and it was {last.cluster} before: counting begins anew")
            last, self.families = None, ()
        if last is None:
            last, source, _ = recall(wanted.state, None, snapshot.cluster, self._said, read_back=False)
        took = monotonic() - started
        self._said.detail(f"scanned in {took:.1f} s: {plural(len(report.results), 'finding')}")
        this_run = wanted.run(took=took, source=source, before=self.families)
        self.families, self._memory = remembered(report, last, this_run)
        wanted.tell(self.families, self._said)
        if wanted.state:
            keep(wanted.state, self._memory, self._said)
