// How often it happens, from the totals per NodePool.
function(config)
  local grafana = (import 'grafana.libsonnet')(config);
  local pool = '{{%s}} {{nodepool}}' % config.clusterLabel;
  local rise(labels, name, selected='') = 'sum by (%s) (%s)' % [labels, grafana.rise(grafana.of(name, selected))];
  local ofPools = grafana.by(['nodepool']);
  grafana.dashboard(
    config.dashboards.rates,
    'Rates',
    'How often it happens: what the totals per NodePool rose by.',
    [
      ['DaemonSets that Karpenter did not count', [
        grafana.graph(
          'DaemonSet mismatches by NodePool', [[rise(ofPools, 'nodepool_daemonset_mismatches_total'), pool]],
          'A DaemonSet on a node that Karpenter sized without it.', bars=true, rules=['daemonset-nodepool-mismatch'], width=24
        ),
      ]],
      ['How nodes die', [
        grafana.graph('Deaths by reason', [[rise('reason', 'nodepool_node_deaths_total'), '{{reason}}']], 'What ended nodes.', bars=true, rules=['node-ttl-death', 'consolidation-churn']),
        grafana.graph('Deaths by expiry', [[rise(ofPools, 'nodepool_node_deaths_total', 'reason="expired"'), pool]], 'Forced ends, by NodePool.', bars=true, rules=['node-ttl-death']),
      ]],
      ['Pods and the nodes they were nominated to', [
        grafana.graph(
          'Pods that did not come, by reason', [[rise('reason', 'nodepool_nomination_failures_total'), '{{reason}}']],
          'What kept them off the node that Karpenter nominated them to.', bars=true, rules=['nominated-pod-failure']
        ),
        grafana.graph(
          'Pods that did not come, by NodePool', [[rise(ofPools, 'nodepool_nomination_failures_total'), pool]],
          'Of the node that they did not come to.', bars=true, rules=['nominated-pod-failure']
        ),
        grafana.graph(
          'Pods that a node was bought for', [[rise(ofPools, 'nodepool_nodes_for_nominated_pods_total'), pool]],
          'No fault by itself; a loop of purchases shows here. A node for two pods counts twice.', bars=true, rules=['nominated-pod-failure'], width=24
        ),
      ]],
      ['How long nodes are kept', [
        grafana.heatmap(
          'Reaping delay', 'sum by (le) (%s)' % grafana.rise(grafana.of('nodepool_node_reaping_delay_seconds_bucket')),
          'How long nodes that are gone should have been gone before.', rules=['node-reaping-blocked', 'node-reaping-nominated']
        ),
        grafana.graph(
          'Reaping delay, of %s' % config.delayWindow,
          [
            ['histogram_quantile(%g, sum by (le) (%s))' % [quantile, grafana.riseOver(grafana.of('nodepool_node_reaping_delay_seconds_bucket'), config.delayWindow)], '%g' % quantile]
            for quantile in [0.5, 0.9, 0.99]
          ],
          'Quantiles over the nodes that went.',
          unit='s',
          rules=['node-reaping-blocked', 'node-reaping-nominated'],
        ),
      ]],
    ],
    from='now-7d',
  )
