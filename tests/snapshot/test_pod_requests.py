"""What a pod asks of its node, what it holds of it, and what it asks of the pods beside it."""

import msgspec
import pytest

from karpenter_check.snapshot.metadata import Condition, Metadata
from karpenter_check.snapshot.pod import Pod, PodShapes
from karpenter_check.snapshot.pod_object import (
    Affinity,
    Container,
    ContainerStatus,
    PodAffinity,
    PodAffinityTerm,
    PodObject,
    PodResourceClaim,
    PodSpec,
    PodStatus,
    ResourceRequirements,
    TopologySpreadConstraint,
)
from karpenter_check.snapshot.pod_requests import effective_requests, resized

ZONE, HOSTNAME = "topology.kubernetes.io/zone", "kubernetes.io/hostname"


def asking(
    requests: dict[str, str] | None = None, *, limits: dict[str, str] | None = None, restarts: str = "", name: str = "main"
) -> Container:
    return Container(ResourceRequirements(dict(requests or {}), dict(limits or {})), restart_policy=restarts, name=name)


def sidecar(requests: dict[str, str], *, name: str = "proxy") -> Container:
    return asking(requests, restarts="Always", name=name)


def having(in_force: dict[str, str] | None, allocated: dict[str, str] | None = None, *, name: str = "main") -> ContainerStatus:
    """What the kubelet says of a container; without `in_force`, nothing."""
    resources = None if in_force is None else ResourceRequirements(dict(in_force))
    return ContainerStatus(name, resources, dict(allocated or {}))


def saying(*containers: ContainerStatus, init: tuple[ContainerStatus, ...] = (), resize: str = "") -> PodStatus:
    """A status with these containers; `resize` is the reason for which a resize is pending."""
    conditions = (Condition("PodResizePending", "True", resize),) if resize else ()
    return PodStatus(conditions=conditions, container_statuses=containers, init_container_statuses=init)


def shared(spec: PodSpec, status: PodStatus) -> Pod:
    return PodShapes().share(PodObject(Metadata("web"), spec, status))


MAIN = asking({"cpu": "1"})


@pytest.mark.parametrize(
    ("spec", "requests"),
    [
        (PodSpec(), {}),
        (PodSpec(containers=(asking({"cpu": "100m", "memory": "1Ki"}), asking({"cpu": "200m"}))), {"cpu": 300, "memory": 1_024_000}),
        (PodSpec(containers=(MAIN,), init_containers=(asking({"cpu": "3"}), asking({"cpu": "2"}))), {"cpu": 3000}),
        (PodSpec(containers=(asking({"cpu": "3"}),), init_containers=(asking({"cpu": "1"}),)), {"cpu": 3000}),
        (PodSpec(containers=(MAIN,), init_containers=(asking({"memory": "1"}),)), {"cpu": 1000, "memory": 1000}),
        (PodSpec(containers=(MAIN,), init_containers=(sidecar({"cpu": "500m"}),)), {"cpu": 1500}),
        (PodSpec(containers=(MAIN,), init_containers=(sidecar({"cpu": "500m"}), asking({"cpu": "2"}))), {"cpu": 2500}),
        (PodSpec(containers=(MAIN,), init_containers=(asking({"cpu": "2"}), sidecar({"cpu": "500m"}))), {"cpu": 2000}),
        (
            PodSpec(
                containers=(MAIN,),
                init_containers=(sidecar({"cpu": "500m"}), asking({"cpu": "1"}), sidecar({"cpu": "250m"}), asking({"cpu": "2"})),
            ),
            {"cpu": 2750},
        ),
        (PodSpec(containers=(MAIN,), init_containers=(asking({"cpu": "2"}),), overhead={"cpu": "250m"}), {"cpu": 2250}),
        (PodSpec(containers=(MAIN,), overhead={"memory": "1"}), {"cpu": 1000, "memory": 1000}),
    ],
    ids=[
        "nothing", "its containers together", "the largest init container", "or its containers, if they are larger",
        "resource by resource", "a sidecar beside its containers", "a sidecar beside the init containers after it",
        "and not beside those before it", "sidecars and init containers by turns", "the overhead above it all",
        "an overhead of something else",
    ],
)  # fmt: skip
def test_what_a_pod_asks_of_its_node(spec: PodSpec, requests: dict[str, int]) -> None:
    assert effective_requests(spec) == requests


