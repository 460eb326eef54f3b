// How queries name what is pushed, and where its pages are.
function(config) {
  metric(name, labels='')::
    local parts = std.filter(function(part) part != '', [config.selector, labels]);
    config.namespace + '_' + name + (if parts == [] then '' else '{' + std.join(', ', parts) + '}'),
  by(labels):: std.join(', ', [config.clusterLabel] + labels),
  page(path):: '%s/%s' % [config.docs, path],
  rule(slug):: self.page('rules/%s.md' % slug),
}
