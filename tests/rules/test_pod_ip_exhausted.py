"""Pods that get no address on their nodes."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from karpenter_check.finding import Blame, Confidence, EventEvidence, Evidence, Finding, Fix, Impact, Occurrence, Ref
from karpenter_check.rules.pod_ip_exhausted import pod_ip_exhausted
from karpenter_check.snapshot import Node
from karpenter_check.snapshot.event import Event, InvolvedObject
from karpenter_check.snapshot.pod_object import PodObject
from tests.build import Thing, a_cluster, a_node, a_node_class, a_pod, about, ago, an_event

POOL = Ref("NodePool", "default", "karpenter.sh/v1")
SAID = (
    'Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox "8f1c": plugin type="aws-cni" failed (add): '
    "add cmd: failed to assign an IP address to container"
)


def a_zonal(name: str, zone: str = "a", pool: str = "default") -> Node:
    return a_node(name, pool=pool, labels={"topology.kubernetes.io/zone": zone} if zone else {})


def stuck(
    name: str, on: str, *, said: str = SAID, first: str = "20m", last: str = "2m", times: int = 30
) -> tuple[PodObject, Event]:
    pod = a_pod(name, on=on, phase="Pending", ready=False, age="21m")
    return pod, an_event("FailedCreatePodSandBox", said, about=about(pod), first=first, last=last, times=times, component="kubelet")


TWO = (*stuck("a", "n1"), *stuck("b", "n2", first="18m", last="1m"))
NODES = (a_zonal("n1"), a_zonal("n2"))


def found(*things: Thing, fail_after: timedelta = timedelta(minutes=5), minimum_nodes: int = 2) -> list[Finding]:
    return list(pod_ip_exhausted(a_cluster(*things), fail_after=fail_after, minimum_nodes=minimum_nodes))


def test_pods_of_two_nodes_that_get_no_address_are_found() -> None:
    first, second = TWO[0], TWO[2]
    assert isinstance(first, PodObject)
    assert isinstance(second, PodObject)

    assert found(*NODES, *TWO, a_node_class(zones=["b", "a", "a"])) == [
        Finding(
            object=POOL,
            owner=POOL,
            nodepool="default",
            cause="no-address",
            confidence=Confidence.LIKELY,
            message="2 pods on 2 nodes of default in a get no IP address, the first since 11:40:00Z (20m ago)",
            why="the network plugin has no address left for them: either the subnets have none, or a node has more room for pods (allocatable "
            "pods) than its network interfaces have addresses; kube-scheduler and Karpenter count pods, not addresses",
            cost="2 pods that have a node and do not start",
            impact=Impact(nodes=2, pods=2),
            evidence=(Evidence(event=EventEvidence("FailedCreatePodSandBox", SAID, 60, ago("1m"))),),
            occurrences=(
                Occurrence(Ref("Pod", "a", "v1", "shop"), first.metadata.uid, "n1", "no-address", ago("20m")),
                Occurrence(Ref("Pod", "b", "v1", "shop"), second.metadata.uid, "n2", "no-address", ago("18m")),
            ),
            since=ago("20m"),
            fix=(
                Fix(
                    "fix",
                    text="see with the cloud's own means how many addresses are free in its subnets (its node class has some in a, b): if none, add "
                    "subnets to the node class, or let the network plugin hand out prefixes",
                ),
                Fix(
                    "or",
                    "kubectl describe node n2",
                    "if there are free ones, it takes more pods (110) than its interfaces have addresses: lower the kubelet's maxPods in the node class",
                    "its nodes drift then",
                ),
                Fix("verify", "karpenter-check scan --select pod-ip-exhausted --nodepool default"),
            ),
        )
    ]


@pytest.mark.parametrize(
    "said",
    [
        "plugin type=azure-vnet failed (add): Failed to allocate address: No available addresses",
        "no IP addresses available in range set: 10.0.0.1-10.0.0.254",
        "networkPlugin cni failed: no available IP addresses",
        "failed to request IPv4 addresses: Assigned 0 out of 1 requested IPv4 addresses; No more free affine blocks",
        "unable to allocate IP via local cilium agent: [POST /ipam][502] postIpamFailure range is full",
        "(combined from similar events): " + SAID,
    ],
)
def test_other_plugins_have_other_words(said: str) -> None:
    assert len(found(*NODES, *stuck("a", "n1", said=said), *stuck("b", "n2", said=said))) == 1


def test_where_the_provider_names_the_subnet_it_is_the_subnet() -> None:
    said = "failed to setup network: InsufficientFreeAddressesInSubnet: The specified subnet does not have enough free addresses"
    (finding,) = found(*NODES, *stuck("a", "n1", said=said), *stuck("b", "n2"))

    assert finding.why.startswith("their subnets have no free addresses left")


def test_launches_that_fail_for_want_of_addresses_explain_it() -> None:
    about_claim, said = (
        InvolvedObject("NodeClaim", "", "default-bcdfg"),
        "NodeClaim default-bcdfg event: InsufficientFreeAddressesInSubnet: none",
    )
    (finding,) = found(*NODES, *TWO, an_event("InsufficientCapacityError", said, about=about_claim, first="10m"))

    assert (finding.blames, finding.why.startswith("their subnets have no free addresses left")) == ((Blame(POOL),), True)


def test_each_nodepool_is_one_finding_and_a_zone_is_shared() -> None:
    other = (a_zonal("n3", pool="web"), *stuck("c", "n3"))

    assert [(entry.nodepool, entry.impact.nodes) for entry in found(*NODES, *TWO, *other)] == [("default", 2), ("web", 1)]
    assert [entry.message for entry in found(a_zonal("n1", ""), a_zonal("n2", ""), *TWO)] == [
        "2 pods on 2 nodes of default get no IP address, the first since 11:40:00Z (20m ago)"
    ]


@pytest.mark.parametrize(
    "things",
    [
        [a_zonal("n1"), *stuck("a", "n1"), *stuck("b", "n1")],
        [a_zonal("n1"), a_zonal("n3", "b", "web"), *stuck("a", "n1"), *stuck("c", "n3")],
        [*NODES, *stuck("a", "n1", first="90s"), *stuck("b", "n2", first="4m")],
        [*NODES, *stuck("a", "n1", last="7m"), *stuck("b", "n2", last="7m")],
        [*NODES, *stuck("a", "n1", said="failed to setup network: context deadline exceeded"), *stuck("b", "n2", said="dial tcp 127.0.0.1:50051")],
        [*NODES, a_pod("a", on="n1"), TWO[1], a_pod("b", on="n2"), TWO[3]],
        [*NODES, a_pod("a", on="n1", phase="Pending", deleted="1m"), TWO[1], TWO[3]],
        [a_node("n1", pool=""), a_node("n2", pool=""), *TWO],
    ],
    ids=["one node", "one node each of two zones and NodePools", "not for long yet", "over", "no address is not what it says", "they run", "they are gone", "not Karpenter's nodes"],
)  # fmt: skip
def test_what_is_normal_or_something_else_is_silent(things: Sequence[Thing]) -> None:
    assert found(*things) == []


def test_the_settings() -> None:
    assert found(*NODES, *TWO, fail_after=timedelta(minutes=19)) == []
    assert len(found(a_zonal("n1"), *stuck("a", "n1"), minimum_nodes=1)) == 1
