// The nodes and pods themselves: tables of the metrics that name objects.
function(config)
  local grafana = (import 'grafana.libsonnet')(config);
  local most(labels, metric) = 'max by (%s) (%s)' % [grafana.by(labels), metric];
  // Two pods on one node are one node.
  local nodes(metric, name, rule, by=['node', 'nodepool']) =
    grafana.orZero('count(count by (%s) (%s))' % [grafana.by(by), metric], grafana.known(name, rule));
  local mismatches = grafana.of('daemonset_nodepool_mismatch_total');
  local deaths = grafana.of('node_ttl_deaths_total');
  local failures = grafana.everywhere('nominated_pod_failures_total');
  local bought = grafana.of('nodes_created_for_nominated_pods_total');
  local kept = grafana.of('nodes_not_reaped_due_to_nomination');
  local delays = grafana.of('node_reaping_delay_seconds_sum');
  local day = 'Shown until a day after it is gone.';
  grafana.dashboard(
    config.dashboards.objects,
    'Nodes and pods',
    'What is wrong now, by name. With --metrics-detail nodepool, or where --max-series left series out, there is less here than there is.',
    [
      ['Nodes, each counted once', [
        grafana.stat(
          'With a DaemonSet not counted', nodes(mismatches, 'daemonset_nodepool_mismatch_total', 'daemonset-nodepool-mismatch'), 'Nodes. ' + day, rules=['daemonset-nodepool-mismatch']
        ),
        grafana.stat(
          'Died of their TTL', nodes(grafana.of('node_ttl_deaths_total', 'ttl_reason="ttl_expired"'), 'node_ttl_deaths_total', 'node-ttl-death'),
          'Nodes whose end matches their expireAfter. ' + day, color='orange', rules=['node-ttl-death']
        ),
        grafana.stat(
          'That pods did not come to', nodes(failures, 'nominated_pod_failures_total', 'nominated-pod-failure', ['node']), 'Nodes, of all NodePools. ' + day, rules=['nominated-pod-failure']
        ),
        grafana.stat(
          'Bought for pods', nodes(bought, 'nodes_created_for_nominated_pods_total', 'nominated-pod-failure'), 'Nodes; no fault by itself. ' + day, bad=null, rules=['nominated-pod-failure']
        ),
        grafana.stat('Kept by nomination', nodes(kept, 'nodes_not_reaped_due_to_nomination', 'node-reaping-nominated'), 'Nodes, now.', rules=['node-reaping-nominated']),
        grafana.stat(
          'Went late', nodes(grafana.of('node_reaping_delay_seconds_count'), 'node_reaping_delay_seconds', 'node-reaping-blocked'),
          'Nodes that are gone, and had been kept. ' + day, color='orange', rules=['node-reaping-blocked']
        ),
      ]],
      ['By name', [
        grafana.table(
          'Nodes kept by the nomination of a pod', ['node', 'nodepool', 'nominated_namespace', 'nominated_pod'],
          [[most(['node', 'nodepool', 'nominated_namespace', 'nominated_pod'], kept), 'kept', 'short']], 'Now: 1 each.',
          links={ node: grafana.toRule('node-reaping-nominated') }, width=12
        ),
        grafana.table(
          'DaemonSets that Karpenter did not count', ['daemonset', 'namespace', 'node', 'nodepool'],
          [[most(['daemonset', 'namespace', 'node', 'nodepool'], mismatches), 'times', 'short']], '0 where it stood when counting began. ' + day,
          links={ daemonset: grafana.toRule('daemonset-nodepool-mismatch') }, width=12
        ),
        grafana.table(
          'Pods that did not come to their node', ['pod', 'namespace', 'node', 'reason'],
          [[most(['pod', 'namespace', 'node', 'reason'], failures), 'times', 'short']], 'Of all NodePools. 0 where it stood when counting began. ' + day,
          links={ pod: grafana.toRule('nominated-pod-failure') }, width=12
        ),
        grafana.table(
          'Nodes that died of their TTL', ['node', 'nodepool', 'ttl_reason'],
          [[most(['node', 'nodepool', 'ttl_reason'], deaths), 'times', 'short']],
          'ttl_expired: the death matches its expireAfter; ttl_configured: it had one, and nothing tells what ended it. ' + day,
          links={ node: grafana.toRule('node-ttl-death') }, width=12
        ),
        grafana.table(
          'Nodes that were bought for a pod', ['node', 'nodepool', 'namespace', 'pod'],
          [[most(['node', 'nodepool', 'namespace', 'pod'], bought), 'times', 'short']], 'No fault by itself. ' + day,
          links={ pod: grafana.toRule('nominated-pod-failure') }, width=12
        ),
        grafana.table(
          'Nodes that went late', ['node', 'nodepool', 'delay_reason', 'rule'],
          [[grafana.withRuleOfDelay(most(['node', 'nodepool', 'delay_reason'], delays)), 'kept for', 's']], 'How long they should have been gone, by what kept them last. ' + day,
          links={ rule: grafana.toItsRule }, width=12
        ),
      ]],
    ],
  )
