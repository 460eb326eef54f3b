"""Which versions of Karpenter know an API version, a field or a value.

Source: the CustomResourceDefinitions of Karpenter 1.0 to 1.14, compared; `aws:` those of its AWS provider.
"""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from karpenter_check.admission.fault import Fate, Fault, one_of, quoted
from karpenter_check.admission.own import at
from karpenter_check.snapshot import Version
from karpenter_check.snapshot.manifest import KARPENTERS_GROUPS, Path

NEWEST = Version(1, 14)
"""What the schemas in the package are of, and what a manifest is judged as where no version is said."""
_SERVED: dict[str, tuple[str, ...]] = {
    "NodePool": ("karpenter.sh/v1", "karpenter.sh/v1beta1"),
    "NodeClaim": ("karpenter.sh/v1", "karpenter.sh/v1beta1"),
    "EC2NodeClass": ("karpenter.k8s.aws/v1", "karpenter.k8s.aws/v1beta1"),
    "NodeOverlay": ("karpenter.sh/v1alpha1",),
}
_WITHOUT_BETA = Version(1, 1)
_ALPHA: dict[str, tuple[str, dict[str, str]]] = {
    "Provisioner": (
        "NodePool of karpenter.sh/v1",
        {
            "requirements": "spec.template.spec.requirements", "taints": "spec.template.spec.taints", "limits": "spec.limits, without resources",
            "startupTaints": "spec.template.spec.startupTaints", "labels": "spec.template.metadata.labels", "weight": "spec.weight",
            "annotations": "spec.template.metadata.annotations", "kubeletConfiguration": "spec.kubelet of the EC2NodeClass",
            "providerRef": "spec.template.spec.nodeClassRef, with group, kind and name", "provider": "an EC2NodeClass of its own",
            "ttlSecondsAfterEmpty": "spec.disruption.consolidateAfter with consolidationPolicy: WhenEmpty",
            "ttlSecondsUntilExpired": "spec.template.spec.expireAfter, which is 720h where it is not written and forceful",
            "consolidation": "spec.disruption.consolidationPolicy: WhenEmptyOrUnderutilized",
        },
    ),
    "Machine": ("NodeClaim of karpenter.sh/v1, which Karpenter makes itself", {}),
    "AWSNodeTemplate": (
        "EC2NodeClass of karpenter.k8s.aws/v1",
        {
            "subnetSelector": "spec.subnetSelectorTerms", "securityGroupSelector": "spec.securityGroupSelectorTerms",
            "amiSelector": "spec.amiSelectorTerms", "instanceProfile": "spec.instanceProfile, or spec.role",
            "launchTemplate": "nothing: write amiSelectorTerms and userData",
        },
    ),
}  # fmt: skip
_BETA: dict[Path, str] = {
    ("spec", "disruption", "expireAfter"): "spec.template.spec.expireAfter, and is forceful there",
    ("spec", "template", "spec", "kubelet"): "spec.kubelet of the EC2NodeClass",
    ("spec", "kubelet"): "spec.kubelet of the EC2NodeClass",
    ("spec", "template", "spec", "nodeClassRef", "apiVersion"): "group, without the version",
    ("spec", "nodeClassRef", "apiVersion"): "group, without the version",
}
_SINCE: tuple[tuple[Path, Any, Version], ...] = (
    (("spec", "replicas"), None, Version(1, 8)),
    (("spec", "disruption", "consolidationPolicy"), "Balanced", Version(1, 14)),
    (("spec", "placementGroupSelector"), None, Version(1, 11)),
    (("spec", "networkInterfaces"), None, Version(1, 11)),
    (("spec", "connectionTracking"), None, Version(1, 13)),
)
"""A field, or one value of it, and the first version that knows it."""


def version_faults(content: Mapping[str, Any], version: Version | None) -> Iterator[Fault]:
    """What of a manifest is of another time than the Karpenter that it is for; None is one of 1.1 to 1.14."""
    kind, api_version = str(content.get("kind", "")), str(content.get("apiVersion", ""))
    path, written = ("apiVersion",), quoted(api_version)
    if kind in _ALPHA:
        now, moves = _ALPHA[kind]
        wrong = f"is {written}, which no Karpenter since 0.33 serves: {kind} became {now}"
        yield Fault(path, Fate.UNSERVED, wrong, "see https://karpenter.sh/docs/upgrading/v1beta1-migration/", written)
        yield from _moves(content, {("spec", field): to for field, to in moves.items()})
    elif kind not in _SERVED and api_version.partition("/")[0] in KARPENTERS_GROUPS:
        close = get_close_matches(kind, [*_SERVED, *_ALPHA], n=1, cutoff=0.6)
        advice = f"is {close[0]} meant?" if close else f"there is {one_of(sorted(_SERVED), 'and')}"
        yield Fault(("kind",), Fate.REFUSED, f"is {quoted(kind)}, and {written} has no such kind", advice, quoted(kind))
    elif kind in _SERVED and api_version not in _SERVED[kind]:
        yield Fault(path, Fate.REFUSED, f"is {written}, and {kind} is of {_SERVED[kind][0]}", f"write {_SERVED[kind][0]}", written)
    elif api_version.endswith("/v1beta1") and kind in _SERVED and (version is None or version >= _WITHOUT_BETA):
        wrong = f"is {written}, which Karpenter serves up to 1.0 and no later one does"
        yield Fault(path, Fate.UNSERVED, wrong, f"write {_SERVED[kind][0]}", written, grave=version is not None)
        yield from _moves(content, _BETA)
    elif version is not None:
        for field, value, since in _SINCE:
            there = at(content, field)
            if there is not None and (value is None or there == value) and version < since:
                wrong = f"is {quoted(there)}, which is known since Karpenter {since.major}.{since.minor}; this is {version}"
                yield Fault(field, Fate.REFUSED, wrong, value=quoted(there))


def _moves(content: Mapping[str, Any], moves: Mapping[Path, str]) -> Iterator[Fault]:
    for path, to in moves.items():
        if at(content, path) is not None:
            yield Fault(path, Fate.UNSERVED, f"is {to} in v1", grave=False)
