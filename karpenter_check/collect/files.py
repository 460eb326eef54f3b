"""A snapshot from what kubectl printed, from manifests, or from a snapshot file."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from karpenter_check.collect.clock import newest_time
from karpenter_check.collect.decode import explain, head_of, items_of
from karpenter_check.collect.gathering import Gathering
from karpenter_check.collect.refusal import UnreadableInput
from karpenter_check.collect.resources import kind_of
from karpenter_check.collect.set_aside import made_into_objects
from karpenter_check.collect.snapshot_file import SCHEMA, SnapshotFile
from karpenter_check.collect.sources import Folder, Source, is_folder, list_folder, read_source, split
from karpenter_check.collect.undecodable import UNDECODABLE
from karpenter_check.collect.yaml_documents import Document
from karpenter_check.snapshot import LOOSE_MANIFESTS, NO_TIME, CollectionError, Coverage, Kind, Snapshot, Status, Version
from karpenter_check.snapshot.version import parse_version

_EVENTS_LIVE = timedelta(hours=1)
"""How long the API server keeps an event by default, so that a pod that young has some."""
_DISCOVERY = {"APIGroupList", "APIResourceList", "APIVersions", "APIGroup"}


class _Document(msgspec.Struct, rename="camel"):
    """The outside of a document: an object, a list, a snapshot file or a discovery answer."""

    kind: str = ""
    api_version: str = ""
    schema: str = ""
    items: msgspec.Raw = msgspec.Raw()
    git_version: str = ""


@dataclass(frozen=True)
class FileInput:
    """A snapshot from files, and what to tell the user about how it was read."""

    snapshot: Snapshot
    ignored: int
    """Files and folders that were not read."""
    set_aside: tuple[str, ...]
    """Files of a folder that are made to become objects and are none: values of charts, patches and the like."""
    skipped: int
    """Objects of kinds that are not read."""
    legacy: int
    """Objects of Karpenter's alpha API."""
    cluster_without_karpenter: bool
    """Whether this is a cluster (no loose manifests) that serves neither karpenter.sh/v1 nor v1beta1."""
    guessed_time: bool
    """Whether the time of the snapshot was taken from its objects."""
    stated: bool
    """Whether it is a snapshot file, so that all is as it was when that was written."""


