"""When a collection has to be over."""

from time import monotonic


class Deadline:
    """The end of a collection; it runs from when it is made."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._ends = monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds that are left, never negative."""
        return max(0.0, self._ends - monotonic())

    @property
    def passed(self) -> bool:
        """Whether nothing is left."""
        return not self.left

    def __str__(self) -> str:
        return f"--timeout of {self._seconds:g} s"
