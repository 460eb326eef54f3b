from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from karpenter_check.disruption.expiry import died_of_expiry, expiry, forced_end, latest_end, overdue, time_to_live
from karpenter_check.snapshot import NodeClaim, NodePool, Snapshot
from karpenter_check.snapshot.event import InvolvedObject
from karpenter_check.snapshot.metadata import Condition, Metadata
from karpenter_check.snapshot.nodepool import Disruption, NodeClaimSpec, NodePoolSpec
from tests.build import NOON, Thing, a_cluster, a_node, a_nodeclaim, ago, an_event

V1BETA1_POOL = NodePool(Metadata("default"), NodePoolSpec(disruption=Disruption(expire_after="1h")))


def died(claim: NodeClaim, *things: Thing) -> bool:
    return died_of_expiry(a_cluster(a_node("n1"), claim, *things), claim)


@pytest.mark.parametrize(
    ("claim", "lives", "due"),
    [
        (a_nodeclaim(age="2h", expire_after="3h"), timedelta(hours=3), ago("-1h")),
        (a_nodeclaim(age="2h", expire_after="24h0m0s"), timedelta(days=1), ago("-22h")),
        (a_nodeclaim(age="2h", expire_after="Never"), None, None),
        (a_nodeclaim(age="2h", expire_after=""), timedelta(hours=1), ago("1h")),
        (NodeClaim(Metadata("unborn")), None, None),
    ],
)
def test_a_nodeclaim_expires_at_its_own_creation_plus_its_time_to_live(
    claim: NodeClaim, lives: timedelta | None, due: datetime | None
) -> None:
    cluster = a_cluster(V1BETA1_POOL, a_node("n1", age="9h"), claim)

    assert (time_to_live(cluster, claim), expiry(cluster, claim)) == (lives, due)


def test_a_nodeclaims_own_time_to_live_comes_before_its_v1beta1_nodepools() -> None:
    claim = a_nodeclaim(expire_after="Never")

    assert time_to_live(a_cluster(V1BETA1_POOL, a_node("n1"), claim), claim) is None


@pytest.mark.parametrize(
    ("age", "deleted", "of_expiry"),
    [
        ("1h10m", "10m", True),
        ("1h10m", "10m5s", True),
        ("1h10m", "10m6s", False),
        ("1h10m", "8m", True),
        ("1h10m", "7m59s", False),
        ("1h10m", "40m", False),
    ],
)
def test_a_deletion_at_the_moment_of_expiry_is_a_death_of_it(age: str, deleted: str, of_expiry: bool) -> None:  # noqa: FBT001  the expectation
    assert died(a_nodeclaim(age=age, expire_after="1h", deleted=deleted)) is of_expiry


def test_what_lives_or_never_expires_did_not_die_of_it() -> None:
    assert not died(a_nodeclaim(age="1h", expire_after="1h"))
    assert not died(a_nodeclaim(age="1h", expire_after="Never", deleted="1s"))


def test_a_graceful_disruption_explains_the_deletion() -> None:
    drifted = Condition("DisruptionReason", "True", "Drifted")

    assert not died(a_nodeclaim(age="1h", expire_after="1h", deleted="0s", conditions=[drifted]))


@pytest.mark.parametrize(
    ("reason", "kind", "name", "of_expiry"),
    [
        ("SpotInterrupted", "NodeClaim", "default-n1", False),
        ("TerminatingOnInterruption", "Node", "n1", False),
        ("InstanceStopping", "Node", "n1", False),
        ("InstanceUnhealthy", "Node", "n1", False),
        ("CapacityReservationInstanceInterrupted", "NodeClaim", "default-n1", False),
        ("SpotInterrupted", "Node", "n2", True),
        ("SpotRebalanceRecommendation", "Node", "n1", True),
        ("DisruptionBlocked", "Node", "n1", True),
    ],
)
def test_an_interruption_of_that_node_explains_the_deletion(reason: str, kind: str, name: str, of_expiry: bool) -> None:  # noqa: FBT001  the expectation
    event = an_event(reason, "…", about=InvolvedObject(kind, "", name), first="10m")

    assert died(a_nodeclaim(age="1h10m", expire_after="1h", deleted="10m"), event) is of_expiry


