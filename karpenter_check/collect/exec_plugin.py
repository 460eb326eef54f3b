"""Exec credential plugins: `aws eks get-token`, `gke-gcloud-auth-plugin`, `kubelogin` and the like.

https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
"""

import atexit
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path

import msgspec

from karpenter_check.collect.kubeconfig import Exec
from karpenter_check.collect.refusal import CannotScan
from karpenter_check.collect.undecodable import UNDECODABLE

_ENDING = [signal.Signals[name] for name in ("SIGINT", "SIGTERM", "SIGHUP") if name in signal.Signals.__members__]
"""What ends the program; not every system knows all."""
_LONGEST = 200


class Given(msgspec.Struct, frozen=True, rename="camel"):
    """`status` of an ExecCredential."""

    token: str = ""
    client_certificate_data: str = ""
    client_key_data: str = ""

    def __repr__(self) -> str:
        return "Given(…)"


class _ExecCredential(msgspec.Struct, rename="camel"):
    api_version: str
    kind: str
    status: dict[str, str | None] = {}


class ExecPlugin:
    """A program that prints credentials. It is run quietly: nobody is asked anything, and nothing that it says is told.

    What it complains of may quote whatever it was given or got (tokens, passwords, login codes), in forms that nobody can list.
    Its arguments and environment may be secret, too: errors name the program alone.
    """

    def __init__(self, config: Exec, folder: Path, cluster_info: dict[str, object], timeout: float) -> None:
        """`folder` is the kubeconfig's: a command with a slash in it is relative to it. `timeout` is in seconds."""
        self._config = config
        self._cluster_info = cluster_info
        self._timeout = timeout
        named_by_path = os.sep in config.command or bool(os.altsep and os.altsep in config.command)
        self._command = str(folder / config.command) if named_by_path else config.command

    def __str__(self) -> str:
        return f"exec plugin {self._config.command!r}"

    def run(self) -> Given:
        """The credentials. Raises CannotScan, in one line that names the plugin."""
        if self._config.interactive_mode == "Always":
            raise CannotScan(f"{self} wants a terminal (interactiveMode: Always), which karpenter-check does not give it")
        printed = self._printed()
        try:
            credential = msgspec.json.decode(printed, type=_ExecCredential)
            status = {name: value for name, value in credential.status.items() if value is not None}
            given = msgspec.convert(status, Given)
        except UNDECODABLE:  # from None: the output may be half a token
            raise CannotScan(f"{self} printed no ExecCredential; run it by hand to see what it prints") from None
        if credential.kind != "ExecCredential":
            raise CannotScan(f"{self} printed no ExecCredential; run it by hand to see what it prints")
        if credential.api_version != self._config.api_version:
            raise CannotScan(
                f"{self} speaks another apiVersion than the kubeconfig's {self._config.api_version}; write the entry anew"
            )
        if not (given.token or (given.client_certificate_data and given.client_key_data)):
            raise CannotScan(f"{self} gave neither a token nor a client certificate with its key")
        return given

    def _printed(self) -> bytes:
        with ExitStack() as ends:
            with _signals_held():
                process = self._start()
                end = partial(_end, process)
                ends.callback(atexit.unregister, end)
                ends.callback(end)
                atexit.register(end)  # where this runs in a thread, the process does not wait for it
            try:
                output, _ = process.communicate(timeout=self._timeout)
            except subprocess.TimeoutExpired:
                raise CannotScan(
                    f"{self} did not end within {self._timeout:g} s; if it waits for a login, log in by hand first, or raise --request-timeout"
                ) from None
        if process.returncode:
            raise CannotScan(
                f"{self} failed with exit code {process.returncode}; run it by hand to see what it says, or log in again"
            )
        return output

    def _start(self) -> "subprocess.Popen[bytes]":
        try:
            return subprocess.Popen(  # noqa: S603  the kubeconfig says what to run; it is the user's own
                [self._command, *self._config.args],
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except FileNotFoundError:
            hint = f": {_clipped(self._config.install_hint)}" if self._config.install_hint else ""
            raise CannotScan(f"{self} is not installed, or not in PATH{hint}") from None
        except (OSError, ValueError) as error:
            reason = (error.strerror or "").lower() if isinstance(error, OSError) else "its arguments cannot be passed"
            raise CannotScan(f"{self} cannot be run: {reason}") from None

    def _environment(self) -> dict[str, str]:
        spec = {"interactive": False, **({"cluster": self._cluster_info} if self._config.provide_cluster_info else {})}
        info = {"apiVersion": self._config.api_version, "kind": "ExecCredential", "spec": spec}
        variables = {variable.name: variable.value for variable in self._config.env}
        return {**os.environ, **variables, "KUBERNETES_EXEC_INFO": msgspec.json.encode(info).decode()}


def _clipped(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End a plugin that did not end, and what it started: that holds the pipe open, too."""
    if process.poll() is None:
        if sys.platform == "win32":
            process.kill()
        else:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if process.stdout:
        process.stdout.close()


@contextmanager
def _signals_held() -> Iterator[None]:
    """Ctrl-C, SIGTERM and SIGHUP wait meanwhile: a plugin that is being started has no number yet by which it could be ended."""
    came: list[int] = []
    here = threading.current_thread() is threading.main_thread()  # others are not interrupted
    before = {number: signal.getsignal(number) for number in _ENDING} if here else {}
    held = {number: handler for number, handler in before.items() if callable(handler)}
    try:
        for number in held:
            signal.signal(number, lambda number, _: came.append(number))
        yield
    finally:
        for number, handler in held.items():
            signal.signal(number, handler)
    for one in came:
        signal.raise_signal(one)
