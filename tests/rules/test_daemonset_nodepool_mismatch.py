from dataclasses import replace
from typing import TypeVar

import msgspec
import pytest

from karpenter_check.finding import Confidence, Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity
from karpenter_check.rules.daemonset_nodepool_mismatch import daemonset_nodepool_mismatch
from karpenter_check.scheduling import harm, uncounted
from karpenter_check.scheduling.daemonset import DaemonSetPod, refusals
from karpenter_check.scheduling.preemption import Preemptions, preemptions
from karpenter_check.scheduling.refusal import Refusal
from karpenter_check.scheduling.template import NodeTemplate
from karpenter_check.snapshot import DaemonSet, NodeClaim, NodePool, Snapshot, Version
from karpenter_check.snapshot.metadata import Condition
from karpenter_check.snapshot.node import NodeStatus
from karpenter_check.snapshot.nodepool import NodeClassRef
from karpenter_check.snapshot.workload import DaemonSetSpec, PodTemplate
from tests.build import (
    a_cluster,
    a_daemonset,
    a_deployment,
    a_node,
    a_nodeclaim,
    a_nodepool,
    a_pod,
    a_term,
    ago,
    nominated,
    preempted,
)

Dying = TypeVar("Dying", NodePool, NodeClaim, DaemonSet)
AGENT = Ref("DaemonSet", "agent", "apps/v1", "kube-system")
VERIFY = Fix("verify", "karpenter-check scan --select daemonset-nodepool-mismatch --nodepool default")


def found(cluster: Snapshot, *, minimum_share: float = 0.02) -> list[Finding]:
    return list(daemonset_nodepool_mismatch(cluster, minimum_share=minimum_share))


def severities(cluster: Snapshot) -> list[Severity | None]:
    return [finding.severity for finding in found(cluster)]


def test_a_daemonset_that_selects_a_label_which_its_nodes_got_from_elsewhere_is_found() -> None:
    agent = a_daemonset("agent", cpu="600m", memory="512Mi", selector={"heavy": "yes"})
    labelled = a_node("n1", labels={"heavy": "yes"}, written_by={"heavy": "kubectl-label"}, cpu="3")
    pod = a_pod("agent-1", on="n1", of=agent)
    cluster = a_cluster(labelled, a_node("n2", labels={"heavy": "yes"}), agent, pod)

    assert found(cluster) == [
        Finding(
            object=AGENT,
            owner=AGENT,
            nodepool="default",
            cause="label:heavy",
            confidence=Confidence.LIKELY,
            message="Karpenter sizes default's nodes without agent; it runs on 1 of 2",
            why='selects heavy=yes; NodePool default declares no such label; on the nodes it was written by "kubectl-label"',
            cost="600m cpu a node, 20% of 3 allocatable; planned 2, needed 2600m",
            impact=Impact(nodes=1, pods=1, cpu="600m", memory="512Mi", share=0.2),
            evidence=(
                Evidence(Ref("NodePool", "default", "karpenter.sh/v1"), "spec.template.metadata.labels", "no heavy"),
                Evidence(Ref("Node", "n1", "v1"), "metadata.labels.heavy", "yes", "kubectl-label"),
            ),
            occurrences=(
                Occurrence(Ref("Pod", "agent-1", "v1", "kube-system"), pod.metadata.uid, "n1", "label:heavy", ago("50m")),
            ),
            since=ago("50m"),
            fix=(
                Fix(
                    "fix",
                    """kubectl patch nodepool default --type merge -p '{"spec":{"template":{"metadata":{"labels":{"heavy":"yes"}}}}}'""",
                    risk="drifts 2 nodes, 1 at a time by its budgets; or take the label off the nodes",
                ),
                VERIFY,
            ),
        ),
    ]


