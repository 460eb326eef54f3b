"""Karpenter's version against Kubernetes', and versions of Karpenter that are known for a fault."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from karpenter_check.disruption.controller import controller_ref, controllers, served_groups
from karpenter_check.finding import Evidence, Finding, Fix, Ref, Severity, clip, verification
from karpenter_check.rule import NotProven, Stage, rule
from karpenter_check.snapshot import Kind, Snapshot, Version
from karpenter_check.snapshot.counted import few
from karpenter_check.snapshot.installation import CustomResourceDefinition
from karpenter_check.snapshot.version import parse_version
from karpenter_check.snapshot.workload import Deployment

_AWS = "karpenter.k8s.aws"
_COMPATIBLE: tuple[tuple[Version, int, int], ...] = (
    (Version(0, 21), 21, 24),
    (Version(0, 25), 21, 25),
    (Version(0, 28), 23, 27),
    (Version(0, 31), 23, 28),
    (Version(0, 34), 23, 29),
    (Version(0, 37), 23, 30),
    (Version(1, 0), 25, 30),
    (Version(1, 0, 5), 25, 31),
    (Version(1, 2), 25, 32),
    (Version(1, 5), 26, 33),
    (Version(1, 6), 26, 34),
    (Version(1, 9), 26, 35),
    (Version(1, 13), 26, 36),
)
"""From which version of Karpenter on which minors of Kubernetes 1 it supports, the first and the last
(github.com/aws/karpenter-provider-aws, hack/docs/compatibilitymatrix_gen/compatibility.yaml, 1.14)."""
_BEYOND = Version(1, 15)
"""The first version that the table does not know."""
_KNOWN_BAD = {
    Version(
        1, 8, 4
    ): "some pods with topologySpreadConstraints are held unschedulable and get no node (kubernetes-sigs/karpenter issue 2785)"
}
"""Releases that Karpenter's upgrade guide warns of."""
_OWN = {"nodepools.karpenter.sh", "nodeclaims.karpenter.sh"}
"""Definitions that had v1beta1 and lost it; younger ones of the group, as NodeOverlay's, begin with versions of their own."""
_V1BETA1, _WITHOUT_V1BETA1 = "v1beta1", Version(1, 1)
_RELEASE = re.compile(r"v?[0-9]+\.[0-9]+\.[0-9]+")
_KUBERNETES = re.compile(r"v?1\.([0-9]{1,3})(?:[.+-].*)?")


@dataclass(frozen=True)
class _Release:
    """A controller of Karpenter's provider for AWS, and the release that its image names."""

    ref: Ref
    image: str
    version: Version


@rule(severity=Severity.HIGH, needs={Kind.DEPLOYMENT, Kind.NODEPOOL}, since="0.1.0", judges_ages=False, stage=Stage.CONTROLLER)
def version_skew(snapshot: Snapshot) -> Iterator[Finding]:
    """Karpenter's version does not go with that of Kubernetes or of its definitions, or is known for a fault."""
    findings = [*_definitions(snapshot)]
    try:
        findings += _by_table(snapshot)
    except NotProven:
        if not findings:
            raise
    yield from findings


def _by_table(snapshot: Snapshot) -> list[Finding]:
    """What the table and the known faults say. Raises NotProven where they say nothing of this cluster."""
    releases, minor = _releases(snapshot), _KUBERNETES.fullmatch(snapshot.kubernetes_version)
    findings = [finding for release in releases if (finding := _known_bad(release))]
    if minor:
        findings += [finding for release in releases if (finding := _incompatible(snapshot, release, int(minor[1])))]
    if not findings and not minor:
        raise NotProven("what was read does not tell the version of Kubernetes")
    if not findings and (new := [release for release in releases if release.version >= _BEYOND]):
        raise NotProven(f"Karpenter {new[0].version} is newer than the versions that are known here")
    return findings


def _definitions(snapshot: Snapshot) -> Iterator[Finding]:
    """Karpenter's own CustomResourceDefinitions against a controller that has a version; their schemas are not read.

    Those of 1.1 and later have no v1beta1 (pkg/apis/crds/karpenter.sh_nodepools.yaml), and the API server refuses a definition
    without a version that `status.storedVersions` names.
    """
    releases = [release for deployment in controllers(snapshot) if deployment.spec.replicas and (release := _release(deployment))]
    own = [entry for entry in snapshot.customresourcedefinitions if entry.metadata.name in _OWN]
    for release in releases:
        if release.version >= _WITHOUT_V1BETA1:
            old = [entry for entry in own if any(version.name == _V1BETA1 for version in entry.spec.versions)]
            cause, severity = "definitions-too-old", Severity.HIGH
            said = f"Karpenter {release.version} runs on CustomResourceDefinitions of an older one"
            why = "they have v1beta1, which Karpenter's have not since 1.1: the controller was upgraded, and they were not"
            cost = "fields that they do not know are dropped without a word, so what a NodePool says may not hold"
        else:
            old = [entry for entry in own if _V1BETA1 in entry.status.stored_versions] if release.version >= Version(1, 0) else []
            cause, severity = "stored-v1beta1", Severity.MEDIUM
            said = f"Karpenter {release.version} cannot be upgraded to 1.1 or later yet: objects may be stored as v1beta1"
            why = "the API server refuses definitions without a version that status.storedVersions names, and those of 1.1 have no v1beta1"
            cost = "an upgrade fails halfway: the controller is new, and its definitions are not"
        if old:
            evidence = [_stored(entry) for entry in old]
            want = (
                "the definitions of this version (chart karpenter-crd)"
                if cause == "definitions-too-old"
                else "storedVersions of v1 alone"
            )
            yield _finding(release, cause, severity, said, why, cost, want, *evidence)


