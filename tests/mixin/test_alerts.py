"""Each alert fires where it should, with what it should say, and nowhere else: by promtool, on series as they are pushed."""

import re
import subprocess
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from karpenter_check.metrics.catalogue import DEATH_REASONS, DELAY_REASONS, FAILURE_REASONS, METRICS
from karpenter_check.rules import every_rule
from karpenter_check.snapshot import Kind
from tests.anchors import anchors
from tests.make_mixin import COMPILED, compiled, evaluated
from tests.programs import installed

DOCS = "https://github.com/karpenter-check/karpenter-check/blob/main/docs"
ALERTS = {rule["alert"]: rule for group in evaluated("mixin.prometheusAlerts")["groups"] for rule in group["rules"]}
OF_THE_GATEWAY = {"push_time_seconds", "push_failure_time_seconds"}
PUSHED = {"job": "karpenter-check", "cluster": "prod", "instance": ""}


def series(name: str, **labels: str) -> str:
    """A series as the Pushgateway exposes it and Prometheus stores it with honor_labels."""
    full = name if name in OF_THE_GATEWAY else f"karpenter_check_{name}"
    written = ", ".join(f'{key}="{value}"' for key, value in {**PUSHED, **labels}.items())
    return f"{full}{{{written}}}"


@dataclass(frozen=True)
class Case:
    """What Prometheus has seen, and what the alert then says, if it fires."""

    alert: str
    seen: dict[str, str]
    minutes: int
    labels: dict[str, str] | None = None
    summary: str = ""
    description: str = ""
    runbook: str = ""

    @property
    def fires(self) -> bool:
        """Whether it is to fire."""
        return self.labels is not None


MISMATCH = series("findings", rule="daemonset-nodepool-mismatch", severity="high", nodepool="general")
CRITICAL = series("findings", rule="nodepool-not-ready", severity="critical", nodepool="general")
EXPIRED = series("nodepool_node_deaths_total", nodepool="general", reason="expired")
DRIFTED = series("nodepool_node_deaths_total", nodepool="general", reason="drifted")
FAILED = series("nodepool_nomination_failures_total", nodepool="general", reason="no_room")
HELD = series("nodepool_node_reaping_overdue_seconds", nodepool="general", delay_reason="nominated")
BLOCKED = series("nodepool_node_reaping_overdue_seconds", nodepool="general", delay_reason="pdb")
PODS = series("collector_success", kind="Pod")
LEASES = series("collector_success", kind="Lease")
WHOLE, RUN = series("last_success_timestamp_seconds"), series("last_run_timestamp_seconds")
OTHER = series("last_success_timestamp_seconds", cluster="staging")
WHERE = {"cluster": "prod", "nodepool": "general"}

