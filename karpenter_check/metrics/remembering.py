"""A report and what the last run knew, as families of metrics and as what the next run is to know."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from msgspec.structs import replace

from karpenter_check.metrics.bounded import MAX_SERIES, Detail, bounded
from karpenter_check.metrics.catalogue import (
    COUNTERS,
    HISTOGRAMS,
    MEMORY_INFO,
    RULE_LAST_EVALUATED,
    SERIES_PRUNED,
)
from karpenter_check.metrics.counting import KEPT_FOR, Tally
from karpenter_check.metrics.delays import Histograms
from karpenter_check.metrics.family import Distribution, Family
from karpenter_check.metrics.known_nodes import deaths_between, delays, gone_nodes, known_nodes
from karpenter_check.metrics.node_families import node_families
from karpenter_check.metrics.occurrences import DEATH_RULE, occurred, of_death
from karpenter_check.metrics.overdue import Overdue, overdue_nodes
from karpenter_check.metrics.run_families import carried_over, evaluated_rules, findings_families
from karpenter_check.scan import Report
from karpenter_check.snapshot import Kind
from karpenter_check.snapshot.last_run import Labels, LastRun

_AHEAD = timedelta(days=1)
"""No clock steps back so far; a memory that is further ahead was written by one that was wrong."""
NOTHING = "nothing"
"""The source of a memory that is none."""


class Remembered(NamedTuple):
    """What a run says, and what it knows."""

    families: tuple[Family, ...]
    memory: LastRun


@dataclass(frozen=True, kw_only=True)
class Run:
    """What is no part of a report."""

    version: str
    took: float
    """In seconds."""
    source: str = NOTHING
    """Where the memory comes from."""
    before: Sequence[Family] = ()
    """What was told last; of it stays what this run cannot know, where it was incomplete."""
    detail: Detail = Detail.OBJECT
    max_series: int = MAX_SERIES


def remembered(report: Report, last: LastRun | None, run: Run) -> Remembered:
    """All families of a scan, its counters going on from `last`, and the memory for the next one.

    The result is the same for the same report, memory and run.
    """
    evaluated = evaluated_rules(report)
    overdue = overdue_nodes(report, evaluated)
    memory = _memory(report, _credible(last, report.snapshot.taken_at), evaluated, overdue)
    families = (
        *findings_families(report, version=run.version, took=run.took),
        Family(MEMORY_INFO, {(run.source, str(run.detail)): 1.0}),
        *node_families(report, memory.nodes, overdue, evaluated),
        *memory_families(memory),
    )
    if report.lacks_input:
        families = carried_over(families, run.before, evaluated)
    return Remembered(bounded(families, detail=run.detail, max_series=run.max_series), memory)


def _credible(last: LastRun | None, at: datetime) -> LastRun | None:
    """The memory, without its times where they lie so far ahead that its clock was wrong: counting then begins anew, from the same totals."""
    if last is None or last.taken_at - at <= _AHEAD:
        return last
    return replace(last, taken_at=at, evaluated={})


def _moves_on(report: Report, last: LastRun | None, evaluated: Collection[str]) -> Collection[str]:
    """The rules of which everything counts by now: what one did not see of its input may still come about since it was last evaluated.

    Where only metrics remember it moves on all the same, or what it did see could count twice.
    """
    if last is None or last.counted is None:
        return evaluated
    whole = {run.rule.slug for run in report.runs if not run.reason}
    return [slug for slug in evaluated if slug in whole or slug not in last.evaluated]


def memory_families(memory: LastRun) -> Sequence[Family]:
    """What a memory says of itself in metrics, all that is needed to read its counters back included."""
    counters = [
        Family(metric, {entry.labels: entry.value for entry in memory.counters.get(metric.name, ())}) for metric in COUNTERS
    ]
    histograms = [
        Family(
            metric,
            distributions={entry.labels: Distribution(entry.counts, entry.total) for entry in memory.delays.get(metric.name, ())},
        )
        for metric in HISTOGRAMS
    ]
    evaluated: dict[Labels, float] = {(slug,): moment.timestamp() for slug, moment in memory.evaluated.items()}
    pruned: dict[Labels, float] = {(): memory.pruned.timestamp()} if memory.pruned else {}
    return (*counters, *histograms, Family(RULE_LAST_EVALUATED, evaluated), Family(SERIES_PRUNED, pruned))


def _memory(report: Report, last: LastRun | None, evaluated: Collection[str], overdue: Mapping[str, Overdue]) -> LastRun:
    snapshot = report.snapshot
    at, names = snapshot.taken_at, [nodepool.name for nodepool in snapshot.nodepools]
    tally, histograms = Tally(at, last), Histograms(last, at)
    tally.fill(names)
    histograms.fill(names)
    nodes = last.nodes if last else ()
    tally.count(occurred(report, evaluated, {known.uid: known for known in nodes if known.uid}))
    if DEATH_RULE in evaluated and not (last and at < last.taken_at):  # a clock that stepped back shows nodes as they were
        gone = gone_nodes(last, snapshot)
        tally.count(of_death(death, between=True) for death in deaths_between(gone, snapshot))
        for delay in delays(gone, snapshot):
            if delay.key not in tally.counted:
                tally.counted[delay.key] = at
                histograms.observe(delay)
        nodes = known_nodes(last, snapshot, overdue, evaluated, gone)
    seen = set(names) if snapshot.whole(Kind.NODEPOOL) else None
    series, counted = tally.kept(seen)
    before = dict(last.evaluated) if last else {}
    pruned = last.pruned if last and last.pruned and at - last.pruned <= KEPT_FOR else at
    return LastRun(
        taken_at=max(last.taken_at, at) if last else at,
        cluster=snapshot.cluster or (last.cluster if last else ""),
        evaluated={**before, **{slug: max(before.get(slug, at), at) for slug in sorted(_moves_on(report, last, evaluated))}},
        nodes=nodes,
        counters=dict(series),
        delays=dict(histograms.kept(seen)),
        counted=dict(counted),
        pruned=pruned,
    )
