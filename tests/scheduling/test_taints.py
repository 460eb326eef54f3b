import pytest

from karpenter_check.scheduling.refusal import UntoleratedTaint
from karpenter_check.scheduling.taints import tolerates, untolerated
from karpenter_check.snapshot.pod_object import Toleration
from tests.build import EVERYTHING, a_taint

GPU = "gpu=true:NoSchedule"


@pytest.mark.parametrize(
    ("toleration", "taint", "covered"),
    [
        (EVERYTHING, GPU, True),
        (Toleration(operator="Exists", effect="NoSchedule"), GPU, True),
        (Toleration(operator="Exists", effect="NoExecute"), GPU, False),
        (Toleration("gpu", "Exists"), GPU, True),
        (Toleration("gpu", "Exists", effect="NoSchedule"), GPU, True),
        (Toleration("gpu", "Exists", effect="NoExecute"), GPU, False),
        (Toleration("cpu", "Exists"), GPU, False),
        (Toleration("gpu", "Exists", value="ignored"), GPU, True),
        (Toleration("gpu", "Equal", "true"), GPU, True),
        (Toleration("gpu", "", "true"), GPU, True),
        (Toleration("gpu", "Equal", "false"), GPU, False),
        (Toleration("gpu"), GPU, False),
        (Toleration("gpu"), "gpu:NoSchedule", True),
        (Toleration("", "Equal", "true"), GPU, True),
        (Toleration("load", "Lt", "10"), "load=9:NoSchedule", True),
        (Toleration("load", "Lt", "10"), "load=10:NoSchedule", False),
        (Toleration("load", "Gt", "10"), "load=11:NoSchedule", True),
        (Toleration("load", "Gt", "10"), "load=10:NoSchedule", False),
        (Toleration("load", "Gt", "-5"), "load=-4:NoSchedule", True),
        (Toleration("load", "Gt", "5"), "load=06:NoSchedule", False),
        (Toleration("load", "Gt", "5"), "load=high:NoSchedule", False),
        (Toleration("gpu", "Sometimes", "true"), GPU, False),
    ],
)
def test_a_toleration_covers_a_taint(toleration: Toleration, taint: str, covered: bool) -> None:  # noqa: FBT001  the expectation
    assert tolerates(toleration, a_taint(taint)) is covered


def test_every_taint_needs_some_toleration_whatever_its_effect() -> None:
    taints = [a_taint(text) for text in ("a:NoSchedule", "b:PreferNoSchedule", "c:NoExecute", "d=1:NoSchedule")]
    tolerations = [Toleration("c", "Exists"), Toleration("a", "Exists")]

    assert list(untolerated(taints, tolerations)) == [
        UntoleratedTaint(a_taint("b:PreferNoSchedule")),
        UntoleratedTaint(a_taint("d=1:NoSchedule")),
    ]
    assert list(untolerated(taints, [EVERYTHING])) == []


def test_a_number_of_any_length_is_compared_or_is_none() -> None:
    assert not tolerates(Toleration("a", "Gt", "1" + "0" * 4301), a_taint("a=1:NoSchedule"))
