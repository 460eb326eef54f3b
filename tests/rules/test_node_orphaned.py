"""Nodes and NodeClaims that have lost what they belong to."""

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import timedelta

import pytest
from msgspec.structs import replace

from karpenter_check.finding import Blame, Confidence, Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity
from karpenter_check.rules.node_orphaned import node_orphaned
from karpenter_check.scan import Outcome, scan
from karpenter_check.snapshot import Kind, Node, NodeClaim, Snapshot, Status
from karpenter_check.snapshot.event import InvolvedObject
from karpenter_check.snapshot.metadata import Condition, OwnerReference
from karpenter_check.snapshot.nodepool import NodeClassRef
from tests.build import (
    Thing,
    a_cluster,
    a_daemonset,
    a_healthy_cluster,
    a_node,
    a_node_class,
    a_nodeclaim,
    a_nodepool,
    a_pod,
    an_event,
)

POOL, NODE = Ref("NodePool", "default", "karpenter.sh/v1"), Ref("Node", "n1", "v1")
CLAIM = Ref("NodeClaim", "default-n1", "karpenter.sh/v1")
VERIFY = Fix("verify", "karpenter-check scan --select node-orphaned --nodepool default")


def without_claims(*things: Thing, missing: Mapping[Kind, Status] | None = None) -> Snapshot:
    """A cluster in which no node has a NodeClaim."""
    return dataclasses.replace(a_cluster(*things, missing=missing), nodeclaims=())


def found(*things: Thing, missing: Mapping[Kind, Status] | None = None) -> list[Finding]:
    return list(node_orphaned(a_cluster(*things, missing=missing)))


def causes(cluster: Snapshot) -> list[tuple[str, Severity | None]]:
    return [(finding.cause, finding.severity) for finding in node_orphaned(cluster)]


def owned(thing: Node | NodeClaim, kind: str) -> Node | NodeClaim:
    owners = (OwnerReference(kind, "gone", "uid", "karpenter.sh/v1"),)
    return replace(thing, metadata=replace(thing.metadata, owner_references=owners))


def test_a_healthy_cluster_is_fine() -> None:
    assert causes(a_healthy_cluster()) == []


def test_a_node_without_a_nodeclaim_is_found() -> None:
    logs, node = a_daemonset("logs"), a_node()
    cluster = without_claims(node, logs, a_pod("web", on="n1"), a_pod("logs-1", on="n1", of=logs))

    assert list(node_orphaned(cluster)) == [
        Finding(
            object=NODE,
            owner=POOL,
            nodepool="default",
            cause="no-nodeclaim",
            severity=Severity.HIGH,
            message="no NodeClaim stands behind it",
            why="Karpenter made it, and goes by NodeClaims alone: it never disrupts nor expires this node, and its provider may end an "
            "instance that belongs to no NodeClaim, without a drain",
            cost="1 node paid for until somebody ends that; 1 pod there",
            impact=Impact(nodes=1, pods=1),
            evidence=(Evidence(NODE, "metadata.labels karpenter.sh/nodepool", "default"),),
            occurrences=(Occurrence(NODE, node.metadata.uid, "n1", "no-nodeclaim"),),
            fix=(
                Fix(
                    "fix",
                    "kubectl delete node n1",
                    risk="Karpenter evicts its pods, and asks PodDisruptionBudgets; see in the cloud whether its instance ends, too",
                ),
                VERIFY,
            ),
        )
    ]


def test_several_are_one_finding() -> None:
    (finding,) = node_orphaned(without_claims(a_node("n1"), a_node("n2")))

    assert (finding.object, finding.message) == (POOL, "2 Nodes have no NodeClaim behind them")
    assert finding.fix[0].text == "and so for 1 more, one after another"


def test_a_node_that_nothing_would_drain_is_drained_by_hand() -> None:
    (finding,) = node_orphaned(without_claims(a_node("odd name", finalizers=[])))

    assert finding.fix[0].command == "kubectl drain 'odd name' --ignore-daemonsets"


def test_an_instance_that_came_too_late_is_one_too() -> None:
    node = a_node(labels={"karpenter.sh/registered": ""}, taints=["karpenter.sh/unregistered:NoExecute"], finalizers=[])

    assert causes(without_claims(node)) == [("no-nodeclaim", Severity.HIGH)]


