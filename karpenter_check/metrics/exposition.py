"""Families in Prometheus' text format."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client import Metric as Exposed
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from karpenter_check.metrics.catalogue import DELAY_BUCKETS
from karpenter_check.metrics.family import NAMESPACE, Family, Type


class _Collected(Collector):
    """Families as prometheus_client reads them: its own counters and histograms could not go on from where they were."""

    def __init__(self, families: Sequence[Family], namespace: str = NAMESPACE) -> None:
        self._families = families
        self._namespace = namespace

    def collect(self) -> Iterable[Exposed]:
        """Each family with samples, those by their labels; one without would be a line that promtool and the gateway drop."""
        for family in self._families:
            if family.samples or family.distributions:
                yield _exposed(family, family.metric.full_name(self._namespace))


def _exposed(family: Family, name: str) -> Exposed:
    metric = family.metric
    if metric.type is Type.HISTOGRAM:
        histogram = HistogramMetricFamily(name, metric.documentation, labels=metric.labels)
        for labels, distribution in sorted(family.distributions.items()):
            histogram.add_metric(labels, list(_buckets(distribution.counts)), distribution.total)
        return histogram
    kind = CounterMetricFamily if metric.type is Type.COUNTER else GaugeMetricFamily
    exposed = kind(name, metric.documentation, labels=metric.labels)
    for labels, value in sorted(family.samples.items()):
        exposed.add_metric(labels, value)
    return exposed


def _buckets(counts: Sequence[float]) -> Iterator[tuple[str, float]]:
    """Upper bounds as Go writes them, and how many observations are at or below each."""
    bounds = [*map(floatToGoString, DELAY_BUCKETS), "+Inf"]
    return zip(bounds, accumulate(counts), strict=True)


def registry(families: Sequence[Family], namespace: str = NAMESPACE) -> CollectorRegistry:
    """A fresh registry of these families alone: the default one carries the process's own."""
    fresh = CollectorRegistry()
    fresh.register(_Collected(families, namespace))
    return fresh


def exposition(families: Sequence[Family], namespace: str = NAMESPACE) -> str:
    """The text that a Pushgateway takes and that node_exporter's textfile collector reads."""
    return generate_latest(registry(families, namespace)).decode()