def test_a_daemonset_that_does_not_tolerate_a_taint_which_somebody_took_off_the_node_is_found() -> None:
    agent = a_daemonset("agent", cpu="600m", memory="512Mi", tolerations=["other:NoSchedule"])
    pod = a_pod("agent-1", on="n1", of=agent)
    cluster = a_cluster(
        a_nodepool(taints=["gpu=true:NoSchedule"]), a_node("n1", cpu="3", taints_written_by="kubectl-taint"), agent, pod
    )

    assert found(cluster) == [
        Finding(
            object=AGENT,
            owner=AGENT,
            nodepool="default",
            cause="taint:gpu",
            confidence=Confidence.LIKELY,
            message="Karpenter sizes default's nodes without agent; it runs on 1 of 1",
            why='does not tolerate gpu=true:NoSchedule of NodePool default; the node does not carry it (its taints: written by "kubectl-taint")',
            cost="600m cpu a node, 20% of 3 allocatable; planned 2, needed 2600m",
            impact=Impact(nodes=1, pods=1, cpu="600m", memory="512Mi", share=0.2),
            evidence=(
                Evidence(Ref("NodePool", "default", "karpenter.sh/v1"), "spec.template.spec.taints", "gpu=true:NoSchedule"),
                Evidence(Ref("Node", "n1", "v1"), "spec.taints", "no gpu", "kubectl-taint"),
            ),
            occurrences=(Occurrence(Ref("Pod", "agent-1", "v1", "kube-system"), pod.metadata.uid, "n1", "taint:gpu", ago("50m")),),
            since=ago("50m"),
            fix=(
                Fix(
                    "fix",
                    "kubectl patch daemonset -n kube-system agent --type json -p "
                    """'[{"op":"add","path":"/spec/template/spec/tolerations/-","value":{"key":"gpu","operator":"Exists","effect":"NoSchedule"}}]'""",
                    risk="rolls the DaemonSet; only nodes made after it have room for it",
                ),
                VERIFY,
            ),
        ),
    ]


def test_a_label_of_another_value_than_the_nodepools_is_found() -> None:
    agent = a_daemonset("agent", selector={"team": "a"})
    cluster = a_cluster(
        a_nodepool(labels={"team": "b"}),
        a_node("n1", labels={"team": "a"}, written_by={"team": "node-labeller"}),
        agent,
        a_pod("agent-1", on="n1", of=agent),
    )
    (finding,) = found(cluster)

    assert (finding.cause, finding.why, finding.evidence) == (
        "label:team",
        'needs team In [a]; NodePool default declares team In [b]; the node has team=a, written by "node-labeller"',
        (
            Evidence(Ref("NodePool", "default", "karpenter.sh/v1"), "spec.template.spec.requirements", "team In [b]"),
            Evidence(Ref("Node", "n1", "v1"), "metadata.labels.team", "a", "node-labeller"),
        ),
    )


def test_a_pod_that_waits_for_its_node_is_found_as_pending() -> None:
    agent = a_daemonset("agent", selector={"heavy": "yes"})
    cluster = a_cluster(a_node("n1", labels={"heavy": "yes"}), agent, a_pod("agent-1", pinned_to="n1", of=agent))

    assert [finding.message for finding in found(cluster)] == [
        "Karpenter sizes default's nodes without agent; it is Pending for 1 of 1"
    ]


def test_input_without_managed_fields_says_that_the_writer_is_not_in_it() -> None:
    agent = a_daemonset("agent", selector={"heavy": "yes"})
    tainted = a_daemonset("tainted", tolerations=[])
    cluster = a_cluster(
        a_nodepool(taints=["gpu:NoSchedule"]),
        a_node("n1", labels={"heavy": "yes"}),
        agent,
        tainted,
        a_pod("agent-1", on="n1", of=agent),
        a_pod("tainted-1", on="n1", of=tainted),
    )

    assert [finding.why for finding in found(cluster)] == [
        "selects heavy=yes; NodePool default declares no such label; the nodes have it (writer not in the input)",
        "does not tolerate gpu:NoSchedule of NodePool default; the node does not carry it (its taints: writer not in the input)",
    ]


def test_it_is_critical_when_a_nominated_pod_starves_for_its_room() -> None:
    agent = a_daemonset("agent", cpu="600m", selector={"heavy": "yes"})
    waiting = a_pod("app", cpu="700m")
    cluster = a_cluster(
        a_nodepool(),
        a_node("n1", labels={"heavy": "yes"}, cpu="900m"),
        agent,
        a_pod("agent-1", on="n1", of=agent),
        waiting,
        nominated(waiting, to="default-n1", node="n1", first="5m", last="1m"),
    )
    (finding,) = found(cluster)

    assert (finding.severity, finding.fix[0]) == (
        Severity.CRITICAL,
        Fix(
            "stop",
            """kubectl patch nodepool default --type merge -p '{"spec":{"limits":{"cpu":"0"}}}'""",
            risk="no new nodes in this pool until it is undone (it has no cpu limit now)",
        ),
    )


