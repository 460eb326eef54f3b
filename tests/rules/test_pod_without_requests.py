"""Workloads whose pods ask for no cpu or no memory."""

import pytest
from msgspec.structs import replace

from karpenter_check.finding import Evidence, Finding, Fix, Impact, Occurrence, Ref
from karpenter_check.rules.pod_without_requests import pod_without_requests
from karpenter_check.snapshot import Snapshot
from karpenter_check.snapshot.metadata import OwnerReference
from karpenter_check.snapshot.pod_object import Container, PodObject, ResourceRequirements
from tests.build import Thing, a_cluster, a_daemonset, a_deployment, a_node, a_pod, ago

POOL = Ref("NodePool", "default", "karpenter.sh/v1")
WEB = Ref("Deployment", "web", "apps/v1", "shop")
CPU = ResourceRequirements({"cpu": "100m"})
MEMORY = ResourceRequirements({"memory": "128Mi"})


def found(*things: Thing) -> list[Finding]:
    return list(pod_without_requests(a_cluster(a_node("n1"), *things)))


def causes(*things: Thing) -> list[str]:
    return [finding.cause for finding in found(*things)]


def without(name: str, *, cpu: str = "", memory: str = "", namespace: str = "shop", on: str = "n1") -> PodObject:
    return a_pod(name, on=on, cpu=cpu, memory=memory, namespace=namespace)


def two(cpu: str = "", memory: str = "") -> list[PodObject]:
    return [without(f"web-{place}", cpu=cpu, memory=memory) for place in range(2)]


def full(number: int) -> list[PodObject]:
    """Pods that ask for both."""
    return [a_pod(f"full-{place}", on="n1") for place in range(number)]


def test_pods_that_ask_for_nothing_are_found_by_their_nodepool() -> None:
    web = a_deployment(replicas=2)
    pods = [a_pod(f"web-{place}", on="n1", of=web, cpu="", memory="") for place in range(2)]

    assert found(web, *pods, *full(2)) == [
        Finding(
            object=POOL,
            owner=POOL,
            nodepool="default",
            cause="both",
            message="2 pods on default's nodes ask for neither cpu nor memory: Deployment shop/web (2)",
            why="Karpenter sizes nodes by requests, and takes what is not asked for as 0: to it these pods need no more than a place; on n1 such pods are 50% of those that are no DaemonSet's",
            cost="nodes may be too small for them, and where memory runs short, they are the first that the kubelet evicts; a node that runs nothing else looks unused, and is consolidated",
            impact=Impact(nodes=1, pods=2),
            evidence=(
                Evidence(
                    Ref("Pod", "web-0", "v1", "shop"), "spec.containers[].resources.requests", "without cpu and memory"
                ),
                Evidence(Ref("Node", "n1", "v1"), value="2 of its pods"),
            ),
            occurrences=(Occurrence(WEB, pods[0].metadata.uid, "n1", "both"),),
            since=ago("50m"),
            fix=(
                Fix(
                    "fix",
                    text="ask for what the pods use, by requests in the workloads' templates, or by a LimitRange with defaultRequest in their namespaces; for memory, requests equal to limits",
                    risk="Karpenter then packs fewer of them on a node, and may buy more nodes; a LimitRange counts for pods that are made later",
                ),
                Fix("verify", "karpenter-check scan --select pod-without-requests --nodepool default"),
            ),
        )
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("cpu", "memory", "cause", "words"),
    [
        ("", "128Mi", "cpu", "ask for no cpu:"),
        ("100m", "", "memory", "ask for no memory:"),
        ("0", "0", "both", "ask for neither cpu nor memory:"),
    ],
)
def test_each_resource_is_a_cause(cpu: str, memory: str, cause: str, words: str) -> None:
    (finding,) = found(*two(cpu, memory))

    assert finding.cause == cause
    assert words in finding.message


def test_many_workloads_are_one_finding_that_names_a_few() -> None:
    (finding,) = found(*(without(f"job-{place}") for place in range(5)))

    assert finding.message == (
        "5 pods on default's nodes ask for neither cpu nor memory: "
        "Pod shop/job-0 (1), Pod shop/job-1 (1), Pod shop/job-2 (1) and 2 more"
    )
    assert len(finding.occurrences) == 5


def test_pods_that_ask_for_both_are_fine() -> None:
    assert causes(*full(3)) == []


def test_a_small_share_is_fine_and_is_a_setting() -> None:
    pods = [*two(), *full(9)]

    assert causes(*pods) == []
    assert len(list(pod_without_requests(a_cluster(a_node("n1"), *pods), minimum_share=0.1))) == 1


def test_one_pod_on_a_node_is_fine_and_how_many_are_not_is_a_setting() -> None:
    cluster = a_cluster(a_node("n1"), without("web-0"))

    assert list(pod_without_requests(cluster)) == []
    assert len(list(pod_without_requests(cluster, minimum_pods=1))) == 1


def test_nodes_are_judged_one_by_one() -> None:
    (finding,) = found(a_node("n2"), *two(), *(without(f"other-{place}", on="n2") for place in range(1)))

    assert (finding.impact, {place.node for place in finding.occurrences}) == (Impact(nodes=1, pods=2), {"n1"})


def with_container(pod: PodObject, **changes: object) -> PodObject:
    return replace(pod, spec=replace(pod.spec, **changes))


def test_requests_of_the_pod_as_a_whole_count() -> None:
    whole = ResourceRequirements({"cpu": "1", "memory": "1Gi"})

    assert causes(*(with_container(pod, resources=whole) for pod in two())) == []


def test_what_an_init_container_asks_for_counts_as_karpenter_counts_it() -> None:
    first = (Container(CPU, name="migrate"),)

    assert causes(*(with_container(pod, init_containers=first) for pod in two())) == ["memory"]


def test_one_container_that_asks_is_enough_for_the_pod() -> None:
    containers = (Container(name="web"), Container(CPU, name="proxy"), Container(MEMORY, name="logs"))

    assert causes(*(with_container(pod, containers=containers) for pod in two())) == []


def of_its_node(pod: PodObject) -> PodObject:
    owner = OwnerReference("Node", "n1", "n1", "v1", controller=True)
    return replace(pod, metadata=replace(pod.metadata, owner_references=(owner,)))


def test_daemonsets_static_pods_and_addons_are_not_counted() -> None:
    agent, proxy = a_daemonset("agent", cpu="", memory=""), a_daemonset("proxy", cpu="", memory="")

    assert causes(agent, proxy, a_pod("agent-1", on="n1", of=agent), a_pod("proxy-1", on="n1", of=proxy)) == []
    assert causes(*(of_its_node(pod) for pod in two())) == []
    assert causes(*(without(f"dns-{place}", namespace="kube-system") for place in range(2))) == []


def test_pods_that_are_over_or_wait_are_not_counted() -> None:
    done = [a_pod(f"done-{place}", on="n1", cpu="", memory="", phase="Succeeded") for place in range(2)]

    assert causes(*done) == []
    assert causes(*(without(f"waits-{place}", on="") for place in range(2))) == []


def test_a_node_without_pods_is_fine_at_any_setting() -> None:
    assert list(pod_without_requests(a_cluster(a_node("n1")), minimum_share=0, minimum_pods=0)) == []


def test_nodes_that_are_not_karpenters_are_fine() -> None:
    cluster: Snapshot = a_cluster(a_node("n1", pool=""), *two())

    assert list(pod_without_requests(cluster)) == []
