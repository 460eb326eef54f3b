from datetime import timedelta

import pytest
from msgspec.structs import replace

from karpenter_check.finding import Confidence, Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity
from karpenter_check.rules.node_expiry_herd import node_expiry_herd
from karpenter_check.snapshot import NodePool, Snapshot
from karpenter_check.snapshot.metadata import Metadata, OwnerReference
from karpenter_check.snapshot.nodepool import Disruption, NodePoolSpec
from karpenter_check.snapshot.pod_object import PodObject
from tests.build import (
    Owner,
    Thing,
    a_cluster,
    a_daemonset,
    a_deployment,
    a_node,
    a_nodeclaim,
    a_pod,
    a_statefulset,
    ago,
)

POOL = Ref("NodePool", "default", "karpenter.sh/v1")
WEB = Ref("Deployment", "web", "apps/v1", "shop")


def found(cluster: Snapshot) -> list[Finding]:
    return list(node_expiry_herd(cluster))


def told(cluster: Snapshot) -> list[tuple[Severity | None, str]]:
    return [(finding.severity, finding.message) for finding in found(cluster)]


def nodes_of_age(*ages: str, pool: str = "default", expire_after: str = "24h", beside: int = 0) -> list[Thing]:
    """Nodes and NodeClaims of these ages, beside some that never expire; the nodes are younger than their claims, as nodes are."""
    things: list[Thing] = []
    lives = [*((age, expire_after) for age in ages), *[("1h", "Never")] * beside]
    for place, (age, lasts) in enumerate(lives, 1):
        name = f"{pool}-n{place}"
        claim = a_nodeclaim(f"{pool}-c{place}", node=name, pool=pool, age=age, expire_after=lasts)
        things += [a_node(name, pool=pool, age="1m"), claim]
    return things


def replicas(of: Owner, *nodes: str) -> list[PodObject]:
    return [a_pod(f"{of.metadata.name}-{place}", on=node, of=of) for place, node in enumerate(nodes, 1)]


def test_five_nodes_of_one_nodepool_that_expire_together_are_found() -> None:
    things = nodes_of_age("23h", "22h58m", "22h50m", "22h40m", "22h31m", beside=15)
    cluster = a_cluster(*things, a_pod("app", on="default-n1"), *replicas(a_daemonset("logs"), "default-n1"))
    uids = {claim.name: claim.metadata.uid for claim in cluster.nodeclaims}

    assert found(cluster) == [
        Finding(
            object=POOL,
            owner=POOL,
            nodepool="default",
            cause="nodes",
            severity=Severity.MEDIUM,
            message="5 of default's 20 nodes expire in 1h, all within 29m",
            why="expiry is forceful: exact to the second, without jitter, bound by no disruption budget, and nothing is bought beforehand",
            cost="1 pod runs there",
            impact=Impact(nodes=5, pods=1, share=0.25),
            evidence=(
                Evidence(
                    Ref("NodeClaim", "default-c1", "karpenter.sh/v1"),
                    "metadata.creationTimestamp + spec.expireAfter",
                    "2026-11-21T13:00:00Z",
                ),
            ),
            occurrences=tuple(
                Occurrence(Ref("Node", f"default-n{place}", "v1"), uids[f"default-c{place}"], f"default-n{place}", "", ago(due))
                for place, due in enumerate(("-1h", "-1h2m", "-1h10m", "-1h20m", "-1h29m"), 1)
            ),
            fix=(
                Fix(
                    "fix",
                    "kubectl get nodeclaims -l karpenter.sh/nodepool=default --sort-by=.metadata.creationTimestamp",
                    text="delete a few of them, hours apart, so that the rest do not go together; a longer expireAfter only puts it off",
                    risk="each deletion drains its node; PodDisruptionBudgets slow it, disruption budgets do not hold expiry at all",
                ),
                Fix("verify", "karpenter-check scan --select node-expiry-herd --nodepool default"),
            ),
        ),
    ]


def test_every_replica_of_a_workload_on_nodes_that_expire_together_is_found() -> None:
    web = a_deployment("web", replicas=2)
    things = nodes_of_age("23h", "22h50m")
    cluster = a_cluster(*things, *nodes_of_age("1h", pool="other"), web, *replicas(web, "default-n1", "default-n2"))
    uids = {claim.name: claim.metadata.uid for claim in cluster.nodeclaims}

    assert found(cluster) == [
        Finding(
            object=WEB,
            owner=WEB,
            nodepool="default",
            cause="replicas",
            severity=Severity.MEDIUM,
            message="all 2 replicas of web are on 2 nodes that expire in 1h, all within 10m",
            why="their NodeClaims of default end together; expireAfter 24h",
            impact=Impact(nodes=2, pods=2),
            evidence=(
                Evidence(
                    Ref("NodeClaim", "default-c1", "karpenter.sh/v1"),
                    "metadata.creationTimestamp + spec.expireAfter",
                    "2026-11-21T13:00:00Z",
                ),
            ),
            occurrences=(
                Occurrence(Ref("Node", "default-n1", "v1"), uids["default-c1"], "default-n1", "", ago("-1h")),
                Occurrence(Ref("Node", "default-n2", "v1"), uids["default-c2"], "default-n2", "", ago("-1h10m")),
            ),
            fix=(
                Fix(
                    "fix",
                    text="spread its replicas by a topology spread constraint over zones, and give it a PodDisruptionBudget, so that they move one by one",
                ),
                Fix("verify", "karpenter-check scan --select node-expiry-herd"),
            ),
        ),
    ]


