import pytest

from karpenter_check.scheduling.claim_name import nodepool_of_claim
from tests.build import a_cluster, a_nodeclaim, a_nodepool


def test_a_nodeclaim_that_is_there_says_it_itself() -> None:
    assert nodepool_of_claim(a_cluster(a_nodeclaim("odd", node="", pool="web")), "odd") == "web"


@pytest.mark.parametrize(
    ("name", "nodepool"),
    [("web-x7k2p", "web"), ("web-spot-x7k2p", "web-spot"), ("web", ""), ("web-toolong", ""), ("gone-x7k2p", "")],
)
def test_of_one_that_is_gone_the_name_tells(name: str, nodepool: str) -> None:
    assert nodepool_of_claim(a_cluster(a_nodepool("web"), a_nodepool("web-spot")), name) == nodepool
