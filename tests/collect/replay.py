"""A recorded cluster that answers over HTTP on the loopback, page by page, as an API server does."""

import gzip
import re
import ssl
import sys
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.message import Message
from email.utils import format_datetime
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from math import ceil
from pathlib import Path
from threading import Thread
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

import msgspec

RECORDINGS = Path(__file__).parent.parent / "recordings"

_CLUSTER_SCOPED = {
    "nodes", "nodepools", "nodeclaims", "kwoknodeclasses", "storageclasses", "persistentvolumes", "volumeattachments",
}  # fmt: skip
_SHORT_NAMES = {
    "daemonsets": ["ds"],
    "replicasets": ["rs"],
    "deployments": ["deploy"],
    "statefulsets": ["sts"],
    "poddisruptionbudgets": ["pdb"],
    "storageclasses": ["sc"],
    "persistentvolumes": ["pv"],
    "persistentvolumeclaims": ["pvc"],
}
DISCOVERY = {"/apis": "apis", "/version": "version", "/apis/karpenter.sh/v1": "karpenter.sh.v1"}
LISTS = {
    "/apis/karpenter.sh/v1/nodepools": "nodepools",
    "/apis/karpenter.sh/v1/nodeclaims": "nodeclaims",
    "/apis/karpenter.kwok.sh/v1alpha1/kwoknodeclasses": "kwoknodeclasses",
    "/api/v1/nodes": "nodes",
    "/apis/apps/v1/daemonsets": "daemonsets",
    "/api/v1/pods": "pods",
    "/apis/apps/v1/replicasets": "replicasets",
    "/apis/apps/v1/deployments": "deployments",
    "/apis/apps/v1/statefulsets": "statefulsets",
    "/apis/policy/v1/poddisruptionbudgets": "poddisruptionbudgets",
    "/api/v1/events": "events",
    "/apis/storage.k8s.io/v1/storageclasses": "storageclasses",
    "/api/v1/persistentvolumes": "persistentvolumes",
    "/api/v1/persistentvolumeclaims": "persistentvolumeclaims",
    "/apis/storage.k8s.io/v1/volumeattachments": "volumeattachments",
}
OBJECTS = {
    "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/karpenter-leader-election": "karpenter-leader-election",
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/nodepools.karpenter.sh": "nodepools.karpenter.sh",
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/nodeclaims.karpenter.sh": "nodeclaims.karpenter.sh",
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/kwoknodeclasses.karpenter.kwok.sh": "kwoknodeclasses.karpenter.kwok.sh",
}
"""What is asked for by name; what a recording has not is not found."""
_KINDS = {
    "storageclasses": ("StorageClass", "storage.k8s.io/v1"),
    "persistentvolumes": ("PersistentVolume", "v1"),
    "persistentvolumeclaims": ("PersistentVolumeClaim", "v1"),
    "volumeattachments": ("VolumeAttachment", "storage.k8s.io/v1"),
}
"""Kinds that older recordings lack: their clusters had no volumes."""
_CORE_VERSIONS = b'{"kind":"APIVersions","apiVersion":"v1","versions":["v1"]}'


