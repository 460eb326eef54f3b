"""Asking again: after which answers, how often, and how long to wait before.

urllib3 knows `Retry`, whose pauses can be neither bounded by a deadline nor interrupted; of it only the reading of Retry-After is used.
"""

from http import HTTPStatus
from random import uniform

from karpenter_check.collect.answer import Answer

MOST_TRIES = 7
"""How often one thing is asked for, the first time included: over some 16 s, in which an election is over or a server restarted."""
MOST_SILENCES = 2
"""How often of a server that says nothing: each time takes as long as a request may."""
ASKED_AGAIN = frozenset(
    {
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.INTERNAL_SERVER_ERROR,  # "etcdserver: leader changed" and the like
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
"""Statuses of a server that has a bad moment."""
FIRST_PAUSE = 0.25
"""Seconds; each pause is about twice the one before."""


def pause_after(tries: int, answer: Answer | None = None) -> float:
    """Seconds to wait after that many tries: twice as long each time, or what the answer's Retry-After asks for, if that is longer.

    Never in step with others that were refused at the same moment.
    """
    own: float = FIRST_PAUSE * 2 ** (tries - 1)
    asked = (retry_after(answer) if answer else None) or 0.0
    jitter: float = uniform(0, own)  # noqa: S311  no secret
    return max(asked, own / 2) + jitter


def retry_after(answer: Answer) -> float | None:
    """What Retry-After says, in seconds; None where there is none, or none that can be read."""
    from urllib3 import Retry  # noqa: PLC0415  `karpenter-check --help` must not wait for it
    from urllib3.exceptions import InvalidHeader  # noqa: PLC0415  as above

    given = answer.headers.get("Retry-After")
    if given is None:
        return None
    try:
        return float(Retry().parse_retry_after(given))
    except (InvalidHeader, ValueError, OverflowError):  # a date that is none, or too far away to be one
        return None
