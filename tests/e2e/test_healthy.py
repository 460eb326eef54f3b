"""A cluster as it should be: no scan finds anything, at any moment of a working day."""

import time
from pathlib import Path

from tests.e2e.cluster import Cluster
from tests.e2e.healthy import calm_down, have_a_rush, open_shop, roll_out
from tests.e2e.scans import Scans
from tests.e2e.stage import Stage

_WATCH = 180
"""For how many seconds at least it is looked at: past every threshold of two minutes."""


def test_a_healthy_cluster_has_nothing_to_say_at_any_moment(healthy: Cluster, tmp_path: Path) -> None:
    deadline = time.monotonic() + _WATCH
    with Scans(healthy.kubeconfig, tmp_path, pause=1) as scans:
        shop = Stage("shop", healthy, scans)
        for doing in (open_shop, have_a_rush, roll_out, calm_down):
            doing(shop)
        time.sleep(max(0, deadline - time.monotonic()))

    assert (scans.incomplete, {str(one) for report in scans.reports for one in report}) == ([], set())
    assert len(scans.reports) >= 30