def test_every_replica_on_one_node_is_found() -> None:
    web = a_deployment("web", replicas=2)
    cluster = a_cluster(*nodes_of_age("23h"), web, *replicas(web, "default-n1", "default-n1"))

    assert [(finding.message, finding.why) for finding in found(cluster)] == [
        (
            "all 2 replicas of web are on one node that expires in 1h",
            "one NodeClaim of default holds them all; its expireAfter is 24h",
        ),
    ]


def test_replicas_on_two_nodepools_are_of_none() -> None:
    web = a_deployment("web", replicas=2)
    cluster = a_cluster(*nodes_of_age("23h", pool="a"), *nodes_of_age("23h", pool="b"), web, *replicas(web, "a-n1", "b-n1"))

    assert [(finding.nodepool, finding.why) for finding in found(cluster)] == [
        ("", "their NodeClaims of a and b end together; expireAfter 24h")
    ]


def test_three_nodes_are_a_herd_where_they_are_a_third_of_the_nodepool() -> None:
    cluster = a_cluster(*nodes_of_age("23h", "23h", "23h", beside=6))

    assert told(cluster) == [(Severity.MEDIUM, "3 of default's 9 nodes expire in 1h")]


@pytest.mark.parametrize(
    "owner", [a_deployment("web", namespace="kube-system", replicas=2), a_deployment("node-local-dns", replicas=2)]
)
def test_it_is_high_for_what_the_cluster_cannot_do_without(owner: Owner) -> None:
    cluster = a_cluster(*nodes_of_age("23h"), owner, *replicas(owner, "default-n1", "default-n1"))

    assert [finding.severity for finding in found(cluster)] == [Severity.HIGH]


def test_a_webhooks_backend_is_something_the_cluster_cannot_do_without() -> None:
    webhook = a_deployment("cert-manager-webhook", replicas=2)
    cluster = a_cluster(*nodes_of_age("23h"), webhook, *replicas(webhook, "default-n1", "default-n1"))

    assert [finding.severity for finding in found(cluster)] == [Severity.HIGH]


def test_a_herd_that_is_more_than_a_day_away_is_two_levels_lower() -> None:
    cluster = a_cluster(*nodes_of_age("1h", "1h", "1h", expire_after="72h"))

    assert told(cluster) == [(Severity.INFO, "3 of default's 3 nodes expire in 2d23h")]


def test_a_herd_that_is_near_is_told_before_a_larger_one_later() -> None:
    cluster = a_cluster(*nodes_of_age(*["71h"] * 5, *["1h"] * 8, expire_after="72h"))

    assert told(cluster) == [(Severity.MEDIUM, "5 of default's 13 nodes expire in 1h")]


def test_the_window_sets_what_is_together() -> None:
    cluster = a_cluster(*nodes_of_age("23h", "22h50m", "22h40m"))

    assert (len(list(node_expiry_herd(cluster))), len(list(node_expiry_herd(cluster, window=timedelta(minutes=15))))) == (1, 0)


def test_fail_within_sets_what_is_near() -> None:
    cluster = a_cluster(*nodes_of_age("21h", "21h", "21h"))

    assert [finding.severity for finding in node_expiry_herd(cluster, fail_within=timedelta(hours=2))] == [Severity.INFO]


def test_warn_within_sets_how_far_it_looks_ahead() -> None:
    cluster = a_cluster(*nodes_of_age("1h", "1h", "1h", expire_after="72h"))

    assert list(node_expiry_herd(cluster, warn_within=timedelta(days=2))) == []


def test_minimum_nodes_sets_how_many_are_a_herd() -> None:
    cluster = a_cluster(*nodes_of_age(*["23h"] * 5, beside=15))

    assert list(node_expiry_herd(cluster, minimum_nodes=6)) == []


def test_minimum_share_sets_which_part_of_a_nodepool_is_a_herd() -> None:
    cluster = a_cluster(*nodes_of_age("23h", "23h", "23h", beside=6))

    assert list(node_expiry_herd(cluster, minimum_share=0.5)) == []


def test_nodes_that_expire_hours_apart_are_fine() -> None:
    cluster = a_cluster(*nodes_of_age("23h", "20h", "17h", "14h", "11h"))

    assert found(cluster) == []


def test_two_nodes_are_no_herd() -> None:
    assert found(a_cluster(*nodes_of_age("23h", "23h"))) == []


