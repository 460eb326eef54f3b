"""What ends a collection: input that cannot be read, and clusters that cannot be asked."""


class UnreadableInput(Exception):
    """Nothing could be read from what was given: the message names the file and what to do next."""


class CannotScan(Exception):
    """The cluster could not be asked: the message says why and what to do next."""


def often(tries: int) -> str:
    """What stands behind a refusal that was not the first one; nothing behind the first."""
    return f" (asked {tries} times)" if tries > 1 else ""
