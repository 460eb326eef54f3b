"""A real Prometheus on a free port of the loopback, which scrapes what it is told to."""

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any, TypeAlias
from urllib.error import URLError
from urllib.parse import urlencode, urlsplit
from urllib.request import urlopen

import msgspec

from tests.metrics.pushgateway import a_free_port
from tests.programs import installed

INTERVAL = 0.25
"""Seconds between scrapes."""
Labels: TypeAlias = tuple[tuple[str, str], ...]
Vector: TypeAlias = dict[Labels, float]
Matrix: TypeAlias = dict[Labels, list[tuple[float, float]]]


def _labels(entry: Mapping[str, Any]) -> Labels:
    return tuple(sorted((name, value) for name, value in entry["metric"].items() if name not in {"__name__", "job", "instance"}))


@dataclass(frozen=True)
class Prometheus:
    """A Prometheus that runs."""

    url: str

    def query(self, expression: str) -> Vector:
        """The instant vector, by labels without the name of the metric, the job and the scraped instance."""
        return {_labels(entry): float(entry["value"][1]) for entry in self._ask("query", query=expression)}

    def now(self) -> float:
        """Its own clock, in seconds since the epoch."""
        return self.query("vector(time())")[()]

    def over(self, expression: str, start: float, end: float, step: float) -> Matrix:
        """What the expression was between two moments (seconds since the epoch), every `step` seconds: moments and values."""
        found = self._ask("query_range", query=expression, start=start, end=end, step=step)
        return {_labels(entry): [(float(at), float(value)) for at, value in entry["values"]] for entry in found}

    def _ask(self, what: str, **parameters: object) -> list[dict[str, Any]]:
        with urlopen(f"{self.url}/api/v1/{what}?{urlencode(parameters)}", timeout=5) as answer:
            found: list[dict[str, Any]] = msgspec.json.decode(answer.read())["data"]["result"]
        return found

    def has_seen(self, expression: str, *, times: int = 3) -> None:
        """Wait until the expression has held in so many scrapes that a rate can see it."""
        deadline = monotonic() + 30
        seen = 0
        while seen < times:
            seen = seen + 1 if self.query(expression) else 0
            assert monotonic() < deadline, f"Prometheus does not see {expression}"
            sleep(INTERVAL)


@contextmanager
def a_prometheus(folder: Path, targets: Mapping[str, str]) -> Iterator[Prometheus]:
    """A Prometheus that scrapes these addresses by job, with `honor_labels`, until the block ends."""
    program = installed("prometheus")
    jobs = [
        {"job_name": job, "honor_labels": True, "static_configs": [{"targets": [urlsplit(url).netloc]}]}
        for job, url in targets.items()
    ]
    config = folder / "prometheus.yml"
    config.write_bytes(msgspec.json.encode({"global": {"scrape_interval": f"{int(INTERVAL * 1000)}ms"}, "scrape_configs": jobs}))
    url = f"http://127.0.0.1:{a_free_port()}"
    arguments = (f"--config.file={config}", f"--storage.tsdb.path={folder}/tsdb", f"--web.listen-address={urlsplit(url).netloc}")
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen([program, *arguments], stdout=log, stderr=log)
        try:
            deadline = monotonic() + 60
            while True:
                try:
                    with urlopen(f"{url}/-/ready", timeout=5):
                        break
                except (URLError, ConnectionError):
                    assert process.poll() is None, (folder / "prometheus.log").read_text()
                    assert monotonic() < deadline, "Prometheus does not come up"
                    sleep(0.05)
            yield Prometheus(url)
        finally:
            process.terminate()
            process.wait()
