"""Pending pods that Karpenter does not look at."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from msgspec.structs import replace

from karpenter_check.finding import Confidence, EventEvidence, Evidence, Finding, Fix, Impact, Occurrence, Ref, Severity
from karpenter_check.rules.pod_ignored_by_karpenter import pod_ignored_by_karpenter
from karpenter_check.snapshot.event import Event, InvolvedObject
from karpenter_check.snapshot.metadata import Condition, OwnerReference
from karpenter_check.snapshot.nodepool import NodeClassRef
from karpenter_check.snapshot.pod_object import (
    Affinity,
    NodeAffinity,
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    PodObject,
    PodResourceClaim,
)
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
PROVISIONER = "karpenter.sh/provisioner-name"
VERIFY = Fix("verify", "karpenter-check scan --select pod-ignored-by-karpenter -n shop")
PVC = 'ignoring pod, persistentvolumeclaim "data" not found'
Judged = list[tuple[str, Severity | None, Confidence]]


def found(*things: Thing) -> list[Finding]:
    return list(pod_ignored_by_karpenter(a_cluster(*things)))


def judged(*things: Thing) -> Judged:
    return [(finding.cause, finding.severity, finding.confidence) for finding in found(*things)]


def legacy(name: str = "app", *, age: str = "50m") -> PodObject:
    """A pod that selects by a label of Karpenter's before 0.32."""
    return a_pod(name, selector={PROVISIONER: "default"}, age=age)


def refused(pod: PodObject, said: str, *, last: str = "2m") -> Event:
    about = InvolvedObject("Pod", pod.metadata.namespace, pod.metadata.name, pod.metadata.uid)
    return an_event("FailedScheduling", said, about=about, first="40m", last=last)


def with_reason(reason: str, *, age: str = "50m", scheduler: str = "default-scheduler") -> PodObject:
    """A pod of which its scheduler says that; nothing at all if empty."""
    pod = a_pod("app", age=age, scheduler=scheduler)
    conditions = (Condition("PodScheduled", "False", reason, "", ago(age)),) if reason else ()
    return replace(pod, status=replace(pod.status, conditions=conditions))


def preempting(*, age: str = "50m") -> PodObject:
    """A pod for which the scheduler means to make room on node n1."""
    pod = a_pod("app", age=age)
    return replace(pod, status=replace(pod.status, nominated_node_name="n1"))


def claiming_devices() -> PodObject:
    pod = a_pod("app")
    return replace(pod, spec=replace(pod.spec, resource_claims=(PodResourceClaim(),)))


def pinned(*, to: str = "n9") -> PodObject:
    """A bare pod whose affinity names a node."""
    pod = a_pod("app")
    term = NodeSelectorTerm((), (NodeSelectorRequirement("metadata.name", "In", (to,)),))
    return replace(pod, spec=replace(pod.spec, affinity=Affinity(NodeAffinity(NodeSelector((term,))))))


def test_a_pod_that_selects_by_a_label_of_the_old_karpenter_is_found() -> None:
    app = legacy()
    said = f"Failed to schedule pod, using label {PROVISIONER} is not allowed"

    assert found(a_nodepool(), app, refused(app, said)) == [
        Finding(
            object=APP,
            owner=APP,
            cause=f"label:{PROVISIONER}",
            message=f"Karpenter does not look at it: the label {PROVISIONER} is restricted: Karpenter keeps its domain for itself",
            impact=Impact(pods=1),
            evidence=(
                Evidence(APP, f"spec.nodeSelector[{PROVISIONER}]", "In default"),
                Evidence(event=EventEvidence("FailedScheduling", said, 1, ago("2m"))),
            ),
            occurrences=(Occurrence(APP, app.metadata.uid, reason=f"label:{PROVISIONER}", since=ago("50m")),),
            since=ago("50m"),
            fix=(
                Fix("fix", text=f"rename {PROVISIONER} to karpenter.sh/nodepool: Provisioners are gone since Karpenter 0.32"),
                VERIFY,
            ),
        )
    ]


@pytest.mark.parametrize(
    ("pod", "expected"),
    [
        pytest.param(
            a_pod("app", terms=[a_term("team Like a")]), [("expression:team", None, Confidence.CERTAIN)], id="a bad operator"
        ),
        pytest.param(pinned(), [("match-fields", None, Confidence.CERTAIN)], id="a node by name that is not there"),
        pytest.param(claiming_devices(), [("devices", None, Confidence.LIKELY)], id="devices"),
        pytest.param(with_reason("", scheduler="batch"), [("unseen", None, Confidence.LIKELY)], id="no scheduler answers"),
        pytest.param(preempting(), [("nominated", None, Confidence.LIKELY)], id="room on a node that is gone"),
        pytest.param(with_reason("SchedulingGated"), [("gated", Severity.INFO, Confidence.CERTAIN)], id="gated is meant so"),
        pytest.param(
            a_pod("app", terms=[a_term("karpenter.sh/nodepool DoesNotExist")]),
            [("opted-out:karpenter.sh/nodepool", Severity.INFO, Confidence.CERTAIN)],
            id="opted out is meant so",
        ),
    ],
)
def test_why_karpenter_does_not_look_is_the_cause(pod: PodObject, expected: Judged) -> None:
    assert judged(a_nodepool(), pod) == expected


def test_a_pod_that_no_scheduler_answers_names_the_scheduler() -> None:
    assert [finding.message for finding in found(a_nodepool(), with_reason("", scheduler="batch"))] == [
        "Karpenter does not look at it: batch has not called it Unschedulable"
    ]


