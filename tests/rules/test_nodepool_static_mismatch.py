from collections.abc import Sequence
from datetime import timedelta

import pytest

from karpenter_check.finding import Confidence, Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity
from karpenter_check.rules.nodepool_static_mismatch import nodepool_static_mismatch
from karpenter_check.snapshot import Kind, NodeClaim, Snapshot, Status, Version
from karpenter_check.snapshot.event import Event, InvolvedObject
from karpenter_check.snapshot.metadata import Condition
from karpenter_check.snapshot.nodepool import NodeClassRef
from tests.build import Thing, a_cluster, a_controller, a_nodeclaim, a_nodepool, a_uid, ago, an_event

POOL = Ref("NodePool", "edge", "karpenter.sh/v1")
ON = a_controller("StaticCapacity=true")
DRIFTED = Condition("Drifted", "True", "NodePoolDrifted", last_transition_time=ago("2h"))
BEGUN = Condition("DisruptionReason", "True", "Drifted", last_transition_time=ago("20m"))
VERIFY = Fix("verify", "karpenter-check scan --select nodepool-static-mismatch --nodepool edge")
STATIC_1_7 = Version(1, 7)


def claims(number: int, age: str = "2h") -> list[NodeClaim]:
    return [a_nodeclaim(f"edge-{place}", node=f"n{place}", pool="edge", age=age) for place in range(number)]


def found(*things: Thing, version: Version | None = None, settle: timedelta = timedelta(minutes=10)) -> list[Finding]:
    return list(nodepool_static_mismatch(a_cluster(*things, version=version), settle=settle))


def told(*things: Thing, version: Version | None = None) -> list[tuple[str, str, Severity | None, Confidence]]:
    return [(one.cause, one.message, one.severity, one.confidence) for one in found(*things, version=version)]


def test_with_the_feature_gate_off_nobody_makes_the_nodes() -> None:
    assert found(a_nodepool("edge", replicas=3), a_controller("StaticCapacity=false")) == [
        Finding(
            object=POOL,
            owner=POOL,
            nodepool="edge",
            cause="gate-off",
            severity=Severity.MEDIUM,
            message="edge has 0 nodes instead of 3: Karpenter leaves static NodePools alone, its feature gate StaticCapacity is off",
            why="FEATURE_GATES of its controller does not set StaticCapacity=true, so nobody makes or takes away nodes of a "
            "NodePool with replicas, nor buys it any for pods",
            evidence=(Evidence(POOL, "spec.replicas", "3"),),
            occurrences=(Occurrence(POOL, a_uid("NodePool", "edge"), "", "gate-off"),),
            fix=(
                Fix(
                    "fix",
                    text="add StaticCapacity=true to FEATURE_GATES of Karpenter's controller (Helm: settings.featureGates.staticCapacity)",
                    risk="the controller restarts, and then brings every static NodePool to its number at once, this one to 3",
                ),
                Fix("or", text="make a NodePool without replicas in its place: the field cannot be taken out of this one"),
                VERIFY,
            ),
        )
    ]


def test_nodes_that_nobody_takes_away_are_its_fault_too() -> None:
    (finding,) = found(a_nodepool("edge", replicas=1), a_controller(""), *claims(2))

    assert (finding.cause, finding.impact, [entry.node for entry in finding.occurrences]) == (
        "gate-off",
        Impact(nodes=2),
        ["n0", "n1"],
    )


def test_where_the_gate_is_not_known_a_pool_without_nodes_is_likely_inert() -> None:
    (finding,) = found(a_nodepool("edge", replicas=3))

    assert (finding.cause, finding.message, finding.confidence) == (
        "none-made",
        "edge has 0 nodes instead of 3, and none is being made",
        Confidence.LIKELY,
    )
    assert finding.why == (
        "a static NodePool has nodes only with Karpenter's feature gate StaticCapacity; whether it is on is not known: "
        "no Deployment of Karpenter's with a readable FEATURE_GATES is in the cluster"
    )


def test_before_1_8_karpenter_does_not_know_the_field() -> None:
    assert told(a_nodepool("edge", replicas=3), ON, *claims(3), version=STATIC_1_7) == [
        (
            "unknown-field",
            "Karpenter 1.7.0 does not know spec.replicas of edge, and buys its nodes for pods alone",
            Severity.MEDIUM,
            Confidence.CERTAIN,
        )
    ]


def test_too_few_nodes_that_stay_so_are_found() -> None:
    assert told(a_nodepool("edge", replicas=3), ON, *claims(2)) == [
        ("too-few", "edge has 2 nodes instead of 3", Severity.MEDIUM, Confidence.LIKELY)
    ]


def test_too_many_nodes_that_stay_so_are_found() -> None:
    assert told(a_nodepool("edge", replicas=1), ON, *claims(2)) == [
        ("too-many", "edge has 2 nodes instead of 1", Severity.MEDIUM, Confidence.LIKELY)
    ]


def test_a_limit_below_the_replicas_is_never_met() -> None:
    (finding,) = found(a_nodepool("edge", replicas=3, limits={"nodes": "2"}), ON, *claims(2))

    assert (finding.cause, finding.message, finding.severity, finding.confidence) == (
        "limit-below-replicas",
        "edge has 2 nodes instead of 3: its limit allows 2",
        Severity.MEDIUM,
        Confidence.CERTAIN,
    )
    assert finding.fix[0].command == """kubectl patch nodepool edge --type merge -p '{"spec":{"limits":{"nodes":"4"}}}'"""
    assert finding.evidence == (Evidence(POOL, "spec.replicas", "3"), Evidence(POOL, "spec.limits.nodes", "2"))


