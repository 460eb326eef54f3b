"""Ctrl-C, SIGTERM and SIGHUP: they end the program at once, and one line says what it was doing."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from threading import Lock, Thread
from types import FrameType

import click

_WORDS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated", signal.SIGHUP: "hung up"}
_GRACE = 1.0
"""Seconds in which the program has to end by itself: it cannot while a C function runs, such as the one that resolves a name."""
_SHOW_CURSOR = "\x1b[?25h"

_first_to_speak = Lock()
_doing: list[str] = []
"""What the program is doing, the most precise last."""


class Ended(BaseException):
    """A signal asked the program to end. It is no Exception, so that nothing on its way takes it for a failure."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self._line = _line(number)
        self.code = _code(number)
        """What the process exits with: 130 for Ctrl-C, 143 for SIGTERM, 129 for SIGHUP, as when ssh drops."""

    def tell(self) -> None:
        """Say in one line that it ends, and what it was doing."""
        _tell(self._line)


@contextmanager
def doing(what: str) -> Iterator[Callable[[str], None]]:
    """Know what the program is doing meanwhile, as a word with -ing; what this gives tells it more precisely."""
    place = len(_doing)
    _doing.append(what)
    try:
        yield partial(_doing.__setitem__, place)
    finally:
        del _doing[place:]


def listen() -> None:
    """From now on a signal raises Ended in the main thread, and ends the process soon even where that is stuck."""
    heard, told = os.pipe()
    os.set_blocking(told, False)
    signal.set_wakeup_fd(told, warn_on_full_buffer=False)
    for number in _WORDS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as in a shell's background job, or after nohup: then it is not for us
            signal.signal(number, _end)
    Thread(target=_end_if_stuck, args=(heard,), daemon=True).start()


def deafen() -> None:
    """From now on signals change nothing: the program ends anyway, and what Python does last must not be torn."""
    for number in _WORDS:
        signal.signal(number, signal.SIG_IGN)


def _end(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  the signal module's signature
    ended = Ended(number)
    deafen()  # one is enough: a second Ctrl-C must not tear what the first one has to clean up
    raise ended


def _end_if_stuck(heard: int) -> None:
    """End the process some time after a signal. Where that has ended it, this is never reached."""
    number = os.read(heard, 1)[0]
    line = _line(number)
    time.sleep(_GRACE)
    _tell(line, show_cursor=True)
    os._exit(_code(number))


def _tell(line: str, *, show_cursor: bool = False) -> None:
    """Say it, if it is not said yet. Standard error may be gone."""
    if not _first_to_speak.acquire(blocking=False):
        return
    with suppress(OSError, ValueError, AttributeError):
        if sys.stderr.isatty():
            line = f"\r{line}"  # over the ^C that the terminal shows
            if show_cursor and os.environ.get("TERM") != "dumb":
                line = f"{_SHOW_CURSOR}{line}"
        click.echo(line, err=True)


def _line(number: int) -> str:
    return _WORDS[signal.Signals(number)] + (f" while {_doing[-1]}" if _doing else "")


def _code(number: int) -> int:
    return 128 + number
