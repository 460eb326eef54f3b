import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from karpenter_check.scheduling.labels import Provider, provider_of
from karpenter_check.scheduling.requirement import Requirement, atoi
from karpenter_check.scheduling.requirements import Requirements

law = settings(derandomize=True, deadline=None)
ALPHABET = ("a", "b", "1", "2", "3", "4", "-1", "")
FRESH = "never mentioned"
OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt", "Gte", "Lte")
PROVIDERS = {
    name: provider_of(group)
    for name, group in {
        "AWS": "karpenter.k8s.aws",
        "kwok": "karpenter.kwok.sh",
        "EKS Auto Mode": "eks.amazonaws.com",
        "Azure": "karpenter.azure.com",
        "an unknown provider": "karpenter.k8s.gcp",
        "no provider named": "",
    }.items()
}


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
minimums = st.none() | st.integers(1, 3)
written = st.one_of(
    st.builds(Requirement.of, st.just("key"), st.sampled_from(["In", "NotIn"]), lists, minimums),
    st.builds(Requirement.of, st.just("key"), st.sampled_from(["Exists", "DoesNotExist"]), st.just(()), minimums),
    st.builds(
        Requirement.of,
        st.just("key"),
        st.sampled_from(["Gt", "Lt", "Gte", "Lte"]),
        st.sampled_from(["0", "1", "2", "3"]).map(lambda bound: [bound]),
        minimums,
    ),
)
requirements = st.one_of(written, st.builds(Requirement.intersection, written, written))
keys = st.sampled_from(["team", "example.com/team", "beta.kubernetes.io/os", "kubernetes.io/os", "karpenter.sh/", "/"]) | st.text()
texts = st.sampled_from(["3", "-3", "+3", "03", "9223372036854775808", "٣", "3\n"]) | st.text()
anything = st.builds(Requirement.of, keys, st.sampled_from(OPERATORS) | st.text(), st.lists(texts, max_size=3), minimums)


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

    assert one.intersection(nothing) == Requirement.of("key", "DoesNotExist", min_values=one.min_values)
    assert not one.has_intersection(nothing)


@law
@given(requirements, requirements)
def test_two_requirements_meet_where_their_intersection_is_not_nothing(one: Requirement, other: Requirement) -> None:
    """A complement is never empty, however narrow its bounds: Karpenter takes it for endless."""
    assert one.has_intersection(other) == (one.intersection(other).operator != "DoesNotExist")


@law
@given(requirements, requirements)
def test_an_intersection_asks_for_the_larger_minimum_of_values(one: Requirement, other: Requirement) -> None:
    asked = [minimum for minimum in (one.min_values, other.min_values) if minimum is not None]

    assert one.intersection(other).min_values == max(asked, default=None)


@law
@given(requirements, requirements)
def test_an_intersection_meets_both_sides_unless_it_is_nothing(one: Requirement, other: Requirement) -> None:
    common = one.intersection(other)

    assert common.intersection(one) == common == common.intersection(other)
    if common.operator != "DoesNotExist":
        assert common.has_intersection(one)
        assert common.has_intersection(other)


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


@pytest.mark.parametrize("provider", PROVIDERS.values(), ids=PROVIDERS)
def test_a_label_that_is_normalised_stays_as_it_is(provider: Provider) -> None:
    keys = [*provider.normalized, *provider.normalized.values(), *provider.well_known, "team"]

    assert [provider.normalize(provider.normalize(key)) for key in keys] == [provider.normalize(key) for key in keys]


@law
@given(texts)
def test_only_ascii_digits_with_a_sign_are_a_number(text: str) -> None:
    digits = text.removeprefix("-").removeprefix("+") if text[:2] != "-+" else ""
    number = int(text) if digits.isascii() and digits.isdigit() else None

    assert atoi(text) == (number if number is not None and -(2**63) <= number < 2**63 else None)


@law
@given(anything)
def test_whatever_is_written_can_be_read_and_shown(requirement: Requirement) -> None:
    assert requirement.operator in {"In", "NotIn", "Exists", "DoesNotExist"}
    assert str(requirement).startswith(requirement.key)


@law
@given(
    st.sampled_from([*PROVIDERS, "a real node"]).map(PROVIDERS.get), st.lists(anything, max_size=4), st.lists(anything, max_size=4)
)
def test_whatever_two_sides_say_there_is_an_answer(
    provider: Provider | None, declared: list[Requirement], asked: list[Requirement]
) -> None:
    template, pod = Requirements.of(declared), Requirements.of(asked)
    refused = list(template.refusals(pod, provider))

    assert {refusal.key for refusal in refused} <= pod.by_key.keys()
    assert all(refusal.key in str(refusal) and refusal.cause == f"label:{refusal.key}" for refusal in refused)


@law
@given(st.lists(anything, max_size=4))
def test_requirements_of_one_key_become_one(several: list[Requirement]) -> None:
    together = Requirements.of(several)

    assert list(together.by_key) == list(dict.fromkeys(entry.key for entry in several))
    assert Requirements.of(together.by_key.values()) == together


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
        ("Gt", ["9223372036854775808"], ("DoesNotExist", "key DoesNotExist")),
        ("Gt", ["9" * 5000], ("DoesNotExist", "key DoesNotExist")),  # Python itself refuses to read so long a number
        ("Gt", ["0" * 5000 + "4"], ("Exists", "key >= 5")),
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
