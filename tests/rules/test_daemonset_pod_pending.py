import re
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from karpenter_check import __version__
from karpenter_check.finding import Blame, Confidence, Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity
from karpenter_check.reports import Format, render
from karpenter_check.rules.daemonset_pod_pending import daemonset_pod_pending
from karpenter_check.scan import scan
from karpenter_check.snapshot import DaemonSet, Node, NodeClaim, NodePool, Snapshot
from karpenter_check.snapshot.pod_object import ContainerPort, PodObject
from tests.build import a_cluster, a_daemonset, a_deployment, a_node, a_nodeclaim, a_nodepool, a_pod, ago

PAGE = Path(__file__).parents[2] / "docs" / "rules" / "daemonset-pod-pending.md"
AGENT = Ref("DaemonSet", "agent", "apps/v1", "kube-system")
WEB = Ref("Deployment", "web", "apps/v1", "shop")
DELETE = Fix(
    "fix",
    "kubectl delete nodeclaim default-n1",
    risk="drains the node: its 1 pod restart elsewhere; the next node is sized with the DaemonSet",
)
VERIFY = Fix("verify", "karpenter-check scan --select daemonset-pod-pending -n kube-system")


def found(
    cluster: Snapshot,
    *,
    warn_after: timedelta = timedelta(seconds=30),
    fail_after: timedelta = timedelta(minutes=5),
    minimum_node_age: timedelta = timedelta(minutes=2),
) -> list[Finding]:
    return list(daemonset_pod_pending(cluster, warn_after=warn_after, fail_after=fail_after, minimum_node_age=minimum_node_age))


def causes(cluster: Snapshot) -> list[str]:
    return [finding.cause for finding in found(cluster)]


def an_agent(*, age: str = "1000h", cpu: str = "600m", host_port: int = 0) -> DaemonSet:
    agent = a_daemonset("agent", cpu=cpu, tolerations=())
    template = agent.spec.template.spec
    if host_port:
        container = msgspec.structs.replace(template.containers[0], ports=(ContainerPort(host_port),))
        template = msgspec.structs.replace(template, containers=(container,))
    spec = msgspec.structs.replace(agent.spec, template=msgspec.structs.replace(agent.spec.template, spec=template))
    return msgspec.structs.replace(agent, metadata=msgspec.structs.replace(agent.metadata, creation_timestamp=ago(age)), spec=spec)


def a_waiting_pod(
    agent: DaemonSet, name: str = "agent-1", *, node: str = "n1", age: str = "20m", preempting: bool = False
) -> PodObject:
    pod = a_pod(name, pinned_to=node, of=agent, age=age, message="0/1 nodes are available: 1 Insufficient cpu.")
    status = msgspec.structs.replace(pod.status, nominated_node_name=node if preempting else "")
    return msgspec.structs.replace(pod, status=status)


def a_full_node(name: str = "n1", *, age: str = "1h", cpu: str = "4") -> Node:
    return a_node(name, cpu=cpu, age=age)


def a_taker(name: str = "web-1", *, node: str = "n1", cpu: str = "3700m", priority: int = 0, deleted: str = "") -> PodObject:
    return a_pod(name, on=node, of=a_deployment("web"), cpu=cpu, priority=priority, deleted=deleted)


def a_full_cluster(
    agent: DaemonSet,
    *more: PodObject | NodePool | NodeClaim,
    node: Node | None = None,
    waiting: PodObject | None = None,
    taker: PodObject | None = None,
) -> Snapshot:
    """The agent's pod waits for a node that another pod has filled."""
    return a_cluster(node or a_full_node(), agent, a_deployment("web"), waiting or a_waiting_pod(agent), taker or a_taker(), *more)


