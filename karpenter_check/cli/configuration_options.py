"""Options that say what is left be, and which settings rules have."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from karpenter_check.cli.option import option, options

DEFAULT = Path(".karpenter-check.yaml")

configuration_options = options(
    option(
        "--config",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        metavar="FILE",
        help=f"Settings and severities of rules, and findings to leave be. Default: {DEFAULT} in the working directory, if there is one.",
    ),
    option("--no-config", is_flag=True, help=f"Do not look for {DEFAULT}."),
    option("--honor-annotations", is_flag=True, help="Leave be what karpenter-check/ignore annotations on objects say."),
    option("--no-ignores", is_flag=True, help="Leave nothing be, whatever the configuration says."),
)
"""Gives a command the options that say what it is configured with."""
SHOW_SUPPRESSED = option("--show-suppressed", is_flag=True, help="Show what is left be, too, and why.")
"""For commands that show findings."""


@dataclass(frozen=True, kw_only=True)
class ConfigurationOptions:
    """What these options say."""

    config: Path | None
    no_config: bool
    honor_annotations: bool
    no_ignores: bool
    show_suppressed: bool = False

    @classmethod
    def taken_from(cls, options: dict[str, Any]) -> "ConfigurationOptions":
        """The options, which are taken out of those of the command. Raises click.UsageError where they contradict each other."""
        taken = cls(**{name: options.pop(name) for name in cls.__dataclass_fields__ if name in options})
        if taken.config and taken.no_config:
            if not _overrides("no_config", "config"):
                raise click.UsageError("--config and --no-config exclude each other")
            taken = replace(taken, config=None)
        if taken.no_ignores and taken.honor_annotations:
            if not _overrides("no_ignores", "honor_annotations"):
                raise click.UsageError("--no-ignores and --honor-annotations exclude each other")
            taken = replace(taken, honor_annotations=False)
        return taken


def _overrides(option: str, other: str) -> bool:
    """Whether one was typed and the other only stands in the environment."""
    context = click.get_current_context()
    sources = (context.get_parameter_source(option), context.get_parameter_source(other))
    return sources == (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT)
