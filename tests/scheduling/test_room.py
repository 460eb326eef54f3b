"""What a node has left, and who took the rest."""

from collections.abc import Iterable

import pytest

from karpenter_check.scheduling import room as room_module
from karpenter_check.scheduling.nomination import Reason, nominees, obstacle
from karpenter_check.scheduling.room import Room, room_on, taken_host_port
from karpenter_check.snapshot import Pod
from karpenter_check.snapshot.pod_object import Container, ContainerPort, PodObject, PodSpec
from karpenter_check.snapshot.quantity import Milli, total
from tests.build import a_cluster, a_node, a_pod, nominated


def test_room_is_what_the_pods_that_have_not_finished_leave() -> None:
    node = a_node("n1", cpu="4", memory="8Gi", pods="10")
    cluster = a_cluster(
        node,
        a_node("n2"),
        a_pod("running", on="n1", cpu="1", memory="1Gi"),
        a_pod("leaving", on="n1", cpu="500m", memory="", deleted="5s"),
        a_pod("finished", on="n1", cpu="2", phase="Succeeded"),
        a_pod("crashed", on="n1", cpu="2", phase="Failed"),
        a_pod("elsewhere", on="n2", cpu="2"),
    )
    gibibyte = 1024**3 * 1000

    assert room_on(cluster, node) == Room(
        allocatable={"cpu": 4000, "memory": 8 * gibibyte, "pods": 10_000},
        taken={"cpu": 1500, "memory": gibibyte, "pods": 2000},
    )
    assert room_on(cluster, node, without=[pod for pod in cluster.pods if pod.metadata.name == "running"]).taken == {
        "cpu": 500,
        "memory": 0,
        "pods": 1000,
    }


@pytest.mark.parametrize(
    ("requests", "short"),
    [
        ({"cpu": 1000}, {}),
        ({"cpu": 1001}, {"cpu": 1}),
        ({"cpu": 3000, "memory": 500}, {"cpu": 2000, "memory": 800}),
        ({"nvidia.com/gpu": 1000}, {"nvidia.com/gpu": 1000}),
        ({"nvidia.com/gpu": 0, "memory": 0}, {}),
    ],
)
def test_what_a_pod_asks_beyond_the_room_is_short(requests: dict[str, int], short: dict[str, int]) -> None:
    room = Room({"cpu": 4000, "memory": 1000, "pods": 10_000}, {"cpu": 3000, "memory": 1300, "pods": 3000})

    assert room.short_of(requests) == short


def test_a_pod_needs_a_slot_too() -> None:
    assert Room({"cpu": 4000, "pods": 3000}, {"pods": 3000}).short_of({"cpu": 1}) == {"pods": 1000}


def with_port(name: str, port: ContainerPort, *, on: str = "", phase: str = "") -> PodObject:
    pod = a_pod(name, on=on, phase=phase)
    return PodObject(pod.metadata, PodSpec(on, containers=(Container(ports=(port,)),)), pod.status)


@pytest.mark.parametrize(
    ("theirs", "mine", "collide"),
    [
        (ContainerPort(80), ContainerPort(80), True),
        (ContainerPort(80), ContainerPort(81), False),
        (ContainerPort(80), ContainerPort(80, protocol="UDP"), False),
        (ContainerPort(80, "10.0.0.1"), ContainerPort(80, "10.0.0.2"), False),
        (ContainerPort(80, "10.0.0.1"), ContainerPort(80, "10.0.0.1"), True),
        (ContainerPort(80, "10.0.0.1"), ContainerPort(80, "0.0.0.0"), True),  # noqa: S104  an address in a pod's spec
        (ContainerPort(80, "10.0.0.1"), ContainerPort(80), True),
        (ContainerPort(80, "::"), ContainerPort(80, "10.0.0.2"), True),
        (ContainerPort(0), ContainerPort(0), False),
    ],
)
def test_host_ports_collide(theirs: ContainerPort, mine: ContainerPort, collide: bool) -> None:  # noqa: FBT001  the expectation
    node = a_node("n1")
    cluster = a_cluster(node, with_port("holder", theirs, on="n1"), with_port("comer", mine))
    holder, comer = cluster.pods

    assert taken_host_port(cluster, comer, node) == (holder if collide else None)


def test_a_finished_pod_holds_no_host_port() -> None:
    node = a_node("n1")
    cluster = a_cluster(
        node, with_port("holder", ContainerPort(80), on="n1", phase="Failed"), with_port("comer", ContainerPort(80))
    )
    comer: Pod = cluster.pods[1]

    assert taken_host_port(cluster, comer, node) is None


def test_the_pods_of_a_node_are_summed_once_for_all_its_nominees(monkeypatch: pytest.MonkeyPatch) -> None:
    sums: list[int] = []

    def counted(parts: Iterable[Milli]) -> dict[str, int]:
        listed = list(parts)
        sums.append(len(listed))
        return total(listed)

    monkeypatch.setattr(room_module, "total", counted)
    waiting = [a_pod(f"waiting-{place}", cpu="8") for place in range(10)]
    bound = [a_pod(f"bound-{place}", on="n1") for place in range(5)]
    cluster = a_cluster(
        a_node("n1"), *waiting, *bound, *(nominated(pod, to="default-n1", node="n1", first="5m") for pod in waiting)
    )

    assert [obstacle(cluster, nominee).reason for nominee in nominees(cluster).values()] == [Reason.NO_ROOM] * 10
    assert [size for size in sums if size] == [5]
