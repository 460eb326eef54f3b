"""Nodes that are there, as Karpenter's simulation sees them."""

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from karpenter_check.scheduling.existing import existing_nodes, known_ephemeral, refusals_of_existing
from karpenter_check.snapshot import NodeClaim, Snapshot, Version
from tests.build import a_cluster, a_daemonset, a_node, a_nodeclaim, a_nodepool, a_pod, a_taint, a_term


def said(cluster: Snapshot, *, of: str = "n1") -> Sequence[str]:
    """What Karpenter has against putting the cluster's one waiting pod on a node."""
    (pod,) = [pod for pod in cluster.pods if pod.unschedulable and not pod.daemonset_uid]
    existing = next(existing for existing in existing_nodes(cluster) if existing.name == of)
    return [str(refusal) for refusal in refusals_of_existing(pod.shape, existing)]


def expecting(claim: NodeClaim, **allocatable: str) -> NodeClaim:
    """The claim with what Karpenter expects its node to have."""
    return replace(claim, status=replace(claim.status, allocatable=dict(allocatable)))


def test_a_pod_that_fits_is_placed() -> None:
    assert said(a_cluster(a_node("n1"), a_pod("web-1"))) == []


def test_a_label_that_is_not_there_is_not_there_well_known_or_not() -> None:
    cluster = a_cluster(a_node("n1"), a_pod("web-1", selector={"topology.kubernetes.io/zone": "a"}))

    assert said(cluster) == ["needs topology.kubernetes.io/zone In [a], which is not declared"]


def test_a_real_node_is_known_by_its_name() -> None:
    here = a_cluster(a_node("n1"), a_pod("web-1", selector={"kubernetes.io/hostname": "n1"}))
    elsewhere = a_cluster(a_node("n1"), a_pod("web-1", selector={"kubernetes.io/hostname": "n2"}))

    assert (said(here), len(said(elsewhere))) == ([], 1)


def test_terms_are_tried_one_by_one() -> None:
    cluster = a_cluster(a_node("n1", labels={"team": "b"}), a_pod("web-1", terms=[a_term("team In a"), a_term("team In b")]))

    assert said(cluster) == []


def test_every_taint_counts_once_the_node_is_initialized() -> None:
    cluster = a_cluster(
        a_nodepool("default", startup_taints=["cni:NoExecute"]), a_node("n1", taints=["cni:NoExecute"]), a_pod("web-1")
    )

    assert said(cluster) == ["does not tolerate cni:NoExecute"]


def test_what_is_expected_to_go_does_not_count_before() -> None:
    claim = a_nodeclaim(node="n1", initialized=False)
    cluster = a_cluster(
        a_node("n1", taints=["cni:NoExecute", "node.kubernetes.io/not-ready:NoSchedule"], initialized=False),
        replace(claim, spec=replace(claim.spec, startup_taints=(a_taint("cni:NoExecute"),))),
        a_pod("web-1"),
    )

    assert said(cluster) == []


def test_prefer_no_schedule_stops_nothing() -> None:
    assert said(a_cluster(a_node("n1", taints=["team=a:PreferNoSchedule"]), a_pod("web-1"))) == []


def test_room_is_kept_for_daemonsets_that_have_not_come_yet() -> None:
    logs = a_daemonset("logs", cpu="3950m")

    assert said(a_cluster(a_node("n1", cpu="4"), logs, a_pod("web-1", cpu="100m"))) == ["is 50m cpu short"]


def test_daemonsets_that_have_come_are_not_counted_twice() -> None:
    logs = a_daemonset("logs", cpu="2")

    assert said(a_cluster(a_node("n1", cpu="4"), logs, a_pod("logs-1", of=logs, on="n1"), a_pod("web-1", cpu="2"))) == []


def test_a_daemonset_that_its_first_term_keeps_off_is_not_counted() -> None:
    logs = a_daemonset("logs", cpu="4", terms=[a_term("team In a"), a_term("kubernetes.io/os In linux")])

    assert said(a_cluster(a_node("n1", cpu="4"), logs, a_pod("web-1"))) == []


def test_a_claim_whose_node_has_not_joined_is_a_node_to_be() -> None:
    claim = expecting(a_nodeclaim("default-x", node="", registered=False, initialized=False), cpu="1", memory="1Gi", pods="10")
    claim = replace(claim, status=replace(claim.status, provider_id="aws:///x"))

    assert said(a_cluster(a_nodepool(), claim, a_pod("web-1", cpu="2")), of="default-x") == ["is 1 cpu short"]


def test_what_is_being_deleted_takes_nothing() -> None:
    cluster = a_cluster(a_node("n1", deleted="1m"), a_node("n2"), a_nodeclaim(node="n2", deleted="1m"), a_node("n3"))

    assert [existing.name for existing in existing_nodes(cluster)] == ["n3"]


def test_initialized_nodes_come_first_then_names() -> None:
    cluster = a_cluster(a_node("a", initialized=False), a_node("c"), a_node("b"))

    assert [existing.name for existing in existing_nodes(cluster)] == ["b", "c", "a"]


@pytest.mark.parametrize(
    ("taint", "version", "ephemeral"),
    [
        ("node.kubernetes.io/not-ready:NoExecute", None, True),
        ("node.kubernetes.io/unreachable:NoExecute", None, False),
        ("karpenter.sh/unregistered:NoExecute", None, True),
        ("node.cloudprovider.kubernetes.io/uninitialized=true:NoSchedule", None, True),
        ("readiness.k8s.io/network:NoSchedule", Version(1, 12), False),
        ("readiness.k8s.io/network:NoSchedule", Version(1, 13), True),
        ("cni:NoExecute", None, False),
    ],
)
def test_known_ephemeral_taints_are_karpenters(taint: str, version: Version | None, *, ephemeral: bool) -> None:
    assert known_ephemeral(a_taint(taint), version) == ephemeral
