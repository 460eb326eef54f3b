"""`karpenter-check scan`."""

from time import perf_counter
from typing import Any

import click

from karpenter_check.cli.configuration_options import SHOW_SUPPRESSED, ConfigurationOptions, configuration_options
from karpenter_check.cli.metrics_options import MetricsOptions, metrics_options
from karpenter_check.cli.option import complete_slugs, option
from karpenter_check.cli.push_options import push_options
from karpenter_check.cli.scan_types import OUTPUT, SELECTOR, SEVERITIES
from karpenter_check.cli.source_options import source_options


@click.command(
    epilog="Every option can be set in the environment, too: --fail-on is KARPENTER_CHECK_FAIL_ON. Several values are separated by spaces."
)
@source_options
@option("--dry-run", is_flag=True, help="Judge nothing; say what a scan could read, and which permission is missing.")
@option("--select", multiple=True, metavar="RULE,…", shell_complete=complete_slugs, help="Run only these rules.")
@option("--ignore", multiple=True, metavar="RULE,…", shell_complete=complete_slugs, help="Do not run these rules.")
@option(
    "-n",
    "--namespace",
    "namespaces",
    multiple=True,
    metavar="NAME,…",
    help="Show and count only findings of these namespaces. All is judged all the same.",
)
@option(
    "-A",
    "--all-namespaces",
    is_flag=True,
    help="Show findings of all namespaces, as is the default, whatever KARPENTER_CHECK_NAMESPACE says.",
)
@option("-l", "--selector", type=SELECTOR, metavar="SELECTOR", help="Show and count only findings on objects with these labels.")
@option("--nodepool", "nodepools", multiple=True, metavar="NAME,…", help="Show and count only findings of these NodePools.")
@option(
    "--min-severity",
    type=click.Choice(SEVERITIES),
    default="info",
    show_default=True,
    help="Show findings from this severity on; the exit code does not change.",
)
@option(
    "--fail-on",
    type=click.Choice(["none", *SEVERITIES]),
    help="Exit with 10 for findings from this severity on. Default: high; with --demo, none.",
)
@configuration_options
@SHOW_SUPPRESSED
@option("--strict", is_flag=True, help="Exit with 4 if something could not be seen or judged.")
@option(
    "-o",
    "--output",
    "outputs",
    multiple=True,
    type=OUTPUT,
    metavar="FORMAT[=FILE]",
    help="table (default), json, jsonl, yaml, sarif, junit, github, markdown, html, summary or prometheus, to a file if one is named. Repeatable.",
)
@push_options
@metrics_options
@option("--push-required", is_flag=True, help="Exit with 5 if nothing else is wrong and the push failed.")
@option("--log-format", type=click.Choice(["text", "json"]), help="Log on stderr, every finding on a line of its own, too.")
@option("--color", type=click.Choice(["auto", "always", "never"]), default="auto", show_default=True, help="Colour the table.")
@option("--width", type=click.IntRange(40, 1000), metavar="COLUMNS", help="Width of the table. Default: the terminal's, else 160.")
@option("-q", "--quiet", is_flag=True, help="On stderr, only warnings and errors.")
@option("-v", "--verbose", count=True, help="Tell every finding's story; say more on stderr.")
@click.pass_context
def command(ctx: click.Context, /, **options: Any) -> None:
    """Find out what is wrong with Karpenter in a cluster, or in what kubectl printed of it.

    \b
    karpenter-check scan               the cluster of the current context
    karpenter-check scan --demo        a snapshot that comes with karpenter-check
    karpenter-check scan -f dump.json  what kubectl -o json printed; - is stdin

    Exit codes: 0 clean, 1 could not scan, 2 wrong usage or unreadable input, 3 no Karpenter there, 4 incomplete and --strict,
    5 push failed and --push-required, 10 findings at or above --fail-on.
    """  # noqa: D301  click reads \b as "do not wrap"
    started = perf_counter()
    from karpenter_check.cli.input import Source  # noqa: PLC0415  as below
    from karpenter_check.cli.push import PushOptions  # noqa: PLC0415  as below
    from karpenter_check.cli.run import Options, run  # noqa: PLC0415  --help must not wait for all that a scan needs

    source, push, metrics = Source.taken_from(options), PushOptions.taken_from(options), MetricsOptions.taken_from(options)
    configuration = ConfigurationOptions.taken_from(options)
    ctx.exit(run(Options(source=source, push=push, metrics=metrics, configuration=configuration, **options), started))
