"""Which DaemonSets Karpenter counts for a NodePool: the cases that people get wrong, by Karpenter's version.

Source: `provisioning/scheduling/scheduler.go:isDaemonPodCompatible` (1.2 to 1.14) and `pkg/scheduling/requirements.go:Compatible`.
"""

from typing import NamedTuple

import msgspec
import pytest

from karpenter_check.scheduling.daemonset import daemonset_pod, refusals
from karpenter_check.scheduling.nodepool import BeingDeleted, NotReady, Static, unavailable
from karpenter_check.scheduling.overhead import Overhead, overheads
from karpenter_check.scheduling.refusal import UndefinedLabel
from karpenter_check.scheduling.requirement import Requirement
from karpenter_check.scheduling.template import template_of_nodepool
from karpenter_check.scheduling.uncounted import Place, uncounted
from karpenter_check.snapshot import DaemonSet, NodePool, Ref, Snapshot, Version
from karpenter_check.snapshot.nodepool import NodeClassRef, NodePoolStatus
from karpenter_check.snapshot.pod_object import (
    Affinity,
    Container,
    NodeAffinity,
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    PodSpec,
    PreferredSchedulingTerm,
    ResourceRequirements,
)
from karpenter_check.snapshot.workload import DaemonSetSpec, PodTemplate
from tests.build import a_cluster, a_daemonset, a_node, a_nodeclaim, a_nodepool, a_pod, a_term

VERSIONS = (Version(1, 1), Version(1, 2), Version(1, 13), None, Version(1, 14))
ALWAYS = frozenset(VERSIONS)
NEVER = frozenset[Version | None]()
FROM_1_2 = ALWAYS - {Version(1, 1)}
FROM_1_14 = frozenset[Version | None]({Version(1, 14)})
ZONE, ARCH, OS = "topology.kubernetes.io/zone", "kubernetes.io/arch", "kubernetes.io/os"
CAPACITY, CPUS, CATEGORY = "karpenter.sh/capacity-type", "karpenter.k8s.aws/instance-cpu", "karpenter.k8s.aws/instance-category"
NODE_CLASS = "karpenter.k8s.aws/ec2nodeclass"
LOGS = a_daemonset("logs")


def with_spec(spec: PodSpec) -> DaemonSet:
    return DaemonSet(LOGS.metadata, DaemonSetSpec(PodTemplate(spec)))


def pool(*requirements: str, taint: str = "", startup_taint: str = "", labels: dict[str, str] | None = None) -> NodePool:
    return a_nodepool(
        requirements=requirements,
        taints=[taint] if taint else [],
        startup_taints=[startup_taint] if startup_taint else [],
        labels=labels,
    )


def of(group: str, kind: str = "GCENodeClass") -> NodePool:
    return a_nodepool(node_class=NodeClassRef(kind if group else "", "default", group))


def selecting(key: str, value: str) -> DaemonSet:
    return a_daemonset(selector={key: value})


def needing(*terms: str) -> DaemonSet:
    return a_daemonset(terms=[a_term(term) for term in terms])


def tolerating(*tolerations: str) -> DaemonSet:
    return a_daemonset(tolerations=tolerations)


def preferring(term: str) -> DaemonSet:
    return with_spec(PodSpec(affinity=Affinity(NodeAffinity(preferred=(PreferredSchedulingTerm(10, a_term(term)),)))))


def pinned(node: str) -> DaemonSet:
    pin = NodeSelectorTerm((), (NodeSelectorRequirement("metadata.name", "In", (node,)),))
    return with_spec(PodSpec(affinity=Affinity(NodeAffinity(NodeSelector((pin,))))))


class Case(NamedTuple):
    """A NodePool, a DaemonSet, and the versions of Karpenter that count the one for the other."""

    nodepool: NodePool
    daemonset: DaemonSet
    counted_by: frozenset[Version | None]


