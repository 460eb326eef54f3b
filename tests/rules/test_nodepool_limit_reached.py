"""NodePools whose limits keep pods waiting."""

import dataclasses
from datetime import timedelta

import pytest

from karpenter_check.finding import Confidence, EventEvidence, Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity
from karpenter_check.rules.nodepool_limit_reached import nodepool_limit_reached
from karpenter_check.rules.pod_fits_no_nodepool import pod_fits_no_nodepool
from karpenter_check.scan import scan
from karpenter_check.snapshot import Coverage, Kind, NodePool, Status
from karpenter_check.snapshot.event import Event
from karpenter_check.snapshot.pod_object import PodObject
from tests.build import (
    Thing,
    a_cluster,
    a_deployment,
    a_node,
    a_nodeclaim,
    a_nodepool,
    a_pod,
    about,
    ago,
    an_event,
    nominated,
)  # fmt: skip

WEB = Ref("NodePool", "web", "karpenter.sh/v1")
APP = Ref("Pod", "app", "v1", "shop")
LIMITS = "all available instance types exceed limits for nodepool (NodePool=web)"


def found(*things: Thing) -> list[Finding]:
    return list(nodepool_limit_reached(a_cluster(*things)))


def full(**changes: str) -> NodePool:
    """A NodePool with 500m of its 8 cpu left."""
    return a_nodepool("web", limits={"cpu": "8"} | changes, used={"cpu": "7500m", "memory": "30Gi", "nodes": "2"})


def app(name: str = "app", *, cpu: str = "1", age: str = "50m") -> PodObject:
    return a_pod(name, cpu=cpu, age=age)


def zoned() -> PodObject:
    """A pod of which no object proves that the NodePool can buy for it, or cannot."""
    return a_pod("app", cpu="100m", selector={"topology.kubernetes.io/zone": "us-west-2a"})


def refused(pod: PodObject, said: str = LIMITS, *, last: str = "2m") -> Event:
    return an_event("FailedScheduling", f"Failed to schedule pod, {said}", about=about(pod), first="40m", last=last, times=4)


def a_claim(cpu: str) -> Thing:
    return a_nodeclaim(node="n1", pool="web", capacity={"cpu": cpu, "memory": "8Gi"})


def test_a_limit_that_keeps_a_pod_waiting_is_found() -> None:
    assert found(full(), a_node("n1", pool="web", cpu="0"), a_claim("2"), app(), refused(app())) == [
        Finding(
            object=WEB,
            owner=WEB,
            nodepool="web",
            cause="pods-wait",
            message="web has reached its limits: 500m of 8 cpu left, 1 needed; Pod shop/app waits",
            why="cpu: 7500m of 8 used; a node counts with its whole capacity, whatever its pods ask; its smallest node has 2 cpu",
            impact=Impact(pods=1),
            evidence=(
                Evidence(WEB, "spec.limits.cpu", "8"),
                Evidence(WEB, "status.resources.cpu", "7500m"),
                Evidence(event=EventEvidence("FailedScheduling", f"Failed to schedule pod, {LIMITS}", 4, ago("2m"))),
            ),
            occurrences=(Occurrence(APP, app().metadata.uid, reason="limit", since=ago("50m")),),
            since=ago("50m"),
            fix=(
                Fix(
                    "fix",
                    "kubectl edit nodepool web",
                    "raise spec.limits, cpu to more than 8500m: a node is larger than its pods, and nodes that are being replaced "
                    "need room, too; or let nodes go that are hardly used: karpenter-check why nodepool web",
                    "it may then buy so much more; a change of limits drifts no node",
                ),
                Fix("verify", "karpenter-check scan --select nodepool-limit-reached --nodepool web"),
            ),
        )
    ]


def test_without_events_the_objects_prove_it() -> None:
    cluster = a_cluster(full(), app(), missing={Kind.EVENT: Status.FORBIDDEN})

    assert [finding.confidence for finding in nodepool_limit_reached(cluster)] == [Confidence.CERTAIN]


def test_all_limits_that_are_reached_are_named_and_the_nearest_pod() -> None:
    pool = a_nodepool("web", limits={"cpu": "8", "memory": "32Gi"}, used={"cpu": "8", "memory": "32Gi"})
    (finding,) = found(pool, app("small", cpu="1"), app("large", cpu="2"))

    assert finding.message == (
        "web has reached its limits: 0 of 8 cpu left, 1 needed and 0 of 32Gi memory left, 128Mi needed; "
        "Pod shop/large, Pod shop/small wait"
    )


def test_a_limit_of_nodes_is_one() -> None:
    (finding,) = found(a_nodepool("web", limits={"nodes": "2"}, used={"nodes": "2"}), app())

    assert finding.message == "web has reached its limits: 0 of 2 nodes left; Pod shop/app waits"


def test_pods_of_one_workload_are_one_finding_and_named_by_it() -> None:
    web = a_deployment("web", replicas=2)
    pods = [a_pod(name, of=web, cpu="1", age=age) for name, age in (("web-1", "3m"), ("web-2", "9m"))]
    (finding,) = found(full(), web, *pods)

    assert (finding.message.rpartition("; ")[2], [entry.object.name for entry in finding.occurrences], finding.since) == (
        "2 pods of Deployment shop/web wait",
        ["web-2", "web-1"],
        ago("9m"),
    )


def test_what_pods_say_of_themselves_is_a_consequence() -> None:
    cluster = a_cluster(full(), app())
    report = scan(cluster, [nodepool_limit_reached, pod_fits_no_nodepool])
    of_rule = {result.rule.slug: result for result in report.results}

    assert of_rule["pod-fits-no-nodepool"].caused_by == (of_rule["nodepool-limit-reached"].fingerprint,)


