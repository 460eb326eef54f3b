// Rates stand on the totals per NodePool, which start at 0; what is now on gauges, which resolve.
{
  local config = self._config,
  local metric(name, labels='') =
    local parts = std.filter(function(part) part != '', [config.selector, labels]);
    config.namespace + '_' + name + (if parts == [] then '' else '{' + std.join(', ', parts) + '}'),
  local by(labels) = std.join(', ', [config.clusterLabel] + labels),
  local rule(slug) = '%s/rules/%s.md' % [config.docs, slug],
  local where = '{{ with $labels.%s }}Cluster {{ . }}: {{ end }}' % config.clusterLabel,
  local alert(name, expr, severity, summary, description, runbook, held='0m') = {
    alert: name,
    expr: expr,
    'for': held,
    labels: { severity: severity },
    annotations: { summary: summary, description: description, runbook_url: runbook },
  },

  prometheusAlerts+:: {
    groups+: [
      {
        name: 'karpenter-check-nodes',
        rules: [
          alert(
            'KarpenterDaemonSetMismatch',
            'sum by (%s) (%s) > 0' % [by(['nodepool']), metric('findings', 'rule="daemonset-nodepool-mismatch", severity=~"critical|high"')],
            'warning',
            'Karpenter sizes nodes of a NodePool without DaemonSets that run there.',
            '%sNodePool {{ $labels.nodepool }} has {{ $value }} DaemonSet(s) that Karpenter did not count: its nodes are smaller than what runs on them.' % where,
            rule('daemonset-nodepool-mismatch'),
            config.findingsFor,
          ),
          alert(
            'KarpenterNodesDieOfExpiry',
            'sum by (%s) (increase(%s[1h])) > %d' % [by(['nodepool']), metric('nodepool_node_deaths_total', 'reason="expired"'), config.expiredPerHour],
            'warning',
            'Many nodes of a NodePool die of their expireAfter together.',
            '%s{{ $value | printf "%%.0f" }} nodes of NodePool {{ $labels.nodepool }} expired within an hour: no budget holds expiry.' % where,
            rule('node-ttl-death'),
          ),
          alert(
            'KarpenterNominationsFail',
            'sum by (%s) (increase(%s[30m])) > %d' % [by(['nodepool', 'reason']), metric('nodepool_nomination_failures_total'), config.nominationFailuresPerHalfHour],
            'warning',
            'Pods do not come to the nodes that Karpenter nominated them to.',
            '%s{{ $value | printf "%%.0f" }} pods did not come to nodes of NodePool {{ $labels.nodepool }} within half an hour: {{ $labels.reason }}.' % where,
            rule('nominated-pod-failure'),
          ),
          alert(
            'KarpenterNodeHeldByNomination',
            'max by (%s) (%s) > %d' % [by(['nodepool']), metric('nodepool_node_reaping_overdue_seconds', 'delay_reason="nominated"'), config.heldByNominationSeconds],
            'warning',
            'A node that should be gone is kept by the nomination of a pod that never comes.',
            '%sa node of NodePool {{ $labels.nodepool }} should have been gone for {{ $value | humanizeDuration }}.' % where,
            rule('node-reaping-nominated'),
          ),
          alert(
            'KarpenterNodeReapingDelayed',
            'max by (%s) (%s) > %d' % [by(['nodepool', 'delay_reason']), metric('nodepool_node_reaping_overdue_seconds', 'delay_reason!="nominated"'), config.overdueSeconds],
            'warning',
            'A node should have been gone long ago.',
            '%sa node of NodePool {{ $labels.nodepool }} should have been gone for {{ $value | humanizeDuration }}; it is kept by: {{ $labels.delay_reason }}.' % where,
            rule('node-reaping-blocked'),
          ),
        ],
      },
      {
        name: 'karpenter-check-scans',
        rules: [
          alert(
            'KarpenterCheckCriticalFindings',
            'sum by (%s) (%s) > 0' % [by(['rule', 'nodepool']), metric('findings', 'severity="critical"')],
            'critical',
            'karpenter-check finds something critical.',
            '%s{{ $labels.rule }} has {{ $value }} critical finding(s){{ with $labels.nodepool }} in NodePool {{ . }}{{ end }}.' % where,
            config.docs + '/rules/{{ $labels.rule }}.md',
            config.findingsFor,
          ),
          alert(
            'KarpenterCheckStale',
            'time() - max by (%s) (%s) > %d' % [by([]), metric('last_success_timestamp_seconds'), config.staleAfterSeconds],
            'warning',
            'No scan of Karpenter has succeeded for a while.',
            '%sthe last scan of which every rule had its input was {{ $value | humanizeDuration }} ago.' % where,
            config.docs + '/alerts.md#the-scanner-itself',
            '5m',
          ),
          alert(
            'KarpenterCheckAbsent',
            'absent(%s)' % metric('last_run_timestamp_seconds'),
            'warning',
            'karpenter-check tells nothing at all.',
            'No scan has pushed or was scraped: the CronJob or the server does not run, or Prometheus does not see it.',
            config.docs + '/alerts.md#the-scanner-itself',
            '30m',
          ),
          alert(
            'KarpenterCheckIncomplete',
            'max by (%s) (1 - %s) > 0' % [by(['kind']), metric('collector_success', 'kind!~"%s"' % std.join('|', config.optionalKinds))],
            'warning',
            'karpenter-check could not read objects that its rules need.',
            '%s{{ $labels.kind }} was not wholly read: rules that need it are not evaluated. karpenter-check scan --dry-run says why.' % where,
            config.docs + '/access.md',
            '30m',
          ),
          alert(
            'KarpenterCheckPushFails',
            'max by (%s) (push_failure_time_seconds{job="%s"} - push_time_seconds{job="%s"}) > 0' % [by([]), config.pushJob, config.pushJob],
            'warning',
            'The Pushgateway refuses what karpenter-check pushes.',
            '%sthe last push was refused: another group may have a metric of the same name with another type.' % where,
            config.docs + '/metrics.md#when-it-fails',
            '15m',
          ),
        ],
      },
    ],
  },
}