def test_one_that_joined_without_the_provider_id_that_a_nodeclaim_waits_for_may_be_its() -> None:
    node = a_node("stray", labels={"karpenter.sh/registered": ""}, taints=["karpenter.sh/unregistered:NoExecute"], finalizers=[])
    waiting = a_nodeclaim("c1", node="", age="6m", registered=False, initialized=False)
    other = a_nodeclaim("c2", node="", pool="other", age="6m", registered=False, initialized=False)

    def of(claim: NodeClaim) -> list[tuple[str, Severity | None]]:
        return causes(dataclasses.replace(a_cluster(a_nodepool(), a_nodepool("other"), node, claim), nodeclaims=(claim,)))

    assert of(waiting) == []
    assert of(other) == [("no-nodeclaim", Severity.HIGH)]


@pytest.mark.parametrize(
    "node",
    [
        a_node(pool=""),
        a_node(labels={"karpenter.sh/registered": ""}, finalizers=[]),
        a_node(age="119s"),
        a_node(deleted="5m"),
        a_node(taints=["karpenter.sh/disrupted:NoSchedule"]),
        owned(a_node(), "NodeClaim"),
    ],
    ids=[
        "not Karpenter's",
        "labelled by hand",
        "young",
        "deleted",
        "being disrupted",
        "its owner is gone, so Kubernetes deletes it",
    ],
)
def test_a_node_that_may_be_without_a_nodeclaim_is_fine(node: Node) -> None:
    assert causes(without_claims(node)) == []


def test_how_long_something_must_have_been_there_is_a_setting() -> None:
    cluster = without_claims(a_node(age="119s"))

    assert len(list(node_orphaned(cluster, fail_after=timedelta(seconds=90)))) == 1
    assert list(node_orphaned(without_claims(a_node(age="59s")), fail_after=timedelta())) == []


def test_nodeclaims_that_were_not_all_seen_are_not_missed() -> None:
    assert causes(without_claims(a_node(), missing={Kind.NODECLAIM: Status.PARTIAL})) == []


@pytest.mark.parametrize("kind", [Kind.NODE, Kind.NODECLAIM, Kind.NODEPOOL])
def test_what_it_needs_it_needs(kind: Kind) -> None:
    assert scan(a_cluster(missing={kind: Status.FORBIDDEN}), [node_orphaned]).runs[0].outcome is Outcome.SKIPPED


def a_lone_claim(*, age: str = "1h", registered: bool = True, deleted: str = "", conditions: Sequence[Condition] = ()) -> NodeClaim:
    """A NodeClaim whose Node n1 is not there."""
    return a_nodeclaim("c1", age=age, registered=registered, deleted=deleted, conditions=conditions)


def test_a_nodeclaim_whose_node_is_gone_is_found() -> None:
    ref, claim = Ref("NodeClaim", "c1", "karpenter.sh/v1"), a_lone_claim()

    assert found(a_nodepool(), claim) == [
        Finding(
            object=ref,
            owner=POOL,
            nodepool="default",
            cause="no-node",
            severity=Severity.MEDIUM,
            confidence=Confidence.LIKELY,
            message="it has registered, and its Node n1 is gone",
            why="no pod can run there; Karpenter removes such a NodeClaim within minutes where the instance is gone, too: either that was "
            "moments ago, or the instance lives on",
            cost="1 node paid for, if the instance lives",
            impact=Impact(nodeclaims=1),
            evidence=(Evidence(ref, "status.nodeName", "n1"),),
            occurrences=(Occurrence(ref, claim.metadata.uid, "n1", "no-node"),),
            fix=(
                Fix(
                    "fix", "kubectl delete nodeclaim c1", risk="its instance ends at once: without a Node there is nothing to drain"
                ),
                VERIFY,
            ),
        )
    ]


