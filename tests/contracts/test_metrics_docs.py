"""docs/metrics.md lists every metric with its labels, and its alerts are rules that Prometheus takes."""

import re
import subprocess
from pathlib import Path

from karpenter_check.metrics.catalogue import DEATH_REASONS, DELAY_REASONS, FAILURE_REASONS, METRICS
from tests.metrics.pushgateway import installed

LABELS = {metric.full_name(): metric.labels for metric in METRICS}
PAGE = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8")


def the_alerts() -> str:
    """The page's block of alerting rules."""
    blocks: list[str] = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    (alerts,) = (block for block in blocks if block.startswith("groups:"))
    return alerts


def test_every_metric_is_listed_with_its_labels() -> None:
    rows = re.findall(r"^\| `(karpenter_check_\w+)` \| ([^|]*)\|", PAGE, re.MULTILINE)

    assert len(rows) == len(METRICS)
    assert {name: tuple(re.findall(r"`(\w+)`", labels)) for name, labels in rows} == LABELS


def test_the_alerts_are_rules_that_prometheus_takes(tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(the_alerts())
    checked = subprocess.run([installed("promtool"), "check", "rules", str(rules)], capture_output=True, text=True, check=False)

    assert (checked.returncode, "SUCCESS: 4 rules found" in checked.stdout) == (0, True), checked.stdout + checked.stderr


def test_the_alerts_ask_for_metrics_that_exist() -> None:
    assert set(re.findall(r"karpenter_check_\w+", the_alerts())) <= LABELS.keys()


def test_every_reason_is_listed() -> None:
    rows = dict(re.findall(r"^\| (`\w+`(?: of a [a-z ]+)?) \| ((?:`\w+`(?:, )?)+) \|$", PAGE, re.MULTILINE))
    listed = {label: tuple(re.findall(r"`(\w+)`", values)) for label, values in rows.items() if "karpenter_check_" not in label}

    assert listed == {
        "`delay_reason`": DELAY_REASONS,
        "`reason` of a death": DEATH_REASONS,
        "`reason` of a nomination failure": FAILURE_REASONS,
    }
