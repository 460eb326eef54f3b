"""Pending pods that no NodePool would buy a node for."""

import dataclasses
from collections.abc import Sequence
from datetime import timedelta

import pytest

from karpenter_check.finding import Blame, Confidence, EventEvidence, Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity
from karpenter_check.rules.pod_fits_no_nodepool import pod_fits_no_nodepool
from karpenter_check.snapshot import Coverage, Kind, Status
from karpenter_check.snapshot.event import Event, InvolvedObject
from karpenter_check.snapshot.pod_object import PodObject
from tests.build import (
    Thing,
    a_cluster,
    a_daemonset,
    a_deployment,
    a_node,
    a_nodepool,
    a_pod,
    a_term,
    ago,
    an_event,
    nominated,
)

APP = Ref("Pod", "app", "v1", "shop")
WEB = Ref("Deployment", "web", "apps/v1", "shop")
NO_TYPE = "no instance type met the scheduling requirements or had a required offering"


def a_ref(nodepool: str) -> Ref:
    return Ref("NodePool", nodepool, "karpenter.sh/v1")


def found(*things: Thing) -> list[Finding]:
    return list(pod_fits_no_nodepool(a_cluster(*things)))


def a_typo(name: str = "app", *, age: str = "50m") -> PodObject:
    """A pod that selects a label which nobody declares."""
    return a_pod(name, selector={"workload-class": "web"}, age=age)


def a_zoned() -> PodObject:
    """A pod whose wish no NodePool's requirements can prove or disprove."""
    return a_pod("app", selector={"topology.kubernetes.io/zone": "us-west-2z"})


def refused(pod: PodObject, *, last: str = "2m", by: str = "karpenter", said: str = NO_TYPE) -> Event:
    about = InvolvedObject("Pod", pod.metadata.namespace, pod.metadata.name, pod.metadata.uid)
    return an_event(
        "FailedScheduling", f"Failed to schedule pod, {said}", about=about, first="40m", last=last, times=4, component=by
    )


def test_a_pod_that_selects_a_label_which_no_nodepool_declares_is_found() -> None:
    app = a_typo()
    refusal = "needs workload-class In [web], which is not declared"

    assert found(a_nodepool("blue", weight=1), a_nodepool("green"), app, refused(app)) == [
        Finding(
            object=APP,
            owner=APP,
            cause="label:workload-class",
            message="no NodePool offers workload-class In [web]",
            why="no NodePool declares that label, as a label or in its requirements",
            impact=Impact(pods=1),
            evidence=(
                Evidence(a_ref("blue"), value=refusal),
                Evidence(a_ref("green"), value=refusal),
                Evidence(event=EventEvidence("FailedScheduling", f"Failed to schedule pod, {NO_TYPE}", 4, ago("2m"))),
            ),
            occurrences=(Occurrence(APP, app.metadata.uid, reason="label:workload-class", since=ago("50m")),),
            since=ago("50m"),
            fix=(
                Fix(
                    "fix",
                    text="declare workload-class on a NodePool (spec.template.metadata.labels, "
                    "or a requirement in spec.template.spec.requirements), or mend the pod's selector",
                ),
                Fix("verify", "karpenter-check why pod -n shop app"),
            ),
        )
    ]


