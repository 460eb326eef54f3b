// Nodes that should be gone: what keeps them, for how long, and what budgets and limits still allow.
function(config)
  local grafana = (import 'grafana.libsonnet')(config);
  local blocked = grafana.of('nodes_blocked'), overdue = grafana.of('nodepool_node_reaping_overdue_seconds');
  grafana.dashboard(
    config.dashboards.reaping,
    'Blockers and reaping',
    'Nodes that should be gone and are not: what keeps them, and for how long.',
    [
      ['Now', [
        grafana.stat('Nodes that should be gone', 'sum(%s)' % blocked, 'For any reason that is known.', color='orange', rules=['node-reaping-blocked'], width=6),
        grafana.stat('The longest', 'max(%s)' % overdue, 'For how long it should have been gone.', bad=config.overdueSeconds, unit='s', rules=['node-reaping-blocked'], width=6),
        grafana.stat('Kept by nomination', 'sum(%s)' % grafana.of('nodes_blocked', 'delay_reason="nominated"'), 'Nodes, for pods that never come.', rules=['node-reaping-nominated'], width=6),
        grafana.stat('Being deleted, and do not end', 'sum(%s)' % grafana.of('nodes_blocked', 'delay_reason="terminating"'), 'Nodes.', rules=['node-terminating-stuck'], width=6),
        grafana.table(
          'What keeps them', ['nodepool', 'delay_reason', 'rule'],
          [
            [grafana.withRuleOfDelay('sum by (%s) (%s) > 0' % [grafana.by(['nodepool', 'delay_reason']), blocked]), 'nodes', 'short'],
            [grafana.withRuleOfDelay('max by (%s) (%s) > 0' % [grafana.by(['nodepool', 'delay_reason']), overdue]), 'the longest for', 's'],
          ],
          'By NodePool and reason.', links={ rule: grafana.toItsRule, nodepool: grafana.toNodePool }, width=12
        ),
        grafana.table(
          'Nodes', ['node', 'nodepool', 'delay_reason', 'rule'],
          [[
            grafana.withRuleOfDelay('time() - min by (%s) (%s)' % [grafana.by(['node', 'nodepool', 'delay_reason']), grafana.of('node_overdue_since_timestamp_seconds')]),
            'for', 's',
          ]],
          'Since when each should have been gone.', links={ rule: grafana.toItsRule }, width=12
        ),
      ]],
      ['Over time', [
        grafana.graph('Kept nodes, by reason', [['sum by (delay_reason) (%s) > 0' % blocked, '{{delay_reason}}']], 'At each scan.', rules=['node-reaping-blocked']),
        grafana.graph(
          'The longest, by NodePool and reason', [['max by (%s) (%s) > 0' % [grafana.by(['nodepool', 'delay_reason']), overdue], '{{%s}} {{nodepool}} {{delay_reason}}' % config.clusterLabel]],
          'For how long it should have been gone.', unit='s', rules=['node-reaping-blocked']
        ),
        grafana.heatmap(
          'Reaping delay', 'sum by (le) (%s)' % grafana.rise(grafana.of('nodepool_node_reaping_delay_seconds_bucket')), 'Of nodes that are gone by now.', rules=['node-reaping-blocked'], width=24
        ),
      ]],
      ['What is still allowed', [
        grafana.table(
          'Disruptions that the budgets allow', ['nodepool', 'reason'],
          [['min by (%s) (%s)' % [grafana.by(['nodepool', 'reason']), grafana.of('nodepool_allowed_disruptions')], 'nodes', 'short']],
          'Now, by Karpenter\'s reason; infinite without a budget, 0 where they let nothing go.', links={ nodepool: grafana.toRule('budget-blocks-disruption') }, descending=false, width=12
        ),
        grafana.table(
          'What limits leave to buy', ['nodepool', 'resource'],
          [
            ['min by (%s) (%s)' % [grafana.by(['nodepool', 'resource']), grafana.of('nodepool_limit_headroom', 'resource%s"memory|.*storage"' % kind[0])], kind[1], kind[2]]
            for kind in [['!~', 'left', 'short'], ['=~', 'bytes left', 'bytes']]
          ],
          'Cores, nodes and the like, or bytes; below 0 where a limit is passed.', links={ nodepool: grafana.toRule('nodepool-limit-reached') }, descending=false, width=12
        ),
      ]],
    ],
  )
