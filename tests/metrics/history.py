"""Scans of one cluster, one after the other, of which each goes on from what the last one knew."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypeAlias

import msgspec

from karpenter_check.metrics.exposition import registry
from karpenter_check.metrics.family import Family, Metric
from karpenter_check.metrics.group import families_of_group
from karpenter_check.metrics.recall import recalled
from karpenter_check.metrics.remembering import Remembered, Run, remembered
from karpenter_check.rule import AnyRule
from karpenter_check.rules import every_rule
from karpenter_check.scan import scan
from karpenter_check.snapshot import Snapshot
from karpenter_check.snapshot.last_run import Labels, LastRun, decoded, encoded
from karpenter_check.snapshot.metadata import Condition
from tests.build import NOON, a_cluster, a_deployment, a_node, a_nodeclaim, a_nodepool, a_pod, ago

Keeps: TypeAlias = Callable[[Remembered], LastRun | None]


def in_a_file(run: Remembered) -> LastRun | None:
    """What `--state` keeps."""
    return decoded(encoded(run.memory))


def in_the_gateway(run: Remembered) -> LastRun | None:
    """What a Pushgateway keeps: the families as it tells them, and nothing else."""
    return recalled(read_back(run.families), run.memory.cluster)


def nowhere(_: Remembered) -> LastRun | None:
    """What a Pushgateway keeps that is restarted without its file."""
    return None


def read_back(families: Sequence[Family]) -> tuple[Family, ...]:
    """Families as a Pushgateway's `/api/v1/metrics` would tell them."""
    group: dict[str, object] = {}
    for family in registry(families).collect():
        by_labels: dict[tuple[tuple[str, str], ...], dict[str, object]] = {}
        for sample in family.samples:
            labels = {name: value for name, value in sample.labels.items() if name != "le"}
            entry = by_labels.setdefault(
                tuple(sorted(labels.items())), {"labels": {**labels, "instance": "", "job": "karpenter-check"}}
            )
            if sample.name.endswith("_bucket") and "le" in sample.labels:
                buckets = entry.setdefault("buckets", {})
                assert isinstance(buckets, dict)
                buckets[sample.labels["le"]] = str(sample.value)
            elif family.type == "histogram":
                entry["sum" if sample.name.endswith("_sum") else "count"] = str(sample.value)
            else:
                entry["value"] = str(sample.value)
        name = family.name + ("_total" if family.type == "counter" else "")
        group[name] = {"type": family.type.upper(), "metrics": list(by_labels.values())}
    return tuple(families_of_group(msgspec.json.decode(msgspec.json.encode(group))))


class History:
    """Scans that remember."""

    def __init__(self, keeps: Keeps = in_a_file, rules: Sequence[AnyRule] | None = None) -> None:
        self._keeps = keeps
        self._rules = list(rules or every_rule())
        self._last: LastRun | None = None
        self.run = Run(version="1.2.3", took=0.5)
        self.latest = Remembered((), LastRun(taken_at=NOON))

    def scan(self, snapshot: Snapshot, at: datetime | None = None) -> None:
        """One scan, at the snapshot's time or another."""
        report = scan(replace(snapshot, taken_at=at or snapshot.taken_at), self._rules)
        self.latest = remembered(report, self._last, replace(self.run, before=self.families))
        self._last = self._keeps(self.latest)

    def forget(self) -> None:
        """Lose what is remembered."""
        self._last = None

    @property
    def families(self) -> tuple[Family, ...]:
        """Those of the latest scan."""
        return self.latest.families

    def of(self, metric: Metric) -> dict[Labels, float]:
        """The samples of a metric that are not 0."""
        return {labels: value for labels, value in self.every(metric).items() if value}

    def every(self, metric: Metric) -> dict[Labels, float]:
        """All samples of a metric."""
        return {labels: value for family in self.families if family.metric == metric for labels, value in family.samples.items()}


def kept_for_hours() -> Snapshot:
    """A node that drifted 3 hours before noon and that a pod's annotation keeps."""
    drifted = Condition("Drifted", "True", "NodePoolDrifted", last_transition_time=ago("3h"))
    claim = a_nodeclaim("c1", age="10h", conditions=[drifted], termination_grace_period="")
    web = a_deployment("web")
    return a_cluster(
        a_nodepool(), a_node("n1", age="10h"), claim, web, a_pod("web-1", on="n1", of=web, age="4h", do_not_disrupt="true")
    )
