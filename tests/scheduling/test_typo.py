"""Which label was probably meant."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from karpenter_check.scheduling.labels import provider_of
from karpenter_check.scheduling.refusal import UndefinedLabel
from karpenter_check.scheduling.requirement import Requirement
from karpenter_check.scheduling.typo import probably_meant

KNOWN = provider_of("karpenter.k8s.aws").well_known
ZONE, CAPACITY_TYPE, NODEPOOL = "topology.kubernetes.io/zone", "karpenter.sh/capacity-type", "karpenter.sh/nodepool"
keys = st.sampled_from(["", "/", "team", "example.com/team", "example.com/", ZONE, CAPACITY_TYPE]) | st.text()


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("zone", ZONE),  # the same name in another domain
        ("kubernetes.io/zone", ZONE),
        ("karpenter.k8s.aws/capacity-type", CAPACITY_TYPE),
        ("nodepool", NODEPOOL),
        ("karpenter.sh/capacity", CAPACITY_TYPE),  # a part of it
        ("capacity-typ", CAPACITY_TYPE),
        ("karpenter.sh/capacity-tpye", CAPACITY_TYPE),  # a letter or two
        ("capacity_type", CAPACITY_TYPE),
        ("karpenter.sh/nodepol", NODEPOOL),
        ("topology.kubernets.io/zone", ZONE),
        ("karpenter.k8s.aws/instance-famliy", "karpenter.k8s.aws/instance-family"),
        ("heavy", ""),
        ("example.com/purpose", ""),
        ("tea", ""),  # too short to be a part of something
        ("", ""),
    ],
)
def test_of_the_labels_that_karpenter_knows_this_one_was_meant(written: str, meant: str) -> None:
    assert probably_meant(written, (), KNOWN) == meant


@pytest.mark.parametrize(
    ("written", "declared", "meant"),
    [
        ("example.com/team", ["team"], "team"),
        ("team", ["example.com/team"], "example.com/team"),
        ("tean-name", ["team-name"], "team-name"),
        ("front", ["frontier"], "frontier"),
        ("team", ["owner", "tier"], ""),
        ("team", ["TEAM"], ""),
        ("team", [], ""),
        ("team", ["team"], ""),  # it is there: whatever is wrong, it is no slip
    ],
)
def test_of_the_labels_that_the_nodepool_declares_this_one_was_meant(written: str, declared: list[str], meant: str) -> None:
    assert probably_meant(written, declared) == meant


def test_what_is_declared_is_meant_before_what_karpenter_knows() -> None:
    assert probably_meant("zone", ["example.com/zone"], KNOWN) == "example.com/zone"
    assert probably_meant("zone", ["team"], KNOWN) == ZONE


def test_the_same_name_is_meant_before_a_likeness_and_the_first_of_equals() -> None:
    assert probably_meant("team", ["teams", "z.example.com/team", "a.example.com/team"]) == "a.example.com/team"


def test_a_refusal_tells_what_was_meant() -> None:
    asked = Requirement.of("zone", "In", ["eu-west-1a"])

    assert str(UndefinedLabel(asked, (), KNOWN)) == f"needs zone In [eu-west-1a], which is not declared (typo of {ZONE}?)"
    assert str(UndefinedLabel(asked)) == "needs zone In [eu-west-1a], which is not declared"


@settings(derandomize=True, deadline=None)
@given(keys, st.lists(keys, max_size=4), st.lists(keys, max_size=4))
def test_what_was_meant_is_another_key_that_is_there_or_nothing(written: str, declared: list[str], known: list[str]) -> None:
    meant = probably_meant(written, declared, known)

    assert not meant or meant in {*declared, *known} - {written}
    assert meant == probably_meant(written, declared[::-1], known[::-1])


def test_a_short_name_hints_at_nothing_and_of_several_the_shortest_key_is_meant() -> None:
    assert probably_meant("acme.io/e", (), {"karpenter.sh/capacity-type"}) == ""
    assert probably_meant("acme.io/", (), {"karpenter.sh/capacity-type"}) == ""
    assert probably_meant("capacity", (), {"karpenter.k8s.aws/capacity-reservation-id", "karpenter.sh/capacity-type"}) == (
        "karpenter.sh/capacity-type"
    )