CASES = {
    # taints
    "it does not tolerate a taint": Case(pool(taint="gpu=true:NoSchedule"), tolerating(), NEVER),
    "it tolerates everything": Case(pool(taint="gpu=true:NoSchedule"), tolerating("*"), ALWAYS),
    "it tolerates another value of the taint": Case(pool(taint="gpu=true:NoSchedule"), tolerating("gpu=no:NoSchedule"), NEVER),
    "it does not tolerate NoExecute": Case(pool(taint="gpu:NoExecute"), tolerating("gpu:NoSchedule"), NEVER),
    "PreferNoSchedule is tolerated for it": Case(pool(taint="x:PreferNoSchedule"), tolerating(), FROM_1_2),
    "startup taints do not count": Case(pool(startup_taint="cni:NoExecute"), tolerating(), ALWAYS),
    # labels that the NodePool declares, or does not
    "a label that nobody declares": Case(pool(), selecting("team", "a"), NEVER),
    "the NodePool's own label": Case(pool(labels={"team": "a"}), selecting("team", "a"), ALWAYS),
    "any value may be chosen": Case(pool("team Exists"), selecting("team", "a"), ALWAYS),
    "the label has another value than the one it shuns": Case(pool(labels={"team": "b"}), needing("team NotIn a"), ALWAYS),
    "the label has the value that it shuns": Case(pool(labels={"team": "a"}), needing("team NotIn a"), NEVER),
    "it shuns a label that nobody declares": Case(pool(), needing("team DoesNotExist"), ALWAYS),
    "it shuns a label that is always there": Case(pool("team Exists"), needing("team DoesNotExist"), NEVER),
    "both sides only shun": Case(pool("team NotIn x"), needing("team DoesNotExist"), ALWAYS),
    "the NodePool shuns what it asks for": Case(pool("team DoesNotExist"), needing("team Exists"), NEVER),
    "bounds on a label that nobody declares": Case(pool(), needing("cores Gt 4"), NEVER),
    # labels that Karpenter knows
    "one zone of those that the NodePool spans": Case(pool(f"{ZONE} In a,b"), needing(f"{ZONE} In a"), ALWAYS),
    "a zone, and the NodePool names none": Case(pool(), needing(f"{ZONE} In a"), ALWAYS),
    "another architecture": Case(pool(f"{ARCH} In amd64"), needing(f"{ARCH} In arm64"), NEVER),
    "an architecture, and the NodePool names none": Case(pool(), needing(f"{ARCH} In arm64"), ALWAYS),
    "another capacity type": Case(pool(f"{CAPACITY} In on-demand"), needing(f"{CAPACITY} In spot"), NEVER),
    "contradicting bounds": Case(pool(f"{CPUS} Gt 8"), needing(f"{CPUS} Lt 4"), NEVER),
    "bounds that overlap": Case(pool(f"{CPUS} Gt 4"), needing(f"{CPUS} Lt 6"), ALWAYS),
    "an old name of the operating system": Case(pool(f"{OS} In linux"), selecting("beta.kubernetes.io/os", "linux"), ALWAYS),
    "an old name, of the other system": Case(pool(f"{OS} In windows"), selecting("beta.kubernetes.io/os", "linux"), NEVER),
    "the zone as AWS's EBS driver names it": Case(pool(f"{ZONE} In a"), selecting("topology.ebs.csi.aws.com/zone", "b"), NEVER),
    "a host name, which is not well-known": Case(pool(), selecting("kubernetes.io/hostname", "n1"), NEVER),
    "another node class": Case(pool(), selecting(NODE_CLASS, "other"), NEVER),
    "the NodePool's node class": Case(pool(), selecting(NODE_CLASS, "default"), ALWAYS),
    "the NodePool itself": Case(pool(), selecting("karpenter.sh/nodepool", "default"), ALWAYS),
    "another NodePool": Case(pool(), selecting("karpenter.sh/nodepool", "gpu"), NEVER),
    # labels that nodes get later, or elsewhere
    "initialized nodes, simulated from 1.14 on": Case(pool(), selecting("karpenter.sh/initialized", "true"), FROM_1_14),
    "registered nodes, likewise": Case(pool(), selecting("karpenter.sh/registered", "true"), FROM_1_14),
    "no Fargate, which nobody declares": Case(pool(), needing("eks.amazonaws.com/compute-type NotIn fargate"), ALWAYS),
    "managed node groups only": Case(pool(), needing("eks.amazonaws.com/nodegroup Exists"), NEVER),
    "a role that nodes get after they join": Case(pool(), needing("node-role.kubernetes.io/worker Exists"), NEVER),
    # terms
    "matchFields do not count": Case(pool(), pinned("n1"), ALWAYS),
    "the second of two OR-terms": Case(pool(), needing("team In z", f"{ARCH} In amd64"), FROM_1_2),
    "the first of two OR-terms": Case(pool(), needing(f"{ARCH} In amd64", "team In z"), ALWAYS),
    "neither of two OR-terms": Case(pool(), needing("team In z", "team In y"), NEVER),
    "it merely prefers a label that nobody declares": Case(pool(), preferring("team In z"), FROM_1_2),
    "a required term without requirements": Case(pool(), a_daemonset(terms=[a_term()]), ALWAYS),
    # providers
    "a well-known label of the provider": Case(pool(), selecting(CATEGORY, "c"), ALWAYS),
    "of another provider": Case(of("karpenter.kwok.sh", "KWOKNodeClass"), selecting(CATEGORY, "c"), NEVER),
    "of any provider, where v1beta1 names none": Case(of(""), selecting(CATEGORY, "c"), ALWAYS),
    "an unknown provider's own": Case(of("karpenter.k8s.gcp"), selecting("karpenter.k8s.gcp/instance-family", "n4"), ALWAYS),
    "of any domain, which an unknown provider may know": Case(of("karpenter.k8s.gcp"), selecting("cloud.google.com/os", "x"), ALWAYS),
    "without a domain, which no provider knows": Case(of("karpenter.k8s.gcp"), selecting("heavy", "yes"), NEVER),
}  # fmt: skip


