"""Manifests of Karpenter's that would be refused, or taken and not do what they say."""

import shlex
from collections import defaultdict
from collections.abc import Iterator, Sequence

from karpenter_check.admission.fault import Fate, Fault
from karpenter_check.admission.judge import faults
from karpenter_check.finding import Evidence, Finding, Fix, Occurrence, Ref, Severity, clip
from karpenter_check.rule import Stage, rule
from karpenter_check.snapshot import Kind, Snapshot
from karpenter_check.snapshot.manifest import Location, Manifest

_SEVERITY = {
    Fate.REFUSED: Severity.HIGH,
    Fate.UNKNOWN: Severity.HIGH,
    Fate.UNREADY: Severity.HIGH,
    Fate.UNSERVED: Severity.HIGH,
    Fate.UNREADABLE: Severity.HIGH,
    Fate.UNMEANT: Severity.MEDIUM,
}
_SO = {
    Fate.REFUSED: "the API server refuses the object",
    Fate.UNKNOWN: "kubectl refuses the object; a client that does not ask the API server to be strict, such as Helm, loses the field without a word",
    Fate.UNREADY: "the API server takes the object, and Karpenter refuses it",
    Fate.UNREADABLE: "the API server and Karpenter take the object, and Karpenter cannot read this",
    Fate.UNMEANT: "everybody takes the object as it is",
    Fate.UNSERVED: "the API server has no such API, and refuses the object",
}
_SO_LATER = (
    "an API server with Karpenter 1.1 or later has no such API, and refuses the object; --karpenter-version says which it is for"
)
_OF_ANY_VERSION = frozenset({"NodePool", "NodeClaim"})
_MOST_EVIDENCE = 20
_MOST_TOLD = 5

_Placed = tuple[Fault, Location]


@rule(
    severity=Severity.HIGH,
    needs={Kind.NODEPOOL, Kind.NODECLAIM, Kind.NODECLASS},
    since="0.1.0",
    stage=Stage.NODEPOOL,
    judges_ages=False,
    of_manifests=True,
)
def manifest_invalid(snapshot: Snapshot) -> Iterator[Finding]:
    """A manifest would be refused by the API server or by Karpenter, or be taken and not do what it says."""
    found: dict[tuple[Ref, str], list[_Placed]] = defaultdict(list)
    for manifest in snapshot.manifests:
        for fault, location in _placed(snapshot, manifest):
            cause = str(fault.fate) if fault.fate is Fate.UNSERVED else f"{fault.fate}:{fault.kind_of_place}"
            found[_named(manifest.ref), cause].append((fault, location))
    for (ref, cause), placed in found.items():
        yield _finding(ref, cause, placed)


def _named(ref: Ref) -> Ref:
    """An object as all rules name it: of one kind whatever the version."""
    return Ref(ref.kind, ref.name, "karpenter.sh/v1") if ref.kind in _OF_ANY_VERSION else ref


def _placed(snapshot: Snapshot, manifest: Manifest) -> Iterator[_Placed]:
    schema = snapshot.schemas.get((manifest.ref.api_version, manifest.ref.kind))
    for fault in faults(manifest, schema, snapshot.karpenter_version):
        yield fault, manifest.at(fault.path)


def _finding(ref: Ref, cause: str, placed: Sequence[_Placed]) -> Finding:
    """One field of an object that is wrong, wherever in its lists; of an API that is gone, all that moved."""
    first, location = next((entry for entry in placed if entry[0].grave), placed[0])
    others = [entry for entry in placed if entry != (first, location)]
    advice = [Fix("fix", text=clip(first.advice))] if first.advice and first.advice not in first.wrong else []
    file = shlex.quote(location.file) if location.in_a_file else "-"
    return Finding(
        object=ref,
        owner=ref,
        nodepool=ref.name if ref.kind == "NodePool" else "",
        cause=cause,
        severity=_severity(first),
        message=clip(f"{first.field} of {ref.name or ref.kind} {first.wrong}"),
        why=_why(first, location, others),
        evidence=tuple(Evidence(ref, fault.field, fault.value, location=at) for fault, at in placed[:_MOST_EVIDENCE]),
        occurrences=tuple(Occurrence(ref, reason=fault.field) for fault, _ in placed),
        fix=(*advice, Fix("verify", f"karpenter-check scan -f {file} --select manifest-invalid")),
        location=location,
    )


def _severity(fault: Fault) -> Severity:
    return _SEVERITY[fault.fate] if fault.grave else _SEVERITY[fault.fate].lowered(1)


def _why(first: Fault, location: Location, others: Sequence[_Placed]) -> str:
    """What becomes of the object, and in which other places something is wrong in the same way."""
    told = [
        f"{f'line {at.line}' if at.file == location.file else at}: {clip(f'{fault.field} {fault.wrong}')}"
        for fault, at in others[:_MOST_TOLD]
    ]
    more = len(others) - _MOST_TOLD
    return "; ".join(
        [
            _SO[first.fate] if first.grave or first.fate is not Fate.UNSERVED else _SO_LATER,
            *told,
            *([f"{more} more"] if more > 0 else []),
        ]
    )
