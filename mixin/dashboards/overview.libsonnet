// What a scan finds now and has found: every rule.
function(config)
  local grafana = (import 'grafana.libsonnet')(config);
  // A NodePool without findings has no series, but each rule has one where it was evaluated.
  local found(severity) =
    local selected = 'severity="%s"' % severity;
    grafana.orZero('sum(%s)' % grafana.of('findings', selected), grafana.everywhere('findings', selected));
  grafana.dashboard(
    config.dashboards.overview,
    'Overview',
    'What karpenter-check finds, by rule, severity and NodePool.',
    [
      ['Now', [
        grafana.stat(
          'The oldest whole scan', 'time() - min(%s)' % grafana.lastWhole, 'Of all clusters: how long ago a scan had its whole input. What is older is not known.',
          bad=config.staleAfterSeconds, unit='s', pages=['alerts.md'], width=6
        ),
        grafana.stat(
          'Rules not evaluated', 'sum(1 - %s)' % grafana.everywhere('rule_evaluated'), 'Of all clusters; what they would find is in no number here. The scanner\'s page names them.',
          bad=null, pages=['access.md'], width=6
        ),
        grafana.stat('Critical', found('critical'), 'Findings now, of the rules that were evaluated.', pages=['rules/index.md'], width=6),
        grafana.stat('High', found('high'), 'Findings now, of the rules that were evaluated.', pages=['rules/index.md'], width=6),
        grafana.stat('Medium', found('medium'), 'Findings now, of the rules that were evaluated.', color='orange', pages=['rules/index.md']),
        grafana.stat(
          'Kept nodes', 'sum(%s)' % grafana.of('nodes_blocked'), 'Nodes that should be gone, for any reason that is known.', color='orange', rules=['node-reaping-blocked']
        ),
        grafana.stat(
          'Kept by nomination',
          'sum(%s)' % grafana.of('nodes_blocked', 'delay_reason="nominated"'),
          'Nodes that should be gone and that are kept for a pod which never comes.',
          rules=['node-reaping-nominated'],
        ),
        grafana.stat('Expire within a day', 'sum(%s)' % grafana.of('nodes_expiring', 'within="24h"'), 'Nodes; expiry is forceful, and no budget holds it.', color='orange', rules=['node-expiry-herd']),
        grafana.stat(
          'Died of expiry', 'sum(%s)' % grafana.riseOver(grafana.of('nodepool_node_deaths_total', 'reason="expired"')), 'Nodes, in the time that is shown.', color='orange', rules=['node-ttl-death']
        ),
        grafana.stat(
          'Failed nominations', 'sum(%s)' % grafana.riseOver(grafana.of('nodepool_nomination_failures_total')),
          'Pods that did not come to the node that Karpenter nominated them to, in the time that is shown.', rules=['nominated-pod-failure']
        ),
      ]],
      ['Findings', [
        grafana.table(
          'Findings now',
          ['rule', 'severity', 'nodepool'],
          [[grafana.ranked('sum by (%s) (%s) > 0' % [grafana.by(['rule', 'severity', 'nodepool']), grafana.of('findings')]), 'findings', 'short']],
          'A row for each rule, severity and NodePool; the rule leads to its page. What is of no NodePool shows while all are chosen.',
          links={ rule: grafana.toItsRule, nodepool: grafana.toNodePool },
          sort='severity',
          descending=false,
          height=12,
        ),
        grafana.graph('Findings by severity', [['sum by (severity) (%s)' % grafana.of('findings'), '{{severity}}']], 'Findings at each scan.', pages=['rules/index.md']),
        grafana.graph('Findings by rule', [['sum by (rule) (%s) > 0' % grafana.of('findings'), '{{rule}}']], 'Rules that find something.', pages=['rules/index.md']),
        grafana.graph(
          'Findings by NodePool',
          [['sum by (%s) (%s) > 0' % [grafana.by(['nodepool']), grafana.of('findings', 'nodepool!="", severity=~"critical|high|medium"')], '{{%s}} {{nodepool}}' % config.clusterLabel]],
          'Of medium severity and above.',
          pages=['rules/index.md'],
        ),
        grafana.table(
          'Suppressed',
          ['rule'],
          [['sum by (%s) (%s) > 0' % [grafana.by(['rule']), grafana.everywhere('findings_suppressed')], 'findings', 'short']],
          'Findings that an ignore matches; they are nowhere else. Of all NodePools.',
          links={ rule: grafana.toItsRule },
          pages=['configuration.md'],
          width=12,
        ),
      ]],
    ],
  )
