"""docs/metrics.md lists every metric with its labels, and its alerts are rules that Prometheus takes."""

import re
import subprocess
from pathlib import Path

from karpenter_check.metrics.catalogue import METRICS
from tests.metrics.pushgateway import installed

LABELS = {metric.full_name(): metric.labels for metric in METRICS}
PAGE = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8")


def test_every_metric_is_listed_with_its_labels() -> None:
    rows = re.findall(r"^\| `(karpenter_check_\w+)` \| ([^|]*)\|", PAGE, re.MULTILINE)

    assert {name: tuple(re.findall(r"`(\w+)`", labels)) for name, labels in rows} == LABELS


def test_the_alerts_are_rules_that_prometheus_takes(tmp_path: Path) -> None:
    (block,) = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    rules = tmp_path / "rules.yaml"
    rules.write_text(block)
    checked = subprocess.run([installed("promtool"), "check", "rules", str(rules)], capture_output=True, text=True, check=False)

    assert (checked.returncode, "SUCCESS: 2 rules found" in checked.stdout) == (0, True), checked.stdout + checked.stderr


def test_the_alerts_ask_for_metrics_that_exist() -> None:
    (block,) = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)

    assert set(re.findall(r"karpenter_check_\w+", block)) <= LABELS.keys()