@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: str(version) if version else "unknown version")
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_daemonset_is_counted(case: Case, version: Version | None) -> None:
    simulated = daemonset_pod(a_cluster(case.nodepool, case.daemonset), case.daemonset)
    refused = refusals(simulated, template_of_nodepool(case.nodepool, version), version)

    assert (not refused) == (version in case.counted_by), [str(refusal) for refusal in refused]


def counted_at(snapshot: Snapshot) -> Overhead:
    """The overhead of the one NodePool."""
    return overheads(snapshot)["default"]


def counting(cpu: int, memory: int = 0) -> Overhead:
    requests = {"cpu": cpu, **({"memory": memory} if memory else {}), "pods": 1000}
    return Overhead((Ref("DaemonSet", "logs", "apps/v1", "kube-system"),), requests, ())


def test_without_a_pod_limits_stand_in_for_the_requests_that_are_missing() -> None:
    limited = with_spec(PodSpec(containers=(Container(ResourceRequirements({}, {"cpu": "1", "memory": "1Gi"})),)))

    assert counted_at(a_cluster(a_nodepool(), limited)) == counting(1000, 1024**3 * 1000)


def test_what_a_limit_range_gave_the_newest_pod_counts_and_not_the_templates_nothing() -> None:
    bare = a_daemonset("logs", cpu="", memory="")
    defaulted = a_daemonset("logs", cpu="250m", memory="")
    cluster = a_cluster(bare, a_node("n1"), a_pod("logs-1", on="n1", of=defaulted))

    assert counted_at(cluster) == counting(250)


