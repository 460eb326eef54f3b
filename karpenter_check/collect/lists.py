"""The lists of one cluster."""

from collections import defaultdict
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import TypeAlias

from karpenter_check.collect.answer import Answer
from karpenter_check.collect.api import Api
from karpenter_check.collect.decode import ListMetadata
from karpenter_check.collect.gathering import Gathering
from karpenter_check.collect.permission import Permission
from karpenter_check.collect.reading import Listing, Outcome, Reading
from karpenter_check.collect.refusal import CannotScan
from karpenter_check.snapshot import Kind, Status

PAGE_SIZE = 500
"""Objects a page, as kubectl asks for."""

Progress: TypeAlias = Callable[[Kind, int, int | None], None]
"""Told, before a list's first page and after each: the kind, how many were read, how many are left if the server says."""


class Lists:
    """The lists of one cluster as they are read, and what they held."""

    def __init__(self, api: Api, progress: Progress | None = None, gathering: Gathering | None = None) -> None:
        self.gathering = gathering or Gathering()
        self.read_at: dict[Kind, list[str]] = defaultdict(list)
        """The paths that were asked for, each once."""
        self.lacking: list[Permission] = []
        """What the server would have to grant."""
        self._api = api
        self._progress = progress
        self._taken_at: datetime | None = None

    @property
    def taken_at(self) -> datetime | None:
        """The server's time when it answered the first list; not ours: ages are differences of its times. None before."""
        return self._taken_at

    def read(self, listing: Listing) -> Outcome:
        """Read a list to its end, or to where it fails; what was read until then stays.

        Raises CannotScan where the answers carry no time.
        """
        return self._outcome(listing, lambda reading: reading.whole(PAGE_SIZE))

    def peek(self, listing: Listing) -> Outcome:
        """Ask for one object of a list, to see whether it can be read. Raises CannotScan as `read` does."""
        return self._outcome(listing, Reading.one)

    def _outcome(self, listing: Listing, way: Callable[[Reading], Outcome]) -> Outcome:
        if listing.path not in self.read_at[listing.kind]:
            self.read_at[listing.kind].append(listing.path)
        if self._api.deadline.passed:
            return Status.FAILED, f"{self._api.deadline} was over before it was asked for"
        self._tell(listing.kind, None)
        reading = Reading(
            self._api,
            listing,
            self.gathering,
            read=partial(self._page_read, listing.kind),
            refused=partial(self._refused, listing.path),
        )
        try:
            outcome = way(reading)
        except CannotScan as refusal:
            outcome = Status.FAILED, str(refusal)
        if self._taken_at is None and outcome[0] in {Status.COMPLETE, Status.PARTIAL}:
            raise CannotScan(f"{self._api.host} does not say the time (no Date header); a proxy before it must pass it on")
        return outcome

    def _page_read(self, kind: Kind, answer: Answer, metadata: ListMetadata) -> None:
        self._taken_at = self._taken_at or answer.date
        self._tell(kind, metadata.remaining_item_count)

    def _tell(self, kind: Kind, remaining: int | None) -> None:
        if self._progress:
            self._progress(kind, len(self.gathering.objects[kind]), remaining)

    def _refused(self, path: str, answer: Answer, first: bool) -> Outcome:  # noqa: FBT001  a callback's place
        """What an answer other than 200 means. A list that vanishes between two pages has failed; it was not absent."""
        if answer.status == 403:
            permission = Permission.to_list(path)
            if permission not in self.lacking:
                self.lacking.append(permission)
            return Status.FORBIDDEN, f"{permission.refusal(answer)}; grant {permission}"
        if answer.status == 404 and first:
            return Status.ABSENT, f"the server does not serve {path}"
        advice = f"; {self._api.advice}" if answer.status == 401 else ""
        return Status.FAILED, f"GET {path}: {answer.complaint}{advice}"