def test_it_is_critical_when_it_preempts_pods_in_a_loop() -> None:
    agent, web = a_daemonset("agent", selector={"heavy": "yes"}, priority_class="system-node-critical"), a_deployment("web")
    pod = a_pod("agent-1", on="n1", of=agent)
    names = ("web-bcdfg-22222", "web-bcdfg-44444", "web-bcdfg-55555")
    events = [preempted(name, by=pod, on="n1", when=f"{minutes}m") for minutes, name in enumerate(names, 1)]
    cluster = a_cluster(a_node("n1", labels={"heavy": "yes"}), agent, web, pod, *events)
    (finding,) = found(cluster)

    assert (finding.severity, finding.evidence[-1]) == (Severity.CRITICAL, Evidence.of_event(events[0], count=3))


def test_a_pod_that_starves_for_another_reason_does_not_make_it_critical() -> None:
    agent, big = a_daemonset("agent", cpu="100m", selector={"heavy": "yes"}), a_pod("big", on="n1", cpu="800m")
    waiting = a_pod("app", cpu="700m")
    cluster = a_cluster(
        a_node("n1", labels={"heavy": "yes"}, cpu="1"),
        agent,
        big,
        a_pod("agent-1", on="n1", of=agent),
        waiting,
        nominated(waiting, to="default-n1", node="n1", first="5m", last="1m"),
    )

    assert severities(cluster) == [None]


def test_a_small_daemonset_is_low() -> None:
    agent = a_daemonset("agent", cpu="10m", memory="16Mi", selector={"heavy": "yes"})
    cluster = a_cluster(a_node("n1", labels={"heavy": "yes"}), agent, a_pod("agent-1", on="n1", of=agent))

    assert severities(cluster) == [Severity.LOW]


def test_the_minimum_share_sets_what_is_small() -> None:
    agent = a_daemonset("agent", cpu="10m", memory="16Mi", selector={"heavy": "yes"})
    cluster = a_cluster(a_node("n1", labels={"heavy": "yes"}), agent, a_pod("agent-1", on="n1", of=agent))

    assert [finding.severity for finding in found(cluster, minimum_share=0.001)] == [None]


@pytest.mark.parametrize(
    ("slots", "severity", "cost"),
    [
        ("11", Severity.LOW, "one pod slot a node; it asks for no cpu and no memory"),
        ("1", None, "one pod slot a node, 100% of 1, and no slot is left"),
    ],
)
def test_a_pod_slot_counts_only_where_no_slot_is_left(slots: str, severity: Severity | None, cost: str) -> None:
    agent = a_daemonset("agent", cpu="", memory="", selector={"heavy": "yes"})
    cluster = a_cluster(a_node("n1", labels={"heavy": "yes"}, pods=slots), agent, a_pod("agent-1", on="n1", of=agent))

    assert [(finding.severity, finding.cost) for finding in found(cluster)] == [(severity, cost)]


@pytest.mark.parametrize("cpu", ["", "100m"])
def test_of_a_node_that_says_nothing_of_its_size_the_share_is_unknown(cpu: str) -> None:
    agent = a_daemonset("agent", cpu=cpu, memory="64Mi", selector={"heavy": "yes"})
    node = msgspec.structs.replace(a_node("n1", labels={"heavy": "yes"}), status=NodeStatus())
    cluster = a_cluster(node, agent, a_pod("agent-1", on="n1", of=agent))

    assert [finding.cost for finding in found(cluster)] == [f"{cpu} cpu and 64Mi memory a node" if cpu else "64Mi memory a node"]


