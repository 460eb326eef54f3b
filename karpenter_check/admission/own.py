"""What Karpenter itself refuses of a manifest that the API server takes.

Sources: `pkg/apis/v1/nodepool_validation.go:RuntimeValidate`, `pkg/apis/v1/duration.go`, `pkg/utils/nodepool:IsManaged` (1.13).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from karpenter_check.admission.fault import Fate, Fault, quoted
from karpenter_check.scheduling.validation import violations
from karpenter_check.snapshot import NodePool, Version
from karpenter_check.snapshot.duration import duration
from karpenter_check.snapshot.manifest import Path

_PART = re.compile(r"\[(?P<place>[0-9]+)\]|\[(?P<key>.*?)\]$|\.?(?P<field>[A-Za-z]+)")
_NODECLASSES = {
    "karpenter.k8s.aws": "EC2NodeClass",
    "karpenter.azure.com": "AKSNodeClass",
    "karpenter.kwok.sh": "KWOKNodeClass",
    "eks.amazonaws.com": "NodeClass",
}
"""The one kind that the provider of each group serves."""
_SPANS: tuple[Path, ...] = (
    ("spec", "disruption", "consolidateAfter"),
    ("spec", "disruption", "expireAfter"),
    ("spec", "template", "spec", "expireAfter"),
    ("spec", "template", "spec", "terminationGracePeriod"),
    ("spec", "expireAfter"),
    ("spec", "terminationGracePeriod"),
)


def typed(content: Mapping[str, Any]) -> NodePool | None:
    """The NodePool of a manifest; None where its types do not let it be one."""
    try:
        return msgspec.convert(content, NodePool)
    except (msgspec.ValidationError, ValueError, RecursionError):
        return None


def own_faults(content: Mapping[str, Any], version: Version | None) -> Iterator[Fault]:
    """What Karpenter refuses of a NodePool or a NodeClaim with all defaults filled in."""
    nodepool = typed(content) if content.get("kind") == "NodePool" else None
    for violation in violations(nodepool, version) if nodepool else ():
        yield Fault(_path(violation.field), Fate.UNREADY, f"is refused: {violation.reason}", value=quoted(violation.value))
    for path in _SPANS:
        span = at(content, path)
        if isinstance(span, str) and span != "Never" and duration(span) is None:
            yield Fault(path, Fate.UNREADY, f"is {quoted(span)}, which is no duration that Karpenter can read", value=quoted(span))
    for path in (("spec", "template", "spec", "nodeClassRef"), ("spec", "nodeClassRef")):
        if isinstance(reference := at(content, path), dict):
            yield from _of_reference(reference, path)


def _of_reference(reference: Mapping[str, Any], path: Path) -> Iterator[Fault]:
    group, kind = reference.get("group"), reference.get("kind")
    served = _NODECLASSES.get(str(group))
    if isinstance(kind, str) and served and kind != served:
        wrong = f"is {quoted(kind)}, and the kind of {group} is {served}: Karpenter looks at no object that names another one"
        yield Fault((*path, "kind"), Fate.UNREADY, wrong, f"write {served}", quoted(kind))


def at(content: Any, path: Path) -> Any:
    """The value at a path, or None where there is none."""
    for part in path:
        if isinstance(content, dict):
            content = content.get(part)
        elif isinstance(content, list) and isinstance(part, int) and part < len(content):
            content = content[part]
        else:
            return None
    return content


def _path(text: str) -> Path:
    """The path that a `Violation` names."""
    return tuple(
        int(found["place"]) if found["place"] else found["key"] or found["field"] for found in _PART.finditer(text)
    )  # fmt: skip
