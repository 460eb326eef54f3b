// The scanner itself: whether it runs, sees, and is heard.
function(config)
  local grafana = (import 'grafana.libsonnet')(config);
  local cluster = '{{%s}}' % config.clusterLabel;
  local one(labels, metric) = 'max by (%s) (%s)' % [grafana.by(labels), metric];
  local refused = '%s > %s' % [grafana.pushed('push_failure_time_seconds'), grafana.pushed('push_time_seconds')];
  grafana.dashboard(
    config.dashboards.scanner,
    'Scanner',
    'Whether scans run, what they could not see, and whether their metrics arrive.',
    [
      ['Runs', [
        grafana.table(
          'Clusters', [],
          [
            ['time() - max by (%s) (max_over_time(%s[%s]))' % [grafana.by([]), grafana.everywhere('last_run_timestamp_seconds'), config.rememberFor], 'last run', 's'],
            ['time() - %s' % grafana.lastWhole, 'last with its whole input', 's'],
            [one([], grafana.everywhere('scan_duration_seconds')), 'took', 's'],
            ['time() - %s' % one([], grafana.pushed('push_time_seconds')), 'last push', 's'],
            ['count by (%s) (%s)' % [grafana.by([]), grafana.all], 'series', 'short'],
          ],
          'How long ago; decades where no scan had its whole input. A scan without a Pushgateway has no push.', links={ [config.clusterLabel]: grafana.toPage('What to do', 'alerts.md#the-scanner-itself') }, height=6
        ),
        grafana.stat(
          'The oldest whole scan', 'time() - min(%s)' % grafana.lastWhole, 'Of all clusters: how long ago a scan had its whole input; decades where none had.', bad=config.staleAfterSeconds, unit='s',
          pages=['alerts.md'], width=6
        ),
        grafana.stat('Rules not evaluated', 'sum(1 - %s)' % grafana.everywhere('rule_evaluated'), 'Of all clusters: their input was not seen, or proves nothing there.', bad=null, pages=['access.md'], width=6),
        grafana.stat('Series left out', 'sum(%s)' % grafana.everywhere('series_dropped'), 'By --max-series.', color='orange', pages=['metrics.md'], width=6),
        grafana.stat('Pushes refused', grafana.orZero('count(%s)' % refused, grafana.pushed('push_time_seconds')), 'Groups whose last push the Pushgateway refused.', pages=['metrics.md'], width=6),
      ]],
      ['What was not seen', [
        grafana.table(
          'Kinds that were not wholly read', ['kind'], [[one(['kind'], grafana.everywhere('collector_success')) + ' == 0', 'read', 'short']],
          'Optional ones too: what is missing is not checked.', links={ kind: grafana.toPage('Access', 'access.md') }, width=12
        ),
        grafana.table(
          'Series that were left out', ['metric'], [[one(['metric'], grafana.everywhere('series_dropped')) + ' > 0', 'series', 'short']], 'By --max-series.',
          links={ metric: grafana.toPage('Metrics', 'metrics.md#over-time-by-object') }, width=12
        ),
        grafana.table(
          'Rules', ['rule'],
          [
            [one(['rule'], grafana.everywhere('rule_evaluated')), 'evaluated', 'short'],
            ['time() - %s' % one(['rule'], grafana.everywhere('rule_last_evaluated_timestamp_seconds')), 'last evaluated', 's'],
          ],
          '0 where its input was not seen or proves nothing, and how long ago it last was; what was not evaluated is not fine.',
          links={ rule: grafana.toItsRule }, descending=false, height=12
        ),
      ]],
      ['What was read, and how', [
        grafana.graph('How long scans took', [[one([], grafana.everywhere('scan_duration_seconds')), cluster]], 'Of each cluster.', unit='s', pages=['performance.md']),
        grafana.graph('Objects', [['sum by (kind) (%s) > 0' % grafana.everywhere('objects'), '{{kind}}']], 'That were read, of all clusters.', pages=['collection.md']),
        grafana.table(
          'Versions', ['version'], [[one(['version'], grafana.everywhere('build_info')), 'runs', 'short']], 'Of karpenter-check.', links={ version: grafana.toPage('Changelog', 'changelog.md') }, width=12
        ),
        grafana.table(
          'Where counters go on from', ['source', 'detail'], [[one(['source', 'detail'], grafana.everywhere('memory_info')), 'so', 'short']],
          'nothing: counting began at this scan.', links={ source: grafana.toPage('What is remembered', 'metrics.md#what-is-remembered') }, width=12
        ),
      ]],
    ],
    variables_=['datasource', 'cluster'],
  )
