"""Manifests as somebody wrote them, and where: what the typed model leaves out, which only matters before an API server has judged it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import msgspec

from karpenter_check.snapshot.metadata import Ref

Path: TypeAlias = tuple[str | int, ...]
"""The way to a value: names of fields, keys of maps, places in lists from 0."""

KARPENTERS_GROUPS = frozenset({"karpenter.sh", "karpenter.k8s.aws"})
"""API groups of which every kind is known; others have theirs from providers that nobody here has listed."""
STANDARD_INPUT = "standard input"
"""What stands in the place of a file's name."""


class Location(msgspec.Struct, frozen=True):
    """A place in a file; line and column count from 1."""

    file: str
    line: int
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"

    @property
    def in_a_file(self) -> bool:
        """Whether it can be opened: what came by standard input cannot."""
        return self.file != STANDARD_INPUT


@dataclass(frozen=True)
class Manifest:
    """An object of Karpenter's as it stands in a file. It did not come from an API server's list."""

    content: Mapping[str, Any]
    location: Location
    """Where the document begins."""
    places: Mapping[Path, tuple[int, int]] = field(default_factory=dict)
    """Line and column of each value; of a field, of its name."""
    repeated: tuple[Path, ...] = ()
    """Fields that stand there once more: the last one counts."""

    @property
    def ref(self) -> Ref:
        """What it is called; a manifest may leave its name to be generated, and say anything at all."""
        metadata = self.content.get("metadata")
        said = metadata if isinstance(metadata, Mapping) else {}
        name = said.get("name") or said.get("generateName") or ""
        return Ref(str(self.content.get("kind", "")), str(name), str(self.content.get("apiVersion", "")))

    def at(self, path: Path) -> Location:
        """Where a value stands; of one that is not there, where what it should be in does."""
        for length in range(len(path), 0, -1):
            if found := self.places.get(path[:length]):
                return Location(self.location.file, *found)
        return self.location
