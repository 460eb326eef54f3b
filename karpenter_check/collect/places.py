"""Where the values of a manifest stand, in lines and columns."""

from collections.abc import Iterator
from typing import NamedTuple

import yaml

from karpenter_check.collect.yaml_documents import Document, Loader
from karpenter_check.snapshot.manifest import Path

_MOST = 20_000
"""Values whose places are looked up; aliases can make more of few."""


class Places(NamedTuple):
    """Line and column of each value, and the fields that stand there once more."""

    of: dict[Path, tuple[int, int]]
    repeated: tuple[Path, ...] = ()


def places(document: Document) -> Places:
    """The places in a document. JSON is looked up as the YAML that it is, or, where it is none for its tabs, not at all."""
    node, above = document.node, 0
    if node is None:
        text = document.raw.decode(errors="replace")
        above = document.line - 1 - text[: len(text) - len(text.lstrip())].count("\n")
        try:
            node = yaml.compose(text.replace("\t", " "), Loader=Loader)
        except (yaml.YAMLError, RecursionError):
            return Places({})
    found: dict[Path, tuple[int, int]] = {}
    repeated: list[Path] = []
    for path, mark in _walk(node, ()):
        if len(found) >= _MOST:
            break
        if path in found and path[: len(repeated[-1]) if repeated else 0] != (repeated[-1] if repeated else None):
            repeated.append(path)
        found[path] = (mark.line + 1 + above, mark.column + 1)
    return Places(found, tuple(dict.fromkeys(repeated)))


def _is_written_in(key: yaml.Node, node: yaml.Node) -> bool:
    """Whether a mapping has a key itself; what is merged into it (`<<`) stands elsewhere, and what it says itself goes before."""
    return isinstance(key, yaml.ScalarNode) and node.start_mark.index <= key.start_mark.index < node.end_mark.index


def _walk(node: yaml.Node | None, path: Path) -> Iterator[tuple[Path, yaml.Mark]]:
    """Each value below a node; merged ones (`<<`) stand where they are written."""
    if isinstance(node, yaml.MappingNode):
        own = {key.value for key, _ in node.value if _is_written_in(key, node)}
        for key, value in node.value:
            overridden = key.value in own and not _is_written_in(key, node) if isinstance(key, yaml.ScalarNode) else True
            if not overridden:
                yield (*path, key.value), key.start_mark
                yield from _walk(value, (*path, key.value))
    elif isinstance(node, yaml.SequenceNode):
        for place, value in enumerate(node.value):
            yield (*path, place), value.start_mark
            yield from _walk(value, (*path, place))