@pytest.mark.parametrize(("age", "expected"), [("59s", []), ("1m", [Severity.LOW]), ("4m59s", [Severity.LOW]), ("5m", [None])])
def test_a_wait_is_low_from_one_minute_and_high_from_five_minutes(age: str, expected: list[Severity | None]) -> None:
    assert [finding.severity for finding in found(full(), app(age=age))] == expected


def test_warn_after_sets_from_when_a_wait_counts() -> None:
    assert list(nodepool_limit_reached(a_cluster(full(), app()), warn_after=timedelta(hours=1))) == []


def test_fail_after_sets_from_when_a_wait_is_high() -> None:
    (finding,) = nodepool_limit_reached(a_cluster(full(), app()), fail_after=timedelta(hours=1))

    assert finding.severity is Severity.LOW


def test_a_pod_that_another_autoscaler_may_serve_is_low() -> None:
    (finding,) = found(full(), a_node("group-1", pool="", cpu="50m"), app())

    assert (finding.severity, finding.why.rpartition("; ")[2]) == (
        Severity.LOW,
        "Node group-1 is not Karpenter's and admits some of them: they may wait for another autoscaler",
    )


@pytest.mark.parametrize(
    "said",
    [
        'all available instance types exceed limits for nodepool: "web"',
        'All available instance types exceed limits for nodepool: "web"',
        'incompatible with nodepool "api", daemonset overhead={"cpu":"1"}, x; all available instance types exceed limits for nodepool "web"',
        LIMITS,
        "node limits have been exhausted for nodepool (NodePool=web)",
    ],
    ids=["to 1.1", "1.2", "to 1.4", "from 1.5", "nodes"],
)
def test_karpenters_own_word_of_any_version_is_found_where_no_node_of_a_known_size_fits(said: str) -> None:
    (finding,) = found(full(), a_node("n1", pool="web", cpu="0"), a_claim("2"), zoned(), refused(zoned(), said))

    assert (finding.confidence, finding.message, finding.fix[0].text.partition(";")[0]) == (
        Confidence.LIKELY,
        "web has reached its limits: 500m of 8 cpu left, and Karpenter finds no instance type that is so small; Pod shop/app waits",
        "raise spec.limits by the size of a node or more",
    )


def test_karpenters_own_word_is_not_believed_where_another_such_node_fits() -> None:
    """It says so, too, while the limits are taken up by what it is about to buy, and says it once in five minutes."""
    assert found(full(), a_node("n1", pool="web", cpu="0"), a_claim("250m"), zoned(), refused(zoned())) == []


@pytest.mark.parametrize(
    "event",
    [
        refused(zoned(), LIMITS.replace("web", "api")),
        refused(zoned(), "no instance type has enough resources"),
        refused(zoned(), last="16m"),
        nominated(zoned(), to="web-x", first="1m"),
    ],
    ids=["of another NodePool", "of something else", "old", "it has a node"],
)
def test_other_words_prove_nothing(event: Event) -> None:
    assert found(full(), a_node("n1", pool="web", cpu="0"), a_claim("2"), zoned(), event) == []


def test_a_pod_that_the_nodepool_would_not_take_anyway_is_no_fault_of_its_limits() -> None:
    """Karpenter looks at limits first, so that its word names them for pods that do not tolerate the NodePool's taints, too."""
    pool = a_nodepool("web", limits={"cpu": "2"}, used={"cpu": "2"}, taints=["team=a:NoSchedule"])

    assert found(pool, app(), refused(app())) == []


def test_a_pod_for_which_another_nodepool_finds_no_instance_type_either_is_no_fault_of_its_limits() -> None:
    pod = a_pod("app", cpu="1", selector={"topology.kubernetes.io/zone": "us-west-2z"})
    no_type = f"{LIMITS}; no instance type met the scheduling requirements or had a required offering"

    assert found(full(), a_nodepool("api"), pod, refused(pod, no_type)) == []


def test_limits_that_are_used_up_while_nothing_waits_are_fine() -> None:
    """A NodePool of a fixed size is at its limits for ever, and limits are exceeded a little now and then."""
    assert found(a_nodepool("web", limits={"cpu": "8"}, used={"cpu": "9"}), a_node("n1", pool="web")) == []


def test_a_pod_that_is_larger_than_the_whole_limit_is_no_fault_of_what_is_used() -> None:
    assert found(full(), app(cpu="9")) == []


@pytest.mark.parametrize("resource", ["cpu", "memory", "nodes"])
def test_a_limit_of_nothing_is_a_switch(resource: str) -> None:
    assert found(a_nodepool("web", limits={resource: "0"}, used={"cpu": "4", "memory": "8Gi", "nodes": "1"}), app()) == []


def test_a_static_nodepool_buys_nothing_for_pods() -> None:
    assert found(a_nodepool("web", limits={"nodes": "2"}, used={"nodes": "2"}, replicas=2), app()) == []


def test_a_nodepool_that_is_not_ready_buys_nothing_whatever_its_limits() -> None:
    assert found(a_nodepool("web", limits={"cpu": "2"}, used={"cpu": "2"}, not_ready="NodeClassReady=False"), app()) == []


def test_room_within_the_limits_is_fine() -> None:
    assert found(full(), app(cpu="500m")) == []


def test_a_pod_that_another_nodepool_may_take_is_no_finding() -> None:
    assert found(full(), a_nodepool("api"), app()) == []


def test_nodepools_that_could_not_all_be_read_prove_nothing() -> None:
    cluster = a_cluster(full(), app())
    partial = {**cluster.coverage, Kind.NODEPOOL: Coverage(Status.PARTIAL, reason="one could not be read")}

    assert list(nodepool_limit_reached(dataclasses.replace(cluster, coverage=partial))) == []