@cache
def _resources(group_version: str) -> bytes:
    """The discovery answer of a group and version: what is recorded of it, with the subresource that real servers list beside it."""
    prefix = "/api/v1/" if group_version == "v1" else f"/apis/{group_version}/"
    resources = []
    for path, name in LISTS.items():
        if path.startswith(prefix):
            listed = msgspec.json.decode(read("healthy", name), type=List)
            resource = {
                "name": name,
                "singularName": "",
                "namespaced": name not in _CLUSTER_SCOPED,
                "kind": listed.kind.removesuffix("List"),
            }
            short = {"shortNames": _SHORT_NAMES[name]} if name in _SHORT_NAMES else {}
            resources += [{**resource, "name": f"{name}/status", "verbs": ["get"]}, {**resource, **short, "verbs": ["get", "list"]}]
    return msgspec.json.encode(
        {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": resources}
    )


@dataclass(frozen=True)
class Reply:
    """An HTTP answer. Headers given here win over those that the server would send; None leaves one out."""

    status: int
    body: bytes
    headers: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Request:
    """What was asked for."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: "Message[str, str]"
    """A header that came several times is in it several times."""


class List(msgspec.Struct, rename="camel"):
    """A list of the API, its objects unread."""

    kind: str
    api_version: str
    metadata: dict[str, Any]
    items: list[msgspec.Raw]


class _Component(msgspec.Struct, frozen=True):
    component: str = ""


class _EventFields(msgspec.Struct, frozen=True, rename="camel"):
    """What an event can be selected by here, as the API server reads it (pkg/registry/core/event/strategy.go: ToSelectableFields)."""

    reason: str = ""
    source: _Component = _Component()
    reporting_component: str = ""

    def has(self, selector: str) -> bool:
        """Whether the event is selected. Raises KeyError for a field that is not selected by here."""
        name, _, value = selector.partition("=")
        return {"reason": self.reason, "source": self.source.component or self.reporting_component}[name] == value


class _Named(msgspec.Struct):
    metadata: msgspec.Raw


@cache
def read(recording: str, name: str) -> bytes:
    """One recorded answer, unpacked. Raises FileNotFoundError."""
    path = RECORDINGS / recording / f"{name}.json.gz"
    if name in _KINDS and not path.exists():
        kind, api_version = _KINDS[name]
        return msgspec.json.encode(List(f"{kind}List", api_version, {"resourceVersion": "1"}, []))
    return gzip.decompress((RECORDINGS / recording / f"{name}.json.gz").read_bytes())


@cache
def listed(recording: str, path: str, selector: str = "", *, only_metadata: bool = False) -> List:
    """A whole list as it was recorded, of it those that are selected, with metadata alone where that was asked for."""
    whole = msgspec.json.decode(read(recording, LISTS[path]), type=List)
    if selector:
        whole.items = [item for item in whole.items if msgspec.json.decode(item, type=_EventFields).has(selector)]
    if only_metadata:
        partial = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1"}
        named = [{**partial, "metadata": msgspec.json.decode(item, type=_Named).metadata} for item in whole.items]
        items = [msgspec.Raw(msgspec.json.encode(item)) for item in named]
        whole = List("PartialObjectMetadataList", "meta.k8s.io/v1", whole.metadata, items)
    return whole


def taken_at(recording: str) -> datetime:
    """When the recording was made."""
    return datetime.fromisoformat((RECORDINGS / recording / "taken-at").read_text().strip())


def token(start: int, later: str = "") -> str:
    """The continue token for the objects from there on; `later` is the resourceVersion of another moment than the first page's."""
    return b64encode(f"{start}@{later}".removesuffix("@").encode()).decode()


def moment_of(request: Request) -> tuple[int, str]:
    """What the request's continue token says: from which object on, and of which other moment. Raises ValueError where it is none."""
    start, _, later = b64decode(request.query.get("continue", "MA=="), validate=True).decode().partition("@")
    return int(start), later


def an_error(name: str) -> Reply:
    """A refusal of a real API server, from `recordings/errors`."""
    head, _, body = (RECORDINGS / "errors" / f"{name}.http").read_bytes().replace(b"\r\n", b"\n").partition(b"\n\n")
    status, *headers = head.decode().splitlines()
    kept = dict(header.split(": ", 1) for header in headers if header.startswith("content-type:"))
    return Reply(int(status.split()[1]), body, kept)


def forbidden(path: str, resource: str) -> Reply:
    """What an API server answers to a list that is not granted, as `403-nodepools.http` was recorded."""
    group = path.split("/")[2] if path.startswith("/apis/") else ""
    named = f"{resource}.{group}" if group else resource
    said = f'{named} is forbidden: User "jane" cannot list resource "{resource}" in API group "{group}" at the cluster scope'
    return Reply(403, msgspec.json.encode({"kind": "Status", "status": "Failure", "message": said, "code": 403}))


class _Server(ThreadingHTTPServer):
    """Says nothing of clients that go away, or that do not trust it."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class Replay:
    """A recording behind a port; use it in a `with` block.

    A page holds at most `page_size` items, or every list comes in as many `pages` as it has objects for, whatever is asked.
    """

    def __init__(
        self, recording: str, *, page_size: int = 500, pages: int | None = None, tls: ssl.SSLContext | None = None
    ) -> None:
        self.requests: list[Request] = []
        self.date: str | None = format_datetime(taken_at(recording), usegmt=True)
        self._recording = recording
        self._page_size = page_size
        self._pages = pages
        self._instead: dict[tuple[str, int], Reply] = {}
        self._always: dict[str, Reply] = {}
        self._only_for: str | None = None
        replay = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # or each answer waits 40 ms for the client's ACK

            def do_GET(self) -> None:
                address = urlsplit(self.path)
                replay._answer(self, Request(self.command, address.path, dict(parse_qsl(address.query)), self.headers))

            do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815  http.server's names; noted, so that a test can object

            def log_message(self, *_: object) -> None: ...

        self._server = _Server(("127.0.0.1", 0), Handler)
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self._server.server_port
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, path: str, reply: Reply, *, page: int = 1) -> None:
        """Answer this to the `page`-th request for a path."""
        self._instead[path, page] = reply

    def answer_always(self, path: str, reply: Reply) -> None:
        """Answer this to every request for a path."""
        self._always[path] = reply

    def let_in_only(self, authorization: str) -> None:
        """Answer 401 to every request without this Authorization header."""
        self._only_for = authorization

    def may_list_nothing(self) -> None:
        """Answer 403 to every list, as an API server does."""
        for path, resource in LISTS.items():
            self.answer_always(path, forbidden(path, resource))

    def paths(self) -> list[str]:
        """The paths that were asked for, each once, in order."""
        return list(dict.fromkeys(request.path for request in self.requests))

    def kubeconfig(
        self, folder: Path, *, server: str = "", user: Mapping[str, Any] | None = None, cluster: Mapping[str, Any] | None = None
    ) -> Path:
        """A kubeconfig in that folder for context `replay` of cluster `recorded`, with a token or as that user."""
        path = folder / "kubeconfig"
        path.write_bytes(
            msgspec.yaml.encode(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "current-context": "replay",
                    "contexts": [{"name": "replay", "context": {"cluster": "recorded", "user": "reader"}}],
                    "clusters": [{"name": "recorded", "cluster": {"server": server or self.url, **(cluster or {})}}],
                    "users": [{"name": "reader", "user": {"token": "a-token"} if user is None else user}],
                }
            )
        )
        return path

    def _answer(self, handler: BaseHTTPRequestHandler, request: Request) -> None:
        """Answer on the handler's connection."""
        self._write(handler, self._reply(request))

    def _write(self, handler: BaseHTTPRequestHandler, reply: Reply) -> None:
        headers = {"Date": self.date, "Content-Type": "application/json", "Content-Length": str(len(reply.body))}
        handler.send_response_only(reply.status)
        for name, value in (headers | dict(reply.headers)).items():
            if value is not None:
                handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(reply.body)
        handler.close_connection = "Content-Length" in reply.headers  # a length that lies cannot be followed by more

    def _reply(self, request: Request) -> Reply:
        self.requests.append(request)
        times = sum(earlier.path == request.path for earlier in self.requests)
        if self._only_for and request.headers["authorization"] != self._only_for:
            return an_error("401")
        if instead := self._instead.get((request.path, times)) or self._always.get(request.path):
            return instead
        if request.path in DISCOVERY:
            return Reply(200, read(self._recording, DISCOVERY[request.path]))
        if request.path == "/api":
            return Reply(200, _CORE_VERSIONS)
        if group_version := re.fullmatch(r"/api/(v1)|/apis/([^/]+/[^/]+)", request.path):
            named = group_version[1] or group_version[2]
            if named == "v1" or f'"{named}"'.encode() in read(self._recording, "apis"):
                return Reply(200, _resources(named))
        if request.path in OBJECTS:
            try:
                return Reply(200, read(self._recording, OBJECTS[request.path]))
            except FileNotFoundError:
                return an_error("404-group-version")
        return self._page(request) if request.path in LISTS else an_error("404-group-version")

    def _page(self, request: Request) -> Reply:
        selector = request.query.get("fieldSelector", "")
        only_metadata = "as=PartialObjectMetadataList" in request.headers.get("accept", "")
        whole = listed(self._recording, request.path, selector, only_metadata=only_metadata)
        most = ceil(len(whole.items) / self._pages) or 1 if self._pages else self._page_size
        try:
            start, later = moment_of(request)
            end = start + min(int(request.query.get("limit", "1000000")), most)
        except ValueError:
            return an_error("400-bad-continue")
        metadata: dict[str, Any] = {"resourceVersion": later or whole.metadata["resourceVersion"]}
        if end < len(whole.items):
            metadata["continue"] = token(end, later)
            if not selector:  # nobody knows how many of those that are left would be selected
                metadata["remainingItemCount"] = len(whole.items) - end
        return Reply(200, msgspec.json.encode(List(whole.kind, whole.api_version, metadata, whole.items[start:end])))
