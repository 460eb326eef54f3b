"""The way to the server: TLS, client certificates, proxies, IPv6, and a pod's own account."""

import os
import ssl
import sys
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from socket import AF_INET6, create_connection, create_server, has_ipv6, socket
from threading import Thread

import pytest
import trustme

from karpenter_check.collect.access import connect
from karpenter_check.collect.refusal import CannotScan
from tests.collect.replay import Replay

LONG_AGO = datetime(2001, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _no_pod(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", os.devnull)


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


def a_server_of(ca: trustme.CA, *names: str, clients: trustme.CA | None = None, expired: bool = False) -> ssl.SSLContext:
    """TLS for a server of these names, which asks for certificates of `clients`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(*(names or ("127.0.0.1",)), not_after=LONG_AGO if expired else None).configure_cert(context)
    if clients:
        clients.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def trusting(ca: trustme.CA, folder: Path) -> dict[str, str]:
    """The cluster's entry that names this CA, by a path relative to the kubeconfig."""
    ca.cert_pem.write_to_path(str(folder / "ca.crt"))
    return {"certificate-authority": "ca.crt"}


def base64_of(*blobs: trustme.Blob) -> str:
    return b64encode(b"".join(blob.bytes() for blob in blobs)).decode()


def refusal(kubeconfig: Path, *, request_timeout: float = 5) -> str:
    with pytest.raises(CannotScan) as refused:
        connect(kubeconfig, request_timeout=request_timeout).get("/version")
    return str(refused.value)


def test_a_private_ca_is_trusted_from_a_file_and_from_the_kubeconfig_itself(ca: trustme.CA, tmp_path: Path) -> None:
    with Replay("healthy", tls=a_server_of(ca)) as replay:
        by_file = connect(replay.kubeconfig(tmp_path, cluster=trusting(ca, tmp_path))).get("/version")
        inline = {"certificate-authority-data": base64_of(ca.cert_pem)}
        by_data = connect(replay.kubeconfig(tmp_path, cluster=inline)).get("/version")
    assert [by_file.status, by_data.status] == [200, 200]


def test_an_intermediate_ca_is_trusted_as_go_does(ca: trustme.CA, tmp_path: Path) -> None:
    intermediate = ca.create_child_ca()
    with Replay("healthy", tls=a_server_of(intermediate)) as replay:
        assert connect(replay.kubeconfig(tmp_path, cluster=trusting(intermediate, tmp_path))).get("/version").status == 200


@pytest.mark.parametrize(
    ("authority", "reason"),
    [(True, "unable to get local issuer certificate"), (False, "unable to get local issuer certificate")],
    ids=["another CA", "the system's CAs"],
)
def test_a_server_of_another_ca_is_not_trusted(authority: bool, reason: str, ca: trustme.CA, tmp_path: Path) -> None:  # noqa: FBT001  a pytest parameter
    with Replay("healthy", tls=a_server_of(ca)) as replay:
        said = refusal(replay.kubeconfig(tmp_path, cluster=trusting(trustme.CA(), tmp_path) if authority else {}))
    assert said == (
        f"{replay.url} does not answer: no trusted TLS connection ({reason}); check certificate-authority and server in the kubeconfig"
    )


def test_an_expired_server_certificate_is_named_as_such(ca: trustme.CA, tmp_path: Path) -> None:
    with Replay("healthy", tls=a_server_of(ca, expired=True)) as replay:
        said = refusal(replay.kubeconfig(tmp_path, cluster=trusting(ca, tmp_path)))
    assert said == (
        f"{replay.url} does not answer: no trusted TLS connection (certificate has expired); "
        "check certificate-authority and server in the kubeconfig"
    )


def test_a_certificate_for_another_name_is_refused_unless_the_kubeconfig_expects_it(ca: trustme.CA, tmp_path: Path) -> None:
    with Replay("healthy", tls=a_server_of(ca, "kubernetes.default")) as replay:
        said = refusal(replay.kubeconfig(tmp_path, cluster=trusting(ca, tmp_path)))
        expecting = {**trusting(ca, tmp_path), "tls-server-name": "kubernetes.default"}
        status = connect(replay.kubeconfig(tmp_path, cluster=expecting)).get("/version").status
    assert "IP address mismatch" in said
    assert status == 200


def test_insecure_skip_tls_verify_is_obeyed_and_not_complained_of(
    ca: trustme.CA, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with Replay("healthy", tls=a_server_of(ca, expired=True)) as replay:
        status = connect(replay.kubeconfig(tmp_path, cluster={"insecure-skip-tls-verify": True})).get("/version").status
    assert (status, capfd.readouterr()) == (200, ("", ""))


@pytest.mark.parametrize(
    ("cluster", "said"),
    [
        ({"certificate-authority": "missing.crt"}, "certificate-authority {folder}/missing.crt: no such file or directory"),
        ({"certificate-authority-data": "bm90IGEgY2VydA=="}, "certificate-authority holds no certificate in PEM form"),
        ({"server": "https://jane:hunter2@blue.invalid"}, "server in the kubeconfig holds a password (https://blue.invalid): move it to users"),
        ({"server": "https://jane:hunter2@blue.invalid?token=hunter2"}, "server in the kubeconfig holds a password (https://blue.invalid): move it to users"),
        ({"server": "https://blue.invalid?token=hunter2"}, "server in the kubeconfig holds a query or a fragment (https://blue.invalid): leave it out"),
        ({"server": "blue.invalid:6443/at#hunter2"}, "server in the kubeconfig holds a query or a fragment (https://blue.invalid:6443/at): leave it out"),
        ({"server": "ftp://blue.invalid"}, "server in the kubeconfig is no http or https URL"),
        ({"server": "https://[::1"}, "server in the kubeconfig is no URL"),
        ({"proxy-url": "http://jane:hunter2@[::1"}, "the proxy is no URL; check proxy-url, HTTPS_PROXY and NO_PROXY"),
        ({"proxy-url": "ftp://jane:hunter2@proxy"}, "the proxy is no http, https or socks5 URL; check proxy-url, HTTPS_PROXY and NO_PROXY"),
    ],
)  # fmt: skip
def test_a_cluster_entry_that_cannot_be_used_is_told_without_its_password(
    cluster: dict[str, str], said: str, ca: trustme.CA, tmp_path: Path
) -> None:
    with Replay("healthy", tls=a_server_of(ca)) as replay:
        message = refusal(replay.kubeconfig(tmp_path, cluster=cluster))
    assert message == said.format(folder=tmp_path)


def test_a_client_certificate_is_shown_and_leaves_no_file_behind(
    ca: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    mine = ca.issue_cert("jane")
    user = {
        "client-certificate-data": base64_of(*mine.cert_chain_pems),
        "client-key-data": base64_of(mine.private_key_pem),
    }
    with Replay("healthy", tls=a_server_of(ca, clients=ca)) as replay:
        status = connect(replay.kubeconfig(tmp_path, cluster=trusting(ca, tmp_path), user=user)).get("/version").status
    assert (status, list(scratch.iterdir())) == (200, [])


def test_a_plugin_can_give_a_client_certificate(ca: trustme.CA, tmp_path: Path) -> None:
    mine = ca.issue_cert("jane")
    status = {
        "clientCertificateData": mine.cert_chain_pems[0].bytes().decode(),
        "clientKeyData": mine.private_key_pem.bytes().decode(),
    }
    credential = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status}
    script = tmp_path / "plugin.py"
    script.write_text(f"import json\nprint(json.dumps({credential!r}))\n")
    user = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": sys.executable, "args": [str(script)]}}
    with Replay("healthy", tls=a_server_of(ca, clients=ca)) as replay:
        answer = connect(replay.kubeconfig(tmp_path, cluster=trusting(ca, tmp_path), user=user)).get("/version")
    assert answer.status == 200


@pytest.mark.parametrize("trouble", ["expired", "of another CA", "missing"])
def test_a_client_certificate_that_does_not_count_is_told(trouble: str, ca: trustme.CA, tmp_path: Path) -> None:
    tls = a_server_of(ca, clients=ca)
    tls.maximum_version = ssl.TLSVersion.TLSv1_2  # with 1.3, it depends on the moment whether the refusal or the end is seen
    mine = trustme.CA().issue_cert("jane") if trouble == "of another CA" else ca.issue_cert("jane", not_after=LONG_AGO)
    pair = {"client-certificate-data": base64_of(*mine.cert_chain_pems), "client-key-data": base64_of(mine.private_key_pem)}
    with Replay("healthy", tls=tls) as replay:
        said = refusal(replay.kubeconfig(tmp_path, cluster=trusting(ca, tmp_path), user={} if trouble == "missing" else pair))
    assert said.startswith(f"{replay.url} does not answer: it ends the TLS connection (")
    assert said.endswith("); check server, and whether the client certificate is valid there")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"client-key-data": ""}, "user 'reader' has half a client certificate: client-key is missing"),
        ({"client-key-data": "bm8="}, "the client certificate and its key cannot be used: not in PEM form"),
    ],
)
def test_a_client_certificate_that_cannot_be_used_is_told(
    change: dict[str, str], said: str, ca: trustme.CA, tmp_path: Path
) -> None:
    user = {"client-certificate-data": base64_of(*ca.issue_cert("jane").cert_chain_pems), **change}
    with Replay("healthy", tls=a_server_of(ca)) as replay:
        assert refusal(replay.kubeconfig(tmp_path, cluster=trusting(ca, tmp_path), user=user)).endswith(said)


