from collections.abc import Sequence

import msgspec
import pytest

from karpenter_check.finding import Confidence, Evidence, Finding, Fix, Ref, Severity
from karpenter_check.rules.nodepool_requirements_contradictory import nodepool_requirements_contradictory
from karpenter_check.snapshot import Kind, NodePool, Snapshot, Status, Version
from karpenter_check.snapshot.nodepool import NodeClassRef
from tests.build import a_cluster, a_node_class, a_nodepool

ZONE, ARCH, CAPACITY = "topology.kubernetes.io/zone", "kubernetes.io/arch", "karpenter.sh/capacity-type"
CPU, FAMILY, GPU = (f"karpenter.k8s.aws/instance-{name}" for name in ("cpu", "family", "gpu-name"))
WEB = Ref("NodePool", "web", "karpenter.sh/v1")
KWOK = NodeClassRef("KWOKNodeClass", "default", "karpenter.kwok.sh")
FIX = (
    Fix(
        "fix", "kubectl edit nodepool web", "correct what contradicts, or take it away", "an edit of the template drifts its nodes"
    ),
    Fix("verify", "karpenter-check scan --select nodepool-requirements-contradictory"),
)


def found(cluster: Snapshot) -> list[Finding]:
    return list(nodepool_requirements_contradictory(cluster))


def severities(nodepool: NodePool, version: Version | None = None) -> list[tuple[str, Severity | None]]:
    return [(finding.cause, finding.severity) for finding in found(a_cluster(nodepool, version=version))]


def test_two_requirements_that_leave_no_architecture_are_found() -> None:
    pool = a_nodepool("web", requirements=["kubernetes.io/os In linux", f"{ARCH} In arm64", f"{ARCH} NotIn arm64,s390x"])

    assert found(a_cluster(pool)) == [
        Finding(
            object=WEB,
            owner=WEB,
            nodepool="web",
            cause=f"label:{ARCH}",
            severity=Severity.HIGH,
            message="web can never buy a node: its requirements leave no architecture",
            why=f"{ARCH} In [arm64] and {ARCH} NotIn [arm64, s390x]; every instance has one",
            evidence=(
                Evidence(WEB, "spec.template.spec.requirements[1]", f"{ARCH} In [arm64]"),
                Evidence(WEB, "spec.template.spec.requirements[2]", f"{ARCH} NotIn [arm64, s390x]"),
            ),
            fix=FIX,
        )
    ]


@pytest.mark.parametrize(
    "requirements",
    [
        [f"{CPU} Gt 8", f"{CPU} Lt 4"],
        [f"{CPU} Gt 8", f"{CPU} In 4,8"],
        [f"{FAMILY} Exists", f"{FAMILY} DoesNotExist"],
        [f"{FAMILY} DoesNotExist"],
        [f"{FAMILY} In m5,c5", f"{FAMILY} NotIn m5", f"{FAMILY} NotIn c5"],
    ],
    ids=["bounds", "bound and values", "Exists and DoesNotExist", "DoesNotExist alone", "three of them"],
)
def test_whatever_leaves_none_of_a_label_that_every_instance_has_is_high(requirements: Sequence[str]) -> None:
    ((_, severity),) = severities(a_nodepool("web", requirements=requirements))

    assert severity is Severity.HIGH


def test_only_the_entries_that_contradict_each_other_are_told() -> None:
    pool = a_nodepool("web", requirements=[f"{ZONE} In a,b", f"{ZONE} NotIn c", f"{ZONE} In c,d"], labels={ZONE: "b"})
    (finding,) = found(a_cluster(pool))

    assert [entry.path for entry in finding.evidence] == [f"spec.template.spec.requirements[{place}]" for place in (0, 2)]


def test_a_label_that_contradicts_a_requirement_is_found_by_another_name_of_its_key() -> None:
    pool = a_nodepool("web", requirements=["beta.kubernetes.io/arch In amd64"], labels={ARCH: "arm64"})
    (finding,) = found(a_cluster(pool))

    assert (finding.why, finding.evidence[1].path) == (
        "beta.kubernetes.io/arch In [amd64] and kubernetes.io/arch: arm64; every instance has one",
        "spec.template.metadata.labels.kubernetes.io/arch",
    )


def test_a_custom_label_only_keeps_out_the_pods_that_ask_for_it() -> None:
    pool = a_nodepool("web", requirements=["team In shop"], labels={"team": "search"})
    (finding,) = found(a_cluster(pool))

    assert (finding.cause, finding.severity, finding.message, finding.why) == (
        "label:team",
        Severity.MEDIUM,
        "no pod that asks for team ever gets a node of web",
        "team In [shop] and team: search; Karpenter takes requirements that leave no value as DoesNotExist; other pods still get nodes",
    )


