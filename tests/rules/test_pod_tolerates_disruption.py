"""Pods that tolerate the taint of nodes on their way out."""

import pytest
from msgspec.structs import replace

from karpenter_check.finding import Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity
from karpenter_check.rules.pod_tolerates_disruption import pod_tolerates_disruption
from karpenter_check.snapshot import Snapshot, Version
from karpenter_check.snapshot.metadata import OwnerReference
from karpenter_check.snapshot.pod_object import PodObject, Toleration
from tests.build import (
    a_budget,
    a_cluster,
    a_daemonset,
    a_deployment,
    a_node,
    a_nodeclaim,
    a_nodepool,
    a_pod,
    ago,
)

WEB = Ref("Deployment", "web", "apps/v1", "shop")
POD = Ref("Pod", "web-1", "v1", "shop")
VERIFY = Fix("verify", "karpenter-check scan --select pod-tolerates-disruption -n shop")


def found(cluster: Snapshot) -> list[Finding]:
    return list(pod_tolerates_disruption(cluster))


def judged(cluster: Snapshot) -> list[tuple[str, Severity | None]]:
    return [(finding.cause, finding.severity) for finding in found(cluster)]


def with_toleration(toleration: Toleration) -> PodObject:
    pod = a_pod("web-1", on="n1", of=a_deployment())
    return replace(pod, spec=replace(pod.spec, tolerations=(toleration,)))


def owned_by_its_node(pod: PodObject) -> PodObject:
    owner = OwnerReference("Node", "n1", "n1", "v1", controller=True)
    return replace(pod, metadata=replace(pod.metadata, owner_references=(owner,)))


def test_a_pod_that_tolerates_everything_is_found() -> None:
    web = a_deployment()
    cluster = a_cluster(a_node("n1"), web, a_pod("web-1", on="n1", of=web, tolerations=["*"]))

    assert found(cluster) == [
        Finding(
            object=WEB,
            owner=WEB,
            cause="everything",
            severity=Severity.MEDIUM,
            message="web tolerates every taint, also that of nodes on their way out: its 1 pod is not evicted, and ends with the instance",
            why="its toleration {operator: Exists} covers the taint that Karpenter drains with: Karpenter neither evicts such pods nor waits for them, and the scheduler puts new ones on nodes that are about to go",
            cost="nothing takes their place before the instance ends",
            impact=Impact(nodes=1, pods=1),
            evidence=(Evidence(POD, "spec.tolerations", "{operator: Exists}"),),
            occurrences=(Occurrence(POD, cluster.pods[0].metadata.uid, "n1", "tolerates", ago("50m")),),
            since=ago("50m"),
            fix=(
                Fix(
                    "fix",
                    "kubectl edit deployment -n shop web",
                    "take the toleration away: its nodes are made without taints",
                    "its pods are replaced, as by a rollout",
                ),
                VERIFY,
            ),
        )
    ]


def test_pods_that_came_to_a_node_on_its_way_out_come_first_and_are_told() -> None:
    web = a_deployment(replicas=3)
    cluster = a_cluster(
        web,
        a_node("n1"),
        a_node("n2", deleted="20m"),
        a_nodeclaim(node="n2", deleted="20m"),
        a_pod("web-1", on="n1", of=web, tolerations=["*"]),
        a_pod("web-2", on="n2", of=web, tolerations=["*"]),
        a_pod("web-3", on="n2", of=web, tolerations=["*"], age="5m"),
    )
    (finding,) = found(cluster)

    assert finding.severity is Severity.MEDIUM
    assert finding.message == (
        "web tolerates every taint, also that of nodes on their way out: its 3 pods are not evicted, and end with the instance; "
        "1 came to a node that was on its way out already"
    )
    assert finding.cost == (
        "nothing takes their place before the instance ends; "
        "Pod shop/web-3 came at 11:55:00Z to node n2, which goes since 11:40:00Z"
    )  # fmt: skip
    assert [(place.object.name, place.node, place.reason) for place in finding.occurrences] == [
        ("web-3", "n2", "landed_on_terminating"),
        ("web-2", "n2", "on_terminating"),
        ("web-1", "n1", "tolerates"),
    ]
    assert finding.evidence[1:] == (
        Evidence(Ref("Node", "n2", "v1"), "metadata.deletionTimestamp", "2026-11-21T11:40:00Z"),
        Evidence(Ref("Pod", "web-3", "v1", "shop"), "status.conditions.PodScheduled.lastTransitionTime", "2026-11-21T11:55:00Z"),
    )


def test_a_pod_that_came_before_the_scheduler_saw_the_taint_did_not_land_for_it() -> None:
    cluster = a_cluster(a_node("n1", deleted="20m"), a_pod("web-1", on="n1", tolerations=["*"], age="19m57s"))

    (finding,) = found(cluster)

    assert [place.reason for place in finding.occurrences] == ["on_terminating"]
    assert finding.message.endswith("; 1 is on such a node")


def test_a_pod_that_tolerates_karpenters_taint_is_found() -> None:
    web = a_deployment()
    pod = a_pod("web-1", on="n1", of=web, tolerations=["karpenter.sh/disrupted:NoSchedule"])
    (finding,) = found(a_cluster(a_node("n1"), web, pod))

    assert (finding.cause, finding.severity) == ("disrupted-taint", Severity.MEDIUM)
    assert finding.message.startswith("web tolerates karpenter.sh/disrupted, the taint of nodes on their way out: ")


