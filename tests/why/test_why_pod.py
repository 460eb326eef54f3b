"""Why does no NodePool take this pod?"""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from karpenter_check.collect.files import read_files
from karpenter_check.finding import Fix
from karpenter_check.reports.why_pod import render_why_pod, render_why_pod_json
from karpenter_check.scheduling.verdict import Answer
from karpenter_check.snapshot import Kind, Ref, Snapshot, Status
from karpenter_check.why.pod import Conclusion, NodesAnswer, why_pod
from karpenter_check.why.subject import NotFound
from tests.build import (
    a_cluster,
    a_daemonset,
    a_deployment,
    a_node,
    a_nodeclaim,
    a_nodepool,
    a_pod,
    a_term,
    about,
    an_event,
    nominated,
)

FAULTS = Path(__file__).parent.parent / "recordings" / "faults"
TAKEN_AT = datetime(2026, 11, 21, 8, 17, 14, tzinfo=UTC)
NO, UNPROVEN, TAKES, IGNORED = Conclusion.NO_NODEPOOL_CAN, Conclusion.NOT_PROVEN, Conclusion.WOULD_TAKE, Conclusion.IGNORED


@pytest.fixture(scope="module")
def faults() -> Snapshot:
    return read_files([FAULTS], complete=False, at=TAKEN_AT, karpenter_version=None).snapshot


@pytest.mark.parametrize(
    ("name", "conclusion", "told"),
    [
        ("typo", NO, "no NodePool can take it: it needs workload-class In [web], which none declares"),
        ("windowsy", NO, "no NodePool can take it: it needs kubernetes.io/os In [windows], which none offers"),
        ("huge", NO, "✗ general     limited to 64 cpu, 900170m needed"),
        ("huge", NO, "no instance type has enough resources"),
        ("huge", NO, "that helps only if an instance type holds the pod, which is not proven"),
        ("wrongzone", UNPROVEN, "? general     not proven: no object shows that it can buy topology.kubernetes.io/zone In [us-west-2z]"),
        ("wrongzone", UNPROVEN, "no instance type met the scheduling requirements or had a required offering"),
        ("legacy", IGNORED, "the label karpenter.sh/provisioner-name is restricted"),
        ("legacy", IGNORED, "select karpenter.sh/nodepool instead"),
        ("tiny-app", NO, "✗ tiny        limit reached: 430m of 2 cpu left, 1570m needed"),
        ("broken-app", NO, "✗ broken      not Ready: NodeClassReady=False"),
        ("guarded-app", TAKES, "NodeClaim guarded-49qgt was never initialized"),
        ("ghost-scheduled", TAKES, 'its schedulerName "batch-scheduler" answers nothing'),
        ("aws-node-binpacking-v2", IGNORED, "✗ general     leaves it out: declares no binpacking"),
    ],
)  # fmt: skip
def test_each_pending_pod_of_the_recording_is_explained(faults: Snapshot, name: str, conclusion: Conclusion, told: str) -> None:
    answer = why_pod(faults, name)

    assert answer.conclusion is conclusion
    assert told in render_why_pod(faults, answer, width=400, color=False)


PENDING = ["typo", "windowsy", "huge", "wrongzone", "legacy", "tiny-app", "broken-app", "guarded-app", "ghost-scheduled"]


@pytest.mark.parametrize("name", PENDING)
def test_thirteen_nodepools_fit_one_screen(faults: Snapshot, name: str) -> None:
    answer = why_pod(faults, name)
    lines = render_why_pod(faults, answer, width=120, color=False).splitlines()

    assert (len(answer.nodepools), len(lines) <= 24, max(map(len, lines)) <= 120) == (13, True, True)


def test_a_pod_that_one_nodepool_takes_is_never_promised_a_place() -> None:
    cluster = a_cluster(a_nodepool("web"), a_pod("web-1"))

    answer = why_pod(cluster, "web-1")

    assert (answer.conclusion, [str(verdict) for verdict in answer.nodepools]) == (
        UNPROVEN,
        ["not proven: no object shows that it can buy a node for 100m cpu, 128Mi memory"],
    )
    assert "will " not in render_why_pod(cluster, answer, width=160, color=False)


