"""What a pod asks of labels, put to many nodes."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from karpenter_check.scheduling.asked import Asked
from karpenter_check.scheduling.existing import existing_nodes, refusals_of_existing
from karpenter_check.scheduling.labels import Provider
from karpenter_check.scheduling.pod import rounds
from karpenter_check.scheduling.requirement import Requirement
from karpenter_check.scheduling.requirements import Requirements
from karpenter_check.snapshot.pod import PodShape
from tests.build import a_cluster, a_node, a_pod, a_term

KEYS = st.sampled_from(["team", "zone", "cores"])
VALUES = st.sampled_from(["a", "b", "4", "8"])
ASKED = st.lists(
    st.builds(
        Requirement.of,
        KEYS,
        st.sampled_from(["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"]),
        st.lists(VALUES, min_size=1, max_size=2),
    ),
    max_size=3,
).map(Requirements.of)
LABELS = st.dictionaries(KEYS, VALUES)


@given(ASKED, st.lists(LABELS, max_size=4))
def test_each_node_is_told_what_karpenters_requirements_tell(asked: Requirements, nodes: list[dict[str, str]]) -> None:
    put = Asked(asked)

    assert [put.refusals(labels) for labels in nodes] == [
        tuple(Requirements.of(Requirement.of(key, "In", (value,)) for key, value in labels.items()).refusals(asked, None))
        for labels in nodes
    ]


def test_what_a_shape_asks_is_worked_out_once_for_all_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[PodShape] = []

    def told_of(shape: PodShape, provider: Provider) -> Iterator[tuple[Requirements, bool]]:
        asked.append(shape)
        return rounds(shape, provider)

    monkeypatch.setattr("karpenter_check.scheduling.existing.rounds", told_of)
    nodes = [a_node(f"n{place}", labels={"team": "a"}) for place in range(20)]
    cluster = a_cluster(*nodes, a_pod("web", terms=[a_term("team In b"), a_term("team In c")]))
    shape = cluster.pods[0].shape

    assert all(refusals_of_existing(shape, node) for node in existing_nodes(cluster))
    assert asked == [shape]
