"""Pods reduced as they stream by are the pods that decoding them wholly gives."""

import gzip
from copy import deepcopy
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from karpenter_check.snapshot import listed_pod
from karpenter_check.snapshot.listed_pod import ListedPod
from karpenter_check.snapshot.metadata import Condition, Metadata
from karpenter_check.snapshot.pod import Pod, PodShapes
from karpenter_check.snapshot.pod_object import Container, ContainerStatus, PodObject, PodSpec, PodStatus
from karpenter_check.snapshot.pod_reduction import PodReduction

_RECORDINGS = Path(__file__).parent.parent / "recordings"
_RECORDED: list[dict[str, Any]] = [
    pod
    for path in sorted(_RECORDINGS.glob("*/pods.json.gz"))
    for pod in msgspec.json.decode(gzip.decompress(path.read_bytes()))["items"]
]

_NO_SHAPE = PodShapes().shape(PodSpec())[0]


def as_plain(pod: Pod) -> tuple[Pod, Any]:
    """The pod with its shape as a value: shapes compare by identity."""
    return msgspec.structs.replace(pod, shape=_NO_SHAPE), msgspec.to_builtins(pod.shape)


def reduced(*pods: dict[str, Any], reduction: PodReduction | None = None) -> list[Pod]:
    way = reduction or PodReduction(PodShapes())
    return [way.pod(msgspec.json.decode(msgspec.json.encode(pod), type=ListedPod)) for pod in pods]


def decoded(*pods: dict[str, Any]) -> list[Pod]:
    shapes = PodShapes()
    return [shapes.share(msgspec.json.decode(msgspec.json.encode(pod), type=PodObject)) for pod in pods]


