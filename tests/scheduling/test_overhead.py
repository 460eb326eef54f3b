"""What Karpenter keeps of a NodePool's next node for DaemonSets."""

from collections.abc import Iterator

import msgspec
import pytest

from karpenter_check.scheduling.labels import Provider
from karpenter_check.scheduling.overhead import Overhead, overheads
from karpenter_check.scheduling.refusal import Refusal
from karpenter_check.scheduling.requirements import Requirements
from karpenter_check.snapshot import DaemonSet, Ref, Version
from karpenter_check.snapshot.pod_object import ContainerPort, PodResourceClaim
from karpenter_check.snapshot.workload import DaemonSetSpec, PodTemplate
from tests.build import a_cluster, a_daemonset, a_node, a_nodepool, a_pod, a_pod_spec, a_term

MEBIBYTE = 1024**2 * 1000


def ref(name: str) -> Ref:
    return Ref("DaemonSet", name, "apps/v1", "kube-system")


def on_port(name: str, port: int, *, tolerates: str = "*") -> DaemonSet:
    spec = a_pod_spec(host_port=port, tolerations=[tolerates])
    return DaemonSet(a_daemonset(name).metadata, DaemonSetSpec(PodTemplate(spec)))


def test_each_nodepool_keeps_room_for_the_daemonsets_that_are_counted_there() -> None:
    cluster = a_cluster(
        a_nodepool("general"),
        a_nodepool("gpu", labels={"accelerated": "yes"}, taints=["gpu:NoSchedule"]),
        a_daemonset("logs", cpu="100m", memory="64Mi"),
        a_daemonset("drivers", cpu="1", memory="", selector={"accelerated": "yes"}),
        a_daemonset("plain", cpu="50m", memory="", tolerations=[]),
    )

    assert overheads(cluster) == {
        "general": Overhead((ref("logs"), ref("plain")), {"cpu": 150, "memory": 64 * MEBIBYTE, "pods": 2000}, ()),
        "gpu": Overhead((ref("logs"), ref("drivers")), {"cpu": 1100, "memory": 64 * MEBIBYTE, "pods": 2000}, ()),
    }


def test_without_daemonsets_nothing_is_kept() -> None:
    assert overheads(a_cluster(a_nodepool())) == {"default": Overhead((), {"pods": 0}, ())}


def test_without_nodepools_there_is_nothing_to_keep_it_of() -> None:
    assert overheads(a_cluster(a_daemonset())) == {}


def test_a_daemonset_without_requests_takes_its_slot_alone() -> None:
    cluster = a_cluster(a_nodepool(), a_daemonset("logs", cpu="", memory=""))

    assert overheads(cluster) == {"default": Overhead((ref("logs"),), {"pods": 1000}, ())}


def test_the_host_ports_of_counted_daemonsets_are_kept_with_who_holds_them() -> None:
    cluster = a_cluster(
        a_nodepool(taints=["gpu:NoSchedule"]), on_port("logs", 8080), on_port("metrics", 9100, tolerates="other:NoSchedule")
    )

    assert overheads(cluster)["default"].host_ports == ((ContainerPort(8080), ref("logs")),)


def test_two_daemonsets_of_one_name_in_two_namespaces_are_both_kept() -> None:
    cluster = a_cluster(a_nodepool(), a_daemonset("logs", namespace="a"), a_daemonset("logs", namespace="b"))

    assert overheads(cluster)["default"].daemonsets == (
        Ref("DaemonSet", "logs", "apps/v1", "a"),
        Ref("DaemonSet", "logs", "apps/v1", "b"),
    )


@pytest.mark.parametrize(("version", "counted"), [(Version(1, 1), ()), (Version(1, 2), (ref("logs"),)), (None, (ref("logs"),))])
def test_the_version_tells_which_terms_are_tried(version: Version | None, counted: tuple[Ref, ...]) -> None:
    logs = a_daemonset("logs", terms=[a_term("team In z"), a_term("kubernetes.io/arch In amd64")])

    assert overheads(a_cluster(a_nodepool(), logs, version=version))["default"].daemonsets == counted


def test_a_daemonset_that_claims_devices_is_left_out() -> None:
    spec = a_pod_spec(tolerations=["*"])
    claiming = msgspec.structs.replace(spec, resource_claims=(PodResourceClaim("gpu"),))
    cluster = a_cluster(
        a_nodepool(), DaemonSet(a_daemonset("drivers").metadata, DaemonSetSpec(PodTemplate(claiming))), version=Version(1, 13)
    )

    assert overheads(cluster) == {"default": Overhead((), {"pods": 0}, ())}


def test_from_the_newest_pod_on_what_it_asks_is_kept() -> None:
    logs, enlarged = a_daemonset("logs", cpu="100m", memory=""), a_daemonset("logs", cpu="400m", memory="")
    cluster = a_cluster(logs, a_node("n1"), a_pod("logs-1", on="n1", of=enlarged))

    assert overheads(cluster)["default"].requests == {"cpu": 400, "pods": 1000}


def test_each_daemonset_is_put_to_each_nodepool_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = 0
    answer = Requirements.refusals

    def counting(template: Requirements, pod: Requirements, provider: Provider | None) -> Iterator[Refusal]:
        nonlocal asked
        asked += 1
        return answer(template, pod, provider)

    monkeypatch.setattr(Requirements, "refusals", counting)
    cluster = a_cluster(
        *(a_nodepool(f"pool-{number}", labels={"team": str(number)}) for number in range(50)),
        *(a_daemonset(f"logs-{number}", terms=[a_term(f"team NotIn {number}")]) for number in range(200)),
    )

    assert {name: len(kept.daemonsets) for name, kept in overheads(cluster).items()} == {
        f"pool-{number}": 199 for number in range(50)
    }
    assert overheads(cluster) is overheads(cluster)
    assert 0 < asked <= 200 * 50
