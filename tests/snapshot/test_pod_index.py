"""One pass over the pods tells what a pass for each question would."""

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from karpenter_check.snapshot import Pod, Ref, Snapshot
from karpenter_check.snapshot.metadata import OwnerReference
from karpenter_check.snapshot.pod import PodShapes
from tests.build import NOON, a_pod

CONTROLLERS = (
    OwnerReference("ReplicaSet", "web-abc", "web-uid", "apps/v1", controller=True),
    OwnerReference("ReplicaSet", "web-def", "", "apps/v1", controller=True),
    OwnerReference("DaemonSet", "logs", "logs-uid", "apps/v1", controller=True),
    OwnerReference("DaemonSet", "fake", "fake-uid", "example.com/v1", controller=True),
    OwnerReference("Node", "n1", "n1-uid", "v1", controller=True),
)
NO_CONTROLLER = OwnerReference("ConfigMap", "settings", "settings-uid", "v1")


@st.composite
def some_pods(draw: st.DrawFn) -> tuple[Pod, ...]:
    shapes = PodShapes()
    pods = []
    for place in range(draw(st.integers(0, 12))):
        namespace = draw(st.sampled_from(["a", "b"]))
        pod = shapes.share(a_pod(f"p{place}", namespace=namespace, on=draw(st.sampled_from(["", "n1", "n2"]))))
        owners = draw(st.lists(st.sampled_from([NO_CONTROLLER, *CONTROLLERS]), max_size=2, unique=True))
        there = tuple(replace(owner, uid=f"{owner.uid}-{namespace}" if owner.uid else "") for owner in owners)
        pods.append(replace(pod, metadata=replace(pod.metadata, owner_references=there)))
    return tuple(pods)


def uids(pods: list[Pod] | tuple[Pod, ...]) -> list[str]:
    return sorted(pod.metadata.uid for pod in pods)


@given(some_pods())
def test_the_index_tells_what_each_pod_tells_of_itself(pods: tuple[Pod, ...]) -> None:
    cluster = Snapshot(NOON, pods=pods)
    on_node: dict[str, list[Pod]] = defaultdict(list)
    of_daemonset: dict[str, list[Pod]] = defaultdict(list)
    of_owner: dict[Ref, list[Pod]] = defaultdict(list)
    for pod in pods:
        of_owner[cluster.owner(pod)].append(pod)
        if pod.node_name:
            on_node[pod.node_name].append(pod)
        if pod.daemonset_uid:
            of_daemonset[pod.daemonset_uid].append(pod)

    assert cluster.pods_on_node == {name: tuple(found) for name, found in on_node.items()}
    assert cluster.unbound_pods == tuple(pod for pod in pods if not pod.node_name)
    assert cluster.pods_of_daemonset == {uid: tuple(found) for uid, found in of_daemonset.items()}
    assert {owner: uids(found) for owner, found in cluster.pods_of_owner.items()} == {
        owner: uids(found) for owner, found in of_owner.items()
    }


@given(some_pods())
def test_each_pod_with_a_controller_is_in_one_group_and_with_its_like(pods: tuple[Pod, ...]) -> None:
    groups = Snapshot(NOON, pods=pods).pods_of_controllers

    assert uids([pod for group in groups for pod in group.pods]) == uids([pod for pod in pods if pod.metadata.controller])
    assert all(pod.metadata.controller == group.controller for group in groups for pod in group.pods)
