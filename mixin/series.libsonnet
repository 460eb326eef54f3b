// How queries name what is pushed, and where its pages are.
function(config) {
  local joined(parts) = std.join(', ', std.filter(function(part) part != '', parts)),
  local selected(name, parts) = name + (if joined(parts) == '' then '' else '{' + joined(parts) + '}'),

  metric(name, labels=''):: selected(config.namespace + '_' + name, [config.selector, labels]),
  // Of the Pushgateway's own metrics, those of our groups.
  pushed(name, labels=''):: selected(name, [config.selector, labels, 'job="%s"' % config.pushJob]),
  by(labels):: std.join(', ', [config.clusterLabel] + labels),
  // When each cluster was last seen whole; 0 where it never was. A cluster that is heard of no more is remembered for a while.
  lastWhole(labels='')::
    local latest(name) = 'max by (%s) (max_over_time(%s[%s]))' % [self.by([]), self.metric(name, labels), config.rememberFor];
    '(%s or 0 * %s)' % [latest('last_success_timestamp_seconds'), latest('last_run_timestamp_seconds')],
  page(path):: '%s/%s' % [config.docs, path],
  rule(slug):: self.page('rules/%s.md' % slug),
}
