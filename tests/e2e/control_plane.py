"""etcd, kube-apiserver, kube-controller-manager and kube-scheduler on free ports of the loopback."""

import json
import secrets
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import trustme
import urllib3
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.e2e.api import Api
from tests.e2e.binaries import KUBERNETES, program
from tests.e2e.server import Server, free_ports

_UNCONTROLLED = (
    "--disable-admission-plugins=ServiceAccount,TaintNodesByCondition",  # they count on controllers
    "--etcd-compaction-interval=0",  # a continue token stays good
)


class ControlPlane:
    """A Kubernetes cluster without nodes; a context manager that starts it, and always stops it.

    Without `controllers` it is etcd and kube-apiserver alone, which keep what they are told as it is.
    """

    api: Api
    kubeconfig: Path

    def __init__(self, folder: Path, *, controllers: bool = True) -> None:
        self.folder = folder
        self._controllers = controllers
        self.servers: list[Server] = []
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Start it. Raises `binaries.CannotBuild` and `server.Gone`."""
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def start(self, command: tuple[str | Path, ...], environment: dict[str, str] | None = None) -> Server:
        """Start a server that is stopped with the cluster."""
        server = Server(command, self.folder, environment)
        self.servers.append(server)
        self._stack.callback(server.stop)
        return server

    def wait_until(self, ready: Callable[[], bool]) -> None:
        """Ask `ready` until it says so, as long as the API server runs. Raises `Gone`."""
        self._apiserver.wait_until(ready)

    def kubeconfig_for(self, api: Api, name: str) -> Path:
        """A kubeconfig with that server, and that token."""
        file = self.folder / f"{name}.kubeconfig"
        file.write_text(json.dumps(_kubeconfig(api)), encoding="utf-8")
        file.chmod(0o600)
        return file

    def _start(self) -> None:
        client, peer, secure = free_ports(3)
        ca = trustme.CA()
        ca.cert_pem.write_to_path(self.folder / "ca.pem")
        ca.issue_cert("127.0.0.1", "localhost").private_key_and_cert_chain_pem.write_to_path(self.folder / "server.pem")
        key = self._service_account_key()
        token = secrets.token_hex(16)
        (self.folder / "tokens.csv").write_text(f'{token},admin,admin,"system:masters"\n', encoding="utf-8")
        self.api = Api(f"https://127.0.0.1:{secure}", self.folder / "ca.pem", token)
        self.kubeconfig = self.kubeconfig_for(self.api, "admin")
        etcd = self.start(
            (
                program(KUBERNETES, "etcd"),
                f"--data-dir={self.folder / 'etcd'}",
                f"--listen-client-urls=http://127.0.0.1:{client}",
                f"--advertise-client-urls=http://127.0.0.1:{client}",
                f"--listen-peer-urls=http://127.0.0.1:{peer}",
                "--unsafe-no-fsync",
            )
        )
        etcd.wait_until(lambda: _answers(f"http://127.0.0.1:{client}/health"))
        self._apiserver = self.start(
            (
                program(KUBERNETES, "kube-apiserver"),
                f"--etcd-servers=http://127.0.0.1:{client}",
                "--bind-address=127.0.0.1",
                f"--secure-port={secure}",
                "--endpoint-reconciler-type=none",
                "--authorization-mode=RBAC",
                f"--token-auth-file={self.folder / 'tokens.csv'}",
                f"--tls-cert-file={self.folder / 'server.pem'}",
                f"--tls-private-key-file={self.folder / 'server.pem'}",
                "--service-account-issuer=https://kubernetes.default.svc",
                f"--service-account-key-file={key}",
                f"--service-account-signing-key-file={key}",
                "--service-cluster-ip-range=10.0.0.0/24",
                *(() if self._controllers else _UNCONTROLLED),
            )
        )
        self._apiserver.wait_until(lambda: self.api.answers("/readyz"))
        if self._controllers:
            self._start_controllers(key)

    def _start_controllers(self, key: Path) -> None:
        manager, scheduler = free_ports(2)
        self.start(
            (
                program(KUBERNETES, "kube-controller-manager"),
                f"--kubeconfig={self.kubeconfig}",
                f"--service-account-private-key-file={key}",
                "--leader-elect=false",
                "--bind-address=127.0.0.1",
                f"--secure-port={manager}",
                f"--cert-dir={self.folder / 'manager'}",
                "--node-monitor-grace-period=1h",  # nobody renews the nodes' leases
            )
        ).wait_until(lambda: self.api.answers("/api/v1/namespaces/default/serviceaccounts/default"))
        self.start(
            (
                program(KUBERNETES, "kube-scheduler"),
                f"--kubeconfig={self.kubeconfig}",
                "--leader-elect=false",
                "--bind-address=127.0.0.1",
                f"--secure-port={scheduler}",
                f"--cert-dir={self.folder / 'scheduler'}",
            )
        )

    def _service_account_key(self) -> Path:
        """The private key that signs tokens of ServiceAccounts; its public half is in the same file."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        file = self.folder / "service-account.pem"
        file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
            )
        )
        return file


def _answers(url: str) -> bool:
    try:
        return urllib3.request("GET", url, timeout=2, retries=False).status == 200
    except urllib3.exceptions.HTTPError:
        return False


def _kubeconfig(api: Api) -> object:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "e2e",
        "contexts": [{"name": "e2e", "context": {"cluster": "e2e", "user": "e2e"}}],
        "clusters": [{"name": "e2e", "cluster": {"server": api.url, "certificate-authority": str(api.ca)}}],
        "users": [{"name": "e2e", "user": {"token": api.token}}],
    }