@pytest.mark.parametrize(
    ("claim", "of_expiry"),
    [
        (a_nodeclaim(age="2h", expire_after="", deleted="20m", conditions=[Condition("Expired", "True")]), True),
        (a_nodeclaim(age="2h", expire_after="", deleted="20m", conditions=[Condition("Expired", "False")]), False),
        (a_nodeclaim(age="2h", expire_after="", deleted="61m", conditions=[Condition("Expired", "True")]), False),
        (a_nodeclaim(age="2h", expire_after="", deleted="20m"), False),
        (a_nodeclaim(age="2h", expire_after="", deleted="60m"), True),
        (a_nodeclaim(age="2h", expire_after="1h", deleted="20m", conditions=[Condition("Expired", "True")]), False),
    ],
)
def test_a_v1beta1_nodeclaim_says_itself_that_it_expired(claim: NodeClaim, of_expiry: bool) -> None:  # noqa: FBT001  the expectation
    assert died(claim, V1BETA1_POOL) is of_expiry


@pytest.mark.parametrize(
    ("claim", "end"),
    [
        (a_nodeclaim(deleted="1h", termination_grace_period="24h"), ago("-23h")),
        (a_nodeclaim(deleted="1h", termination_grace_period=""), None),
        (a_nodeclaim(termination_grace_period="24h"), None),
    ],
)
def test_a_drain_is_ended_by_force_when_the_grace_of_the_deletion_is_over(claim: NodeClaim, end: datetime | None) -> None:
    assert forced_end(claim) == end


def test_a_time_to_live_beyond_all_time_is_none() -> None:
    claim = a_nodeclaim(expire_after="99999999h")

    assert expiry(Snapshot(ago("0s"), nodeclaims=(claim,)), claim) is None


@pytest.mark.parametrize("born", [datetime(9999, 12, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)])
def test_a_time_beyond_the_calendar_is_none(born: datetime) -> None:
    unending = NodeClaim(
        Metadata("late", creation_timestamp=born, deletion_timestamp=born),
        NodeClaimSpec(expire_after="2562047h", termination_grace_period="2562047h"),
    )

    assert (expiry(Snapshot(ago("0s"), nodeclaims=(unending,)), unending), forced_end(unending)) == (None, None)


@pytest.mark.parametrize(
    ("written", "end"),
    [
        ("2026-11-21T12:30:00Z", ago("-30m")),
        ("2026-11-21T14:30:00+02:00", ago("-30m")),
        ("2026-11-21T12:30:00.5Z", ago("-30m500ms")),
        ("soon", None),
        ("2026-11-21", None),
        ("2026-13-21T12:30:00Z", None),
    ],
)
def test_the_time_that_is_written_on_the_claim_is_its_forced_end(written: str, end: datetime | None) -> None:
    claim = a_nodeclaim(deleted="10m", termination_grace_period="1h")
    annotations = replace(claim.metadata.annotations, termination_timestamp=written)

    assert forced_end(replace(claim, metadata=replace(claim.metadata, annotations=annotations))) == end


@pytest.mark.parametrize(
    ("claim", "end"),
    [
        (a_nodeclaim(age="1h", expire_after="2h", termination_grace_period="30m"), ago("-90m")),
        (a_nodeclaim(age="1h", expire_after="2h", termination_grace_period="30m", deleted="10m"), ago("-20m")),
        (a_nodeclaim(age="1h", expire_after="2h", termination_grace_period="30m", deleted="10m", forced_end="10m"), ago("10m")),
        (a_nodeclaim(age="1h", expire_after="2h", termination_grace_period=""), None),
        (a_nodeclaim(age="1h", expire_after="Never", termination_grace_period="30m"), None),
    ],
)
def test_a_claims_latest_end_is_its_expiry_and_grace_until_somebody_deletes_it(claim: NodeClaim, end: datetime | None) -> None:
    assert latest_end(a_cluster(a_node("n1"), claim), claim) == end


@pytest.mark.parametrize(
    ("claim", "late"),
    [
        (a_nodeclaim(age="2h", expire_after="1h"), timedelta(hours=1)),
        (a_nodeclaim(age="1h", expire_after="1h"), timedelta()),
        (a_nodeclaim(age="1h", expire_after="2h"), None),
        (a_nodeclaim(age="2h", expire_after="1h", deleted="1m"), None),
        (a_nodeclaim(age="2h", expire_after=""), None),
    ],
)
def test_a_claim_that_should_be_gone_is_overdue(claim: NodeClaim, late: timedelta | None) -> None:
    assert overdue(Snapshot(NOON, nodepools=(V1BETA1_POOL,), nodeclaims=(claim,)), claim) == late
