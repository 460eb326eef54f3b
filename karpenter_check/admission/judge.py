"""All that is wrong with a manifest."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from karpenter_check.admission.defaults import defaulted
from karpenter_check.admission.fault import Fate, Fault
from karpenter_check.admission.metadata import metadata_faults
from karpenter_check.admission.moved import with_advice
from karpenter_check.admission.own import own_faults
from karpenter_check.admission.structure import structural_faults
from karpenter_check.admission.unmeant import unmeant_faults
from karpenter_check.admission.versions import version_faults
from karpenter_check.snapshot import Version
from karpenter_check.snapshot.manifest import Manifest, Path

_MOST = 200
_NAMES_NODES = frozenset({"NodePool"})


def faults(manifest: Manifest, schema: Mapping[str, Any] | None, version: Version | None) -> tuple[Fault, ...]:
    """What is wrong with a manifest, as it stands: what the API server refuses first, and of one value the worst alone.

    Without a schema only its metadata and its version are judged.
    """
    content = {key: part for key, part in manifest.content.items() if key != "status"}
    found = [*version_faults(content, version)]
    unserved = any(fault.fate is Fate.UNSERVED and fault.grave for fault in found)
    if unserved or any(fault.path in {("apiVersion",), ("kind",)} and fault.fate is Fate.REFUSED for fault in found):
        return _in_order(found, manifest)  # the fields of another version say nothing
    found += metadata_faults(content, names_nodes=content.get("kind") in _NAMES_NODES)
    if schema:
        content = defaulted(schema, content)
        kind, api_version = str(content.get("kind", "")), str(content.get("apiVersion", ""))
        bare = {key: part for key, part in content.items() if key != "metadata"}
        found += with_advice(_few(list(structural_faults(schema, bare))), schema, api_version, kind)
        for later in (own_faults(content, version), unmeant_faults(content)):
            found += _untold(later, [fault.path for fault in found if fault.fate is not Fate.UNSERVED])
    for path in manifest.repeated:
        wrong = "is written twice: kubectl takes the last one, and others refuse the file"
        found.append(Fault(path, Fate.UNMEANT, wrong, "take one of them out"))
    return _in_order(found, manifest)


def _few(found: Sequence[Fault]) -> Iterator[Fault]:
    """The first ones, and how many more there are: nobody reads a thousand."""
    yield from found[:_MOST]
    if len(found) > _MOST:
        yield Fault((), found[_MOST].fate, f"has {len(found) - _MOST} faults more than the {_MOST} that are told")


def _untold(later: Iterable[Fault], told: list[Path]) -> Iterator[Fault]:
    """The faults about values of which nothing is told yet, nor of what they are in or what is in them."""
    for fault in later:
        if not any(fault.path[: len(path)] == path[: len(fault.path)] for path in told):
            yield fault


def _in_order(found: Iterable[Fault], manifest: Manifest) -> tuple[Fault, ...]:
    """As they stand in the file, each once."""
    return tuple(sorted(dict.fromkeys(found), key=lambda fault: (manifest.at(fault.path).line, fault.field)))
