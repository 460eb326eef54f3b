"""HTTP to a gateway: who we are, whom we trust, and refusals in plain words."""

import ssl
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any, cast
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, HTTPSHandler, Request, build_opener

_PAUSES = (0.5, 2.0)
"""Seconds between the tries; there is one more try than pauses."""
_MOST_BODY = 300
MOST_BYTES = 256 << 20
"""So much of a list of all groups is read; it is thrown away as it comes, but for one group."""


class GatewayError(Exception):
    """The gateway did not take it: the message says why and what to do, and holds no credentials."""


@dataclass(frozen=True)
class Credentials:
    """How to show who we are, and whom to trust. Secrets are in no text of it."""

    username: str = ""
    password: str = field(default="", repr=False)
    bearer_token: str = field(default="", repr=False)
    ca_file: Path | None = None
    client_certificate_file: Path | None = None
    client_key_file: Path | None = None

    @property
    def authorization(self) -> str:
        """The Authorization header; empty where there is none to give."""
        if self.bearer_token:
            return f"Bearer {self.bearer_token}"
        return f"Basic {b64encode(f'{self.username}:{self.password}'.encode()).decode()}" if self.username else ""

    def tls(self) -> ssl.SSLContext:
        """Trust in the CA file, else in the system's, with our certificate if there is one. Raises GatewayError that names the file."""
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
        except OSError as error:
            raise GatewayError(f"the CA file {self.ca_file} cannot be used: {error.strerror or error}") from error
        if self.client_certificate_file:
            try:
                context.load_cert_chain(self.client_certificate_file, self.client_key_file)
            except OSError as error:
                raise GatewayError(
                    f"the client certificate {self.client_certificate_file} cannot be used: {error.strerror or error}"
                ) from error
        return context


class TooLong(Exception):
    """There is more than anybody should read."""


class Body:
    """An answer's body, as ijson reads one."""

    def __init__(self, answer: HTTPResponse) -> None:
        self._answer = answer
        self._left = MOST_BYTES
        self.start = b""
        """What was read first."""

    def read(self, size: int = 1 << 16) -> bytes:
        """Up to so many bytes; none at the end. Raises TooLong past `MOST_BYTES`."""
        piece = self._answer.read(size)
        self._left -= len(piece)
        if self._left < 0:
            raise TooLong
        self.start = self.start or piece
        return piece


class _NoRedirect(HTTPRedirectHandler):
    """A redirected push would become a GET somewhere else: it is refused instead."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """No request follows."""


class Transport:
    """Requests to one address, with retries where the connection or the gateway is at fault."""

    def __init__(self, url: str, credentials: Credentials, *, timeout: float, pause: Callable[[float], None]) -> None:
        """`timeout` is in seconds for each try; `pause` waits so many seconds. Raises GatewayError for files that cannot be used."""
        parts = urlsplit(url)
        self.shown = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        self._authorization = credentials.authorization
        self._opener = build_opener(_NoRedirect, HTTPSHandler(context=credentials.tls()))
        self._timeout = timeout
        self._pause = pause

    def request(self, method: str, url: str, data: bytes | None = None, headers: Mapping[str, str] | None = None) -> None:
        """Send what is to be done. Raises GatewayError for any other answer than a good one, after three tries where trying helps."""
        self._answer(method, url, data, headers).close()

    @contextmanager
    def stream(self, url: str) -> Iterator["Body"]:
        """The body of a good answer, to be read in pieces. Raises GatewayError as `request` does, and where the connection breaks."""
        with self._answer("GET", url, None, None) as answer:
            try:
                yield Body(answer)
            except (OSError, HTTPException) as error:
                raise GatewayError(f"the Pushgateway at {self.shown} breaks off: {self._reason(error)}") from error

    def _answer(self, method: str, url: str, data: bytes | None, headers: Mapping[str, str] | None) -> HTTPResponse:
        """A good answer, whose body is not read yet. Raises GatewayError for any other."""
        for pause in (*_PAUSES, None):
            request = Request(url, data=data, headers=dict(headers or {}), method=method)  # noqa: S310  cli takes http and https alone
            if self._authorization:
                request.add_unredirected_header("Authorization", self._authorization)
            try:
                return cast("HTTPResponse", self._opener.open(request, timeout=self._timeout))
            except HTTPError as error:
                with error:
                    if error.code < 500 or pause is None:
                        raise GatewayError(f"the Pushgateway at {self.shown} {_refusal(error)}") from error
            except (OSError, HTTPException) as error:
                if pause is None:
                    raise GatewayError(f"the Pushgateway at {self.shown} cannot be reached: {self._reason(error)}") from error
            self._pause(pause)
        raise AssertionError("the last try returns or raises")

    def _reason(self, error: Exception) -> str:
        reason = error.reason if isinstance(error, URLError) else error
        if isinstance(reason, TimeoutError):
            return f"nothing came within {self._timeout:g} s; check the network, or raise --push-timeout"
        if isinstance(reason, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted ({reason.verify_message}); give its CA with --push-ca-file"
        if isinstance(reason, OSError) and reason.strerror:
            return reason.strerror.lower()
        return str(reason) or type(reason).__name__


def _refusal(error: HTTPError) -> str:
    """What an answer means, in a few words; the body is the gateway's own explanation."""
    if error.code in {401, 403}:
        return f"refuses the credentials (HTTP {error.code}); set --push-username and --push-password-file, or --push-bearer-token-file"
    if 300 <= error.code < 400:
        parts = urlsplit(error.headers.get("Location", ""))
        return f"redirects (HTTP {error.code}) to {parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}; give that address without /metrics/…"
    body = " ".join(error.read(_MOST_BODY).decode(errors="replace").split())
    return f"answers HTTP {error.code}" + (f": {body}" if body else "")
