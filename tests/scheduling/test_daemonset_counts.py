"""Which DaemonSets Karpenter counts for a NodePool: the cases that people get wrong, by Karpenter's version."""

from typing import NamedTuple

import pytest

from karpenter_check.scheduling.daemonset import DaemonSetPod, daemonset_pod, refusals
from karpenter_check.scheduling.refusal import NoOverlap, Refusal, UndefinedLabel, UntoleratedTaint
from karpenter_check.scheduling.requirement import Requirement
from karpenter_check.scheduling.template import template_of_nodeclaim, template_of_nodepool
from karpenter_check.snapshot import DaemonSet, NodePool, Version
from karpenter_check.snapshot.nodepool import NodeClassRef
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
from tests.build import a_cluster, a_daemonset, a_node, a_nodeclaim, a_nodepool, a_pod, a_taint, a_term

VERSIONS = (Version(1, 1), Version(1, 13), None, Version(1, 14))
ALWAYS = frozenset(VERSIONS)
NEVER = frozenset[Version | None]()
FROM_1_2 = ALWAYS - {Version(1, 1)}
FROM_1_14 = frozenset[Version | None]({Version(1, 14)})
KWOK = NodeClassRef("KWOKNodeClass", "default", "karpenter.kwok.sh")
LOGS = a_daemonset("logs")


def with_affinity(affinity: NodeAffinity) -> DaemonSet:
    return DaemonSet(LOGS.metadata, DaemonSetSpec(PodTemplate(PodSpec(affinity=Affinity(affinity)))))


PINNED = with_affinity(
    NodeAffinity(NodeSelector((NodeSelectorTerm((), (NodeSelectorRequirement("metadata.name", "In", ("n1",)),)),)))
)
PREFERRING = with_affinity(NodeAffinity(preferred=(PreferredSchedulingTerm(10, a_term("team In z")),)))


class Case(NamedTuple):
    """A NodePool, a DaemonSet, and the versions of Karpenter that count the one for the other."""

    what: str
    nodepool: NodePool
    daemonset: DaemonSet
    counted_by: frozenset[Version | None]