def test_a_limit_of_0_may_be_how_it_was_turned_off() -> None:
    assert told(a_nodepool("edge", replicas=3, limits={"nodes": "0"}), ON) == [
        ("limit-below-replicas", "edge has 0 nodes instead of 3: its limit allows 0", Severity.LOW, Confidence.CERTAIN)
    ]


def test_a_limit_without_room_for_a_replacement_is_a_hazard() -> None:
    assert told(a_nodepool("edge", replicas=2, limits={"nodes": "2"}), ON, *claims(2)) == [
        (
            "no-room-to-replace",
            "no drifted node of edge is ever replaced: its limit of 2 nodes leaves no room beside 2 replicas",
            Severity.LOW,
            Confidence.CERTAIN,
        )
    ]


def test_and_worse_once_nodes_have_drifted() -> None:
    drifted = a_nodeclaim("edge-1", node="n1", pool="edge", conditions=[DRIFTED])
    (finding,) = found(a_nodepool("edge", replicas=2, limits={"nodes": "2"}), ON, *claims(1), drifted)

    assert (finding.severity, finding.impact, finding.message[-28:]) == (
        Severity.MEDIUM,
        Impact(nodes=1),
        " 1 of its nodes have drifted",
    )


@pytest.mark.parametrize(
    "things",
    [
        [a_nodepool("edge", replicas=2), ON, *claims(2)],
        [a_nodepool("edge", replicas=2, limits={"nodes": "3"}), ON, *claims(2)],
        [a_nodepool("edge", replicas=2), a_controller(""), *claims(2)],
        [a_nodepool("edge", replicas=0), ON],
        [a_nodepool("edge", replicas=0, limits={"nodes": "0"}), ON],
        [a_nodepool("edge"), a_controller("")],
        [a_nodepool("edge", replicas=2, deleted="1h"), ON],
        [a_nodepool("edge", replicas=2, not_ready="no node class"), ON],
        [a_nodepool("edge", replicas=2, age="5m"), ON],
        [a_nodepool("edge", replicas=2, age="20s"), a_controller("")],
        [a_nodepool("edge", replicas=2), ON, *claims(1, age="3m")],
        [a_nodepool("edge", replicas=2), ON, *claims(1), a_nodeclaim("old", pool="edge", deleted="1h")],
        [a_nodepool("edge", replicas=1), ON, *claims(1), a_nodeclaim("old", node="n9", pool="edge", conditions=[DRIFTED, BEGUN])],
    ],
    ids=[
        "as many as asked for", "room to replace", "right, though the gate is off now", "none wanted", "none wanted or allowed",
        "no static one", "being deleted", "not Ready", "young", "made a moment ago", "on its way", "one is going", "a drifted one is replaced",
    ],
)  # fmt: skip
def test_what_is_right_or_on_its_way_is_fine(things: Sequence[Thing]) -> None:
    assert told(*things) == []


def test_of_nodeclaims_that_were_not_all_seen_nothing_is_counted() -> None:
    seen: Snapshot = a_cluster(a_nodepool("edge", replicas=3), ON, *claims(2), missing={Kind.NODECLAIM: Status.PARTIAL})

    assert list(nodepool_static_mismatch(seen)) == []


def test_how_long_it_must_stand_is_a_setting() -> None:
    things: list[Thing] = [a_nodepool("edge", replicas=2), ON, *claims(1, age="3m")]

    assert [finding.cause for finding in found(*things, settle=timedelta(minutes=2))] == ["too-few"]


AUTO_MODE = NodeClassRef("NodeClass", "default", "eks.amazonaws.com")


def test_the_settings_of_a_karpenter_beside_eks_auto_mode_are_not_auto_modes() -> None:
    pool = a_nodepool("edge", replicas=3, node_class=AUTO_MODE)

    assert told(pool, a_controller("StaticCapacity=false"), *claims(3)) == []
    (finding,) = found(pool, a_controller("StaticCapacity=false"), *claims(2), version=STATIC_1_7)
    assert (finding.cause, finding.fix[0].text) == (
        "too-few",
        "see the events of its NodeClaims; EKS Auto Mode's Karpenter is run by AWS, so that a support case is what is left",
    )


def refused(*names: str) -> list[Event]:
    said = "creating instance, insufficient capacity, no such instances"
    return [
        an_event(
            "InsufficientCapacityError", f"NodeClaim {name} event: {said}", about=InvolvedObject("NodeClaim", name=name), first="5m"
        )
        for name in names
    ]


def test_where_the_provider_refuses_it_karpenter_does_try() -> None:
    (finding,) = found(a_nodepool("edge", replicas=2), ON, *claims(1), *refused("edge-aaaaa", "edge-bbbbb", "edge-ccccc"))

    assert (finding.cause, finding.confidence, finding.message, finding.why) == (
        "no-capacity",
        Confidence.LIKELY,
        "edge has 1 node instead of 2: its launches fail for want of capacity",
        "3 launches failed within minutes, the last one with: no such instances; Karpenter goes on trying",
    )


def test_a_launch_that_was_refused_once_is_routine() -> None:
    assert told(a_nodepool("edge", replicas=2), ON, *claims(1), *refused("edge-aaaaa")) == []


def test_a_nodeclaim_that_went_a_moment_ago_is_being_replaced() -> None:
    def finalized(age: str) -> Event:
        return an_event(
            "Finalized", "Finalized karpenter.sh/termination", about=InvolvedObject("NodeClaim", name="edge-aaaaa"), first=age
        )

    assert told(a_nodepool("edge", replicas=2), ON, *claims(1), finalized("9m")) == []
    assert [entry[0] for entry in told(a_nodepool("edge", replicas=2), ON, *claims(1), finalized("11m"))] == ["too-few"]
