(import 'config.libsonnet') + (import 'alerts/alerts.libsonnet')
