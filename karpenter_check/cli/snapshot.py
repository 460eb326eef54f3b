"""`karpenter-check snapshot`."""

from typing import Any

import click

from karpenter_check.cli.option import option
from karpenter_check.cli.source_options import source_options


@click.command(epilog="Every option but -o can be set in the environment, too: --redact is KARPENTER_CHECK_REDACT.")
@source_options
@click.option(  # not from the environment: where scan writes, in some format, is no place for a snapshot
    "-o",
    "--output",
    "outputs",
    multiple=True,  # so that a second one is refused, and not taken in the place of the first
    metavar="FILE[.gz]|-",
    help="The file to write, packed if its name ends in .gz; - is stdout.  [required]",
)
@option("--redact", is_flag=True, help="Replace names by stable pseudonyms, so that the file can be shown to strangers.")
@option("--strict", is_flag=True, help="Exit with 4 if some kind was not wholly read. The file is written all the same.")
@option("-q", "--quiet", is_flag=True, help="On stderr, only warnings and errors.")
@option("-v", "--verbose", count=True, help="Say more on stderr.")
@click.pass_context
def command(ctx: click.Context, /, **options: Any) -> None:
    """Keep in a file what a scan reads of a cluster, to scan it later or elsewhere.

    \b
    karpenter-check snapshot -o s.json.gz            of the current context
    karpenter-check snapshot --redact -o s.json.gz   to attach it to an issue
    karpenter-check snapshot -f dump.json -o s.json  of what kubectl printed
    karpenter-check scan -f s.json.gz                the report of that moment

    The file holds no commands, arguments, secrets or environment variables of pods.

    Exit codes: 0 written, 1 could not look or write, 2 wrong usage or unreadable input, 3 written, but no Karpenter there,
    4 written, but incomplete and --strict.
    """  # noqa: D301  click reads \b as "do not wrap"
    from karpenter_check.cli.input import Source  # noqa: PLC0415  as below
    from karpenter_check.cli.take import Options, take  # noqa: PLC0415  --help must not wait for all that a snapshot needs

    ctx.exit(take(Options(source=Source.taken_from(options), **options)))
