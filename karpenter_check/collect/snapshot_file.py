"""Our own snapshot file: what the model reads of a cluster, as one JSON object. docs/snapshot.md describes it."""

from collections.abc import Iterator
from typing import Any, Protocol

import msgspec

from karpenter_check.collect.resources import RESOURCES
from karpenter_check.collect.spool import Spool
from karpenter_check.snapshot import CollectionError, Coverage, Kind, Snapshot
from karpenter_check.snapshot.part import Timestamp

SCHEMA = "karpenter-check/snapshot/v1"


class _Head(msgspec.Struct, rename="camel"):
    """All but the objects, in the order in which it stands in the file."""

    schema: str
    taken_at: Timestamp
    redacted: bool | msgspec.UnsetType = msgspec.UNSET
    cluster: str = ""
    kubernetes_version: str = ""
    karpenter_version: str = ""
    coverage: dict[Kind, Coverage] = {}
    errors: list[CollectionError] = []


class SnapshotFile(msgspec.Struct, rename="camel"):
    """A snapshot file as it is read: its objects are left as they are."""

    taken_at: Timestamp
    lists: dict[str, msgspec.Raw]
    redacted: bool = False
    """Whether names in it are pseudonyms."""
    coverage: dict[Kind, Coverage] = {}
    cluster: str = ""
    kubernetes_version: str = ""
    karpenter_version: str = ""
    errors: list[CollectionError] = []


class Redactor(Protocol):
    """What takes the names out of a snapshot file. It learns every object before it is asked for one."""

    def learn(self, kind: Kind, entry: Any, /) -> None:
        """Note the names in an object."""

    def redacted(self, kind: Kind, entry: Any, /) -> Any:
        """The object without them."""

    def name(self, name: str, /) -> str:
        """What stands for a name that no object has, such as the cluster's."""

    def text(self, text: str, /) -> str:
        """Why a kind was not seen, without them."""

    def error(self, error: CollectionError, /) -> CollectionError:
        """What could not be read, without them."""


def snapshot_file(snapshot: Snapshot, spool: Spool, redactor: Redactor | None = None) -> Iterator[bytes]:
    """The file, piece by piece: the objects from the spool, a line each, all else from the snapshot that was made of them.

    Kinds of which the snapshot counts no object stay out, as with --no-events.
    Raises SpoolFailed where the spool cannot be read again.
    """
    head = _Head(
        schema=SCHEMA,
        taken_at=snapshot.taken_at,
        redacted=True if redactor or snapshot.redacted else msgspec.UNSET,
        cluster=snapshot.cluster,
        kubernetes_version=snapshot.kubernetes_version,
        karpenter_version=str(snapshot.karpenter_version) if snapshot.karpenter_version else "",
        coverage=dict(snapshot.coverage),
        errors=list(snapshot.errors),
    )
    kinds = [kind for kind in RESOURCES if snapshot.covered(kind).count]
    if redactor:
        for kind in kinds:
            for entry in spool.objects(kind):
                redactor.learn(kind, entry)
        head.cluster = redactor.name(head.cluster)
        head.errors = [redactor.error(error) for error in head.errors]
        head.coverage = {
            kind: msgspec.structs.replace(coverage, reason=redactor.text(coverage.reason)) if " " in coverage.reason else coverage
            for kind, coverage in head.coverage.items()  # a reason of one word, such as --no-events, is our own
        }
    yield msgspec.json.encode(head).removesuffix(b"}") + b',"lists":{'
    for number, kind in enumerate(kinds):
        yield (b',"' if number else b'"') + kind.encode() + b'":[\n'
        yield from _joined(_redacted(kind, spool, redactor) if redactor else spool.lines(kind))
        yield b"]"
    yield b"}}\n"


def _redacted(kind: Kind, spool: Spool, redactor: Redactor) -> Iterator[bytes]:
    encode = msgspec.json.Encoder().encode
    for entry in spool.objects(kind):
        yield encode(redactor.redacted(kind, entry))


def _joined(lines: Iterator[bytes]) -> Iterator[bytes]:
    """The elements of a JSON list, a line each."""
    separator = b""
    for line in lines:
        yield separator + line
        separator = b",\n"
