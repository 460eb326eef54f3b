"""Every metric. Names are stable; docs/metrics.md lists them."""

from collections.abc import Mapping

from karpenter_check.disruption.deaths import DeathReason
from karpenter_check.metrics.family import Metric, Type
from karpenter_check.scheduling.nomination import Reason

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
DELAY_BUCKETS = (
    MINUTE, 5 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 3 * DAY, 7 * DAY,
)  # fmt: skip
"""Upper bounds of the reaping delay, in seconds."""
DELAY_REASONS = (
    "nominated", "do_not_disrupt_node", "do_not_disrupt_pod", "pdb", "multiple_pdbs", "budget", "not_initialized",
    "pods_would_not_schedule", "terminating", "unknown",
)  # fmt: skip
"""What keeps a node that should be gone."""
DEATH_REASONS = tuple(str(reason) for reason in DeathReason)
FAILURE_REASONS = tuple(str(reason) for reason in Reason)


def _gauge(name: str, documentation: str, *labels: str) -> Metric:
    return Metric(name, Type.GAUGE, labels, documentation)


def _counter(name: str, documentation: str, *labels: str) -> Metric:
    return Metric(name, Type.COUNTER, labels, documentation)


def _histogram(name: str, documentation: str, *labels: str) -> Metric:
    return Metric(name, Type.HISTOGRAM, labels, documentation)


FINDINGS = _gauge(
    "findings",
    "Findings by rule, severity and NodePool; zeros, without a NodePool, for every rule that was evaluated.",
    "rule",
    "severity",
    "nodepool",
)
SUPPRESSED = _gauge(
    "findings_suppressed",
    "Findings by rule that the configuration or an annotation leaves be; they are in no other series.",
    "rule",
)
RULE_EVALUATED = _gauge(
    "rule_evaluated", "Whether a rule was evaluated: 0 where its input was not seen or proves nothing, or where it crashed.", "rule"
)
RULE_LAST_EVALUATED = _gauge("rule_last_evaluated_timestamp_seconds", "When a rule was last evaluated.", "rule")
COLLECTOR_SUCCESS = _gauge("collector_success", "Whether all objects of a kind were read.", "kind")
OBJECTS = _gauge("objects", "Objects that were read, by kind.", "kind")
SCAN_DURATION = _gauge("scan_duration_seconds", "How long the scan took.")
LAST_RUN = _gauge("last_run_timestamp_seconds", "When the last scan was made, failed ones too.")
LAST_SUCCESS = _gauge(
    "last_success_timestamp_seconds", "When the last scan was made of which every rule had its input, optional kinds aside."
)
BUILD_INFO = _gauge("build_info", "The version of karpenter-check; always 1.", "version")
MEMORY_INFO = _gauge(
    "memory_info",
    "What the counters went on from: a state file, the Pushgateway, the running process, or nothing, and whether metrics name objects; always 1.",
    "source",
    "detail",
)
SERIES_DROPPED = _gauge(
    "series_dropped", "Series of a metric that were left out because there are more than --max-series in all.", "metric"
)
SERIES_PRUNED = _gauge("series_pruned_timestamp_seconds", "When series of what is long gone were last looked through.")

NODES_EXPIRING = _gauge(
    "nodes_expiring", "Nodes that expire within so long, those that are overdue included.", "nodepool", "within"
)
NEXT_EXPIRY = _gauge("next_expiry_timestamp_seconds", "When the next node of a NodePool expires.", "nodepool")
NODES_BLOCKED = _gauge("nodes_blocked", "Nodes that should be gone and are kept, by what keeps them.", "nodepool", "delay_reason")
LIMIT_HEADROOM = _gauge(
    "nodepool_limit_headroom", "What a NodePool's limits still let it buy: cores, bytes, nodes.", "nodepool", "resource"
)
ALLOWED_DISRUPTIONS = _gauge(
    "nodepool_allowed_disruptions",
    "Nodes that a NodePool's budgets still let go now, by Karpenter's reason; +Inf without a budget.",
    "nodepool",
    "reason",
)
REAPING_OVERDUE = _gauge(
    "nodepool_node_reaping_overdue_seconds",
    "How long the longest kept node of a NodePool should have been gone, by what keeps it.",
    "nodepool",
    "delay_reason",
)
NOT_REAPED = _gauge(
    "nodes_not_reaped_due_to_nomination",
    "Nodes that should be gone and are kept by the nomination of a pod that never comes; always 1.",
    "node",
    "nodepool",
    "nominated_pod",
    "nominated_namespace",
)
NODE_EXPIRY = _gauge("node_expiry_timestamp_seconds", "When a node expires, of those that do within a day.", "node", "nodepool")
NODE_OVERDUE_SINCE = _gauge(
    "node_overdue_since_timestamp_seconds", "Since when a node should have been gone.", "node", "nodepool", "delay_reason"
)

