"""One run of each contestant, in a process of its own. A run that did not do all of its work is an error, not a fast run."""

import json
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL, Popen
from time import perf_counter

from tests.benchmarks.served import Served

_SAID = re.compile(r"collected in ([\d.]+) s, judged in ([\d.]+) s")
_EMPTY_GROUP = """\
import sys
import click
@click.group()
def main():
    pass
if __name__ == '__main__':
    sys.exit(main())
"""
_TYPED_LIST = """\
import sys
from kubernetes.client import ApiClient, Configuration, CoreV1Api
api, following, pods = CoreV1Api(ApiClient(Configuration(host=sys.argv[1]))), None, 0
while True:
    page = api.list_pod_for_all_namespaces(limit=500, **({'_continue': following} if following else {}))
    pods, following = pods + len(page.items), page.metadata._continue
    if not following:
        break
print(pods)
"""
_SKIP = """\
import sys
from pathlib import Path
import msgspec
class Nothing(msgspec.Struct):
    pass
decoder, size = msgspec.json.Decoder(Nothing), 0
for page in Path(sys.argv[1]).glob('*/*'):
    body = page.read_bytes()
    decoder.decode(body)
    size += len(body)
print(size)
"""


class Broken(Exception):
    """A contestant did not do its work; the message says how."""


@dataclass(frozen=True)
class Run:
    """A finished process."""

    seconds: float
    memory: float
    """Its peak, in MiB."""
    judging: float = 0.0
    """Of a scan: the seconds that its rules took, as it says itself."""


def run(command: list[str], folder: Path, *, codes: frozenset[int] = frozenset({0})) -> tuple[Run, str, str]:
    """Run a command to its end; also what it wrote to stdout and stderr. Raises Broken for another exit code."""
    with (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as err:
        started = perf_counter()
        process = Popen(command, stdin=DEVNULL, stdout=out, stderr=err)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    said = (folder / "stderr").read_text()
    if process.returncode not in codes:
        raise Broken(f"{command[0]} ended with {process.returncode}: {said.strip()[-2000:]}")
    return Run(seconds, usage.ru_maxrss / 1024), (folder / "stdout").read_text(), said


def scan(program: Path, served: Served, folder: Path, pods: int) -> Run:
    """`scan_of` the cluster that is served."""
    return scan_of(program, served.kubeconfig(folder), folder, pods)


def scan_of(program: Path, kubeconfig: Path, folder: Path, pods: int) -> Run:
    """The whole scan, with its rules and its report. Raises Broken unless everything was read and every rule ran."""
    command = [str(program), "scan", "--kubeconfig", str(kubeconfig), "-v", "-o", "json"]
    done, out, said = run(command, folder, codes=frozenset({0, 10}))
    report = json.loads(out)
    lacking = {kind: entry for kind, entry in report["coverage"].items() if entry["status"] != "complete"}
    unjudged = [entry for entry in report["rules"] if entry["status"] not in {"passed", "failed"}]
    if lacking or unjudged or report["coverage"]["Pod"]["count"] != pods:
        raise Broken(f"the scan is not whole: {lacking} {unjudged} {report['coverage']['Pod']}")
    took = _SAID.search(said)
    if took is None:
        raise Broken(f"the scan does not say how long it judged: {said}")
    return Run(done.seconds, done.memory, float(took[2]))


def curl(config: Path, folder: Path) -> tuple[Run, int]:
    """One curl for everything; also how many bytes it got. Raises Broken for an answer that is not 200."""
    done, out, _ = run(["curl", "-s", "-K", str(config)], folder)
    return done, sum(map(int, out.split()))


def skip(made: Path, folder: Path) -> Run:
    """Every page read from its file, parsed, and nothing kept of it: no program that looks at the bytes with this decoder is faster."""
    return run([sys.executable, "-c", _SKIP, str(made)], folder)[0]


def typed_list(served: Served, folder: Path, pods: int) -> Run:
    """The official client's typed list of all pods. Raises Broken if some are missing."""
    done, out, _ = run([sys.executable, "-c", _TYPED_LIST, served.url], folder)
    if int(out) != pods:
        raise Broken(f"the typed list has {out.strip()} pods, not {pods}")
    return done


def help_of(program: Path, folder: Path) -> Run:
    """`--help` of a program, as its console script."""
    done, _, _ = run([str(program), "--help"], folder)
    return done


def empty_program(folder: Path) -> Path:
    """A console script of a click group without commands, for the interpreter that runs this."""
    path = folder / "empty"
    path.write_text(f"#!{sys.executable}\n{_EMPTY_GROUP}")
    path.chmod(0o755)
    return path
