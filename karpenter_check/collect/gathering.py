"""Objects as they come in, from a cluster or from files, until they are a snapshot."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from karpenter_check.collect.controller import cluster_name, is_of_others, version_of, without_environment
from karpenter_check.collect.decode import (
    ListMetadata,
    decode_items,
    decode_listed_pods,
    decode_object,
    decode_page,
    decode_pods_page,
    explain,
    head_of,
    items_of,
)
from karpenter_check.collect.manifests import Manifests
from karpenter_check.collect.resources import LEGACY_KINDS, kind_of
from karpenter_check.collect.spool import Spool
from karpenter_check.snapshot import CollectionError, Coverage, Kind, Snapshot, Status, Version
from karpenter_check.snapshot.listed_pod import ListedPod
from karpenter_check.snapshot.pod import PodShape, PodShapes
from karpenter_check.snapshot.pod_reduction import PodReduction
from karpenter_check.snapshot.quantity import amounts

_UNREDUCED = (msgspec.MsgspecError, ValueError, RecursionError)
"""What reducing pods raises where one of them is not as the API server writes it; decoding it wholly says what is wrong."""


class Mark(NamedTuple):
    """A place in what came in of one kind, to go back to."""

    objects: int
    errors: int
    failed: int
    spooled: int


class Gathering:
    """What has come in so far."""

    def __init__(self, spool: Spool | None = None) -> None:
        """`spool` is given every object that is kept, as a snapshot file holds it."""
        self._spool = spool
        self.objects: dict[Kind, dict[tuple[str, str, str], Any]] = {kind: {} for kind in Kind}
        self.left_out: set[Kind] = set()
        """Kinds of which nothing is taken, not even what is wrong with them."""
        self.errors: list[CollectionError] = []
        self._unread: set[CollectionError] = set()
        self.failed: Counter[Kind] = Counter()
        self.ignored: Counter[str] = Counter()
        """Objects of kinds that are not read, by kind."""
        self.legacy: Counter[str] = Counter()
        """Objects of Karpenter's alpha API, by kind."""
        self.manifests = Manifests()
        """Objects that came by themselves, in files."""
        self._shapes = PodShapes()
        self._reduction = PodReduction(self._shapes)
        self._daemonset_shapes: dict[tuple[str, str], PodShape] = {}

    def add_page(self, kind: Kind, body: bytes, source: str) -> ListMetadata:
        """Take a page of one kind's list as the API serves it. Raises as `decode_page` does where it is no list."""
        if kind is Kind.POD:
            with suppress(*_UNREDUCED):
                pods, metadata = decode_pods_page(body)
                self._keep_reduced(pods, decode_page(kind, body)[0] if self._spool else ())
                return metadata
        items, metadata = decode_page(kind, body)
        if isinstance(items, list):
            self._keep_all(kind, items, source)
        else:
            self._add_each(kind, items, source)
        return metadata

    def add_items(self, kind: Kind, items: msgspec.Raw | bytes, source: str) -> None:
        """Take all items of one kind's list. Raises msgspec.ValidationError where they are no list."""
        if kind in self.left_out:
            return
        if kind is Kind.POD:
            with suppress(*_UNREDUCED):
                self._keep_reduced(decode_listed_pods(items), decode_items(kind, items) if self._spool else ())
                return
        objects = decode_items(kind, items)
        if objects is None:
            self._add_each(kind, items, source)
        else:
            self._keep_all(kind, objects, source)

    def _add_each(self, kind: Kind, items: msgspec.Raw | bytes, source: str) -> None:
        for raw in items_of(items):
            self.add(kind, raw, source)

    def _keep_reduced(self, listed: Iterable[ListedPod], whole: Sequence[Any] | msgspec.Raw | None) -> None:
        """Keep pods without a `PodObject` between; all or none. Raises one of `_UNREDUCED`.

        `whole` are the same pods as `PodObject`s where they are spooled; something else where one of them does not decode.
        """
        pods = [self._reduction.pod(pod) for pod in listed]
        if not all(pod.metadata.name for pod in pods) or not isinstance(whole, Sequence):
            raise ValueError
        kept = self.objects[Kind.POD]
        for place, pod in enumerate(pods):
            key = ("", pod.metadata.namespace, pod.metadata.name)
            if key not in kept:
                kept[key] = pod
                if self._spool:
                    self._spool.add(Kind.POD, whole[place])

    def mark(self, kind: Kind) -> Mark:
        """Where the kind stands now."""
        spooled = self._spool.mark(kind) if self._spool else 0
        return Mark(len(self.objects[kind]), len(self.errors), self.failed[kind], spooled)

    def rewind(self, kind: Kind, mark: Mark) -> None:
        """Forget what came in of the kind since; nothing of another kind has."""
        objects = self.objects[kind]
        for key in list(objects)[mark.objects :]:
            del objects[key]
        self._unread.difference_update(self.errors[mark.errors :])
        del self.errors[mark.errors :]
        self.failed[kind] = mark.failed
        if self._spool:
            self._spool.truncate(kind, mark.spooled)

    def add(self, kind: Kind, raw: msgspec.Raw | bytes, source: str) -> None:
        """Take one object; one that does not decode becomes a collection error."""
        try:
            decoded = decode_object(kind, raw)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            self.refuse(kind, raw, source, explain(error))
        else:
            self._keep(kind, decoded, source)

    def add_unsorted(self, raw: msgspec.Raw | bytes, source: str) -> Kind | None:
        """Take an object of whatever kind it says; return the kind that it was read as, if it is one that is read.

        Raises ValueError for one that says no kind.
        """
        head = head_of(raw)
        if not head.kind:
            raise ValueError("is no Kubernetes object: it has no kind")
        kind = kind_of(head.kind, head.api_version)
        if kind in self.left_out:
            return None
        if kind:
            self.add(kind, raw, source)
        elif head.kind in LEGACY_KINDS and head.api_version.startswith("karpenter."):
            self.legacy[head.kind] += 1
        else:
            self.ignored[head.kind] += 1
        return kind

    def refuse(self, kind: Kind, raw: msgspec.Raw | bytes, source: str, message: str) -> None:
        """Note an object that could not be read."""
        metadata = head_of(raw).metadata
        self._note(kind, source, message, metadata.namespace if metadata else "", metadata.name if metadata else "")

    def _note(self, kind: Kind, source: str, message: str, namespace: str, name: str) -> None:
        """Count an object that could not be read; a page that repeats it counts it once."""
        error = CollectionError(source, message, str(kind), f"{namespace}/{name}" if namespace else name)
        if name and error in self._unread:
            return
        self._unread.add(error)
        self.failed[kind] += 1
        self.errors.append(error)

    def _keep_all(self, kind: Kind, objects: Iterable[Any], source: str) -> None:
        for entry in objects:
            self._keep(kind, entry, source)

    def _keep(self, kind: Kind, decoded: Any, source: str) -> None:
        """Keep an object, unless it is there already: what comes twice is told as it came first."""
        metadata, objects = decoded.metadata, self.objects[kind]
        key = _key(kind, decoded, len(objects))
        if key in objects or is_of_others(kind, metadata.name):
            return
        try:
            kept = self._checked(kind, decoded)
        except ValueError as error:
            self._note(kind, source, str(error), metadata.namespace, metadata.name)
            return
        objects[key] = kept
        if self._spool:
            self._spool.add(kind, decoded if kind is Kind.POD else kept)

    def _checked(self, kind: Kind, decoded: Any) -> Any:
        """The object as a snapshot keeps it, its quantities known to be some. Raises ValueError that names the field."""
        metadata = decoded.metadata
        if not metadata.name and kind is not Kind.EVENT:
            raise ValueError("metadata.name is missing")
        try:
            match kind:
                case Kind.POD:
                    return self._shapes.share(decoded)
                case Kind.DAEMONSET:
                    shape, _ = self._shapes.shape(decoded.spec.template.spec, limits_as_requests=True)
                    self._daemonset_shapes[metadata.namespace, metadata.name] = shape
                case Kind.NODE:
                    amounts(decoded.status.allocatable)
                case Kind.NODECLAIM:
                    for claimed in (decoded.spec.resources.requests, decoded.status.allocatable, decoded.status.capacity):
                        amounts(claimed)
                case Kind.NODEPOOL:
                    amounts(decoded.spec.limits)
                    amounts(decoded.status.resources)
                case Kind.DEPLOYMENT:
                    return without_environment(decoded)
                case _:
                    pass
        except ValueError as error:
            raise ValueError(f"resources: {error}") from None
        return decoded

    @property
    def count(self) -> int:
        """How many objects are kept."""
        return sum(len(entries) for entries in self.objects.values())

    def coverage_of(self, kind: Kind, status: Status = Status.COMPLETE, reason: str = "") -> Coverage:
        """The coverage of a kind that was listed: partial if some of its objects could not be read."""
        if status in {Status.COMPLETE, Status.PARTIAL} and self.failed[kind]:
            unread = f"{self.failed[kind]} could not be read"
            status, reason = Status.PARTIAL, f"{unread}; {reason}" if reason else unread
        return Coverage(status, len(self.objects[kind]), reason)

    def snapshot(
        self,
        taken_at: datetime,
        coverage: Mapping[Kind, Coverage],
        *,
        cluster: str = "",
        kubernetes_version: str = "",
        karpenter_version: Version | None = None,
        errors: tuple[CollectionError, ...] = (),
        redacted: bool = False,
    ) -> Snapshot:
        """The snapshot of all that came in. `karpenter_version` is taken where no Deployment tells it; `cluster` goes before what one is told."""

        def kept(kind: Kind) -> tuple[Any, ...]:
            return tuple(self.objects[kind].values())

        deployments = kept(Kind.DEPLOYMENT)
        return Snapshot(
            taken_at=taken_at,
            cluster=cluster or cluster_name(deployments),
            redacted=redacted,
            kubernetes_version=kubernetes_version,
            karpenter_version=version_of(deployments) or karpenter_version,
            nodes=kept(Kind.NODE),
            pods=kept(Kind.POD),
            daemonsets=kept(Kind.DAEMONSET),
            daemonset_shapes=self._daemonset_shapes,
            nodepools=kept(Kind.NODEPOOL),
            nodeclaims=kept(Kind.NODECLAIM),
            nodeclasses=kept(Kind.NODECLASS),
            poddisruptionbudgets=kept(Kind.PODDISRUPTIONBUDGET),
            replicasets=kept(Kind.REPLICASET),
            deployments=deployments,
            statefulsets=kept(Kind.STATEFULSET),
            events=kept(Kind.EVENT),
            persistentvolumeclaims=kept(Kind.PERSISTENTVOLUMECLAIM),
            persistentvolumes=kept(Kind.PERSISTENTVOLUME),
            storageclasses=kept(Kind.STORAGECLASS),
            volumeattachments=kept(Kind.VOLUMEATTACHMENT),
            leases=kept(Kind.LEASE),
            customresourcedefinitions=kept(Kind.CUSTOMRESOURCEDEFINITION),
            manifests=tuple(self.manifests.kept),
            schemas=self.manifests.schemas,
            locations=self.manifests.locations,
            coverage=coverage,
            errors=(*errors, *self.errors),
        )


def _key(kind: Kind, decoded: Any, place: int) -> tuple[str, str, str]:
    """What tells the objects of a kind apart: group and kind, where several are read as one, namespace and name.

    An event without a name is known by its place: the API server names all, and other input need not.
    """
    metadata = decoded.metadata
    group_and_kind = f"{decoded.api_version.partition('/')[0]}/{decoded.kind}" if kind is Kind.NODECLASS else ""
    name = metadata.name or (f"#{place}" if kind is Kind.EVENT else "")
    return group_and_kind, metadata.namespace, name
