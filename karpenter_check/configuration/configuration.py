"""A configuration as a value."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from karpenter_check.finding import Severity
from karpenter_check.suppression.ignore import Ignore


class ConfigurationError(ValueError):
    """What is wrong with a configuration: where in it, and what was expected there."""


@dataclass(frozen=True)
class Configuration:
    """What holds for a scan besides its options."""

    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Keyword arguments of rules, by slug."""
    severities: Mapping[str, Severity] = field(default_factory=dict)
    """What the findings of a rule have, by slug."""
    ignores: tuple[Ignore, ...] = ()
