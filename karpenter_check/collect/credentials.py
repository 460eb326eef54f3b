"""Who asks: tokens, token files, exec plugins and client certificates."""

import base64
from pathlib import Path
from typing import NamedTuple, Protocol

from karpenter_check.collect.exec_plugin import ExecPlugin
from karpenter_check.collect.kubeconfig import Context, content
from karpenter_check.collect.refusal import CannotScan


class Certificate(NamedTuple):
    """A client certificate and its key, as PEM. It says nothing of itself, so that it cannot get into an error."""

    certificate: bytes
    key: bytes

    def __repr__(self) -> str:
        return "Certificate(…)"


class Credential(NamedTuple):
    """What goes with a request: the Authorization header, if there is one, and the client certificate. It does not show what they are."""

    authorization: str = ""
    certificate: Certificate | None = None

    def __repr__(self) -> str:
        return "Credential(…)"


class Credentials(Protocol):
    """Where credentials come from."""

    @property
    def advice(self) -> str:
        """What to check when the server does not know them."""

    def current(self) -> Credential:
        """What to send now. Raises CannotScan."""

    def renew(self) -> bool:
        """After the server did not know them: whether `current` is another one now. Raises CannotScan."""


class Fixed:
    """Credentials that stand in the kubeconfig."""

    def __init__(self, credential: Credential, advice: str) -> None:
        self.advice = advice
        self._credential = credential

    def current(self) -> Credential:
        """They never change."""
        return self._credential

    def renew(self) -> bool:
        """They never change."""
        return False


class TokenFile:
    """A token in a file that something else keeps fresh, such as the kubelet; it is read again for each request."""

    def __init__(self, path: Path, advice: str, certificate: Certificate | None = None) -> None:
        self.advice = advice
        self._path = path
        self._certificate = certificate
        self._sent = ""

    def current(self) -> Credential:
        """The file's token."""
        self._sent = self._read()
        return Credential(self._sent, self._certificate)

    def renew(self) -> bool:
        """Whether the file changed since the request."""
        return self._read() != self._sent

    def _read(self) -> str:
        try:
            text = self._path.read_text()
        except OSError as error:
            raise CannotScan(f"token file {self._path}: {(error.strerror or '').lower()}") from error
        except UnicodeDecodeError:
            text = ""
        except ValueError:  # half a character, or a NUL, in the path
            raise CannotScan("tokenFile in the kubeconfig is no path that a file can have") from None
        return bearer(text, f"token file {self._path}")


class Plugin:
    """Credentials of an exec plugin: it is run before the first request, and once more when the server does not know what it gave."""

    def __init__(self, plugin: ExecPlugin, certificate: Certificate | None) -> None:
        self.advice = f"log in again with what {plugin} uses"
        self._plugin = plugin
        self._own = certificate
        self._credential: Credential | None = None
        self._refusal: CannotScan | None = None

    def current(self) -> Credential:
        """What the plugin gave last."""
        if self._refusal:  # a plugin that failed or hung is not tried again for each kind
            raise self._refusal
        if self._credential is None:
            self._credential = self._run()
        return self._credential

    def renew(self) -> bool:
        """Run the plugin again. A credential that it gives twice is no new one."""
        before, self._credential = self._credential, None
        return self.current() != before

    def _run(self) -> Credential:
        try:
            given = self._plugin.run()
            authorization = bearer(given.token, f"{self._plugin}") if given.token else ""
        except CannotScan as refusal:
            self._refusal = refusal
            raise
        pair = given.client_certificate_data, given.client_key_data
        certificate = Certificate(pair[0].encode(), pair[1].encode()) if all(pair) else self._own
        return Credential(authorization, certificate)


def bearer(token: str, source: str) -> str:
    """The Authorization header. Raises CannotScan for what cannot stand in one: an error on the way would show it."""
    token = token.strip()
    if not (token and token.isascii() and token.isprintable() and " " not in token):
        raise CannotScan(f"{source} {'holds no token' if not token else 'holds a token with characters that no header can hold'}")
    return f"Bearer {token}"


def _basic(username: str, password: str, source: str) -> str:
    """The Authorization header. Raises CannotScan for what UTF-8 cannot encode: YAML can write half a character."""
    encoded = []
    for field, value in (("username", username), ("password", password)):
        try:
            encoded.append(value.encode())
        except UnicodeEncodeError:  # from None: the error holds the value
            raise CannotScan(f"{source} holds a {field} with characters that no header can hold") from None
    return f"Basic {base64.b64encode(b':'.join(encoded)).decode()}"


def credentials_of(context: Context, request_timeout: float) -> Credentials:
    """A kubeconfig user's credentials, in kubectl's order. Raises CannotScan. No plugin is run yet."""
    user, folder = context.user, context.user_folder
    named = f"user {context.user_name!r} in the kubeconfig"
    certificate = _certificate(context)
    if user.token_file:
        return TokenFile(folder / user.token_file, f"check token file {folder / user.token_file}", certificate)
    if user.token:
        return Fixed(Credential(bearer(user.token, named), certificate), f"the token of {named} may have expired: log in again")
    if user.username:
        return Fixed(
            Credential(_basic(user.username, user.password, named), certificate), f"check username and password of {named}"
        )
    if user.exec:
        return Plugin(ExecPlugin(user.exec, folder, _cluster_info(context), request_timeout), certificate)
    if user.auth_provider:
        # of `oidc`, which kubectl still knows, what is there is sent; getting another would need a client secret and write the kubeconfig
        token = user.auth_provider.config.get("id-token") or user.auth_provider.config.get("access-token")
        if not token:
            raise CannotScan(f"{named} has an auth-provider without a token: an exec plugin takes its place, such as kubelogin")
        return Fixed(Credential(bearer(token, named), certificate), f"the token of {named} may have expired: log in again")
    if certificate:
        return Fixed(Credential("", certificate), f"the client certificate of {named} may have expired: log in again")
    return Fixed(Credential(), "the kubeconfig's context has no credentials")


def _certificate(context: Context) -> Certificate | None:
    user, folder = context.user, context.user_folder
    certificate = content(user.client_certificate_data, user.client_certificate, folder, "client-certificate")
    key = content(user.client_key_data, user.client_key, folder, "client-key")
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        missing = "client-key" if key is None else "client-certificate"
        raise CannotScan(f"{context.named}: user {context.user_name!r} has half a client certificate: {missing} is missing")
    return Certificate(certificate, key)


def _cluster_info(context: Context) -> dict[str, object]:
    """`spec.cluster` of an ExecCredential, for plugins that ask for it: client.authentication.k8s.io/v1, Cluster."""
    cluster = context.cluster
    authority = content(
        cluster.certificate_authority_data, cluster.certificate_authority, context.cluster_folder, "certificate-authority"
    )
    extension = next(
        (entry.get("extension") for entry in cluster.extensions if entry.get("name") == "client.authentication.k8s.io/exec"), None
    )
    info = {
        "server": cluster.server,
        "tls-server-name": cluster.tls_server_name,
        "insecure-skip-tls-verify": cluster.insecure_skip_tls_verify,
        "certificate-authority-data": base64.b64encode(authority).decode() if authority else "",
        "proxy-url": cluster.proxy_url,
        "config": extension,
    }
    return {name: value for name, value in info.items() if value}
