"""Keys that are written twice, of which parsers silently keep the last."""

import json
from typing import Any

import yaml

from karpenter_check.collect.refusal import UnreadableInput
from karpenter_check.collect.sources import Source
from karpenter_check.collect.yaml_documents import Loader


def refuse_keys_written_twice(source: Source) -> None:
    """Raises UnreadableInput where a mapping of the source has a key twice. The source is one that can be split."""
    if source.is_json:
        json.loads(source.content, object_pairs_hook=lambda pairs: _once(source, pairs))
        return
    nodes, seen = list(yaml.compose_all(source.content.decode(), Loader=Loader)), set[int]()
    while nodes:
        node = nodes.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            _refuse_twice(source, node)
            nodes += [part for pair in node.value for part in pair]
        elif isinstance(node, yaml.SequenceNode):
            nodes += node.value


def _refuse_twice(source: Source, node: yaml.MappingNode) -> None:
    seen: dict[str, int] = {}
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode):
            continue
        line = key.start_mark.line + 1
        if key.value in seen:
            raise UnreadableInput(
                f"{source.name}: the key {key.value!r} is there twice, in line {seen[key.value]} and in line {line}"
            )
        seen[key.value] = line


def _once(source: Source, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise UnreadableInput(f"{source.name}: the key {key!r} is there twice")
        found[key] = value
    return found