class _Reader:
    def __init__(self, gathering: Gathering) -> None:
        self.gathering = gathering
        self.listed: set[Kind] = set()
        self.loose: set[Kind] = set()
        self.file: SnapshotFile | None = None
        self.kubernetes_version = ""
        self.newest: datetime | None = None
        self.lists = False
        self.ignored = 0
        self.set_aside: list[str] = []
        self.first_refusal: UnreadableInput | None = None
        """Of what was in folders."""

    def read_folder(self, folder: Folder) -> None:
        """Read what can be read of a folder's files; what cannot becomes a collection error."""
        self.ignored += folder.ignored
        no_objects = made_into_objects(folder.files)
        for file in folder.files:
            if file in no_objects:
                self.set_aside.append(f"{file} ({no_objects[file]})")
                continue
            try:
                self.read(read_source(file))
            except UnreadableInput as refusal:
                self.first_refusal = self.first_refusal or refusal
                source, _, message = str(refusal).partition(": ")
                self.gathering.errors.append(CollectionError(source, message))

    def read(self, source: Source) -> None:
        for part in split(source):
            raw = part.raw
            try:
                document = msgspec.json.decode(raw, type=_Document)
            except UNDECODABLE as error:
                if head_of(raw).kind or not raw.lstrip().startswith(b"["):
                    raise UnreadableInput(f"{source.name}: is no Kubernetes object: {explain(error)}") from error
                raise UnreadableInput(f"{source.name}: is a bare list; a List or one object per document is expected") from error
            self._take(document, part, source.name)

    def _take(self, document: _Document, part: Document, source: str) -> None:
        raw = part.raw
        if document.schema:
            self._take_snapshot_file(document.schema, raw, source)
        elif document.kind in _DISCOVERY:
            pass
        elif not document.kind and document.git_version:
            self.kubernetes_version = document.git_version
        elif document.kind.endswith("List") and bytes(document.items):
            self._take_list(document, document.items, source)
        else:
            self._take_loose(part, source)

    def _take_loose(self, part: Document, source: str) -> None:
        """Take an object that stands by itself. One whose kind nobody told is no object; a template is, and cannot be judged."""
        try:
            karpenters = self.gathering.manifests.take(part, head_of(part.raw), source)
        except UnreadableInput as template:
            self.gathering.errors.append(CollectionError(source, str(template).removeprefix(f"{source}: ")))
            return
        try:
            kind = self.gathering.add_unsorted(part.raw, source) or karpenters
        except ValueError as error:
            raise UnreadableInput(f"{source}: {error}") from error
        if kind:
            self.loose.add(kind)
            self._note_time(part.raw)

    def _take_list(self, document: _Document, items: msgspec.Raw, source: str) -> None:
        self.lists = True
        of_type = kind_of(document.kind.removesuffix("List"), document.api_version)
        if of_type in self.gathering.left_out:
            return
        try:
            if of_type and of_type is not Kind.NODECLASS:
                self.gathering.add_items(of_type, items, source)
                self.listed.add(of_type)
                for raw in items_of(items):
                    self._note_time(raw)
                return
            for position, raw in enumerate(items_of(items)):
                try:
                    kind = self.gathering.add_unsorted(raw, source)
                except ValueError as error:
                    self.gathering.errors.append(CollectionError(source, f"items[{position}] {error}"))
                    continue
                if kind:
                    self.listed.add(kind)
                    self._note_time(raw)
        except msgspec.MsgspecError as error:
            raise UnreadableInput(f"{source}: {document.kind}.items: {explain(error)}") from error
        if of_type is Kind.NODECLASS:
            self.listed.add(of_type)

    def _take_snapshot_file(self, schema: str, raw: bytes, source: str) -> None:
        if schema != SCHEMA:
            raise UnreadableInput(
                f"{source}: its schema is {schema!r}, this version reads {SCHEMA!r}; use the karpenter-check that wrote it, or a newer one"
            )
        if self.file is not None:
            raise UnreadableInput(f"{source}: a second snapshot file; scan one at a time")
        try:
            self.file = msgspec.json.decode(raw, type=SnapshotFile)
            for name, items in self.file.lists.items():
                if name not in set(Kind):
                    raise UnreadableInput(f"{source}: lists.{name}: not a kind that is read")
                self.gathering.add_items(Kind(name), items, source)
        except msgspec.MsgspecError as error:
            raise UnreadableInput(f"{source}: the snapshot file is damaged: {explain(error)}") from error

    def _note_time(self, raw: msgspec.Raw | bytes) -> None:
        time = newest_time(raw)
        if time and (self.newest is None or time > self.newest):
            self.newest = time

    def coverage(self, *, complete: bool) -> dict[Kind, Coverage]:
        """By design: listed kinds are complete, loose ones partial, and with `complete` everything but the optional kinds was asked for.

        What a snapshot file states is as it says, and in its order.
        """
        stated = self.file.coverage if self.file else {}
        covered = {}
        for kind in dict.fromkeys((*stated, *Kind)):
            if kind in stated:
                covered[kind] = self.gathering.coverage_of(kind, stated[kind].status, stated[kind].reason)
            elif kind in self.listed or (complete and not kind.optional):
                covered[kind] = self.gathering.coverage_of(kind)
            elif kind in self.loose:
                unjudged = self.gathering.manifests.without_schema if kind is Kind.NODECLASS else ()
                why = f"no schema of {', '.join(unjudged)} here, so their fields are not judged; " if unjudged else ""
                covered[kind] = self.gathering.coverage_of(kind, Status.PARTIAL, f"{why}{LOOSE_MANIFESTS}")
            else:
                covered[kind] = Coverage(Status.NOT_COLLECTED, 0, "not in the input")
        return covered


