"""`python -m tests.benchmarks`: ratios of runs that took turns, as a table in Markdown."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import click

from tests.benchmarks.compared import machine, ratio, seconds
from tests.benchmarks.made import folder_for
from tests.benchmarks.measure import Broken, Run, curl, empty_program, help_of, scan, skip, typed_list
from tests.benchmarks.plan import WORKLOADS
from tests.benchmarks.served import Served

TYPED_PODS = 5_000
SHAPES_PODS = 15_000
BLOCKERS_PODS = 150_000
_LIMITS = {15_000: (6, 150), 150_000: (4, 300)}
"""By pods: how many times curl's time, and how many MiB, the scan may take."""


@click.command(help="Make clusters, scan them, and print how the scan compares.")
@click.option(
    "--pods", "sizes", multiple=True, type=int, default=(15_000, 150_000), show_default=True, help="Size of a cluster. Repeatable."
)
@click.option("--repeat", default=5, show_default=True, help="How often each pair runs; medians are printed.")
@click.option(
    "--only",
    multiple=True,
    type=click.Choice(["scan", "shapes", "blockers", "typed", "help"]),
    help="Leave the others out. Repeatable.",
)
@click.option(
    "--program",
    type=click.Path(path_type=Path),
    default=Path(sys.executable).with_name("karpenter-check"),
    help="Another karpenter-check.",
)
@click.option("--data", type=click.Path(path_type=Path), help="Where made clusters are kept. Default: the user's cache folder.")
def main(sizes: tuple[int, ...], repeat: int, only: tuple[str, ...], program: Path, data: Path | None) -> None:
    """Print rows as they come; nothing but the table goes to standard output."""
    data = data or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "karpenter-check-benchmarks"
    wanted = only or ("scan", "shapes", "blockers", "typed", "help")
    with TemporaryDirectory() as folder:
        bench = _Bench(program, data, Path(folder), repeat)
        parts = {
            "scan": lambda: bench.scans(sizes),
            "shapes": bench.shapes,
            "blockers": bench.blockers,
            "typed": bench.typed,
            "help": bench.help,
        }
        click.echo(f"{machine()}\n", err=True)
        click.echo("| measured | result | at most | seconds |\n|---|---|---|---|")
        try:
            for name in wanted:
                for row in parts[name]():
                    click.echo(f"| {' | '.join(row)} |")
        except Broken as broken:
            raise click.ClickException(str(broken)) from broken