def _stored(definition: CustomResourceDefinition) -> Evidence:
    ref = Ref("CustomResourceDefinition", definition.metadata.name, "apiextensions.k8s.io/v1")
    served = [version.name for version in definition.spec.versions]
    stored = definition.status.stored_versions
    return Evidence(ref, "spec.versions, status.storedVersions", f"{few(served, 5)}; {few(stored, 5)}")


def _releases(snapshot: Snapshot) -> list[_Release]:
    """The controllers whose versions mean something. Raises NotProven where there is none."""
    found = [deployment for deployment in controllers(snapshot) if deployment.spec.replicas]
    if not found:
        raise NotProven("no Deployment of Karpenter runs in the cluster, as with EKS Auto Mode, whose Karpenter runs outside of it")
    groups = served_groups(snapshot)
    if groups != {_AWS}:
        named = ", ".join(clip(group) for group in sorted(groups)) or "no node class of a Karpenter in the cluster"
        raise NotProven(f"which Kubernetes a Karpenter supports is known of AWS' alone; the NodePools name {named}")
    releases = [release for deployment in found if (release := _release(deployment))]
    if len(releases) < len(found):
        raise NotProven("the image of Karpenter's Deployment names no release of Karpenter: a fork, or a digest without a tag")
    return releases


def _release(deployment: Deployment) -> _Release | None:
    for container in deployment.spec.template.spec.containers:
        repository, _, tag = container.image.partition("@")[0].rpartition("/")[2].partition(":")
        ours = repository in {"controller", "karpenter"} and "karpenter" in container.image
        if ours and _RELEASE.fullmatch(tag) and (version := parse_version(tag)):
            return _Release(controller_ref(deployment), container.image, version)
    return None


def _known_bad(release: _Release) -> Finding | None:
    fault = _KNOWN_BAD.get(release.version)
    if fault is None:
        return None
    return _finding(
        release,
        "known-bad",
        Severity.MEDIUM,
        f"Karpenter {release.version} is a release with a known fault",
        fault,
        "those pods wait, though a node could be bought for them",
        "another release",
    )


def _incompatible(snapshot: Snapshot, release: _Release, minor: int) -> Finding | None:
    rows = [row for row in _COMPATIBLE if row[0] <= release.version]
    if not rows or release.version >= _BEYOND:
        return None
    _, first, last = rows[-1]
    kubernetes = Evidence(path="Kubernetes version", value=clip(snapshot.kubernetes_version))
    if minor > last:
        wanted = next((since for since, low, high in _COMPATIBLE if low <= minor <= high), None)
        return _finding(
            release,
            "kubernetes-too-new",
            Severity.MEDIUM if minor == last + 1 else Severity.HIGH,
            f"Kubernetes 1.{minor} is newer than Karpenter {release.version} supports, which is 1.{first} to 1.{last}",
            "nobody tested the two together: Karpenter chooses images by Kubernetes' version, and plans as its own, older copy of the scheduler",
            "what works today may end with the next image, and pods may get nodes that the scheduler does not use for them",
            f"Karpenter {wanted} or later" if wanted else "a release that supports it, once there is one",
            kubernetes,
        )
    if minor < first:
        return _finding(
            release,
            "kubernetes-too-old",
            Severity.HIGH,
            f"Kubernetes 1.{minor} is older than Karpenter {release.version} supports, which is 1.{first} to 1.{last}",
            "nobody tested the two together: Karpenter and its definitions may use what an older API server does not have",
            "what works today may end with Karpenter's next update",
            f"Kubernetes 1.{first} or later, or an older Karpenter",
            kubernetes,
        )
    return None


def _finding(
    release: _Release, cause: str, severity: Severity, message: str, why: str, cost: str, want: str, *evidence: Evidence
) -> Finding:
    ref = release.ref
    return Finding(
        object=ref,
        owner=ref,
        cause=cause,
        severity=severity,
        message=message,
        why=why,
        cost=cost,
        evidence=(Evidence(ref, "spec.template.spec.containers.image", clip(release.image)), *evidence),
        fix=(
            Fix(
                "fix",
                f"helm list -n {shlex.quote(ref.namespace)}",
                text=f"go to {want}, by Karpenter's upgrade guide (https://karpenter.sh/docs/upgrading/upgrade-guide/)",
                risk="its CustomResourceDefinitions are upgraded first, by a chart of their own; a new version may drift nodes",
            ),
            verification("version-skew"),
        ),
    )
