"""A rule's setting as people write it: durations as Go and Kubernetes do, all else as YAML does."""

import inspect
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import msgspec

from karpenter_check.configuration.configuration import ConfigurationError
from karpenter_check.rule import AnyRule
from karpenter_check.snapshot.duration import duration

DURATION = "a duration such as 90s, 15m or 720h"
_NAMES = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}


def types_of(rule: AnyRule) -> Mapping[str, type]:
    """The types of a rule's settings, by name."""
    parameters = inspect.signature(rule.function).parameters.values()
    return {parameter.name: parameter.annotation for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY}


def setting_of(of_type: type, written: Any, where: str) -> Any:
    """The value of a setting that is written so. Raises ConfigurationError that says what is expected `where`."""
    if of_type is timedelta:
        span = duration(written) if isinstance(written, str) else None
        if span is None or span < timedelta():
            raise ConfigurationError(f"{where}: {written!r} is not {DURATION}")
        return span
    try:
        value: Any = msgspec.convert(written, of_type)
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"{where}: {written!r} is not {_NAMES.get(of_type, 'what is expected')} ({error})") from error
    if isinstance(value, int | float) and not isinstance(value, bool) and value < 0:
        raise ConfigurationError(f"{where}: {written!r} is less than 0")
    return value
