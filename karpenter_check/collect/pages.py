"""Lists of the API, read page by page."""

from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeAlias

import msgspec

from karpenter_check.collect.api import Answer, Api
from karpenter_check.collect.decode import explain
from karpenter_check.collect.gathering import Gathering
from karpenter_check.collect.refusal import CannotScan
from karpenter_check.snapshot import Kind, Status

PAGE_SIZE = 500
"""Objects a page, as kubectl asks for."""

Progress: TypeAlias = Callable[[Kind, int, int | None], None]
"""Told, before a list's first page and after each: the kind, how many were read, how many are left if the server says."""

Outcome: TypeAlias = tuple[Status, str]
"""How a list ended, and why where it is not complete."""


class _Metadata(msgspec.Struct, rename="camel"):
    """`metadata` of a list; `continue` is the token for the next page."""

    next: str | None = msgspec.field(name="continue", default=None)
    remaining_item_count: int | None = None


class _Page(msgspec.Struct):
    """A page of a list. Both fields are required: an answer without them is no list, least of all an empty one."""

    items: msgspec.Raw
    metadata: _Metadata


_PAGE = msgspec.json.Decoder(_Page)


class Lists:
    """The lists of one cluster as they are read, and what they held."""

    def __init__(self, api: Api, progress: Progress | None = None) -> None:
        self.gathering = Gathering()
        self._api = api
        self._progress = progress
        self._taken_at: datetime | None = None

    @property
    def taken_at(self) -> datetime:
        """The server's time when it answered the first list. Ask only after one was read."""
        assert self._taken_at is not None  # noqa: S101  a first list without an answer or a time has raised
        return self._taken_at

    def read(self, kind: Kind, path: str) -> Outcome:
        """Read a list to its end, or to where it fails; what was read until then stays.

        Raises CannotScan where the first list of all is not answered, or without a time.
        """
        query = {"limit": str(PAGE_SIZE)}
        self._tell(kind, None)
        while True:
            try:
                answer = self._api.get(path, query)
            except CannotScan as refusal:
                if self._taken_at is None:
                    raise
                return Status.FAILED, str(refusal)
            self._taken_at = self._taken_at or self._time_of(answer)
            if answer.status != 200:
                return _refused(path, answer, first="continue" not in query)
            try:
                page = _PAGE.decode(answer.body)
                self.gathering.add_page(kind, page.items, path)
            except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
                return Status.FAILED, f"GET {path}: the answer is no list: {explain(error)}"
            self._tell(kind, page.metadata.remaining_item_count)
            if not page.metadata.next:
                return Status.COMPLETE, ""
            query["continue"] = page.metadata.next

    def _tell(self, kind: Kind, remaining: int | None) -> None:
        if self._progress:
            self._progress(kind, len(self.gathering.objects[kind]), remaining)

    def _time_of(self, answer: Answer) -> datetime:
        """The API server's clock, not ours: ages are differences of its times. Raises CannotScan."""
        try:
            return parsedate_to_datetime(answer.headers["Date"]).replace(tzinfo=UTC)  # RFC 9110: it is always GMT
        except (KeyError, ValueError) as error:
            raise CannotScan(
                f"{self._api.host} does not say the time (no Date header); a proxy before it must pass it on"
            ) from error


def _refused(path: str, answer: Answer, *, first: bool) -> Outcome:
    """What an answer other than 200 means. A list that vanishes between two pages has failed; it was not absent."""
    if answer.status == 403:
        return Status.FORBIDDEN, answer.message or answer.complaint
    if answer.status == 404 and first:
        return Status.ABSENT, f"the server does not serve {path}"
    return Status.FAILED, f"GET {path}: {answer.complaint}"