@pytest.mark.parametrize(
    ("whole", "requests"),
    [
        ({"cpu": "5"}, {"cpu": 5000, "memory": 2000, "hugepages-2Mi": 4000, "nvidia.com/gpu": 1000}),
        ({"cpu": "100m"}, {"cpu": 100, "memory": 2000, "hugepages-2Mi": 4000, "nvidia.com/gpu": 1000}),
        ({"memory": "8", "hugepages-2Mi": "6"}, {"cpu": 1000, "memory": 8000, "hugepages-2Mi": 6000, "nvidia.com/gpu": 1000}),
        ({"nvidia.com/gpu": "3"}, {"cpu": 1000, "memory": 2000, "hugepages-2Mi": 4000, "nvidia.com/gpu": 1000}),
        ({"ephemeral-storage": "3"}, {"cpu": 1000, "memory": 2000, "hugepages-2Mi": 4000, "nvidia.com/gpu": 1000}),
        ({}, {"cpu": 1000, "memory": 2000, "hugepages-2Mi": 4000, "nvidia.com/gpu": 1000}),
    ],
    ids=["more cpu", "less cpu", "memory and huge pages", "no device", "no storage", "nothing"],
)
def test_what_it_asks_as_a_whole_stands_above_its_containers(whole: dict[str, str], requests: dict[str, int]) -> None:
    spec = PodSpec(
        containers=(asking({"cpu": "1", "memory": "2", "hugepages-2Mi": "4", "nvidia.com/gpu": "1"}),),
        resources=ResourceRequirements(dict(whole)),
    )

    assert effective_requests(spec) == requests


def test_the_overhead_comes_on_top_of_what_it_asks_as_a_whole() -> None:
    spec = PodSpec(containers=(MAIN,), overhead={"cpu": "250m"}, resources=ResourceRequirements({"cpu": "2"}))

    assert effective_requests(spec) == {"cpu": 2250}


def test_limits_stand_in_for_requests_that_are_missing_only() -> None:
    spec = PodSpec(
        containers=(asking({"cpu": "100m"}, limits={"cpu": "1", "memory": "2"}),),
        init_containers=(asking(limits={"cpu": "3"}),),
    )

    assert effective_requests(spec, limits_as_requests=True) == {"cpu": 3000, "memory": 2000}
    assert effective_requests(spec) == {"cpu": 100}


@pytest.mark.parametrize(
    ("status", "held"),
    [
        (saying(), 1000),
        (saying(having(None)), 1000),
        (saying(having(None, {"cpu": "3"})), 1000),
        (saying(having({"cpu": "1"}, {"cpu": "1"})), 1000),
        (saying(having({"cpu": "2"})), 2000),
        (saying(having({"cpu": "2"}, {"cpu": "3"})), 3000),
        (saying(having({"cpu": "3"}, {"cpu": "2"})), 3000),
        (saying(having({"cpu": "500m"}, {"cpu": "500m"})), 1000),
        (saying(having({"cpu": "500m"}, {"cpu": "500m"}), resize="Deferred"), 1000),
        (saying(having({"cpu": "500m"}, {"cpu": "500m"}), resize="Infeasible"), 500),
        (saying(having({"cpu": "500m"}, {"cpu": "750m"}), resize="Infeasible"), 750),
        (saying(having(None), resize="Infeasible"), 1000),
        (saying(having({"cpu": "9"}, name="another")), 1000),
    ],
    ids=[
        "no status", "the kubelet does not say", "nor what is in force", "as the spec asks", "more is in force", "more is granted",
        "more is in force than granted", "the spec asks for more", "which is put off", "which can never be",
        "which can never be, and something was granted", "which can never be, and the kubelet does not say", "of another container",
    ],
)  # fmt: skip
def test_what_a_pod_holds_while_it_is_resized(status: PodStatus, held: int) -> None:
    spec = PodSpec(containers=(MAIN,))

    assert effective_requests(spec, status=status) == {"cpu": held}
    assert shared(spec, status).held == {"cpu": held}


def test_each_container_holds_its_own_and_init_containers_only_what_they_ask() -> None:
    spec = PodSpec(
        containers=(asking({"cpu": "1"}, name="web"), asking({"cpu": "1"}, name="cache")),
        init_containers=(sidecar({"cpu": "100m"}), asking({"cpu": "500m"}, name="migrate")),
    )
    status = saying(
        having({"cpu": "2"}, name="web"),
        having({"cpu": "500m"}, name="cache"),
        init=(having({"cpu": "300m"}, name="proxy"), having({"cpu": "64"}, name="migrate")),
    )

    assert effective_requests(spec, status=status) == {"cpu": 2000 + 1000 + 300}
    assert effective_requests(spec) == {"cpu": 2100}


def test_resources_are_held_one_by_one() -> None:
    spec = PodSpec(containers=(asking({"cpu": "1", "memory": "4"}),))
    status = saying(having({"cpu": "2", "memory": "2"}, {"cpu": "1", "memory": "3"}))

    assert effective_requests(spec, status=status) == {"cpu": 2000, "memory": 4000}


@pytest.mark.parametrize(
    ("status", "is_resized"),
    [
        (saying(), False),
        (saying(having(None, {"cpu": "9"})), False),
        (saying(having({"cpu": "1"})), False),
        (saying(having({"cpu": "1"}, {"cpu": "1"})), False),
        (saying(having({"cpu": "2"})), True),
        (saying(having({"cpu": "1"}, {"cpu": "2"})), True),
        (saying(having({"cpu": "1", "memory": "1"})), True),
        (saying(having({})), True),
        (saying(init=(having({"cpu": "2"}, name="proxy"),)), True),
        (saying(init=(having({"cpu": "500m"}, name="proxy"),)), False),
    ],
)
def test_a_pod_is_resized_where_a_container_holds_something_else(status: PodStatus, is_resized: bool) -> None:  # noqa: FBT001  the expectation
    spec = PodSpec(containers=(MAIN,), init_containers=(sidecar({"cpu": "500m"}),))

    assert resized(spec, status) is is_resized