@pytest.mark.parametrize(
    ("nodepools", "pod", "cause", "message", "fix"),
    [
        pytest.param(
            [a_nodepool(labels={"example.com/workload-class": "web"})],
            a_typo(),
            "label:workload-class",
            "no NodePool offers workload-class In [web] (typo of example.com/workload-class?)",
            "declare workload-class on a NodePool (spec.template.metadata.labels, "
            "or a requirement in spec.template.spec.requirements), or mend the pod's selector",
            id="typo",
        ),
        pytest.param(
            [a_nodepool(requirements=["kubernetes.io/os In linux"])],
            a_pod("app", selector={"kubernetes.io/os": "windows"}),
            "label:kubernetes.io/os",
            "no NodePool offers kubernetes.io/os In [windows]",
            "let a NodePool's spec.template.spec.requirements allow kubernetes.io/os In [windows], or mend the pod's selector",
            id="no overlap",
        ),
        pytest.param(
            [a_nodepool(taints=["team=a:NoSchedule"])],
            a_typo(),
            "label:workload-class",
            "no NodePool offers workload-class In [web]",
            "declare workload-class on a NodePool (spec.template.metadata.labels, "
            "or a requirement in spec.template.spec.requirements), or mend the pod's selector",
            id="rather the label than the taint",
        ),
        pytest.param(
            [a_nodepool()],
            a_pod("app", selector={"karpenter.sh/nodepool": "gone"}),
            "label:karpenter.sh/nodepool",
            "no NodePool offers karpenter.sh/nodepool In [gone]",
            "make a NodePool of that name, or mend the pod's selector",
            id="a NodePool that is not there",
        ),
        pytest.param(
            [a_nodepool("a", taints=["team=a:NoSchedule"]), a_nodepool("b", taints=["team=b:NoSchedule"])],
            a_pod("app"),
            "taint:team",
            "none of 2 NodePools takes it",
            "add a toleration to the pod, if NodePool b is meant for it: it does not tolerate team=b:NoSchedule",
            id="taint",
        ),
        pytest.param(
            [a_nodepool("a", taints=["a:NoSchedule"]), a_nodepool("b", taints=["b:NoSchedule"])],
            a_pod("app"),
            "mixed",
            "none of 2 NodePools takes it",
            "add a toleration to the pod, if NodePool b is meant for it: it does not tolerate b:NoSchedule",
            id="mixed",
        ),
        pytest.param(
            [a_nodepool(limits={"cpu": "2"}, used={"cpu": "2"})],
            a_pod("app"),
            "nodepool:limit",
            "NodePool default does not take it",
            "raise the limit of NodePool default (spec.limits): that helps only if an instance type holds the pod",
            id="limit",
        ),
        pytest.param(
            [a_nodepool(not_ready="NodeClass not found")],
            a_pod("app"),
            "nodepool:not-ready",
            "NodePool default does not take it",
            "mend NodePool default: it is not Ready (UnhealthyDependents: NodeClass not found)",
            id="not ready",
        ),
    ],
)
def test_what_all_nodepools_have_in_common_is_the_cause(
    nodepools: Sequence[Thing], pod: PodObject, cause: str, message: str, fix: str
) -> None:
    (finding,) = found(*nodepools, pod)

    assert (finding.cause, finding.message, finding.fix[0].text, finding.confidence) == (cause, message, fix, Confidence.CERTAIN)


def test_a_nodepool_that_has_nothing_against_the_pod_but_buys_nothing_is_blamed() -> None:
    (finding,) = found(
        a_nodepool("broken", taints=["broken:NoSchedule"], not_ready="NodeClass not found"),
        a_nodepool("other"),
        a_pod("app", selector={"karpenter.sh/nodepool": "broken"}, tolerations=["broken:NoSchedule"]),
    )

    assert (finding.cause, finding.why, finding.blames) == (
        "mixed",
        "NodePool broken: is not Ready (UnhealthyDependents: NodeClass not found); 1 other refuses it too",
        (Blame(a_ref("broken")),),
    )


def test_a_nodepool_that_refuses_the_pod_itself_too_is_not_blamed() -> None:
    (finding,) = found(a_nodepool(taints=["broken:NoSchedule"], not_ready="NodeClass not found"), a_pod("app"))

    assert finding.blames == ()


def test_a_nodepool_whose_limits_karpenter_names_is_blamed() -> None:
    app = a_zoned()
    said = "all available instance types exceed limits for nodepool (NodePool=default)"
    (finding,) = found(a_nodepool(limits={"cpu": "2"}, used={"cpu": "1900m"}), app, refused(app, said=said))

    assert (finding.cause, finding.blames) == ("unproven", (Blame(a_ref("default")),))


def test_a_limit_that_the_pod_is_too_large_for_is_not_blamed() -> None:
    (finding,) = found(a_nodepool(limits={"cpu": "2"}, used={"cpu": "2"}), a_pod("app", cpu="3"))

    assert finding.blames == ()


def test_a_limit_is_not_blamed_where_another_nodepool_finds_no_instance_type_either() -> None:
    app = a_zoned()
    (finding,) = found(a_nodepool("full", limits={"cpu": "2"}, used={"cpu": "2"}), a_nodepool("open"), app, refused(app))

    assert finding.blames == ()


def test_one_term_that_a_nodepool_does_not_refuse_is_enough() -> None:
    app = a_pod("app", terms=[a_term("workload-class In web"), a_term("team In a")])

    assert found(a_nodepool(labels={"team": "a"}), app) == []


def test_pods_of_one_owner_are_one_finding() -> None:
    web = a_deployment("web", replicas=2)
    pods = [a_pod(name, of=web, selector={"workload-class": "web"}, age=age) for name, age in (("web-1", "3m"), ("web-2", "9m"))]

    assert [
        (finding.owner, finding.severity, finding.since, [entry.object.name for entry in finding.occurrences])
        for finding in found(a_nodepool(), web, *pods)
    ] == [(WEB, None, ago("9m"), ["web-2", "web-1"])]


@pytest.mark.parametrize(("age", "expected"), [("59s", []), ("1m", [Severity.LOW]), ("4m59s", [Severity.LOW]), ("5m", [None])])
def test_a_wait_is_low_from_one_minute_and_high_from_five_minutes(age: str, expected: list[Severity | None]) -> None:
    assert [finding.severity for finding in found(a_nodepool(), a_typo(age=age))] == expected


