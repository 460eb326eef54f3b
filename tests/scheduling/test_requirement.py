import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from karpenter_check.scheduling.requirement import Requirement
from karpenter_check.scheduling.requirements import Requirements

law = settings(derandomize=True, deadline=None)
ALPHABET = ("a", "b", "1", "2", "3", "4", "-1", "")
FRESH = "never mentioned"


def allows(requirement: Requirement, value: str) -> bool:
    """Whether a label of that value satisfies the requirement, said without any set algebra."""
    if (value in requirement.values) == requirement.complement:
        return False
    if requirement.at_least is None and requirement.at_most is None:
        return True
    if value not in {"1", "2", "3", "4", "-1"}:
        return False
    lower = -9 if requirement.at_least is None else requirement.at_least
    upper = 9 if requirement.at_most is None else requirement.at_most
    return lower <= int(value) <= upper


lists = st.lists(st.sampled_from(ALPHABET), max_size=4)
written = st.one_of(
    st.builds(Requirement.of, st.just("key"), st.sampled_from(["In", "NotIn"]), lists),
    st.builds(Requirement.of, st.just("key"), st.sampled_from(["Exists", "DoesNotExist"])),
    st.builds(
        Requirement.of,
        st.just("key"),
        st.sampled_from(["Gt", "Lt", "Gte", "Lte"]),
        st.sampled_from(["0", "1", "2", "3"]).map(lambda bound: [bound]),
    ),
)
requirements = st.one_of(written, st.builds(Requirement.intersection, written, written))


@law
@given(requirements, requirements)
def test_intersection_is_commutative(one: Requirement, other: Requirement) -> None:
    assert one.intersection(other) == other.intersection(one)
    assert one.has_intersection(other) == other.has_intersection(one)


@law
@given(requirements, requirements, requirements)
def test_intersection_is_associative(one: Requirement, two: Requirement, three: Requirement) -> None:
    assert one.intersection(two).intersection(three) == one.intersection(two.intersection(three))


@law
@given(requirements)
def test_intersection_with_itself_or_with_exists_changes_nothing(one: Requirement) -> None:
    assert one.intersection(one) == one
    assert one.intersection(Requirement.of("key", "Exists")) == one


@law
@given(requirements)
def test_nothing_is_left_beside_does_not_exist(one: Requirement) -> None:
    nothing = Requirement.of("key", "DoesNotExist")

    assert one.intersection(nothing) == nothing
    assert not one.has_intersection(nothing)


@law
@given(requirements, requirements, st.sampled_from((*ALPHABET, FRESH)))
def test_an_intersection_allows_what_both_allow(one: Requirement, other: Requirement, value: str) -> None:
    assert allows(one.intersection(other), value) == (allows(one, value) and allows(other, value))


@law
@given(requirements, requirements)
def test_two_requirements_meet_where_some_value_satisfies_both(one: Requirement, other: Requirement) -> None:
    shared = any(allows(one, value) and allows(other, value) for value in (*ALPHABET, FRESH))

    if one.complement and other.complement:  # Karpenter then looks at the bounds alone, and takes the values for endless
        assert one.has_intersection(other) or not shared
    else:
        assert one.has_intersection(other) == shared


@law
@given(
    st.lists(requirements, min_size=1, max_size=4).flatmap(lambda several: st.tuples(st.just(several), st.permutations(several)))
)
def test_the_order_in_which_requirements_are_written_does_not_matter(
    orders: tuple[list[Requirement], list[Requirement]],
) -> None:
    one, other = orders

    assert Requirements.of(one) == Requirements.of(other)


@pytest.mark.parametrize(
    ("operator", "values", "reads_as"),
    [
        ("In", ["a", "b"], ("In", "key In [a, b]")),
        ("In", [], ("DoesNotExist", "key DoesNotExist")),
        ("NotIn", ["b"], ("NotIn", "key NotIn [b]")),
        ("NotIn", [], ("Exists", "key Exists")),
        ("Exists", [], ("Exists", "key Exists")),
        ("DoesNotExist", [], ("DoesNotExist", "key DoesNotExist")),
        ("Gt", ["4"], ("Exists", "key >= 5")),
        ("Gte", ["4"], ("Exists", "key >= 4")),
        ("Lt", ["4"], ("Exists", "key <= 3")),
        ("Lte", ["4"], ("Exists", "key <= 4")),
        ("Gt", ["four"], ("Exists", "key >= 1")),
        ("Lt", ["1_0"], ("Exists", "key <= -1")),
        ("Gt", ["9223372036854775807"], ("DoesNotExist", "key DoesNotExist")),
        ("Gt", ["9223372036854775808"], ("Exists", "key >= 1")),
        ("In", list("gfedcba"), ("In", "key In [a, b, c, d, e, …]")),
    ],
)
def test_a_requirement_reads_as(operator: str, values: list[str], reads_as: tuple[str, str]) -> None:
    requirement = Requirement.of("key", operator, values)

    assert (requirement.operator, str(requirement)) == reads_as


def test_both_bounds_are_shown() -> None:
    assert str(Requirement.of("cpu", "Gt", ["2"]).intersection(Requirement.of("cpu", "Lt", ["9"]))) == "cpu >= 3 and <= 8"


@pytest.mark.parametrize(
    ("template", "pod", "meet"),
    [
        (("In", "a,b"), ("In", "b,c"), True),
        (("In", "a"), ("In", "b"), False),
        (("In", "a"), ("Exists", ""), True),
        (("In", "a"), ("DoesNotExist", ""), False),
        (("In", "a,b"), ("NotIn", "a"), True),
        (("In", "a"), ("NotIn", "a"), False),
        (("Exists", ""), ("In", "a"), True),
        (("Exists", ""), ("DoesNotExist", ""), False),
        (("NotIn", "a"), ("In", "a"), False),
        (("NotIn", "a"), ("NotIn", "b"), True),
        (("DoesNotExist", ""), ("Exists", ""), False),
        (("In", "a"), ("Gt", "1"), False),
        (("In", "3"), ("Gt", "2"), True),
        (("In", "3"), ("Gt", "3"), False),
        (("In", "3"), ("Gte", "3"), True),
        (("In", "03"), ("Lt", "4"), True),
        (("Gt", "2"), ("Lt", "4"), True),
        (("Gt", "3"), ("Lt", "4"), False),
    ],
)
def test_template_and_pod_meet(template: tuple[str, str], pod: tuple[str, str], meet: bool) -> None:  # noqa: FBT001  the expectation
    one, other = (Requirement.of("key", operator, values.split(",") if values else ()) for operator, values in (template, pod))

    assert one.has_intersection(other) is meet
    assert bool(one.intersection(other).values or one.intersection(other).complement) is meet
