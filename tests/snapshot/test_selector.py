import re

import pytest

from karpenter_check.snapshot.selector import LabelSelector, LabelSelectorRequirement, parse_selector

LABELS = {"app": "web", "tier": "front", "example.com/team": "a"}


@pytest.mark.parametrize(
    ("text", "requirements"),
    [
        ("app=web", [("app", "In", ("web",))]),
        ("app==web", [("app", "In", ("web",))]),
        ("app = web", [("app", "In", ("web",))]),
        ("app=", [("app", "In", ("",))]),
        ("app!=web", [("app", "NotIn", ("web",))]),
        ("app in (web,api)", [("app", "In", ("web", "api"))]),
        ("app in(web, api)", [("app", "In", ("web", "api"))]),
        ("app notin (web)", [("app", "NotIn", ("web",))]),
        ("app", [("app", "Exists", ())]),
        ("!app", [("app", "DoesNotExist", ())]),
        ("! app", [("app", "DoesNotExist", ())]),
        ("example.com/team=a", [("example.com/team", "In", ("a",))]),
        (
            "a=b,c!=d, e in (f,g),h notin (i),j,!k",
            [
                ("a", "In", ("b",)),
                ("c", "NotIn", ("d",)),
                ("e", "In", ("f", "g")),
                ("h", "NotIn", ("i",)),
                ("j", "Exists", ()),
                ("k", "DoesNotExist", ()),
            ],
        ),
    ],
)
def test_a_selector_is_read_as_kubectl_reads_it(text: str, requirements: list[tuple[str, str, tuple[str, ...]]]) -> None:
    assert parse_selector(text) == LabelSelector(
        match_expressions=tuple(LabelSelectorRequirement(*requirement) for requirement in requirements)
    )


@pytest.mark.parametrize(
    ("text", "part"),
    [("", ""), ("a=b,", ""), ("a=b=c", "a=b=c"), ("a in b", "a in b"), ("-a", "-a"), ("a=b,c d", "c d"), ("a in (b", "a in (b")],
)
def test_the_part_that_is_no_selector_is_named(text: str, part: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(repr(part))} is not a label selector"):
        parse_selector(text)


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("app=web", True),
        ("app=api", False),
        ("app!=api", True),
        ("app!=web", False),
        ("absent!=web", True),
        ("absent=", False),
        ("app in (api,web)", True),
        ("app notin (api)", True),
        ("absent notin (api)", True),
        ("absent", False),
        ("!absent", True),
        ("!app", False),
        ("example.com/team", True),
        ("app=web,tier=back", False),
        ("app=web,tier=front", True),
    ],
)
def test_a_selector_matches_labels(text: str, matches: bool) -> None:  # noqa: FBT001  the expectation
    assert parse_selector(text).matches(LABELS) is matches


def test_an_empty_selector_matches_everything() -> None:
    assert LabelSelector().matches({})
    assert LabelSelector().matches(LABELS)


def test_labels_and_expressions_are_both_needed() -> None:
    front = LabelSelectorRequirement("tier", "In", ("front",))

    assert LabelSelector({"app": "web"}, (front,)).matches(LABELS)
    assert not LabelSelector({"app": "api"}, (front,)).matches(LABELS)
    assert not LabelSelector({"app": "web"}, (front,)).matches({"app": "web"})


def test_an_operator_that_does_not_exist_matches_nothing() -> None:
    assert not LabelSelectorRequirement("app", "Like", ("web",)).matches(LABELS)