CASES = [
    Case("KarpenterDaemonSetMismatch", {MISMATCH: "2x60"}, 30, {**WHERE, "severity": "warning"},
         "Karpenter sizes nodes of a NodePool without DaemonSets that run there.",
         "Cluster prod: NodePool general has 2 DaemonSet(s) that Karpenter did not count: its nodes are smaller than what runs on them.",
         "rules/daemonset-nodepool-mismatch.md"),
    Case("KarpenterDaemonSetMismatch", {MISMATCH: "0x60", MISMATCH.replace("high", "low"): "1x60", CRITICAL: "1x60"}, 30),
    Case("KarpenterDaemonSetMismatch", {MISMATCH: "1x10 0x60"}, 30),
    Case("KarpenterNodesDieOfExpiry", {EXPIRED: "0x30 8x60"}, 60, {**WHERE, "severity": "warning"},
         "Many nodes of a NodePool die of their expireAfter together.",
         "Cluster prod: 8 nodes of NodePool general expired within an hour: no budget holds expiry.",
         "rules/node-ttl-death.md"),
    Case("KarpenterNodesDieOfExpiry", {EXPIRED: "0x30 4x60", DRIFTED: "0x30 50x60"}, 60),
    Case("KarpenterNodesDieOfExpiry", {EXPIRED: "300x120"}, 60),
    Case("KarpenterNominationsFail", {FAILED: "0x30 6x60"}, 45, {**WHERE, "reason": "no_room", "severity": "warning"},
         "Pods do not come to the nodes that Karpenter nominated them to.",
         "Cluster prod: 6 pods did not come to nodes of NodePool general within half an hour: no_room.",
         "rules/nominated-pod-failure.md"),
    Case("KarpenterNominationsFail", {FAILED: "0x30 2x60"}, 45),
    Case("KarpenterNodeHeldByNomination", {HELD: "0+60x60"}, 45, {**WHERE, "severity": "warning"},
         "A node that should be gone is kept by the nomination of a pod that never comes.",
         "Cluster prod: a node of NodePool general should have been gone for 45m 0s.",
         "rules/node-reaping-nominated.md"),
    Case("KarpenterNodeHeldByNomination", {HELD: "1200x60", BLOCKED: "9000x60"}, 45),
    Case("KarpenterNodeReapingDelayed", {BLOCKED: "90000x60"}, 45, {**WHERE, "delay_reason": "pdb", "severity": "warning"},
         "A node should have been gone long ago.",
         "Cluster prod: a node of NodePool general should have been gone for 1d 1h 0m 0s; it is kept by: pdb.",
         "rules/node-reaping-blocked.md"),
    Case("KarpenterNodeReapingDelayed", {BLOCKED: "80000x60", HELD: "90000x60"}, 45),
    Case("KarpenterCheckCriticalFindings", {CRITICAL: "1x60"}, 30,
         {**WHERE, "rule": "nodepool-not-ready", "severity": "critical"},
         "karpenter-check finds something critical.",
         "Cluster prod: nodepool-not-ready has 1 critical finding(s) in NodePool general.",
         "rules/nodepool-not-ready.md"),
    Case("KarpenterCheckCriticalFindings", {CRITICAL: "0x60", MISMATCH: "3x60"}, 30),
    Case("KarpenterCheckStale", {WHOLE: "0x120", RUN: "0+60x120"}, 60, {"cluster": "prod", "severity": "warning"},
         "No scan of Karpenter has succeeded for a while.",
         "Cluster prod: the last scan of which every rule had its input was 1h 0m 0s ago.",
         "alerts.md#the-scanner-itself"),
    Case("KarpenterCheckStale", {WHOLE: "0+60x10 _x240", RUN: "0+60x10 _x240", OTHER: "0+60x240"}, 130, {"cluster": "prod", "severity": "warning"},
         "No scan of Karpenter has succeeded for a while.",
         "Cluster prod: the last scan of which every rule had its input was 2h 0m 0s ago.",
         "alerts.md#the-scanner-itself"),
    Case("KarpenterCheckStale", {WHOLE: "0+60x120", RUN: "0+60x120"}, 60),
    Case("KarpenterCheckAbsent", {series("build_info", version="0.1.0"): "1x60"}, 45, {"severity": "warning"},
         "karpenter-check tells nothing at all.",
         "No scan has pushed or was scraped: the CronJob or the server does not run, or Prometheus does not see it.",
         "alerts.md#the-scanner-itself"),
    Case("KarpenterCheckAbsent", {series("last_run_timestamp_seconds"): "0x60"}, 45),
    Case("KarpenterCheckIncomplete", {PODS: "0x60"}, 45, {"cluster": "prod", "kind": "Pod", "severity": "warning"},
         "karpenter-check could not read objects that its rules need.",
         "Cluster prod: Pod was not wholly read: rules that need it are not evaluated. karpenter-check scan --dry-run says why.",
         "access.md"),
    Case("KarpenterCheckIncomplete", {PODS: "1x60", LEASES: "0x60"}, 45),
    Case("KarpenterCheckPushFails", {series("push_failure_time_seconds"): "900x60", series("push_time_seconds"): "600x60"}, 45,
         {"cluster": "prod", "severity": "warning"},
         "The Pushgateway refuses what karpenter-check pushes.",
         "Cluster prod: the last push was refused: another group may have a metric of the same name with another type.",
         "metrics.md#when-it-fails"),
    Case("KarpenterCheckPushFails", {series("push_failure_time_seconds"): "0x60", series("push_time_seconds"): "600x60"}, 45),
]  # fmt: skip


def test_the_compiled_files_are_those_of_the_source() -> None:
    files = [file for file in COMPILED.rglob("*") if file.is_file()]

    assert {str(file.relative_to(COMPILED)): file.read_text(encoding="utf-8") for file in files} == compiled()


def test_promtool_finds_nothing_to_mend() -> None:
    command = [installed("promtool"), "check", "rules", str(COMPILED / "alerts.yaml")]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (checked.returncode, f"SUCCESS: {len(ALERTS)} rules found" in checked.stdout) == (0, True), (
        checked.stdout + checked.stderr
    )