def test_the_answer_is_json_too() -> None:
    cluster = a_cluster(
        a_nodepool("web", taints=["team=a:NoSchedule"]),
        a_node("n1", pool="web", taints=["team=a:NoSchedule"]),
        pod := a_pod("web-1", age="10m", message="0/1 nodes are available: 1 node(s) had untolerated taint(s)."),
        an_event("FailedScheduling", "Failed to schedule pod, did not tolerate taint (taint=team=a:NoSchedule)", about=about(pod), first="1m"),
    )  # fmt: skip

    document = json.loads(render_why_pod_json(cluster, why_pod(cluster, "web-1"), "1.2.3"))

    assert document == {
        "schema": "karpenter-check/why-pod/v1",
        "run": {"takenAt": "2026-11-21T12:00:00Z", "cluster": "", "karpenterVersion": "", "kubernetesVersion": "", "version": "1.2.3"},
        "pod": {"kind": "Pod", "namespace": "shop", "name": "web-1"},
        "owner": {"apiVersion": "v1", "kind": "Pod", "namespace": "shop", "name": "web-1"},
        "node": None,
        "waitsSince": "2026-11-21T11:50:00Z",
        "asks": {"requests": {"cpu": "100m", "memory": "128Mi"}, "labels": []},
        "conclusion": "no NodePool can",
        "common": "it does not tolerate team=a:NoSchedule, which each has",
        "ignored": None,
        "nodePools": [
            {
                "name": "web",
                "answer": "refuses",
                "reasons": [{"cause": "taint:team", "text": "does not tolerate team=a:NoSchedule"}],
                "because": "",
                "certain": True,
            }
        ],
        "nodes": {"could": [], "cannot": {"taint": 1}, "onlyKarpenter": [], "unchecked": []},
        "nomination": "",
        "said": [
            {
                "by": "Karpenter",
                "reason": "FailedScheduling",
                "message": "Failed to schedule pod, did not tolerate taint (taint=team=a:NoSchedule)",
                "count": 1,
                "last": "2026-11-21T11:59:00Z",
            },
            {
                "by": "default-scheduler",
                "reason": "Unschedulable",
                "message": "0/1 nodes are available: 1 node(s) had untolerated taint(s).",
                "count": 1,
                "last": "2026-11-21T11:50:00Z",
            },
        ],
        "fix": [{"step": "fix", "text": "tolerate team=a:NoSchedule if the pod is meant for NodePool web"}],
        "unseen": [],
    }  # fmt: skip


def test_nodepools_answer_in_karpenters_order() -> None:
    cluster = a_cluster(a_nodepool("a"), a_nodepool("b", weight=10), a_nodepool("c"), a_pod("web-1"))

    assert [verdict.nodepool for verdict in why_pod(cluster, "web-1").nodepools] == ["b", "c", "a"]


def test_a_typo_is_named_with_what_is_probably_meant() -> None:
    cluster = a_cluster(a_nodepool("web", labels={"workload-class": "web"}), a_pod("web-1", selector={"workload-clas": "web"}))

    answer = why_pod(cluster, "web-1")

    assert answer.common == "it needs workload-clas In [web], which none declares (typo of workload-class?)"
    assert answer.fix == (Fix("fix", text="select workload-class, which is probably meant, instead of workload-clas"),)


def test_a_node_that_could_take_the_pod_is_named() -> None:
    cluster = a_cluster(a_node("n1"), a_node("n2", taints=["node.kubernetes.io/unschedulable:NoSchedule"]), a_pod("web-1"))

    assert why_pod(cluster, "web-1").nodes == NodesAnswer(("n1",), {"taint": 1}, (), ())


def test_a_node_that_only_karpenter_would_use_is_named_with_why_the_scheduler_does_not() -> None:
    cluster = a_cluster(
        a_nodepool("default", startup_taints=["cni:NoExecute"]),
        a_node("n1", taints=["node.kubernetes.io/not-ready:NoSchedule"], initialized=False),
        a_nodeclaim(node="n1", initialized=False),
        a_pod("web-1"),
    )

    answer = why_pod(cluster, "web-1")

    assert answer.nodes.only_karpenter == (("n1", "it does not tolerate node.kubernetes.io/not-ready:NoSchedule on node n1"),)


def test_what_was_not_seen_is_said() -> None:
    cluster = a_cluster(a_nodepool("web"), a_pod("web-1"), missing={Kind.EVENT: Status.FORBIDDEN})

    assert [text.partition(":")[0] for text in why_pod(cluster, "web-1").unseen] == ["Event"]


