"""The clusters that the tests of dashboards and alerts share."""

from collections.abc import Iterator

import pytest

from tests.make_mixin import evaluated
from tests.mixin.fleet import Fleet, a_watched_fleet


@pytest.fixture(scope="session")
def alerts() -> dict[str, str]:
    """The expression of each alert."""
    groups = evaluated("mixin.prometheusAlerts")["groups"]
    return {rule["alert"]: rule["expr"] for group in groups for rule in group["rules"]}


@pytest.fixture(scope="session")
def fleet(tmp_path_factory: pytest.TempPathFactory, alerts: dict[str, str]) -> Iterator[Fleet]:
    """Two clusters in which everything has gone wrong, scanned, pushed and scraped."""
    with a_watched_fleet(tmp_path_factory.mktemp("fleet"), alerts["KarpenterCheckAbsent"]) as watched:
        yield watched