def test_nodes_that_never_expire_are_fine() -> None:
    assert found(a_cluster(*nodes_of_age("23h", "23h", "23h", expire_after="Never"))) == []


def test_nodeclaims_that_somebody_made_by_hand_are_no_herd() -> None:
    assert found(a_cluster(*nodes_of_age(*["23h"] * 5, pool=""))) == []


def test_the_replicas_on_the_node_of_a_nodeclaim_made_by_hand_go_with_it_all_the_same() -> None:
    web = a_deployment("web", replicas=2)
    cluster = a_cluster(*nodes_of_age("23h", pool=""), web, *replicas(web, "-n1", "-n1"))

    assert [(finding.cause, finding.nodepool) for finding in found(cluster)] == [("replicas", "")]


def test_nodes_past_their_expiry_are_another_rules() -> None:
    assert found(a_cluster(*nodes_of_age("25h", "25h", "25h"))) == []


def test_nodes_that_are_going_already_are_left_out() -> None:
    claims = [a_nodeclaim(f"c{place}", node=f"n{place}", age="23h", expire_after="24h", deleted="1m") for place in range(3)]
    cluster = a_cluster(*(a_node(f"n{place}") for place in range(3)), *claims)

    assert found(cluster) == []


def test_a_replica_elsewhere_makes_it_fine() -> None:
    web = a_deployment("web", replicas=2)
    cluster = a_cluster(*nodes_of_age("23h"), a_node("fixed", pool=""), web, *replicas(web, "default-n1", "fixed"))

    assert found(cluster) == []


def test_a_replica_that_waits_makes_it_another_story() -> None:
    web = a_deployment("web", replicas=2)
    cluster = a_cluster(*nodes_of_age("23h"), web, *replicas(web, "default-n1"), a_pod("web-2", of=web))

    assert found(cluster) == []


def test_a_workload_that_has_not_all_its_replicas_yet_is_fine() -> None:
    web = a_deployment("web", replicas=3)
    cluster = a_cluster(*nodes_of_age("23h"), web, *replicas(web, "default-n1", "default-n1"))

    assert found(cluster) == []


def test_one_replica_alone_is_fine() -> None:
    db = a_statefulset("db", replicas=1)
    cluster = a_cluster(*nodes_of_age("23h"), db, *replicas(db, "default-n1"))

    assert found(cluster) == []


def test_daemonsets_and_bare_pods_are_no_replicas() -> None:
    logs = a_daemonset("logs")
    cluster = a_cluster(
        *nodes_of_age("23h", "23h"), logs, *replicas(logs, "default-n1", "default-n2"), a_pod("bare", on="default-n1")
    )

    assert found(cluster) == []


def test_workloads_that_go_with_a_herd_are_counted_there_and_told_only_if_they_are_vital() -> None:
    web, dns = a_deployment("web", replicas=2), a_deployment("coredns", namespace="kube-system", replicas=2)
    things = nodes_of_age("23h", "23h", "23h", "23h", "23h")
    pods = [*replicas(web, "default-n1", "default-n2"), *replicas(dns, "default-n1", "default-n2")]
    first, second = found(a_cluster(*things, web, dns, *pods))

    assert (first.object, first.cost) == (POOL, "4 pods run there; 2 workloads lose every replica")
    assert (second.object, second.severity) == (Ref("Deployment", "coredns", "apps/v1", "kube-system"), Severity.HIGH)


def test_claims_of_v1beta1_expire_gracefully() -> None:
    nodepool = NodePool(Metadata("default"), NodePoolSpec(disruption=Disruption(expire_after="24h")))
    things = nodes_of_age("23h", "23h", "23h", "23h", "23h", expire_after="")

    assert found(a_cluster(nodepool, *things)) == []


def test_the_pods_of_a_workflow_are_no_replicas() -> None:
    workflow = (OwnerReference("Workflow", "etl", "uid-etl", "argoproj.io/v1alpha1", controller=True),)
    pods = []
    for name in ("etl-1", "etl-2"):
        pod = a_pod(name, on="default-n1")
        pods.append(replace(pod, metadata=replace(pod.metadata, owner_references=workflow)))

    assert found(a_cluster(*nodes_of_age("23h"), *pods)) == []


def test_that_all_replicas_were_seen_is_only_likely_where_nothing_tells_how_many_there_should_be() -> None:
    reference = OwnerReference("ReplicaSet", "bare", "bare-uid", "apps/v1", controller=True)
    pods = [
        replace(pod, metadata=replace(pod.metadata, owner_references=(reference,)))
        for pod in (a_pod("bare-1", on="default-n1"), a_pod("bare-2", on="default-n1"))
    ]
    web = replicas(a_deployment("web", replicas=2), "default-n1", "default-n1")
    cluster = a_cluster(*nodes_of_age("23h", beside=9), a_deployment("web", replicas=2), *pods, *web)

    assert {finding.owner.name: finding.confidence for finding in found(cluster)} == {
        "bare": Confidence.LIKELY,
        "web": Confidence.CERTAIN,
    }
