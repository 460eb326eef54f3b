"""Nodes that are alike are asked together, and answer as each alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from karpenter_check.scheduling.existing import ExistingNode, existing_nodes, refusals_of_existing, unwelcome
from karpenter_check.scheduling.placement import fits_a_node
from karpenter_check.scheduling.refusal import Refusal
from karpenter_check.snapshot.pod import PodShape
from karpenter_check.snapshot.pod_object import PodObject
from tests.build import Thing, a_cluster, a_daemonset, a_node, a_pod, a_term


@st.composite
def things(draw: st.DrawFn) -> tuple[Thing, ...]:
    """A few nodes with a pod on some, and a few pods that wait."""
    teams, sizes = st.sampled_from(["a", "b"]), st.sampled_from(["0", "500m", "1", "2"])
    made: list[Thing] = [a_daemonset("logs", cpu="500m")]
    for place in range(draw(st.integers(1, 4))):
        taints = draw(st.sampled_from([(), ("team=a:NoSchedule",)]))
        made.append(a_node(f"n{place}", labels={"team": draw(teams)}, taints=taints, cpu=draw(st.sampled_from(["1", "2"]))))
        if draw(st.booleans()):
            made.append(a_pod(f"p{place}", on=f"n{place}", cpu=draw(sizes)))
    return (*made, *(draw(waiting(f"w{place}")) for place in range(draw(st.integers(1, 3)))))


@st.composite
def waiting(draw: st.DrawFn, name: str) -> PodObject:
    terms = draw(
        st.sampled_from([(), ("team In a",), ("team In c", "team In b"), ("kubernetes.io/hostname In n1",), ("zone Exists",)])
    )
    return a_pod(
        name,
        cpu=draw(st.sampled_from(["0", "500m", "1", "2"])),
        terms=[a_term(text) for text in terms],
        tolerations=draw(st.sampled_from([(), ("team:NoSchedule",)])),
    )


@given(things())
def test_a_pod_fits_where_some_node_has_nothing_against_it(made: tuple[Thing, ...]) -> None:
    cluster = a_cluster(*made)

    assert [fits_a_node(cluster, pod) for pod in cluster.unbound_pods] == [
        any(not refusals_of_existing(pod.shape, node) for node in existing_nodes(cluster)) for pod in cluster.unbound_pods
    ]


def test_nodes_that_are_alike_are_asked_once_for_their_labels_and_taints(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = a_cluster(
        *(a_node(f"n{place}", labels={"team": "ab"[place % 2]}) for place in range(20)), a_pod("web", selector={"team": "c"})
    )
    asked: list[str] = []

    def told_of(shape: PodShape, node: ExistingNode) -> tuple[Refusal, ...]:
        asked.append(node.labels["team"])
        return unwelcome(shape, node)

    monkeypatch.setattr("karpenter_check.scheduling.placement.unwelcome", told_of)

    assert not fits_a_node(cluster, cluster.unbound_pods[0])
    assert sorted(asked) == ["a", "b"]