def test_a_pod_that_runs_is_not_asked_about_its_nodes() -> None:
    cluster = a_cluster(a_node("n1"), a_pod("web-1", on="n1"))

    answer = why_pod(cluster, "web-1")

    assert (answer.conclusion, answer.nodes, answer.fix) == (Conclusion.BOUND, NodesAnswer((), {}, (), ()), ())


def test_a_workload_stands_for_its_pod_that_waits_longest() -> None:
    web = a_deployment("web", replicas=3)
    cluster = a_cluster(
        a_node("n1"), web, a_pod("web-bcdfg-run", on="n1", of=web), a_pod("web-bcdfg-new", of=web, age="1m"), a_pod("web-bcdfg-old", of=web, age="9m")
    )  # fmt: skip

    answer = why_pod(cluster, "web")

    assert (answer.subject, answer.pod.metadata.name, answer.others) == (
        Ref("Deployment", "web", "apps/v1", "shop"),
        "web-bcdfg-old",
        1,
    )


@pytest.mark.parametrize("name", ["deploy/web", "Deployment/web", "rs/web-bcdfg", "pod/web-bcdfg-1", "web-bcdfg-1"])
def test_kinds_are_kubectls(name: str) -> None:
    web = a_deployment("web")

    assert why_pod(a_cluster(a_nodepool(), web, a_pod("web-bcdfg-1", of=web)), name).pod.metadata.name == "web-bcdfg-1"


@pytest.mark.parametrize(
    ("name", "namespace", "message"),
    [
        ("wev-1", None, "there is no pod or workload 'wev-1': did you mean web-1?"),
        ("web-1", "data", "there is no pod or workload 'web-1' in namespace 'data'"),
        ("twice", None, "'twice' may be pod/twice in shop, pod/twice in data: say which, with -n or KIND/NAME"),
        (
            "node/web-1",
            None,
            "'node' is no kind that has pods: one of CronJob, DaemonSet, Deployment, Job, Pod, ReplicaSet, StatefulSet",
        ),
        ("idle", None, "Deployment shop/idle has no pods now, and a pod is what NodePools answer to"),
    ],
)
def test_a_name_that_means_no_single_pod_is_refused(name: str, namespace: str | None, message: str) -> None:
    cluster = a_cluster(
        a_nodepool(), a_deployment("idle", replicas=0), a_pod("web-1"), a_pod("twice"), a_pod("twice", namespace="data")
    )

    with pytest.raises(NotFound) as refusal:
        why_pod(cluster, name, namespace)

    assert str(refusal.value) == message


def test_a_daemonset_is_told_who_counts_it() -> None:
    logs = a_daemonset("logs", tolerations=["team=a:NoSchedule"])
    cluster = a_cluster(
        a_nodepool("a", taints=["team=a:NoSchedule"]), a_nodepool("b", taints=["team=b:NoSchedule"]), a_node("n1", pool="a"), logs, a_pod("logs-1", of=logs, pinned_to="n1"),
    )  # fmt: skip

    answers = why_pod(cluster, "ds/logs").nodepools

    assert [(verdict.nodepool, verdict.answer) for verdict in answers] == [("b", Answer.REFUSES), ("a", Answer.TAKES)]


def test_terms_are_alternatives() -> None:
    cluster = a_cluster(a_nodepool("web", labels={"team": "b"}), a_pod("web-1", terms=[a_term("team In a"), a_term("team In b")]))

    assert (why_pod(cluster, "web-1").conclusion, why_pod(cluster, "web-1").asks) == (UNPROVEN, ("team In [a]", "team In [b]"))


def test_a_nomination_is_told_with_what_is_in_its_way() -> None:
    pod = a_pod("web-1")
    cluster = a_cluster(a_node("n1", cordoned=True), pod, nominated(pod, node="n1", first="5m"))

    assert why_pod(cluster, "web-1").nomination == (
        "Karpenter nominated it to NodeClaim default-n1 and node n1; node n1 is cordoned"
    )


def test_what_a_cluster_says_moves_no_cursor() -> None:
    cluster = a_cluster(a_nodepool("web", taints=["team=a:NoSchedule"]), a_pod("web-1", message="\x1b[2J\nall [bold]fine[/bold]"))

    text = render_why_pod(cluster, why_pod(cluster, "web-1"), width=400, color=False)

    assert (r"\x1b[2J\nall [bold]fine[/bold]" in text, "\x1b" in text) == (True, False)