MISMATCHES = _counter(
    "daemonset_nodepool_mismatch_total",
    "DaemonSets on nodes that Karpenter sized without them.",
    "daemonset",
    "namespace",
    "node",
    "nodepool",
)
TTL_DEATHS = _counter(
    "node_ttl_deaths_total",
    "Nodes that died of their expireAfter, or had one and died of nothing known.",
    "node",
    "nodepool",
    "ttl_reason",
)
NOMINATION_FAILURES = _counter(
    "nominated_pod_failures_total",
    "Pods that did not come to the node that Karpenter nominated them to.",
    "pod",
    "namespace",
    "node",
    "reason",
)
NODES_FOR_PODS = _counter(
    "nodes_created_for_nominated_pods_total",
    "Nodes that Karpenter bought for a pod; no fault by itself.",
    "node",
    "pod",
    "namespace",
    "nodepool",
)
POOL_MISMATCHES = _counter(
    "nodepool_daemonset_mismatches_total", "DaemonSets on nodes that Karpenter sized without them, by NodePool.", "nodepool"
)
POOL_DEATHS = _counter("nodepool_node_deaths_total", "Nodes that died, by NodePool and what ended them.", "nodepool", "reason")
POOL_FAILURES = _counter(
    "nodepool_nomination_failures_total",
    "Pods that did not come to the node that Karpenter nominated them to, by NodePool.",
    "nodepool",
    "reason",
)
POOL_NODES_FOR_PODS = _counter(
    "nodepool_nodes_for_nominated_pods_total",
    "Pods that Karpenter bought a node for, by NodePool: a node for two pods counts twice.",
    "nodepool",
)

REAPING_DELAY = _histogram(
    "node_reaping_delay_seconds",
    "How long nodes that are gone were kept, by what kept them last.",
    "node",
    "nodepool",
    "delay_reason",
)
POOL_REAPING_DELAY = _histogram(
    "nodepool_node_reaping_delay_seconds", "How long nodes that are gone were kept, by NodePool.", "nodepool"
)

METRICS: tuple[Metric, ...] = (
    FINDINGS, SUPPRESSED, RULE_EVALUATED, RULE_LAST_EVALUATED, COLLECTOR_SUCCESS, OBJECTS, SCAN_DURATION, LAST_RUN, LAST_SUCCESS, BUILD_INFO,
    MEMORY_INFO, SERIES_DROPPED, SERIES_PRUNED, NODES_EXPIRING, NEXT_EXPIRY, NODES_BLOCKED, LIMIT_HEADROOM, ALLOWED_DISRUPTIONS, REAPING_OVERDUE,
    NOT_REAPED, NODE_EXPIRY, NODE_OVERDUE_SINCE, MISMATCHES, TTL_DEATHS, NOMINATION_FAILURES, NODES_FOR_PODS, POOL_MISMATCHES, POOL_DEATHS,
    POOL_FAILURES, POOL_NODES_FOR_PODS, REAPING_DELAY, POOL_REAPING_DELAY,
)  # fmt: skip
COUNTERS = tuple(metric for metric in METRICS if metric.type is Type.COUNTER)
HISTOGRAMS = tuple(metric for metric in METRICS if metric.type is Type.HISTOGRAM)
OF_OBJECTS = frozenset(metric for metric in METRICS if {"node", "pod"} & set(metric.labels))
"""Metrics that name objects; `--metrics-detail nodepool` leaves them out."""
OF_NODEPOOLS: Mapping[Metric, tuple[str, ...]] = {
    POOL_MISMATCHES: (), POOL_DEATHS: DEATH_REASONS, POOL_FAILURES: FAILURE_REASONS, POOL_NODES_FOR_PODS: (),
}  # fmt: skip
"""Counters that start at 0 for every NodePool, and at each of these reasons."""
REMEMBERED = frozenset(
    {*COUNTERS, *HISTOGRAMS, RULE_LAST_EVALUATED, SERIES_PRUNED, SERIES_DROPPED, MEMORY_INFO, NODE_EXPIRY, NODE_OVERDUE_SINCE}
)
"""What the next run reads back, if nothing else remembers."""