CASES = [
    Case(
        "a taint that it does not tolerate",
        a_nodepool(taints=["gpu=true:NoSchedule"]),
        a_daemonset(tolerations=[]),
        NEVER,
    ),
    Case("a taint, and it tolerates everything", a_nodepool(taints=["gpu=true:NoSchedule"]), a_daemonset(), ALWAYS),
    Case(
        "a PreferNoSchedule taint that it does not tolerate",
        a_nodepool(taints=["x:PreferNoSchedule"]),
        a_daemonset(tolerations=[]),
        FROM_1_2,
    ),
    Case(
        "a startup taint that it does not tolerate",
        a_nodepool(startup_taints=["cni:NoExecute"]),
        a_daemonset(tolerations=[]),
        ALWAYS,
    ),
    Case("a label that the NodePool does not declare", a_nodepool(), a_daemonset(selector={"team": "a"}), NEVER),
    Case(
        "a label of which the NodePool only says Exists",
        a_nodepool(requirements=["team Exists"]),
        a_daemonset(selector={"team": "a"}),
        ALWAYS,
    ),
    Case(
        "a label that the NodePool gives another value than the one it shuns",
        a_nodepool(labels={"team": "b"}),
        a_daemonset(terms=[a_term("team NotIn a")]),
        ALWAYS,
    ),
    Case(
        "it shuns a label that the NodePool does not declare",
        a_nodepool(),
        a_daemonset(terms=[a_term("team DoesNotExist")]),
        ALWAYS,
    ),
    Case(
        "it shuns a label that the NodePool says Exists",
        a_nodepool(requirements=["team Exists"]),
        a_daemonset(terms=[a_term("team DoesNotExist")]),
        NEVER,
    ),
    Case(
        "both sides only shun",
        a_nodepool(requirements=["team NotIn x"]),
        a_daemonset(terms=[a_term("team DoesNotExist")]),
        ALWAYS,
    ),
    Case(
        "one zone of those that the NodePool spans",
        a_nodepool(requirements=["topology.kubernetes.io/zone In a,b"]),
        a_daemonset(selector={"topology.kubernetes.io/zone": "a"}),
        ALWAYS,
    ),
    Case(
        "another architecture than the NodePool's",
        a_nodepool(requirements=["kubernetes.io/arch In amd64"]),
        a_daemonset(selector={"kubernetes.io/arch": "arm64"}),
        NEVER,
    ),
    Case(
        "an architecture, and the NodePool asks for none",
        a_nodepool(),
        a_daemonset(selector={"kubernetes.io/arch": "arm64"}),
        ALWAYS,
    ),
    Case(
        "spot, and the NodePool buys on-demand",
        a_nodepool(requirements=["karpenter.sh/capacity-type In on-demand"]),
        a_daemonset(selector={"karpenter.sh/capacity-type": "spot"}),
        NEVER,
    ),
    Case(
        "a host name, which is not well-known",
        a_nodepool(),
        a_daemonset(selector={"kubernetes.io/hostname": "n1"}),
        NEVER,
    ),
    Case("a node by matchFields, which do not count", a_nodepool(), PINNED, ALWAYS),
    Case(
        "the second of two OR-terms",
        a_nodepool(),
        a_daemonset(terms=[a_term("team In z"), a_term("kubernetes.io/arch In amd64")]),
        FROM_1_2,
    ),
    Case("it merely prefers a label that the NodePool does not declare", a_nodepool(), PREFERRING, FROM_1_2),
    Case(
        "initialized nodes, which are not simulated before 1.14",
        a_nodepool(),
        a_daemonset(selector={"karpenter.sh/initialized": "true"}),
        FROM_1_14,
    ),
    Case(
        "registered nodes, likewise",
        a_nodepool(),
        a_daemonset(selector={"karpenter.sh/registered": "true"}),
        FROM_1_14,
    ),
    Case(
        "an old name of a well-known label",
        a_nodepool(requirements=["kubernetes.io/os In linux"]),
        a_daemonset(selector={"beta.kubernetes.io/os": "linux"}),
        ALWAYS,
    ),
    Case(
        "an old name, and the other operating system",
        a_nodepool(requirements=["kubernetes.io/os In windows"]),
        a_daemonset(selector={"beta.kubernetes.io/os": "linux"}),
        NEVER,
    ),
    Case(
        "bounds that contradict the NodePool's",
        a_nodepool(requirements=["karpenter.k8s.aws/instance-cpu Gt 8"]),
        a_daemonset(terms=[a_term("karpenter.k8s.aws/instance-cpu Lt 4")]),
        NEVER,
    ),
    Case(
        "another node class",
        a_nodepool(),
        a_daemonset(selector={"karpenter.k8s.aws/ec2nodeclass": "other"}),
        NEVER,
    ),
    Case(
        "the NodePool's node class",
        a_nodepool(),
        a_daemonset(selector={"karpenter.k8s.aws/ec2nodeclass": "default"}),
        ALWAYS,
    ),
    Case(
        "no Fargate, which the NodePool does not declare",
        a_nodepool(),
        a_daemonset(terms=[a_term("eks.amazonaws.com/compute-type NotIn fargate")]),
        ALWAYS,
    ),
    Case(
        "managed node groups only",
        a_nodepool(),
        a_daemonset(terms=[a_term("eks.amazonaws.com/nodegroup Exists")]),
        NEVER,
    ),
    Case(
        "a role that a controller writes on nodes after they join",
        a_nodepool(),
        a_daemonset(terms=[a_term("node-role.kubernetes.io/worker Exists")]),
        NEVER,
    ),
    Case("a required term without requirements", a_nodepool(), a_daemonset(terms=[a_term()]), ALWAYS),
    Case(
        "a well-known label of the NodePool's provider",
        a_nodepool(),
        a_daemonset(selector={"karpenter.k8s.aws/instance-category": "c"}),
        ALWAYS,
    ),
    Case(
        "a well-known label of another provider",
        a_nodepool(node_class=KWOK),
        a_daemonset(selector={"karpenter.k8s.aws/instance-category": "c"}),
        NEVER,
    ),
    Case(
        "a well-known label, and a v1beta1 NodePool that names no group",
        a_nodepool(node_class=NodeClassRef(name="default")),
        a_daemonset(selector={"karpenter.k8s.aws/instance-category": "c"}),
        ALWAYS,
    ),
    Case(
        "a label of an unknown provider's own domain",
        a_nodepool(node_class=NodeClassRef("GCENodeClass", "default", "karpenter.k8s.gcp")),
        a_daemonset(selector={"karpenter.k8s.gcp/instance-family": "n4"}),
        ALWAYS,
    ),
    Case(
        "a label of any domain, which an unknown provider may know",
        a_nodepool(node_class=NodeClassRef("GCENodeClass", "default", "karpenter.k8s.gcp")),
        a_daemonset(selector={"cloud.google.com/gke-os-distribution": "cos"}),
        ALWAYS,
    ),
    Case(
        "a label without a domain, which no provider knows",
        a_nodepool(node_class=NodeClassRef("GCENodeClass", "default", "karpenter.k8s.gcp")),
        a_daemonset(selector={"heavy": "yes"}),
        NEVER,
    ),
    Case(
        "the zone by the name of AWS's EBS driver",
        a_nodepool(requirements=["topology.kubernetes.io/zone In a"]),
        a_daemonset(selector={"topology.ebs.csi.aws.com/zone": "b"}),
        NEVER,
    ),
    Case("the NodePool itself", a_nodepool("general"), a_daemonset(selector={"karpenter.sh/nodepool": "general"}), ALWAYS),
    Case("another NodePool", a_nodepool("general"), a_daemonset(selector={"karpenter.sh/nodepool": "gpu"}), NEVER),
]