@pytest.mark.parametrize(
    "claim",
    [
        a_lone_claim(registered=False),
        a_lone_claim(age="119s"),
        a_lone_claim(deleted="1m"),
        a_lone_claim(conditions=[Condition("InstanceTerminating", "True")]),
        a_lone_claim(conditions=[Condition("DisruptionReason", "True")]),
    ],
    ids=["never joined", "young", "deleted", "terminating", "being disrupted"],
)
def test_a_nodeclaim_that_may_be_without_a_node_is_fine(claim: NodeClaim) -> None:
    assert found(a_nodepool(), claim) == []


@pytest.mark.parametrize(("kind", "name"), [("Node", "n1"), ("NodeClaim", "c1")])
def test_what_has_just_gone_is_not_missed(kind: str, name: str) -> None:
    """NodeClaims are listed before Nodes."""
    gone = an_event("Finalized", "Finalized karpenter.sh/termination", about=InvolvedObject(kind, "", name), first="10s")

    assert found(a_nodepool(), a_lone_claim(), gone) == []


def test_a_node_whose_pods_are_still_listed_went_between_the_lists() -> None:
    cluster = a_cluster(a_node(), a_lone_claim(), a_pod("web", on="n1"))

    assert causes(dataclasses.replace(cluster, nodes=())) == []


@pytest.mark.parametrize("kind", [Kind.NODE, Kind.POD])
def test_nodes_and_pods_that_were_not_all_seen_are_not_missed(kind: Kind) -> None:
    assert found(a_nodepool(), a_lone_claim(), missing={kind: Status.PARTIAL}) == []


def without_pools(*things: Thing, missing: Mapping[Kind, Status] | None = None) -> Snapshot:
    return dataclasses.replace(a_cluster(*things, missing=missing), nodepools=())


def test_a_nodepool_that_is_gone_is_found() -> None:
    cluster = without_pools(a_node("n1"), a_nodeclaim(expire_after="Never"), a_node("n2"), a_pod("web", on="n2"))
    (finding,) = node_orphaned(cluster)

    assert (finding.object, finding.cause, finding.severity) == (POOL, "nodepool-gone", Severity.HIGH)
    assert finding.message == "2 NodeClaims are of NodePool default, which is not there"
    assert finding.cost == "2 nodes kept as they are; 1 pod there"
    assert finding.blames == (Blame(POOL),)
    assert [fix.text or fix.command for fix in finding.fix] == [
        "make the NodePool default again, as it was", "and so for 1 more, one after another", VERIFY.command,
    ]  # fmt: skip


def test_nodes_of_a_gone_nodepool_that_expire_are_less_severe() -> None:
    assert causes(without_pools(a_node())) == [("nodepool-gone", Severity.MEDIUM)]


def test_nodeclaims_that_go_with_their_nodepool_are_fine() -> None:
    owned_claim = owned(a_nodeclaim(), "NodePool")

    assert causes(without_pools(a_node("n1"), a_nodeclaim(), a_node("n2"), a_nodeclaim(node="n2", deleted="1m"))) == []
    assert causes(without_pools(a_node("n1"), owned_claim)) == []


def test_a_claim_of_no_nodepool_and_nodepools_that_were_not_all_seen_are_fine() -> None:
    assert causes(without_pools(a_node(pool=""), a_nodeclaim("mine", pool=""))) == []
    assert causes(without_pools(a_node(), missing={Kind.NODEPOOL: Status.PARTIAL})) == []


def of_class(name: str, kind: str = "EC2NodeClass", group: str = "karpenter.k8s.aws") -> NodeClaim:
    claim = a_nodeclaim()
    return replace(claim, spec=replace(claim.spec, node_class_ref=NodeClassRef(kind, name, group)))


def test_a_node_class_that_is_gone_is_found() -> None:
    (finding,) = found(a_node(), of_class("old"), a_node_class("default"))

    assert (finding.object, finding.cause, finding.severity) == (CLAIM, "nodeclass-gone", Severity.MEDIUM)
    assert finding.message == "its node class old is not there"
    assert finding.blames == (Blame(Ref("EC2NodeClass", "old", "karpenter.k8s.aws/v1")),)


