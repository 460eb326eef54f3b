"""`karpenter-check why`."""

from typing import Any

import click

from karpenter_check.cli.option import Command, option
from karpenter_check.cli.source_options import source_options

_OPTIONS = (
    source_options,
    option(
        "-o",
        "--output",
        "form",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        help="The answer's format.",
    ),
    option("--color", type=click.Choice(["auto", "always", "never"]), default="auto", show_default=True, help="Colour the answer."),
    option(
        "--width", type=click.IntRange(40, 1000), metavar="COLUMNS", help="Width of the answer. Default: the terminal's, else 160."
    ),
    option("-q", "--quiet", is_flag=True, help="On stderr, only warnings and errors."),
)


def _answer_options(command: Command) -> Command:
    """Add the options that every answer has, in this order."""
    for add in reversed(_OPTIONS):
        command = add(command)
    return command


@click.group()
def command() -> None:
    """Answer why one pod, node or NodePool is as it is."""


@command.command()
@click.argument("name", metavar="[KIND/]NAME")
@option("-n", "--namespace", metavar="NAME", help="The pod's namespace. Default: whichever has one of that name.")
@_answer_options
def pod(**options: Any) -> None:
    """Say why no NodePool takes a pod, NodePool by NodePool.

    NAME is a pod, or a Deployment, StatefulSet, DaemonSet, ReplicaSet, Job or CronJob: then the one of its pods that waits longest.

    \b
    karpenter-check why pod web-7d4b9c6f5-x2x4q -n shop
    karpenter-check why pod deployment/web -n shop
    karpenter-check why pod web -f dump.json -o json

    The answer never promises that a pod will be scheduled: what a cloud has to sell is in no object of a cluster.

    Exit codes: 0 answered, 1 could not look, 2 wrong usage, unreadable input or no such pod, 3 no Karpenter there.
    """  # noqa: D301  click reads \b as "do not wrap"
    from karpenter_check.cli.input import Source  # noqa: PLC0415  as below
    from karpenter_check.cli.why_pod import Options, why_pod  # noqa: PLC0415  --help must not wait for all that an answer needs

    why_pod(Options(source=Source.taken_from(options), **options))


@command.command()
@click.argument("name", metavar="[KIND/]NAME")
@_answer_options
def node(**options: Any) -> None:
    """Say why a node is still there, or what ended it.

    NAME is a node or a NodeClaim; node/NAME and nodeclaim/NAME say which.

    \b
    karpenter-check why node ip-10-0-1-23.ec2.internal
    karpenter-check why node nodeclaim/general-7zj5g
    karpenter-check why node general-7zj5g -f dump.json -o json

    Whether its pods would find another place, and at what price, Karpenter's own simulation decides: no answer promises that.

    Exit codes: 0 answered, 1 could not look, 2 wrong usage, unreadable input or no such node, 3 no Karpenter there.
    """  # noqa: D301  click reads \b as "do not wrap"
    from karpenter_check.cli.answer import AnswerOptions  # noqa: PLC0415  --help must not wait for all that an answer needs
    from karpenter_check.cli.input import Source  # noqa: PLC0415  as above
    from karpenter_check.cli.why_node import why_node  # noqa: PLC0415  as above

    why_node(AnswerOptions(source=Source.taken_from(options), **options))


@command.command()
@click.argument("name", metavar="[nodepool/]NAME")
@_answer_options
def nodepool(**options: Any) -> None:
    """Say what a NodePool may buy, what it has, and what may go of it.

    What may go is how many nodes its budgets allow, now and in the next 7 days, and which nodes should go and are kept.

    \b
    karpenter-check why nodepool general
    karpenter-check why nodepool general -f dump.json -o json

    Times are UTC, and local (TZ) where that differs; in JSON they are UTC alone.

    Exit codes: 0 answered, 1 could not look, 2 wrong usage, unreadable input or no such NodePool, 3 no Karpenter there.
    """  # noqa: D301  click reads \b as "do not wrap"
    from karpenter_check.cli.answer import AnswerOptions  # noqa: PLC0415  --help must not wait for all that an answer needs
    from karpenter_check.cli.input import Source  # noqa: PLC0415  as above
    from karpenter_check.cli.why_nodepool import why_nodepool  # noqa: PLC0415  as above

    why_nodepool(AnswerOptions(source=Source.taken_from(options), **options))
