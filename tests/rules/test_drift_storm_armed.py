"""Images that choose themselves while nothing bounds drift."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from karpenter_check.finding import Confidence, Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity
from karpenter_check.rules.drift_storm_armed import drift_storm_armed
from karpenter_check.scan import Outcome, scan
from karpenter_check.snapshot import Kind, NodePool, Snapshot, Status
from karpenter_check.snapshot.metadata import Condition
from karpenter_check.snapshot.nodepool import Budget, NodeClassRef, SelectorTerm
from tests.build import Thing, a_cluster, a_node, a_node_class, a_nodeclaim, a_nodepool, ago

POOL = Ref("NodePool", "default", "karpenter.sh/v1")
LATEST = SelectorTerm(alias="al2023@latest")
WORKING_HOURS = Budget("0", "0 8 * * 1-5", duration="10h")
"""As permission is often meant: nothing in working hours, and nothing said of the others. `NOON` is a Saturday."""
ANY_HOUR = "a new al2023 image of AWS' drifts all 4 nodes; no budget bounds how many are replaced at once at any hour"


def found(cluster: Snapshot) -> list[Finding]:
    return list(drift_storm_armed(cluster))


def messages(cluster: Snapshot) -> list[str]:
    return [finding.message for finding in found(cluster)]


def of_budgets(*budgets: Budget, term: SelectorTerm = LATEST, nodes: int = 4) -> Snapshot:
    """A NodePool with these budgets and nodes, whose images are chosen by that term."""
    return a_cluster(a_nodepool(budgets=budgets), a_node_class(images_by=[term]), *(a_node(f"n{place}") for place in range(nodes)))


def test_a_latest_image_while_no_budget_holds_is_found() -> None:
    cluster = of_budgets(WORKING_HOURS)
    (pool,) = cluster.nodepools

    assert found(cluster) == [
        Finding(
            object=POOL,
            owner=POOL,
            nodepool="default",
            cause="armed",
            severity=Severity.MEDIUM,
            confidence=Confidence.CERTAIN,
            message=(
                "a new al2023 image of AWS' drifts all 4 nodes; "
                "no budget bounds how many are replaced at once now and until 2026-11-23 08:00Z"
            ),
            why=(
                "EC2NodeClass default selects by alias al2023@latest; no budget of the NodePool holds for Drifted now and until "
                "2026-11-23 08:00Z, and 5 more times in the days ahead; Karpenter then begins with another drifted node about "
                "every ten seconds, its replacement first, and PodDisruptionBudgets alone slow it down"
            ),
            cost="4 nodes and their pods, when nobody chose the time",
            impact=Impact(nodes=4),
            evidence=(
                Evidence(Ref("EC2NodeClass", "default", "karpenter.k8s.aws/v1"), "spec.amiSelectorTerms", "alias al2023@latest"),
                Evidence(POOL, "spec.disruption.budgets", '[{"nodes":"0","schedule":"0 8 * * 1-5","duration":"10h"}]'),
            ),
            occurrences=(Occurrence(POOL, pool.metadata.uid, "", "armed"),),
            fix=(
                Fix(
                    "fix",
                    "kubectl patch nodepool default --type json -p "
                    """'[{"op":"add","path":"/spec/disruption/budgets/-","value":{"nodes":"10%","reasons":["Drifted"]}}]'""",
                    "a budget without a schedule bounds drift at every hour",
                ),
                Fix(
                    "or",
                    "kubectl edit ec2nodeclass default",
                    "select the image that the nodes run now: an alias with a version, or an id",
                    "any other image drifts them",
                ),
                Fix("verify", "karpenter-check scan --select drift-storm-armed --nodepool default"),
            ),
        )
    ]


@pytest.mark.parametrize(
    "budgets",
    [
        [],
        [Budget("10%", reasons=("Empty", "Underutilized"))],
        [Budget("100%")],
        [Budget("10%", reasons=())],
    ],
    ids=["no budget at all", "none for drift", "all of them", "one for no reason"],
)
def test_a_nodepool_that_never_bounds_drift_is_found(budgets: Sequence[Budget]) -> None:
    assert messages(of_budgets(*budgets)) == [ANY_HOUR]


def test_a_budget_of_everything_is_named() -> None:
    (finding,) = found(of_budgets(Budget("100%")))

    assert "; spec.disruption.budgets[0] lets 100% go at any hour; " in finding.why


def test_a_time_that_lies_ahead_is_told() -> None:
    weekend = Budget("1", "0 0 * * 6", duration="48h")

    assert messages(of_budgets(weekend)) == [
        (
            "a new al2023 image of AWS' drifts all 4 nodes; "
            "no budget bounds how many are replaced at once from 2026-11-23 00:00Z to 2026-11-28 00:00Z"
        )
    ]


@pytest.mark.parametrize(
    "budgets",
    [
        [Budget()],
        [Budget("10%", reasons=("Drifted",))],
        [WORKING_HOURS, Budget("1")],
        [Budget("0")],
        [Budget("not a number")],
    ],
    ids=["the default", "one for drift", "one for all other hours", "nothing goes", "one that Karpenter cannot read"],
)
def test_a_budget_that_always_holds_bounds_it(budgets: Sequence[Budget]) -> None:
    assert found(of_budgets(*budgets)) == []


@pytest.mark.parametrize(
    "term",
    [
        SelectorTerm(alias="al2023@v20240807"),
        SelectorTerm(alias="bottlerocket@v1.20.3"),
        SelectorTerm(),
        SelectorTerm(name="acme-2026-11-01"),
        SelectorTerm(name="acme-2026-11-01", tags={"team": "search"}),
        SelectorTerm(ssm_parameter="/aws/service/bottlerocket/aws-k8s-1.31/x86_64/1.26.1/image_id"),
    ],
    ids=["an alias with a version", "Bottlerocket's", "an id", "a name", "a name and tags", "a parameter of one release"],
)
def test_an_image_that_is_pinned_stays(term: SelectorTerm) -> None:
    assert found(of_budgets(term=term)) == []


@pytest.mark.parametrize(
    ("term", "by", "severity", "confidence"),
    [
        (SelectorTerm(alias="bottlerocket@latest"), "a new bottlerocket image of AWS'", Severity.MEDIUM, Confidence.CERTAIN),
        (SelectorTerm(name="acme-*"), "a new image of such a name", Severity.MEDIUM, Confidence.LIKELY),
        (SelectorTerm(name="acme-2026-11-0?"), "a new image of such a name", Severity.MEDIUM, Confidence.LIKELY),
        (SelectorTerm(tags={"team": "search"}), "a new image with these tags", Severity.LOW, Confidence.POSSIBLE),
        (SelectorTerm(ssm_parameter="/acme/image"), "a new value of that parameter", Severity.LOW, Confidence.POSSIBLE),
        (
            SelectorTerm(
                ssm_parameter="/aws/service/eks/optimized-ami/1.31/amazon-linux-2023/x86_64/standard/recommended/image_id"
            ),
            "a new image of AWS'",
            Severity.MEDIUM,
            Confidence.CERTAIN,
        ),
    ],
    ids=[
        "Bottlerocket's",
        "a pattern",
        "a pattern of one letter",
        "tags",
        "a parameter of one's own",
        "a parameter of AWS' releases",
    ],
)
def test_how_bad_it_is_depends_on_who_moves_the_image(
    term: SelectorTerm, by: str, severity: Severity, confidence: Confidence
) -> None:
    (finding,) = found(of_budgets(term=term))

    assert (finding.message.partition(" drifts ")[0], finding.severity, finding.confidence) == (by, severity, confidence)


def test_of_several_terms_the_one_that_moves_most_is_told() -> None:
    terms = [SelectorTerm(tags={"team": "search"}), SelectorTerm(name="acme-1"), SelectorTerm(name="acme-*")]
    nodes = (a_node(f"n{place}") for place in range(4))
    (finding,) = found(a_cluster(a_nodepool(budgets=[]), a_node_class(images_by=terms), *nodes))

    assert finding.evidence[0].value == "name acme-*"


def test_windows_images_cannot_be_pinned() -> None:
    (finding,) = found(of_budgets(term=SelectorTerm(alias="windows2022@latest")))

    assert [fix.step for fix in finding.fix] == ["fix", "verify"]


def test_two_nodes_make_no_storm() -> None:
    assert found(of_budgets(nodes=2)) == []


def test_a_nodepool_without_nodes_makes_no_storm() -> None:
    cluster = of_budgets(nodes=0)

    assert found(cluster) == []
    assert list(drift_storm_armed(cluster, minimum_nodes=0)) == []


def test_minimum_nodes_sets_how_many_make_one() -> None:
    assert len(list(drift_storm_armed(of_budgets(nodes=2), minimum_nodes=2))) == 1


def test_look_ahead_sets_how_far_it_looks() -> None:
    weekend = Budget("1", "0 0 * * 6", duration="48h")

    assert list(drift_storm_armed(of_budgets(weekend), look_ahead=timedelta(days=1))) == []
    (finding,) = drift_storm_armed(of_budgets(weekend), look_ahead=timedelta(days=2))
    assert finding.message.endswith("at once from 2026-11-23 00:00Z on")


def test_a_nodepool_that_goes_away_is_fine() -> None:
    cluster = a_cluster(
        a_nodepool(budgets=[], deleted="1m"), a_node_class(images_by=[LATEST]), *(a_node(f"n{place}") for place in range(4))
    )

    assert found(cluster) == []


def of_class(pool: NodePool) -> Snapshot:
    return a_cluster(pool, a_node_class(images_by=[LATEST]), *(a_node(f"n{place}") for place in range(4)))


def test_a_node_class_that_is_not_there_says_nothing() -> None:
    assert found(of_class(a_nodepool(budgets=[], node_class=NodeClassRef("EC2NodeClass", "gone", "karpenter.k8s.aws")))) == []


def test_without_node_classes_it_is_not_judged() -> None:
    cluster = a_cluster(a_nodepool(budgets=[]), a_node("n1"), missing={Kind.NODECLASS: Status.FORBIDDEN})
    (run,) = scan(cluster, [drift_storm_armed]).runs

    assert run.outcome is Outcome.SKIPPED


def going(place: int, *conditions: Condition, deleted: str = "") -> list[Thing]:
    return [a_node(f"n{place}", age="9h"), a_nodeclaim(node=f"n{place}", age="9h", conditions=conditions, deleted=deleted)]


def a_drift(reason: str = "AMIDrift") -> Condition:
    return Condition("Drifted", "True", reason, reason, ago("20m"))


BEGUN = Condition("DisruptionReason", "True", "Drifted", "Drifted", ago("5m"))


def a_storm(*budgets: Budget, drifted: Sequence[Condition] = (a_drift(),), of: int = 6, others: int = 6) -> Snapshot:
    first = [*going(0, *drifted, BEGUN, deleted="1m")]
    rest = [thing for place in range(1, of) for thing in going(place, *drifted)]
    still = (a_node(f"still{place}", age="9h") for place in range(others))
    return a_cluster(a_nodepool(budgets=budgets), a_node_class(), *first, *rest, *still)


def test_a_storm_that_runs_is_found() -> None:
    (finding,) = found(a_storm())

    assert (finding.cause, finding.severity, finding.message, finding.why, finding.since) == (
        "running",
        None,
        "6 of 12 nodes are being replaced at once, and no budget bounds it",
        (
            "Drifted: AMIDrift; Karpenter has begun with 1 of them, and begins with another about every ten seconds, "
            "its replacement first; PodDisruptionBudgets alone slow it down"
        ),
        ago("20m"),
    )
    assert [entry.node for entry in finding.occurrences] == ["n0", "n1", "n2", "n3", "n4", "n5"]
    assert finding.fix[0] == Fix(
        "stop",
        "kubectl patch nodepool default --type json -p "
        """'[{"op":"add","path":"/spec/disruption/budgets/-","value":{"nodes":"0","reasons":["Drifted"]}}]'""",
        risk="no drifted node is replaced until you take it out; those begun with still go",
    )


def test_many_that_are_replaced_for_an_edit_are_a_storm_too() -> None:
    things = [thing for place in range(4) for thing in going(place, a_drift("NodePoolDrifted"), BEGUN)]

    assert [finding.cause for finding in found(a_cluster(a_nodepool(budgets=[]), a_node_class(), *things))] == ["running"]


def test_nodes_that_drifted_for_an_edit_and_wait_are_no_storm() -> None:
    assert found(a_storm(drifted=[a_drift("NodePoolDrifted")])) == []


def test_nodes_that_something_keeps_are_not_being_replaced() -> None:
    drifted = a_drift()
    kept = [
        thing
        for place in range(6)
        for thing in (
            a_node(f"n{place}", age="9h", do_not_disrupt="true"),
            a_nodeclaim(node=f"n{place}", age="9h", conditions=[drifted]),
        )
    ]
    begun = going(7, drifted, BEGUN)

    assert found(a_cluster(a_nodepool(budgets=[]), a_node_class(), *kept)) == []
    assert found(a_cluster(a_nodepool(budgets=[]), a_node_class(), *kept, *begun)) == []


def test_a_storm_that_has_not_begun_does_not_run() -> None:
    things = [thing for place in range(6) for thing in going(place, a_drift())]

    assert found(a_cluster(a_nodepool(budgets=[]), a_node_class(), *things)) == []
    assert [finding.cause for finding in found(a_cluster(a_nodepool(budgets=[]), a_node_class(images_by=[LATEST]), *things))] == [
        "armed"
    ]


def test_a_budget_that_holds_now_keeps_it_a_roll_out() -> None:
    assert found(a_storm(Budget())) == []
    assert found(a_storm(Budget("1", "0 0 * * 6", duration="48h"))) == []


def test_a_few_of_many_are_no_storm() -> None:
    assert found(a_storm(of=3, others=20)) == []


def test_running_share_sets_how_many_are() -> None:
    assert [finding.cause for finding in drift_storm_armed(a_storm(of=3, others=20), running_share=0.1)] == ["running"]


def test_one_that_does_not_look_ahead_sees_nothing_coming() -> None:
    assert list(drift_storm_armed(a_storm(drifted=()), look_ahead=timedelta())) == []
