// The few pieces of Grafana that the dashboards are made of; a test holds them against Grafana's schema.
function(config)
  local series = (import '../series.libsonnet')(config);
  local datasource = { type: 'prometheus', uid: '${datasource}' };
  local ranks = ['critical', 'high', 'medium', 'low', 'info'];
  local severities = { critical: 'dark-red', high: 'red', medium: 'orange', low: 'yellow', info: 'blue' };
  {
    // Queries: `of` metrics with a NodePool, `everywhere` of those without.
    local ofCluster = '%s=~"$cluster"' % config.clusterLabel,
    local joined(parts) = std.join(', ', std.filter(function(part) part != '', parts)),
    of(name, labels=''):: series.metric(name, joined([ofCluster, 'nodepool=~"$nodepool"', labels])),
    everywhere(name, labels=''):: series.metric(name, joined([ofCluster, labels])),
    // Every series of a program, and those of its pushes.
    all:: '{%s}' % joined([config.selector, '__name__=~"%s_.+"' % config.namespace, ofCluster]),
    pushed(name):: series.pushed(name, ofCluster),
    lastWhole:: series.lastWhole(ofCluster),
    by:: series.by,
    // What is 0, and not unknown, where scans have said something of it at all.
    orZero(expr, said):: '%s or 0 * count(%s)' % [expr, said],
    // The clusters of which a metric of objects is known, and whole: its rule was evaluated, and nothing was left out.
    known(metric, rule)::
      '(%s == 1) and on (%s) (%s == 0)' % [
        self.everywhere('rule_evaluated', 'rule="%s"' % rule), config.clusterLabel, self.everywhere('series_dropped', 'metric="%s"' % metric),
      ],
    // How much a counter rose from one point of a graph to the next. A rate would miss what rises between two windows, and count by halves.
    rise(counter):: 'clamp_min(%s - %s offset $__interval, 0)' % [counter, counter],
    // How much it rose in a time.
    riseOver(counter, window='$__range'):: 'increase(%s[%s])' % [counter, window],
    // With a label `rule`: the one that tells of what is kept for that reason.
    withRuleOfDelay(expr):: std.foldl(
      function(inner, reason) 'label_replace(%s, "rule", "%s", "delay_reason", "%s")' % [inner, config.ruleOfDelay[reason], reason],
      std.objectFields(config.ruleOfDelay),
      self.withRule(expr, config.ruleOfOtherDelays)
    ),
    withRule(expr, slug):: 'label_replace(%s, "rule", "%s", "%s", ".*")' % [expr, slug, config.clusterLabel],
    // With a rank in the place of a severity's word, which tables sort by and show as the word.
    ranked(expr):: std.foldl(
      function(inner, place) 'label_replace(%s, "severity", "%d", "severity", "%s")' % [inner, place + 1, ranks[place]], std.range(0, std.length(ranks) - 1), expr
    ),

    local link(title, url) = {
      title: title, type: 'link', url: url, icon: 'doc', tooltip: '', tags: [],
      asDropdown: false, targetBlank: true, includeVars: false, keepTime: false,
    },
    local to(rules, pages) = [link(slug, series.rule(slug)) for slug in rules] + [link(page, series.page(page)) for page in pages],
    local target(expr, index, more) = { refId: std.char(65 + index), datasource: datasource, expr: expr } + more,
    local panel(type, title, description, rules, pages, width, height) = {
      type: type, title: title, description: description, datasource: datasource, links: to(rules, pages),
      gridPos: { w: width, h: height, x: 0, y: 0 },
    },
    local colored = [
      { matcher: { id: 'byName', options: name }, properties: [{ id: 'color', value: { mode: 'fixed', fixedColor: severities[name] } }] }
      for name in std.objectFields(severities)
    ],

    // A number, of now or of the time that is shown; `bad` is where it turns from green, or where it turns green if `below` is bad.
    stat(title, expr, description, bad=1, color='red', below=false, unit='none', rules=[], pages=[], width=4):: panel('stat', title, description, rules, pages, width, 4) {
      local turns = if bad == null then [] else [{ color: if below then 'green' else color, value: bad }],
      targets: [target(expr, 0, { instant: true, range: false, legendFormat: '__auto' })],
      fieldConfig: {
        // how often it happened is told by a rate, which is no whole number; of durations Grafana would make whole days
        defaults: {
          unit: unit, [if unit == 'none' then 'decimals']: 0, color: { mode: 'thresholds' },
          thresholds: { mode: 'absolute', steps: [{ color: if bad == null then 'text' else if below then color else 'green', value: null }] + turns },
        },
        overrides: [],
      },
      options: {
        reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false },
        colorMode: 'value', graphMode: 'none', justifyMode: 'auto', orientation: 'auto', textMode: 'value',
        wideLayout: true, showPercentChange: false,
      },
    },

    // Lines or bars over time; `queries` are [expression, legend].
    graph(title, queries, description, bars=false, unit='none', rules=[], pages=[], width=12, height=8):: panel('timeseries', title, description, rules, pages, width, height) {
      // a scan comes every so often: between two there is nothing to see
      [if bars then 'interval']: config.scanInterval,
      targets: std.mapWithIndex(function(index, query) target(query[0], index, { range: true, instant: false, legendFormat: query[1] }), queries),
      fieldConfig: {
        defaults: {
          unit: unit,
          min: 0,
          custom: {
            drawStyle: if bars then 'bars' else 'line', lineInterpolation: 'stepAfter', lineWidth: 1, fillOpacity: if bars then 80 else 10,
            showPoints: 'never', spanNulls: false, stacking: { mode: if bars then 'normal' else 'none', group: 'A' },
          },
        },
        overrides: colored,
      },
      options: {
        legend: { displayMode: 'list', placement: 'bottom', showLegend: true, calcs: [] },
        tooltip: { mode: 'multi', sort: 'desc' },
      },
    },

    // A histogram over time, whose buckets are seconds.
    heatmap(title, expr, description, rules=[], pages=[], width=12, height=8):: panel('heatmap', title, description, rules, pages, width, height) {
      interval: config.scanInterval,
      targets: [target(expr, 0, { range: true, instant: false, format: 'heatmap', legendFormat: '{{le}}' })],
      fieldConfig: { defaults: {}, overrides: [] },
      options: {
        calculate: false,
        cellGap: 1,
        color: { mode: 'scheme', scheme: 'Oranges', fill: 'dark-orange', exponent: 0.5, steps: 64, reverse: false },
        filterValues: { le: 0.5 },
        rowsFrame: { layout: 'auto' },
        showValue: 'never',
        yAxis: { unit: 's', axisPlacement: 'left' },
        legend: { show: true },
        tooltip: { mode: 'single', yHistogram: false, showColorScale: false },
        exemplars: { color: 'rgba(255,0,255,0.7)' },
      },
    },

    local shownAsWord = {
      matcher: { id: 'byName', options: 'severity' },
      properties: [
        {
          id: 'mappings',
          value: [{
            type: 'value',
            options: { ['%d' % (place + 1)]: { text: ranks[place], color: severities[ranks[place]], index: place } for place in std.range(0, std.length(ranks) - 1) },
          }],
        },
        { id: 'custom.cellOptions', value: { type: 'color-text' } },
      ],
    },

    // What there is now, a row each. `columns` are the labels, in their order; `values` are [expression, name, unit]; `links` by column; `sort` is a column, the first value if none is named.
    table(title, columns, values, description, links={}, sort='', descending=true, rules=[], pages=[], width=24, height=8):: panel('table', title, description, rules, pages, width, height) {
      // what Grafana calls the values of one query, and of several
      local given(index) = if std.length(values) == 1 then 'Value' else 'Value #' + std.char(65 + index),
      local raw = [config.clusterLabel] + columns + std.mapWithIndex(function(index, _) given(index), values),
      targets: std.mapWithIndex(function(index, value) target(value[0], index, { instant: true, range: false, format: 'table' }), values),
      transformations: [{ id: 'merge', options: {} }, {
        id: 'organize',
        options: {
          excludeByName: { Time: true },
          indexByName: { [raw[index]]: index for index in std.range(0, std.length(raw) - 1) },
          renameByName: { [given(index)]: values[index][1] for index in std.range(0, std.length(values) - 1) },
        },
      }],
      fieldConfig: {
        defaults: { custom: { align: 'auto', filterable: true, inspect: false } },
        overrides: [
          { matcher: { id: 'byName', options: value[1] }, properties: [{ id: 'unit', value: value[2] }] }
          for value in values
        ] + (if std.member(columns, 'severity') then [shownAsWord] else []) + [
          { matcher: { id: 'byName', options: column }, properties: [{ id: 'links', value: [{ title: links[column].title, url: links[column].url, targetBlank: true }] }] }
          for column in std.objectFields(links)
        ],
      },
      options: {
        frameIndex: 0,
        showHeader: true,
        cellHeight: 'sm',
        footer: { show: false, reducer: [], countRows: false },
        sortBy: [{ displayName: if sort == '' then values[0][1] else sort, desc: descending }],
      },
    },
    // Where a table's cells lead: to the page of the rule in their row, of one rule, or to a NodePool's tables.
    toItsRule:: { title: 'What ${__data.fields.rule} says', url: series.rule('${__data.fields.rule}') },
    toRule(slug):: { title: slug, url: series.rule(slug) },
    toPage(title, path):: { title: title, url: series.page(path) },
    toNodePool:: {
      title: 'Findings of ${__data.fields.nodepool}',
      url: '/d/%s?var-datasource=${datasource}&var-cluster=${__data.fields.%s}&var-nodepool=${__data.fields.nodepool}' % [config.dashboards.overview, config.clusterLabel],
    },

    local query(name, label, metric, from) = {
      name: name, label: label, type: 'query', datasource: datasource, query: { query: 'label_values(%s, %s)' % [metric, from], refId: name }, refresh: 2, sort: 1,
      multi: true, includeAll: true, allValue: '.*', regex: '', hide: 0, skipUrlSync: false, options: [],
      current: { selected: true, text: ['All'], value: ['$__all'] },
    },
    local variables = {
      datasource: {
        name: 'datasource', label: 'Data source', type: 'datasource', query: 'prometheus', regex: '', refresh: 1, multi: false, includeAll: false,
        hide: 0, skipUrlSync: false, options: [], current: { selected: false, text: 'default', value: 'default' },
      },
      cluster: query('cluster', 'Cluster', series.metric('last_run_timestamp_seconds'), config.clusterLabel),
      nodepool: query('nodepool', 'NodePool', series.metric('nodepool_node_deaths_total', ofCluster), 'nodepool'),
    },

    // Panels flow from left to right, under a heading each row.
    local placed(rows) = std.foldl(
      function(done, row)
        local heading = { type: 'row', title: row[0], collapsed: false, panels: [], gridPos: { x: 0, y: done.y, w: 24, h: 1 } };
        std.foldl(
          function(flow, one)
            local wraps = flow.x + one.gridPos.w > 24;
            local x = if wraps then 0 else flow.x, y = if wraps then flow.bottom else flow.y;
            {
              panels: flow.panels + [one { gridPos+: { x: x, y: y } }],
              x: x + one.gridPos.w, y: y, bottom: std.max(if wraps then y else flow.bottom, y + one.gridPos.h),
            },
          row[1],
          { panels: done.panels + [heading], x: 0, y: done.y + 1, bottom: done.y + 1 }
        ) + { y: self.bottom },
      rows,
      { panels: [], y: 0 }
    ).panels,

    dashboard(uid, title, description, rows, from='now-24h', variables_=['datasource', 'cluster', 'nodepool']):: {
      uid: uid,
      title: 'Karpenter Check / ' + title,
      description: description,
      tags: ['karpenter-check', 'karpenter'],
      timezone: 'browser',
      editable: true,
      graphTooltip: 1,
      schemaVersion: 39,
      time: { from: from, to: 'now' },
      refresh: '5m',
      templating: { list: [variables[name] for name in variables_] },
      annotations: { list: [] },
      links: [{
        title: 'Karpenter Check', type: 'dashboards', tags: ['karpenter-check'], icon: 'dashboard', tooltip: '', url: '',
        asDropdown: true, targetBlank: false, includeVars: true, keepTime: true,
      }] + [link(one.title, one.url) { icon: 'external link' } for one in config.karpenterDashboards],
      panels: std.mapWithIndex(function(index, one) one { id: index + 1 }, placed(rows)),
    },
  }
