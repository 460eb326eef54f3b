"""Karpenter's version against Kubernetes'."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from karpenter_check.finding import Evidence, Finding, Fix, Ref, Severity
from karpenter_check.rule import NotProven
from karpenter_check.rules.version_skew import version_skew
from karpenter_check.snapshot import NodePool
from karpenter_check.snapshot.installation import (
    CustomResourceDefinition,
    CustomResourceDefinitionSpec,
    CustomResourceDefinitionStatus,
    CustomResourceDefinitionVersion,
)
from karpenter_check.snapshot.metadata import Metadata
from karpenter_check.snapshot.nodepool import NodeClassRef
from tests.build import a_cluster, a_controller, a_nodepool

DEPLOYMENT = Ref("Deployment", "karpenter", "apps/v1", "kube-system")
IMAGE = "public.ecr.aws/karpenter/controller"
AUTO_MODE = NodeClassRef("NodeClass", "default", "eks.amazonaws.com")


def found(image: str, kubernetes: str = "v1.34.2", *nodepools: NodePool) -> list[Finding]:
    return list(version_skew(a_cluster(*(nodepools or [a_nodepool()]), a_controller(image=image), kubernetes=kubernetes)))


def causes(version: str, kubernetes: str) -> list[tuple[str, Severity | None]]:
    return [(finding.cause, finding.severity) for finding in found(f"{IMAGE}:{version}", kubernetes)]


def test_a_kubernetes_that_is_too_new_is_found() -> None:
    assert found(f"{IMAGE}:1.6.2@sha256:0123", "v1.35.1-eks-113cf36") == [
        Finding(
            object=DEPLOYMENT,
            owner=DEPLOYMENT,
            cause="kubernetes-too-new",
            severity=Severity.MEDIUM,
            message="Kubernetes 1.35 is newer than Karpenter 1.6.2 supports, which is 1.26 to 1.34",
            why="nobody tested the two together: Karpenter chooses images by Kubernetes' version, and plans as its own, older copy of the "
            "scheduler",
            cost="what works today may end with the next image, and pods may get nodes that the scheduler does not use for them",
            evidence=(
                Evidence(DEPLOYMENT, "spec.template.spec.containers.image", f"{IMAGE}:1.6.2@sha256:0123"),
                Evidence(path="Kubernetes version", value="v1.35.1-eks-113cf36"),
            ),
            fix=(
                Fix(
                    "fix",
                    "helm list -n kube-system",
                    "go to Karpenter 1.9.0 or later, by Karpenter's upgrade guide (https://karpenter.sh/docs/upgrading/upgrade-guide/)",
                    "its CustomResourceDefinitions are upgraded first, by a chart of their own; a new version may drift nodes",
                ),
                Fix("verify", "karpenter-check scan --select version-skew"),
            ),
        )
    ]


@pytest.mark.parametrize(
    ("version", "kubernetes", "expected"),
    [
        ("0.37.5", "v1.30.0", []),
        ("v0.32.1", "v1.30.0", [("kubernetes-too-new", Severity.HIGH)]),
        ("1.0.4", "v1.31.0", [("kubernetes-too-new", Severity.MEDIUM)]),
        ("1.0.5", "v1.31.0", []),
        ("1.4.0", "v1.33.0", [("kubernetes-too-new", Severity.MEDIUM)]),
        ("1.4.0", "v1.34.0", [("kubernetes-too-new", Severity.HIGH)]),
        ("1.5.0", "v1.25.9", [("kubernetes-too-old", Severity.HIGH)]),
        ("1.13.0", "v1.36.0", []),
        ("1.14.1", "v1.36+", []),
        ("1.8.4", "v1.34.0", [("known-bad", Severity.MEDIUM)]),
        ("1.8.4", "", [("known-bad", Severity.MEDIUM)]),
        ("1.8.4", "v1.35.0", [("known-bad", Severity.MEDIUM), ("kubernetes-too-new", Severity.MEDIUM)]),
        ("1.8.5", "v1.34.0", []),
    ],
)
def test_the_table(version: str, kubernetes: str, expected: list[tuple[str, Severity]]) -> None:
    assert causes(version, kubernetes) == expected


def test_where_no_release_supports_it_none_is_named() -> None:
    (finding,) = found(f"{IMAGE}:1.14.1", "v1.38.0")

    assert (finding.severity, (finding.fix[0].text or "").split(",")[0]) == (Severity.HIGH, "go to a release that supports it")


@pytest.mark.parametrize(
    ("image", "kubernetes", "said"),
    [
        (f"{IMAGE}@sha256:0123", "v1.30.0", "names no release"),
        (f"{IMAGE}:latest", "v1.30.0", "names no release"),
        (f"{IMAGE}:1.2.0-acme.1", "v1.30.0", "names no release"),
        ("acme/nodes:1.2.0", "v1.30.0", "names no release"),
        (f"{IMAGE}:1.2.0", "", "does not tell the version of Kubernetes"),
        (f"{IMAGE}:1.2.0", "about 1.30", "does not tell the version of Kubernetes"),
        (f"{IMAGE}:1.15.0", "v1.37.0", "newer than the versions that are known here"),
    ],
)
def test_what_is_not_known_is_not_fine(image: str, kubernetes: str, said: str) -> None:
    with pytest.raises(NotProven, match=said):
        found(image, kubernetes)


@pytest.mark.parametrize(
    ("nodepool", "said"),
    [
        (
            a_nodepool(node_class=NodeClassRef("AKSNodeClass", "default", "karpenter.azure.com")),
            "the NodePools name karpenter.azure.com",
        ),
        (a_nodepool(node_class=AUTO_MODE), "no node class of a Karpenter in the cluster"),
    ],
)
def test_versions_of_other_providers_say_something_else(nodepool: NodePool, said: str) -> None:
    with pytest.raises(NotProven, match=said):
        found(f"{IMAGE}:1.2.0", "v1.36.0", nodepool)


def test_nodepools_of_auto_mode_beside_its_own_do_not_matter() -> None:
    pools = (a_nodepool(), a_nodepool("auto", node_class=AUTO_MODE))

    assert [finding.cause for finding in found(f"{IMAGE}:1.2.0", "v1.34.0", *pools)] == ["kubernetes-too-new"]


def test_auto_mode_has_no_version_to_judge() -> None:
    with pytest.raises(NotProven, match="as with EKS Auto Mode"):
        list(version_skew(a_cluster(a_nodepool(), kubernetes="v1.34.0")))


def test_an_old_karpenter_that_is_turned_off_does_not_matter() -> None:
    old = a_controller(name="karpenter-blue", image=f"{IMAGE}:1.2.0", replicas=0)

    assert list(version_skew(a_cluster(a_nodepool(), a_controller(), old, kubernetes="v1.36.0"))) == []
    with pytest.raises(NotProven, match="no Deployment of Karpenter runs in the cluster"):
        list(version_skew(a_cluster(a_nodepool(), old, kubernetes="v1.36.0")))


def defined(version: str, versions: Sequence[str], stored: Sequence[str], name: str = "nodepools.karpenter.sh") -> list[Finding]:
    definition = CustomResourceDefinition(
        Metadata(name),
        CustomResourceDefinitionSpec(tuple(CustomResourceDefinitionVersion(entry, served=True) for entry in versions)),
        CustomResourceDefinitionStatus(tuple(stored)),
    )
    cluster = a_cluster(a_nodepool(), a_controller(image=f"{IMAGE}:{version}"), kubernetes="v1.30.0")
    return list(version_skew(replace(cluster, customresourcedefinitions=(definition,))))


def test_definitions_that_an_upgrade_left_behind_are_found() -> None:
    (finding,) = defined("1.4.0", ["v1", "v1beta1"], ["v1beta1", "v1"])

    assert (finding.cause, finding.severity) == ("definitions-too-old", Severity.HIGH)
    assert finding.message == "Karpenter 1.4.0 runs on CustomResourceDefinitions of an older one"
    assert finding.evidence[1].value == "v1, v1beta1; v1beta1, v1"


def test_a_stored_v1beta1_blocks_the_next_upgrade() -> None:
    (finding,) = defined("1.0.6", ["v1", "v1beta1"], ["v1beta1", "v1"])

    assert (finding.cause, finding.severity) == ("stored-v1beta1", Severity.MEDIUM)


@pytest.mark.parametrize(
    ("version", "versions", "stored", "name"),
    [
        ("1.4.0", ["v1"], ["v1"], "nodepools.karpenter.sh"),
        ("1.0.6", ["v1", "v1beta1"], ["v1"], "nodepools.karpenter.sh"),
        ("0.37.5", ["v1", "v1beta1"], ["v1beta1"], "nodepools.karpenter.sh"),
        ("1.4.0", ["v1", "v1beta1"], ["v1beta1"], "ec2nodeclasses.karpenter.k8s.aws"),
        ("1.14.1", ["v1alpha1", "v1beta1"], ["v1beta1"], "nodeoverlays.karpenter.sh"),
    ],
    ids=["of today", "migrated", "before 1.0 it is normal", "a provider's own", "a younger kind's"],
)
def test_definitions_that_go_with_their_karpenter_are_fine(
    version: str, versions: Sequence[str], stored: Sequence[str], name: str
) -> None:
    assert defined(version, versions, stored, name) == []


def test_definitions_need_no_table() -> None:
    (finding,) = defined("1.15.0", ["v1", "v1beta1"], ["v1"])

    assert finding.cause == "definitions-too-old"
