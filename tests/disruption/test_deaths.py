"""What ended nodes."""

from collections.abc import Sequence

import pytest

from karpenter_check.disruption.deaths import Death, DeathReason, deaths
from karpenter_check.snapshot import NodeClaim, Snapshot
from karpenter_check.snapshot.event import Event, InvolvedObject
from karpenter_check.snapshot.metadata import Condition
from tests.build import Thing, a_cluster, a_node, a_nodeclaim, a_nodepool, a_uid, ago, an_event

CLAIM = "default-abcde"
UID = a_uid("NodeClaim", CLAIM)


def a_claim(*, deleted: str = "3m", reason: str = "", expire_after: str = "720h") -> NodeClaim:
    conditions = [Condition("DisruptionReason", "True", reason, last_transition_time=ago("5m"))] if reason else []
    return a_nodeclaim(CLAIM, age="10h", deleted=deleted, conditions=conditions, expire_after=expire_after)


def a_dying_node(*things: Thing) -> Snapshot:
    return a_cluster(a_nodepool(), a_node("n1", age="10h"), *things)


def said(reason: str, message: str = "", *, component: str = "karpenter", kind: str = "NodeClaim", first: str = "4m") -> Event:
    about = InvolvedObject(kind, name=CLAIM, uid=UID)
    return an_event(reason, message or reason, about=about, first=first, component=component)


def reasons(cluster: Snapshot) -> list[DeathReason]:
    return [death.reason for death in deaths(cluster)]


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("Drifted", DeathReason.DRIFTED),
        ("Empty", DeathReason.CONSOLIDATED),
        ("Underutilized", DeathReason.CONSOLIDATED),
        ("Whatever", DeathReason.UNKNOWN),
    ],
)
def test_karpenters_reason_tells_a_graceful_end(word: str, reason: DeathReason) -> None:
    assert deaths(a_dying_node(a_claim(reason=word))) == (
        Death(UID, CLAIM, "n1", "default", reason, ago("3m"), had_time_to_live=True),
    )


@pytest.mark.parametrize(
    ("events", "reason"),
    [
        ([said("SpotInterrupted")], DeathReason.INTERRUPTED),
        ([said("TerminatingOnInterruption", "Interruption triggered termination for the NodeClaim")], DeathReason.INTERRUPTED),
        ([said("DisruptionTerminating", "Disrupting NodeClaim: Drifted")], DeathReason.DRIFTED),
        (
            [said("DisruptionTerminating", "Disrupting NodeClaim: Empty"), said("SpotInterrupted", first="2m")],
            DeathReason.CONSOLIDATED,
        ),
        ([said("DisruptionTerminating", "Disrupting NodeClaim: Expiration/Delete")], DeathReason.EXPIRED),
        ([said("SpotInterrupted", component="somebody-else")], DeathReason.UNKNOWN),
        ([said("DisruptionBlocked", "Node is nominated for a pending pod")], DeathReason.UNKNOWN),
    ],
    ids=["spot", "interruption", "drift", "the first word counts", "v1beta1", "said by another", "no end at all"],
)
def test_events_tell_where_the_object_does_not(events: Sequence[Event], reason: DeathReason) -> None:
    assert reasons(a_dying_node(a_claim(), *events)) == [reason]


def test_a_deletion_at_the_moment_of_the_expiry_is_one() -> None:
    assert reasons(a_dying_node(a_claim(deleted="3m", expire_after="9h57m"))) == [DeathReason.EXPIRED]


def test_a_deletion_long_before_the_expiry_is_anybodys() -> None:
    (death,) = deaths(a_dying_node(a_claim(expire_after="Never")))

    assert (death.reason, death.had_time_to_live) == (DeathReason.UNKNOWN, False)


def test_a_node_that_stays_is_no_death() -> None:
    assert deaths(a_dying_node(a_claim(deleted=""))) == ()


def test_a_nodeclaim_that_never_had_a_node_is_no_death() -> None:
    never = a_nodeclaim(CLAIM, node="", age="10h", deleted="3m", registered=False, initialized=False)

    assert deaths(a_cluster(a_nodepool(), never)) == ()


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (said("DisruptionTerminating", "Disrupting NodeClaim: Underutilized"), DeathReason.CONSOLIDATED),
        (said("TerminatingOnInterruption", "Interruption triggered termination for the NodeClaim"), DeathReason.INTERRUPTED),
    ],
)
def test_events_tell_of_nodes_that_are_gone(event: Event, reason: DeathReason) -> None:
    assert deaths(a_cluster(a_nodepool(), event)) == (Death(UID, CLAIM, "", "default", reason, ago("4m"), had_time_to_live=False),)


def test_that_a_nodeclaim_is_gone_does_not_say_that_it_had_a_node() -> None:
    assert deaths(a_cluster(a_nodepool(), said("Finalized", "Finalized karpenter.sh/termination"))) == ()
