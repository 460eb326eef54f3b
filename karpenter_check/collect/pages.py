"""Lists of the API, read page by page."""

from collections import defaultdict
from collections.abc import Callable
from datetime import datetime
from typing import TypeAlias

import msgspec

from karpenter_check.collect.api import Answer, Api
from karpenter_check.collect.decode import explain
from karpenter_check.collect.gathering import Gathering
from karpenter_check.collect.permission import Permission
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
        self.read_at: dict[Kind, list[str]] = defaultdict(list)
        """The paths that were asked for."""
        self.lacking: list[Permission] = []
        """What the server would have to grant."""
        self._api = api
        self._progress = progress
        self._taken_at: datetime | None = None

    @property
    def taken_at(self) -> datetime | None:
        """The server's time when it answered the first list; not ours: ages are differences of its times. None before."""
        return self._taken_at

    def read(self, kind: Kind, path: str) -> Outcome:
        """Read a list to its end, or to where it fails; what was read until then stays.

        Raises CannotScan where the first list of all is not answered, or without a time.
        """
        return self._read(kind, path, PAGE_SIZE, whole=True)

    def peek(self, kind: Kind, path: str) -> Outcome:
        """Ask for one object of a list, to see whether it can be read. Raises CannotScan as `read` does."""
        return self._read(kind, path, 1, whole=False)

    def _read(self, kind: Kind, path: str, limit: int, *, whole: bool) -> Outcome:
        query = {"limit": str(limit)}
        self.read_at[kind].append(path)
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
                return self._refused(path, answer, first="continue" not in query)
            try:
                page = _PAGE.decode(answer.body)
                self.gathering.add_page(kind, page.items, path)
            except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
                return Status.FAILED, f"GET {path}: the answer is no list: {explain(error)}"
            self._tell(kind, page.metadata.remaining_item_count)
            if not (page.metadata.next and whole):
                return Status.COMPLETE, ""
            query["continue"] = page.metadata.next

    def _tell(self, kind: Kind, remaining: int | None) -> None:
        if self._progress:
            self._progress(kind, len(self.gathering.objects[kind]), remaining)

    def _time_of(self, answer: Answer) -> datetime:
        """Raises CannotScan."""
        if answer.date is None:
            raise CannotScan(f"{self._api.host} does not say the time (no Date header); a proxy before it must pass it on")
        return answer.date

    def _refused(self, path: str, answer: Answer, *, first: bool) -> Outcome:
        """What an answer other than 200 means. A list that vanishes between two pages has failed; it was not absent."""
        if answer.status == 403:
            permission = Permission.to_list(path)
            self.lacking.append(permission)
            return Status.FORBIDDEN, f"{permission.refusal(answer)}; grant {permission}"
        if answer.status == 404 and first:
            return Status.ABSENT, f"the server does not serve {path}"
        advice = f"; {self._api.advice}" if answer.status == 401 else ""
        return Status.FAILED, f"GET {path}: {answer.complaint}{advice}"
