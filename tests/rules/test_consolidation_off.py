from collections.abc import Sequence
from datetime import timedelta

import msgspec
import pytest

from karpenter_check.finding import Confidence, Evidence, Finding, Fix, Impact, Occurrence, Ref
from karpenter_check.rule import NotProven
from karpenter_check.rules.consolidation_off import consolidation_off
from karpenter_check.snapshot import Kind, Status
from karpenter_check.snapshot.metadata import Condition, OwnerReference
from karpenter_check.snapshot.pod_object import Affinity, PodAffinity, PodAffinityTerm, PodObject
from tests.build import Thing, a_claim, a_cluster, a_daemonset, a_node, a_nodeclaim, a_nodepool, a_pod, a_term, a_uid, a_volume, ago

POOL = Ref("NodePool", "default", "karpenter.sh/v1")
NEVER = a_nodepool(consolidate_after="Never")
WHEN_EMPTY = a_nodepool(policy="WhenEmpty")
HOURLY = a_nodepool(consolidate_after="1h")
CONSOLIDATABLE = Condition("Consolidatable", "True", "Consolidatable", last_transition_time=ago("1h"))


def found(*things: Thing, minimum_age: timedelta = timedelta(hours=1), share: float = 0.5) -> list[Finding]:
    return list(consolidation_off(a_cluster(*things), minimum_age=minimum_age, share=share))


def told(*things: Thing) -> list[tuple[str, str]]:
    return [(finding.cause, finding.message) for finding in found(*things)]


def a_little_used(name: str, age: str = "20h") -> list[Thing]:
    return [a_node(name, age=age), a_pod(f"web-{name}", on=name, age=age)]


def of_a_job(pod: PodObject) -> PodObject:
    owner = OwnerReference("Job", f"{pod.metadata.name}-1", "u", "batch/v1", controller=True)
    return msgspec.structs.replace(pod, metadata=msgspec.structs.replace(pod.metadata, owner_references=(owner,)))


def with_a_volume(place: str) -> list[Thing]:
    """A pod on n1 whose volume can be used in that place alone."""
    return [a_pod("db", on="n1", claims=["data"]), a_claim("data", volume="pv-1"), a_volume(terms=[a_term(place)])]


def one_that_keeps_others_off() -> PodObject:
    pod = a_pod("zk", on="n1")
    apart = Affinity(pod_anti_affinity=PodAffinity((PodAffinityTerm("kubernetes.io/hostname"),)))
    return msgspec.structs.replace(pod, spec=msgspec.structs.replace(pod.spec, affinity=apart))


def jobs(*ages: str, on: str = "n1") -> list[PodObject]:
    """Finished pods of Jobs, by when they came."""
    return [of_a_job(a_pod(f"sync-{age}", on=on, age=age, phase="Succeeded")) for age in ages]


def kept_busy(*ages: str, last: str = "10m", age: str = "20h") -> list[Thing]:
    """A little-used node to which pods came then, with its NodeClaim."""
    return [*a_little_used("n1", age), a_nodeclaim(node="n1", age=age, last_pod_event=last), *jobs(*ages)]


def test_nodes_that_are_little_used_stay_where_only_empty_ones_go() -> None:
    assert found(WHEN_EMPTY, *a_little_used("n1"), *a_little_used("n2")) == [
        Finding(
            object=POOL,
            owner=POOL,
            nodepool="default",
            cause="when-empty",
            confidence=Confidence.LIKELY,
            message="consolidationPolicy WhenEmpty: 2 of 2 nodes are little used, and stay as long as one pod is there",
            why="less than 30% of the cpu and memory of each is asked for; Karpenter waits till they are empty",
            cost="2 nodes that may not be needed",
            impact=Impact(nodes=2),
            evidence=(
                Evidence(POOL, "spec.disruption.consolidateAfter", "1m"),
                Evidence(POOL, "spec.disruption.consolidationPolicy", "WhenEmpty"),
            ),
            occurrences=tuple(
                Occurrence(Ref("Node", name, "v1"), a_uid("Node", name), name, "when-empty") for name in ("n1", "n2")
            ),
            fix=(
                Fix(
                    "fix",
                    "kubectl edit nodepool default",
                    "set spec.disruption.consolidationPolicy to WhenEmptyOrUnderutilized",
                    "Karpenter then evicts pods to pack them on fewer nodes, as budgets and PodDisruptionBudgets let it; no node drifts",
                ),
                Fix("verify", "karpenter-check scan --select consolidation-off --nodepool default"),
            ),
        )
    ]


def test_with_never_empty_and_little_used_nodes_stay() -> None:
    assert told(NEVER, a_node("n1"), *a_little_used("n2")) == [
        ("never", "consolidateAfter Never: 2 of 2 nodes are empty or little used, and stay")
    ]


