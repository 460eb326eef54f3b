import pytest

from karpenter_check.snapshot import Ref, Snapshot
from karpenter_check.snapshot.metadata import Metadata, OwnerReference
from karpenter_check.snapshot.pod import PodShapes
from karpenter_check.snapshot.pod_object import PodObject
from karpenter_check.snapshot.workload import ReplicaSet
from tests.build import NOON, a_cluster, a_daemonset, a_deployment, a_node, a_pod, a_statefulset

WEB = a_deployment("web")


def owner_of_a_pod(kind: str, name: str, api_version: str, *, labels: dict[str, str] | None = None) -> Ref:
    """Whose a pod is of which nothing was read but the pod."""
    controlled_by = OwnerReference(kind, name, "uid", api_version, controller=True)
    pod = PodObject(Metadata("pod", "shop", labels=labels or {}, owner_references=(controlled_by,)))
    return Snapshot(NOON).owner(PodShapes().share(pod))


def test_a_deployments_pod_is_the_deployments() -> None:
    cluster = a_cluster(WEB, a_pod("web-1", of=WEB))

    assert cluster.owner(cluster.pods[0]) == Ref("Deployment", "web", "apps/v1", "shop")


@pytest.mark.parametrize(
    ("labels", "owner"),
    [
        ({"pod-template-hash": "6d4b"}, Ref("Deployment", "web", "apps/v1", "shop")),
        ({}, Ref("ReplicaSet", "web-6d4b", "apps/v1", "shop")),
        ({"pod-template-hash": "other"}, Ref("ReplicaSet", "web-6d4b", "apps/v1", "shop")),
    ],
)
def test_where_the_replicaset_was_not_read_the_template_hash_tells_the_deployment(labels: dict[str, str], owner: Ref) -> None:
    assert owner_of_a_pod("ReplicaSet", "web-6d4b", "apps/v1", labels=labels) == owner


def test_a_replicaset_that_nobody_controls_owns_its_pods() -> None:
    bare = ReplicaSet(Metadata("web-6d4b", "shop"))
    controlled_by = OwnerReference("ReplicaSet", "web-6d4b", "uid", "apps/v1", controller=True)
    pod = PodShapes().share(
        PodObject(Metadata("pod", "shop", labels={"pod-template-hash": "6d4b"}, owner_references=(controlled_by,)))
    )

    assert Snapshot(NOON, replicasets=(bare,)).owner(pod) == Ref("ReplicaSet", "web-6d4b", "apps/v1", "shop")


@pytest.mark.parametrize(
    ("job", "owner"),
    [
        ("backup-29395440", Ref("CronJob", "backup", "batch/v1", "shop")),
        ("nightly-backup-29395440", Ref("CronJob", "nightly-backup", "batch/v1", "shop")),
        ("backup", Ref("Job", "backup", "batch/v1", "shop")),
        ("backup-42", Ref("Job", "backup-42", "batch/v1", "shop")),
        ("backup-20261121", Ref("Job", "backup-20261121", "batch/v1", "shop")),
    ],
)
def test_a_jobs_pod_is_the_cronjobs_where_its_name_is_a_scheduled_time(job: str, owner: Ref) -> None:
    assert owner_of_a_pod("Job", job, "batch/v1") == owner


@pytest.mark.parametrize(
    ("kind", "name", "api_version", "owner"),
    [
        ("StatefulSet", "db", "apps/v1", Ref("StatefulSet", "db", "apps/v1", "shop")),
        ("DaemonSet", "logs", "apps/v1", Ref("DaemonSet", "logs", "apps/v1", "shop")),
        ("Node", "n1", "v1", Ref("Node", "n1", "v1")),
        ("Workflow", "build", "argoproj.io/v1alpha1", Ref("Workflow", "build", "argoproj.io/v1alpha1", "shop")),
    ],
)
def test_any_other_controller_owns_its_pods_itself(kind: str, name: str, api_version: str, owner: Ref) -> None:
    assert owner_of_a_pod(kind, name, api_version) == owner


def test_a_bare_pod_owns_itself() -> None:
    cluster = a_cluster(a_pod("bare"))

    assert cluster.owner(cluster.pods[0]) == Ref("Pod", "bare", "v1", "shop")


def test_an_owner_that_does_not_control_a_pod_is_not_its_owner() -> None:
    watched_by = OwnerReference("Workflow", "build", "uid", "argoproj.io/v1alpha1")
    pod = PodShapes().share(PodObject(Metadata("bare", "shop", owner_references=(watched_by,))))

    assert Snapshot(NOON).owner(pod) == Ref("Pod", "bare", "v1", "shop")


@pytest.mark.parametrize(
    ("pod", "owner"),
    [
        ("web-bcdfg-x4xnz", Ref("Deployment", "web", "apps/v1", "shop")),
        ("web-bcdfg-x4xn", None),
        ("web-bcdfg-xaxnz", None),
        ("web-other-x4xnz", None),
        ("web-bcdfg", None),
        ("db-0", None),
    ],
)
def test_the_name_of_a_pod_that_is_gone_tells_its_owner(pod: str, owner: Ref | None) -> None:
    assert a_cluster(WEB).owner_of_name("shop", pod) == owner


def test_a_name_in_another_namespace_tells_nothing() -> None:
    assert a_cluster(WEB).owner_of_name("data", "web-bcdfg-x4xnz") is None


def test_the_name_of_a_bare_replicasets_pod_tells_the_replicaset() -> None:
    bare = ReplicaSet(Metadata("web-6d4b", "shop"))

    assert Snapshot(NOON, replicasets=(bare,)).owner_of_name("shop", "web-6d4b-x4xnz") == Ref(
        "ReplicaSet", "web-6d4b", "apps/v1", "shop"
    )


def test_how_many_pods_an_owner_wants() -> None:
    cluster = a_cluster(a_deployment("web", replicas=0), a_statefulset("db", replicas=3), a_daemonset("logs"), a_node("n1"))

    assert [
        cluster.desired_replicas(owner)
        for owner in (
            Ref("Deployment", "web", "apps/v1", "shop"),
            Ref("StatefulSet", "db", "apps/v1", "data"),
            Ref("DaemonSet", "logs", "apps/v1", "kube-system"),
            Ref("ReplicaSet", "web-bcdfg", "apps/v1", "shop"),
            Ref("Deployment", "other", "apps/v1", "shop"),
        )
    ] == [0, 3, None, None, None]


def test_an_owner_wants_no_pods_whose_number_is_zero_or_that_has_none_and_tells_no_number() -> None:
    idle, busy, logs = a_deployment("web", replicas=0), a_deployment("api"), a_daemonset("logs")
    cluster = a_cluster(idle, busy, logs, a_node("n1"), a_pod("logs-1", on="n1", of=logs))

    assert [
        cluster.wants_no_pods(owner)
        for owner in (
            Ref("Deployment", "web", "apps/v1", "shop"),
            Ref("Deployment", "api", "apps/v1", "shop"),
            Ref("DaemonSet", "logs", "apps/v1", "kube-system"),
            Ref("ReplicaSet", "bare", "apps/v1", "shop"),
        )
    ] == [True, False, False, True]
