"""A recorded cluster that answers over HTTP on the loopback, on a bad day."""

import gzip
import os
import struct
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from socket import SO_LINGER, SOL_SOCKET
from threading import Event, Lock

import msgspec

from tests.collect import faults
from tests.collect.faults import Trouble
from tests.collect.replay import LISTS, Replay, Reply, Request, an_error, moment_of, token

PAGES = 3
"""In how many pages every list comes that has as many objects."""
LATER = "99999999"
"""The resourceVersion of a moment after the recording."""
_DROPS = 10


class BadDay(Replay):
    """A recording behind a port, with trouble; use it in a `with` block. Where two troubles meet, the first is played."""

    def __init__(self, recording: str, troubles: Iterable[Trouble] = ()) -> None:
        super().__init__(recording, pages=PAGES)
        self.played: list[Trouble] = []
        """The troubles that were met, once for each time."""
        self._troubles = tuple(troubles)
        self._asked: Counter[str] = Counter()
        self._counting = Lock()
        self._ended = Event()
        """Set when the test is over, so that no connection is held longer."""

    def __exit__(self, *reason: object) -> None:
        self._ended.set()
        super().__exit__(*reason)

    def _answer(self, handler: BaseHTTPRequestHandler, request: Request) -> None:
        trouble = self._met(request)
        reply = self._reply(request)
        match trouble.fault if trouble else None:
            case None:
                self._write(handler, reply)
            case faults.HangUp():
                handler.close_connection = True
            case faults.Reset(after):
                self._begin(handler, reply, after)
                handler.connection.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))  # so that closing sends RST
                os.close(handler.connection.detach())
            case faults.Stall(after):
                self._begin(handler, reply, after)
                self._ended.wait()
            case faults.Slow(over):
                self._begin(handler, reply, 0)
                for drop in range(_DROPS):
                    self._ended.wait(over / _DROPS)
                    handler.wfile.write(reply.body[drop * len(reply.body) // _DROPS : (drop + 1) * len(reply.body) // _DROPS])
            case fault:
                self._write(handler, self._spoiled(fault, request, reply))

    def _met(self, request: Request) -> Trouble | None:
        """The trouble that this request meets."""
        selector = request.query.get("fieldSelector")
        address = f"{request.path}?{selector}" if selector else request.path
        with self._counting:
            self._asked[address] += 1
            met = next((one for one in self._troubles if one.strikes(address, self._asked[address])), None)
            self.played += [met] if met else []
        return met

    def _begin(self, handler: BaseHTTPRequestHandler, reply: Reply, size: int) -> None:
        """Announce the whole body and send so many bytes of it, never all."""
        part = reply.body[: min(size, len(reply.body) - 1)]
        self._write(handler, Reply(reply.status, part, {"Content-Length": str(len(reply.body))}))

    def _spoiled(self, fault: faults.OfAnswer, request: Request, right: Reply) -> Reply:
        """The wrong answer."""
        half = len(right.body) // 2
        match fault:
            case faults.Status(code, retry_after):
                status = {"kind": "Status", "status": "Failure", "message": "it is a bad day", "code": code}
                return Reply(code, msgspec.json.encode(status), {"Retry-After": retry_after})
            case faults.Truncated(chunked=True):
                chunk = b"%x\r\n%b\r\n" % (half, right.body[:half])
                return Reply(200, chunk, {"Transfer-Encoding": "chunked", "Content-Length": None})
            case faults.Truncated():
                return Reply(200, right.body[:half], {"Content-Length": str(len(right.body))})
            case faults.Instead(body):
                return Reply(200, body)
            case faults.Corrupt():
                return Reply(200, right.body[:half] + b'"]}{["' + right.body[half:])
            case faults.DamagedGzip():
                return _damaged(gzip.compress(right.body))
            case faults.Unauthorized():
                fault.renew()
                return an_error("401")
            case _:
                return self._at_another_moment(fault, request) if request.path in LISTS else right

    def _at_another_moment(self, fault: faults.OfTime, request: Request) -> Reply:
        start, later = moment_of(request)
        match fault:
            case faults.Repeat():
                return self._page(replace(request, query={**request.query, "continue": token(max(start - 1, 0), later)}))
            case faults.Moved():
                return self._page(replace(request, query={**request.query, "continue": token(start, LATER)}))
            case faults.Expired(goes_on):
                expired = msgspec.json.decode(an_error("410-expired-continue").body)
                expired["metadata"] = {"continue": token(start, LATER)} if goes_on else {}
                return Reply(410, msgspec.json.encode(expired))


def _damaged(packed: bytes) -> Reply:
    middle = len(packed) // 2
    return Reply(200, packed[:middle] + b"\xff" * 9 + packed[middle + 9 :], {"Content-Encoding": "gzip"})