def test_pods_of_one_shape_share_it_whatever_they_hold() -> None:
    shapes, spec = PodShapes(), PodSpec(containers=(MAIN,))
    at_rest, enlarged, shrinking = (
        shapes.share(PodObject(Metadata(name), spec, status))
        for name, status in (
            ("at-rest", saying(having({"cpu": "1"}))),
            ("enlarged", saying(having({"cpu": "3"}))),
            ("shrinking", saying(having({"cpu": "2"}, {"cpu": "1"}))),
        )
    )

    assert at_rest.shape is enlarged.shape is shrinking.shape
    assert at_rest.shape.requests == {"cpu": 1000}
    assert [pod.held for pod in (at_rest, enlarged, shrinking)] == [{"cpu": 1000}, {"cpu": 3000}, {"cpu": 2000}]


def test_what_it_asks_as_a_whole_makes_a_shape() -> None:
    shapes, spec = PodShapes(), PodSpec(containers=(MAIN,))
    whole = msgspec.structs.replace(spec, resources=ResourceRequirements({"cpu": "2"}))

    assert [shapes.shape(entry)[0].requests for entry in (spec, whole)] == [{"cpu": 1000}, {"cpu": 2000}]


def to_pods(*keys: str) -> PodAffinity:
    return PodAffinity(tuple(PodAffinityTerm(key) for key in keys))


@pytest.mark.parametrize(
    ("spec", "neighbours"),
    [
        (PodSpec(), ()),
        (
            PodSpec(topology_spread_constraints=(TopologySpreadConstraint(ZONE, "DoNotSchedule"),)),
            (f"topology spread over {ZONE}",),
        ),
        (PodSpec(topology_spread_constraints=(TopologySpreadConstraint(ZONE, "ScheduleAnyway"),)), ()),
        (
            PodSpec(
                topology_spread_constraints=(
                    TopologySpreadConstraint(ZONE, "DoNotSchedule"),
                    TopologySpreadConstraint(HOSTNAME, "ScheduleAnyway"),
                    TopologySpreadConstraint(ZONE, "DoNotSchedule"),
                )
            ),
            (f"topology spread over {ZONE}",),
        ),
        (PodSpec(affinity=Affinity()), ()),
        (PodSpec(affinity=Affinity(pod_affinity=to_pods(ZONE))), (f"pod affinity over {ZONE}",)),
        (PodSpec(affinity=Affinity(pod_anti_affinity=to_pods(HOSTNAME))), (f"pod anti-affinity over {HOSTNAME}",)),
        (
            PodSpec(
                topology_spread_constraints=(TopologySpreadConstraint(ZONE, "DoNotSchedule"),),
                affinity=Affinity(pod_affinity=to_pods(ZONE, ZONE), pod_anti_affinity=to_pods(HOSTNAME, ZONE)),
            ),
            (
                f"topology spread over {ZONE}",
                f"pod affinity over {ZONE}",
                f"pod anti-affinity over {HOSTNAME}",
                f"pod anti-affinity over {ZONE}",
            ),
        ),
    ],
)
def test_what_a_pod_cannot_do_without_of_its_neighbours(spec: PodSpec, neighbours: tuple[str, ...]) -> None:
    assert PodShapes().shape(spec)[0].neighbours == neighbours


def test_preferred_affinity_to_other_pods_is_not_read() -> None:
    term = {"weight": 1, "podAffinityTerm": {"topologyKey": ZONE}}
    preferred = {"podAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [term]}}

    assert PodShapes().shape(msgspec.convert({"affinity": preferred}, PodSpec))[0].neighbours == ()


def test_pods_that_need_other_neighbours_have_shapes_of_their_own() -> None:
    shapes = PodShapes()
    zone, hostname = (PodSpec(affinity=Affinity(pod_anti_affinity=to_pods(key))) for key in (ZONE, HOSTNAME))

    assert shapes.shape(zone)[0] is not shapes.shape(hostname)[0]
    assert shapes.shape(zone)[0] is shapes.shape(zone)[0]


def test_whether_a_pod_claims_devices() -> None:
    shapes = PodShapes()
    plain, claiming = PodSpec(), PodSpec(resource_claims=(PodResourceClaim("gpu"),))

    assert [shapes.shape(spec)[0].claims_devices for spec in (plain, claiming)] == [False, True]


def test_an_amount_that_is_no_quantity_is_named_wherever_it_stands() -> None:
    with pytest.raises(ValueError, match=r"^cpu: 'much' is not a Kubernetes quantity$"):
        shared(PodSpec(containers=(MAIN,)), saying(having({"cpu": "much"})))
    with pytest.raises(ValueError, match=r"^cpu: 'much' is not a Kubernetes quantity$"):
        shared(PodSpec(resources=ResourceRequirements({"cpu": "much"})), PodStatus())
