"""A group as a Pushgateway's `/api/v1/metrics` tells it, as families.

Values are texts, a histogram's buckets a map from upper bounds to cumulative counts, and each sample repeats the group's labels and an empty
`instance` (https://github.com/prometheus/pushgateway, handler/misc.go, 1.11).
"""

import math
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

import msgspec

from karpenter_check.metrics.catalogue import METRICS
from karpenter_check.metrics.family import NAMESPACE, Distribution, Family, Type
from karpenter_check.snapshot.last_run import Labels


class _Sample(msgspec.Struct):
    labels: dict[str, str] = {}
    value: str = ""
    buckets: dict[str, str] = {}
    count: str = ""
    sum: str = ""


class _Family(msgspec.Struct):
    metrics: list[_Sample]


def families_of_group(group: Mapping[str, Any], namespace: str = NAMESPACE) -> Iterator[Family]:
    """Our families in a group, without the group's own labels.

    Raises ValueError for a value that is no number, and msgspec.ValidationError for what is no family.
    """
    for metric in METRICS:
        name = metric.full_name(namespace)
        if name not in group:
            continue
        found = msgspec.convert(group[name], _Family).metrics
        by_labels = {tuple(sample.labels.get(label, "") for label in metric.labels): sample for sample in found}
        if metric.type is Type.HISTOGRAM:
            yield Family(metric, distributions={labels: _distribution(sample) for labels, sample in by_labels.items()})
        else:
            samples: dict[Labels, float] = {labels: float(sample.value) for labels, sample in by_labels.items()}
            yield Family(metric, samples)


def _distribution(sample: _Sample) -> Distribution:
    """A histogram's sample; its count stands for the bucket without an upper bound, which may be left out."""
    bounds = sorted((float(bound), float(count)) for bound, count in sample.buckets.items() if not math.isinf(float(bound)))
    cumulative = [0.0, *(count for _, count in bounds), float(sample.count)]
    return Distribution(tuple(after - before for before, after in pairwise(cumulative)), float(sample.sum))
