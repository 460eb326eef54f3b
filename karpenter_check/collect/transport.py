"""The way to the API server: TLS and proxies."""

import ipaddress
import ssl
from base64 import b64encode
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import unquote_to_bytes

from karpenter_check.collect.credentials import Certificate
from karpenter_check.collect.refusal import CannotScan

# kubernetes and urllib3 are imported where they are used: `karpenter-check --help` must not wait for them


class Transport:
    """Connections to one server."""

    def __init__(
        self, server: str, *, authority: bytes | None = None, verify: bool = True, server_name: str = "", proxy: str = ""
    ) -> None:
        """`authority` is the CA as PEM, the system's if None; `proxy` wins over HTTPS_PROXY, and NO_PROXY does not count for it, as for kubectl.

        Raises CannotScan.
        """
        self.server = _server(server)
        """Scheme, host and port, and a path where the server stands behind one."""
        self.is_local = _is_loopback(self.server) and not proxy
        """Whether nothing but this machine lies between, as far as the address tells."""
        self._authority = authority
        self._verify = verify
        self._server_name = server_name
        self._proxy = proxy
        self._open: tuple[Certificate | None, Any] | None = None

    def pool(self, certificate: Certificate | None) -> Any:
        """A `urllib3.PoolManager` that shows this client certificate. Raises CannotScan."""
        if self._open is None or self._open[0] != certificate:
            self._open = certificate, self._pool(certificate)
        return self._open[1]

    def _pool(self, certificate: Certificate | None) -> Any:
        import urllib3  # noqa: PLC0415
        from kubernetes.client import ApiClient, Configuration  # noqa: PLC0415

        configuration = Configuration(host=self.server)  # takes a proxy from the environment
        if self._proxy:
            configuration.proxy, configuration.no_proxy = self._proxy, ""
        elif self.is_local:  # as Go does, and so kubectl
            configuration.proxy = None
        if configuration.proxy:
            configuration.proxy, configuration.proxy_headers = _proxy(configuration.proxy)
        configuration.tls_server_name = self._server_name or None
        configuration.verify_ssl = self._verify
        manager = ApiClient(configuration).rest_client.pool_manager
        if self.server.startswith("https:"):
            manager.connection_pool_kw["ssl_context"] = self._tls(certificate)
        if not self._verify:
            # the kubeconfig says insecure-skip-tls-verify: who wrote that need not be told again on stderr
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        return manager

    def _tls(self, certificate: Certificate | None) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cadata=self._authority.decode(errors="ignore") if self._authority else None)
        except (ssl.SSLError, ValueError) as error:
            raise CannotScan("certificate-authority holds no certificate in PEM form") from error
        # Go's TLS, and so kubectl, wants neither what OpenSSL calls strict (clusters' own CAs often lack a key identifier)
        # nor a chain up to a self-signed certificate; Python 3.13 changed both
        context.verify_flags = (context.verify_flags & ~ssl.VERIFY_X509_STRICT) | ssl.VERIFY_X509_PARTIAL_CHAIN
        if not self._verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if certificate:
            _show(certificate, context)
        return context


def _show(certificate: Certificate, context: ssl.SSLContext) -> None:
    """OpenSSL reads client certificates from files alone; these are gone as soon as it has."""
    with TemporaryDirectory(prefix="karpenter-check-") as folder:  # for this user alone
        pair = Path(folder, "certificate"), Path(folder, "key")
        for path, pem in zip(pair, certificate, strict=True):
            path.write_bytes(pem)
        try:
            context.load_cert_chain(*pair, password=lambda: "")  # or OpenSSL would ask for one on the terminal
        except (ssl.SSLError, OSError, ValueError) as error:
            reason = (
                error.reason.lower().replace("_", " ") if isinstance(error, ssl.SSLError) and error.reason else "not in PEM form"
            )
            raise CannotScan(f"the client certificate and its key cannot be used: {reason}") from None


def _server(server: str) -> str:
    """The server's address, fit to be shown: one with a password, a query or a fragment is refused. Raises CannotScan."""
    from urllib3.exceptions import LocationParseError  # noqa: PLC0415
    from urllib3.util import Url, parse_url  # noqa: PLC0415

    whole = server if "://" in server else f"https://{server}"
    try:
        whole.encode()  # YAML can write half a character, and no report could show it
        url = parse_url(whole)
    except (LocationParseError, UnicodeEncodeError):
        raise CannotScan("server in the kubeconfig is no URL") from None
    if url.scheme not in {"http", "https"} or not url.host:
        raise CannotScan("server in the kubeconfig is no http or https URL")
    shown = Url(url.scheme, host=url.host, port=url.port, path=url.path)
    if url.auth:
        raise CannotScan(f"server in the kubeconfig holds a password ({shown}): move it to users")
    if url.query is not None or url.fragment is not None:  # often a token, and no API server is found by one
        raise CannotScan(f"server in the kubeconfig holds a query or a fragment ({shown}): leave it out")
    return whole.rstrip("/")


def _is_loopback(server: str) -> bool:
    from urllib3.util import parse_url  # noqa: PLC0415

    host = (parse_url(server).host or "").strip("[]")
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


def _proxy(given: str) -> tuple[str, dict[str, str]]:
    """The proxy without its password, and the header for that. Raises CannotScan."""
    from urllib3.exceptions import LocationParseError  # noqa: PLC0415
    from urllib3.util import Url, parse_url  # noqa: PLC0415

    try:
        url = parse_url(given if "://" in given else f"http://{given}")
    except LocationParseError:
        raise CannotScan("the proxy is no URL; check proxy-url, HTTPS_PROXY and NO_PROXY") from None
    if not url.host or url.scheme not in {"http", "https", "socks5", "socks5h"}:
        raise CannotScan("the proxy is no http, https or socks5 URL; check proxy-url, HTTPS_PROXY and NO_PROXY")
    if url.scheme.startswith("socks"):
        if find_spec("socks") is None:
            shown = Url(url.scheme, host=url.host, port=url.port)
            raise CannotScan(f"the proxy {shown} speaks SOCKS, which needs another package: pip install pysocks")
        return str(url), {}
    if not url.auth:
        return str(url), {}
    # not urllib3's make_headers: that knows Latin-1 alone, and fails with the password in its error
    pair = b64encode(unquote_to_bytes(url.auth)).decode()
    return str(url._replace(auth=None)), {"proxy-authorization": f"Basic {pair}"}
