import pytest

from karpenter_check.collect.events import field_selectors
from karpenter_check.snapshot import NodePool
from karpenter_check.snapshot.nodepool import NodeClassRef
from tests.build import a_nodepool

OF_OTHERS = ("reason=Preempted", "reason=FailedCreatePodSandBox")
KARPENTER, AUTO_MODE = "source=karpenter", "source=eks-auto-mode/compute"
OWN = a_nodepool("own")
OF_AUTO_MODE = a_nodepool("general-purpose", node_class=NodeClassRef("NodeClass", "default", "eks.amazonaws.com"))
PLAIN, WITH_AUTO_MODE = ("apps", "karpenter.k8s.aws"), ("apps", "karpenter.k8s.aws", "eks.amazonaws.com")


@pytest.mark.parametrize(
    ("nodepools", "groups", "reporters"),
    [
        ([OWN], PLAIN, [KARPENTER]),
        ([], PLAIN, [KARPENTER]),
        (None, PLAIN, [KARPENTER]),
        ([OF_AUTO_MODE], WITH_AUTO_MODE, [AUTO_MODE]),
        ([OWN, OF_AUTO_MODE], WITH_AUTO_MODE, [KARPENTER, AUTO_MODE]),
        (None, WITH_AUTO_MODE, [KARPENTER, AUTO_MODE]),
    ],
    ids=["Karpenter", "no NodePools", "NodePools unknown", "Auto Mode", "both", "Auto Mode, NodePools unknown"],
)
def test_events_are_those_of_karpenter_and_two_reasons(
    nodepools: list[NodePool] | None, groups: tuple[str, ...], reporters: list[str]
) -> None:
    assert field_selectors(nodepools, groups) == (*reporters, *OF_OTHERS)
