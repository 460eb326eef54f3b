from collections.abc import Mapping, Sequence

import msgspec
import pytest

from karpenter_check.finding import EventEvidence, Evidence, Finding, Fix, Occurrence, Ref, Severity
from karpenter_check.rules.nodepool_inflexible import nodepool_inflexible
from karpenter_check.snapshot import Kind, NodePool, Status
from karpenter_check.snapshot.event import Event, InvolvedObject
from karpenter_check.snapshot.metadata import OwnerReference
from karpenter_check.snapshot.nodepool import NodeClassRef
from karpenter_check.snapshot.pod_object import PodObject
from tests.build import Thing, a_cluster, a_controller, a_deployment, a_node, a_node_class, a_nodepool, a_pod, a_uid, ago, an_event

WEB = Ref("NodePool", "web", "karpenter.sh/v1")
CAPACITY, TYPE, ZONE = "karpenter.sh/capacity-type In", "node.kubernetes.io/instance-type In", "topology.kubernetes.io/zone In"
FAMILY, CATEGORY = "karpenter.k8s.aws/instance-family In", "karpenter.k8s.aws/instance-category In"
SPOT, BOTH, ON_DEMAND = f"{CAPACITY} spot", f"{CAPACITY} spot,on-demand", f"{CAPACITY} on-demand"
TWO = f"{TYPE} m6i.large,m7i.large"
FALLBACK = a_nodepool("fallback", requirements=[ON_DEMAND])
REFUSED = "NodeClaim web-abcde event: creating instance, insufficient capacity"
EDIT_RISK = "more choice drifts no node; other types and zones cost differently"
IN_B = {"topology.kubernetes.io/zone": "b"}


def web(*requirements: str, name: str = "web", taints: Sequence[str] = (), labels: Mapping[str, str] | None = None) -> NodePool:
    return a_nodepool(name, requirements=requirements, taints=taints, labels=labels)


def running(*pods: PodObject, zone: str = "a") -> list[Thing]:
    """A node of web in that zone, one of nobody's in another, and a pod of a Deployment or these."""
    place = {"topology.kubernetes.io/zone": zone}
    deployment = a_deployment("web")
    nodes = [a_node("n1", pool="web", labels=place), a_node("other", pool="", labels=IN_B)]
    return [*nodes, *pods] if pods else [*nodes, deployment, a_pod("web-1", on="n1", of=deployment)]


def of_a_job(name: str = "sums") -> PodObject:
    pod = a_pod(name, on="n1")
    owner = OwnerReference("Job", "sums", "u", "batch/v1", controller=True)
    return msgspec.structs.replace(pod, metadata=msgspec.structs.replace(pod.metadata, owner_references=(owner,)))


def refused(times: int = 3, claim: str = "web-abcde") -> Event:
    about = InvolvedObject("NodeClaim", name=claim, uid=a_uid("NodeClaim", claim))
    return an_event("InsufficientCapacityError", REFUSED, about=about, first="20m", times=times)


def found(*things: Thing, minimum_types: int = 5, refusals: int = 3, missing: Mapping[Kind, Status] | None = None) -> list[Finding]:
    return list(nodepool_inflexible(a_cluster(*things, missing=missing), minimum_types=minimum_types, refusals=refusals))


def told(*things: Thing, missing: Mapping[Kind, Status] | None = None) -> list[tuple[str, Severity | None]]:
    return [(finding.cause, finding.severity) for finding in found(*things, missing=missing)]


