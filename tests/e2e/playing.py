"""Scenarios at play, all at once: most of their time is waiting."""

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from tests.e2e.cluster import Cluster
from tests.e2e.outcome import Outcome
from tests.e2e.scans import Scans
from tests.e2e.scenario import Scenario
from tests.e2e.stage import Stage


@contextmanager
def playing(chosen: Iterable[Scenario], cluster: Cluster, scans: Scans) -> Iterator[Mapping[str, "Future[Outcome]"]]:
    """The outcomes to come, by the scenarios' names. What still plays when the context ends is ended."""
    wanted = list(chosen)
    with ThreadPoolExecutor(max_workers=len(wanted) or 1) as threads:
        try:
            yield {entry.name: threads.submit(_play, entry, cluster, scans) for entry in wanted}
        finally:
            scans.end()


def _play(entry: Scenario, cluster: Cluster, scans: Scans) -> Outcome:
    return entry.play(Stage(entry.name, cluster, scans))
