"""What is known of each kind, and how objects find each other."""

from collections.abc import Mapping

import pytest

from karpenter_check.snapshot import LOOSE_MANIFESTS, CollectionError, Coverage, Kind, Node, NodeClaim, Ref, Snapshot, Status
from karpenter_check.snapshot.metadata import Metadata, OwnerReference
from karpenter_check.snapshot.node import NodeMetadata, NodeSpec
from karpenter_check.snapshot.nodepool import NodeClaimStatus
from tests.build import NOON, a_cluster, a_daemonset, a_node, a_nodeclaim, a_nodepool, a_pod


@pytest.mark.parametrize(
    ("coverage", "sufficient", "text"),
    [
        (Coverage(Status.COMPLETE, 5), True, "complete"),
        (Coverage(Status.PARTIAL, 4, "1 could not be read"), True, "partial (1 could not be read)"),
        (Coverage(Status.PARTIAL, 4, LOOSE_MANIFESTS), False, "partial (manifests)"),
        (Coverage(Status.ABSENT), False, "absent"),
        (Coverage(Status.FORBIDDEN), False, "forbidden"),
        (Coverage(Status.FAILED, reason="503"), False, "failed (503)"),
        (Coverage(Status.NOT_COLLECTED), False, "not-collected"),
    ],
)
def test_rules_conclude_from_what_was_seen(coverage: Coverage, sufficient: bool, text: str) -> None:  # noqa: FBT001  the expectation
    assert (coverage.sufficient, str(coverage)) == (sufficient, text)


def test_a_kind_that_nothing_is_known_of_was_not_collected() -> None:
    assert Snapshot(NOON).covered(Kind.EVENT) == Coverage(Status.NOT_COLLECTED)


def test_a_collection_error_says_where_what_and_why() -> None:
    assert str(CollectionError("pods.json", "spec: expected an object", "Pod", "shop/web")) == (
        "pods.json: Pod shop/web: spec: expected an object"
    )
    assert str(CollectionError("pods.json", "is cut off")) == "pods.json: is cut off"


def claim(name: str, *, provider_id: str = "", node_name: str = "") -> NodeClaim:
    return NodeClaim(Metadata(name), status=NodeClaimStatus(node_name, provider_id))


def node(name: str, *, provider_id: str = "", owner: str = "") -> Node:
    owners = (OwnerReference("NodeClaim", owner),) if owner else ()
    return Node(NodeMetadata(name, owner_references=owners), NodeSpec(provider_id=provider_id))


@pytest.mark.parametrize(
    ("nodes", "claims", "joined"),
    [
        ([node("n1", provider_id="aws:///1")], [claim("c1", provider_id="aws:///1")], {"n1": "c1"}),
        ([node("n1")], [claim("c1", node_name="n1")], {"n1": "c1"}),
        ([node("n1", owner="c1")], [claim("c1")], {"n1": "c1"}),
        (
            [node("n1", provider_id="aws:///1", owner="c3")],
            [claim("c1", provider_id="aws:///1"), claim("c2", node_name="n1"), claim("c3")],
            {"n1": "c1"},
        ),
        ([node("n1", provider_id="aws:///1")], [claim("c1", provider_id="aws:///2")], {}),
        ([node("n1")], [claim("c1")], {}),
    ],
)
def test_a_node_finds_its_nodeclaim(nodes: list[Node], claims: list[NodeClaim], joined: Mapping[str, str]) -> None:
    snapshot = Snapshot(NOON, nodes=tuple(nodes), nodeclaims=tuple(claims))

    assert {name: found.name for name, found in snapshot.nodeclaim_of_node.items()} == joined
    assert {found.name: name for name, found in snapshot.node_of_nodeclaim.items()} == joined


def test_the_indexes_hold_what_their_names_say() -> None:
    logs, foreign = a_daemonset("logs"), a_node("old", pool="")
    pods = (a_pod("logs-1", on="n1", of=logs), a_pod("web-1", on="n1", phase="Succeeded"), a_pod("web-2"))
    cluster = a_cluster(a_nodepool(), a_node("n1"), foreign, a_nodeclaim("booting", node=""), logs, *pods)
    first, second, third = cluster.pods

    assert cluster.nodepools_by_name.keys() == {"default"}
    assert cluster.nodes_by_name.keys() == {"n1", "old"}
    assert cluster.nodeclaims_by_name.keys() == {"booting", "default-n1"}
    assert cluster.nodes_of_nodepool == {"default": (cluster.nodes_by_name["n1"],)}
    assert cluster.pods_on_node == {"n1": (first, second)}
    assert cluster.nodepool_of_node == {"n1": "default", "old": ""}
    assert cluster.pods_of_owner == {
        Ref("DaemonSet", "logs", "apps/v1", "kube-system"): (first,),
        Ref("Pod", "web-1", "v1", "shop"): (second,),
        Ref("Pod", "web-2", "v1", "shop"): (third,),
    }
    assert cluster.pods_by_uid == {pod.metadata.uid: pod for pod in (first, second, third)}
    assert cluster.pods_of_daemonset == {logs.metadata.uid: (first,)}
    assert cluster.daemonsets_by_uid == {logs.metadata.uid: logs}