def test_it_is_critical_when_nodes_are_bought_for_a_workload_that_it_preempts() -> None:
    agent, web = a_daemonset("agent", selector={"heavy": "yes"}, priority_class="system-node-critical"), a_deployment("web")
    pod = a_pod("agent-1", on="n1", of=agent)
    claims = [a_nodeclaim(f"c{place}", node="", age="5m", last_pod_event="") for place in range(3)]
    victims = [a_pod(f"web-bcdfg-{place}bbbb".replace("0", "b").replace("1", "c"), of=web) for place in range(3)]
    cluster = a_cluster(
        a_node("n1", labels={"heavy": "yes"}),
        agent,
        web,
        pod,
        *claims,
        *(nominated(victim, to=claim.name, first="5m") for victim, claim in zip(victims, claims, strict=True)),
        preempted(victims[0].metadata.name, by=pod, on="n1", when="1m"),
    )

    assert severities(cluster) == [Severity.CRITICAL]


def test_a_node_without_a_nodeclaim_is_not_karpenters_whatever_its_label_says() -> None:
    agent = a_daemonset("agent", selector={"heavy": "yes"})
    cluster = a_cluster(a_node("n1", labels={"heavy": "yes"}), agent, a_pod("agent-1", on="n1", of=agent))

    assert found(replace(cluster, nodeclaims=())) == []


def test_a_node_sized_while_a_requirement_that_is_gone_admitted_it_is_fine() -> None:
    agent = a_daemonset("agent", selector={"team": "a"})
    cluster = a_cluster(
        a_nodepool(),
        a_node("n1", labels={"team": "a"}),
        a_nodeclaim(node="n1", requirements=["team In a"]),
        a_node("n2", labels={"team": "a"}),
        agent,
        a_pod("agent-1", on="n1", of=agent),
        a_pod("agent-2", on="n2", of=agent),
    )

    assert [[entry.node for entry in finding.occurrences] for finding in found(cluster)] == [["n2"]]


AWS = NodeClassRef("EC2NodeClass", "default", "karpenter.k8s.aws")
AZURE = NodeClassRef("AKSNodeClass", "default", "karpenter.azure.com")
UNKNOWN = NodeClassRef("GCENodeClass", "default", "karpenter.k8s.gcp")


@pytest.mark.parametrize(
    ("version", "node_class", "confidence"),
    [
        (Version(1, 13), AWS, Confidence.CERTAIN),
        (None, AWS, Confidence.LIKELY),
        (Version(1, 13), AZURE, Confidence.LIKELY),
        (Version(1, 13), UNKNOWN, Confidence.LIKELY),
    ],
)
def test_it_is_certain_where_version_and_labels_are_known(
    version: Version | None, node_class: NodeClassRef, confidence: Confidence
) -> None:
    agent = a_daemonset("agent", selector={"heavy": "yes"})
    cluster = a_cluster(
        a_nodepool(node_class=node_class),
        a_node("n1", labels={"heavy": "yes"}),
        agent,
        a_pod("agent-1", on="n1", of=agent),
        version=version,
    )

    assert [finding.confidence for finding in found(cluster)] == [confidence]


@pytest.mark.parametrize(("node_class", "causes"), [(UNKNOWN, []), (AZURE, ["label:cloud.google.com/os"])])
def test_an_unknown_provider_may_know_any_label_that_has_a_domain(node_class: NodeClassRef, causes: list[str]) -> None:
    agent = a_daemonset("agent", selector={"cloud.google.com/os": "cos"})
    cluster = a_cluster(
        a_nodepool(node_class=node_class),
        a_node("n1", labels={"cloud.google.com/os": "cos"}),
        agent,
        a_pod("agent-1", on="n1", of=agent),
    )

    assert [finding.cause for finding in found(cluster)] == causes


def test_the_selector_of_a_pod_of_another_revision_can_be_told() -> None:
    agent = a_daemonset("agent", selector={"team": "a"})
    cluster = a_cluster(
        a_node("n1", labels={"team": "a"}),
        a_node("n2", labels={"team": "a"}),
        agent,
        a_pod("agent-1", on="n1", of=agent, age="50m", labels={"controller-revision-hash": "old"}),
        a_pod("agent-2", on="n2", of=agent, age="1m", labels={"controller-revision-hash": "new"}),
    )

    assert [finding.impact.nodes for finding in found(cluster)] == [2]


