"""Families of metrics as values: what they are called, and their samples."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from karpenter_check.snapshot.last_run import Labels

NAMESPACE = "karpenter_check"
"""Before every name unless `--metrics-namespace` names another; the controller owns `karpenter_`."""


class Type(StrEnum):
    """What Prometheus makes of the samples."""

    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"


@dataclass(frozen=True)
class Metric:
    """A metric: its name without the namespace, a counter's with `_total`."""

    name: str
    type: Type
    labels: Labels
    documentation: str

    def full_name(self, namespace: str = NAMESPACE) -> str:
        """Its name as Prometheus stores it; a histogram's series add `_bucket`, `_sum` and `_count`."""
        return f"{namespace}_{self.name}"


@dataclass(frozen=True)
class Distribution:
    """What a series of a histogram has counted."""

    counts: tuple[float, ...]
    """Observations in each bucket alone, the last one without an upper bound."""
    total: float
    """Their sum."""


@dataclass(frozen=True)
class Family:
    """A metric with its samples: the values of its labels, in their order, and a value; of a histogram, a distribution."""

    metric: Metric
    samples: Mapping[Labels, float] = field(default_factory=dict)
    distributions: Mapping[Labels, Distribution] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The metric's name, without the namespace."""
        return self.metric.name

    @property
    def series(self) -> int:
        """How many series it is to Prometheus: of a distribution one for each bucket, the sum and the count."""
        return len(self.samples) + sum(len(entry.counts) + 2 for entry in self.distributions.values())