@pytest.mark.parametrize("case", CASES, ids=[f"{case.alert} {'fires' if case.fires else 'does not'}" for case in CASES])
def test_an_alert_fires_where_it_should_and_nowhere_else(case: Case, tmp_path: Path) -> None:
    expected: list[dict[str, Any]] = []
    if case.labels is not None:
        annotations = {"summary": case.summary, "description": case.description, "runbook_url": f"{DOCS}/{case.runbook}"}
        expected.append({"exp_labels": case.labels, "exp_annotations": annotations})
    test = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in case.seen.items()],
        "alert_rule_test": [{"eval_time": f"{case.minutes}m", "alertname": case.alert, "exp_alerts": expected}],
    }
    file = tmp_path / "test.yaml"
    file.write_text(yaml.safe_dump({"rule_files": [str(COMPILED / "alerts.yaml")], "tests": [test]}))
    tested = subprocess.run([installed("promtool"), "test", "rules", str(file)], capture_output=True, text=True, check=False)

    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_every_alert_has_a_case_for_either() -> None:
    assert {(case.alert, case.fires) for case in CASES} == {(name, fires) for name in ALERTS for fires in (True, False)}


def test_the_cases_are_of_series_that_are_pushed() -> None:
    known = {metric.full_name(): {*metric.labels, *PUSHED} for metric in METRICS} | {name: set(PUSHED) for name in OF_THE_GATEWAY}
    values = {"rule": {rule.slug for rule in every_rule()}, "kind": set(map(str, Kind)), "delay_reason": set(DELAY_REASONS),
              "reason": {*DEATH_REASONS, *FAILURE_REASONS}}  # fmt: skip
    for case in CASES:
        for entry in case.seen:
            name, _, rest = entry.partition("{")
            labels = dict(re.findall(r'(\w+)="([^"]*)"', rest))
            assert set(labels) == known[name]
            assert [key for key in values if key in labels and labels[key] not in values[key]] == []


def test_what_a_scan_is_complete_without_is_no_alert() -> None:
    assert evaluated("mixin._config.optionalKinds") == sorted(str(kind) for kind in Kind if kind.optional)


def test_every_expression_asks_for_metrics_that_exist() -> None:
    names = {metric.full_name() for metric in METRICS} | OF_THE_GATEWAY
    asked = {name for alert in ALERTS.values() for name in re.findall(r"\b(?:karpenter_check|push)_\w+", alert["expr"])}

    assert asked <= names


def test_a_namespace_a_selector_and_a_cluster_label_of_ones_own_go_everywhere() -> None:
    own = {"namespace": "karpenter_helper", "selector": 'env="prod"', "clusterLabel": "k8s_cluster"}
    rules = [rule for group in evaluated("mixin.prometheusAlerts", **own)["groups"] for rule in group["rules"]]
    metrics = [
        (rule["expr"].count("karpenter_helper_") + rule["expr"].count("push_"), rule["expr"].count('env="prod"')) for rule in rules
    ]

    assert all(named == selected > 0 for named, selected in metrics)
    assert all("k8s_cluster" in rule["expr"] for rule in rules if "absent" not in rule["expr"])
    assert not any("karpenter_check" in rule["expr"] for rule in rules)


def test_a_cluster_that_was_never_seen_whole_is_stale(tmp_path: Path) -> None:
    """As long as the time since 1970, which a description would tell in days; promtool's own time begins there, so the number is 20 years here."""
    said = "Cluster prod: there was no scan of which every rule had its input."
    rule = deepcopy(ALERTS["KarpenterCheckStale"])
    rule["expr"] = rule["expr"].replace("time()", "(time() + 2e9)")
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "g", "rules": [rule]}]}))
    annotations = {
        "summary": rule["annotations"]["summary"],
        "description": said,
        "runbook_url": rule["annotations"]["runbook_url"],
    }
    test = {
        "interval": "1m",
        "input_series": [{"series": RUN, "values": "0+60x60"}],
        "alert_rule_test": [
            {
                "eval_time": "30m",
                "alertname": "KarpenterCheckStale",
                "exp_alerts": [{"exp_labels": {"cluster": "prod", "severity": "warning"}, "exp_annotations": annotations}],
            }
        ],
    }
    file = tmp_path / "test.yaml"
    file.write_text(yaml.safe_dump({"rule_files": [str(tmp_path / "rules.yaml")], "tests": [test]}))
    tested = subprocess.run([installed("promtool"), "test", "rules", str(file)], capture_output=True, text=True, check=False)

    assert tested.returncode == 0, tested.stdout + tested.stderr


@pytest.mark.parametrize("alert", ALERTS.values(), ids=ALERTS)
def test_a_runbook_is_a_page_that_is_there(alert: dict[str, Any]) -> None:
    path, _, anchor = alert["annotations"]["runbook_url"].removeprefix(f"{DOCS}/").partition("#")
    page = Path(__file__).parents[2] / "docs" / path.replace("{{ $labels.rule }}", "nodepool-not-ready")

    assert page.is_file()
    assert not anchor or anchor in anchors(page)
