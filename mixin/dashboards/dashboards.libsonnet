// A file each; Grafana's provisioning and the operators of Grafana take them as they are.
{
  local config = self._config,
  grafanaDashboards+:: {
    'karpenter-check-overview.json': (import 'overview.libsonnet')(config),
    'karpenter-check-rates.json': (import 'rates.libsonnet')(config),
    'karpenter-check-objects.json': (import 'objects.libsonnet')(config),
    'karpenter-check-expiry.json': (import 'expiry.libsonnet')(config),
    'karpenter-check-reaping.json': (import 'reaping.libsonnet')(config),
    'karpenter-check-scanner.json': (import 'scanner.libsonnet')(config),
  },
}
