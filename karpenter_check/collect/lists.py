"""The lists of one cluster."""

from collections import defaultdict
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import TypeAlias

from karpenter_check.collect.answer import Answer
from karpenter_check.collect.api import Api
from karpenter_check.collect.decode import ListMetadata, head_of
from karpenter_check.collect.gathering import Gathering
from karpenter_check.collect.permission import Permission
from karpenter_check.collect.reading import Listing, Outcome, Reading
from karpenter_check.collect.refusal import CannotScan, often
from karpenter_check.collect.retry import MOST_TRIES
from karpenter_check.snapshot import Kind, Status
from karpenter_check.snapshot.controller_label import CONTROLLER_LABEL

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
        """What the server would have to grant, optional kinds aside."""
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
        """Ask for one object of a list, to see whether it can be read. Raises CannotScan as `read` does.

        Of Deployments that is Karpenter's, which tells where its lease is.
        """
        if listing.kind is Kind.DEPLOYMENT:
            listing = listing._replace(label_selector="=".join(CONTROLLER_LABEL))
        return self._outcome(listing, Reading.one)

    def get(self, kind: Kind, path: str) -> Outcome:
        """Ask for one object by its name. That it is not there is an answer, too: complete, and the reason says so."""
        if path not in self.read_at[kind]:
            self.read_at[kind].append(path)
        if self._api.deadline.passed:
            return Status.FAILED, f"{self._api.deadline} was over before it was asked for"
        self._tell(kind, None)
        try:
            return self._got(kind, path)
        except CannotScan as refusal:
            return Status.FAILED, str(refusal)

    def _got(self, kind: Kind, path: str) -> Outcome:
        tries = 0
        while True:
            tries += 1
            answer = self._api.get(path)
            if answer.status == 404:
                return Status.COMPLETE, f"there is no {path}"
            if answer.status == 403:
                permission = Permission.to_get(path)
                return Status.FORBIDDEN, f"{permission.refusal(answer)}; grant {permission}"
            if answer.status != 200:
                return Status.FAILED, self._failure(path, answer)
            if head_of(answer.body).kind == kind:
                self.gathering.add(kind, answer.body, path)
                self._tell(kind, None)
                return Status.COMPLETE, ""
            if tries == MOST_TRIES or not self._api.pause(tries):
                return Status.FAILED, f"GET {path}: the answer is no {kind}{often(tries)}"

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
            refused=partial(self._refused, listing),
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

    def _refused(self, listing: Listing, answer: Answer, first: bool) -> Outcome:  # noqa: FBT001  a callback's place
        """What an answer other than 200 means. A list that vanishes between two pages has failed; it was not absent."""
        path = listing.path
        if answer.status == 403:
            permission = Permission.to_list(path)
            if permission not in self.lacking and not listing.kind.optional:
                self.lacking.append(permission)
            return Status.FORBIDDEN, f"{permission.refusal(answer)}; grant {permission}"
        if answer.status == 404 and first:
            return Status.ABSENT, f"the server does not serve {path}"
        return Status.FAILED, self._failure(path, answer)

    def _failure(self, path: str, answer: Answer) -> str:
        advice = f"; {self._api.advice}" if answer.status == 401 else ""
        return f"GET {path}: {answer.complaint}{advice}"