def test_a_pod_that_was_enlarged_counts_at_its_new_size_on_every_new_node() -> None:
    logs, enlarged = a_daemonset("logs", cpu="100m", memory=""), a_daemonset("logs", cpu="2", memory="")
    cluster = a_cluster(
        logs,
        a_node("n1"),
        a_node("n2"),
        a_pod("logs-1", on="n1", of=logs, age="9h"),
        a_pod("logs-2", on="n2", of=enlarged, age="1h"),
    )

    assert counted_at(cluster) == counting(2000)


def test_the_newest_pod_counts_wherever_it_is_and_even_if_it_is_finished() -> None:
    logs, enlarged = a_daemonset("logs", cpu="100m", memory=""), a_daemonset("logs", cpu="2", memory="")
    cluster = a_cluster(
        logs,
        a_node("n1"),
        a_node("n2", pool=""),
        a_pod("logs-1", on="n1", of=logs, age="9h"),
        a_pod("logs-2", on="n2", of=enlarged, age="1h", phase="Failed"),
    )

    assert counted_at(cluster) == counting(2000)


def places(snapshot: Snapshot) -> dict[str, list[Place]]:
    """Where the one DaemonSet's pods run uncounted, by NodePool."""
    (daemonset,) = snapshot.daemonsets
    found = uncounted(snapshot, daemonset, daemonset_pod(snapshot, daemonset))
    return {nodepool: list(theirs) for nodepool, theirs in found.items()}


TEAM_A = a_daemonset("logs", selector={"team": "a"})
OLD_NODE, ON_OLD_NODE = a_node("n1", labels={"team": "a"}), a_pod("logs-1", on="n1", of=TEAM_A)


def test_a_node_was_sized_from_its_nodeclaim_whatever_its_nodepool_says_by_now() -> None:
    from_before = a_nodeclaim(node="n1", requirements=["team In a"], hash="0")
    cluster = a_cluster(a_nodepool(), from_before, OLD_NODE, TEAM_A, ON_OLD_NODE)

    assert (places(cluster), counted_at(cluster)) == ({}, Overhead((), {"pods": 0}, ()))


def test_a_node_from_before_its_nodepool_declared_the_label_was_sized_without_the_daemonset() -> None:
    declaring = a_nodepool(labels={"team": "a"}, hash="1")
    cluster = a_cluster(declaring, a_nodeclaim(node="n1", hash="0"), OLD_NODE, TEAM_A, ON_OLD_NODE)
    (pod,) = cluster.pods
    team = UndefinedLabel(Requirement.of("team", "In", ["a"]))

    assert places(cluster) == {"default": [Place(pod, OLD_NODE, team, historical=True)]}
    assert counted_at(cluster) == counting(100, 128 * 1024**2 * 1000)


def test_a_static_nodepool_is_sized_for_no_pods_so_that_nothing_is_missing_there() -> None:
    bought = a_nodeclaim(node="n1")
    for_pods = a_cluster(a_nodepool(), bought, OLD_NODE, TEAM_A, ON_OLD_NODE)
    static = a_cluster(a_nodepool(replicas=3), bought, OLD_NODE, TEAM_A, ON_OLD_NODE)

    assert (list(places(for_pods)), list(places(static))) == (["default"], [])
    assert unavailable(static) == {"default": (Static(3),)}


def test_a_nodepool_that_is_not_ready_or_being_deleted_is_not_simulated_at_all() -> None:
    cluster = a_cluster(a_nodepool("broken", not_ready="NodeClassReady=False"), a_nodepool("leaving", deleted="1m"), LOGS)

    assert unavailable(cluster) == {
        "broken": (NotReady("UnhealthyDependents", "NodeClassReady=False"),),
        "leaving": (BeingDeleted(),),
    }


def test_a_nodepool_without_a_status_as_in_a_manifest_is_simulated() -> None:
    assert unavailable(a_cluster(msgspec.structs.replace(a_nodepool(), status=NodePoolStatus()))) == {"default": ()}
