"""A call that is over when its time is over, whatever it waits for."""

from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import TypeVar

Value = TypeVar("Value")


def bounded(call: Callable[[], Value], seconds: float) -> Value:
    """What the call returns, or raises. It is made in a thread of its own, a daemon, which is left behind when it takes too long.

    A socket's own timeout bounds each read, so a server that drips bytes, or headers, would never meet it. Raises TimeoutError.
    """
    done: Future[Value] = Future()

    def make() -> None:
        try:
            done.set_result(call())
        except BaseException as error:  # noqa: BLE001  it is raised again where it is waited for
            done.set_exception(error)

    Thread(target=make, name="bounded", daemon=True).start()
    return done.result(max(0.0, seconds))