def read_files(
    paths: Iterable[Path | None],
    *,
    recursive: bool = False,
    complete: bool = False,
    at: datetime | None = None,
    karpenter_version: Version | None = None,
    gathering: Gathering | None = None,
    events: bool = True,
) -> FileInput:
    """The snapshot that the files hold together; None among the paths is standard input. Of folders, those in them too if `recursive`.

    `complete` says that every kind was asked for, so kinds that do not appear are empty. `at` is the time it was taken.
    `gathering` is what the objects go through, a new one if none is given; `events` says whether they are read.
    Raises UnreadableInput where a named file, or everything in a folder, cannot be read; what cannot be read in a folder or a
    list beside what can becomes a collection error.
    """
    gathering = gathering or Gathering()
    if not events:
        gathering.left_out.add(Kind.EVENT)
    reader = _Reader(gathering)
    for path in paths:
        if path is None or not is_folder(path):
            reader.read(read_source(path))
        else:
            reader.read_folder(list_folder(path, recursive=recursive))
    stated = reader.file
    if gathering.errors and not (gathering.count or gathering.legacy or gathering.ignored or gathering.manifests.kept):
        raise reader.first_refusal or UnreadableInput(str(gathering.errors[0]))
    if not (gathering.count or gathering.legacy or gathering.ignored or gathering.manifests.kept or reader.lists or stated):
        if reader.set_aside:
            raise UnreadableInput(f"{reader.set_aside[0]} is no object: scan what helm template or kustomize build prints")
        raise UnreadableInput(
            "the input holds no Kubernetes object; try: kubectl get nodes,pods,… -A -o json | karpenter-check scan -f -"
        )
    coverage = reader.coverage(complete=complete)
    if complete:
        coverage |= _contradictions(gathering, reader.newest)
    coverage |= {kind: Coverage(Status.NOT_COLLECTED, 0, "--no-events") for kind in gathering.left_out}
    if complete and not (gathering.objects[Kind.NODE] or gathering.legacy):
        raise UnreadableInput(
            "the input holds no Node, so it is no whole cluster: did kubectl print an error? Without --complete what is there is read"
        )
    clusterlike = reader.lists or stated is not None or complete
    without = gathering.legacy and not gathering.objects[Kind.NODEPOOL] and clusterlike
    absent = stated is not None and coverage[Kind.NODEPOOL].status is Status.ABSENT
    return FileInput(
        snapshot=gathering.snapshot(
            at or (stated.taken_at if stated else None) or reader.newest or NO_TIME,
            coverage,
            cluster=stated.cluster if stated else "",
            redacted=stated is not None and stated.redacted,
            kubernetes_version=(stated.kubernetes_version if stated else "") or reader.kubernetes_version,
            karpenter_version=(parse_version(stated.karpenter_version) if stated else None) or karpenter_version,
            errors=tuple(error for error in stated.errors if error.kind not in gathering.left_out) if stated else (),
        ),
        ignored=reader.ignored,
        set_aside=tuple(reader.set_aside),
        skipped=gathering.ignored.total(),
        legacy=gathering.legacy.total(),
        cluster_without_karpenter=bool(without or absent),
        guessed_time=at is None and stated is None,
        stated=stated is not None,
    )


def _contradictions(gathering: Gathering, newest: datetime | None) -> dict[Kind, Coverage]:
    """Kinds that cannot have been asked for, or were refused, whatever `--complete` says: other objects speak of them."""
    nodes, claims, pods = (gathering.objects[kind].values() for kind in (Kind.NODE, Kind.NODECLAIM, Kind.POD))
    found = {}
    if not gathering.objects[Kind.NODEPOOL] and any(node.nodepool for node in nodes):
        found[Kind.NODEPOOL] = "nodes name their NodePool"
    if not claims and any(node.nodepool for node in nodes):
        found[Kind.NODECLAIM] = "nodes are of a NodePool"
    if not pods and nodes:
        found[Kind.POD] = "there are nodes"
    if not gathering.objects[Kind.DAEMONSET] and any(pod.daemonset_uid for pod in pods):
        found[Kind.DAEMONSET] = "pods belong to some"
    created = (pod.metadata.creation_timestamp for pod in pods)
    if not gathering.objects[Kind.EVENT] and newest and any(time and newest - time < _EVENTS_LIVE for time in created):
        found[Kind.EVENT] = "pods are younger than an hour"
    return {
        kind: Coverage(Status.NOT_COLLECTED, 0, f"none in the input, but {why}: did kubectl print an error?")
        for kind, why in found.items()
    }
