"""What Karpenter itself refuses of a NodePool or a pod."""

import gzip
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from karpenter_check.scheduling.labels import provider_of
from karpenter_check.scheduling.validation import Violation, requirement_violations, violations
from karpenter_check.snapshot import NodePool, Version
from karpenter_check.snapshot.nodepool import NodeClassRef, Requirement
from karpenter_check.snapshot.pod_object import NodeSelectorRequirement
from tests.build import a_nodepool

VECTORS = Path(__file__).parent.parent / "vectors" / "validate.jsonl.gz"
GROUPS = {"aws": "karpenter.k8s.aws", "kwok": "karpenter.kwok.sh"}
V1_13 = Version(1, 13)
REQUIREMENTS = "spec.template.spec.requirements[0]"


class Expectation(msgspec.Struct):
    """What Karpenter answered."""

    valid: bool
    error: str = ""


class Vector(msgspec.Struct, rename="camel"):
    """One NodePool put to Karpenter, and which provider's labels were registered."""

    id: str
    provider: str
    node_pool: NodePool
    expect: Expectation

    @property
    def asked(self) -> NodePool:
        """The NodePool as one of that provider, whatever its own is."""
        template = self.node_pool.spec.template
        reference = replace(template.spec.node_class_ref, group=GROUPS[self.provider])
        template = replace(template, spec=replace(template.spec, node_class_ref=reference))
        return replace(self.node_pool, spec=replace(self.node_pool.spec, template=template))


def vectors() -> Iterator[Vector]:
    decoder = msgspec.json.Decoder(Vector)
    for line in gzip.decompress(VECTORS.read_bytes()).splitlines():
        yield decoder.decode(line)


def test_nodepools_are_valid_where_karpenter_says_so() -> None:
    asked = list(vectors())
    wrong = [
        f"case {vector.id} ({vector.provider}): Karpenter: {vector.expect.error or 'valid'}; we: {'; '.join(map(str, found)) or 'valid'}"
        for vector in asked
        if (not (found := violations(vector.asked, V1_13))) != vector.expect.valid
    ]

    assert (len(asked), wrong) == (250, [])


def test_a_usual_nodepool_is_valid() -> None:
    nodepool = a_nodepool(
        labels={"team": "a"},
        requirements=["kubernetes.io/arch In amd64,arm64", "karpenter.sh/capacity-type In spot,on-demand", "team Exists"],
        taints=["dedicated=batch:NoSchedule"],
        startup_taints=["cni.example.com/not-ready:NoExecute"],
    )

    assert violations(nodepool, V1_13) == ()


@pytest.mark.parametrize(
    ("requirement", "path", "value", "reason"),
    [
        ("team Like a", "operator", "Like", "Like is no operator"),
        ("karpenter.sh/fleet In a", "key", "karpenter.sh/fleet", "the label karpenter.sh/fleet is restricted: Karpenter keeps its domain for itself"),
        ("kubernetes.io/hostname In a", "key", "kubernetes.io/hostname", "the label kubernetes.io/hostname is restricted: Karpenter keeps its domain for itself"),
        ("team In a,b!", "values", "b!", "the value 'b!' may hold only letters, digits, -, _ and ., and begins and ends with a letter or digit"),
        ("team In", "values", "", "In needs a value"),
        ("team In a min 2", "minValues", "2", "minValues is 2, and there are 1 values"),
        ("team Gt x", "values", "x", "Gt needs one whole number that is not negative"),
        ("team Lt 1,2", "values", "1, 2", "Lt needs one whole number that is not negative"),
        ("team Gte", "values", "", "Gte needs one whole number that is not negative"),
        ("karpenter.sh/capacity-type In ondemand", "values", "ondemand", "karpenter.sh/capacity-type can only be on-demand, reserved, spot"),
        ("karpenter.k8s.aws/instance-tenancy In host", "values", "host", "karpenter.k8s.aws/instance-tenancy can only be dedicated, default"),
    ],
)  # fmt: skip
def test_a_requirement_is_refused_for_one_reason(requirement: str, path: str, value: str, reason: str) -> None:
    assert violations(a_nodepool(requirements=[requirement]), V1_13) == (Violation(f"{REQUIREMENTS}.{path}", value, reason),)


def test_a_capacity_type_that_does_not_exist_is_no_error_beside_one_that_does() -> None:
    assert violations(a_nodepool(requirements=["karpenter.sh/capacity-type In spot,ondemand"]), V1_13) == ()


