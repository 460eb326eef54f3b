"""Command lines, parsed as click would and not run."""

import click

from karpenter_check.cli import group


def parse(arguments: list[str]) -> click.Context:
    """The context of the last subcommand. Raises click.UsageError where the command line is wrong."""
    return _parse(group, "karpenter-check", arguments, None)


def _parse(command: click.Command, name: str, arguments: list[str], parent: click.Context | None) -> click.Context:
    context = command.make_context(name, list(arguments), parent)
    if isinstance(command, click.Group):
        subname, subcommand, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        assert subname
        assert subcommand
        return _parse(subcommand, subname, rest, context)
    return context
