"""What can be known of the last run from the metrics that it pushed: less than its own memory, and never more.

Which objects were counted is told by their series alone; of nodes, those that expire within a day and those that are overdue.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from karpenter_check.metrics.bounded import Detail
from karpenter_check.metrics.catalogue import (
    COUNTERS,
    HISTOGRAMS,
    MEMORY_INFO,
    NODE_EXPIRY,
    NODE_OVERDUE_SINCE,
    RULE_LAST_EVALUATED,
    SERIES_DROPPED,
    SERIES_PRUNED,
)
from karpenter_check.metrics.family import Family, Metric
from karpenter_check.snapshot.last_run import Count, Delays, KnownNode, Labels, LastRun


def recalled(families: Sequence[Family], cluster: str) -> LastRun | None:
    """The memory that the families hold; None where they do not say when a rule was evaluated, as before metrics remembered anything.

    Raises ValueError for times that are none.
    """
    by_metric = {family.metric: family for family in families}

    def samples(metric: Metric) -> Mapping[Labels, float]:
        return by_metric[metric].samples if metric in by_metric else {}

    evaluated = {labels[0]: _time(value) for labels, value in samples(RULE_LAST_EVALUATED).items()}
    if not evaluated:
        return None
    taken_at = max(evaluated.values())
    pruned = _time(samples(SERIES_PRUNED).get((), taken_at.timestamp()))
    return LastRun(
        taken_at=taken_at,
        cluster=cluster,
        evaluated=evaluated,
        nodes=tuple(_nodes(samples(NODE_EXPIRY), samples(NODE_OVERDUE_SINCE))),
        counters={
            metric.name: tuple(Count(labels, value, pruned) for labels, value in sorted(samples(metric).items()))
            for metric in COUNTERS
        },
        delays={metric.name: tuple(_delays(by_metric.get(metric), pruned)) for metric in HISTOGRAMS},
        series_tell=_series_tell(samples(MEMORY_INFO), samples(SERIES_DROPPED)),
        pruned=pruned,
    )


def _series_tell(info: Mapping[Labels, float], dropped: Mapping[Labels, float]) -> bool:
    """Whether objects had series, and none that counts was left out."""
    counters = {(metric.name,) for metric in COUNTERS}
    return all(detail == Detail.OBJECT for _, detail in info) and not any(dropped.get(name) for name in counters)


def _time(value: float) -> datetime:
    try:
        return datetime.fromtimestamp(value, UTC)
    except (OverflowError, OSError) as error:
        raise ValueError(f"{value} is no time") from error


def _nodes(expiries: Mapping[Labels, float], overdue: Mapping[Labels, float]) -> Iterator[KnownNode]:
    """A node that is overdue and of whose expiry nothing is said may be on its way out: its death is not to be counted again."""
    late = {labels[0]: (labels, value) for labels, value in overdue.items()}
    for (node, nodepool), expires in expiries.items():
        labels, since = late.pop(node, ((), None))
        reason = labels[2] if labels else ""
        yield KnownNode(
            node,
            nodepool,
            expires=_time(expires),
            overdue_since=None if since is None else _time(since),
            delay_reason=reason,
        )
    for (node, nodepool, reason), since in late.values():
        yield KnownNode(node, nodepool, deleted=True, overdue_since=_time(since), delay_reason=reason)


def _delays(family: Family | None, pruned: datetime) -> Iterator[Delays]:
    for labels, distribution in sorted(family.distributions.items() if family else ()):
        yield Delays(labels, distribution.counts, distribution.total, pruned)
