// Nodes by when they expire, and those that did.
function(config)
  local grafana = (import 'grafana.libsonnet')(config);
  local pool = '{{%s}} {{nodepool}}' % config.clusterLabel;
  local expiring(within) = grafana.of('nodes_expiring', 'within="%s"' % within);
  local ofPools = grafana.by(['nodepool']);
  local left = 'min by (%s) (%s) - time()' % [grafana.by(['node', 'nodepool']), grafana.of('node_expiry_timestamp_seconds')];
  grafana.dashboard(
    config.dashboards.expiry,
    'Expiry',
    'Which nodes reach their expireAfter, when, and which died of it: forcefully, to the second, whatever the budgets say.',
    [
      ['What is coming', [
        grafana.stat('Within 15 minutes', 'sum(%s)' % expiring('15m'), 'Nodes, overdue ones included.', rules=['node-expiry-herd', 'node-expiry-overdue'], width=6),
        grafana.stat('Within an hour', 'sum(%s)' % expiring('1h'), 'Nodes, overdue ones included.', color='orange', rules=['node-expiry-herd'], width=6),
        grafana.stat('Within a day', 'sum(%s)' % expiring('24h'), 'Nodes, overdue ones included.', color='yellow', rules=['node-expiry-herd'], width=6),
        grafana.stat(
          'The next one', 'min(%s) - time()' % grafana.of('next_expiry_timestamp_seconds'), 'Until the next node expires; below 0, it should have.', bad=0, below=true, unit='s', rules=['node-expiry-overdue'], width=6
        ),
        grafana.table(
          'NodePools', ['nodepool'],
          [['sum by (%s) (%s)' % [ofPools, expiring(within)], 'within ' + within, 'short'] for within in ['15m', '1h', '24h']]
          + [['min by (%s) (%s) - time()' % [ofPools, grafana.of('next_expiry_timestamp_seconds')], 'the next in', 's']],
          'Nodes that expire, and how long until the first does.', links={ nodepool: grafana.toNodePool, 'the next in': grafana.toRule('node-expiry-herd') }, rules=['node-expiry-herd'], width=12
        ),
        grafana.table(
          'Nodes', ['node', 'nodepool', 'rule'],
          [['%s or %s' % [grafana.withRule(left + ' < 0', 'node-expiry-overdue'), grafana.withRule(left + ' >= 0', 'node-expiry-herd')], 'expires in', 's']],
          'Those that expire within a day; below 0, they should have.', links={ rule: grafana.toItsRule }, descending=false, width=12
        ),
        grafana.graph('Expiring within a day, by NodePool', [['sum by (%s) (%s)' % [ofPools, expiring('24h')], pool]], 'Nodes, at each scan.', rules=['node-expiry-herd'], width=24),
      ]],
      ['Forced ends', [
        grafana.graph(
          'Nodes that died of expiry', [['sum by (%s) (%s)' % [ofPools, grafana.rise(grafana.of('nodepool_node_deaths_total', 'reason="expired"'))], pool]],
          'From the totals per NodePool.', bars=true, rules=['node-ttl-death']
        ),
        grafana.table(
          'Their names', ['node', 'nodepool', 'ttl_reason'],
          [['max by (%s) (%s)' % [grafana.by(['node', 'nodepool', 'ttl_reason']), grafana.of('node_ttl_deaths_total')], 'times', 'short']],
          'Shown until a day after. ttl_configured: nothing tells what ended it.', links={ node: grafana.toRule('node-ttl-death') }, width=12
        ),
      ]],
    ],
  )
