"""`karpenter-check serve`."""

from typing import Any

import click

from karpenter_check.cli.configuration_options import ConfigurationOptions, configuration_options
from karpenter_check.cli.metrics_options import MetricsOptions, metrics_options
from karpenter_check.cli.option import complete_slugs, option
from karpenter_check.cli.scan_types import ADDRESS, DURATION
from karpenter_check.cli.source_options import source_options


@click.command(
    epilog="Every option can be set in the environment, too: --interval is KARPENTER_CHECK_INTERVAL. Several values are separated by spaces."
)
@option(
    "--interval",
    type=DURATION,
    default="5m",
    show_default=True,
    metavar="DURATION",
    help="From the start of a scan to that of the next one.",
)
@option(
    "--metrics-addr",
    type=ADDRESS,
    default=":8080",
    show_default=True,
    metavar="[HOST]:PORT",
    help="Where to listen; without a host, on every address.",
)
@source_options
@option("--select", multiple=True, metavar="RULE,…", shell_complete=complete_slugs, help="Run only these rules.")
@option("--ignore", multiple=True, metavar="RULE,…", shell_complete=complete_slugs, help="Do not run these rules.")
@configuration_options
@metrics_options
@option("--cluster-name", metavar="NAME", help="What the cluster is called in the state file. Default: as the kubeconfig calls it.")
@option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    help="Log on stderr, every finding of every scan on a line of its own, too.",
)
@option("-q", "--quiet", is_flag=True, help="On stderr, only warnings and errors.")
@option("-v", "--verbose", count=True, help="Say more on stderr: how each scan went.")
def command(**options: Any) -> None:
    """Scan again and again, and answer Prometheus with the metrics of the latest scan.

    \b
    /metrics  what a scan would push to a Pushgateway; 503 before the first
    /readyz   200 once a scan has ended well, 503 before
    /healthz  200 as long as scans come to an end, else 503

    It stops on Ctrl-C (130) and SIGTERM (143).
    """  # noqa: D301  click reads \b as "do not wrap"
    from karpenter_check.cli.input import Source  # noqa: PLC0415  --help must not wait for all that a scan needs
    from karpenter_check.cli.serving import Options, serve  # noqa: PLC0415  as above

    host, port = options.pop("metrics_addr")
    source, metrics = Source.taken_from(options), MetricsOptions.taken_from(options)
    configuration = ConfigurationOptions.taken_from(options)
    serve(Options(source=source, metrics=metrics, configuration=configuration, host=host, port=port, **options))
