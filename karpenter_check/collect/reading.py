"""One list, read from its first page to its last, whatever comes between."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from http import HTTPStatus
from typing import NamedTuple, TypeAlias

from karpenter_check.collect.ahead import ahead
from karpenter_check.collect.answer import Answer
from karpenter_check.collect.api import JSON, Api
from karpenter_check.collect.decode import ListMetadata, explain
from karpenter_check.collect.gathering import Gathering
from karpenter_check.collect.refusal import often
from karpenter_check.collect.resources import RESOURCES
from karpenter_check.collect.retry import MOST_TRIES
from karpenter_check.collect.undecodable import UNDECODABLE
from karpenter_check.collect.walk import Expired, Page, Way, next_token, walk
from karpenter_check.snapshot import Kind, Status

_METADATA_ONLY = f"{JSON};as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,{JSON}"
"""Without spec and status where the server can, else whole
(https://kubernetes.io/docs/reference/using-api/api-concepts/#alternate-representations-of-resources)."""

Outcome: TypeAlias = tuple[Status, str]
"""How a list ended, and why where it is not complete, or what there is to know of it where it is."""


class Listing(NamedTuple):
    """What to list: all objects of a resource in the whole cluster, or those that the selectors match."""

    kind: Kind
    path: str
    field_selector: str = ""
    label_selector: str = ""


class _DamagedPage(Exception):
    """A page that is no list; it may be asked for again."""

    def __init__(self, token: str, error: Exception) -> None:
        self.token = token
        self.reason = explain(error)


class Reading:
    """One list while it is read."""

    def __init__(
        self,
        api: Api,
        listing: Listing,
        gathering: Gathering,
        *,
        read: Callable[[Answer, ListMetadata], None],
        refused: Callable[[Answer, bool], Outcome],
    ) -> None:
        """`read` is told of each page; `refused` says what an answer other than 200 means, and whether it was the first."""
        self._api = api
        self._listing = listing
        self._gathering = gathering
        self._read = read
        self._refused = refused
        self._start = gathering.mark(listing.kind)
        self._version = ""
        self._notes: dict[str, None] = {}
        self._status = Status.COMPLETE

    def whole(self, limit: int) -> Outcome:
        """Read all of it, `limit` objects a page. Raises CannotScan where a page is not answered; what was read before stays."""
        return self._overcome(lambda token: self._from(token, limit))

    def one(self) -> Outcome:
        """Ask for one object, to see whether it can be read. Raises CannotScan as `whole` does."""
        return self._overcome(lambda _: self._first())

    def _overcome(self, read_from: Callable[[str], Outcome]) -> Outcome:
        """Read from a token on, and from that of a damaged page again."""
        token, tries = "", 0
        while True:
            try:
                return read_from(token)
            except _DamagedPage as damaged:
                tries = tries + 1 if damaged.token == token else 1
                token = damaged.token
                if tries == MOST_TRIES or not self._api.pause(tries):
                    return Status.FAILED, f"GET {self._listing.path}: the answer is no list: {damaged.reason}{often(tries)}"

    def _first(self) -> Outcome:
        query = self._query(1)
        answer = self._api.get(self._listing.path, query, accept=self._accept)
        return self._take(Page(answer, query, next_token(answer.body))) or (Status.COMPLETE, "")

    @property
    def _accept(self) -> str:
        return _METADATA_ONLY if RESOURCES[self._listing.kind].metadata_only else JSON

    def _query(self, limit: int) -> Mapping[str, str]:
        selectors = {"fieldSelector": self._listing.field_selector, "labelSelector": self._listing.label_selector}
        return {"limit": str(limit), **{name: selector for name, selector in selectors.items() if selector}}

    def _from(self, token: str, limit: int) -> Outcome:
        """Read from a token on. Raises _DamagedPage."""
        pages: Iterator[Page | Expired] = walk(self._api, self._listing.path, self._query(limit), accept=self._accept, token=token)
        with closing(ahead(pages, self._api.deadline)) as steps:
            for step in steps:
                ended = self._expired(step) if isinstance(step, Expired) else self._take(step)
                if ended:
                    return ended
        return self._status, "; ".join(self._notes)

    def _expired(self, step: Expired) -> Outcome | None:
        match step.way:
            case Way.LATER:
                self._partly(
                    "it went on from a later moment when its continue token had expired: what came or went between may be missing"
                )
                self._version = ""
            case Way.AGAIN:
                self._gathering.rewind(self._listing.kind, self._start)
                self._version, self._status, self._notes = "", Status.COMPLETE, {}
                self._notes["listed again from its start when its continue token had expired"] = None
            case Way.NOT:
                return Status.FAILED, f"GET {self._listing.path}: its continue token expires each time: {step.answer.complaint}"
        return None

    def _take(self, page: Page) -> Outcome | None:
        """Take a page; say how the list ended if it is none."""
        answer, token = page.answer, page.query.get("continue", "")
        if answer.status != HTTPStatus.OK:
            return self._refused(answer, not token)
        try:
            metadata = self._gathering.add_page(self._listing.kind, answer.body, self._listing.path)
        except UNDECODABLE as error:
            raise _DamagedPage(token, error) from error
        if (metadata.next or "") != page.following:
            raise _DamagedPage(token, ValueError("its continue token is not where it should be"))
        version = metadata.resource_version
        if self._version not in {"", version}:
            self._partly("its pages are of different moments: what came or went between may be missing")
        self._version = version
        self._read(answer, metadata)
        return None

    def _partly(self, note: str) -> None:
        self._status = Status.PARTIAL
        self._notes[note] = None