def test_a_daemonset_that_came_after_its_node_is_found() -> None:
    agent = an_agent(age="20m")
    cluster = a_full_cluster(agent)
    (pod,) = (pod for pod in cluster.pods if not pod.node_name)

    assert found(cluster) == [
        Finding(
            object=AGENT,
            owner=AGENT,
            nodepool="default",
            cause="added-later",
            message="Pending for 1 of default's 1 nodes since 20m ago: it was added after the node was bought",
            why="node n1 is 300m cpu short of the 600m that it asks; most is taken by Deployment shop/web (3700m); "
            "the DaemonSet came 40m after NodeClaim default-n1",
            cost="Karpenter buys no node for a DaemonSet's pod, so it waits until something on the node changes",
            impact=Impact(nodes=1, pods=1, cpu="600m", memory="128Mi"),
            evidence=(
                Evidence(
                    Ref("Pod", "agent-1", "v1", "kube-system"),
                    "status.conditions[PodScheduled].message",
                    "0/1 nodes are available: 1 Insufficient cpu.",
                ),
                Evidence(Ref("Node", "n1", "v1"), "status.allocatable.cpu", "4"),
                Evidence(Ref("NodeClaim", "default-n1", "karpenter.sh/v1"), "spec.resources.requests.cpu", "2"),
                Evidence(AGENT, "metadata.creationTimestamp", "2026-11-21T11:40:00Z"),
            ),
            occurrences=(
                Occurrence(Ref("Pod", "agent-1", "v1", "kube-system"), pod.metadata.uid, "n1", "added-later", ago("20m")),
            ),
            since=ago("20m"),
            fix=(
                Fix(
                    "fix",
                    "kubectl patch daemonset -n kube-system agent --type merge "
                    """-p '{"spec":{"template":{"spec":{"priorityClassName":"system-node-critical"}}}}'""",
                    risk="rolls the DaemonSet; on full nodes its pods preempt pods of lower priority, Karpenter's own among them",
                ),
                DELETE,
                VERIFY,
            ),
            blames=(Blame(WEB),),
        )
    ]


def test_a_daemonset_that_has_grown_past_what_its_node_was_sized_for_is_found() -> None:
    claim = a_nodeclaim(node="n1", requests={"cpu": "500m", "memory": "1Gi"})
    (finding,) = found(a_full_cluster(an_agent(), claim))

    assert (finding.cause, finding.confidence, finding.why.partition("; most")[2].partition("; ")[2]) == (
        "grown",
        Confidence.LIKELY,
        "NodeClaim default-n1 was sized for 500m cpu in all",
    )


def test_a_daemonset_whose_older_pods_ask_less_has_grown() -> None:
    agent = an_agent()
    smaller = a_pod("agent-0", on="n2", of=an_agent(cpu="100m"), age="2h", labels={"controller-revision-hash": "old"})
    cluster = a_cluster(a_full_node(), a_full_node("n2"), agent, a_deployment("web"), smaller, a_waiting_pod(agent), a_taker())

    assert [(finding.cause, finding.why.rpartition("; ")[2]) for finding in found(cluster)] == [
        ("grown", "older pods of the DaemonSet ask 100m")
    ]


def test_a_pod_as_old_as_its_node_has_not_grown() -> None:
    agent = an_agent()
    smaller = a_pod("agent-0", on="n2", of=an_agent(cpu="100m"), age="3h", labels={"controller-revision-hash": "old"})
    waiting = a_waiting_pod(agent, age="1h")
    cluster = a_cluster(a_full_node(), a_full_node("n2"), agent, a_deployment("web"), smaller, waiting, a_taker())

    assert causes(cluster) == ["room-taken"]


def test_a_daemonset_that_had_grown_before_its_node_was_bought_has_not_grown_since() -> None:
    agent = an_agent()
    smaller = a_pod("agent-0", on="n2", of=an_agent(cpu="100m"), age="3h", labels={"controller-revision-hash": "old"})
    larger = a_pod("agent-2", on="n2", of=agent, age="2h")
    nodes = (a_full_node(), a_full_node("n2"))
    cluster = a_cluster(*nodes, agent, a_deployment("web"), smaller, larger, a_waiting_pod(agent), a_taker())

    assert causes(cluster) == ["room-taken"]


def test_pods_that_took_a_daemonsets_room_are_found() -> None:
    (finding,) = found(a_full_cluster(an_agent()))

    assert (finding.cause, finding.message, finding.why.rpartition("; ")[2], finding.blames) == (
        "room-taken",
        "Pending for 1 of default's 1 nodes since 20m ago: other pods took its room",
        "Karpenter's reserve binds nobody: who comes first takes it",
        (Blame(WEB),),
    )


def test_a_node_without_a_pod_slot_is_found() -> None:
    agent = an_agent()
    cluster = a_full_cluster(agent, node=a_node("n1", pods="1"), taker=a_taker(cpu="100m"))

    assert [finding.why.partition("; ")[0] for finding in found(cluster)] == ["node n1 has no pod slot left"]


def test_the_nodes_of_a_static_nodepool_are_sized_for_no_pods() -> None:
    (finding,) = found(a_full_cluster(an_agent(), a_nodepool(replicas=1)))

    assert (finding.cause, finding.fix[1].risk) == (
        "static-nodepool",
        "drains the node: its 1 pod restart elsewhere; the next node is of the same size",
    )