def test_a_key_with_a_passphrase_is_refused_and_nobody_is_asked_for_it(ca: trustme.CA, tmp_path: Path) -> None:
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415
        BestAvailableEncryption,
        Encoding,
        PrivateFormat,
        load_pem_private_key,
    )

    mine = ca.issue_cert("jane")
    key = load_pem_private_key(mine.private_key_pem.bytes(), None)
    locked = trustme.Blob(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"hunter2")))
    user = {"client-certificate-data": base64_of(*mine.cert_chain_pems), "client-key-data": base64_of(locked)}
    with Replay("healthy", tls=a_server_of(ca)) as replay:
        said = refusal(replay.kubeconfig(tmp_path, cluster=trusting(ca, tmp_path), user=user))
    assert said.startswith("the client certificate and its key cannot be used: ")


@contextmanager
def a_tunnel(target: int, *, asks_for: str = "") -> Iterator[tuple[str, list[str]]]:
    """A proxy that knows CONNECT alone, leads to one port whatever is asked, and notes what it is told."""
    heard: list[str] = []
    listener = create_server(("127.0.0.1", 0))

    def copy(source: socket, sink: socket) -> None:
        try:
            while chunk := source.recv(65536):
                sink.sendall(chunk)
        except OSError:
            pass
        finally:
            sink.close()

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            head = b""
            while b"\r\n\r\n" not in head:
                head += client.recv(4096)
            heard.extend(head.decode().splitlines())
            if asks_for and f"proxy-authorization: {asks_for}".lower() not in head.decode().lower():
                client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
                client.close()
                continue
            server = create_connection(("127.0.0.1", target))
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            Thread(target=copy, args=(client, server), daemon=True).start()
            Thread(target=copy, args=(server, client), daemon=True).start()

    Thread(target=serve, daemon=True).start()
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}", heard
    finally:
        listener.close()


