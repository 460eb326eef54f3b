"""`metadata.managedFields` of a made object: a third of what an API server sends."""

import json
from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]

_KEYS = ("type", "name", "containerPort", "mountPath", "uid", "ip")
"""What an entry of a list is known by; a list of others is owned as one."""


def written_by(manager: str, time: str, fields: Json, *, subresource: str = "", version: str = "v1") -> Json:
    """One entry of managedFields: a manager, and the fields that it wrote."""
    entry: Json = {"manager": manager, "operation": "Update", "apiVersion": version, "time": time, "fieldsType": "FieldsV1"}
    entry["fieldsV1"] = _owned(fields)
    return entry | ({"subresource": subresource} if subresource else {})


def _owned(value: Json) -> Json:
    """The field set of a value, as FieldsV1 writes it."""
    return {f"f:{key}": _of(entry) for key, entry in value.items()}


def _of(value: object) -> Json:
    if isinstance(value, dict):
        return {".": {}, **_owned(value)} if value else {}
    if isinstance(value, list) and value and isinstance(value[0], dict):
        key = next((key for key in _KEYS if key in value[0]), "")
        if key:
            return {".": {}} | {
                f"k:{json.dumps({key: entry[key]}, separators=(',', ':'))}": _of(entry) for entry in value if key in entry
            }
    return {}
