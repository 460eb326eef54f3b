"""A server that costs nothing: made pages out of the page cache, over kept-alive loopback connections.

`python -m tests.benchmarks.server FOLDER` prints its port, answers until its standard input ends, and has no pity for wrong
questions: 404. `GET /requests` says what was asked since it was last asked that.
"""

import json
import os
import socket
import sys
from base64 import b64decode
from email.utils import format_datetime
from pathlib import Path
from threading import Thread
from urllib.parse import parse_qs, urlsplit

from tests.benchmarks.made import LISTS, METADATA_ONLY, compact, folder_of
from tests.benchmarks.managed import Json
from tests.benchmarks.plan import TAKEN_AT

_DATE = format_datetime(TAKEN_AT, usegmt=True).encode()
_PARTIAL = b"as=PartialObjectMetadataList"


def _discovery() -> dict[str, bytes]:
    """`/version`, the groups, and the resources of each group and version, all from the lists that are served."""
    versions = sorted({entry.path.rpartition("/")[0] for entry in LISTS})
    groups = []
    answers: dict[str, Json] = {
        "/version": {"major": "1", "minor": "33", "gitVersion": "v1.33.4"},
        "/api": {"kind": "APIVersions", "versions": ["v1"]},
    }
    for prefix in versions:
        group, _, version = prefix.removeprefix("/apis/").rpartition("/")
        named = f"{group}/{version}"
        if prefix.startswith("/apis/"):
            served = {"groupVersion": named, "version": version}
            groups.append({"name": group, "versions": [served], "preferredVersion": served})
        resources = [
            {
                "name": entry.path.rpartition("/")[2],
                "singularName": entry.kind.lower(),
                "namespaced": False,
                "kind": entry.kind,
                "verbs": ["get", "list"],
            }
            for entry in LISTS
            if entry.path.startswith(f"{prefix}/") and entry.variant != METADATA_ONLY
        ]
        answers[prefix] = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": named, "resources": resources}
    answers["/apis"] = {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}
    return {path: compact(answer) for path, answer in answers.items()}


class _Pages:
    """The pages of a folder, open."""

    def __init__(self, folder: Path) -> None:
        self._pages = {
            (pages.name, int(page.name)): (os.open(page, os.O_RDONLY), page.stat().st_size)
            for pages in folder.iterdir()
            for page in pages.iterdir()
        }
        self._discovery = _discovery()
        self.requests: list[tuple[str, str]] = []

    def answer(self, connection: socket.socket, head: bytes) -> None:
        """Answer one request."""
        target = head.split(b" ", 2)[1].decode()
        if target == "/requests":
            asked, self.requests = self.requests, []
            _send(connection, 200, json.dumps(asked).encode())
            return
        self.requests.append((target, "application/json" if _PARTIAL not in head else _accept(head)))
        address = urlsplit(target)
        if not address.query and address.path in self._discovery:
            _send(connection, 200, self._discovery[address.path])
            return
        query = parse_qs(address.query)
        variant = query["fieldSelector"][0] if "fieldSelector" in query else METADATA_ONLY if _PARTIAL in head else ""
        page = json.loads(b64decode(query["continue"][0]))["start"] if "continue" in query else 0
        if found := self._pages.get((folder_of(address.path, variant), page)):
            file, size = found
            _send_head(connection, 200, size)
            sent = 0
            while sent < size:
                sent += os.sendfile(connection.fileno(), file, sent, size - sent)
        else:
            _send(connection, 404, compact({"kind": "Status", "status": "Failure", "message": f"no {target}", "code": 404}))


def _accept(head: bytes) -> str:
    lines = (line.partition(b":") for line in head.split(b"\r\n"))
    return next(value.strip().decode() for name, _, value in lines if name.lower() == b"accept")


def _send_head(connection: socket.socket, status: int, size: int) -> None:
    head = b"HTTP/1.1 %d X\r\nDate: %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (status, _DATE, size)
    connection.sendall(head, socket.MSG_MORE if size else 0)


def _send(connection: socket.socket, status: int, body: bytes) -> None:
    _send_head(connection, status, len(body))
    connection.sendall(body)


def _converse(connection: socket.socket, pages: _Pages) -> None:
    """Answer requests until the client goes away. They have no bodies."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    kept = b""
    try:
        while received := connection.recv(65536):
            kept += received
            while b"\r\n\r\n" in kept:
                head, _, kept = kept.partition(b"\r\n\r\n")
                pages.answer(connection, head)
    except ConnectionError:
        pass
    finally:
        connection.close()


def serve(folder: Path) -> None:
    """Print the port, and answer until standard input ends."""
    pages = _Pages(folder)
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        print(server.getsockname()[1], flush=True)  # noqa: T201  who started it reads it

        def accept() -> None:
            while True:
                connection, _ = server.accept()
                Thread(target=_converse, args=(connection, pages), daemon=True).start()

        Thread(target=accept, daemon=True).start()
        sys.stdin.read()


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
