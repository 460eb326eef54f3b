"""A cluster with Karpenter in it, as users have: a control plane, a node that is not Karpenter's, kubelets, and the controller."""

import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from tests.e2e.api import Api, Object
from tests.e2e.binaries import installed, program, version
from tests.e2e.control_plane import ControlPlane
from tests.e2e.crds import apply_crds
from tests.e2e.kubelet import Kubelets
from tests.e2e.server import Server, free_ports

MANAGED_NODE = "managed-1"
SETTINGS = {"BATCH_MAX_DURATION": "15s"}
"""What the controller is told. So many scenarios at once keep its batches open to the end, and a nomination, which holds for two of
them, must outlast a batch and the ten seconds after which a pod is looked at again."""


class Cluster:
    """A running cluster; a context manager that starts all of it, and always stops it.

    `karpenter` is the minor version of a folder under `modules/`, such as `1.13`.
    """

    api: Api
    kubeconfig: Path
    controller: Server

    def __init__(self, folder: Path, karpenter: str) -> None:
        self.folder, self.karpenter = folder, karpenter
        self._module = f"karpenter-{karpenter}"
        self._control_plane = ControlPlane(folder)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Raises `binaries.CannotBuild` and `server.Gone`."""
        with ExitStack() as stack:
            plane = stack.enter_context(self._control_plane)
            self.api, self.kubeconfig = plane.api, plane.kubeconfig
            apply_crds(plane, self._module)
            stack.enter_context(Kubelets(self.api))
            self.api.apply([{"apiVersion": "karpenter.kwok.sh/v1alpha1", "kind": "KWOKNodeClass", "metadata": {"name": "default"}}])
            self.api.apply(_own_node_and_controller(version(self._module, "sigs.k8s.io/karpenter").removeprefix("v")))
            self._start_controller(plane)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def evidence(self, name: str) -> str:
        """Where each server's log is, and a snapshot of this moment; and what the controller's last lines say of a name."""
        moment = self.folder / f"{name}.json.gz"
        command = (sys.executable, "-m", "karpenter_check", "snapshot", "--kubeconfig", self.kubeconfig, "-o", moment)
        subprocess.run(command, check=False, capture_output=True)
        lines = [line for line in self.controller.log.read_text(encoding="utf-8").splitlines() if name in line]
        return "\n".join(
            [str(moment), *(str(server.log) for server in self._control_plane.servers), *(line[:500] for line in lines[-5:])]
        )

    def kubeconfig_for(self, token: str, name: str) -> Path:
        """A kubeconfig for this cluster with another token."""
        return self._control_plane.kubeconfig_for(Api(self.api.url, self.api.ca, token), name)

    def kubectl(self, *words: str) -> str:
        """What kubectl prints. Raises `subprocess.CalledProcessError`."""
        where = ("--kubeconfig", str(self.kubeconfig), "--cache-dir", str(self.folder / "kubectl"))
        return subprocess.run((installed("kubectl"), *where, *words), check=True, capture_output=True, text=True).stdout

    def _start_controller(self, plane: ControlPlane) -> None:
        metrics, health = free_ports(2)
        self.controller = plane.start(
            (program(self._module, "kwok"),),
            {
                "KUBECONFIG": str(self.kubeconfig),
                "DISABLE_LEADER_ELECTION": "true",
                "METRICS_PORT": str(metrics),
                "HEALTH_PROBE_PORT": str(health),
                "SYSTEM_NAMESPACE": "kube-system",
                "KARPENTER_SERVICE": "karpenter",
                **SETTINGS,
            },
        )
        self.metrics_url = f"http://127.0.0.1:{metrics}/metrics"
        self.controller.wait_until(lambda: "Starting workers" in self.controller.said(200_000))


def _own_node_and_controller(karpenter: str) -> list[Object]:
    """A node that another autoscaler made, and Karpenter's Deployment on it, whose image tells the version.

    The controller itself runs beside the cluster: the Deployment's pods are the stand-in kubelet's, as all pods are.
    """
    labels = {"app.kubernetes.io/name": "karpenter"}
    resources = {"cpu": "4", "memory": "16Gi", "pods": "58"}
    return [
        {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {
                "name": MANAGED_NODE,
                "labels": {
                    "eks.amazonaws.com/nodegroup": "system",
                    "kubernetes.io/arch": "amd64",
                    "kubernetes.io/hostname": MANAGED_NODE,
                    "kubernetes.io/os": "linux",
                    "topology.kubernetes.io/zone": "test-zone-a",
                },
            },
            "spec": {
                "providerID": "aws:///test-zone-a/i-0123456789abcdef0",
                "taints": [{"key": "CriticalAddonsOnly", "effect": "NoSchedule"}],
            },
            "status": {"capacity": resources, "allocatable": resources},
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "karpenter", "namespace": "kube-system", "labels": labels},
            "spec": {
                "replicas": 2,
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {
                        "priorityClassName": "system-cluster-critical",
                        "tolerations": [{"key": "CriticalAddonsOnly", "operator": "Exists"}],
                        "nodeSelector": {"eks.amazonaws.com/nodegroup": "system"},
                        "containers": [
                            {
                                "name": "controller",
                                "image": f"public.ecr.aws/karpenter/controller:{karpenter}",
                                "env": [{"name": name, "value": value} for name, value in SETTINGS.items()],
                                "resources": {"requests": {"cpu": "500m", "memory": "512Mi"}},
                            }
                        ],
                    },
                },
            },
        },
    ]