def test_a_label_that_only_some_instances_have_leaves_those_without_it() -> None:
    pool = a_nodepool("web", requirements=[f"{GPU} In t4", f"{GPU} NotIn t4"])
    (finding,) = found(a_cluster(pool))

    assert (finding.severity, finding.message) == (
        Severity.MEDIUM,
        f"web can only buy nodes without {GPU}, though it asks for the label",
    )


@pytest.mark.parametrize(
    "requirements",
    [
        [f"{GPU} DoesNotExist"],
        ["team DoesNotExist", "team NotIn shop"],
        ["karpenter.k8s.aws/instance-tenancy NotIn default,dedicated"],
        [f"{CPU} Gt 3", f"{CPU} Lt 5"],
        [f"{ZONE} In a,b", f"{ZONE} NotIn b"],
        [f"{CAPACITY} In spot,on-demand,reserved"],
        [f"{CAPACITY} NotIn spot"],
        ["team Exists"],
    ],
)
def test_what_leaves_something_or_only_asks_for_absence_is_fine(requirements: Sequence[str]) -> None:
    assert severities(a_nodepool("web", requirements=requirements)) == []


def test_a_label_of_another_providers_instances_may_be_asked_not_to_be_there() -> None:
    assert severities(a_nodepool("web", node_class=KWOK, requirements=[f"{FAMILY} DoesNotExist"])) == []


def test_a_capacity_type_that_is_none_beside_one_is_ignored_by_karpenter() -> None:
    pool = a_nodepool("web", requirements=[f"{CAPACITY} In spot,ondemand"])

    assert found(a_cluster(pool, version=Version(1, 13))) == [
        Finding(
            object=WEB,
            owner=WEB,
            nodepool="web",
            cause=f"values:{CAPACITY}",
            severity=Severity.MEDIUM,
            message="ondemand is no capacity type; only spot counts",
            why=f"{CAPACITY} In [spot, ondemand]; Karpenter ignores it beside valid ones, and says so in its log only",
            evidence=(Evidence(WEB, "spec.template.spec.requirements[0]", f"{CAPACITY} In [spot, ondemand]"),),
            fix=FIX,
        )
    ]


@pytest.mark.parametrize(
    ("version", "confidence", "why"),
    [
        (Version(1, 13), Confidence.CERTAIN, "Karpenter refuses the NodePool, which is not Ready"),
        (Version(1, 4), Confidence.LIKELY, "no instance has such a one"),
        (None, Confidence.LIKELY, "no instance has such a one"),
    ],
)
def test_a_nodepool_whose_every_capacity_type_is_none_buys_nothing(
    version: Version | None, confidence: Confidence, why: str
) -> None:
    pool = a_nodepool("web", requirements=[f"{CAPACITY} In ondemand,Spot", f"{CAPACITY} In spot"])
    (finding,) = found(a_cluster(pool, version=version))

    assert (finding.cause, finding.severity, finding.confidence, finding.message, finding.why) == (
        f"values:{CAPACITY}",
        Severity.HIGH,
        confidence,
        "web can never buy a node: Spot, ondemand are no capacity types",
        f"{CAPACITY} In [ondemand, Spot]; {why}",
    )


def test_an_ignored_capacity_type_does_not_hide_that_none_is_left() -> None:
    pool = a_nodepool("web", requirements=[f"{CAPACITY} In spot,ondemand", f"{CAPACITY} NotIn spot"])

    assert severities(pool) == [(f"values:{CAPACITY}", Severity.MEDIUM), (f"label:{CAPACITY}", Severity.HIGH)]


def test_leaving_out_every_capacity_type_leaves_none() -> None:
    assert severities(a_nodepool(requirements=[f"{CAPACITY} NotIn spot,on-demand,reserved"])) == [
        (f"label:{CAPACITY}", Severity.HIGH)
    ]


TENANCY = a_nodepool(requirements=["karpenter.k8s.aws/instance-tenancy In default,host"])


def test_other_values_are_judged_where_karpenter_is_known_to_know_them() -> None:
    assert severities(TENANCY, Version(1, 13)) == [("values:karpenter.k8s.aws/instance-tenancy", Severity.MEDIUM)]


@pytest.mark.parametrize("version", [Version(1, 4), None])
def test_other_values_are_not_judged_where_it_may_not_know_them(version: Version | None) -> None:
    assert severities(TENANCY, version) == []


def test_the_values_of_a_provider_that_is_not_known_are_only_believed_to_be_known() -> None:
    pool = a_nodepool(
        node_class=NodeClassRef("Class", "default", "karpenter.example.com"), requirements=[f"{CAPACITY} In spot,cheap"]
    )

    assert [finding.confidence for finding in found(a_cluster(pool))] == [Confidence.LIKELY]