def test_karpenter_sets_its_own_label_itself() -> None:
    label = a_nodepool(labels={"karpenter.sh/nodepool": "default"})
    requirement = a_nodepool(requirements=["karpenter.sh/nodepool In default"])

    assert [entry.field for entry in violations(label, V1_13)] == ["spec.template.metadata.labels[karpenter.sh/nodepool]"]
    assert [entry.field for entry in violations(requirement, V1_13)] == [f"{REQUIREMENTS}.key"]


def test_a_taint_may_not_be_there_twice_even_as_a_startup_taint() -> None:
    nodepool = a_nodepool(taints=["team=a:NoSchedule"], startup_taints=["team=b:NoSchedule", "team:NoExecute"])

    assert violations(nodepool, V1_13) == (
        Violation(
            "spec.template.spec.startupTaints[0]",
            "team=b:NoSchedule",
            "team:NoSchedule is there twice, among taints and startupTaints",
        ),
    )


def test_the_value_of_a_taint_must_be_a_name() -> None:
    assert violations(a_nodepool(taints=["team=-a:NoSchedule", "other:Evict"]), V1_13) == (
        Violation(
            "spec.template.spec.taints[0].value",
            "-a",
            "the value '-a' may hold only letters, digits, -, _ and ., and begins and ends with a letter or digit",
        ),
        Violation("spec.template.spec.taints[1].effect", "Evict", "Evict is no effect"),
    )


@pytest.mark.parametrize(
    ("requirement", "until", "since"),
    [
        ("cpu.kubernetes.io/kind In a", 1, 0),  # 1.9 gave Kubernetes' own domains free
        ("node.kubernetes.io/kind In a", 0, 0),
        ("team Gte 4", 1, 0),  # 1.9 brought Gte and Lte
        ("team Gt 4", 0, 0),
    ],
)
def test_karpenter_1_9_changed_what_is_refused(requirement: str, until: int, since: int) -> None:
    nodepool = a_nodepool(requirements=[requirement])

    assert (len(violations(nodepool, Version(1, 8))), len(violations(nodepool, Version(1, 9)))) == (until, since)


@pytest.mark.parametrize(("version", "refused"), [(Version(1, 4), 0), (Version(1, 5), 1), (None, 0)])
def test_the_values_of_capacity_types_are_looked_at_since_1_5(version: Version | None, refused: int) -> None:
    nodepool = a_nodepool(requirements=["karpenter.sh/capacity-type In ondemand"])

    assert len(violations(nodepool, version)) == refused


@pytest.mark.parametrize(
    ("key", "version", "refused"),
    [
        ("mykarpenter.sh/x", Version(1, 8), True),  # up to 1.8 a domain's end is enough
        ("mykarpenter.sh/x", Version(1, 9), False),
        ("kwok.x-k8s.io/node", Version(1, 8), True),
        ("my-node.kubernetes.io/x", Version(1, 8), False),  # so it is for the exceptions
        ("karpenter.k8s.aws/instance-new", Version(1, 13), True),
        ("karpenter.k8s.aws/instance-new", Version(1, 14), False),  # a later Karpenter may know it
        ("karpenter.k8s.aws/instance-new", None, False),
    ],
)
def test_a_label_is_restricted_as_its_version_has_it(key: str, version: Version | None, *, refused: bool) -> None:
    assert bool(violations(a_nodepool(labels={key: "a"}), version)) == refused


def test_the_labels_of_a_provider_that_is_not_known_are_its_own() -> None:
    unknown = NodeClassRef("GCENodeClass", "default", "karpenter.k8s.gcp")

    assert violations(a_nodepool(labels={"cloud.k8s.io/x": "a"}, node_class=unknown), Version(1, 8)) == ()


@pytest.mark.parametrize("text", ["9" * 5000, "0" * 5000 + "7", "-" + "0" * 5000, "\ud800" * 70])
def test_no_length_and_no_character_makes_it_fail(text: str) -> None:
    assert len(violations(a_nodepool(requirements=[f"team Gt {text}"], taints=[f"a={text}:NoSchedule"]), V1_13)) >= 1


@given(st.text(), st.text(), st.lists(st.text(), max_size=3), st.none() | st.integers(1, 50))
def test_nothing_that_is_written_makes_it_fail(key: str, operator: str, values: list[str], minimum: int | None) -> None:
    requirement = Requirement(key, operator, tuple(values), minimum)
    expression = NodeSelectorRequirement(key, operator, tuple(values))
    aws = provider_of("karpenter.k8s.aws")

    as_nodepools = list(requirement_violations(requirement, aws, V1_13, "", minimum))
    as_pods = list(requirement_violations(expression, aws, V1_13, ""))

    assert len(as_nodepools) >= len(as_pods)
