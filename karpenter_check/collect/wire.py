"""One GET over the wire, from the question to the last byte, or what went wrong in words."""

import http.client
import ssl
from collections.abc import Mapping
from enum import Enum, auto
from time import monotonic
from typing import TYPE_CHECKING, Any

from karpenter_check.collect.answer import Answer
from karpenter_check.collect.bounded import bounded
from karpenter_check.collect.refusal import CannotScan

if TYPE_CHECKING:
    from urllib3 import HTTPHeaderDict

# urllib3 is imported where it is used: `karpenter-check --help` must not wait for it


_LONGEST_CONNECT = 10.0
"""Seconds; what is slower than that is not there."""


class Cause(Enum):
    """Why there is no whole answer."""

    UNREACHED = auto()
    """No connection, or none that is trusted."""
    SILENT = auto()
    """The server was there, and too slow."""
    BROKE = auto()
    """What came was cut off or damaged."""


class Unanswered(CannotScan):
    """There is no whole answer."""

    def __init__(self, message: str, cause: "Cause") -> None:
        super().__init__(message)
        self.cause = cause


def ask(pool: Any, host: str, url: str, headers: "HTTPHeaderDict", seconds: float) -> Answer:
    """The answer to a GET through a `urllib3.PoolManager`; redirects are not followed. `seconds` bounds it as a whole.

    Raises Unanswered.
    """
    from urllib3.exceptions import HTTPError, ReadTimeoutError  # noqa: PLC0415

    started = monotonic()
    try:
        status, said, body = bounded(lambda: _whole(pool, url, headers, seconds), seconds)
    except TimeoutError as error:
        silent = ReadTimeoutError(pool, url, "")
        raise Unanswered(f"{host} does not answer: {_reason(silent, seconds)}", Cause.SILENT) from error
    except (HTTPError, OSError) as error:
        cause = _cause(error)
        subject = f"GET {url.removeprefix(host).partition('?')[0]}" if cause is Cause.BROKE else f"{host} does not answer"
        raise Unanswered(f"{subject}: {_reason(error, seconds)}", cause) from error
    return Answer(status, said, body, monotonic() - started)


def _whole(pool: Any, url: str, headers: "HTTPHeaderDict", seconds: float) -> tuple[int, Mapping[str, str], bytes]:
    """Status, headers and body. The body is read in one go: what is read in pieces is copied once more, while nothing can be decoded."""
    from urllib3 import Timeout  # noqa: PLC0415

    # a server that is not reached is told from one that is silent: the connection's time is over first
    timeout = Timeout(connect=min(_LONGEST_CONNECT, 0.8 * seconds), read=seconds)
    answer = pool.request("GET", url, headers=headers, timeout=timeout, retries=False, redirect=False)
    return answer.status, answer.headers, answer.data


def _cause(error: Exception) -> Cause:
    from urllib3 import exceptions  # noqa: PLC0415

    match error:
        case exceptions.ProtocolError() | exceptions.DecodeError():
            return Cause.BROKE
        case exceptions.ConnectTimeoutError():
            return Cause.UNREACHED
        case exceptions.TimeoutError():
            return Cause.SILENT
        case _:
            return Cause.UNREACHED


def _reason(error: Exception, seconds: float) -> str:
    """What went wrong, in a few words."""
    from urllib3 import exceptions  # noqa: PLC0415

    match error:
        case exceptions.NameResolutionError():
            return "its name cannot be resolved; check the network, or the context"
        case exceptions.NewConnectionError():
            refused = error.__cause__
            spoken = refused.strerror if isinstance(refused, OSError) else None
            return f"{(spoken or str(error)).lower()}; check the network, or the context"
        case exceptions.ConnectTimeoutError():
            return f"no connection within {min(_LONGEST_CONNECT, 0.8 * seconds):g} s; check the network, or the context"
        case exceptions.TimeoutError():
            return f"no whole answer came within {seconds:g} s; check the network, or raise --request-timeout"
        case exceptions.SSLError() if "alert" in (words := _tls(error)):
            return f"it ends the TLS connection ({words}); check server, and whether the client certificate is valid there"
        case exceptions.SSLError():
            return f"no trusted TLS connection ({_tls(error)}); check certificate-authority and server in the kubeconfig"
        case exceptions.ProxyError():
            return f"the proxy fails ({error.original_error}); check proxy-url, HTTPS_PROXY and NO_PROXY"
        case exceptions.DecodeError():
            return "the gzip of the answer is damaged"
        case exceptions.ProtocolError():
            return _broken(error.args[-1])
        case _:
            return " ".join(str(error).split())


def _broken(inner: object) -> str:
    """How a connection broke."""
    if not isinstance(inner, http.client.IncompleteRead):
        return f"the connection broke ({inner})"
    partial: object = inner.partial  # bytes; of urllib3's own, their number
    return f"the answer broke off after {len(partial) if isinstance(partial, bytes) else partial} bytes"


def _tls(error: Exception) -> str:
    """OpenSSL's words without its numbers."""
    inner = error.args[0] if error.args else error
    if isinstance(inner, ssl.SSLCertVerificationError):
        return inner.verify_message.rstrip(".")
    if isinstance(inner, ssl.SSLEOFError):  # in TLS 1.3, the end may be seen before the alert
        return "no alert, it just closes"
    if isinstance(inner, ssl.SSLError) and inner.reason:
        return inner.reason.lower().replace("_", " ")
    return str(inner)
