"""What the API server answered."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple

import msgspec

from karpenter_check.collect.refusal import often
from karpenter_check.collect.undecodable import UNDECODABLE


class Answer(NamedTuple):
    """An HTTP answer, whatever its status. Header names read in any case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    took: float = 0.0
    """Seconds from the question to the last byte."""
    tries: int = 1
    """How often was asked until this answer counted."""
    asked_to_wait: float | None = None
    """Seconds that it wanted and that were not left."""

    @property
    def message(self) -> str:
        """The message of the API's Status object, on one line; empty where the body is none."""
        try:
            return " ".join(_STATUS.decode(self.body).message.split())
        except UNDECODABLE:
            return ""

    @property
    def complaint(self) -> str:
        """What an answer other than 200 says: its status code, its message if it has one, and how often it said so."""
        said = f"HTTP {self.status}: {self.message}" if self.message else f"HTTP {self.status}"
        if self.asked_to_wait is not None:
            return f"{said} (asks to wait {self.asked_to_wait:g} s, more than --timeout leaves)"
        return f"{said}{often(self.tries)}"

    @property
    def date(self) -> datetime | None:
        """The server's clock when it answered; None where it does not say."""
        try:
            return parsedate_to_datetime(self.headers["Date"]).replace(tzinfo=UTC)  # RFC 9110: it is always GMT
        except (KeyError, ValueError, OverflowError):
            return None


class _Status(msgspec.Struct):
    """Of a `Status` object, its message."""

    message: str = ""


_STATUS = msgspec.json.Decoder(_Status)
