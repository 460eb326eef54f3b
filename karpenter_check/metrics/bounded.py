"""As much detail as was asked for, and no more series than the Pushgateway is to hold."""

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum

from karpenter_check.metrics.catalogue import (
    NODE_EXPIRY,
    NODE_OVERDUE_SINCE,
    NODES_BLOCKED,
    OF_OBJECTS,
    REAPING_DELAY,
    REAPING_OVERDUE,
    SERIES_DROPPED,
)
from karpenter_check.metrics.family import Family, Metric
from karpenter_check.snapshot.last_run import Labels


class Detail(StrEnum):
    """What metrics name."""

    OBJECT = "object"
    """Nodes, pods and DaemonSets, too."""
    NODEPOOL = "nodepool"
    """NodePools, and nothing smaller."""


MAX_SERIES = 2000
_ZEROS = (NODES_BLOCKED, REAPING_OVERDUE)
_LAST = (NODE_OVERDUE_SINCE, NODE_EXPIRY)
"""What the next run reads back; it goes when nothing else is left to go."""


def bounded(families: Sequence[Family], *, detail: Detail = Detail.OBJECT, max_series: int = MAX_SERIES) -> tuple[Family, ...]:
    """The families with at most so many series, and one that says how many were left out of each.

    Histograms of nodes go first, then zeros that say that a NodePool has no node which is kept for a reason, then series of objects from the
    largest family on. What else is of NodePools and rules stays, whatever its number, for rates and alerts stand on it.
    """
    kept = [family for family in families if detail is Detail.OBJECT or family.metric not in OF_OBJECTS]
    dropped: dict[Labels, float] = {(family.name,): 0.0 for family in kept if _may_go(family.metric)}
    excess = sum(family.series for family in kept) + len(dropped) - max_series
    for place, family in sorted(enumerate(kept), key=lambda entry: _order(entry[1])):
        if excess <= 0 or not _may_go(family.metric):
            break
        smaller = _without_zeros(family) if family.metric in _ZEROS else _less(family, excess)
        dropped[(family.name,)] += family.series - smaller.series
        excess -= family.series - smaller.series
        kept[place] = smaller
    return (*(family for family in kept if family.series), Family(SERIES_DROPPED, dropped))


def _may_go(metric: Metric) -> bool:
    return metric in OF_OBJECTS or metric in _ZEROS


def _order(family: Family) -> tuple[int, int]:
    """Which family gives up series before which."""
    if not _may_go(family.metric):
        return 4, 0
    if family.metric == REAPING_DELAY:
        return 0, 0
    if family.metric in _ZEROS:
        return 1, 0
    return (3, _LAST.index(family.metric)) if family.metric in _LAST else (2, -family.series)


def _without_zeros(family: Family) -> Family:
    return replace(family, samples={labels: value for labels, value in family.samples.items() if value})


def _less(family: Family, excess: int) -> Family:
    """The family without so many series, or with none; the first ones stay, so that the same input loses the same."""
    samples, distributions = dict(sorted(family.samples.items())), dict(sorted(family.distributions.items()))
    while excess > 0 and distributions:
        _, entry = distributions.popitem()
        excess -= len(entry.counts) + 2
    while excess > 0 and samples:
        samples.popitem()
        excess -= 1
    return replace(family, samples=samples, distributions=distributions)
