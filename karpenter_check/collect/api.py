"""The API server, read with GET and with nothing else."""

import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import urlencode

import msgspec

from karpenter_check import __version__
from karpenter_check.collect.credentials import Credential, Credentials
from karpenter_check.collect.impersonation import Impersonation
from karpenter_check.collect.refusal import CannotScan
from karpenter_check.collect.transport import Transport

# kubernetes and urllib3 are imported where they are used: `karpenter-check --help` must not wait for them


class Answer(NamedTuple):
    """An HTTP answer, whatever its status. Header names read in any case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def message(self) -> str:
        """The message of the API's Status object, on one line; empty where the body is none."""
        try:
            return " ".join(_STATUS.decode(self.body).message.split())
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            return ""

    @property
    def complaint(self) -> str:
        """What an answer other than 200 says: its status code, and its message if it has one."""
        return f"HTTP {self.status}: {self.message}" if self.message else f"HTTP {self.status}"

    @property
    def date(self) -> datetime | None:
        """The server's clock when it answered; None where it does not say."""
        try:
            return parsedate_to_datetime(self.headers["Date"]).replace(tzinfo=UTC)  # RFC 9110: it is always GMT
        except (KeyError, ValueError):
            return None


class _Status(msgspec.Struct):
    """Of a `Status` object, its message."""

    message: str = ""


_STATUS = msgspec.json.Decoder(_Status)


class Api:
    """One cluster's API server."""

    def __init__(
        self,
        transport: Transport,
        credentials: Credentials,
        impersonation: Impersonation,
        *,
        cluster: str = "",
        request_timeout: float = 30,
    ) -> None:
        """`request_timeout` is in seconds, for connecting and for each read."""
        self._transport = transport
        self._credentials = credentials
        self._impersonation = impersonation
        self._request_timeout = request_timeout
        self.cluster = cluster
        """The name that the kubeconfig's context gives the cluster; empty in a pod."""
        self.host = transport.server
        """Scheme, host and port, and a path where the server stands behind one."""

    @property
    def advice(self) -> str:
        """What to check when the server does not know who asks."""
        return self._credentials.advice

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Answer:
        """The answer to one GET; redirects are not followed. It is asked twice where the credentials had expired and there are others.

        Raises CannotScan where there is no whole answer: no credentials, no connection, no trust, a timeout, a body cut short.
        """
        url = f"{self.host}{path}?{urlencode(query)}" if query else f"{self.host}{path}"
        answer = self._ask(url, self._credentials.current())
        if answer.status == HTTPStatus.UNAUTHORIZED and self._credentials.renew():
            answer = self._ask(url, self._credentials.current())
        return answer

    def _ask(self, url: str, credential: Credential) -> Answer:
        from urllib3 import HTTPHeaderDict, Timeout  # noqa: PLC0415
        from urllib3.exceptions import HTTPError  # noqa: PLC0415

        headers = HTTPHeaderDict(
            {"accept": "application/json", "accept-encoding": "gzip", "user-agent": f"karpenter-check/{__version__}"}
        )
        if credential.authorization:
            headers["authorization"] = credential.authorization
        for name, value in self._impersonation.headers():
            headers.add(name, value)
        try:
            answer = self._transport.pool(credential.certificate).request(
                "GET",
                url,
                headers=headers,
                timeout=Timeout(connect=self._request_timeout, read=self._request_timeout),
                retries=False,
                redirect=False,
            )
        except (HTTPError, OSError) as error:
            raise CannotScan(f"{self.host} does not answer: {self._reason(error)}") from error
        return Answer(answer.status, answer.headers, answer.data)

    def _reason(self, error: Exception) -> str:
        """What went wrong on the wire, in a few words."""
        from urllib3 import exceptions  # noqa: PLC0415

        match error:
            case exceptions.NameResolutionError():
                return "its name cannot be resolved; check the network, or the context"
            case exceptions.NewConnectionError():
                refused = error.__cause__
                spoken = refused.strerror if isinstance(refused, OSError) else None
                return f"{(spoken or str(error)).lower()}; check the network, or the context"
            case exceptions.TimeoutError():
                return f"nothing came within {self._request_timeout:g} s; check the network, or raise --request-timeout"
            case exceptions.SSLError() if "alert" in (words := _tls(error)):
                return f"it ends the TLS connection ({words}); check server, and whether the client certificate is valid there"
            case exceptions.SSLError():
                return f"no trusted TLS connection ({_tls(error)}); check certificate-authority and server in the kubeconfig"
            case exceptions.ProxyError():
                return f"the proxy fails ({error.original_error}); check proxy-url, HTTPS_PROXY and NO_PROXY"
            case exceptions.ProtocolError():
                return f"the connection broke ({error.args[-1]})"
            case _:
                return " ".join(str(error).split())


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
