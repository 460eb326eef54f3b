"""Which findings are told under which."""

from collections.abc import Iterator
from typing import ClassVar

from karpenter_check.finding import Finding, Impact, Ref, Severity
from karpenter_check.reports.stories import Stories, stories_of
from karpenter_check.rules.node_expiry_herd import node_expiry_herd
from karpenter_check.scan import Report, Result
from tests.build import a_cluster


def a_result(name: str, severity: Severity = Severity.LOW, *, caused_by: tuple[str, ...] = (), impact: Impact = Impact()) -> Result:
    owner = Ref("Deployment", name, "apps/v1", "shop")
    finding = Finding(object=owner, owner=owner, message="", cause="", severity=severity, impact=impact)
    return Result(node_expiry_herd, finding, name, caused_by)


def stories(*results: Result) -> Stories:
    return stories_of(Report(a_cluster(), results=results))


def told(*results: Result) -> list[tuple[int, str]]:
    return [(depth, result.fingerprint) for depth, result in stories(*results).in_order()]


def test_a_finding_is_told_below_the_one_that_explains_it() -> None:
    assert told(
        a_result("root"), a_result("other"), a_result("leaf", caused_by=("branch",)), a_result("branch", caused_by=("root",))
    ) == [
        (0, "root"),
        (1, "branch"),
        (2, "leaf"),
        (0, "other"),
    ]


def test_the_worst_that_is_told_in_a_story_says_where_the_story_stands() -> None:
    assert told(a_result("low"), a_result("root"), a_result("leaf", Severity.CRITICAL, caused_by=("root",))) == [
        (0, "root"),
        (1, "leaf"),
        (0, "low"),
    ]


def test_of_equally_bad_stories_the_one_that_hits_most_nodes_comes_first_and_then_the_one_that_hits_most_pods() -> None:
    root = a_result("root", impact=Impact(nodes=1, pods=9))
    leaf = a_result("leaf", caused_by=("root",), impact=Impact(nodeclaims=57))

    assert [
        name
        for depth, name in told(
            a_result("unknown"),
            a_result("two-pods", impact=Impact(nodes=3, pods=2)),
            a_result("five-pods", impact=Impact(nodes=3, pods=5)),
            root,
            leaf,
        )
        if depth == 0
    ] == ["root", "five-pods", "two-pods", "unknown"]


def test_a_finding_with_two_causes_is_told_under_the_first_that_is_shown() -> None:
    assert told(a_result("b"), a_result("c"), a_result("effect", caused_by=("hidden", "c", "b"))) == [
        (0, "b"),
        (0, "c"),
        (1, "effect"),
    ]


def test_a_finding_whose_causes_are_hidden_is_a_root() -> None:
    lonely = a_result("lonely", caused_by=("hidden",))

    assert stories(lonely).roots == (lonely,)


class Counted(tuple[str, ...]):
    """Causes that count how often they are asked for."""

    __slots__ = ()
    asked: ClassVar[list[str]] = []

    def __iter__(self) -> Iterator[str]:
        self.asked.extend(self[:1])
        return super().__iter__()


def test_each_finding_is_asked_for_its_causes_once() -> None:
    results = [a_result("root"), *(a_result(f"effect-{place}", caused_by=Counted(("root",))) for place in range(20))]

    assert len(told(*results)) == 21
    assert len(Counted.asked) == 20