def test_alike_pods_on_alike_nodes_are_judged_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[NodeTemplate] = []

    def counted(pod: DaemonSetPod, template: NodeTemplate, version: Version | None) -> tuple[Refusal, ...]:
        asked.append(template)
        return refusals(pod, template, version)

    monkeypatch.setattr(uncounted, "refusals", counted)
    agent = a_daemonset("agent", selector={"heavy": "yes"})
    nodes = [a_node(f"n{place}", labels={"heavy": "yes"}) for place in range(20)]
    cluster = a_cluster(*nodes, agent, *(a_pod(f"agent-{node.name}", on=node.name, of=agent) for node in nodes))

    assert [len(finding.occurrences) for finding in found(cluster)] == [20]
    assert len(asked) == 3, "the NodePool, the NodeClaims that are alike, and the NodePool against the pods as they are"


def test_a_daemonset_that_tolerates_everything_is_fine() -> None:
    agent = a_daemonset("agent")
    cluster = a_cluster(
        a_nodepool(taints=["gpu=true:NoSchedule"]),
        a_node("n1", taints=["gpu=true:NoSchedule"]),
        agent,
        a_pod("agent-1", on="n1", of=agent),
    )

    assert found(cluster) == []


def test_a_daemonset_that_is_meant_to_skip_a_nodepool_is_fine() -> None:
    agent = a_daemonset("agent", tolerations=[], selector={"accelerator": "nvidia"})
    cluster = a_cluster(a_node("n1"), agent)

    assert found(cluster) == []


def test_a_daemonset_whose_template_names_a_node_is_meant_for_that_one_alone() -> None:
    scheduled = a_daemonset("agent", tolerations=[])
    spec = msgspec.structs.replace(scheduled.spec.template.spec, node_name="n1")
    placed = msgspec.structs.replace(scheduled, spec=DaemonSetSpec(PodTemplate(spec)))
    tainted = a_nodepool(taints=["gpu=true:NoSchedule"]), a_node("n1", taints=["gpu=true:NoSchedule"])

    assert found(a_cluster(*tainted, placed, a_pod("agent-1", on="n1", of=placed))) == []
    assert len(found(a_cluster(*tainted, scheduled, a_pod("agent-1", on="n1", of=scheduled)))) == 1


def test_a_label_that_its_nodepool_declares_is_fine() -> None:
    agent = a_daemonset("agent", selector={"accelerator": "nvidia"})
    cluster = a_cluster(
        a_nodepool(labels={"accelerator": "nvidia"}),
        a_node("n1", labels={"accelerator": "nvidia"}),
        agent,
        a_pod("agent-1", on="n1", of=agent),
    )

    assert found(cluster) == []


@pytest.mark.parametrize(
    ("key", "value"),
    [("karpenter.k8s.aws/instance-gpu-count", "1"), ("topology.kubernetes.io/zone", "a"), ("beta.kubernetes.io/os", "linux")],
)
def test_a_label_that_karpenter_knows_may_stay_undeclared(key: str, value: str) -> None:
    agent = a_daemonset("agent", selector={key: value})
    cluster = a_cluster(a_node("n1", labels={key: value}), agent, a_pod("agent-1", on="n1", of=agent))

    assert found(cluster) == []


def test_startup_taints_do_not_count() -> None:
    agent = a_daemonset("agent", tolerations=[])
    cluster = a_cluster(a_nodepool(startup_taints=["cni:NoExecute"]), a_node("n1"), agent, a_pod("agent-1", on="n1", of=agent))

    assert found(cluster) == []


@pytest.mark.parametrize(("version", "causes"), [(Version(1, 1), ["taint:soft"]), (Version(1, 2), []), (None, [])])
def test_a_taint_that_only_prefers_counts_before_1_2(version: Version | None, causes: list[str]) -> None:
    agent = a_daemonset("agent", tolerations=[])
    cluster = a_cluster(
        a_nodepool(taints=["soft:PreferNoSchedule"]),
        a_node("n1", taints=["soft:PreferNoSchedule"]),
        agent,
        a_pod("agent-1", on="n1", of=agent),
        version=version,
    )

    assert [finding.cause for finding in found(cluster)] == causes


@pytest.mark.parametrize(("version", "causes"), [(Version(1, 1), ["label:team"]), (Version(1, 2), []), (None, [])])
def test_the_second_of_two_terms_counts_since_1_2(version: Version | None, causes: list[str]) -> None:
    agent = a_daemonset("agent", terms=[a_term("team In z"), a_term("kubernetes.io/arch In amd64")])
    cluster = a_cluster(a_node("n1"), agent, a_pod("agent-1", on="n1", of=agent), version=version)

    assert [finding.cause for finding in found(cluster)] == causes