def test_spot_of_few_types_is_found() -> None:
    assert found(web(SPOT, TWO), FALLBACK, *running()) == [
        Finding(
            object=WEB,
            owner=WEB,
            nodepool="web",
            cause="few-types",
            severity=Severity.MEDIUM,
            message="web buys spot of 2 instance types alone: m6i.large, m7i.large",
            why="where the provider has none of them left, no node comes until it has; spot is taken back type by type, and Karpenter "
            "replaces one spot node by another only where 15 types are cheaper",
            evidence=(Evidence(WEB, "spec.template.spec.requirements", "m6i.large, m7i.large"),),
            occurrences=(Occurrence(WEB, a_uid("NodePool", "web"), "", "few-types"),),
            fix=(
                Fix(
                    "fix",
                    "kubectl edit nodepool web",
                    "let it choose from 15 types or more: by category, generation and size rather than by name",
                    EDIT_RISK,
                ),
                Fix("verify", "karpenter-check scan --select nodepool-inflexible --nodepool web"),
            ),
        )
    ]


@pytest.mark.parametrize(
    ("requirements", "expected"),
    [
        ([SPOT, f"{TYPE} m6i.large"], [("one-type", Severity.MEDIUM)]),
        ([BOTH, TWO], [("few-types", Severity.LOW)]),
        ([ON_DEMAND, f"{TYPE} m6i.large"], [("one-type", Severity.LOW)]),
        ([ON_DEMAND, TWO], []),
        ([TWO], []),
        ([f"{CAPACITY} reserved", f"{TYPE} m6i.large", f"{ZONE} a"], []),
        ([BOTH, f"{TYPE} m6i.large,m7i.large,m6a.large,m7a.large,c7i.large"], []),
        ([BOTH, f"{FAMILY} m6i", "karpenter.k8s.aws/instance-size In large"], []),
        ([BOTH, TWO, f"{TYPE} c7i.large"], []),
    ],
    ids=[
        "one for spot", "few, with on-demand", "one on demand", "two on demand", "two of any capacity", "what is reserved", "five",
        "families and sizes are not counted", "none at all is another matter",
    ],
)  # fmt: skip
def test_how_few_types_are_too_few(requirements: Sequence[str], expected: list[tuple[str, Severity]]) -> None:
    assert told(web(*requirements), FALLBACK, *running()) == expected


@pytest.mark.parametrize(("gates", "expected"), [("SpotToSpotConsolidation=true", ["spot-to-spot"]), ("", [])])
def test_spot_is_replaced_by_spot_with_15_types_only(gates: str, expected: list[str]) -> None:
    eight = ",".join(f"m{generation}.large" for generation in range(8))
    findings = found(web(SPOT, f"{TYPE} {eight}"), FALLBACK, a_controller(gates), *running())

    assert [finding.cause for finding in findings] == expected
    assert {finding.severity for finding in findings} <= {Severity.INFO}


@pytest.mark.parametrize(("capacity", "severity"), [(SPOT, Severity.MEDIUM), (BOTH, Severity.LOW), (ON_DEMAND, Severity.LOW)])
def test_one_zone_alone_is_found(capacity: str, severity: Severity) -> None:
    fallback_there = a_nodepool("fallback", requirements=[ON_DEMAND, f"{ZONE} a"])
    findings = [one for one in found(web(capacity, f"{ZONE} a"), fallback_there, *running()) if one.nodepool == "web"]

    assert [(one.cause, one.severity, one.message) for one in findings] == [("one-zone", severity, "web buys in one zone alone: a")]


def test_a_node_class_with_subnets_in_one_zone_leaves_one_zone() -> None:
    (finding,) = found(web(ON_DEMAND), a_node_class(zones=["a", "a"]), *running())

    assert (finding.cause, finding.evidence) == (
        "one-zone",
        (Evidence(Ref("EC2NodeClass", "default"), "status.subnets", "a"),),
    )


def test_a_nodepool_for_each_zone_is_fine() -> None:
    assert told(web(BOTH, f"{ZONE} a"), web(BOTH, f"{ZONE} b", name="web-b"), *running()) == []


def test_one_zone_with_volumes_may_be_meant() -> None:
    (finding,) = found(web(ON_DEMAND, f"{ZONE} a"), *running(a_pod("db", on="n1", claims=["data"])))

    assert (finding.severity, finding.why) == (
        Severity.INFO,
        "where that zone has no capacity, or fails, no node comes; pods on it have volumes, which may be why",
    )


