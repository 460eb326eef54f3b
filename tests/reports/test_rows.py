"""Which findings share a row of the table."""

from karpenter_check.finding import Finding, Ref, Severity
from karpenter_check.reports.rows import rows
from karpenter_check.reports.stories import stories_of
from karpenter_check.rules.node_expiry_herd import node_expiry_herd
from karpenter_check.rules.nodepool_without_limits import nodepool_without_limits
from karpenter_check.scan import Report, Result
from tests.build import a_cluster


def of_nodepool(name: str, severity: Severity = Severity.LOW, *, cause: str = "", caused_by: tuple[str, ...] = ()) -> Result:
    pool = Ref("NodePool", name, "karpenter.sh/v1")
    finding = Finding(object=pool, owner=pool, nodepool=name, message=f"{name} has none", cause=cause, severity=severity)
    return Result(nodepool_without_limits, finding, name, caused_by)


def of_daemonset(nodepool: str) -> Result:
    agent = Ref("DaemonSet", "agent", "apps/v1", "shop")
    finding = Finding(object=agent, owner=agent, nodepool=nodepool, message="m", cause="", severity=Severity.LOW)
    return Result(node_expiry_herd, finding, nodepool)


def shown(*results: Result) -> list[tuple[int, str, str, str]]:
    report = Report(a_cluster(), results=results)
    return [(row.depth, row.object, row.nodepool, row.message) for row in rows(stories_of(report))]


def each_alone(*results: Result) -> bool:
    return len(shown(*results)) == len(results)


def test_three_low_findings_of_one_rule_and_cause_share_a_row_with_their_number() -> None:
    assert shown(of_nodepool("a"), of_nodepool("b"), of_nodepool("c")) == [
        (0, "3 NodePools", "3 NodePools", "a has none; and 2 more")
    ]


def test_an_object_that_they_have_in_common_is_named() -> None:
    assert shown(of_daemonset("a"), of_daemonset("b"), of_daemonset("c")) == [
        (0, "DaemonSet shop/agent", "3 NodePools", "m; and 2 more")
    ]


def test_they_stand_where_the_first_of_them_does() -> None:
    alike = [of_nodepool(name) for name in "abc"]

    assert [object_ for _, object_, _, _ in shown(alike[0], of_daemonset("x"), *alike[1:])] == [
        "3 NodePools",
        "DaemonSet shop/agent",
    ]


def test_two_are_told_each_for_itself() -> None:
    assert each_alone(of_nodepool("a"), of_nodepool("b"))


def test_what_is_worse_than_low_is_told_each_for_itself() -> None:
    assert each_alone(*(of_nodepool(name, Severity.MEDIUM) for name in "abc"))


def test_what_has_another_cause_or_severity_is_told_for_itself() -> None:
    assert each_alone(of_nodepool("a"), of_nodepool("b"), of_nodepool("c", cause="other"), of_nodepool("d", Severity.INFO))


def test_what_something_follows_from_or_what_follows_is_told_for_itself() -> None:
    followed, follows = of_nodepool("a"), of_nodepool("effect", caused_by=("a",))

    assert each_alone(followed, follows, of_nodepool("b"), of_nodepool("c"))