class _Bench:
    def __init__(self, program: Path, data: Path, folder: Path, repeat: int) -> None:
        self._program, self._data, self._folder, self._repeat = program, data, folder, repeat

    def _made(self, pods: int, workloads: int = WORKLOADS) -> Path:
        """Made in another process: what ours once held would count as the peak of every process that it starts."""
        subprocess.run([sys.executable, "-m", "tests.benchmarks.made", str(self._data), str(pods), str(workloads)], check=True)
        return folder_for(self._data, pods, workloads)

    def scans(self, sizes: tuple[int, ...]) -> Iterator[tuple[str, ...]]:
        """The whole scan against curl, by size, and how it grows."""
        per_pod: list[float] = []
        for pods in sizes:
            scans, curls, skips, size = self._turns(pods)
            times, memory = _LIMITS.get(pods, (0, 0))
            took = f"{seconds(scans)} to {seconds(curls)}"
            yield (
                f"whole scan of {pods:,} pods ({size / 1e6:,.0f} MB), times curl",
                f"{ratio(scans, curls):.1f}",
                _limit(times),
                took,
            )
            parsed = f"the same, times parsing {pods:,} pods' pages and keeping nothing"
            yield parsed, f"{ratio(scans, skips):.1f}", "", f"{seconds(scans)} to {seconds(skips)}"
            yield f"its peak memory at {pods:,} pods, in MiB", f"{max(done.memory for done in scans):.0f}", _limit(memory), ""
            share = median(done.judging / done.seconds for done in scans)
            judging = median(done.judging for done in scans)
            yield f"its rules at {pods:,} pods, of the whole scan", f"{share:.1%}", "10%", f"{judging:.2f}"
            per_pod.append(median(done.seconds for done in scans) / pods)
        if len(sizes) > 1:
            growth = per_pod[-1] / per_pod[0]
            yield f"time a pod at {sizes[-1]:,} pods, times that at {sizes[0]:,}", f"{growth:.2f}", "linear: 1", ""

    def _turns(self, pods: int) -> tuple[list[Run], list[Run], list[Run], int]:
        """Scan, curl and parsing in turn, after one of each that is thrown away: it warms the page cache and says what is asked for."""
        made = self._made(pods)
        with Served(made) as served:
            scan(self._program, served, self._folder, pods)
            config = served.curl_config(self._folder, served.requests())
            _, size = curl(config, self._folder)
            skip(made, self._folder)
            curls, scans, skips = [], [], []
            for _ in range(self._repeat):
                curls.append(curl(config, self._folder)[0])
                scans.append(scan(self._program, served, self._folder, pods))
                skips.append(skip(made, self._folder))
        return scans, curls, skips, size

    def shapes(self) -> Iterator[tuple[str, ...]]:
        """What twice as many distinct pods cost the rules."""
        with Served(self._made(SHAPES_PODS)) as few, Served(self._made(SHAPES_PODS, 2 * WORKLOADS)) as many:
            runs = [
                (scan(self._program, few, self._folder, SHAPES_PODS), scan(self._program, many, self._folder, SHAPES_PODS))
                for _ in range(self._repeat)
            ]
        ratio = median(double.judging / max(single.judging, 0.01) for single, double in runs)
        took = f"{median(double.judging for _, double in runs):.2f} to {median(single.judging for single, _ in runs):.2f}"
        yield f"rules with {2 * WORKLOADS} workloads, times those with {WORKLOADS}", f"{ratio:.2f}", "linear: 2", took

    def blockers(self) -> Iterator[tuple[str, ...]]:
        """What it takes to find all that keeps each node, and that pods are not multiplied by PodDisruptionBudgets. In another process."""
        command = [sys.executable, "-m", "tests.benchmarks.blockers", str(BLOCKERS_PODS), str(self._repeat)]
        found: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        budgets = f"{found['budgets']:,} PodDisruptionBudgets"
        yield (
            f"blockers of all {found['nodes']:,} nodes with {found['pods']:,} pods and {budgets}, times going through the pods' labels",
            f"{found['times_labels']:.1f}",
            "",
            f"{found['seconds']:.2f} to {found['seconds_labels']:.2f}",
        )
        yield (
            f"selectors asked for that, times the {found['matches']:,} pairs of a pod and one that matches it",
            f"{found['asked'] / found['matches']:.2f}",
            "linear: 1",
            "",
        )
        took = f"{found['seconds']:.2f} to {found['seconds_half']:.2f}"
        yield f"blockers with {budgets}, times those with half of them", f"{found['times_half']:.2f}", "linear: 2", took

    def typed(self) -> Iterator[tuple[str, ...]]:
        """The official client's typed list of pods, against our scan of everything and against curl."""
        with Served(self._made(TYPED_PODS)) as served:
            scan(self._program, served, self._folder, TYPED_PODS)
            config = served.curl_config(self._folder, served.requests())
            typed, scans, curls = [], [], []
            for _ in range(min(self._repeat, 3)):
                curls.append(curl(config, self._folder)[0])
                scans.append(scan(self._program, served, self._folder, TYPED_PODS))
                typed.append(typed_list(served, self._folder, TYPED_PODS))
        name = f"official client's typed list of {TYPED_PODS:,} pods"
        yield f"{name}, times our whole scan", f"{ratio(typed, scans):.1f}", "", f"{seconds(typed)} to {seconds(scans)}"
        yield f"{name}, times curl", f"{ratio(typed, curls):.0f}", "", f"{seconds(typed)} to {seconds(curls)}"
        yield f"{name}, its peak memory in MiB", f"{max(done.memory for done in typed):.0f}", "", ""

    def help(self) -> Iterator[tuple[str, ...]]:
        """Start-up, against a click group without commands."""
        empty = empty_program(self._folder)
        runs = [(help_of(empty, self._folder), help_of(self._program, self._folder)) for _ in range(8 * self._repeat)]
        nothing, ours = [first for first, _ in runs[1:]], [second for _, second in runs[1:]]
        yield (
            "karpenter-check --help, times an empty click group's",
            f"{ratio(ours, nothing):.2f}",
            "1.5",
            f"{seconds(ours)} to {seconds(nothing)}",
        )


def _limit(value: int) -> str:
    return str(value) if value else ""


if __name__ == "__main__":
    main()
