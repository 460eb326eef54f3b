"""Counters that go on from what the last run knew.

An occurrence counts once: by its key, at the moment at which it came about, if that lies after the last evaluation of its rule and not
ahead. What stood when nothing was known yet is where counting begins, and adds nothing.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from karpenter_check.metrics.catalogue import COUNTERS, OF_NODEPOOLS
from karpenter_check.metrics.family import Metric
from karpenter_check.metrics.occurrences import Occurred
from karpenter_check.snapshot.last_run import Count, Delays, Labels, LastRun

KEPT_FOR = timedelta(days=1)
"""So long after what it counts was there last, a series is kept."""


Series = TypeVar("Series", Count, Delays)


def staying(
    entries: Mapping[Labels, Series], at: datetime, nodepools: Collection[str] | None, *, total: bool
) -> tuple[Series, ...]:
    """The series that stay: of what was there within a day, and a total as long as its NodePool may be there.

    `nodepools` is None where not all of them were seen.
    """
    return tuple(
        entry
        for labels, entry in sorted(entries.items())
        if at - entry.seen <= KEPT_FOR or (total and (nodepools is None or labels[0] in nodepools))
    )


@dataclass
class Tally:
    """Counters while a run counts."""

    at: datetime
    last: LastRun | None
    series: dict[str, dict[Labels, Count]] = field(default_factory=dict)
    counted: dict[str, datetime] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.last:
            self.series = {
                metric.name: {
                    entry.labels: entry
                    for entry in self.last.counters.get(metric.name, ())
                    if len(entry.labels) == len(metric.labels)
                }
                for metric in COUNTERS
            }
            self.counted = dict(self.last.counted or {})

    @property
    def _by_keys(self) -> bool:
        """Whether it is known what was counted; else series tell, as far as there are any."""
        return self.last is not None and self.last.counted is not None

    def count(self, occurrences: Iterable[Occurred]) -> None:
        """Count what is new, and see that the rest is still there."""
        for entry in occurrences:
            ahead = entry.crossed is not None and entry.crossed > self.at
            if not ahead:
                self._count(entry)

    def _count(self, entry: Occurred) -> None:
        if entry.metric and entry.formerly != entry.labels:
            self._rename(entry.metric, entry.formerly, entry.labels)
        new = self._is_new(entry)
        self.counted[entry.key] = self.at
        if entry.metric:
            self.add(entry.metric, entry.labels, float(new))
        self.add(entry.total, entry.total_labels, float(new))

    def _is_new(self, entry: Occurred) -> bool:
        before = self.last.evaluated.get(entry.rule) if self.last else None
        if before is None or entry.key in self.counted:
            return False
        if not self._by_keys and entry.metric and entry.labels in self.series.get(entry.metric.name, {}):
            return False
        told = self._by_keys or (self.last is not None and self.last.series_tell)
        moment = (entry.crossed if told else entry.began) or self.at
        return before < moment <= self.at

    def _rename(self, metric: Metric, before: Labels, now: Labels) -> None:
        """Have a series go on under other labels."""
        series = self.series.get(metric.name, {})
        if before in series and now not in series:
            known = series.pop(before)
            series[now] = Count(now, known.value, known.seen)

    def add(self, metric: Metric, labels: Labels, value: float) -> None:
        """Add to a series, from 0 where there is none yet."""
        known = self.series.setdefault(metric.name, {}).get(labels)
        self.series[metric.name][labels] = Count(labels, (known.value if known else 0.0) + value, self.at)

    def fill(self, nodepools: Iterable[str]) -> None:
        """Have the totals of every NodePool start at 0."""
        for nodepool in nodepools:
            for metric, reasons in OF_NODEPOOLS.items():
                series: list[Labels] = [(nodepool, reason) for reason in reasons] or [(nodepool,)]
                for labels in series:
                    self.add(metric, labels, 0.0)

    def kept(self, nodepools: Collection[str] | None) -> tuple[Mapping[str, tuple[Count, ...]], Mapping[str, datetime]]:
        """The series that stay, and the keys of what was there within a day; `nodepools` as for `staying`."""
        totals = {metric.name for metric in OF_NODEPOOLS}
        series = {name: staying(entries, self.at, nodepools, total=name in totals) for name, entries in self.series.items()}
        return series, {key: seen for key, seen in sorted(self.counted.items()) if self.at - seen <= KEPT_FOR}
