"""How much detail metrics have, and how many series."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from karpenter_check.metrics.bounded import Detail, bounded
from karpenter_check.metrics.catalogue import (
    FINDINGS,
    MISMATCHES,
    NODE_EXPIRY,
    NODES_BLOCKED,
    NOMINATION_FAILURES,
    POOL_FAILURES,
    REAPING_DELAY,
    SERIES_DROPPED,
)
from karpenter_check.metrics.exposition import exposition
from karpenter_check.metrics.family import Distribution, Family, Metric
from karpenter_check.rules import every_rule
from karpenter_check.snapshot import Snapshot
from tests.build import Thing, a_cluster, a_deployment, a_node, a_nodeclaim, a_nodepool, a_pod, ago, nominated
from tests.metrics.history import History, Keeps, in_a_file, in_the_gateway

EMPTY = Distribution((0.0,) * 12, 0.0)
PODS = Family(NOMINATION_FAILURES, {(f"pod-{number}", "shop", "n1", "no_room"): 1.0 for number in range(60)})
MISMATCHED = Family(MISMATCHES, {("agent", "kube-system", f"n{number}", "default"): 1.0 for number in range(20)})
EXPIRIES = Family(NODE_EXPIRY, {(f"n{number}", "default"): 1.0 for number in range(20)})
DELAYS = Family(REAPING_DELAY, distributions={(f"n{number}", "default", "pdb"): EMPTY for number in range(3)})
BLOCKED = Family(NODES_BLOCKED, {("default", "pdb"): 1.0, ("default", "budget"): 0.0})
TOTALS = Family(POOL_FAILURES, {("default", "no_room"): 60.0})
EVERY = (PODS, MISMATCHED, EXPIRIES, DELAYS, BLOCKED, TOTALS)
SERIES = 60 + 20 + 20 + 3 * 14 + 2 + 1
SAYS = 5
"""Series that say what was left out: of pods, DaemonSets, expiries, delays and zeros."""


def sizes(families: Sequence[Family]) -> dict[Metric, int]:
    """How many series each metric has left."""
    return {family.metric: family.series for family in families if family.metric != SERIES_DROPPED}


def dropped(families: Sequence[Family]) -> float:
    (told,) = [family.samples for family in families if family.metric == SERIES_DROPPED]
    return sum(told.values())


def test_few_enough_series_stay_as_they_are() -> None:
    kept = bounded(EVERY, max_series=SERIES + SAYS)

    assert (kept[:-1], dropped(kept)) == (EVERY, 0)


@pytest.mark.parametrize(
    ("most", "left"),
    [
        (SERIES, (60, 20, 20, 28, 2, 1)),
        (104, (60, 20, 20, 0, 2, 1)),
        (103, (60, 20, 20, 0, 1, 1)),
        (60, (17, 20, 20, 0, 1, 1)),
        (30, (0, 7, 20, 0, 1, 1)),
        (10, (0, 0, 7, 0, 1, 1)),
        (1, (0, 0, 0, 0, 1, 1)),
    ],
)
def test_histograms_of_nodes_go_first_then_zeros_and_what_the_next_run_reads_back_last(most: int, left: tuple[int, ...]) -> None:
    kept = bounded(EVERY, max_series=most + SAYS - 1)

    assert tuple(sizes(kept).get(family.metric, 0) for family in EVERY) == left
    assert dropped(kept) == SERIES - sum(left)


def test_without_detail_no_object_has_a_series() -> None:
    kept = bounded(EVERY, detail=Detail.NODEPOOL)

    assert (sizes(kept), dropped(kept)) == ({NODES_BLOCKED: 2, POOL_FAILURES: 1}, 0)


RULES = [rule for rule in every_rule() if rule.slug in {"nominated-pod-failure", "node-ttl-death", "daemonset-nodepool-mismatch"}]


def a_hundred_waiting(run: int) -> Snapshot:
    """A hundred pods of their own in every run, which do not come to the node that they are nominated to."""
    web, things = a_deployment("web", replicas=100), list[Thing]()
    for number in range(100):
        pod = a_pod(f"web-{run}-{number}", of=web, age=f"{600 - 5 * run}m", cpu="100")
        things += [pod, nominated(pod, to="default-aaaaa", node="n1", first=f"{600 - 5 * run}m", last=f"{596 - 5 * run}m", times=2)]
    cluster = a_cluster(a_nodepool(), a_node("n1", age="30h"), a_nodeclaim("default-aaaaa", age="30h"), web, *things)
    return replace(cluster, taken_at=ago(f"{596 - 5 * run}m"))


@pytest.mark.parametrize("keeps", [in_a_file, in_the_gateway])
@pytest.mark.parametrize("detail", list(Detail))
def test_ten_thousand_pods_over_a_hundred_runs_stay_within_the_bound(keeps: Keeps, detail: Detail) -> None:
    history = History(keeps, RULES)
    history.run = replace(history.run, detail=detail, max_series=1000)
    most = 0
    for run in range(100):
        history.scan(a_hundred_waiting(run))
        most = max(most, sum(family.series for family in history.families))

    assert most <= 1000
    assert history.of(POOL_FAILURES) == {("default", "no_room"): 9900}, "the first hundred are where counting begins"
    assert (dropped(history.families) > 0) == (detail is Detail.OBJECT)
    assert ('pod="web-' in exposition(history.families)) == (detail is Detail.OBJECT)
    if detail is Detail.NODEPOOL:
        text = exposition(history.families)
        assert [name for name in ("web", "n1", "aaaaa", "shop") if name in text] == []
    assert history.every(FINDINGS)
