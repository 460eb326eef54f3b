"""One server program, from its start until it is stopped."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path


class Gone(Exception):
    """A server ended by itself, or was not ready in time; with the end of what it wrote."""


def free_ports(count: int) -> list[int]:
    """Ports of the loopback that nobody listens on."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [entry.getsockname()[1] for entry in sockets]


class Server:
    """A program that runs until `stop`, or until this process dies; what it writes is in `log`."""

    def __init__(self, command: tuple[str | Path, ...], folder: Path, environment: Mapping[str, str] | None = None) -> None:
        self.name = Path(command[0]).name
        self.log = folder / f"{self.name}.log"
        follow = ("setpriv", "--pdeathsig", "KILL", "--") if shutil.which("setpriv") else ()
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                (*follow, *command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **(environment or {})},
                cwd=folder,
            )

    def wait_until(self, ready: Callable[[], bool], seconds: float = 120) -> None:
        """Ask `ready` until it says so. Raises `Gone`."""
        deadline = time.monotonic() + seconds
        while not ready():
            if self._process.poll() is not None:
                raise Gone(f"{self.name} ended with {self._process.returncode}:\n{self.said()}")
            if time.monotonic() > deadline:
                raise Gone(f"{self.name} was not ready after {seconds:.0f} s:\n{self.said()}")
            time.sleep(0.1)

    def said(self, characters: int = 3000) -> str:
        """The end of its log."""
        return self.log.read_text(encoding="utf-8", errors="replace")[-characters:]

    def stop(self) -> None:
        """Ask it to end, and make it."""
        self._process.terminate()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
