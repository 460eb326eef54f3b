"""Karpenter's own schemas, which the package carries: `python -m tests.make_schemas` writes them."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec


class SchemaFile(msgspec.Struct, frozen=True, rename="camel"):
    """A file of `collect/schemas/`: what a version of a kind must look like, without its descriptions."""

    api_version: str
    kind: str
    origin: str
    """The Go module, its version, and the file in it."""
    license: str
    schema: dict[str, Any]
    """OpenAPI v3, structural, with Kubernetes' extensions."""


@cache
def schema_of(api_version: str, kind: str) -> Mapping[str, Any] | None:
    """The schema of an apiVersion and kind, or None where the package has none."""
    name = f"{kind}.{api_version.replace('/', '_')}.json"
    if not name.replace(".", "").replace("_", "").isalnum():  # a manifest may say anything, a path too
        return None
    file = files("karpenter_check").joinpath("collect", "schemas", name)
    return msgspec.json.decode(file.read_bytes(), type=SchemaFile).schema if file.is_file() else None
