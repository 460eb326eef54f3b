"""`karpenter-check rules`."""

from importlib.resources import files
from io import StringIO

import click

from karpenter_check.cli.option import complete_slugs
from karpenter_check.cli.output import use_color, width, write_stdout


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


@command.command()
@click.argument("slug", shell_complete=complete_slugs)
def explain(slug: str) -> None:
    """Show the page of a rule.

    It says what the rule finds, why that matters, what to do, and when the rule is wrong.
    """
    from karpenter_check.cli.choose import find_rule  # noqa: PLC0415  only this command needs the rules

    rule = find_rule(slug)
    page = files("karpenter_check").joinpath("pages", f"{rule.slug}.md").read_text(encoding="utf-8")
    if use_color("auto"):
        from rich.console import Console  # noqa: PLC0415  rich is slow to import, and only needed here
        from rich.markdown import Markdown  # noqa: PLC0415  as above

        out = StringIO()
        Console(file=out, force_terminal=True, width=width(None), legacy_windows=False).print(Markdown(page))
        page = out.getvalue()
    write_stdout(page)
