"""What is scraped: `/metrics`, and whether the program lives and has something to tell."""

import socket
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from socketserver import ThreadingMixIn
from threading import Thread
from typing import TYPE_CHECKING
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry, make_wsgi_app

from karpenter_check.metrics.exposition import registry
from karpenter_check.metrics.family import NAMESPACE, Family

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_PATIENCE = 10
"""Seconds after which a client that says nothing is left."""
_TEXT = ("Content-Type", "text/plain; charset=utf-8")


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 16

    def server_bind(self) -> None:
        """Take an IPv6 socket for IPv4, too; look nothing up in DNS, as http.server would for its name."""
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = "karpenter-check", self.server_address[1]
        self.setup_environ()


class _Handler(WSGIRequestHandler):
    timeout = _PATIENCE

    def handle(self) -> None:
        """A client that says nothing, or goes away, is no news."""
        with suppress(OSError):
            super().handle()

    def log_message(self, *_: object) -> None:
        """Nobody reads of each scrape."""


class Endpoint:
    """A server of the families of the latest scan. Whoever scrapes waits for no scan."""

    def __init__(self, host: str, port: int, *, lives: Callable[[], bool], namespace: str = NAMESPACE) -> None:
        """Listen; an empty host is every address, port 0 a free port. `lives` says whether scans go on. Raises OSError."""
        family = socket.AF_INET6 if ":" in host or (not host and socket.has_dualstack_ipv6()) else socket.AF_INET
        self._lives = lives
        self._namespace = namespace
        self._registry: CollectorRegistry | None = None
        self._server = type("Server", (_Server,), {"address_family": family})((host, port), _Handler)
        self._server.set_app(self._answer)
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, name="metrics", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The port on which it listens."""
        return int(self._server.server_port)

    def show(self, families: Sequence[Family]) -> None:
        """Answer with these families from now on."""
        self._registry = registry(families, self._namespace)

    def close(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(self, environment: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        if environment["REQUEST_METHOD"] not in {"GET", "HEAD"}:
            return _said("405 Method Not Allowed", "only GET\n", start)
        shown = self._registry
        match environment["PATH_INFO"]:
            case "/metrics" if shown is not None:
                application: WSGIApplication = make_wsgi_app(shown)
                answer = application({**environment, "REQUEST_METHOD": "GET"}, start)
                return answer if environment["REQUEST_METHOD"] == "GET" else []
            case "/metrics" | "/readyz":
                return (
                    _said("200 OK", "ok\n", start)
                    if shown
                    else _said("503 Service Unavailable", "nothing was scanned yet\n", start)
                )
            case "/healthz":
                return (
                    _said("200 OK", "ok\n", start) if self._lives() else _said("503 Service Unavailable", "no scan ends\n", start)
                )
            case _:
                return _said("404 Not Found", "there are /metrics, /healthz and /readyz\n", start)


def _said(status: str, text: str, start: "StartResponse") -> Iterable[bytes]:
    start(status, [_TEXT])  # a list of its own: wsgiref adds to it
    return [text.encode()]