def test_a_host_port_that_another_pod_holds_is_found() -> None:
    agent = an_agent(cpu="100m", host_port=9100)
    holder = a_pod("exporter", on="n1", host_port=9100)
    (finding,) = found(a_cluster(a_node("n1"), agent, holder, a_waiting_pod(agent)))

    assert (finding.cause, finding.why, finding.blames) == (
        "host-port",
        "a host port that it needs on node n1 is held by Pod shop/exporter",
        (Blame(Ref("Pod", "exporter", "v1", "shop")),),
    )


def test_a_taint_that_came_after_the_pod_is_found_with_its_writer() -> None:
    agent = an_agent(cpu="100m")
    cluster = a_cluster(a_node("n1", taints=["team=a:NoSchedule"], taints_written_by="kubectl-taint"), agent, a_waiting_pod(agent))

    assert [(finding.cause, finding.why) for finding in found(cluster)] == [
        ("taint", 'it does not tolerate team=a:NoSchedule on node n1, written by "kubectl-taint"')
    ]


def test_a_label_that_the_node_lost_is_found() -> None:
    agent = a_daemonset("agent", selector={"team": "a"})
    cluster = a_cluster(a_nodepool(labels={"team": "a"}), a_node("n1"), agent, a_waiting_pod(agent))

    assert [(finding.cause, finding.why) for finding in found(cluster)] == [
        ("label", "it needs team=a, the node has no team (node n1)")
    ]


def test_a_cordoned_node_is_found() -> None:
    agent = an_agent(cpu="100m")
    cluster = a_cluster(a_node("n1", cordoned=True), agent, a_waiting_pod(agent))

    assert causes(cluster) == ["cordoned"]


def test_a_node_that_is_no_longer_ready_is_found() -> None:
    agent = an_agent(cpu="100m")
    (finding,) = found(a_cluster(a_node("n1", ready=False), agent, a_waiting_pod(agent)))

    assert (finding.cause, [step.command for step in finding.fix]) == (
        "not-ready",
        ["kubectl delete nodeclaim default-n1", VERIFY.command],
    )


def test_what_cannot_be_explained_is_low_and_quotes_the_scheduler() -> None:
    agent = an_agent(cpu="100m")
    (finding,) = found(a_cluster(a_node("n1"), agent, a_waiting_pod(agent)))

    assert (finding.cause, finding.severity, finding.confidence, finding.why) == (
        "unknown",
        Severity.LOW,
        Confidence.POSSIBLE,
        "nothing that could be checked keeps it from node n1; its scheduler says: 0/1 nodes are available: 1 Insufficient cpu.",
    )


def test_pods_of_one_daemonset_that_wait_for_one_cause_are_one_finding() -> None:
    agent = an_agent()
    waiting = [a_waiting_pod(agent, f"agent-{place}", node=f"n{place}", age=f"2{place}m") for place in (1, 2)]
    takers = [a_taker(f"web-{place}", node=f"n{place}") for place in (1, 2)]
    (finding,) = found(a_cluster(a_full_node(), a_full_node("n2"), agent, a_deployment("web"), *waiting, *takers))

    assert (finding.message, [entry.node for entry in finding.occurrences], finding.fix[1].text) == (
        "Pending for 2 of default's 2 nodes since 22m ago: other pods took its room",
        ["n2", "n1"],
        "one node at a time",
    )


def test_a_short_wait_is_low() -> None:
    agent = an_agent()

    assert [finding.severity for finding in found(a_full_cluster(agent, waiting=a_waiting_pod(agent, age="1m")))] == [Severity.LOW]


def test_a_wait_that_has_just_begun_is_fine() -> None:
    agent = an_agent()

    assert causes(a_full_cluster(agent, waiting=a_waiting_pod(agent, age="20s"))) == []


def test_the_thresholds_are_settings() -> None:
    agent = an_agent()
    cluster = a_full_cluster(agent, waiting=a_waiting_pod(agent, age="20m"))

    assert found(cluster, warn_after=timedelta(minutes=30)) == []
    assert [finding.severity for finding in found(cluster, fail_after=timedelta(minutes=30))] == [Severity.LOW]
    assert found(cluster, minimum_node_age=timedelta(hours=2)) == []


def test_a_node_that_has_only_just_been_initialized_is_given_time() -> None:
    agent = an_agent()
    claim = a_nodeclaim(node="n1")
    just_now = tuple(
        msgspec.structs.replace(entry, last_transition_time=ago("10s")) if entry.type == "Initialized" else entry
        for entry in claim.status.conditions
    )
    booted = msgspec.structs.replace(claim, status=msgspec.structs.replace(claim.status, conditions=just_now))

    assert causes(a_full_cluster(agent, booted)) == []


