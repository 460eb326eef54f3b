"""An object's metadata, as the API server judges that of every object.

Source: k8s.io/apimachinery v0.35, `pkg/api/validation/objectmeta.go` and `pkg/apis/meta/v1/validation`.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from karpenter_check.admission.fault import Fate, Fault, quoted
from karpenter_check.scheduling.validation import malformed_name, malformed_value

_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LONGEST_NAME, _LONGEST_LABEL = 253, 63
_FIELDS = frozenset({
    "name", "generateName", "namespace", "selfLink", "uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp",
    "deletionGracePeriodSeconds", "labels", "annotations", "ownerReferences", "finalizers", "managedFields",
})  # fmt: skip
_TEXTS = ("name", "generateName", "namespace")
_MAPS = ("labels", "annotations")


def metadata_faults(content: Mapping[str, Any], *, names_nodes: bool) -> Iterator[Fault]:
    """What is wrong with an object's metadata. Of what `names_nodes` the name becomes a label's value, which is shorter."""
    metadata = content.get("metadata")
    if not isinstance(metadata, dict):
        wrong = "is missing, and is required" if metadata is None else f"is {quoted(metadata)}, and takes an object"
        yield Fault(("metadata",), Fate.REFUSED, wrong)
        return
    for key, part in metadata.items():
        if key not in _FIELDS:
            yield Fault(("metadata", key), Fate.UNKNOWN, "is no field of any object")
        elif key in _TEXTS and part is not None and not isinstance(part, str):
            yield Fault(("metadata", key), Fate.REFUSED, f"is {quoted(part)}, and takes a text", "put it in quotes", quoted(part))
    yield from _of_name(metadata, names_nodes=names_nodes)
    for field in _MAPS:
        yield from _of_map(field, metadata.get(field))


def _of_name(metadata: Mapping[str, Any], *, names_nodes: bool) -> Iterator[Fault]:
    name, path = metadata.get("name"), ("metadata", "name")
    if not name and not metadata.get("generateName"):
        yield Fault(path, Fate.REFUSED, "is missing, and is required")
    elif isinstance(name, str) and name:
        if len(name) > _LONGEST_NAME or not _SUBDOMAIN.fullmatch(name):
            wanted = "small letters, digits, - and . alone, beginning and ending with a letter or digit"
            yield Fault(path, Fate.REFUSED, f"is {quoted(name)}, and must be {wanted}", value=quoted(name))
        elif names_nodes and len(name) > _LONGEST_LABEL:
            wrong = f"is {len(name)} characters long, and its nodes carry it as a label, which takes {_LONGEST_LABEL}"
            yield Fault(path, Fate.UNREADY, wrong, value=quoted(name))


def _of_map(field: str, entries: Any) -> Iterator[Fault]:
    if entries is None:
        return
    if not isinstance(entries, dict):
        yield Fault(("metadata", field), Fate.REFUSED, f"is {quoted(entries)}, and takes an object")
        return
    for key, value in entries.items():
        path = ("metadata", field, key)
        # annotations may hold what is not for a report
        written = f" ({quoted(value)})" if field == "labels" else ""
        if reason := malformed_name(key if field == "labels" else key.lower()):
            yield Fault(path, Fate.REFUSED, f"has a key that {reason}")
        if value is not None and not isinstance(value, str):
            yield Fault(path, Fate.REFUSED, f"has a value{written} that is no text", "put it in quotes")
        elif field == "labels" and (reason := malformed_value(value or "")):
            yield Fault(path, Fate.REFUSED, f"has a value{written} that {reason}")