def test_before_1_0_the_taint_had_another_name() -> None:
    pod = a_pod("web-1", on="n1", tolerations=["karpenter.sh/disruption=disrupting:NoSchedule"])
    other = a_pod("web-2", on="n1", tolerations=["karpenter.sh/disrupted:NoSchedule"])

    assert [
        [(finding.owner.name, finding.cause) for finding in found(a_cluster(a_node("n1"), pod, other, version=version))]
        for version in (Version(0, 37), Version(1, 0))
    ] == [[("web-1", "disrupted-taint")], [("web-2", "disrupted-taint")]]


@pytest.mark.parametrize(
    ("toleration", "tolerated"),
    [
        (Toleration(operator="Exists", effect="NoSchedule"), ["everything"]),
        (Toleration(operator="Exists", effect="NoExecute"), []),
        (Toleration("karpenter.sh/disrupted", "Exists"), ["disrupted-taint"]),
        (Toleration("karpenter.sh/disrupted", "Equal"), ["disrupted-taint"]),
        (Toleration("karpenter.sh/disrupted", "Exists", effect="NoExecute"), []),
        (Toleration("karpenter.sh/disrupted", "Equal", "true"), []),
        (Toleration("node.kubernetes.io/not-ready", "Exists"), []),
    ],
)
def test_a_toleration_counts_if_it_covers_the_taint(toleration: Toleration, tolerated: list[str]) -> None:
    assert [cause for cause, _ in judged(a_cluster(a_node("n1"), with_toleration(toleration)))] == tolerated


@pytest.mark.parametrize(
    "pod",
    [
        a_pod("logs", on="n1", of=a_daemonset()),
        owned_by_its_node(a_pod("kube-proxy", on="n1", tolerations=["*"])),
        a_pod("done", on="n1", tolerations=["*"], phase="Succeeded"),
        a_pod("leaving", on="n1", tolerations=["*"], deleted="1m"),
        a_pod("waiting", tolerations=["*"]),
        a_pod("karpenter", on="n1", tolerations=["*"], labels={"app.kubernetes.io/name": "karpenter"}),
    ],
    ids=["a DaemonSet's", "a static pod", "finished", "on its way out", "on no node", "Karpenter's own"],
)
def test_a_pod_for_which_that_is_normal_is_fine(pod: PodObject) -> None:
    assert judged(a_cluster(a_node("n1"), pod)) == []


def test_a_node_that_is_not_karpenters_is_fine() -> None:
    assert judged(a_cluster(a_node("n1", pool=""), a_pod("web-1", on="n1", tolerations=["*"]))) == []


@pytest.mark.parametrize(
    "pod",
    [
        a_pod("operator", on="n1", tolerations=["*"], priority_class="system-cluster-critical"),
        a_pod("autoscaler", namespace="kube-system", on="n1", tolerations=["*"]),
        a_pod("tigera-operator", namespace="tigera-operator", on="n1", tolerations=["*"]),
    ],
    ids=["by its priority", "in kube-system", "tigera-operator"],
)
def test_an_add_on_that_is_made_so_is_low(pod: PodObject) -> None:
    assert judged(a_cluster(a_node("n1"), pod)) == [("everything", Severity.LOW)]


def test_what_is_not_asked_is_told() -> None:
    labels = {"app": "web"}
    pod = a_pod("web-1", on="n1", tolerations=["*"], labels=labels, do_not_disrupt="true", claims=["data"])
    (finding,) = found(a_cluster(a_node("n1"), pod, a_budget("web", selects=labels)))

    assert finding.why.endswith("; PodDisruptionBudget shop/web is not asked; its do-not-disrupt does not hold a drain either")
    assert finding.cost == "it is a bare pod, and is not made again; their volumes are not waited for, and are still attached as the instance ends"  # fmt: skip


def test_the_taints_that_its_nodes_are_made_with_are_what_it_should_tolerate() -> None:
    pool = a_nodepool(taints=["team=shop:NoSchedule"])
    (finding,) = found(a_cluster(pool, a_node("n1"), a_pod("web-1", on="n1", of=a_deployment(), tolerations=["*"])))

    assert finding.fix[0].text == "tolerate what its nodes are made with: team=shop:NoSchedule"


def test_of_a_bare_pod_tolerations_cannot_be_taken_away() -> None:
    (finding,) = found(a_cluster(a_node("n1"), a_pod("web-1", on="n1", tolerations=["*"])))

    assert finding.fix[0] == Fix("fix", text="make it again, and take the toleration away: its nodes are made without taints")


@pytest.mark.parametrize(
    ("kind", "found_in"), [("DaemonSet", []), ("CloneSet", ["kubectl edit cloneset.apps.kruise.io -n shop owner"])]
)
def test_a_daemonset_of_whatever_group_is_fine_and_a_foreign_kind_is_named_by_its_group(kind: str, found_in: list[str]) -> None:
    pod, owner = (
        a_pod("x", on="n1", tolerations=["*"]),
        OwnerReference(kind, "owner", "u", "apps.kruise.io/v1alpha1", controller=True),
    )
    pod = replace(pod, metadata=replace(pod.metadata, owner_references=(owner,)))

    assert [finding.fix[0].command for finding in found(a_cluster(a_node("n1"), pod))] == found_in
