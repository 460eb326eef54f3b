"""Objects on their way into a snapshot file: written away as they stream by, read again when all is known."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from tempfile import TemporaryFile
from typing import IO, Any, Self

import msgspec

from karpenter_check.collect.decode import decode_object
from karpenter_check.snapshot import Kind

_BUFFER = 1 << 20
"""Bytes that are gathered before they are written."""


class SpoolFailed(Exception):
    """The folder for temporary files does not take what has to be kept: the message names it and says what to do.

    It is no OSError, so that none of the input's or of the network's is taken for it.
    """


@contextmanager
def _on_disk() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        folder = tempfile.tempdir or "the folder for temporary files"
        reason = (error.strerror or str(error)).removesuffix(" on device")
        raise SpoolFailed(f"{folder}: {reason[:1].lower()}{reason[1:]}; set TMPDIR to a folder with room") from error


class Spool:
    """One temporary file without a name for each kind, an object a line; use it in a `with` block, which takes them away.

    Nothing of an object stays in memory. Everything raises SpoolFailed where the disk is full.
    """

    def __init__(self) -> None:
        self._files: dict[Kind, IO[bytes]] = {}
        self._sizes: dict[Kind, int] = dict.fromkeys(Kind, 0)
        self._encode = msgspec.json.Encoder().encode
        self._open = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # a full disk takes what is still to be written no better; nobody reads it
            self._open.close()

    def add(self, kind: Kind, entry: Any) -> None:
        """Write one object of the model away."""
        line = self._encode(entry)
        with _on_disk():
            file = self._files.get(kind)
            if file is None:
                file = self._files[kind] = self._open.enter_context(TemporaryFile(buffering=_BUFFER))  # noqa: SIM115  closed with the spool
            file.write(line)
            file.write(b"\n")
        self._sizes[kind] += len(line) + 1

    def mark(self, kind: Kind) -> int:
        """How many bytes of a kind were written: where to come back to."""
        return self._sizes[kind]

    def truncate(self, kind: Kind, mark: int) -> None:
        """Forget what was written of a kind after a mark: its list is listed again."""
        if kind in self._files:
            with _on_disk():
                self._files[kind].seek(mark)
                self._files[kind].truncate()
            self._sizes[kind] = mark

    def lines(self, kind: Kind) -> Iterator[bytes]:
        """The objects of a kind as JSON, in the order in which they came."""
        file = self._files.get(kind)
        if file is None:
            return
        with _on_disk():
            file.seek(0)
        for line in file:
            yield line[:-1]

    def objects(self, kind: Kind) -> Iterator[Any]:
        """The objects of a kind, in the order in which they came."""
        for line in self.lines(kind):
            yield decode_object(kind, line)
