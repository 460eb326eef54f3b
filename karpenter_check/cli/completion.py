"""`karpenter-check completion`."""

import click
from click.shell_completion import get_completion_class


@click.command(
    epilog="bash: source <(karpenter-check completion bash); zsh: the same; fish: karpenter-check completion fish | source. Bash needs version 4.4."
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the completion script of a shell."""
    from karpenter_check.cli import group  # noqa: PLC0415  the group imports its commands

    completion = get_completion_class(shell)
    if completion is None:  # pragma: no cover - click knows the three of the choice
        raise click.UsageError(f"no completion for {shell}", ctx)
    click.echo(completion(group, {}, "karpenter-check", "_KARPENTER_CHECK_COMPLETE").source())
