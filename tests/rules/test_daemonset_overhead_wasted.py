from datetime import timedelta

import msgspec
import pytest

from karpenter_check.finding import Confidence, Evidence, Finding, Fix, Impact, Occurrence, Ref
from karpenter_check.rule import NotProven
from karpenter_check.rules.daemonset_overhead_wasted import daemonset_overhead_wasted
from karpenter_check.scheduling.template import drifted_from
from karpenter_check.snapshot import DaemonSet, Node, NodeClaim, NodePool, Snapshot, Version
from karpenter_check.snapshot.nodepool import NodeClassRef
from tests.build import a_cluster, a_daemonset, a_node, a_nodeclaim, a_nodepool, a_pod, a_term, ago

ZONE = "topology.kubernetes.io/zone"
AGENT = Ref("DaemonSet", "agent", "apps/v1", "kube-system")


def found(cluster: Snapshot, *, minimum_age: timedelta = timedelta(minutes=10)) -> list[Finding]:
    return list(daemonset_overhead_wasted(cluster, minimum_age=minimum_age))


def a_daemonset_of_zone_a() -> DaemonSet:
    return a_daemonset("agent", terms=[a_term(f"{ZONE} In a")])


def test_a_daemonset_that_is_counted_and_runs_on_no_node_is_found() -> None:
    first, second = a_node("n1", labels={ZONE: "b"}), a_node("n2", labels={ZONE: "c"}, age="2h")
    cluster = a_cluster(a_daemonset_of_zone_a(), first, second)

    assert found(cluster) == [
        Finding(
            object=AGENT,
            owner=AGENT,
            nodepool="default",
            cause="counted-not-running",
            confidence=Confidence.LIKELY,
            message="Karpenter keeps room for agent on default's nodes; it runs on 0 of 2",
            why="NodePool default admits its selectors and tolerations, but no node of it has the labels or lets it in",
            cost="100m cpu, 128Mi memory on each of 2 nodes",
            impact=Impact(nodes=2, pods=0, cpu="100m", memory="128Mi"),
            evidence=(
                Evidence(AGENT, "spec.template.spec", "compatible with the NodePool's template"),
                Evidence(Ref("Node", "n1", "v1"), "metadata.labels, spec.taints", "do not admit it"),
            ),
            occurrences=(
                Occurrence(Ref("Node", "n1", "v1"), first.metadata.uid, "n1", "", ago("1h")),
                Occurrence(Ref("Node", "n2", "v1"), second.metadata.uid, "n2", "", ago("2h")),
            ),
            since=ago("2h"),
            fix=(
                Fix(
                    "fix",
                    text="split NodePool default by what the DaemonSet selects, or taint it so that the DaemonSet is not counted",
                    risk="an edit of the NodePool's template drifts its 2 nodes",
                ),
                Fix("verify", "karpenter-check scan --select daemonset-overhead-wasted"),
            ),
        ),
    ]


def test_a_taint_on_the_nodes_that_the_nodepool_does_not_declare_is_found() -> None:
    agent = a_daemonset("agent", tolerations=[])
    cluster = a_cluster(agent, a_node("n1", taints=["agent-forbidden:NoSchedule"]))

    assert [(finding.object, finding.nodepool) for finding in found(cluster)] == [(AGENT, "default")]


def test_a_daemonset_that_runs_on_one_node_of_the_nodepool_is_fine() -> None:
    agent = a_daemonset_of_zone_a()
    cluster = a_cluster(
        agent, a_node("n1", labels={ZONE: "a"}), a_node("n2", labels={ZONE: "b"}), a_pod("agent-1", on="n1", of=agent)
    )

    assert found(cluster) == []


def test_a_daemonset_that_karpenter_does_not_count_is_fine() -> None:
    cluster = a_cluster(a_daemonset("agent", selector={"heavy": "yes"}), a_node("n1"))

    assert found(cluster) == []


def test_a_pod_that_waits_for_a_node_of_the_nodepool_is_fine() -> None:
    agent = a_daemonset_of_zone_a()
    cluster = a_cluster(agent, a_node("n1", labels={ZONE: "b"}), a_pod("agent-1", pinned_to="n1", of=agent))

    assert found(cluster) == []


def test_a_rollout_that_has_not_come_to_the_nodes_yet_is_fine() -> None:
    cluster = a_cluster(a_daemonset("agent"), a_node("n1"))

    assert found(cluster) == []


def test_a_label_that_a_provider_is_only_believed_to_know_proves_nothing() -> None:
    azure = NodeClassRef("AKSNodeClass", "default", "karpenter.azure.com")
    agent = a_daemonset("agent", selector={"karpenter.azure.com/sku-family": "D"})

    assert found(a_cluster(a_nodepool(node_class=azure), agent, a_node("n1"))) == []


def test_a_nodepool_of_eks_auto_mode_proves_nothing() -> None:
    automode = NodeClassRef("NodeClass", "default", "eks.amazonaws.com")

    assert found(a_cluster(a_nodepool(node_class=automode), a_daemonset_of_zone_a(), a_node("n1", labels={ZONE: "b"}))) == []


