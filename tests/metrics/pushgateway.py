"""A real Pushgateway on a free port of the loopback."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from ssl import SSLContext, create_default_context
from time import monotonic, sleep
from typing import Any, TypeAlias
from urllib.error import HTTPError, URLError
from urllib.request import HTTPSHandler, Request, build_opener

import msgspec
import pytest

Series: TypeAlias = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def installed(program: str) -> str:
    """Where a Debian program is; without it CI fails, and a laptop skips the test."""
    found = shutil.which(program)
    if found is None:
        if os.environ.get("CI"):
            pytest.fail(f"CI needs {program}; .ci/run installs it")
        pytest.skip(f"{program} is not installed")
    return found


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
        return {
            (name, tuple(sorted((key, value) for key, value in sample.get("labels", {}).items() if key not in found["labels"] and key != "instance"))): float(sample["value"])
            for name, family in found.items()
            if name.startswith("karpenter_check_")
            for sample in family["metrics"]
        }  # fmt: skip


@contextmanager
def a_pushgateway(
    folder: Path, *arguments: str, tls: SSLContext | None = None, authorization: str = "", prefix: str = ""
) -> Iterator[Pushgateway]:
    """A gateway with these arguments, until the block ends."""
    program = installed("prometheus-pushgateway")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
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
