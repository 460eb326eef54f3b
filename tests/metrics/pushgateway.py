"""A real Pushgateway on a free port of the loopback, and servers that answer as no Pushgateway should."""

import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from ssl import SSLContext, create_default_context
from time import monotonic, sleep
from typing import Any, TypeAlias
from urllib.error import HTTPError, URLError
from urllib.request import HTTPSHandler, Request, build_opener

import bcrypt
import msgspec
import trustme

from tests.programs import installed

SECRET = "c4n4ry-p4ssw0rd"  # noqa: S105  it opens nothing but these tests' own gateway
Series: TypeAlias = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def a_free_port() -> int:
    """A port of the loopback on which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


@dataclass(frozen=True)
class Pushgateway:
    """A gateway that runs."""

    url: str
    authorization: str = ""
    context: SSLContext | None = None

    def groups(self) -> list[dict[str, Any]]:
        """Its groups, as its own API tells them."""
        headers = {"Authorization": self.authorization} if self.authorization else {}
        with build_opener(HTTPSHandler(context=self.context)).open(
            Request(f"{self.url}/api/v1/metrics", headers=headers), timeout=5
        ) as answer:
            found: list[dict[str, Any]] = msgspec.json.decode(answer.read())["data"]
        return found

    def group(self, **labels: str) -> Series:
        """The samples of one group, without its own labels and the gateway's own families."""
        (found,) = [group for group in self.groups() if group["labels"] == {"job": "karpenter-check", **labels}]
        without = {*found["labels"], "instance"}
        return {
            (series, tuple(sorted((key, value) for key, value in labels.items() if key not in without))): value
            for name, family in found.items()
            if name.startswith("karpenter_check_")
            for sample in family["metrics"]
            for series, labels, value in _series(name, sample)
        }


def _series(name: str, sample: dict[str, Any]) -> Iterator[tuple[str, dict[str, str], float]]:
    """What Prometheus makes of a sample: of a histogram's, several series."""
    labels = sample.get("labels", {})
    if "value" in sample:
        yield name, labels, float(sample["value"])
        return
    for bound, count in {**sample["buckets"], "+Inf": sample["count"]}.items():
        yield f"{name}_bucket", {**labels, "le": str(float(bound))}, float(count)
    yield f"{name}_sum", labels, float(sample["sum"])
    yield f"{name}_count", labels, float(sample["count"])


@contextmanager
def a_pushgateway(
    folder: Path, *arguments: str, tls: SSLContext | None = None, authorization: str = "", prefix: str = "", port: int = 0
) -> Iterator[Pushgateway]:
    """A gateway with these arguments, until the block ends; on a free port, if none is named."""
    program = installed("prometheus-pushgateway")
    port = port or a_free_port()
    log = (folder / "pushgateway.log").open("wb")
    process = subprocess.Popen(
        [program, f"--web.listen-address=127.0.0.1:{port}", "--persistence.file=", *arguments], stdout=log, stderr=log
    )
    gateway = Pushgateway(f"{'https' if tls else 'http'}://127.0.0.1:{port}{prefix}", authorization, tls)
    try:
        deadline = monotonic() + 20
        while True:
            try:
                gateway.groups()
                break
            except HTTPError:
                raise
            except (URLError, ConnectionError):
                assert process.poll() is None, (folder / "pushgateway.log").read_text()
                assert monotonic() < deadline, "the Pushgateway does not come up"
                sleep(0.05)
        yield gateway
    finally:
        process.terminate()
        process.wait()
        log.close()


def trusting(ca_file: Path) -> SSLContext:
    """A context that trusts one CA."""
    return create_default_context(cafile=ca_file)


def a_secured_gateway(folder: Path) -> tuple[str, ...]:
    """Arguments for a gateway with TLS and a password."""
    ca = trustme.CA()
    certificate = ca.issue_cert("127.0.0.1")
    ca.cert_pem.write_to_path(folder / "ca.pem")
    certificate.private_key_pem.write_to_path(folder / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    hashed = bcrypt.hashpw(SECRET.encode(), bcrypt.gensalt(4)).decode()
    (folder / "web.yml").write_text(
        f"tls_server_config: {{cert_file: {folder}/cert.pem, key_file: {folder}/key.pem}}\nbasic_auth_users: {{scraper: {hashed}}}\n"
    )
    return (f"--web.config.file={folder}/web.yml",)


class OddGateway(ThreadingHTTPServer):
    """A gateway that always gives one answer, and counts how often."""

    def __init__(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.asked: list[tuple[str, str]] = []
        odd = self

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                odd.asked.append((self.command, self.headers.get("Authorization", "")))
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_DELETE = do_PUT  # noqa: N815  http.server's names

            def log_message(self, *_: object) -> None: ...

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.server_port}"

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()