@pytest.mark.parametrize(
    ("things", "missing"),
    [
        ([of_class("default"), a_node_class("default")], None),
        ([of_class("old", "AKSNodeClass", "karpenter.azure.com"), a_node_class("default")], None),
        ([of_class("old")], None),
        ([of_class("old"), a_node_class("default")], {Kind.NODECLASS: Status.PARTIAL}),
        ([of_class("old"), a_node_class("default")], {Kind.NODECLASS: Status.FORBIDDEN}),
    ],
    ids=["there", "another provider's, of which none was seen", "none was seen at all", "not all seen", "none may be seen"],
)
def test_a_node_class_that_may_be_there_is_fine(things: Sequence[Thing], missing: Mapping[Kind, Status] | None) -> None:
    assert found(a_node(), *things, missing=missing) == []


def twins(*, age: str = "1h", deleted: str = "") -> list[Node]:
    first, second = a_node("n1"), a_node("n2", age=age, deleted=deleted)
    return [first, replace(second, spec=replace(second.spec, provider_id=first.spec.provider_id))]


def test_nodes_that_share_a_provider_id_are_found() -> None:
    (finding,) = found(*twins(), a_nodeclaim(node="n1"), a_nodeclaim("c2", node=""))[:1]

    assert (finding.object, finding.cause, finding.severity) == (POOL, "duplicate-provider-id", Severity.HIGH)
    assert finding.message == "2 Nodes share their providerID with one another"
    assert finding.cost == "2 nodes for fewer instances; 0 pods there"
    assert [entry.value for entry in finding.evidence] == ["aws:///n1", "aws:///n1"]
    assert finding.fix[0].command == "kubectl delete nodeclaim default-n1"


@pytest.mark.parametrize("nodes", [twins(deleted="1m"), twins(age="119s"), [a_node("n1"), a_node("n2")]])
def test_a_node_that_takes_anothers_place_is_fine(nodes: Sequence[Node]) -> None:
    cluster = dataclasses.replace(a_cluster(*nodes), nodeclaims=(a_nodeclaim(),))

    assert "duplicate-provider-id" not in {cause for cause, _ in causes(cluster)}


def test_nodes_without_a_provider_id_share_none() -> None:
    nodes = [replace(node, spec=replace(node.spec, provider_id="")) for node in (a_node("n1"), a_node("n2"))]

    assert found(*nodes) == []


def test_a_node_without_the_finalizer_is_found() -> None:
    (finding,) = found(a_node("n1", finalizers=[]), a_node("n2"))

    assert (finding.object, finding.cause, finding.severity) == (NODE, "no-finalizer", Severity.MEDIUM)
    assert finding.message == "it lacks the finalizer karpenter.sh/termination"
    assert finding.fix[0].command == (
        """kubectl patch node n1 --type json -p '[{"op":"add","path":"/metadata/finalizers","value":["karpenter.sh/termination"]}]'"""
    )


def test_other_finalizers_stay() -> None:
    (finding,) = found(a_node("n1", finalizers=["example.com/held"]), a_node("n2"))

    assert finding.evidence[0].value == "example.com/held"
    assert finding.fix[0].command == (
        """kubectl patch node n1 --type json -p '[{"op":"add","path":"/metadata/finalizers/-","value":"karpenter.sh/termination"}]'"""
    )


@pytest.mark.parametrize(
    "things",
    [
        [a_node(finalizers=[])],
        [a_node("n2"), a_node("n1", finalizers=[], pool="")],
        [a_node("n2"), a_node("n1", finalizers=[]), a_nodeclaim(registered=False)],
        [a_node("n2"), a_node("n1", finalizers=[]), a_nodeclaim(deleted="1m")],
        [a_node("n2"), a_node("n1", finalizers=[], age="1m")],
        [a_node("n2"), a_node("n1", finalizers=[]), of_class("default", "NodeClass", "eks.amazonaws.com")],
    ],
    ids=["no node has one", "not Karpenter's", "never joined", "deleted", "young", "EKS Auto Mode"],
)
def test_a_node_that_may_lack_the_finalizer_is_fine(things: Sequence[Thing]) -> None:
    assert found(*things) == []


def test_pods_that_were_not_seen_are_not_denied() -> None:
    (finding,) = node_orphaned(without_claims(a_node(), missing={Kind.POD: Status.FORBIDDEN}))

    assert finding.impact == Impact(nodes=1)
    assert finding.cost.endswith("; how many pods is not known (Pod is forbidden) there")