@pytest.mark.parametrize(
    "pod",
    [
        pytest.param(with_reason("SchedulingGated", age="4m"), id="gated"),
        pytest.param(a_pod("app", terms=[a_term("karpenter.sh/nodepool DoesNotExist")], age="4m"), id="opted out"),
        pytest.param(preempting(age="4m"), id="nominated"),
    ],
)
def test_what_is_meant_so_or_may_pass_is_given_the_whole_time(pod: PodObject) -> None:
    assert found(a_nodepool(), pod) == []


def test_room_that_is_being_made_is_fine() -> None:
    assert found(a_node("n1"), a_pod("victim", on="n1", deleted="10s"), preempting()) == []


def test_room_that_nobody_makes_is_found() -> None:
    (finding,) = found(a_node("n1"), a_pod("other", on="n1"), preempting())

    assert (finding.confidence, finding.message, finding.fix[0]) == (
        Confidence.LIKELY,
        "Karpenter does not look at it: the scheduler means to make room for it on n1",
        Fix(
            "fix",
            "kubectl delete pod -n shop app",
            text="no scheduler takes the nomination back by itself",
            risk="a bare pod is not made again",
        ),
    )


def test_a_volume_is_found_by_karpenters_own_word() -> None:
    app = a_pod("app", claims=["data"])
    (finding,) = found(a_nodepool(), app, refused(app, PVC))

    assert (finding.cause, finding.why, finding.confidence, finding.evidence[-1].event) == (
        "volume",
        f'Karpenter says "{PVC}"',
        Confidence.LIKELY,
        EventEvidence("FailedScheduling", PVC, 1, ago("2m")),
    )


@pytest.mark.parametrize(
    "events",
    [
        pytest.param([], id="no event"),
        pytest.param([refused(a_pod("app"), PVC, last="16m")], id="old"),
        pytest.param(
            [refused(a_pod("app"), PVC, last="3m"), nominated(a_pod("app"), to="default-x", first="1m")], id="nominated since"
        ),
    ],
)
def test_a_volume_is_not_found_without_karpenters_fresh_word(events: Sequence[Event]) -> None:
    assert found(a_nodepool(), a_pod("app", claims=["data"]), *events) == []


def test_pods_of_one_owner_are_one_finding() -> None:
    web = a_deployment("web", replicas=2)
    pods = [a_pod(name, of=web, selector={PROVISIONER: "default"}, age=age) for name, age in (("web-1", "3m"), ("web-2", "9m"))]
    (finding,) = found(a_nodepool(), web, *pods)

    assert (finding.severity, finding.message.partition(":")[0], [entry.object.name for entry in finding.occurrences]) == (
        None,
        "Karpenter does not look at 2 of its pods",
        ["web-2", "web-1"],
    )


@pytest.mark.parametrize(("age", "expected"), [("29s", []), ("30s", [Severity.LOW]), ("4m59s", [Severity.LOW]), ("5m", [None])])
def test_a_wait_is_low_from_thirty_seconds_and_high_from_five_minutes(age: str, expected: list[Severity | None]) -> None:
    assert [finding.severity for finding in found(a_nodepool(), legacy(age=age))] == expected


def test_warn_after_sets_from_when_a_wait_counts() -> None:
    assert list(pod_ignored_by_karpenter(a_cluster(a_nodepool(), legacy()), warn_after=timedelta(hours=1))) == []


def test_fail_after_sets_from_when_a_wait_is_high() -> None:
    (finding,) = pod_ignored_by_karpenter(a_cluster(a_nodepool(), legacy()), fail_after=timedelta(hours=1))

    assert finding.severity is Severity.LOW


@pytest.mark.parametrize(
    ("node", "pod"),
    [
        pytest.param(a_node("n1", pool="", labels={PROVISIONER: "default"}), legacy(), id="a node of no NodePool"),
        pytest.param(a_node("n1"), a_pod("app", selector={"kubernetes.io/hostname": "n1"}), id="by its hostname"),
        pytest.param(a_node("n1"), pinned(to="n1"), id="by its name"),
    ],
)
def test_a_pod_that_a_node_admits_which_need_not_be_bought_is_low(node: Thing, pod: PodObject) -> None:
    (finding,) = found(a_nodepool("other"), node, pod)

    assert (finding.severity, finding.why) == (
        Severity.LOW,
        "Node n1 admits it, and Karpenter need not buy that: it may wait for a place there",
    )


def test_what_only_one_of_two_providers_refuses_is_looked_at() -> None:
    other = a_nodepool("other", node_class=NodeClassRef("KWOKNodeClass", "default", "karpenter.kwok.sh"))

    assert found(a_nodepool(), other, a_pod("app", selector={"karpenter.k8s.aws/mine": "a"})) == []


@pytest.mark.parametrize(
    "pod",
    [
        pytest.param(a_pod("app"), id="one that Karpenter looks at"),
        pytest.param(a_pod("app", selector={PROVISIONER: "default"}, deleted="1m"), id="being deleted"),
        pytest.param(a_pod("app", selector={PROVISIONER: "default"}, phase="Failed"), id="finished"),
        pytest.param(with_reason("", scheduler="fargate-scheduler"), id="Fargate's"),
        pytest.param(a_pod("app", of=a_daemonset("agent", selector={PROVISIONER: "default"})), id="a DaemonSet's"),
    ],
)
def test_pods_that_are_not_for_karpenter_are_not_found(pod: PodObject) -> None:
    assert found(a_nodepool(), pod) == []


def test_a_static_pod_is_not_found() -> None:
    pod = with_reason("")
    owned = replace(pod, metadata=replace(pod.metadata, owner_references=(OwnerReference("Node", "n1", "uid", "v1"),)))

    assert found(a_nodepool(), owned) == []


def test_a_cluster_without_nodepools_is_silent() -> None:
    assert found(legacy()) == []