def test_warn_after_sets_from_when_a_wait_counts() -> None:
    assert list(pod_fits_no_nodepool(a_cluster(a_nodepool(), a_typo()), warn_after=timedelta(hours=1))) == []


def test_fail_after_sets_from_when_a_wait_is_high() -> None:
    (finding,) = pod_fits_no_nodepool(a_cluster(a_nodepool(), a_typo()), fail_after=timedelta(hours=1))

    assert finding.severity is Severity.LOW


def test_what_no_nodepool_proves_is_found_by_karpenters_own_word() -> None:
    app = a_zoned()
    said = f"did not tolerate taint (taint=gpu:NoSchedule); all available instance types exceed limits for nodepool (NodePool=gpu); {NO_TYPE}"
    (finding,) = found(a_nodepool(), a_nodepool("gpu", taints=["gpu:NoSchedule"]), app, refused(app, said=said))
    why, _, unproven = finding.why.partition("; NodePool default: ")

    assert (finding.cause, finding.confidence, finding.severity, finding.message, why, bool(unproven)) == (
        "unproven",
        Confidence.LIKELY,
        None,
        "Karpenter finds no instance type for it; the NodePools alone do not prove why (not proven)",
        f'Karpenter says "{NO_TYPE}"',
        True,
    )
    assert finding.evidence[-1].event == EventEvidence("FailedScheduling", f"Failed to schedule pod, {said}", 4, ago("2m"))


@pytest.mark.parametrize(
    "events",
    [
        pytest.param([], id="no event"),
        pytest.param([refused(a_zoned(), last="16m")], id="old"),
        pytest.param([refused(a_zoned(), by="default-scheduler")], id="not Karpenter's"),
        pytest.param([refused(a_zoned(), last="3m"), nominated(a_zoned(), to="default-x", first="2m")], id="nominated since"),
    ],
)
def test_what_no_nodepool_proves_is_not_found_without_karpenters_fresh_word(events: Sequence[Event]) -> None:
    assert found(a_nodepool(), a_zoned(), *events) == []


def test_a_refusal_after_a_nomination_counts() -> None:
    app = a_zoned()

    assert len(found(a_nodepool(), app, nominated(app, to="default-x", first="9m"), refused(app, last="3m"))) == 1


def test_a_pod_that_was_nominated_is_another_rules() -> None:
    app = a_typo()

    assert found(a_nodepool(), app, refused(app, last="20m"), nominated(app, to="default-x", first="10m")) == []


def test_a_pod_that_fits_a_node_which_is_there_will_come_to_it() -> None:
    assert found(a_node("n1", labels={"workload-class": "web"}), a_typo()) == []


def test_a_pod_that_fits_a_node_which_is_there_is_found_where_karpenter_says_no() -> None:
    app = a_typo()

    assert len(found(a_node("n1", labels={"workload-class": "web"}), app, refused(app))) == 1


def test_a_pod_that_another_autoscaler_may_serve_is_low() -> None:
    (finding,) = found(a_nodepool(), a_node("group-1", pool="", labels={"workload-class": "web"}, cpu="50m"), a_typo())

    assert (finding.severity, finding.why.partition("; ")[2]) == (
        Severity.LOW,
        "Node group-1 is not Karpenter's and admits it: it may wait for another autoscaler",
    )


def test_a_node_of_no_nodepool_that_repels_the_pod_changes_nothing() -> None:
    tainted = a_node("group-1", pool="", labels={"workload-class": "web"}, taints=["team=a:NoSchedule"])

    assert [finding.severity for finding in found(a_nodepool(), tainted, a_typo())] == [None]


@pytest.mark.parametrize(
    "pod",
    [
        pytest.param(a_pod("app", selector={"workload-class": "web"}, deleted="1m"), id="being deleted"),
        pytest.param(a_pod("app", selector={"workload-class": "web"}, scheduler="fargate-scheduler"), id="Fargate's"),
        pytest.param(a_pod("app", selector={"karpenter.sh/provisioner-name": "default"}), id="ignored"),
        pytest.param(a_pod("app", terms=[a_term("karpenter.sh/nodepool DoesNotExist")]), id="opted out"),
        pytest.param(a_pod("app", of=a_daemonset("agent", selector={"workload-class": "web"})), id="a DaemonSet's"),
    ],
)
def test_pods_that_are_not_for_karpenter_are_not_found(pod: PodObject) -> None:
    assert found(a_nodepool(), pod) == []


def test_a_cluster_without_nodepools_is_silent() -> None:
    assert found(a_typo()) == []


def test_nodepools_that_could_not_all_be_read_prove_nothing() -> None:
    cluster = a_cluster(a_nodepool(), a_typo())
    partial = {**cluster.coverage, Kind.NODEPOOL: Coverage(Status.PARTIAL, reason="one could not be read")}

    assert list(pod_fits_no_nodepool(dataclasses.replace(cluster, coverage=partial))) == []
