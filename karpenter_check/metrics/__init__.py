"""A report as Prometheus metrics, and the only door to a Pushgateway."""
