"""Files of a folder from which Helm and kustomize make objects, and which are none themselves."""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from karpenter_check.collect.refusal import UnreadableInput
from karpenter_check.collect.sources import Source, read_source, split
from karpenter_check.collect.undecodable import UNDECODABLE

_KUSTOMIZATION = re.compile(r"[Kk]ustomization\.ya?ml")
_CHART = re.compile(r"(Chart|requirements)\.(yaml|lock)")
_VALUES = re.compile(r"(.*[-_.])?values([-_.].*)?\.ya?ml")


class _Patch(msgspec.Struct):
    """An entry of `patches` that stands in a file, or here."""

    path: str = ""


class _Kustomization(msgspec.Struct, rename="camel"):
    """What of a kustomization names files that are no objects."""

    patches: list[_Patch] = []
    patches_strategic_merge: list[str] = []
    patches_json6902: list[_Patch] = msgspec.field(name="patchesJson6902", default=[])
    configurations: list[str] = []
    transformers: list[str] = []


class _Object(msgspec.Struct, rename="camel"):
    """What every object has."""

    kind: msgspec.Raw = msgspec.Raw()
    api_version: msgspec.Raw = msgspec.Raw()


def made_into_objects(files: Iterable[Path]) -> Mapping[Path, str]:
    """Which of a folder's files are no objects, and what they are."""
    found: dict[Path, str] = {}
    files = tuple(files)
    where = {file.resolve(): file for file in files}
    for file in files:
        if _KUSTOMIZATION.fullmatch(file.name):
            found[file] = "a kustomization"
            patches = ((file.parent / name).resolve() for name in _patches(file))
            found |= {where[patch]: "a patch" for patch in patches if patch in where}
        elif _CHART.fullmatch(file.name):
            found[file] = "about a chart"
        elif _VALUES.fullmatch(file.name) and not _has_objects(file):
            found[file] = "values of a chart"
    return found


def _patches(file: Path) -> Iterator[str]:
    for raw in _documents(file):
        try:
            kustomization = msgspec.json.decode(raw, type=_Kustomization)
        except UNDECODABLE:
            continue
        yield from (patch.path for patch in (*kustomization.patches, *kustomization.patches_json6902) if patch.path)
        inline = (entry for entry in kustomization.patches_strategic_merge if "\n" not in entry)
        yield from (*inline, *kustomization.configurations, *kustomization.transformers)


def _has_objects(file: Path) -> bool:
    for raw in _documents(file):
        try:
            said = msgspec.json.decode(raw, type=_Object)
        except UNDECODABLE:
            continue
        if bytes(said.kind) and bytes(said.api_version):
            return True
    return False


def _documents(file: Path) -> Iterator[bytes]:
    """What can be read of a file; what is wrong with it is told by who reads it as objects."""
    try:
        source: Source = read_source(file)
        yield from (document.raw for document in split(source))
    except UnreadableInput:
        return
