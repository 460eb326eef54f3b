"""A stand-in for the kubelets that kwok's nodes lack: nodes become Ready, bound pods run, deleted pods end."""

import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Self

import urllib3

from tests.e2e.api import Api, Object, Refused

IGNORES_SIGTERM = "e2e/ignores-sigterm"
"""A pod with this annotation takes its whole grace period to end."""
NEVER_READY = "e2e/never-ready"
"""A node with this label stays NotReady."""

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
                for node in self._api.items("/api/v1/nodes", resourceVersion="0"):
                    self._join(node)
                for pod in self._api.items("/api/v1/pods", resourceVersion="0"):
                    self._run(pod)
            except (Refused, urllib3.exceptions.HTTPError):
                continue  # what was there a moment ago is gone, or the server is: the next round sees

    def _join(self, node: Object) -> None:
        """As a kubelet's first heartbeat; the node lifecycle controller then takes `node.kubernetes.io/not-ready` off."""
        if not _is(node, "Ready") and NEVER_READY not in node["metadata"].get("labels", {}):
            ready = _condition("Ready", reason="KubeletReady", message="kubelet is posting ready status")
            body = {"conditions": [{**ready, "lastHeartbeatTime": _now()}], "nodeInfo": {"kubeletVersion": "v1.36.3"}}
            self._patch(node, f"/api/v1/nodes/{node['metadata']['name']}", body)

    def _run(self, pod: Object) -> None:
        metadata = pod["metadata"]
        path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"
        if not pod["spec"].get("nodeName"):
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


def _is(found: Object, condition: str) -> bool:
    return any(entry["type"] == condition and entry["status"] == "True" for entry in found.get("status", {}).get("conditions", ()))


def _condition(name: str, reason: str = "", message: str = "") -> dict[str, str]:
    return {"type": name, "status": "True", "lastTransitionTime": _now(), "reason": reason, "message": message}


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")  # noqa: TID251  kubelets have clocks
