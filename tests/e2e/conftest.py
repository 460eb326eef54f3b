"""The clusters that the tests share, and the scenarios at play in one of them."""

import os
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e import scenarios
from tests.e2e.binaries import CannotBuild, installed, karpenter_versions
from tests.e2e.cluster import Cluster
from tests.e2e.healthy import furnish
from tests.e2e.outcome import Outcome
from tests.e2e.playing import playing
from tests.e2e.scans import Scans
from tests.e2e.scenario import SCENARIOS
from tests.e2e.table import write_table

assert scenarios.__all__, "importing them is what defines them"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--karpenter", default="1.13", choices=karpenter_versions(), help="the version that the scenarios play on")
    parser.addoption("--write-table", action="store_true", help="write the outcomes into docs/testing.md")
    parser.addoption("--write-verdicts", action="store_true", help="write what the API server says into tests/manifests/")


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The cluster of the scenarios."""
    with _started(tmp_path_factory.mktemp("cluster"), request.config.getoption("--karpenter")) as started:
        yield started


@pytest.fixture(scope="session")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster with nothing wrong in it, of the newest Karpenter: its NodePools and DaemonSets, and no workloads yet."""
    with _started(tmp_path_factory.mktemp("healthy"), karpenter_versions()[-1]) as started:
        furnish(started.api)
        yield started


@pytest.fixture(scope="module")
def kept(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster of nodes that are kept, apart from the scenarios' because they stay."""
    with _started(tmp_path_factory.mktemp("kept"), request.config.getoption("--karpenter")) as started:
        yield started


@contextmanager
def _started(folder: Path, karpenter: str) -> Iterator[Cluster]:
    """A cluster; where it cannot be built, the test is skipped, but not in CI."""
    try:
        installed("kubectl")
        with Cluster(folder, karpenter) as cluster:
            yield cluster
    except CannotBuild as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def scans(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scans]:
    """What a scan says of it, every few seconds."""
    with Scans(cluster.kubeconfig, tmp_path_factory.mktemp("scans")) as running:
        yield running


@pytest.fixture(scope="session")
def outcomes(request: pytest.FixtureRequest, cluster: Cluster, scans: Scans) -> Iterator[Mapping[str, Future[Outcome]]]:
    """The selected scenarios by name, all of them begun."""
    played = [item for item in request.session.items if isinstance(item, pytest.Function) and "scenario" in item.fixturenames]
    chosen = [SCENARIOS[item.callspec.id] for item in played]
    with playing([entry for entry in chosen if entry.holds_for(cluster.karpenter)], cluster, scans) as begun:
        yield begun
    if request.config.getoption("--write-table"):
        write_table({name: future.result() for name, future in begun.items()})
