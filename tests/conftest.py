"""What several tests share: the recordings as snapshots, and whole expected outputs in files."""

import signal
from collections.abc import Callable
from datetime import datetime
from functools import cache
from pathlib import Path

import pytest

from karpenter_check.collect import retry
from karpenter_check.collect.files import read_files
from karpenter_check.rules import every_rule
from karpenter_check.scan import Report, scan

RECORDINGS = Path(__file__).parent / "recordings"
WRITTEN = tuple(f"written/{folder.name}" for folder in sorted((RECORDINGS / "written").iterdir()))
"""The recordings that are written by hand: each a cluster of which a real one is hard to bring about."""
END_TO_END = Path(__file__).parent / "e2e"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write the golden files instead of comparing with them")


def pytest_configure() -> None:
    """Signals that whoever started the tests ignores, as nohup and background jobs do, would be ignored by all that they start."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number is signal.SIGINT else signal.SIG_DFL)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """The end-to-end tests start a cluster and take a quarter of an hour: they run where their folder is named."""
    asked = [Path(config.invocation_params.dir, argument.partition("::")[0]).resolve() for argument in config.args]
    named = any(path.is_relative_to(END_TO_END) for path in asked)
    return True if collection_path == END_TO_END and not named else None


@pytest.fixture(autouse=True)
def _no_long_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server on a bad day is asked again at once."""
    monkeypatch.setattr(retry, "FIRST_PAUSE", 0.001)


@cache
def _report(name: str) -> Report:
    folder = RECORDINGS / name
    read = read_files([folder], at=datetime.fromisoformat((folder / "taken-at").read_text().strip()))
    return scan(read.snapshot, every_rule())


@pytest.fixture
def recorded() -> Callable[[str], Report]:
    """The report of a recording, by its name."""
    return _report


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[Path, str], None]:
    """Compare a text with a file, whole; `--update-golden` writes the file."""

    def compare(file: Path, actual: str) -> None:
        if request.config.getoption("--update-golden"):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(actual, encoding="utf-8")
        expected = file.read_text(encoding="utf-8")

        assert actual == expected

    return compare
