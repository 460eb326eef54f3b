"""The tests' own way to a cluster's API server: JSON in, JSON out."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import urllib3

Object = dict[str, Any]

_PLURALS = {"NodeClass": "nodeclasses", "KWOKNodeClass": "kwoknodeclasses", "EC2NodeClass": "ec2nodeclasses"}
_CLUSTER_SCOPED = {
    "ClusterRole",
    "ClusterRoleBinding",
    "CustomResourceDefinition",
    "EC2NodeClass",
    "KWOKNodeClass",
    "Namespace",
    "Node",
    "NodePool",
    "PersistentVolume",
}


class Refused(Exception):
    """The API server said no; `status` is HTTP's."""

    def __init__(self, status: int, path: str, body: str) -> None:
        super().__init__(f"{status} {path}: {body}")
        self.status = status


class Api:
    """One API server, asked with one token."""

    def __init__(self, url: str, ca: Path, token: str) -> None:
        self.url, self.ca, self.token = url, ca, token
        self._pool = urllib3.PoolManager(ca_certs=str(ca), maxsize=64, headers={"Authorization": f"Bearer {token}"})

    def ask(self, method: str, path: str, body: object = None, kind: str = "application/json", **query: str) -> Object:
        """The answer, decoded. Raises `Refused`."""
        answer = self._pool.request(
            method,
            f"{self.url}{path}" + (f"?{urlencode(query)}" if query else ""),
            body=None if body is None else json.dumps(body),
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": kind},
            timeout=30,
            retries=False,
        )
        if answer.status >= 300:
            raise Refused(answer.status, path, answer.data[:500].decode(errors="replace"))
        found: Object = json.loads(answer.data) if answer.data[:1] == b"{" else {}
        return found

    def items(self, path: str, **query: str) -> list[Object]:
        """A list's items."""
        found: list[Object] = self.ask("GET", path, **query).get("items") or []
        return found

    def apply(self, manifests: Iterable[Mapping[str, Any]], manager: str = "kubectl") -> None:
        """Make them so, as `kubectl apply --server-side` does. Raises `Refused`."""
        for manifest in manifests:
            self.ask("PATCH", path_of(manifest), manifest, "application/apply-patch+yaml", fieldManager=manager, force="true")

    def answers(self, path: str) -> bool:
        """Whether a GET of the path is answered well."""
        try:
            self.ask("GET", path)
        except (Refused, urllib3.exceptions.HTTPError):
            return False
        return True


def path_of(manifest: Mapping[str, Any]) -> str:
    """Where the API server keeps such an object."""
    version, kind, metadata = manifest["apiVersion"], manifest["kind"], manifest["metadata"]
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    plural = _PLURALS.get(kind, f"{kind.lower()}s")
    scope = "" if kind in _CLUSTER_SCOPED else f"/namespaces/{metadata.get('namespace', 'default')}"
    return f"{root}{scope}/{plural}/{metadata['name']}"
