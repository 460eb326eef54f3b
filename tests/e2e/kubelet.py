"""A stand-in for the kubelets that kwok's nodes lack: nodes become Ready, bound pods run, deleted pods end."""

import threading
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any, Self

import urllib3

from tests.e2e.api import Api, Object, Refused

IGNORES_SIGTERM = "e2e/ignores-sigterm"
"""A pod with this annotation takes its whole grace period to end."""
NEVER_READY = "e2e/never-ready"
"""The kubelet of a node with this label says that it is not Ready, and runs nothing."""

_NO_NETWORK = (
    "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:cni plugin not initialized"
)
_MERGE = "application/strategic-merge-patch+json"


class Kubelets:
    """All nodes' kubelets, in one thread; a context manager."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="kubelets", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._ended.wait(0.3):
            try:
                nodes = self._api.items("/api/v1/nodes", resourceVersion="0")
                for node in nodes:
                    self._join(node)
                ready = {node["metadata"]["name"] for node in nodes if _ready(node) == "True"}
                for pod in self._api.items("/api/v1/pods", resourceVersion="0"):
                    self._run(pod, ready)
            except (Refused, urllib3.exceptions.HTTPError):
                continue  # what was there a moment ago is gone, or the server is: the next round sees

    def _join(self, node: Object) -> None:
        """As a kubelet's first heartbeat; the node lifecycle controller then takes `node.kubernetes.io/not-ready` off."""
        if _ready(node):
            return
        said = _condition("Ready", reason="KubeletReady", message="kubelet is posting ready status")
        if NEVER_READY in node["metadata"].get("labels", {}):
            said |= {"status": "False", "reason": "KubeletNotReady", "message": _NO_NETWORK}
        body = {"conditions": [{**said, "lastHeartbeatTime": _now()}], "nodeInfo": {"kubeletVersion": "v1.36.3"}}
        self._patch(node, f"/api/v1/nodes/{node['metadata']['name']}", body)

    def _run(self, pod: Object, ready: Collection[str]) -> None:
        metadata = pod["metadata"]
        path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"
        if pod["spec"].get("nodeName") not in ready:
            return
        if "deletionTimestamp" in metadata:
            late = metadata["deletionTimestamp"] <= _now()
            if late or IGNORES_SIGTERM not in metadata.get("annotations", {}):
                self._api.ask("DELETE", path, {"gracePeriodSeconds": 0, "preconditions": {"uid": metadata["uid"]}})
        elif pod["status"].get("phase") == "Pending":
            self._patch(pod, path, _running(pod))

    def _patch(self, found: Object, path: str, status: Mapping[str, Any]) -> None:
        self._api.ask("PATCH", f"{path}/status", {"metadata": {"uid": found["metadata"]["uid"]}, "status": status}, _MERGE)


def _running(pod: Object) -> Object:
    conditions = ("PodReadyToStartContainers", "Initialized", "ContainersReady", "Ready")
    return {
        "phase": "Running",
        "startTime": _now(),
        "hostIP": "127.0.0.1",
        "podIP": "10.1.0.1",
        "podIPs": [{"ip": "10.1.0.1"}],
        "conditions": [_condition(name) for name in conditions],
        "containerStatuses": [
            {
                "name": container["name"],
                "image": container["image"],
                "imageID": "",
                "ready": True,
                "started": True,
                "restartCount": 0,
                "state": {"running": {"startedAt": _now()}},
            }
            for container in pod["spec"]["containers"]
        ],
    }


def _ready(node: Object) -> str:
    """What its kubelet said of it last: True or False; empty, if nothing yet."""
    conditions = {entry["type"]: entry["status"] for entry in node.get("status", {}).get("conditions", ())}
    return str(conditions.get("Ready", ""))


def _condition(name: str, reason: str = "", message: str = "") -> dict[str, str]:
    return {"type": name, "status": "True", "lastTransitionTime": _now(), "reason": reason, "message": message}


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")  # noqa: TID251  kubelets have clocks
