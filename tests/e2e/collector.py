"""`python -m tests.e2e.collector`: a scan of a real kube-apiserver, against fetching the same pages and throwing them away.

It starts etcd and kube-apiserver, and nothing that would change what they hold; loads the benchmarks' made cluster (docs/performance.md),
which takes some minutes; and runs two programs again and again, each from its start to its end:

- one `curl` that asks for exactly what a scan asked for, continue tokens and headers and all, one after the other over one connection;
- the whole `karpenter-check scan -o json`, which has to have read everything and judged everything.

They come in an order that is shuffled, by a seed: strict turns fall into step with the API server's garbage collector, which then
burdens always the same one.

It prints a table in Markdown on stdout; progress, and how busy the machine was, on stderr.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from random import Random
from statistics import median
from tempfile import TemporaryDirectory

import click

from tests.benchmarks.compared import machine, seconds
from tests.benchmarks.measure import Broken, Run, curl, scan_of

_ROOT = Path(__file__).parent.parent.parent
_AT_MOST = {20_000: "1.3"}
"""By pods: how many times the time of fetching. Of fewer, a scan is start-up above all."""


@click.command(help="Load a real API server, scan it, and print how the scan compares with fetching.")
@click.option("--pods", default=20_000, show_default=True, help="Size of the cluster.")
@click.option("--repeat", default=12, show_default=True, help="How often each runs; medians are printed.")
@click.option("--karpenter", default="1.13", show_default=True, help="Whose CustomResourceDefinitions.")
@click.option(
    "--program",
    type=click.Path(path_type=Path),
    default=Path(sys.executable).with_name("karpenter-check"),
    help="Another karpenter-check.",
)
def main(pods: int, repeat: int, karpenter: str, program: Path) -> None:
    """Nothing but the table goes to standard output."""
    with TemporaryDirectory() as server, TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "tests.e2e.loaded", server, str(pods), karpenter]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=_ROOT) as loaded:
            assert loaded.stdout is not None
            kubeconfig = loaded.stdout.readline().strip()
            if not kubeconfig:
                raise click.ClickException("the API server could not be loaded")
            try:
                _measure(program, Path(kubeconfig), Path(folder), pods, repeat)
            except Broken as broken:
                raise click.ClickException(str(broken)) from broken
            finally:
                loaded.communicate()  # its standard input ends, and so it does


def _measure(program: Path, kubeconfig: Path, folder: Path, pods: int, repeat: int) -> None:
    """Curl and scan, mixed, after one of each that is thrown away."""
    scan_of(program, kubeconfig, folder, pods)
    config = _curl_config(kubeconfig, folder)
    _, size = curl(config, folder)
    curls: list[Run] = []
    scans: list[Run] = []
    click.echo(f"{machine()}\n", err=True)
    order = [curls, scans] * repeat
    Random(1).shuffle(order)  # noqa: S311  it is no secret
    for runs in order:
        done = curl(config, folder)[0] if runs is curls else scan_of(program, kubeconfig, folder, pods)
        runs.append(done)
        click.echo(f"{done.seconds:.2f} s {'fetched' if runs is curls else 'scanned'}, load {os.getloadavg()[0]:.1f}", err=True)
    rows = (
        (
            f"whole scan of {pods:,} pods from a kube-apiserver ({size / 1e6:,.0f} MB), times fetching the same pages",
            f"{median(done.seconds for done in scans) / median(done.seconds for done in curls):.2f}",
            _AT_MOST.get(pods, ""),
            f"{seconds(scans)} to {seconds(curls)}",
        ),
        ("what the kube-apiserver sends, in MB/s", f"{median(size / 1e6 / done.seconds for done in curls):.0f}", "", ""),
        ("the scan's peak memory, in MiB", f"{max(done.memory for done in scans):.0f}", "", ""),
    )
    click.echo("| measured | result | at most | seconds |\n|---|---|---|---|")
    for row in rows:
        click.echo(f"| {' | '.join(row)} |")


def _curl_config(kubeconfig: Path, folder: Path) -> Path:
    """What makes one `curl` ask for what a scan asks for, and throw it away. It prints the size of each answer."""
    found = json.loads(kubeconfig.read_text(encoding="utf-8"))
    authority = found["clusters"][0]["cluster"]["certificate-authority"]
    said = subprocess.run([sys.executable, "-m", "tests.e2e.asked", str(kubeconfig)], check=True, capture_output=True, cwd=_ROOT)
    entries = []
    for url, headers in json.loads(said.stdout):
        sent = "".join(f'header = "{name}: {value}"\n' for name, value in headers.items())
        entries.append(
            f'url = "{url}"\n{sent}cacert = "{authority}"\nhttp1.1\nfail\noutput = "/dev/null"\nwrite-out = "%{{size_download}}\\n"\n'
        )
    path = folder / "curl"
    path.write_text("next\n".join(entries), encoding="utf-8")
    return path


if __name__ == "__main__":
    main()