def test_a_cluster_in_one_zone_may_be_meant() -> None:
    (finding,) = found(web(ON_DEMAND, f"{ZONE} b"), *running(zone="b"))

    assert (finding.severity, finding.why) == (
        Severity.INFO,
        "where that zone has no capacity, or fails, no node comes; no node of the cluster is in another zone, so it may be meant",
    )


def test_spot_alone_without_a_fallback_is_found() -> None:
    (finding,) = found(web(SPOT), *running())

    assert (finding.cause, finding.severity, finding.message) == (
        "spot-only",
        Severity.MEDIUM,
        "web buys spot alone, and no other NodePool would take its pods on demand",
    )
    assert finding.why == (
        "where there is no spot capacity its pods wait, and those of nodes that are taken back wait with them; 1 pod that is no Job's runs on it"
    )


@pytest.mark.parametrize(
    "other",
    [
        FALLBACK,
        web(BOTH, name="fallback"),
        web(name="fallback"),
        web(ON_DEMAND, name="fallback", labels={"team": "other"}),
        web(ON_DEMAND, name="fallback", taints=["spot:NoSchedule"]),
        web(ON_DEMAND, name="fallback", taints=["slow:PreferNoSchedule"]),
    ],
    ids=["on demand", "both", "any capacity", "a label that only one has", "the same taint", "a taint that is only preferred"],
)
def test_with_a_nodepool_to_fall_back_to_spot_alone_is_fine(other: NodePool) -> None:
    assert told(web(SPOT, taints=["spot:NoSchedule"]), other, *running()) == []


@pytest.mark.parametrize(
    "other",
    [
        web(SPOT, name="other"),
        web(ON_DEMAND, name="other", taints=["db:NoSchedule"]),
        web(ON_DEMAND, "kubernetes.io/arch In arm64", name="other"),
        web(ON_DEMAND, name="other", labels={"team": "db"}),
        a_nodepool("other", requirements=[ON_DEMAND], replicas=2),
        a_nodepool("other", requirements=[ON_DEMAND], deleted="1m"),
    ],
    ids=["spot too", "another taint", "another architecture", "another value of a label", "static", "being deleted"],
)
def test_what_takes_none_of_its_pods_is_no_fallback(other: NodePool) -> None:
    pool = web(SPOT, "kubernetes.io/arch In amd64", labels={"team": "web"})

    assert ("spot-only", Severity.MEDIUM) in told(pool, other, *running())


def test_spot_alone_for_jobs_is_how_it_should_be() -> None:
    assert told(web(SPOT), *running(of_a_job())) == [("spot-only", Severity.INFO)]


def test_where_pods_were_not_seen_that_is_said() -> None:
    (finding,) = found(web(SPOT), *running(), missing={Kind.POD: Status.FORBIDDEN})

    assert (finding.severity, finding.why.rpartition("; ")[2]) == (
        Severity.LOW,
        "what runs on it is not known: Pod is forbidden",
    )


@pytest.mark.parametrize(
    "requirement", [f"{FAMILY} t3,t3a", f"{CATEGORY} t", f"{TYPE} t3.large,t3a.large,t4g.large,t2.large,t3.small"]
)
def test_burstable_instances_alone_are_told(requirement: str) -> None:
    assert told(web(BOTH, requirement), *running()) == [("burstable", Severity.INFO)]


@pytest.mark.parametrize(
    "requirement", [f"{FAMILY} t3,m7i", f"{CATEGORY} c,m,t", "karpenter.k8s.aws/instance-family NotIn t3", f"{CATEGORY} trn"]
)
def test_with_others_beside_them_burstable_ones_are_fine(requirement: str) -> None:
    assert told(web(BOTH, requirement), *running()) == []