@pytest.mark.parametrize(
    ("version", "causes"),
    [(Version(1, 13), ["label:karpenter.sh/registered"]), (Version(1, 14), []), (None, [])],
)
def test_a_lifecycle_label_is_simulated_since_1_14_and_proves_nothing_of_an_unknown_version(
    version: Version | None, causes: list[str]
) -> None:
    agent = a_daemonset("agent", selector={"karpenter.sh/registered": "true"})
    cluster = a_cluster(a_node("n1"), agent, a_pod("agent-1", on="n1", of=agent), version=version)

    assert [finding.cause for finding in found(cluster)] == causes


def test_no_command_sets_a_label_that_karpenter_forbids_in_a_nodepool() -> None:
    agent = a_daemonset("agent", selector={"karpenter.sh/registered": "true"})
    cluster = a_cluster(a_node("n1"), agent, a_pod("agent-1", on="n1", of=agent), version=Version(1, 13))
    (finding,) = found(cluster)

    assert finding.fix == (
        Fix(
            "fix",
            text="make the DaemonSet's node selector and NodePool default's labels and requirements agree on karpenter.sh/registered",
            risk="an edit of the NodePool's template drifts 1 node, 1 at a time by its budgets",
        ),
        VERIFY,
    )


@pytest.mark.parametrize(("version", "settable"), [(None, False), (Version(1, 8), False), (Version(1, 9), True)])
def test_no_command_sets_a_label_of_kubernetes_where_karpenter_may_refuse_it(version: Version | None, settable: bool) -> None:  # noqa: FBT001  a pytest parameter
    key = "beta.kubernetes.io/fluentd-ds-ready"
    agent = a_daemonset("agent", selector={key: "true"})
    cluster = a_cluster(a_node("n1", labels={key: "true"}), agent, a_pod("agent-1", on="n1", of=agent), version=version)
    (finding,) = found(cluster)

    assert bool(finding.fix[0].command) is settable


@pytest.mark.parametrize("others", [{}, {"heavy": "very"}], ids=["no label", "another value"])
def test_no_command_brings_a_label_of_some_nodes_to_all(others: dict[str, str]) -> None:
    agent = a_daemonset("agent", terms=[a_term("heavy Exists")])
    cluster = a_cluster(
        a_node("n1", labels={"heavy": "yes"}), a_node("n2", labels=others), agent, a_pod("agent-1", on="n1", of=agent)
    )
    (finding,) = found(cluster)

    assert finding.fix == (
        Fix(
            "fix",
            text="take heavy=yes off the nodes that have it, or give what needs it a NodePool of its own that declares it",
            risk="declaring it in NodePool default would bring the DaemonSet to all its nodes",
        ),
        VERIFY,
    )


def test_of_several_terms_the_one_that_lets_the_pod_run_on_the_node_is_told() -> None:
    agent = a_daemonset("agent", terms=[a_term("gpu In yes"), a_term("team In a")])
    node = a_node("n1", labels={"team": "a"}, written_by={"team": "kubectl-label"})
    (finding,) = found(a_cluster(node, agent, a_pod("agent-1", on="n1", of=agent)))

    assert (finding.cause, finding.why) == (
        "label:team",
        'selects team=a; NodePool default declares no such label; on the nodes it was written by "kubectl-label"',
    )


def test_a_label_that_the_node_lost_is_not_said_to_be_there() -> None:
    agent = a_daemonset("agent", selector={"team": "a"})
    (finding,) = found(a_cluster(a_node("n1"), agent, a_pod("agent-1", on="n1", of=agent)))

    assert finding.why == (
        "selects team=a; NodePool default declares no such label; the nodes have none either, but its pods are there all the same"
    )


@pytest.mark.parametrize(("version", "findings"), [(None, 0), (Version(1, 13, 4), 1), (Version(1, 20), 0)])
def test_a_label_of_karpenters_own_that_a_later_version_may_know_is_fine(version: Version | None, findings: int) -> None:
    key = "karpenter.k8s.aws/instance-colour"
    agent = a_daemonset("agent", selector={key: "red"})
    cluster = a_cluster(a_node("n1", labels={key: "red"}), agent, a_pod("agent-1", on="n1", of=agent), version=version)

    assert len(found(cluster)) == findings


