"""Histograms of reaping delays that go on from what the last run knew."""

from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from karpenter_check.metrics.catalogue import DELAY_BUCKETS, HISTOGRAMS, POOL_REAPING_DELAY, REAPING_DELAY
from karpenter_check.metrics.counting import staying
from karpenter_check.metrics.known_nodes import Delay
from karpenter_check.snapshot.last_run import Delays, Labels, LastRun

_EMPTY = (0.0,) * (len(DELAY_BUCKETS) + 1)


class Histograms:
    """The histograms while a run observes. A series with other buckets is of another version, and cannot be gone on from."""

    def __init__(self, last: LastRun | None, at: datetime) -> None:
        self._at = at
        self._series: dict[str, dict[Labels, Delays]] = {REAPING_DELAY.name: {}, POOL_REAPING_DELAY.name: {}}
        if last:
            for metric in HISTOGRAMS:
                self._series[metric.name] = {
                    entry.labels: entry
                    for entry in last.delays.get(metric.name, ())
                    if len(entry.labels) == len(metric.labels) and len(entry.counts) == len(_EMPTY)
                }

    def observe(self, delay: Delay) -> None:
        """Count one delay, of its node and of its NodePool."""
        self._add(REAPING_DELAY.name, (delay.node, delay.nodepool, delay.reason), delay.seconds)
        self._add(POOL_REAPING_DELAY.name, (delay.nodepool,), delay.seconds)

    def fill(self, nodepools: Iterable[str]) -> None:
        """Have every NodePool start without an observation."""
        for nodepool in nodepools:
            known = self._series[POOL_REAPING_DELAY.name].get((nodepool,))
            self._series[POOL_REAPING_DELAY.name][(nodepool,)] = (
                Delays(known.labels, known.counts, known.total, self._at) if known else Delays((nodepool,), _EMPTY, 0.0, self._at)
            )

    def _add(self, name: str, labels: Labels, seconds: float) -> None:
        known = self._series[name].get(labels)
        counts = list(known.counts if known else _EMPTY)
        counts[bisect_left(DELAY_BUCKETS, seconds)] += 1
        self._series[name][labels] = Delays(labels, tuple(counts), (known.total if known else 0.0) + seconds, self._at)

    def kept(self, nodepools: Collection[str] | None) -> Mapping[str, tuple[Delays, ...]]:
        """The series that stay, as with counters."""
        return {
            name: staying(entries, self._at, nodepools, total=name == POOL_REAPING_DELAY.name)
            for name, entries in self._series.items()
        }
