(import 'config.libsonnet') + (import 'alerts/alerts.libsonnet') + (import 'dashboards/dashboards.libsonnet')