def a_pod(node: str = "n1", **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": f"pod-on-{node}", "namespace": "a"}, "spec": {"nodeName": node, **spec}}


def pinned(node: str, to: str) -> dict[str, Any]:
    """A pod as the DaemonSet controller makes it."""
    field = {"key": "metadata.name", "operator": "In", "values": [to]}
    required = {"nodeSelectorTerms": [{"matchFields": [field]}]}
    return a_pod(node, affinity={"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}})


def fields(of: type[msgspec.Struct]) -> set[str]:
    return {field.encode_name for field in msgspec.structs.fields(of)}


def test_a_listed_pod_has_the_fields_of_a_pod() -> None:
    pairs: list[tuple[type[msgspec.Struct], type[msgspec.Struct]]] = [
        (listed_pod.ListedMetadata, Metadata), (listed_pod.ListedSpec, PodSpec), (listed_pod.ListedStatus, PodStatus),
        (listed_pod.ListedContainer, Container), (listed_pod.ListedContainerStatus, ContainerStatus),
        (listed_pod.ListedCondition, Condition), (ListedPod, PodObject),
    ]  # fmt: skip
    assert [fields(listed) for listed, _ in pairs] == [fields(whole) for _, whole in pairs]


def test_every_recorded_pod_is_reduced_to_what_decoding_it_gives() -> None:
    assert len(_RECORDED) > 200
    assert [as_plain(pod) for pod in reduced(*_RECORDED)] == [as_plain(pod) for pod in decoded(*_RECORDED)]


def test_pods_of_a_daemonset_share_a_shape_and_keep_their_pins() -> None:
    pods = reduced(pinned("n1", "n1"), pinned("n2", "n2"), pinned("n3", "n3"))
    assert [pod.pinned_to for pod in pods] == ["n1", "n2", "n3"]
    assert len({id(pod.shape) for pod in pods}) == 1


def test_a_pin_to_another_node_than_the_pods_own_is_kept() -> None:
    assert [pod.pinned_to for pod in reduced(pinned("n1", "n2"), pinned("n1", "n1"), pinned("", "n3"))] == ["n2", "n1", "n3"]


def test_pods_that_name_their_node_otherwise_keep_shapes_of_their_own() -> None:
    def by_hostname(node: str) -> dict[str, Any]:
        term = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}]}
        return a_pod(
            node, affinity={"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}}
        )

    def twice(node: str) -> dict[str, Any]:
        fields = [{"key": "metadata.name", "operator": "In", "values": [name]} for name in (node, "other")]
        terms = [{"matchFields": [field]} for field in fields]
        return a_pod(
            node, affinity={"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}
        )

    pods = [*map(by_hostname, ("n1", "n2")), *map(twice, ("n1", "n2"))]
    assert [as_plain(pod) for pod in reduced(*pods)] == [as_plain(pod) for pod in decoded(*pods)]
    assert len({id(pod.shape) for pod in reduced(*pods)}) == 4


def test_equal_labels_and_owners_are_one_object() -> None:
    metadata = {"labels": {"app": "web"}, "ownerReferences": [{"kind": "ReplicaSet", "name": "web-1"}]}
    first, second = reduced(*({"metadata": {**metadata, "name": name}} for name in ("web-1-a", "web-1-b")))
    assert first.metadata.labels is second.metadata.labels
    assert first.metadata.owner_references is second.metadata.owner_references


@pytest.mark.parametrize(
    "broken",
    [
        {"nodeSelector": {"a": 1}},
        {"nodeSelector": None},
        {"tolerations": {}},
        {"affinity": {"nodeAffinity": []}},
        {"overhead": [1]},
        {"containers": [{"resources": {"requests": {"cpu": "much"}}}]},
        {"containers": [{"ports": 8080}]},
    ],
    ids=lambda broken: str(next(iter(broken))),
)
def test_a_part_that_does_not_decode_is_not_taken(broken: dict[str, Any]) -> None:
    with pytest.raises((msgspec.MsgspecError, ValueError)):
        reduced(a_pod(**broken))


_AMOUNT = st.sampled_from(["100m", "1", "0.1", "128Mi", "1Gi", 1])
_RESOURCES = st.dictionaries(st.sampled_from(["cpu", "memory", "nvidia.com/gpu"]), _AMOUNT, max_size=2)
_REQUIREMENTS = st.fixed_dictionaries({}, optional={"requests": _RESOURCES, "limits": _RESOURCES})
_NAME = st.sampled_from(["app", "side"])
_CONTAINER = st.fixed_dictionaries(
    {"name": _NAME},
    optional={
        "resources": _REQUIREMENTS,
        "restartPolicy": st.just("Always"),
        "ports": st.just([{"hostPort": 80, "hostIP": "10.0.0.1", "name": "http"}]),
        "env": st.just([{"name": "A", "value": "B"}]),
    },
)
_STATUS = st.fixed_dictionaries({"name": _NAME}, optional={"resources": _REQUIREMENTS, "allocatedResources": _RESOURCES})
_TIME = st.sampled_from(["2026-11-21T08:00:00Z", "2026-11-21T08:00:01.5Z"])
_CONDITION = st.fixed_dictionaries(
    {"type": st.sampled_from(["Ready", "PodScheduled", "PodResizePending"]), "status": st.sampled_from(["True", "False"])},
    optional={
        "reason": st.sampled_from(["Unschedulable", "Infeasible"]),
        "message": st.text(max_size=5),
        "lastTransitionTime": _TIME,
    },
)
_FIELD = st.fixed_dictionaries(
    {"key": st.just("metadata.name"), "operator": st.just("In"), "values": st.lists(st.sampled_from("xy"))}
)
_TERM = st.fixed_dictionaries({}, optional={"matchFields": st.lists(_FIELD, max_size=2)})
_POD = st.fixed_dictionaries(
    {
        "metadata": st.fixed_dictionaries({"name": st.text("ab", min_size=1, max_size=3)}, optional={
            "namespace": st.sampled_from("xy"), "uid": st.text(max_size=3), "creationTimestamp": _TIME, "deletionTimestamp": _TIME,
            "labels": st.dictionaries(st.sampled_from("ab"), st.text(max_size=2)),
            "annotations": st.dictionaries(st.sampled_from(["karpenter.sh/do-not-disrupt", "other"]), st.sampled_from(["", "true"])),
            "ownerReferences": st.just([{"kind": "DaemonSet", "name": "d", "apiVersion": "apps/v1", "controller": True}]),
        }),
    },
    optional={
        "spec": st.fixed_dictionaries({}, optional={
            "nodeName": st.sampled_from("xy"), "schedulerName": st.just("other"), "priorityClassName": st.just("high"),
            "priority": st.integers(-5, 5), "nodeSelector": st.dictionaries(st.sampled_from("ab"), st.text(max_size=2)),
            "tolerations": st.just([{"operator": "Exists"}]), "containers": st.lists(_CONTAINER, max_size=2),
            "initContainers": st.lists(_CONTAINER, max_size=2), "overhead": _RESOURCES, "resources": _REQUIREMENTS,
            "resourceClaims": st.just([{"name": "gpu"}]),
            "volumes": st.just([{"name": "v"}, {"name": "w", "persistentVolumeClaim": {"claimName": "c"}}]),
            "affinity": st.fixed_dictionaries({}, optional={
                "nodeAffinity": st.fixed_dictionaries({
                    "requiredDuringSchedulingIgnoredDuringExecution": st.fixed_dictionaries({"nodeSelectorTerms": st.lists(_TERM)}),
                }),
                "podAntiAffinity": st.just({"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "zone"}]}),
            }),
            "topologySpreadConstraints": st.just([{"topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}]),
        }),
        "status": st.fixed_dictionaries({}, optional={
            "phase": st.sampled_from(["Running", "Failed"]), "nominatedNodeName": st.just("x"), "startTime": _TIME,
            "conditions": st.lists(_CONDITION, max_size=3),
            "containerStatuses": st.lists(_STATUS, max_size=2), "initContainerStatuses": st.lists(_STATUS, max_size=2),
        }),
    },
)  # fmt: skip


@given(st.lists(_POD, max_size=4))
@settings(suppress_health_check=[HealthCheck.too_slow])  # pods have many fields, and machines other work
def test_any_pods_are_reduced_to_what_decoding_them_gives(pods: list[dict[str, Any]]) -> None:
    assert [as_plain(pod) for pod in reduced(*pods)] == [as_plain(pod) for pod in decoded(*pods)]


def test_a_pod_that_is_resized_in_place_holds_what_decoding_it_gives() -> None:
    pod = next(deepcopy(pod) for pod in _RECORDED if pod["spec"].get("nodeName"))
    container = pod["spec"]["containers"][0]
    container["resources"] = {"requests": {"cpu": "100m"}}
    pod["status"]["containerStatuses"] = [
        {"name": container["name"], "resources": {"requests": {"cpu": "2"}}, "allocatedResources": {"cpu": "3"}}
    ]
    assert [entry.held["cpu"] for entry in reduced(pod)] == [entry.held["cpu"] for entry in decoded(pod)]
    assert reduced(pod)[0].held["cpu"] >= 3000


def test_a_pin_beside_another_one_is_not_taken_for_the_pods_own() -> None:
    def field(node: str) -> dict[str, Any]:
        return {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}

    affinity = {
        "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [field("n2")]},
        "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "preference": field("n1")}],
    }
    pod = a_pod("n1", affinity={"nodeAffinity": affinity})
    assert [as_plain(entry) for entry in reduced(pod)] == [as_plain(entry) for entry in decoded(pod)]


def test_a_resize_that_leaves_nothing_is_not_taken_for_none() -> None:
    pod = a_pod("n1", containers=[{"name": "main", "resources": {"requests": {"cpu": "1"}}}])
    pod["status"] = {
        "conditions": [{"type": "PodResizePending", "status": "True", "reason": "Infeasible"}],
        "containerStatuses": [{"name": "main", "resources": {}}],
    }
    assert [entry.held for entry in reduced(pod)] == [entry.held for entry in decoded(pod)] == [{}]
