"""`karpenter-check rules`."""

import sys
from importlib.resources import files

import click


@click.group(invoke_without_command=False)
def command() -> None:
    """List the rules, or explain one."""


@command.command("list")
def list_rules() -> None:
    """List every rule: slug, severity, what it finds."""
    from karpenter_check.rules import every_rule  # noqa: PLC0415  only this command needs the rules

    rules = every_rule()
    longest = max(len(rule.slug) for rule in rules)
    for rule in rules:
        click.echo(f"{rule.slug:{longest}}  {rule.severity:8}  {rule.summary}")


def _slugs(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:  # noqa: ARG001  click's signature
    from karpenter_check.rules import every_rule  # noqa: PLC0415  only completion and this command need the rules

    return [rule.slug for rule in every_rule() if rule.slug.startswith(incomplete)]


@command.command()
@click.argument("slug", shell_complete=_slugs)
def explain(slug: str) -> None:
    """Show the page of a rule: what it finds, why it matters, what to do, when it is wrong."""
    from karpenter_check.cli.choose import find_rule  # noqa: PLC0415  only this command needs the rules

    rule = find_rule(slug)
    page = files("karpenter_check").joinpath("pages", f"{rule.slug}.md").read_text(encoding="utf-8")
    if sys.stdout.isatty():
        from rich.console import Console  # noqa: PLC0415  rich is slow to import, and only needed here
        from rich.markdown import Markdown  # noqa: PLC0415  as above

        Console().print(Markdown(page))
    else:
        click.echo(page, nl=False)
