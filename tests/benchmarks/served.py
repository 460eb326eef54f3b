"""A made cluster behind a port, in a process of its own."""

import json
import sys
from http.client import HTTPConnection
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Self

_ROOT = Path(__file__).parent.parent.parent


class Served:
    """The server of a folder; use it in a `with` block."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "tests.benchmarks.server", str(self._folder)]
        self._process = Popen(command, stdin=PIPE, stdout=PIPE, text=True, cwd=_ROOT)
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())
        self.url = f"http://127.0.0.1:{self.port}"
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()  # its standard input ends, and so it does

    def requests(self) -> list[tuple[str, str]]:
        """Path with query, and Accept header, of each request since the last call."""
        connection = HTTPConnection("127.0.0.1", self.port)
        connection.request("GET", "/requests")
        asked = json.loads(connection.getresponse().read())
        connection.close()
        return [(target, accept) for target, accept in asked]

    def kubeconfig(self, folder: Path) -> Path:
        """A kubeconfig for this server, in that folder."""
        path = folder / "kubeconfig"
        path.write_text(
            json.dumps(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "current-context": "made",
                    "contexts": [{"name": "made", "context": {"cluster": "made", "user": "reader"}}],
                    "clusters": [{"name": "made", "cluster": {"server": self.url}}],
                    "users": [{"name": "reader", "user": {"token": "a-token"}}],
                }
            )
        )
        return path

    def curl_config(self, folder: Path, asked: list[tuple[str, str]]) -> Path:
        """What makes one `curl` ask for the same, over one connection, and throw it away. It prints the size of each answer."""
        path = folder / "curl"
        entries = (
            f'url = "{self.url}{target}"\nheader = "Accept: {accept}"\noutput = "/dev/null"\nfail\nwrite-out = "%{{size_download}}\\n"\n'
            for target, accept in asked
        )
        path.write_text("next\n".join(entries))
        return path
