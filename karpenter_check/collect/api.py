"""The API server, read with GET and with nothing else."""

import ssl
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlencode

import msgspec

from karpenter_check import __version__
from karpenter_check.collect.refusal import CannotScan

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


class _Status(msgspec.Struct):
    """Of a `Status` object, its message."""

    message: str = ""


_STATUS = msgspec.json.Decoder(_Status)


class Api:
    """One cluster's API server."""

    def __init__(self, client: Any, *, cluster: str = "", request_timeout: float = 30) -> None:
        """`client` is a `kubernetes.client.ApiClient`; `request_timeout` is in seconds, for connecting and for each read."""
        self._client = client
        self._request_timeout = request_timeout
        self.cluster = cluster
        """The name that the kubeconfig's context gives the cluster; empty in a pod."""
        self.host: str = client.configuration.host
        """Scheme, host and port, and a path where the server stands behind one."""
        if not client.configuration.verify_ssl:
            import urllib3  # noqa: PLC0415

            # the kubeconfig says insecure-skip-tls-verify: who wrote that need not be told again on stderr
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Answer:
        """The answer to one GET; it is asked once, and redirects are not followed.

        Raises CannotScan where there is no whole answer: no connection, no trust, a timeout, a body cut short.
        """
        from kubernetes.config import ConfigException  # noqa: PLC0415
        from urllib3 import Timeout  # noqa: PLC0415
        from urllib3.exceptions import HTTPError  # noqa: PLC0415

        headers = {"accept": "application/json", "accept-encoding": "gzip", "user-agent": f"karpenter-check/{__version__}"}
        url = f"{self.host}{path}?{urlencode(query)}" if query else f"{self.host}{path}"
        try:
            # the client's own way to put in the token, which is read again when it has expired
            self._client.update_params_for_auth(headers, [], ["BearerToken"], path, "GET", None)
            answer = self._client.rest_client.pool_manager.request(
                "GET",
                url,
                headers=headers,
                timeout=Timeout(connect=self._request_timeout, read=self._request_timeout),
                retries=False,
            )
        except (HTTPError, OSError, ConfigException) as error:
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
    if isinstance(inner, ssl.SSLError) and inner.reason:
        return inner.reason.lower().replace("_", " ")
    return str(inner)
