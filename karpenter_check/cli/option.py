"""Options that can also be set in the environment."""

from collections.abc import Callable
from typing import Any, TypeVar

import click
from click.core import ParameterSource

Command = TypeVar("Command", bound=Callable[..., Any])


class _Option(click.Option):
    """An option whose value, where it is wrong, is told by the name under which it was given."""

    def get_error_hint(self, ctx: click.Context | None) -> str:
        """The variable of the environment, if the value is from there."""
        if ctx and isinstance(self.envvar, str) and ctx.get_parameter_source(str(self.name)) is ParameterSource.ENVIRONMENT:
            return f"'{self.envvar}'"
        return super().get_error_hint(ctx)


def option(*declarations: str, **attributes: Any) -> Callable[[Command], Command]:
    """A click option that `KARPENTER_CHECK_<NAME>` sets too, after its first long name."""
    name = next(entry for entry in declarations if entry.startswith("--"))
    variable = f"KARPENTER_CHECK_{name.partition('/')[0].removeprefix('--').replace('-', '_').upper()}"
    return click.option(*declarations, cls=_Option, envvar=variable, **attributes)


def options(*declared: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Several options as one decorator; --help tells them in this order."""

    def decorate(command: Command) -> Command:
        for declare in reversed(declared):
            command = declare(command)
        return command

    return decorate


def complete_slugs(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:  # noqa: ARG001  click's signature
    """The rules that a shell offers, also after a comma."""
    from karpenter_check.rules import every_rule  # noqa: PLC0415  only completion needs the rules here

    before, comma, begun = incomplete.rpartition(",")
    return [f"{before}{comma}{rule.slug}" for rule in every_rule() if rule.slug.startswith(begun)]
