"""Runs that took turns, in the words of a table."""

import os
import platform
import re
from pathlib import Path
from statistics import median

from tests.benchmarks.measure import Run


def machine() -> str:
    """What this runs on, and how busy it was just before."""
    information = Path("/proc/cpuinfo")
    models = re.findall(r"^model name\s*: (.*)$", information.read_text(), re.MULTILINE) if information.exists() else []
    model = models[0] if models else platform.machine()
    return f"{os.cpu_count()} x {model}, {platform.system()}, Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}"


def ratio(ours: list[Run], theirs: list[Run]) -> float:
    """The median of the ratios of neighbours."""
    return median(mine.seconds / other.seconds for mine, other in zip(ours, theirs, strict=True))


def seconds(runs: list[Run]) -> str:
    """The median."""
    return f"{median(done.seconds for done in runs):.2f}"
