"""`python -m tests.e2e.record SCENARIO...`: what a real cluster answers once the scenarios have played, for tests to replay."""

import gzip
import sys
from concurrent.futures import Future
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from tests.collect.replay import DISCOVERY, LISTS, RECORDINGS
from tests.e2e import scenarios
from tests.e2e.binaries import karpenter_versions
from tests.e2e.cluster import Cluster
from tests.e2e.outcome import Outcome
from tests.e2e.playing import playing
from tests.e2e.scans import Scans
from tests.e2e.scenario import SCENARIOS

assert scenarios.__all__, "importing them is what defines them"


@click.command(epilog="\n".join(["\b", "Scenarios:", *(f"  {name}" for name in SCENARIOS)]))
@click.argument("names", metavar="SCENARIO...", nargs=-1, required=True, type=click.Choice(list(SCENARIOS)))
@click.option(
    "--karpenter", default="1.13", show_default=True, type=click.Choice(karpenter_versions()), help="The version to play them on."
)
@click.option(
    "--into",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where to write. Default: a folder of the first scenario's name in tests/recordings. Files that are there are replaced.",
)
def main(names: tuple[str, ...], karpenter: str, into: Path | None) -> None:
    """Start a cluster, play the scenarios in it, and write down what its API server answers.

    They play at once, and when each has its outcome every list that a scan reads is written, whole: one gzipped file each, as in
    tests/recordings/faults. `karpenter-check scan -f FOLDER --at "$(cat FOLDER/taken-at)"` reads them.

    Exits with 1 if a finding was missed, or one was told that is false; the files are written all the same.
    """
    chosen = [SCENARIOS[name] for name in dict.fromkeys(names)]
    for entry in chosen:
        if not entry.holds_for(karpenter):
            raise click.BadParameter(f"{entry.name} needs Karpenter {' or '.join(entry.karpenter)}", param_hint="--karpenter")
    folder = into or RECORDINGS / names[0]
    with TemporaryDirectory() as home, Cluster(Path(home), karpenter) as cluster:
        with Scans(cluster.kubeconfig, Path(home)) as scans, playing(chosen, cluster, scans) as outcomes:
            told = [_told(name, outcome) for name, outcome in outcomes.items()]
        record(cluster, folder)
    click.echo(f"written: {folder}", err=True)
    sys.exit(0 if all(told) else 1)


def record(cluster: Cluster, folder: Path) -> None:
    """Write the answers to all that a scan asks for into a folder, and when that was."""
    folder.mkdir(parents=True, exist_ok=True)
    now = datetime.now(UTC)  # noqa: TID251  a recording is of now
    (folder / "taken-at").write_text(f"{now:%Y-%m-%dT%H:%M:%SZ}\n", encoding="utf-8")
    for path, name in {**DISCOVERY, **LISTS}.items():
        answer = cluster.kubectl("get", "--raw", path).encode()
        (folder / f"{name}.json.gz").write_bytes(gzip.compress(answer, mtime=0))


def _told(name: str, outcome: "Future[Outcome]") -> bool:
    """Say what came of it, when it has come; whether that is what it should be."""
    if error := outcome.exception():
        click.echo(f"{name}: {type(error).__name__}: {error}", err=True)
        return False
    came = outcome.result()
    for word, told in (("found", came.found or ["nothing"]), ("MISSED", came.missed), ("FALSE", came.false)):
        for one in told:
            click.echo(f"{name}: {word} {one}", err=True)
    return not (came.missed or came.false)


if __name__ == "__main__":
    main()
