"""How far the termination of a node has come."""

from collections.abc import Mapping

import pytest

from karpenter_check.disruption.drain import held_pods
from karpenter_check.disruption.termination import Phase, Termination, termination
from karpenter_check.snapshot import Kind, Snapshot, Status, Version
from karpenter_check.snapshot.metadata import Condition
from tests.build import Thing, a_cluster, a_node, a_nodeclaim, a_nodepool, a_pod, a_statefulset, ago

V = Version(1, 13)
OURS = "karpenter.sh/termination"
TERMINATING = Condition("InstanceTerminating", "True", last_transition_time=ago("1m"))
DRAINING = Condition("Drained", "Unknown", "Draining", last_transition_time=ago("9m"))
DRAINED = Condition("Drained", "True", last_transition_time=ago("8m"))


def detached(status: str) -> Condition:
    return Condition("VolumesDetached", status, last_transition_time=ago("7m"))


def a_terminating(
    *conditions: Condition,
    version: Version | None = V,
    node: str = "10m",
    pods: int = 0,
    missing: Mapping[Kind, Status] | None = None,
) -> Snapshot:
    """`n1` and its NodeClaim, which was deleted ten minutes ago, and some ordinary pods."""
    things: list[Thing] = [
        a_node("n1", deleted=node),
        a_nodeclaim(deleted="10m", conditions=conditions, termination_grace_period="1h"),
    ]
    return a_cluster(*things, *(a_pod(f"web-{n}", on="n1") for n in range(pods)), version=version, missing=missing)


def at(cluster: Snapshot) -> tuple[Phase, object, str]:
    """The phase, since when, and in which words; told of the node and of its NodeClaim alike."""
    found = termination(cluster, cluster.nodes[0])
    assert found is not None
    assert found == termination(cluster, cluster.nodeclaims[0])
    return found.phase, found.since, found.said


def test_what_nobody_deletes_does_not_terminate() -> None:
    cluster = a_cluster(a_node("n1"), a_nodeclaim(conditions=[DRAINING]))

    assert termination(cluster, cluster.nodes[0]) is None
    assert termination(cluster, cluster.nodeclaims[0]) is None


def test_a_drain_holds_its_pods_and_has_a_forced_end() -> None:
    cluster = a_terminating(DRAINING, pods=2)

    assert termination(cluster, cluster.nodes[0]) == Termination(
        Phase.DRAINING,
        ago("10m"),
        ago("9m"),
        "it is being drained",
        held_pods(cluster, "n1"),
        forced_end=ago("-50m"),
    )
    assert len(held_pods(cluster, "n1")) == 2


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ((DRAINING,), (Phase.DRAINING, ago("9m"), "it is being drained")),
        ((DRAINED,), (Phase.VOLUMES, ago("8m"), "it is drained, and its volumes are looked at next")),
        ((DRAINED, detached("Unknown")), (Phase.VOLUMES, ago("7m"), "it is drained, and waits for volumes to be detached")),
        ((DRAINED, detached("True")), (Phase.INSTANCE_TERMINATING, ago("7m"), "its volumes are detached, and its instance is to be deleted")),
        ((DRAINED, detached("False")), (Phase.INSTANCE_TERMINATING, ago("7m"), "its volumes are waited for no more, and its instance is to be deleted")),
        ((DRAINED, detached("True"), TERMINATING), (Phase.INSTANCE_TERMINATING, ago("1m"), "its instance is being terminated")),
    ],
)  # fmt: skip
def test_conditions_tell_the_phase(conditions: tuple[Condition, ...], expected: tuple[Phase, object, str]) -> None:
    assert at(a_terminating(*conditions)) == expected


def test_past_the_drain_no_pod_holds_it() -> None:
    cluster = a_terminating(DRAINED, detached("Unknown"), pods=1)
    found = termination(cluster, cluster.nodes[0])

    assert found is not None
    assert found.held == ()


def test_karpenter_has_not_begun_where_the_node_stands_or_no_condition_does() -> None:
    stands = "its NodeClaim is being deleted, and Karpenter has not deleted its Node yet"
    silent = "it is being deleted, and Karpenter has not begun to drain it"

    assert at(a_terminating(node="", pods=1)) == (Phase.NOT_BEGUN, ago("10m"), stands)
    assert at(a_terminating(pods=1)) == (Phase.NOT_BEGUN, ago("10m"), silent)


def test_karpenter_has_not_begun_where_the_nodeclaim_of_a_deleted_node_stands() -> None:
    said = "its Node is being deleted, and Karpenter has not deleted its NodeClaim yet"

    assert at(a_cluster(a_node("n1", deleted="10m"), a_nodeclaim(), a_pod("web", on="n1"))) == (Phase.NOT_BEGUN, ago("10m"), said)


