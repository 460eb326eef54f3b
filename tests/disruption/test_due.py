"""Why a node has to go, and how bad it is that something keeps it."""

from datetime import timedelta

from karpenter_check.disruption.due import Due, Way, due
from karpenter_check.finding import Confidence, Severity
from karpenter_check.snapshot.metadata import Condition
from tests.build import Thing, a_cluster, a_node, a_nodeclaim, a_nodepool, a_pod, ago

CONSOLIDATABLE = Condition("Consolidatable", "True", last_transition_time=ago("20m"))
DRIFTED = Condition("Drifted", "True", "NodePoolDrifted", last_transition_time=ago("3h"))


def why(*things: Thing, look_ahead: timedelta = timedelta(days=7)) -> tuple[Due, ...]:
    """Why `n1` has to go."""
    cluster = a_cluster(a_nodepool(consolidate_after="15s"), *things)
    return due(cluster, cluster.nodes[0], look_ahead)


def test_a_node_that_nothing_wants_gone_may_stay() -> None:
    assert why(a_node("n1"), a_nodeclaim(), a_pod("web", on="n1")) == ()


def test_a_node_that_is_nobodys_may_stay() -> None:
    assert why(a_node("n1", pool="", deleted="1h")) == ()


def test_a_node_that_is_deleted_without_a_forced_end_is_the_most_urgent() -> None:
    claim = a_nodeclaim(deleted="5m", termination_grace_period="", conditions=[DRIFTED])

    assert why(a_node("n1", deleted="5m"), claim) == (
        Due(Way.TERMINATING, "being deleted, and nothing ends its drain by force", ago("5m"), Severity.HIGH),
    )


def test_a_node_that_is_deleted_alone_counts_as_well() -> None:
    assert [(entry.way, entry.at) for entry in why(a_node("n1", deleted="5m"), a_nodeclaim())] == [(Way.TERMINATING, ago("5m"))]


def test_a_forced_end_makes_it_less_bad() -> None:
    claim = a_nodeclaim(deleted="5m", termination_grace_period="1h")

    assert why(a_node("n1", deleted="5m"), claim) == (
        Due(Way.TERMINATING, "being deleted, and its pods go by force at 2026-11-21 12:55Z", ago("5m"), Severity.MEDIUM),
    )


def test_a_node_expires_within_the_look_ahead() -> None:
    claim = a_nodeclaim(age="1h", expire_after="49h", termination_grace_period="")

    assert why(a_node("n1"), claim) == (
        Due(Way.EXPIRING, "expires at 2026-11-23 12:00Z without a terminationGracePeriod", ago("-48h"), Severity.HIGH),
    )
    assert why(a_node("n1"), claim, look_ahead=timedelta(hours=47)) == ()


def test_an_expiry_with_a_grace_period_ends_by_itself() -> None:
    claim = a_nodeclaim(age="1h", expire_after="49h", termination_grace_period="4h")

    assert why(a_node("n1"), claim) == (
        Due(Way.EXPIRING, "expires at 2026-11-23 12:00Z with a terminationGracePeriod of 4h", ago("-48h"), Severity.LOW),
    )


def test_pods_keep_a_drifted_node_without_a_grace_period() -> None:
    claim = a_nodeclaim(termination_grace_period="", conditions=[DRIFTED])

    assert why(a_node("n1"), claim) == (Due(Way.DRIFTED, "Drifted: NodePoolDrifted", ago("3h"), Severity.MEDIUM),)


def test_pods_keep_no_drifted_node_with_a_grace_period() -> None:
    claim = a_nodeclaim(termination_grace_period="1h", conditions=[DRIFTED])

    assert why(a_node("n1"), claim) == (Due(Way.DRIFTED, "Drifted: NodePoolDrifted", ago("3h"), Severity.LOW, pods_keep=False),)


def test_an_empty_node_has_to_go() -> None:
    assert why(a_node("n1"), a_nodeclaim(conditions=[CONSOLIDATABLE])) == (
        Due(
            Way.EMPTY,
            "Consolidatable (WhenEmptyOrUnderutilized, consolidateAfter 15s)",
            ago("20m"),
            Severity.MEDIUM,
        ),
    )


def test_a_node_of_which_little_is_asked_for_has_perhaps_to_go() -> None:
    little = a_pod("web", on="n1", cpu="1100m", memory="4Gi")

    assert why(a_node("n1", cpu="4", memory="16Gi"), a_nodeclaim(conditions=[CONSOLIDATABLE]), little) == (
        Due(
            Way.UNDERUTILIZED,
            "Consolidatable (WhenEmptyOrUnderutilized, consolidateAfter 15s), less than 30% of it asked for",
            ago("20m"),
            Severity.MEDIUM,
            confidence=Confidence.POSSIBLE,
        ),
    )


def test_a_consolidatable_node_in_use_is_how_nodes_are() -> None:
    for cpu, memory in (("1200m", "1Gi"), ("100m", "5Gi")):
        pod = a_pod("web", on="n1", cpu=cpu, memory=memory)
        assert why(a_node("n1", cpu="4", memory="16Gi"), a_nodeclaim(conditions=[CONSOLIDATABLE]), pod) == ()