def test_families_of_other_providers_are_not_taken_for_aws() -> None:
    pool = a_nodepool(
        "web", requirements=[f"{TYPE} t1,t2"], node_class=NodeClassRef("KWOKNodeClass", "default", "karpenter.kwok.sh")
    )

    assert told(pool, *running()) == []


@pytest.mark.parametrize(
    "pool",
    [
        web(SPOT, f"{TYPE} p4d.24xlarge"),
        web(SPOT, f"{TYPE} odd.large", f"{CATEGORY} g,p"),
        web(SPOT, f"{TYPE} odd.large", "karpenter.k8s.aws/instance-gpu-count Gt 0"),
        web(SPOT, f"{TYPE} odd.large", taints=["nvidia.com/gpu:NoSchedule"]),
        web(SPOT, f"{TYPE} odd.large", labels={"accelerator": "nvidia"}),
    ],
    ids=["its type", "its categories", "a requirement", "a taint", "a label"],
)
def test_of_gpus_there_is_little_choice(pool: NodePool) -> None:
    findings = found(pool, FALLBACK, *running())

    assert [(one.cause, one.severity) for one in findings] == [("one-type", Severity.INFO)]
    assert findings[0].why.endswith("; of such hardware there is little choice")


def test_a_requirement_that_keeps_gpus_out_makes_no_gpu_pool() -> None:
    assert told(web(SPOT, TWO, "karpenter.k8s.aws/instance-gpu-name DoesNotExist"), FALLBACK, *running()) == [
        ("few-types", Severity.MEDIUM)
    ]


def test_a_nodepool_without_nodes_harms_less() -> None:
    (finding,) = found(web(SPOT, TWO), FALLBACK)

    assert (finding.severity, finding.why.rpartition("; ")[2]) == (Severity.LOW, "it has no nodes now")


def test_by_its_status_too_where_nodes_were_not_seen() -> None:
    empty = a_nodepool("web", requirements=[SPOT, TWO], used={"nodes": "0"})
    missing = {Kind.NODE: Status.NOT_COLLECTED}

    assert told(empty, FALLBACK, missing=missing) == [("few-types", Severity.LOW)]
    assert told(web(SPOT, TWO), FALLBACK, missing=missing) == [("few-types", Severity.MEDIUM)]


def test_a_nodepool_that_was_refused_capacity_is_worse() -> None:
    (finding,) = found(web(ON_DEMAND, f"{TYPE} m6i.large"), refused(times=4))

    assert finding.severity is Severity.MEDIUM
    assert finding.why.rpartition("; ")[2] == "by the events of the last hour or so, the provider had no capacity for it 4 times"
    assert finding.evidence[1] == Evidence(event=EventEvidence("InsufficientCapacityError", REFUSED, 4, ago("20m")))


@pytest.mark.parametrize("event", [refused(times=2), refused(claim="api-abcde")], ids=["twice is routine", "another NodePool"])
def test_a_refusal_now_and_then_is_routine(event: Event) -> None:
    assert told(web(ON_DEMAND, f"{TYPE} m6i.large"), event, *running()) == [("one-type", Severity.LOW)]


@pytest.mark.parametrize(
    "pool",
    [
        a_nodepool("web", requirements=[SPOT, TWO], replicas=3),
        a_nodepool("web", requirements=[SPOT, TWO], deleted="1m"),
        a_nodepool("web", requirements=[BOTH]),
        a_nodepool("web"),
    ],
    ids=["static", "being deleted", "everything open", "nothing asked"],
)
def test_what_is_right_is_fine(pool: NodePool) -> None:
    assert told(pool, *running()) == []


def test_the_settings() -> None:
    pool = web(SPOT, TWO)

    assert found(pool, FALLBACK, *running(), minimum_types=2) == []
    (finding,) = found(web(ON_DEMAND, f"{TYPE} m6i.large"), refused(times=1), *running(), refusals=1)
    assert finding.severity is Severity.MEDIUM