@pytest.mark.parametrize(
    ("version", "group", "confidence"),
    [
        (Version(1, 13), "karpenter.k8s.aws", Confidence.CERTAIN),
        (None, "karpenter.k8s.aws", Confidence.LIKELY),
        (Version(1, 13), "karpenter.azure.com", Confidence.LIKELY),
        (Version(1, 13), "karpenter.k8s.gcp", Confidence.LIKELY),
    ],
)
def test_it_is_certain_where_version_and_labels_are_known(version: Version | None, group: str, confidence: Confidence) -> None:
    pool = a_nodepool(node_class=NodeClassRef("Class", "default", group))
    cluster = a_cluster(pool, a_daemonset_of_zone_a(), a_node("n1", labels={ZONE: "b"}), version=version)

    assert [finding.confidence for finding in found(cluster)] == [confidence]


def test_it_is_likely_where_a_nodeclaim_refuses_it_for_its_pods_or_for_an_older_nodepool() -> None:
    narrowed = a_nodeclaim(node="n1", requirements=[f"{ZONE} In b"])
    cluster = a_cluster(a_nodepool(), a_daemonset_of_zone_a(), a_node("n1", labels={ZONE: "b"}), narrowed, version=Version(1, 13))

    assert [finding.confidence for finding in found(cluster)] == [Confidence.LIKELY]


@pytest.mark.parametrize(("cpu", "memory"), [("", ""), ("0", "0")])
def test_a_daemonset_that_asks_for_nothing_wastes_nothing(cpu: str, memory: str) -> None:
    cluster = a_cluster(
        a_daemonset("agent", cpu=cpu, memory=memory, terms=[a_term(f"{ZONE} In a")]), a_node("n1", labels={ZONE: "b"})
    )

    assert found(cluster) == []


def test_a_node_that_is_older_than_the_daemonset_was_sized_without_it() -> None:
    agent = a_daemonset_of_zone_a()
    young = msgspec.structs.replace(agent, metadata=msgspec.structs.replace(agent.metadata, creation_timestamp=ago("90m")))
    cluster = a_cluster(young, a_node("n1", labels={ZONE: "b"}, age="2h"), a_node("n2", labels={ZONE: "b"}, age="1h"))

    assert [[entry.node for entry in finding.occurrences] for finding in found(cluster)] == [["n2"]]


def test_a_nodeclaim_that_asks_for_less_than_the_daemonset_does_disproves_it() -> None:
    small = a_nodeclaim(node="n1", requests={"cpu": "50m", "memory": "4Gi", "pods": "1"})

    assert found(a_cluster(small, a_daemonset_of_zone_a(), a_node("n1", labels={ZONE: "b"}))) == []


def test_a_young_node_proves_nothing() -> None:
    cluster = a_cluster(a_daemonset_of_zone_a(), a_node("n1", labels={ZONE: "b"}, age="9m"))

    assert found(cluster) == []


def test_the_minimum_age_sets_what_is_young() -> None:
    cluster = a_cluster(a_daemonset_of_zone_a(), a_node("n1", labels={ZONE: "b"}, age="9m"))

    assert [finding.owner for finding in found(cluster, minimum_age=timedelta(minutes=5))] == [AGENT]


@pytest.mark.parametrize(
    "node",
    [
        a_node("n1", labels={ZONE: "b"}, ready=False),
        a_node("n1", labels={ZONE: "b"}, initialized=False),
        a_node("n1", labels={ZONE: "b"}, cordoned=True),
        a_node("n1", labels={ZONE: "b"}, deleted="1m"),
        a_node("n1", labels={ZONE: "b"}, pool=""),
    ],
    ids=["not ready", "not initialized", "cordoned", "terminating", "of no NodePool"],
)
def test_a_node_that_is_not_in_service_proves_nothing(node: Node) -> None:
    assert found(a_cluster(a_daemonset_of_zone_a(), node)) == []


def test_a_node_from_before_an_edit_of_its_nodepool_proves_nothing() -> None:
    cluster = a_cluster(
        a_nodepool(hash="2"), a_node("n1", labels={ZONE: "b"}), a_nodeclaim(node="n1", hash="1"), a_daemonset_of_zone_a()
    )

    assert found(cluster) == []


def test_a_static_nodepool_keeps_no_room() -> None:
    cluster = a_cluster(a_nodepool(replicas=1), a_node("n1", labels={ZONE: "b"}), a_daemonset_of_zone_a())

    assert found(cluster) == []


def test_a_nodepool_without_nodes_wastes_nothing() -> None:
    assert found(a_cluster(a_nodepool(), a_daemonset_of_zone_a())) == []


def test_from_1_14_on_nothing_is_proven() -> None:
    cluster = a_cluster(a_daemonset_of_zone_a(), a_node("n1", labels={ZONE: "b"}), version=Version(1, 14))

    with pytest.raises(NotProven, match="counts DaemonSets by instance type"):
        found(cluster)


def test_the_nodes_of_a_nodepool_are_looked_at_once_for_all_daemonsets(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def counted(claim: NodeClaim, nodepool: NodePool) -> bool:
        asked.append(claim.name)
        return drifted_from(claim, nodepool)

    monkeypatch.setattr("karpenter_check.rules.daemonset_overhead_wasted.drifted_from", counted)
    agents = [a_daemonset(f"agent-{place}", terms=[a_term(f"{ZONE} In a")]) for place in range(5)]

    assert len(found(a_cluster(*agents, a_node("n1", labels={ZONE: "b"}), a_node("n2", labels={ZONE: "b"})))) == 5
    assert asked == ["default-n1", "default-n2"]
