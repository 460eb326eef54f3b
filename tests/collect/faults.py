"""What an API server, or a proxy before it, does on a bad day. Each fault is one way in which one answer goes wrong."""

from dataclasses import dataclass
from pathlib import Path
from sys import maxsize
from typing import TypeAlias

FOREVER = maxsize


@dataclass(frozen=True)
class Status:
    """Another status, as the server's priority and fairness, a change of etcd's leader or a load balancer give it."""

    code: int
    retry_after: str | None = None


@dataclass(frozen=True)
class Reset:
    """The connection is reset after so many bytes of the body, by a crash, or by a proxy that lost its server."""

    after: int


@dataclass(frozen=True)
class HangUp:
    """The connection is closed without a word."""


@dataclass(frozen=True)
class Stall:
    """Nothing more comes after so many bytes of the body, and the connection stays open."""

    after: int


@dataclass(frozen=True)
class Slow:
    """The whole answer comes, in drops, over so many seconds."""

    over: float


@dataclass(frozen=True)
class Truncated:
    """Half of the body comes, and then the connection ends."""

    chunked: bool = False
    """Whether the last chunk is missing; else the length that was announced is not reached."""


@dataclass(frozen=True)
class Instead:
    """Status 200 and a body that is no list, such as a login page's."""

    body: bytes


@dataclass(frozen=True)
class Corrupt:
    """Status 200, and what stands in the middle of the body is no JSON."""


@dataclass(frozen=True)
class DamagedGzip:
    """Status 200, and in the middle of the gzip something is overwritten."""


@dataclass(frozen=True)
class Repeat:
    """The page begins with the last object of the page before."""


@dataclass(frozen=True)
class Moved:
    """The page, and those after it, are of another moment than the first."""


@dataclass(frozen=True)
class Expired:
    """The continue token is too old. The refusal has one that goes on at a later moment, or none."""

    goes_on: bool


@dataclass(frozen=True)
class Unauthorized:
    """The token is not valid any more. Where there is a file for it, a new one is put there at once."""

    token_file: Path | None = None

    def renew(self) -> None:
        """Put a new token into the file, as the kubelet does."""
        if self.token_file:
            self.token_file.write_text("a-new-token")


OfWire: TypeAlias = HangUp | Reset | Stall | Slow
"""What goes wrong with the connection."""
OfTime: TypeAlias = Repeat | Moved | Expired
"""What goes wrong because the list is read in pieces."""
OfAnswer: TypeAlias = Status | Truncated | Instead | Corrupt | DamagedGzip | Unauthorized | OfTime
"""What is wrong with the answer."""
Fault: TypeAlias = OfWire | OfAnswer


@dataclass(frozen=True)
class Trouble:
    """A fault in the answer to the `request`-th request for an address, and to the next ones until it was so many `times`.

    An address is a path, for events with the field selector: `/api/v1/events?reason=Preempted`.
    """

    address: str
    request: int
    fault: Fault
    times: int = 1

    def strikes(self, address: str, request: int) -> bool:
        """Whether that request meets it."""
        return address == self.address and self.request <= request < self.request + self.times
