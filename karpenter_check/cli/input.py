"""The snapshot that a scan looks at: from files, from the demo, or from a cluster."""

import gc
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from karpenter_check.cli.exits import Exit
from karpenter_check.cli.progress import progress
from karpenter_check.cli.said import Said, one_line
from karpenter_check.cli.signals import doing
from karpenter_check.collect.files import FileInput, read_files
from karpenter_check.collect.gathering import Gathering
from karpenter_check.collect.refusal import CannotScan, UnreadableInput
from karpenter_check.snapshot import NO_TIME, Kind, Snapshot, Status, Version
from karpenter_check.snapshot.counted import few

if TYPE_CHECKING:
    from karpenter_check.collect.api import Api

_MOST_ERRORS = 10


class Refused(click.ClickException):
    """Nothing to judge: one line on stderr and an exit code. `cluster` is the cluster's name, as far as it was known.

    `snapshot` is there where only Karpenter is missing: it cannot be judged, and it can be kept.
    """

    def __init__(self, message: str, code: Exit, *, cluster: str = "", snapshot: Snapshot | None = None) -> None:
        super().__init__(one_line(message))
        self.code = code
        self.cluster = cluster
        self.snapshot = snapshot

    @property
    def exit_code(self) -> int:  # type: ignore[override]  # click has a constant where each refusal has its own
        """What the process exits with."""
        return int(self.code)


class Taken(NamedTuple):
    """A snapshot, and whether it was put together from loose files: then it is of no cluster that commands could be typed for."""

    snapshot: Snapshot
    loose: bool = False


def from_files(
    paths: Sequence[Path | None],
    *,
    recursive: bool = False,
    complete: bool,
    at: datetime | None,
    karpenter_version: Version | None,
    said: Said,
    events: bool = True,
    gathering: Gathering | None = None,
) -> Taken:
    """The snapshot in files; None among them is standard input. Raises Refused."""
    try:
        with doing("reading the input"):
            read = read_files(
                paths,
                recursive=recursive,
                complete=complete,
                at=at,
                karpenter_version=karpenter_version,
                events=events,
                gathering=gathering,
            )
    except UnreadableInput as refusal:
        raise Refused(str(refusal), Exit.USAGE) from refusal
    _tell(read, said)
    if read.cluster_without_karpenter:
        raise Refused(_without_karpenter(read), Exit.NO_KARPENTER, snapshot=read.snapshot)
    return Taken(read.snapshot, loose=not read.stated)


def from_demo(said: Said, karpenter_version: Version | None, *, events: bool = True, gathering: Gathering | None = None) -> Taken:
    """The snapshot that the package carries."""
    with as_file(files("karpenter_check").joinpath("demo", "cluster.json.gz")) as path:
        return from_files(
            [path],
            complete=False,
            at=None,
            karpenter_version=karpenter_version,
            said=said,
            events=events,
            gathering=gathering,
        )


@dataclass(frozen=True, kw_only=True)
class ClusterAccess:
    """Which cluster, and as whom."""

    kubeconfig: Path | None
    context: str | None
    as_user: str | None
    as_groups: tuple[str, ...]
    request_timeout: float
    timeout: float

    def connect(self) -> "Api":
        """The way to the API server. Raises CannotScan."""
        from karpenter_check.collect.access import connect  # noqa: PLC0415  PyYAML and the client are slow to import, and only needed here

        return connect(
            self.kubeconfig,
            self.context,
            as_user=self.as_user,
            as_groups=self.as_groups,
            request_timeout=self.request_timeout,
            timeout=self.timeout,
        )


