"""Karpenter's objects among loose manifests, whole, and where every object stands."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from karpenter_check.collect.decode import Head
from karpenter_check.collect.places import places
from karpenter_check.collect.refusal import UnreadableInput
from karpenter_check.collect.resources import LEGACY_KINDS
from karpenter_check.collect.schemas import schema_of
from karpenter_check.collect.yaml_documents import Document
from karpenter_check.snapshot import Kind
from karpenter_check.snapshot.manifest import KARPENTERS_GROUPS, Location, Manifest

_OWN = LEGACY_KINDS | {"NodePool", "NodeClaim", "NodeOverlay", "EC2NodeClass"}
_BECAME = {
    "NodePool": Kind.NODEPOOL,
    "Provisioner": Kind.NODEPOOL,
    "NodeOverlay": Kind.NODEPOOL,
    "NodeClaim": Kind.NODECLAIM,
    "Machine": Kind.NODECLAIM,
}
"""What it is judged with; all others are node classes."""
_MAY_BE_TEMPLATES = frozenset({"userData", "annotations"})
"""Fields whose text is somebody else's, who may write braces."""


class Manifests:
    """What loose manifests held so far."""

    def __init__(self) -> None:
        self.kept: list[Manifest] = []
        self.locations: dict[tuple[str, str, str], Location] = {}
        """Where each object stands first, by kind, namespace and name."""
        self.schemas: dict[tuple[str, str], Mapping[str, Any]] = {}
        """What the manifests are held against, by apiVersion and kind, as far as the package has it."""

    @property
    def without_schema(self) -> tuple[str, ...]:
        """The kinds whose fields nothing here can judge."""
        said = ((manifest.ref.api_version, manifest.ref.kind) for manifest in self.kept)
        unknown = (
            f"{kind} {version}" for version, kind in said if kind.endswith("NodeClass") and (version, kind) not in self.schemas
        )
        return tuple(dict.fromkeys(unknown))

    def take(self, document: Document, head: Head, source: str) -> Kind | None:
        """Note an object, and return the kind that one of Karpenter's is, or became, whatever its version. Raises UnreadableInput for one that is a template still: nothing of it can be judged."""
        location = Location(source, document.line)
        if is_karpenters(head.kind, head.api_version):
            content = msgspec.json.decode(document.raw)
            if text := next(_templates(content), ""):
                raise UnreadableInput(
                    f"{source}: line {document.line}: {head.kind} was not rendered ({text}): render it first (helm template …) and scan the result"
                )
            found = places(document)
            self.kept.append(Manifest(content, location, found.of, found.repeated))
            if schema := schema_of(head.api_version, head.kind):
                self.schemas[head.api_version, head.kind] = schema
        if head.metadata:
            self.locations.setdefault((head.kind, head.metadata.namespace, head.metadata.name), location)
        return _BECAME.get(head.kind, Kind.NODECLASS) if is_karpenters(head.kind, head.api_version) else None


def is_karpenters(kind: str, api_version: str) -> bool:
    """Whether an object is one of Karpenter's or of a provider's of it, in whatever version; others have kinds of these names, too."""
    group, slash, _ = api_version.rpartition("/")
    if (kind.endswith("NodeClass") and "." in group) or group in KARPENTERS_GROUPS:
        return True
    return kind in _OWN and (not slash or group.startswith("karpenter."))


def _templates(value: Any) -> Iterator[str]:
    """What some program is to fill in, from its braces on, shortened."""
    if isinstance(value, dict):
        for key, part in value.items():
            if "{{" in key:
                yield key[key.index("{{") :][:60]
            if key not in _MAY_BE_TEMPLATES:
                yield from _templates(part)
    elif isinstance(value, list):
        for part in value:
            yield from _templates(part)
    elif isinstance(value, str) and "{{" in value:
        yield value[value.index("{{") :][:60]
