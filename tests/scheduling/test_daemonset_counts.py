"""What refuses a DaemonSet, and the pod that stands for it."""

from karpenter_check.scheduling.daemonset import DaemonSetPod, daemonset_pod, refusals
from karpenter_check.scheduling.refusal import NoOverlap, Refusal, UndefinedLabel, UntoleratedTaint
from karpenter_check.scheduling.requirement import Requirement
from karpenter_check.scheduling.template import template_of_nodeclaim, template_of_nodepool
from karpenter_check.snapshot import DaemonSet, NodePool, Version
from tests.build import a_cluster, a_daemonset, a_node, a_nodeclaim, a_nodepool, a_pod, a_taint, a_term


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
