"""Dashboards as Grafana takes them: its published schema, the queries of their panels, and what variables stand for."""

import json
import re
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any, Union, get_args, get_origin, get_type_hints

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard
from typeguard import TypeCheckError, check_type

from tests.make_mixin import evaluated

register_default_plugins()
SCHEMA = "grafana_foundation_sdk.models"
"""Where the library keeps the schema's types."""
DASHBOARDS: dict[str, dict[str, Any]] = {dashboard["uid"]: dashboard for dashboard in evaluated("mixin.grafanaDashboards").values()}
"""All of them, by UID."""
STEP = 2
"""Seconds between two points of a graph."""
EVERYTHING = {"cluster": ".*", "nodepool": ".*", "__interval": f"{STEP}s", "__range": "1h"}
"""What Grafana puts in the place of variables while all is chosen."""


def panels(dashboard: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What draws something."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def asked(expression: str, **chosen: str) -> str:
    """The query that Grafana sends. Raises `KeyError` of a variable that nobody defines."""
    return re.sub(r"\$(?:\{(\w+)\}|(\w+))", lambda found: (EVERYTHING | chosen)[found[1] or found[2]], expression)


def faults(dashboard: Mapping[str, Any]) -> list[str]:
    """What Grafana's schema has against a dashboard: fields that it does not know there, and values of another type."""
    return list(_faults(dict(dashboard), Dashboard, "dashboard"))


def _faults(value: Any, declared: Any, at: str) -> Iterator[str]:
    """What is wrong with a value where the schema declares a type; also of what it read into that type already."""
    models: list[Any] = [kind for kind in _parts(declared) if isinstance(kind, type) and kind.__module__.startswith(SCHEMA)]
    if isinstance(value, list):
        inner = next((part for part in _parts(declared) if get_origin(part) is list), list[object])
        for index, one in enumerate(value):
            yield from _faults(one, get_args(inner)[0], f"{at}[{index}]")
    elif isinstance(value, dict) and models and not issubclass(models[0], Enum):
        (model,) = models
        known = model.from_json(value)
        yield from _unknown(value, json.loads(json.dumps(known, cls=JSONEncoder)), at)
        yield from _faults(known, model, at)
    elif type(value).__module__.startswith(SCHEMA) and not isinstance(value, Enum):
        for name, hint in get_type_hints(type(value)).items():
            yield from _faults(getattr(value, name), hint, f"{at}.{name}")
    elif not _is(value, declared):
        yield f"{at}: {value!r} is not {declared}"


def _parts(declared: Any) -> Iterator[Any]:
    """A type, and those of a union, but not what a list is of."""
    yield declared
    if get_origin(declared) is Union:
        for part in get_args(declared):
            yield from _parts(part)


def _unknown(given: Any, kept: Any, at: str) -> Iterator[str]:
    """What reading and writing it by the schema loses."""
    if isinstance(given, Mapping) and isinstance(kept, Mapping):
        for key, value in given.items():
            if key in kept:
                yield from _unknown(value, kept[key], f"{at}.{key}")
            elif value is not None:
                yield f"{at}.{key} is unknown"
    elif isinstance(given, list) and isinstance(kept, list) and len(given) == len(kept):
        for index, (one, other) in enumerate(zip(given, kept, strict=True)):
            yield from _unknown(one, other, f"{at}[{index}]")
    elif given != kept:
        yield f"{at}: {given!r} becomes {kept!r}"


def _is(value: Any, declared: Any) -> bool:
    """Whether a value is of a type; those of enumerations are as they are written."""
    for kind in _parts(declared):
        if isinstance(kind, type) and issubclass(kind, Enum):
            return value is None or value in {member.value for member in kind}
    try:
        check_type(value, declared)
    except TypeCheckError:
        return False
    return True