def test_pods_that_come_more_often_than_consolidate_after_keep_a_node() -> None:
    (finding,) = found(HOURLY, *kept_busy("45m", "30m", "15m"))

    assert (finding.cause, finding.confidence, finding.message) == (
        "pods-rhythm",
        Confidence.POSSIBLE,
        "1 of 1 node is little used, and pods come to it more often than consolidateAfter 1h",
    )
    assert finding.why == (
        "each pod that comes or goes begins the wait anew, but for DaemonSets'; to n1 they came at 11:15:00Z, 11:30:00Z, 11:45:00Z, "
        "and no node of the NodePool is Consolidatable"
    )
    assert finding.fix[0].text == "set spec.disruption.consolidateAfter below 15m, or have those pods run on other nodes"


@pytest.mark.parametrize(
    "things",
    [
        kept_busy("3m", "2m", "1m"),
        kept_busy("45m", "2701s", "2702s"),
        kept_busy("15h", "30m", "15m"),
        kept_busy("30m", "15m"),
        kept_busy("45m", "30m", "15m", last="2h"),
        kept_busy("45m", "30m", "15m", age="2h"),
    ],
    ids=["all within minutes", "all at once", "an hour passed between", "twice is no rhythm", "its time has come", "a young node"],
)
def test_what_is_no_rhythm_is_fine(things: Sequence[Thing]) -> None:
    assert told(HOURLY, *things) == []


def test_where_one_node_is_consolidatable_the_wait_does_end() -> None:
    other: list[Thing] = [a_node("n2", age="20h"), a_nodeclaim(node="n2", conditions=[CONSOLIDATABLE])]

    assert told(HOURLY, *kept_busy("45m", "30m", "15m"), *other) == []


def test_daemonsets_pods_make_no_rhythm() -> None:
    logs = a_daemonset()
    pods = [a_pod(f"logs-{age}", on="n1", of=logs, age=age) for age in ("45m", "30m", "15m")]
    things: list[Thing] = [*a_little_used("n1"), a_nodeclaim(node="n1", last_pod_event="10m"), logs, *pods]

    assert told(HOURLY, *things) == []


@pytest.mark.parametrize(
    "things",
    [
        [a_nodepool(), *a_little_used("n1")],
        [a_nodepool(policy="Balanced", consolidate_after="0s"), *kept_busy("45m", "30m", "15m")],
        [a_nodepool(consolidate_after="Never", replicas=1), *a_little_used("n1")],
        [a_nodepool(consolidate_after="Never", deleted="1m"), *a_little_used("n1")],
        [NEVER],
        [NEVER, *a_little_used("n1", age="50m")],
        [NEVER, a_node("n1", age="20h"), a_pod("web", on="n1", cpu="3")],
        [NEVER, a_node("n1", age="20h", do_not_disrupt="true")],
        [NEVER, a_node("n1", age="20h"), a_pod("web", on="n1", do_not_disrupt="true")],
        [NEVER, a_node("n1", age="20h", deleted="5m")],
        [NEVER, a_node("n1", age="20h", initialized=False)],
        [WHEN_EMPTY, a_node("n1", age="20h")],
        [WHEN_EMPTY, *a_little_used("n1"), a_node("n2", age="20h"), a_pod("db", on="n2", memory="9Gi")],
        [WHEN_EMPTY, a_node("n1", age="20h"), of_a_job(a_pod("sums", on="n1"))],
        [WHEN_EMPTY, a_node("n1", age="20h"), *with_a_volume("kubernetes.io/hostname In n1")],
        [WHEN_EMPTY, a_node("n1", age="20h"), one_that_keeps_others_off()],
    ],
    ids=[
        "Karpenter decides", "no wait", "static", "being deleted", "no nodes", "a young node", "well used", "do-not-disrupt on the node",
        "do-not-disrupt on a pod", "a node that goes", "a node that is not initialized", "an empty one goes", "half of them only", "only Jobs",
        "a volume on that machine", "a pod that keeps others off",
    ],
)  # fmt: skip
def test_what_is_right_is_fine(things: Sequence[Thing]) -> None:
    assert told(*things) == []


def test_a_volume_that_can_be_used_on_other_nodes_keeps_no_pod() -> None:
    zonal = with_a_volume("topology.kubernetes.io/zone In eu-west-1a")

    assert [cause for cause, _ in told(WHEN_EMPTY, a_node("n1", age="20h"), *zonal)] == ["when-empty"]


def test_the_age_is_a_setting() -> None:
    assert len(found(NEVER, *a_little_used("n1", age="50m"), minimum_age=timedelta(minutes=30))) == 1


def test_the_share_is_a_setting() -> None:
    assert len(found(WHEN_EMPTY, *a_little_used("n1"), a_node("n2", age="20h"), a_pod("db", on="n2", memory="9Gi"), share=0.3)) == 1


def test_of_pods_that_were_not_all_seen_nothing_is_concluded() -> None:
    with pytest.raises(NotProven, match="how much is asked of nodes is not known: Pod is partial"):
        list(consolidation_off(a_cluster(NEVER, *a_little_used("n1"), missing={Kind.POD: Status.PARTIAL})))