def test_a_node_that_boots_is_fine() -> None:
    agent = an_agent()

    assert causes(a_full_cluster(agent, node=a_node("n1", initialized=False, ready=False))) == []
    assert causes(a_full_cluster(agent, node=a_full_node(age="100s"))) == []


def test_a_node_that_goes_is_fine() -> None:
    agent = an_agent()

    assert causes(a_full_cluster(agent, node=a_node("n1", taints=["karpenter.sh/disrupted:NoSchedule"]))) == []
    assert causes(a_full_cluster(agent, node=a_node("n1", deleted="1m"))) == []
    assert causes(a_full_cluster(agent, a_nodeclaim(node="n1", deleted="1m"))) == []
    assert causes(a_full_cluster(agent, a_nodepool(deleted="1m"))) == []


def test_a_daemonset_that_is_being_deleted_is_fine() -> None:
    agent = an_agent()
    dying = msgspec.structs.replace(agent, metadata=msgspec.structs.replace(agent.metadata, deletion_timestamp=ago("1m")))

    assert causes(a_full_cluster(dying)) == []


def test_a_node_that_is_not_karpenters_is_fine() -> None:
    agent = an_agent()

    assert causes(a_full_cluster(agent, node=a_node("n1", pool="", cpu="4"))) == []


def test_a_node_that_is_not_there_is_fine() -> None:
    agent = an_agent()

    assert causes(a_cluster(a_node("n1"), agent, a_waiting_pod(agent, node="gone"))) == []


@pytest.mark.parametrize(("age", "expected"), [("4m", []), ("20m", ["room-taken"])])
def test_a_pod_that_preempts_is_given_time(age: str, expected: list[str]) -> None:
    agent = an_agent()

    assert causes(a_full_cluster(agent, waiting=a_waiting_pod(agent, age=age, preempting=True))) == expected


@pytest.mark.parametrize(("age", "expected"), [("4m", []), ("20m", ["room-taken"])])
def test_pods_that_go_and_leave_their_room_are_given_time(age: str, expected: list[str]) -> None:
    agent = an_agent()

    assert causes(a_full_cluster(agent, waiting=a_waiting_pod(agent, age=age), taker=a_taker(deleted="10s"))) == expected


def test_a_host_port_that_is_being_freed_is_given_time() -> None:
    agent = an_agent(cpu="100m", host_port=9100)
    holder = a_pod("exporter", on="n1", host_port=9100, deleted="10s")

    assert causes(a_cluster(a_node("n1"), agent, holder, a_waiting_pod(agent, age="4m"))) == []


def test_a_pod_that_karpenter_did_not_count_is_another_rules() -> None:
    agent = a_daemonset("agent", cpu="600m", selector={"heavy": "yes"})
    cluster = a_cluster(a_node("n1", labels={"heavy": "yes"}), agent, a_deployment("web"), a_waiting_pod(agent), a_taker())

    assert causes(cluster) == []


def test_a_pod_that_runs_or_is_being_deleted_is_fine() -> None:
    agent = an_agent()
    dying = a_pod("agent-2", pinned_to="n1", of=agent, deleted="1m")

    assert causes(a_cluster(a_node("n1"), agent, a_pod("agent-1", on="n1", of=agent), dying)) == []


def test_a_pod_that_no_scheduler_has_looked_at_is_fine() -> None:
    agent = an_agent()
    waiting = a_waiting_pod(agent)
    gated = msgspec.structs.replace(waiting, status=msgspec.structs.replace(waiting.status, conditions=()))

    assert causes(a_full_cluster(agent, waiting=gated)) == []


def test_a_priority_that_would_find_no_victims_is_not_advised() -> None:
    agent = an_agent()
    cluster = a_full_cluster(agent, taker=a_taker(priority=2_000_001_000))

    assert [step.command for finding in found(cluster) for step in finding.fix] == [DELETE.command, VERIFY.command]


def test_the_example_that_no_recording_has_is_what_a_scan_prints() -> None:
    printed = render(
        scan(a_full_cluster(an_agent(age="20m")), [daemonset_pod_pending]), Format.TABLE, version=__version__, width=1000
    )
    (example,) = re.findall(r"^```text\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)

    assert [line for line in example.splitlines() if " ".join(line.split()) not in " ".join(printed.split())] == []
