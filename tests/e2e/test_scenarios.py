"""Every scenario: what is expected is found, and nothing else is."""

from collections.abc import Mapping
from concurrent.futures import Future

import pytest

from tests.e2e.cluster import Cluster
from tests.e2e.outcome import Outcome
from tests.e2e.scans import Scans
from tests.e2e.scenario import SCENARIOS, Scenario


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_a_scenario_is_told_as_it_is(scenario: Scenario, outcomes: Mapping[str, "Future[Outcome]"], cluster: Cluster) -> None:
    if not scenario.holds_for(cluster.karpenter):
        pytest.skip(f"Karpenter {cluster.karpenter} does not show it")

    outcome = outcomes[scenario.name].result()

    assert (outcome.missed, outcome.false) == ((), ()), "\n".join([str(outcome), cluster.evidence(scenario.name)])


def test_every_scan_saw_everything(scans: Scans) -> None:
    assert scans.incomplete == []
