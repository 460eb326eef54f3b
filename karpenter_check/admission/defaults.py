"""The defaults of a schema, which the API server fills in before it judges."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any


def defaulted(schema: Mapping[str, Any], value: Any) -> Any:
    """The value with what its schema fills in, as a copy; a null counts as missing, but in lists and where the schema allows it.

    Source: k8s.io/apiextensions-apiserver v0.35, `pkg/apiserver/schema/defaulting`.
    """
    if isinstance(value, dict):
        properties, rest = schema.get("properties", {}), schema.get("additionalProperties")
        found = {
            key: part
            for key, part in value.items()
            # what is no field stays one that is not, whatever its value
            if part is not None or properties.get(key, {}).get("nullable") or not (key in properties or rest)
        }
        for name, of_property in properties.items():
            if "default" in of_property and name not in found:
                found[name] = deepcopy(of_property["default"])
        return {
            key: defaulted(properties.get(key) or (rest if isinstance(rest, dict) else {}), part) for key, part in found.items()
        }
    if isinstance(value, list):
        return [defaulted(schema.get("items", {}), part) for part in value]
    return value
