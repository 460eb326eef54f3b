"""One step ahead: while this value is looked at, the next one is made."""

from collections.abc import Generator, Iterator
from queue import Empty, SimpleQueue
from threading import Semaphore, Thread
from typing import TypeVar

from karpenter_check.collect.deadline import Deadline
from karpenter_check.collect.refusal import CannotScan

Value = TypeVar("Value")


class _End:
    """There are no more values, or only this error."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


def ahead(values: Iterator[Value], deadline: Deadline) -> Generator[Value, None, None]:
    """The same values in the same order, made in a thread of their own. What they raise is raised here.

    Raises CannotScan at the deadline, whatever the thread is waiting for. It is a daemon: the process does not wait for it.
    """
    made: SimpleQueue[Value | _End] = SimpleQueue()
    room = Semaphore(1)
    wanted = True

    def make() -> None:
        try:
            while True:
                room.acquire()
                if not wanted:
                    return
                made.put(next(values))
        except StopIteration:
            made.put(_End())
        except BaseException as error:  # noqa: BLE001  it is raised again where it is waited for
            made.put(_End(error))

    Thread(target=make, name="ahead", daemon=True).start()
    try:
        while True:
            # Before waiting: who gets a page decodes it at once and keeps the interpreter's lock, and the next request must be out by then.
            room.release()
            value = _next(made, deadline)
            if isinstance(value, _End):
                break
            yield value
        if value.error:
            raise value.error
    finally:
        wanted = False
        room.release()


def _next(made: "SimpleQueue[Value | _End]", deadline: Deadline) -> Value | _End:
    try:
        return made.get(timeout=deadline.left)
    except Empty:
        raise CannotScan(f"{deadline} is over") from None
