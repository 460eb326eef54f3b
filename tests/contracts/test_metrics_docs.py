"""docs/metrics.md lists every metric with its labels, and what they can be."""

import re
from pathlib import Path

from karpenter_check.metrics.catalogue import DEATH_REASONS, DELAY_REASONS, FAILURE_REASONS, METRICS

LABELS = {metric.full_name(): metric.labels for metric in METRICS}
PAGE = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8")


def test_every_metric_is_listed_with_its_labels() -> None:
    rows = re.findall(r"^\| `(karpenter_check_\w+)` \| ([^|]*)\|", PAGE, re.MULTILINE)

    assert len(rows) == len(METRICS)
    assert {name: tuple(re.findall(r"`(\w+)`", labels)) for name, labels in rows} == LABELS


def test_every_reason_is_listed() -> None:
    rows = dict(re.findall(r"^\| (`\w+`(?: of a [a-z ]+)?) \| ((?:`\w+`(?:, )?)+) \|$", PAGE, re.MULTILINE))
    listed = {label: tuple(re.findall(r"`(\w+)`", values)) for label, values in rows.items() if "karpenter_check_" not in label}

    assert listed == {
        "`delay_reason`": DELAY_REASONS,
        "`reason` of a death": DEATH_REASONS,
        "`reason` of a nomination failure": FAILURE_REASONS,
    }
