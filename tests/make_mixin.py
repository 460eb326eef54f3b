"""Compile the monitoring mixin: `python -m tests.make_mixin`."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import _jsonnet
import yaml

MIXIN = Path(__file__).parents[1] / "mixin"
COMPILED = MIXIN / "compiled"
_MADE = "# Made from mixin/ by python -m tests.make_mixin; change it there.\n"


SCRAPED = {
    "selector": {"matchLabels": {"app.kubernetes.io/name": "karpenter-check"}},
    "endpoints": [
        {
            "port": "metrics",
            "interval": "30s",
            "honorLabels": True,
            "relabelings": [
                {"action": "labeldrop", "regex": "pod|container"},
                {"targetLabel": "instance", "replacement": "karpenter-check"},
            ],
        }
    ],
}
"""What has the Operator scrape the server of deployment.yaml: one target whatever its pod, for counters that go on with --state go on in one series."""


def evaluated(expression: str, **config: str) -> Any:
    """What a jsonnet expression of the `mixin` is, with other values in its configuration."""
    changed = json.dumps(config)
    source = f"local mixin = (import 'mixin.libsonnet') + {{ _config+:: {changed} }}; {expression}"
    return json.loads(_jsonnet.evaluate_snippet("mixin", source, jpathdir=[str(MIXIN)]))


def of_the_operator(kind: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    """An object of the Prometheus Operator, where deployment.yaml and cronjob.yaml are."""
    labels = {"app.kubernetes.io/name": "karpenter-check"}
    metadata = {"name": "karpenter-check", "namespace": "karpenter-check", "labels": labels}
    return {"apiVersion": "monitoring.coreos.com/v1", "kind": kind, "metadata": metadata, "spec": dict(spec)}


def compiled() -> dict[str, str]:
    """The text of each compiled file, by its name."""
    alerts = evaluated("mixin.prometheusAlerts")
    made = {
        "alerts.yaml": alerts,
        "prometheusrule.yaml": of_the_operator("PrometheusRule", alerts),
        "servicemonitor.yaml": of_the_operator("ServiceMonitor", SCRAPED),
    }
    written = {name: _MADE + yaml.safe_dump(value, sort_keys=False, width=1000, allow_unicode=True) for name, value in made.items()}
    dashboards = evaluated("mixin.grafanaDashboards")
    return written | {f"dashboards/{name}": json.dumps(value, indent=1) + "\n" for name, value in dashboards.items()}


if __name__ == "__main__":
    (COMPILED / "dashboards").mkdir(exist_ok=True)
    for file_name, text in compiled().items():
        (COMPILED / file_name).write_text(text, encoding="utf-8")
