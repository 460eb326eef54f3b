"""The benchmarks' made cluster in a real API server, written as controllers and kubelets would: times and managedFields are the server's own.

`python -m tests.e2e.loaded FOLDER PODS KARPENTER` prints the kubeconfig, and keeps the server until its standard input ends. The folder is
the server's; nobody else works on what is in it.
"""

import json
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

from tests.benchmarks.made import LISTS, List
from tests.benchmarks.plan import WORKLOADS, plan
from tests.e2e.api import Api, Object
from tests.e2e.control_plane import ControlPlane
from tests.e2e.crds import apply_crds

_THREADS = 16
_TOLD = 2000
"""Objects between two words of progress."""
_OURS = ("name", "generateName", "namespace", "labels", "annotations", "ownerReferences", "finalizers")
"""Of metadata, what is not the server's to say."""


class _Load:
    def __init__(self, api: Api) -> None:
        self._api = api
        self._uids: dict[str, str] = {}
        """What the server made of the plan's UIDs."""
        self._namespaces = {"default", "kube-system"}

    def of(self, entry: List, made: Iterable[Object | bytes]) -> None:
        """Write one list's objects, many at a time."""
        count, rest = 0, iter(made)
        with ThreadPoolExecutor(_THREADS) as threads:
            while some := list(islice(rest, _TOLD)):
                objects = [json.loads(one) if isinstance(one, bytes) else one for one in some]
                self._make_namespaces(objects)
                list(threads.map(lambda one: self._write(entry, one), objects))
                count += len(objects)
                sys.stderr.write(f"{count:>7,} x {entry.kind}\n")

    def _make_namespaces(self, objects: Iterable[Object]) -> None:
        for name in sorted({one["metadata"].get("namespace", "default") for one in objects} - self._namespaces):
            self._api.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}])
            self._namespaces.add(name)

    def _write(self, entry: List, made: Object) -> None:
        """Create it, and then say how it is, as its managers."""
        metadata = {key: value for key, value in made["metadata"].items() if key in _OURS}
        for owner in metadata.get("ownerReferences", ()):
            owner["uid"] = self._uids.get(owner["uid"], owner["uid"])
        managers = {one.get("subresource", ""): one["manager"] for one in reversed(made["metadata"]["managedFields"])}
        body = {**made, "apiVersion": entry.version, "kind": entry.kind, "metadata": metadata}
        path = _namespaced(entry.path, metadata.get("namespace", ""))
        created = self._api.ask("POST", path, {key: body[key] for key in body if key != "status"}, fieldManager=managers[""])
        self._uids[made["metadata"]["uid"]] = created["metadata"]["uid"]
        if "status" in made:
            whole = {**created, "status": made["status"]}
            self._api.ask("PUT", f"{path}/{metadata['name']}/status", whole, fieldManager=managers["status"])


def load(api: Api, pods: int) -> None:
    """Write a cluster of so many pods. Raises `api.Refused`."""
    cluster = plan(pods, WORKLOADS, seed=1)
    loading = _Load(api)
    for entry in LISTS:
        if not entry.variant:
            loading.of(entry, entry.objects(cluster))


def _namespaced(path: str, namespace: str) -> str:
    version, _, plural = path.rpartition("/")
    return f"{version}/namespaces/{namespace}/{plural}" if namespace else path


def serve(folder: Path, pods: int, karpenter: str) -> None:
    """Print the kubeconfig of a loaded server, and keep that until standard input ends."""
    with ControlPlane(folder, controllers=False) as plane:
        apply_crds(plane, f"karpenter-{karpenter}")
        load(plane.api, pods)
        print(plane.kubeconfig, flush=True)  # noqa: T201  who started it reads it
        sys.stdin.read()


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