def test_a_zone_without_a_subnet_is_found() -> None:
    cluster = a_cluster(a_nodepool("web", requirements=[f"{ZONE} In c,d"]), a_node_class(zones=["b", "a", "a"]))
    (finding,) = found(cluster)

    assert (finding.cause, finding.severity, finding.message, finding.why, finding.evidence) == (
        f"nodeclass:{ZONE}",
        Severity.HIGH,
        "web can never buy a node: EC2NodeClass default has no subnet in a zone that it allows",
        f"{ZONE} In [c, d]; its subnets are in a, b",
        (
            Evidence(WEB, "spec.template.spec.requirements[0]", f"{ZONE} In [c, d]"),
            Evidence(Ref("EC2NodeClass", "default", "karpenter.k8s.aws/v1"), "status.subnets", "a, b"),
        ),
    )


def test_an_architecture_without_an_image_is_found() -> None:
    images = [[f"{ARCH} In amd64"], [f"{ARCH} In amd64", f"{GPU} Exists"]]
    cluster = a_cluster(a_nodepool("web", requirements=[f"{ARCH} NotIn amd64"]), a_node_class(image_requirements=images))
    (finding,) = found(cluster)

    assert (finding.cause, finding.severity, finding.message, finding.why) == (
        f"nodeclass:{ARCH}",
        Severity.HIGH,
        "web can never buy a node: EC2NodeClass default has no image for an architecture that it allows",
        f"{ARCH} NotIn [amd64]; its images are for amd64",
    )


@pytest.mark.parametrize(
    ("requirement", "zones", "images"),
    [
        (f"{ZONE} In b,c", ["a", "b"], []),
        (f"{ZONE} In c", [], []),
        (f"{ARCH} In arm64", ["a"], [[f"{ARCH} In amd64"], [f"{ARCH} In arm64"]]),
        (f"{ARCH} In arm64", ["a"], [[f"{ARCH} In amd64"], [f"{GPU} Exists"]]),
        (f"{ARCH} In arm64", ["a"], []),
        ("team Exists", ["a"], [[f"{ARCH} In amd64"]]),
    ],
    ids=["a zone with a subnet", "no subnets", "its image", "an image for all", "no images", "asks for neither"],
)
def test_a_node_class_that_has_what_is_asked_or_says_nothing_is_fine(
    requirement: str, zones: Sequence[str], images: Sequence[Sequence[str]]
) -> None:
    node_class = a_node_class(zones=zones, image_requirements=images)

    assert found(a_cluster(a_nodepool(requirements=[requirement]), node_class)) == []


@pytest.mark.parametrize("status", [Status.FORBIDDEN, Status.ABSENT, Status.NOT_COLLECTED])
def test_node_classes_that_were_not_seen_are_left_out(status: Status) -> None:
    pool = a_nodepool(requirements=[f"{ZONE} In c", "team In shop", "team In search"])
    cluster = a_cluster(pool, a_node_class(zones=["a"]), missing={Kind.NODECLASS: status})

    assert [finding.cause for finding in found(cluster)] == ["label:team"]


@pytest.mark.parametrize(
    "reference",
    [NodeClassRef("EC2NodeClass", "other", "karpenter.k8s.aws"), NodeClassRef("EC2NodeClass", "default", "example.com"), KWOK],
    ids=["of another name", "of another group", "of another kind"],
)
def test_a_node_class_that_is_not_the_nodepools_proves_nothing(reference: NodeClassRef) -> None:
    pool = a_nodepool(node_class=reference, requirements=[f"{ZONE} In c"])

    assert found(a_cluster(pool, a_node_class(zones=["a"]))) == []


def test_a_nodepool_that_is_being_deleted_is_fine() -> None:
    assert severities(a_nodepool(deleted="1m", requirements=[f"{ARCH} DoesNotExist"])) == []


def test_a_static_nodepool_can_buy_as_little() -> None:
    assert severities(a_nodepool(replicas=3, requirements=[f"{ARCH} DoesNotExist"])) == [(f"label:{ARCH}", Severity.HIGH)]


def test_each_label_is_a_finding_of_its_own() -> None:
    pool = a_nodepool(requirements=[f"{ARCH} DoesNotExist", f"{ZONE} In a", f"{ZONE} In b"])

    assert [cause for cause, _ in severities(pool)] == [f"label:{ARCH}", f"label:{ZONE}"]


def test_a_nodepool_of_v1beta1_names_its_class_by_api_version() -> None:
    pool = a_nodepool(
        "web", requirements=[f"{ZONE} In c"], node_class=NodeClassRef("EC2NodeClass", "default", "", "karpenter.k8s.aws/v1beta1")
    )
    beta = msgspec.structs.replace(a_node_class(zones=["a"]), api_version="karpenter.k8s.aws/v1beta1")

    assert [finding.cause for finding in found(a_cluster(pool, beta))] == [f"nodeclass:{ZONE}"]