@pytest.mark.parametrize(
    ("do_not_disrupt", "grace", "endless"), [("true", "", True), ("true", "1h", False), ("2h", "", False), ("", "", False)]
)
def test_a_drain_is_endless_where_a_pod_never_leaves_and_nothing_forces_it(
    do_not_disrupt: str,
    grace: str,
    endless: bool,  # noqa: FBT001  the expectation
) -> None:
    claim, db = a_nodeclaim(deleted="10m", termination_grace_period=grace), a_statefulset("db")
    cluster = a_cluster(a_node("n1", deleted="10m"), claim, db, a_pod("db-0", on="n1", of=db, do_not_disrupt=do_not_disrupt))
    found = termination(cluster, cluster.nodes[0])

    assert found is not None
    assert found.endless is endless


@pytest.mark.parametrize("version", [Version(1, 5), None])
def test_before_1_6_pods_tell_the_drain_and_nothing_tells_what_follows(version: Version | None) -> None:
    said = "no pod is seen that it waits for; whether volumes or its instance hold it is not said"

    assert at(a_terminating(version=version, pods=1)) == (Phase.DRAINING, ago("10m"), "it is being drained")
    assert at(a_terminating(version=version)) == (Phase.UNKNOWN, None, said)
    assert at(a_terminating(TERMINATING, version=version)) == (
        Phase.INSTANCE_TERMINATING,
        ago("1m"),
        "its instance is being terminated",
    )


def of_claim(*things: Thing, missing: Mapping[Kind, Status] | None = None) -> Termination | None:
    cluster = a_cluster(a_nodepool(), *things, version=V, missing=missing)
    return termination(cluster, cluster.nodeclaims[0])


def test_what_never_registered_is_not_drained() -> None:
    claim = a_nodeclaim("c", node="", registered=False, initialized=False, deleted="3m", termination_grace_period="")

    assert of_claim(claim) == Termination(
        Phase.NEVER_REGISTERED, ago("3m"), ago("3m"), "it never registered: nothing is drained, its instance is deleted at once"
    )


def test_a_nodeclaim_outlives_its_node_until_its_instance_is_gone() -> None:
    gone, claim = (
        "its Node is gone, and its instance is to be deleted",
        a_nodeclaim("c", node="", deleted="3m", termination_grace_period=""),
    )
    unseen = "whether it still has a Node is not known: Node is forbidden"

    assert of_claim(claim) == Termination(Phase.INSTANCE_TERMINATING, ago("3m"), None, gone)
    assert of_claim(claim, missing={Kind.NODE: Status.FORBIDDEN}) == Termination(
        Phase.UNKNOWN, ago("3m"), None, unseen, unseen=(Kind.NODE,)
    )


def test_finalizers_of_others_hold_what_karpenter_is_done_with() -> None:
    theirs = ("example.com/backup",)
    claim = a_nodeclaim("c", node="", deleted="3m", termination_grace_period="", finalizers=theirs, conditions=[TERMINATING])
    said = "example.com/backup holds it; Karpenter has done its part"

    assert of_claim(claim) == Termination(Phase.OTHER_FINALIZERS, ago("3m"), None, said, finalizers=theirs)


def test_a_node_that_only_others_hold_is_past_karpenters_part_and_one_that_both_hold_is_not() -> None:
    theirs, claim = "example.com/backup", a_nodeclaim(deleted="10m", conditions=[DRAINED, detached("True"), TERMINATING])
    alone = a_cluster(a_node("n1", deleted="10m", finalizers=[theirs]), claim, version=V)
    both = a_cluster(a_node("n1", deleted="10m", finalizers=[OURS, theirs]), claim, version=V)

    assert at(alone) == (Phase.OTHER_FINALIZERS, None, f"{theirs} holds it; Karpenter has done its part")
    assert at(both) == (Phase.INSTANCE_TERMINATING, ago("1m"), "its instance is being terminated")
    assert [found.finalizers for cluster in (alone, both) if (found := termination(cluster, cluster.nodes[0]))] == [
        (theirs,),
        (theirs,),
    ]


def test_without_finalizers_and_instance_it_is_done() -> None:
    claim = a_nodeclaim("c", node="", deleted="3m", termination_grace_period="", finalizers=(), conditions=[TERMINATING])

    assert of_claim(claim) == Termination(Phase.DONE, ago("3m"), None, "its instance is terminated, and no finalizer is left")


def test_a_node_whose_nodeclaim_is_gone_is_told_by_its_pods() -> None:
    node = a_node("n1", pool="", finalizers=[OURS], deleted="5m")
    cluster = a_cluster(node, a_pod("web", on="n1"), version=V)
    found = termination(cluster, cluster.nodes[0])

    assert found == Termination(Phase.DRAINING, ago("5m"), ago("5m"), "it is being drained", held_pods(cluster, "n1"))


def test_what_may_hold_a_drain_and_was_not_seen_is_said() -> None:
    missing = {Kind.POD: Status.FORBIDDEN, Kind.PODDISRUPTIONBUDGET: Status.FAILED}
    found = [
        termination(cluster, cluster.nodes[0])
        for cluster in (a_terminating(DRAINING, missing=missing), a_terminating(DRAINED, missing=missing))
    ]

    assert [entry and entry.unseen for entry in found] == [(Kind.POD, Kind.PODDISRUPTIONBUDGET), ()]