def from_cluster(
    access: ClusterAccess,
    *,
    karpenter_version: Version | None,
    said: Said,
    events: bool = True,
    gathering: Gathering | None = None,
) -> Snapshot:
    """The snapshot of a live cluster. Raises Refused."""
    from karpenter_check.collect.live import collect_live  # noqa: PLC0415  as above

    cluster = ""
    try:
        api = access.connect()
        cluster = api.cluster
        with progress(said) as tell:
            snapshot = collect_live(
                api, progress=tell, karpenter_version=karpenter_version, events=events, gathering=gathering, ended=tell.ended
            )
    except CannotScan as refusal:
        raise Refused(str(refusal), Exit.CANNOT_SCAN, cluster=cluster) from refusal
    if api.asked_again:
        said.detail(f"the API server had bad moments; requests made again: {api.asked_again}")
    nodepools = snapshot.covered(Kind.NODEPOOL)
    if nodepools.status is Status.ABSENT:
        raise without_karpenter(nodepools.reason, cluster, snapshot)
    _tell_errors(snapshot, said)
    return snapshot


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Python set for a large collection.

    It does not look for cycles: what is read makes none, and stays to the end. Threads take turns often: the one that reads the next
    page wants the interpreter for moments only, and the server waits for it.
    """
    interval = sys.getswitchinterval()
    sys.setswitchinterval(0.0005)
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
        sys.setswitchinterval(interval)


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a snapshot comes from: files, the demo, else the cluster."""

    access: ClusterAccess
    filenames: tuple[Path | None, ...]
    recursive: bool
    complete: bool
    at: datetime | None
    demo: bool
    no_events: bool
    karpenter_version: Version | None

    @classmethod
    def taken_from(cls, options: dict[str, Any]) -> "Source":
        """These options, taken out of all that a command was called with."""
        access = ClusterAccess(**{name: options.pop(name) for name in ClusterAccess.__annotations__})
        return cls(access=access, **{name: options.pop(name) for name in cls.__annotations__ if name in options})

    def check(self, *, dry_run: bool = False) -> None:
        """Raises click.UsageError for options that do not go together."""
        if self.demo and self.filenames:
            raise click.UsageError("--demo and -f exclude each other")
        of_cluster = {
            "--context": self.access.context,
            "--kubeconfig": self.access.kubeconfig,
            "--as": self.access.as_user,
            "--as-group": self.access.as_groups,
            "--dry-run": dry_run,
        }
        given = [name for name, value in of_cluster.items() if value]
        if given and (self.demo or self.filenames):
            verb = "is" if len(given) == 1 else "are"
            raise click.UsageError(f"{', '.join(given)} {verb} for a live cluster; -f and --demo read none")
        if not self.filenames and (self.recursive or self.complete or self.at):
            raise click.UsageError("-R, --complete and --at say something about -f, which is not given")
        if self.filenames.count(None) > 1:
            raise click.UsageError("standard input can be read once: give -f - once")

    def snapshot(self, said: Said) -> Snapshot:
        """The snapshot. Raises Refused."""
        return self.taken(said).snapshot

    def taken(self, said: Said, gathering: Gathering | None = None) -> Taken:
        """The snapshot, its objects gathered by the gathering if one is given. Raises Refused."""
        with _undisturbed():
            found = self._taken(said, gathering)
        if self.karpenter_version and found.snapshot.karpenter_version != self.karpenter_version:
            said.note(f"the input says that Karpenter is {found.snapshot.karpenter_version}, so --karpenter-version is not used")
        return found

    def _taken(self, said: Said, gathering: Gathering | None) -> Taken:
        version, events = self.karpenter_version, not self.no_events
        if self.demo:
            return from_demo(said, version, events=events, gathering=gathering)
        if self.filenames:
            return from_files(
                self.filenames,
                recursive=self.recursive,
                complete=self.complete,
                at=self.at,
                karpenter_version=version,
                said=said,
                events=events,
                gathering=gathering,
            )
        return Taken(from_cluster(self.access, karpenter_version=version, said=said, events=events, gathering=gathering))


def without_karpenter(reason: str, cluster: str = "", snapshot: Snapshot | None = None) -> Refused:
    """What a live cluster without a Karpenter that is read is answered with."""
    message = f"{reason}; karpenter-check judges karpenter.sh/v1 and v1beta1"
    return Refused(message, Exit.NO_KARPENTER, cluster=cluster, snapshot=snapshot)


def _tell(read: FileInput, said: Said) -> None:
    """What the reader should know of how the input was read."""
    snapshot = read.snapshot
    if read.ignored:
        said.note(f"{read.ignored} entries of the folder are no *.json, *.yaml or *.yml and were not read")
    if read.set_aside:
        said.note(
            f"no objects, so not judged: {few(read.set_aside, _MOST_ERRORS)}; what helm template or kustomize build prints can be"
        )
    if read.skipped:
        said.detail(f"{read.skipped} objects are of kinds that no rule reads")
    if read.legacy:
        said.note(
            f"{read.legacy} objects of Karpenter's alpha API (v1alpha5 Provisioner and the like) are not supported: migrate to karpenter.sh/v1"
        )
    if read.guessed_time and snapshot.taken_at == NO_TIME:
        said.note("nothing in the input carries a time, so no age is judged; --at TIME sets one")
    elif snapshot.redacted:
        said.note("its names are pseudonyms: commands that name an object will not find it")
    elif read.guessed_time:
        said.note(f"taken at {snapshot.taken_at:%Y-%m-%dT%H:%M:%SZ}, the newest time in the input; --at TIME sets another")
    _tell_errors(snapshot, said)


def _tell_errors(snapshot: Snapshot, said: Said) -> None:
    """Which objects could not be read."""
    for error in snapshot.errors[:_MOST_ERRORS]:
        said.warning(str(error))
    if len(snapshot.errors) > _MOST_ERRORS:
        said.warning(f"{len(snapshot.errors) - _MOST_ERRORS} more objects could not be read; -o json lists them all")


def _without_karpenter(read: FileInput) -> str:
    if read.legacy:
        return "the input has only Karpenter's alpha API (v1alpha5): migrate to karpenter.sh/v1 (https://karpenter.sh/docs/upgrading/upgrade-guide/) and scan again"
    reason = read.snapshot.covered(Kind.NODEPOOL).reason or "NodePool is absent"
    return str(without_karpenter(reason))