@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: str(version) if version else "unknown version")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.what)
def test_a_daemonset_is_counted(case: Case, version: Version | None) -> None:
    simulated = daemonset_pod(a_cluster(case.nodepool, case.daemonset), case.daemonset)
    refused = refusals(simulated, template_of_nodepool(case.nodepool, version), version)

    assert (not refused) == (version in case.counted_by), [str(refusal) for refusal in refused]


def refused(daemonset: DaemonSet, nodepool: NodePool) -> list[Refusal]:
    return list(refusals(daemonset_pod(a_cluster(nodepool, daemonset), daemonset), template_of_nodepool(nodepool)))


def test_every_untolerated_taint_is_named() -> None:
    nodepool = a_nodepool(taints=["gpu=true:NoSchedule", "soft:PreferNoSchedule", "cni:NoExecute"])
    found = refused(a_daemonset(tolerations=[], selector={"team": "a"}), nodepool)

    assert found == [UntoleratedTaint(a_taint("gpu=true:NoSchedule")), UntoleratedTaint(a_taint("cni:NoExecute"))]
    assert [(entry.key, entry.cause, str(entry)) for entry in found] == [
        ("gpu", "taint:gpu", "does not tolerate gpu=true:NoSchedule"),
        ("cni", "taint:cni", "does not tolerate cni:NoExecute"),
    ]


def test_every_label_in_the_way_is_named_with_both_sides() -> None:
    zone, team = "topology.kubernetes.io/zone", "team"
    found = refused(a_daemonset(selector={zone: "c", team: "a"}), a_nodepool(requirements=[f"{zone} In a,b"]))

    assert found == [
        NoOverlap(Requirement.of(zone, "In", ("a", "b")), Requirement.of(zone, "In", ("c",))),
        UndefinedLabel(Requirement.of(team, "In", ("a",))),
    ]
    assert [(entry.key, entry.cause, str(entry)) for entry in found] == [
        (zone, f"label:{zone}", f"needs {zone} In [c], against {zone} In [a, b]"),
        (team, "label:team", "needs team In [a], which is not declared"),
    ]


def test_of_several_terms_the_first_one_is_explained() -> None:
    daemonset = a_daemonset(terms=[a_term("team In a"), a_term("tier In b")])

    assert refused(daemonset, a_nodepool()) == [UndefinedLabel(Requirement.of("team", "In", ("a",)))]


def test_before_1_2_the_heaviest_preference_counts_as_required() -> None:
    light, heavy = a_term("kubernetes.io/os In linux"), a_term("team In z")
    simulated = DaemonSetPod({}, (), ((1, light), (100, heavy)), (), {})

    assert refusals(simulated, template_of_nodepool(a_nodepool()), Version(1, 1)) == (
        UndefinedLabel(Requirement.of("team", "In", ("z",))),
    )


def test_a_daemonset_without_pods_is_simulated_from_its_template_with_limits_for_missing_requests() -> None:
    container = Container(ResourceRequirements({"cpu": "100m"}, {"cpu": "1", "memory": "1Gi"}))
    daemonset = DaemonSet(LOGS.metadata, DaemonSetSpec(PodTemplate(PodSpec(containers=(container,)))))

    assert daemonset_pod(a_cluster(daemonset), daemonset).requests == {"cpu": 100, "memory": 1024**3 * 1000}


def test_a_daemonset_with_pods_is_simulated_from_its_newest_pod_but_for_the_required_affinity() -> None:
    template = a_daemonset("logs", cpu="100m", memory="", terms=[a_term("team Exists")], tolerations=[])
    of_before = a_daemonset("logs", cpu="1", memory="")
    enlarged = a_daemonset("logs", cpu="300m", memory="", tolerations=["given:NoSchedule"])
    cluster = a_cluster(
        template,
        a_node("n1"),
        a_node("n2"),
        a_pod("logs-old", on="n1", of=of_before, age="9h"),
        a_pod("logs-new", on="n2", of=enlarged, age="1h"),
    )

    assert daemonset_pod(cluster, template) == DaemonSetPod(
        node_selector={},
        terms=(a_term("team Exists"),),
        preferred=(),
        tolerations=enlarged.spec.template.spec.tolerations,
        requests={"cpu": 300},
    )


def test_of_a_nodeclaim_what_it_was_made_from_counts_not_its_nodepool() -> None:
    claim = a_nodeclaim(requirements=["team In a"], taints=["gpu:NoSchedule"])
    daemonset = a_daemonset(selector={"team": "a"}, tolerations=["gpu:NoSchedule"])
    simulated = daemonset_pod(a_cluster(daemonset), daemonset)

    assert refusals(simulated, template_of_nodeclaim(claim)) == ()
    assert refusals(simulated, template_of_nodepool(a_nodepool())) == (UndefinedLabel(Requirement.of("team", "In", ("a",))),)
