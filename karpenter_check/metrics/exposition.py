"""Gauges in Prometheus' text format."""

from collections.abc import Iterable, Sequence

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from karpenter_check.metrics.gauges import Gauge


class _Collected(Collector):
    """The gauges as prometheus_client reads them."""

    def __init__(self, gauges: Sequence[Gauge]) -> None:
        self._gauges = gauges

    def collect(self) -> Iterable[Metric]:
        """Each gauge with samples, its samples by their labels; one without would be a line that promtool and the gateway drop."""
        for gauge in self._gauges:
            family = GaugeMetricFamily(gauge.name, gauge.documentation, labels=gauge.labels)
            for labels, value in sorted(gauge.samples.items()):
                family.add_metric(labels, value)
            if gauge.samples:
                yield family


def registry(gauges: Sequence[Gauge]) -> CollectorRegistry:
    """A fresh registry of these gauges alone: the default one carries the process's own."""
    fresh = CollectorRegistry()
    fresh.register(_Collected(gauges))
    return fresh


def exposition(gauges: Sequence[Gauge]) -> str:
    """The text that a Pushgateway takes and that node_exporter's textfile collector reads."""
    return generate_latest(registry(gauges)).decode()