BLUE = "https://blue.invalid:6443"


def test_the_kubeconfigs_proxy_is_used_with_its_password_whatever_no_proxy_says(
    ca: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    with (
        Replay("healthy", tls=a_server_of(ca, "blue.invalid")) as replay,
        a_tunnel(replay.port, asks_for="Basic amFuZTpodW50ZXIy") as (proxy, heard),
    ):
        cluster = {**trusting(ca, tmp_path), "proxy-url": f"http://jane:hunter2@{proxy}"}
        assert connect(replay.kubeconfig(tmp_path, server=BLUE, cluster=cluster)).get("/version").status == 200
    assert heard[0].startswith("CONNECT blue.invalid:6443 HTTP/1.")
    assert "a-token" not in "".join(heard)


def test_a_proxys_password_beyond_latin_1_is_sent_as_utf_8(ca: trustme.CA, tmp_path: Path) -> None:
    expected = f"Basic {b64encode('jane:h€nter2'.encode()).decode()}"
    with (
        Replay("healthy", tls=a_server_of(ca, "blue.invalid")) as replay,
        a_tunnel(replay.port, asks_for=expected) as (proxy, _),
    ):
        cluster = {**trusting(ca, tmp_path), "proxy-url": f"http://jane:h%E2%82%ACnter2@{proxy}"}
        assert connect(replay.kubeconfig(tmp_path, server=BLUE, cluster=cluster)).get("/version").status == 200


def test_a_server_with_half_a_character_is_refused(tmp_path: Path) -> None:
    with Replay("healthy") as replay:
        kubeconfig = replay.kubeconfig(tmp_path, server="HALF")
    kubeconfig.write_text(kubeconfig.read_text().replace("HALF", r'"https://blue.invalid/h\ud800"'))
    assert refusal(kubeconfig) == "server in the kubeconfig is no URL"


def test_a_proxy_that_wants_another_password_is_told_without_ours(ca: trustme.CA, tmp_path: Path) -> None:
    with Replay("healthy", tls=a_server_of(ca, "blue.invalid")) as replay, a_tunnel(replay.port, asks_for="Basic x") as (proxy, _):
        cluster = {**trusting(ca, tmp_path), "proxy-url": f"http://jane:hunter2@{proxy}"}
        said = refusal(replay.kubeconfig(tmp_path, server=BLUE, cluster=cluster))
    assert said == (
        f"{BLUE} does not answer: the proxy fails (Tunnel connection failed: 407 Proxy Authentication Required); "
        "check proxy-url, HTTPS_PROXY and NO_PROXY"
    )


def test_https_proxy_is_used(ca: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Replay("healthy", tls=a_server_of(ca, "blue.invalid")) as replay, a_tunnel(replay.port) as (proxy, heard):
        monkeypatch.setenv("HTTPS_PROXY", f"http://{proxy}")
        assert connect(replay.kubeconfig(tmp_path, server=BLUE, cluster=trusting(ca, tmp_path))).get("/version").status == 200
    assert heard


@pytest.mark.parametrize("listed", ["blue.invalid", ".invalid", "*"])
def test_no_proxy_takes_a_server_out(listed: str, ca: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Replay("healthy", tls=a_server_of(ca, "blue.invalid")) as replay, a_tunnel(replay.port) as (proxy, heard):
        monkeypatch.setenv("HTTPS_PROXY", f"http://{proxy}")
        monkeypatch.setenv("NO_PROXY", listed)
        said = refusal(replay.kubeconfig(tmp_path, server=BLUE, cluster=trusting(ca, tmp_path)))
    assert (said, heard) == (f"{BLUE} does not answer: its name cannot be resolved; check the network, or the context", [])


def test_the_loopback_is_never_asked_through_the_environments_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with Replay("healthy") as replay:
        assert connect(replay.kubeconfig(tmp_path)).get("/version").status == 200


def test_a_proxy_that_is_down_is_told(tmp_path: Path) -> None:
    with create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with Replay("healthy") as replay:
        said = refusal(replay.kubeconfig(tmp_path, server=BLUE, cluster={"proxy-url": f"http://jane:hunter2@127.0.0.1:{port}"}))
    assert said.startswith(f"{BLUE} does not answer: the proxy fails (")
    assert "hunter2" not in said


def a_service_account(folder: Path, ca: trustme.CA) -> Path:
    folder.mkdir()
    (folder / "token").write_text("pod-token\n")
    ca.cert_pem.write_to_path(str(folder / "ca.crt"))
    return folder


def in_a_pod(monkeypatch: pytest.MonkeyPatch, host: str, port: int) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(port))


def test_a_pod_uses_its_own_account_and_its_token_as_it_rotates(
    ca: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = a_service_account(tmp_path / "account", ca)
    with Replay("healthy", tls=a_server_of(ca)) as replay:
        in_a_pod(monkeypatch, "127.0.0.1", replay.port)
        api = connect(service_account=account)
        api.get("/version")
        (account / "token").write_text("rotated")
        api.get("/version")
    assert [request.headers["authorization"] for request in replay.requests] == ["Bearer pod-token", "Bearer rotated"]
    assert api.cluster == ""


def test_a_pod_can_impersonate(ca: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    account = a_service_account(tmp_path / "account", ca)
    with Replay("healthy", tls=a_server_of(ca)) as replay:
        in_a_pod(monkeypatch, "127.0.0.1", replay.port)
        connect(as_user="jane", service_account=account).get("/version")
    assert replay.requests[0].headers["impersonate-user"] == "jane"


def test_a_pods_api_server_can_have_an_ipv6_address(ca: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    account = a_service_account(tmp_path / "account", ca)
    in_a_pod(monkeypatch, "fd00:10:96::1", 443)
    assert connect(service_account=account).host == "https://[fd00:10:96::1]:443"


def test_a_server_on_ipv6_is_asked(ca: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not has_ipv6:
        pytest.skip("this machine has no IPv6")
    account = a_service_account(tmp_path / "account", ca)
    with Replay("healthy", tls=a_server_of(ca, "::1")) as replay, create_server(("::1", 0), family=AF_INET6) as listener:
        Thread(target=relay, args=(listener, replay.port), daemon=True).start()
        in_a_pod(monkeypatch, "::1", listener.getsockname()[1])
        assert connect(service_account=account).get("/version").status == 200


def relay(listener: socket, port: int) -> None:
    """Hand one connection on to a port of the IPv4 loopback."""
    client, _ = listener.accept()
    server = create_connection(("127.0.0.1", port))

    def copy(source: socket, sink: socket) -> None:
        while chunk := source.recv(65536):
            sink.sendall(chunk)

    Thread(target=copy, args=(client, server), daemon=True).start()
    copy(server, client)


@pytest.mark.parametrize("missing", ["token", "ca.crt"])
def test_a_pod_with_half_an_account_is_told_what_is_missing(
    missing: str, ca: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = a_service_account(tmp_path / "account", ca)
    (account / missing).unlink()
    in_a_pod(monkeypatch, "10.0.0.1", 443)
    with pytest.raises(CannotScan) as refused:
        connect(service_account=account)
    assert str(refused.value) == (
        f"no kubeconfig, and this pod's service account cannot be used: there is no {account / missing}; "
        "the pod needs a serviceAccountName, and automountServiceAccountToken not false"
    )