def test_what_is_being_deleted_is_no_problem_any_more() -> None:
    agent = a_daemonset("agent", selector={"team": "a"})
    pool, node, claim = a_nodepool(), a_node("n1", labels={"team": "a"}), a_nodeclaim(node="n1")
    pod = a_pod("agent-1", on="n1", of=agent)

    def dying(thing: Dying) -> Dying:
        return msgspec.structs.replace(thing, metadata=msgspec.structs.replace(thing.metadata, deletion_timestamp=ago("1m")))

    assert len(found(a_cluster(pool, node, claim, agent, pod))) == 1
    assert found(a_cluster(dying(pool), node, claim, agent, pod)) == []
    assert found(a_cluster(pool, node, dying(claim), agent, pod)) == []
    assert found(a_cluster(pool, node, claim, dying(agent), pod)) == []


def test_a_node_made_before_its_nodepool_declared_the_label_is_history() -> None:
    agent = a_daemonset("agent", selector={"team": "a"})
    cluster = a_cluster(
        a_nodepool(labels={"team": "a"}, hash="2"),
        a_node("n1", labels={"team": "a"}),
        a_nodeclaim("default-n1", node="n1", hash="1"),
        agent,
        a_pod("agent-1", on="n1", of=agent),
    )
    (finding,) = found(cluster)

    assert (finding.severity, finding.message, finding.why) == (
        Severity.INFO,
        "Karpenter sized older nodes of default without agent; it runs on 1 of 1; the NodePool counts it by now",
        "selects team=a; NodeClaim default-n1 declares no such label; the nodes have it (writer not in the input)",
    )
    assert finding.evidence[0] == Evidence(Ref("NodeClaim", "default-n1", "karpenter.sh/v1"), "spec.requirements", "no team")
    assert finding.fix == (
        Fix("fix", text="nothing in the NodePool, which counts it by now: the nodes from before go as they drift or expire"),
        VERIFY,
    )


def test_the_taint_of_an_older_template_is_the_nodeclaims() -> None:
    agent = a_daemonset("agent", tolerations=["other:NoSchedule"])
    cluster = a_cluster(
        a_nodepool(hash="2"),
        a_node("n1"),
        a_nodeclaim("default-n1", node="n1", hash="1", taints=["a=b:NoSchedule"]),
        agent,
        a_pod("agent-1", on="n1", of=agent),
    )
    (finding,) = found(cluster)

    assert finding.evidence[0] == Evidence(Ref("NodeClaim", "default-n1", "karpenter.sh/v1"), "spec.taints", "a=b:NoSchedule")
    assert finding.fix[0].command == ""


def test_a_nodeclaim_that_its_pods_narrowed_says_nothing_of_older_templates() -> None:
    agent = a_daemonset("agent", selector={"team": "b"})
    cluster = a_cluster(
        a_nodepool(requirements=["team In a,b"]),
        a_node("n1", labels={"team": "b"}),
        a_nodeclaim(node="n1", requirements=["team In a"], conditions=[Condition("Drifted", "True", reason="AMIDrift")]),
        agent,
        a_pod("agent-1", on="n1", of=agent),
    )

    assert found(cluster) == []


def test_a_node_made_while_its_nodepool_still_declared_the_label_is_fine() -> None:
    agent = a_daemonset("agent", selector={"team": "a"})
    cluster = a_cluster(
        a_nodepool(hash="2"),
        a_node("n1", labels={"team": "a"}),
        a_nodeclaim(node="n1", hash="1", requirements=["team In a"]),
        agent,
        a_pod("agent-1", on="n1", of=agent),
    )

    assert found(cluster) == []


def test_a_pod_left_from_before_an_edit_of_its_daemonset_is_fine() -> None:
    before, agent = a_daemonset("agent"), a_daemonset("agent", selector={"team": "a"})
    cluster = a_cluster(
        a_nodepool("teams", labels={"team": "a"}),
        a_node("n1"),
        a_node("n2", pool="teams", labels={"team": "a"}),
        agent,
        a_pod("agent-1", on="n1", of=before, age="50m"),
        a_pod("agent-2", on="n2", of=agent, age="1m"),
    )

    assert found(cluster) == []


