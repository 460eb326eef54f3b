"""Workloads of which one node holds every replica."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from msgspec.structs import replace

from karpenter_check.finding import Confidence, Evidence, Finding, Fix, Impact, Occurrence, Ref
from karpenter_check.rules.workload_on_one_node import workload_on_one_node
from karpenter_check.snapshot import Kind, Snapshot, Status
from karpenter_check.snapshot.metadata import OwnerReference
from karpenter_check.snapshot.pod_object import Affinity, PodAffinity, PodAffinityTerm, PodObject
from tests.build import (
    Thing,
    a_budget,
    a_cluster,
    a_daemonset,
    a_deployment,
    a_node,
    a_nodeclaim,
    a_pod,
    a_statefulset,
    ago,
)

WEB = Ref("Deployment", "web", "apps/v1", "shop")
LABELS = {"app": "web"}
NODES: Sequence[Thing] = (a_node("n1"), a_node("n2"))


def owners(cluster: Snapshot) -> list[str]:
    return [finding.owner.name for finding in workload_on_one_node(cluster)]


def web_on(*nodes: str, replicas: int = 2, **pod: str) -> Sequence[Thing]:
    web = a_deployment(replicas=replicas)
    return (
        web,
        *(a_pod(f"web-{place}", on=node, of=web, labels=LABELS, age=pod.get("age", "50m")) for place, node in enumerate(nodes)),
    )


def beside_each_other(pod: PodObject) -> PodObject:
    together = PodAffinity((PodAffinityTerm("kubernetes.io/hostname"),))
    return replace(pod, spec=replace(pod.spec, affinity=Affinity(pod_affinity=together)))


def of_a_job(pod: PodObject) -> PodObject:
    job = OwnerReference("Job", "report", "report", "batch/v1", controller=True)
    return replace(pod, metadata=replace(pod.metadata, owner_references=(job,)))


def test_all_replicas_on_one_node_are_found() -> None:
    cluster = a_cluster(*NODES, *web_on("n1", "n1"))

    assert list(workload_on_one_node(cluster)) == [
        Finding(
            object=WEB,
            owner=WEB,
            nodepool="default",
            cause="one-node",
            message="all 2 replicas of web are on one node of default, and no PodDisruptionBudget matches them",
            why="whatever ends that node evicts them at the same moment: consolidation, drift, expiry, or the end of a spot instance; "
            "its node expires in 29d23h, if consolidation or drift do not come first",
            cost="web has no replica left until new ones run elsewhere",
            impact=Impact(nodes=1, pods=2),
            evidence=(Evidence(Ref("Pod", "web-0", "v1", "shop"), "spec.nodeName", "n1"),),
            occurrences=(
                Occurrence(
                    Ref("Node", "n1", "v1"), cluster.nodeclaim_of_node["n1"].metadata.uid, "n1", "one-node", ago("50m")
                ),
            ),
            since=ago("50m"),
            fix=(
                Fix(
                    "fix",
                    "kubectl edit deployment -n shop web",
                    "spread its pods by a topology spread constraint over kubernetes.io/hostname or zones, and make a PodDisruptionBudget for them with maxUnavailable: 1",
                    "its pods are replaced, as by a rollout; spread over nodes may want more of them",
                ),
                Fix("verify", "karpenter-check scan --select workload-on-one-node -n shop"),
            ),
        )
    ]  # fmt: skip


def test_replicas_on_two_nodes_are_fine() -> None:
    assert owners(a_cluster(*NODES, *web_on("n1", "n2"))) == []


def test_a_statefulset_is_found_too() -> None:
    db = a_statefulset(replicas=2)

    assert owners(a_cluster(*NODES, db, a_pod("db-0", on="n1", of=db), a_pod("db-1", on="n1", of=db))) == ["db"]


def test_a_budget_that_matches_them_is_fine() -> None:
    assert owners(a_cluster(*NODES, *web_on("n1", "n1"), a_budget("web", selects=LABELS))) == []
    assert owners(a_cluster(*NODES, *web_on("n1", "n1"), a_budget("other", selects={"app": "other"}))) == ["web"]


@pytest.mark.parametrize("kind", [Kind.PODDISRUPTIONBUDGET, Kind.POD])
def test_what_was_not_read_may_be_what_guards_them(kind: Kind) -> None:
    assert owners(a_cluster(*NODES, *web_on("n1", "n1"), missing={kind: Status.PARTIAL})) == []


def test_pods_that_say_do_not_disrupt_are_not_evicted_at_once() -> None:
    web = a_deployment(replicas=2)
    pods = (a_pod(name, on="n1", of=web, labels=LABELS, do_not_disrupt="true") for name in ("web-1", "web-2"))

    assert owners(a_cluster(*NODES, web, *pods)) == []


def test_a_single_replica_is_fine() -> None:
    assert owners(a_cluster(*NODES, *web_on("n1", replicas=1))) == []


def test_a_workload_that_shrinks_to_one_replica_is_fine() -> None:
    assert owners(a_cluster(*NODES, *web_on("n1", "n1", replicas=1))) == []


def test_a_workload_that_lacks_replicas_is_fine() -> None:
    assert owners(a_cluster(*NODES, *web_on("n1", "n1", replicas=3))) == []


def test_replicas_that_wait_for_another_node_are_fine() -> None:
    assert owners(a_cluster(*NODES, *web_on("n1", "n1", "", replicas=3))) == []


def test_a_nodepool_with_one_node_in_all_is_fine() -> None:
    assert owners(a_cluster(a_node("n1"), a_node("n2", pool="other"), *web_on("n1", "n1"))) == []


def test_a_node_that_is_not_karpenters_is_fine() -> None:
    nodes = (a_node("n1", pool=""), a_node("n2", pool=""))

    assert owners(a_cluster(*nodes, *web_on("n1", "n1"))) == []


def test_a_daemonset_is_fine() -> None:
    logs = a_daemonset()

    assert owners(a_cluster(*NODES, logs, a_pod("logs-1", on="n1", of=logs), a_pod("logs-2", on="n1", of=logs))) == []


def test_a_job_is_fine() -> None:
    assert owners(a_cluster(*NODES, *(of_a_job(a_pod(f"report-{place}", on="n1")) for place in range(2)))) == []


def test_pods_that_want_to_be_together_are_fine() -> None:
    web, first, second = web_on("n1", "n1")
    assert isinstance(first, PodObject)
    assert isinstance(second, PodObject)

    assert owners(a_cluster(*NODES, web, beside_each_other(first), beside_each_other(second))) == []


def test_pods_that_ask_for_that_node_are_fine() -> None:
    web = a_deployment(replicas=2)
    pods = [a_pod(f"web-{place}", on="n1", of=web, selector={"kubernetes.io/hostname": "n1"}) for place in range(2)]

    assert owners(a_cluster(*NODES, web, *pods)) == []


def test_how_old_pods_must_be_is_a_setting() -> None:
    cluster = a_cluster(*NODES, *web_on("n1", "n1", age="9m"))

    assert owners(cluster) == []
    assert len(list(workload_on_one_node(cluster, minimum_age=timedelta(minutes=5)))) == 1


def test_a_node_that_expires_soon_is_told_by_its_expiry() -> None:
    soon = a_nodeclaim(node="n1", age="100h", expire_after="200h")
    cluster = a_cluster(*NODES, soon, *web_on("n1", "n1"))

    assert owners(cluster) == []
    assert len(list(workload_on_one_node(cluster, expires_within=timedelta(days=1)))) == 1


def test_a_node_that_is_past_its_expiry_or_on_its_way_out_is_told_elsewhere() -> None:
    for claim in (a_nodeclaim(node="n1", age="100h", expire_after="50h"), a_nodeclaim(node="n1", deleted="1m")):
        assert owners(a_cluster(*NODES, claim, *web_on("n1", "n1"))) == []


def test_a_node_that_never_expires_may_still_be_consolidated() -> None:
    (finding,) = workload_on_one_node(a_cluster(*NODES, a_nodeclaim(node="n1", expire_after="Never"), *web_on("n1", "n1")))

    assert finding.why.endswith("or the end of a spot instance")


def test_without_the_number_that_is_wanted_it_is_likely() -> None:
    _, *pods = web_on("n1", "n1")
    (finding,) = workload_on_one_node(a_cluster(*NODES, *pods))

    assert (finding.owner.kind, finding.confidence) == ("ReplicaSet", Confidence.LIKELY)