@pytest.mark.parametrize(("revision", "causes"), [("old", []), ("new", ["label:team"])])
def test_the_affinity_of_a_pod_of_another_revision_cannot_be_told(revision: str, causes: list[str]) -> None:
    agent = a_daemonset("agent", terms=[a_term("team In a")])
    cluster = a_cluster(
        a_nodepool("teams", labels={"team": "a"}),
        a_node("n1"),
        a_node("n2", pool="teams", labels={"team": "a"}),
        agent,
        a_pod("agent-1", on="n1", of=agent, age="50m", labels={"controller-revision-hash": revision}),
        a_pod("agent-2", on="n2", of=agent, age="1m", labels={"controller-revision-hash": "new"}),
    )

    assert [finding.cause for finding in found(cluster)] == causes


def test_a_static_nodepool_is_sized_for_no_pods_at_all() -> None:
    agent = a_daemonset("agent", selector={"heavy": "yes"})
    cluster = a_cluster(a_nodepool(replicas=1), a_node("n1", labels={"heavy": "yes"}), agent, a_pod("agent-1", on="n1", of=agent))

    assert found(cluster) == []


def test_a_node_of_no_nodepool_is_not_karpenters() -> None:
    agent = a_daemonset("agent", selector={"heavy": "yes"})
    cluster = a_cluster(a_node("n1", pool="", labels={"heavy": "yes"}), agent, a_pod("agent-1", on="n1", of=agent))

    assert found(cluster) == []


def test_a_node_that_goes_away_is_left_out() -> None:
    agent = a_daemonset("agent", selector={"heavy": "yes"})
    cluster = a_cluster(a_node("n1", labels={"heavy": "yes"}, deleted="1m"), agent, a_pod("agent-1", on="n1", of=agent))

    assert found(cluster) == []


@pytest.mark.parametrize("phase", ["Failed", "Succeeded"])
def test_a_pod_that_has_ended_is_left_out(phase: str) -> None:
    agent = a_daemonset("agent", selector={"heavy": "yes"})
    cluster = a_cluster(a_node("n1", labels={"heavy": "yes"}), agent, a_pod("agent-1", on="n1", of=agent, phase=phase))

    assert found(cluster) == []


def test_a_daemonset_of_the_same_name_in_another_namespace_is_another_one() -> None:
    ours = a_daemonset("agent", namespace="ours", selector={"heavy": "yes"})
    theirs = a_daemonset("agent", namespace="theirs")
    cluster = a_cluster(
        a_node("n1", labels={"heavy": "yes"}),
        ours,
        theirs,
        a_pod("agent-1", on="n1", of=ours),
        a_pod("agent-2", on="n1", of=theirs),
    )

    assert [finding.owner for finding in found(cluster)] == [Ref("DaemonSet", "agent", "apps/v1", "ours")]


def test_one_daemonset_on_two_nodepools_is_two_findings() -> None:
    agent = a_daemonset("agent", selector={"heavy": "yes"})
    cluster = a_cluster(
        a_node("n1", pool="a", labels={"heavy": "yes"}),
        a_node("n2", pool="b", labels={"heavy": "yes"}),
        agent,
        a_pod("agent-1", on="n1", of=agent),
        a_pod("agent-2", on="n2", of=agent),
    )

    assert [finding.nodepool for finding in found(cluster)] == ["a", "b"]


def test_whom_somebody_hurts_is_looked_up_once_for_all_daemonsets(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Snapshot] = []

    def counted(snapshot: Snapshot) -> tuple[Preemptions, ...]:
        asked.append(snapshot)
        return preemptions(snapshot)

    monkeypatch.setattr(harm, "preemptions", counted)
    agents = [a_daemonset(f"agent-{place}", selector={"heavy": "yes"}) for place in range(5)]
    pods = [a_pod(f"{agent.metadata.name}-1", on="n1", of=agent) for agent in agents]

    assert len(found(a_cluster(a_node("n1", labels={"heavy": "yes"}), *agents, *pods))) == 5
    assert len(asked) == 1
