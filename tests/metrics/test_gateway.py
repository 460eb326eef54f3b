"""Against Debian's Pushgateway, and against gateways that misbehave."""

import socket
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import trustme

from karpenter_check.metrics.catalogue import FINDINGS, LAST_RUN, LAST_SUCCESS, METRICS
from karpenter_check.metrics.family import Family
from karpenter_check.metrics.gateway import Gateway
from karpenter_check.metrics.recall import recalled
from karpenter_check.metrics.run_families import findings_families, status_families
from karpenter_check.metrics.transport import Credentials, GatewayError
from karpenter_check.rules import every_rule
from karpenter_check.scan import scan
from tests.build import NOON, a_cluster, a_healthy_cluster, a_nodepool, ago
from tests.metrics.history import History, in_the_gateway, kept_for_hours
from tests.metrics.pushgateway import (
    SECRET,
    OddGateway,
    Pushgateway,
    Series,
    a_free_port,
    a_pushgateway,
    a_secured_gateway,
    trusting,
)


@pytest.fixture
def pushgateway(tmp_path: Path) -> Iterator[Pushgateway]:
    with a_pushgateway(tmp_path) as running:
        yield running


def a_target(
    url: str, *, cluster: str = "prod", credentials: Credentials | None = None, timeout: float = 5, **labels: str
) -> Gateway:
    grouping = {"cluster": cluster, **labels}
    return Gateway(
        url,
        job="karpenter-check",
        grouping=grouping,
        credentials=credentials or Credentials(),
        timeout=timeout,
        pause=lambda _: None,
    )


def findings(value: float, rule: str = "r") -> Family:
    return Family(FINDINGS, {(rule, "high", "pool"): value})


def series(families: Sequence[Family]) -> Series:
    return {
        (
            family.metric.full_name(),
            tuple(sorted((name, value) for name, value in zip(family.metric.labels, labels, strict=True) if value)),
        ): number
        for family in families
        for labels, number in family.samples.items()
    }


def without_empty(found: Series) -> Series:
    return {(name, tuple((key, value) for key, value in labels if value)): number for (name, labels), number in found.items()}


def test_the_group_read_back_is_what_was_meant(pushgateway: Pushgateway) -> None:
    families = findings_families(scan(a_healthy_cluster(), every_rule()), version="1.2.3", took=0.5)
    a_target(pushgateway.url).put(families)

    assert without_empty(pushgateway.group(cluster="prod")) == series(families)
    assert {family.name: family.samples for family in a_target(pushgateway.url).read()} == {
        family.name: family.samples for family in families
    }


def test_counters_and_histograms_are_read_back_as_they_were(pushgateway: Pushgateway) -> None:
    history = History()
    history.scan(kept_for_hours())
    history.scan(a_cluster(a_nodepool()), ago("-30m"))
    a_target(pushgateway.url).put(history.families)

    assert a_target(pushgateway.url).read() == tuple(sorted(history.families, key=lambda family: METRICS.index(family.metric)))
    assert recalled(a_target(pushgateway.url).read(), "") == in_the_gateway(history.latest)


def test_a_namespace_of_its_own_is_another_name(pushgateway: Pushgateway) -> None:
    target = Gateway(
        pushgateway.url,
        job="karpenter-check",
        grouping={"cluster": "prod"},
        credentials=Credentials(),
        namespace="karpenter_helper",
    )
    target.put([findings(1)])
    (group,) = pushgateway.groups()

    assert [name for name in group if "findings" in name] == ["karpenter_helper_findings"]
    assert target.read() == (findings(1),)
    assert a_target(pushgateway.url).read() == ()


def test_put_replaces_the_whole_group(pushgateway: Pushgateway) -> None:
    target = a_target(pushgateway.url)
    target.put([findings(1, "old"), Family(LAST_SUCCESS, {(): 5})])
    target.put([findings(2, "new")])

    assert pushgateway.group(cluster="prod") == series([findings(2, "new")])


def test_post_leaves_the_findings_of_the_last_scan(pushgateway: Pushgateway) -> None:
    target = a_target(pushgateway.url)
    target.put([findings(1), Family(LAST_RUN, {(): 1})])
    target.post(status_families(None, version="1", at=NOON))

    found = pushgateway.group(cluster="prod")
    assert found[FINDINGS.full_name(), (("nodepool", "pool"), ("rule", "r"), ("severity", "high"))] == 1
    assert found[LAST_RUN.full_name(), ()] == NOON.timestamp()


def test_two_clusters_do_not_touch_each_other(pushgateway: Pushgateway) -> None:
    pushes = [
        threading.Thread(target=a_target(pushgateway.url, cluster=name).put, args=([findings(number)],))
        for number, name in enumerate(("a", "b"), 1)
    ]
    for push in pushes:
        push.start()
    for push in pushes:
        push.join()

    assert (pushgateway.group(cluster="a"), pushgateway.group(cluster="b")) == (series([findings(1)]), series([findings(2)]))


def test_delete_takes_one_group_away(pushgateway: Pushgateway) -> None:
    a_target(pushgateway.url, cluster="a").put([findings(1)])
    a_target(pushgateway.url, cluster="b").put([findings(1)])
    a_target(pushgateway.url, cluster="a").delete()

    assert [group["labels"]["cluster"] for group in pushgateway.groups()] == ["b"]


def test_further_labels_make_another_group(pushgateway: Pushgateway) -> None:
    a_target(pushgateway.url).put([findings(1)])
    a_target(pushgateway.url, team="core").put([findings(2)])

    assert pushgateway.group(cluster="prod", team="core") == series([findings(2)])
    assert [family.samples for family in a_target(pushgateway.url).read()] == [findings(1).samples]


@pytest.mark.parametrize("cluster", ["arn:aws:eks:eu-west-1:1:cluster/prod", "with space", "ümlaut", "a/b//c"])
def test_any_name_of_a_cluster_makes_a_group(pushgateway: Pushgateway, cluster: str) -> None:
    a_target(pushgateway.url, cluster=cluster).put([findings(1)])

    assert pushgateway.group(cluster=cluster) == series([findings(1)])


def test_a_path_before_the_api_is_kept(tmp_path: Path) -> None:
    with a_pushgateway(tmp_path, "--web.route-prefix=/push/gw", prefix="/push/gw") as pushgateway:
        a_target(f"{pushgateway.url}/").put([findings(1)])

        assert pushgateway.group(cluster="prod") == series([findings(1)])


def test_a_group_that_was_never_pushed_reads_as_nothing(pushgateway: Pushgateway) -> None:
    assert a_target(pushgateway.url).read() == ()


def test_with_tls_and_a_password(tmp_path: Path) -> None:
    arguments = a_secured_gateway(tmp_path)
    good = Credentials("scraper", SECRET, ca_file=tmp_path / "ca.pem")
    with a_pushgateway(tmp_path, *arguments, tls=trusting(tmp_path / "ca.pem"), authorization=good.authorization) as pushgateway:
        a_target(pushgateway.url, credentials=good).put([findings(1)])

        assert pushgateway.group(cluster="prod") == series([findings(1)])
        assert said(pushgateway.url, Credentials("scraper", "wrong", ca_file=tmp_path / "ca.pem")) == (
            "refuses the credentials (HTTP 401); set --push-username and --push-password-file, or --push-bearer-token-file"
        )
        assert said(pushgateway.url, Credentials("scraper", SECRET)).startswith(
            "cannot be reached: its certificate is not trusted ("
        )


def test_a_client_certificate_is_shown_to_a_gateway_that_asks_for_one(tmp_path: Path) -> None:
    arguments = a_secured_gateway(tmp_path)
    ca = trustme.CA()
    ours = ca.issue_cert("someone@example.com")
    ca.cert_pem.write_to_path(tmp_path / "client-ca.pem")
    ours.private_key_and_cert_chain_pem.write_to_path(tmp_path / "client.pem")
    (tmp_path / "web.yml").write_text(
        f"tls_server_config: {{cert_file: {tmp_path}/cert.pem, key_file: {tmp_path}/key.pem, "
        f"client_auth_type: RequireAndVerifyClientCert, client_ca_file: {tmp_path}/client-ca.pem}}\n"
    )
    context = trusting(tmp_path / "ca.pem")
    context.load_cert_chain(tmp_path / "client.pem")
    credentials = Credentials(ca_file=tmp_path / "ca.pem", client_certificate_file=tmp_path / "client.pem")
    with a_pushgateway(tmp_path, *arguments, tls=context) as pushgateway:
        a_target(pushgateway.url, credentials=credentials).put([findings(1)])

        assert pushgateway.group(cluster="prod") == series([findings(1)])


def said(url: str, credentials: Credentials | None = None, *, timeout: float = 5) -> str:
    """What is told of a push that fails, without the address; no secret is ever in it."""
    with pytest.raises(GatewayError) as refused:
        a_target(url, credentials=credentials, timeout=timeout).put([findings(1)])
    text = str(refused.value)
    assert SECRET not in text
    return text.removeprefix(f"the Pushgateway at {url} ")


def test_a_refusal_is_told_in_the_gateways_words_and_not_tried_again() -> None:
    with OddGateway(400, b"pushed metrics are invalid:\n inconsistent") as gateway:
        assert said(gateway.url) == "answers HTTP 400: pushed metrics are invalid: inconsistent"
        assert len(gateway.asked) == 1


def test_a_gateway_that_is_at_fault_is_tried_three_times() -> None:
    with OddGateway(503) as gateway:
        assert said(gateway.url) == "answers HTTP 503"
        assert len(gateway.asked) == 3


def test_a_redirect_is_refused_and_nothing_is_sent_on() -> None:
    with OddGateway(200) as elsewhere, OddGateway(307, Location=f"{elsewhere.url}/metrics/job/x?token=hidden") as gateway:
        assert said(gateway.url, Credentials("u", SECRET)) == (
            f"redirects (HTTP 307) to {elsewhere.url}/metrics/job/x; give that address without /metrics/…"
        )
        assert elsewhere.asked == []


def test_a_bearer_token_is_shown() -> None:
    with OddGateway(200) as gateway:
        a_target(gateway.url, credentials=Credentials(bearer_token=SECRET)).put([findings(1)])

        assert gateway.asked == [("PUT", f"Bearer {SECRET}")]


def test_a_dead_gateway_is_told() -> None:
    assert said(f"http://127.0.0.1:{a_free_port()}") == "cannot be reached: connection refused"


def test_a_slow_gateway_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"

        assert said(url, timeout=0.1) == "cannot be reached: nothing came within 0.1 s; check the network, or raise --push-timeout"


OURS = b'{"status":"success","data":[{"labels":{"job":"karpenter-check","cluster":"prod"},%s}]}'


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"{}",
        b"[]",
        b"",
        b'{"status":"success","data":[',
        b'{"status":"success","data":["group"]}',
        OURS % b'"karpenter_check_findings":{"metrics":[{"value":"many"}]}',
        OURS % b'"karpenter_check_findings":[]',
        OURS % b'"karpenter_check_node_reaping_delay_seconds":{"metrics":[{"buckets":{"60":"x"},"count":"1","sum":"1"}]}',
    ],
)
def test_something_else_than_a_gateway_cannot_be_read_back(body: bytes) -> None:
    with OddGateway(200, body) as gateway, pytest.raises(GatewayError, match="gives no list of groups at /api/v1/metrics"):
        a_target(gateway.url).read()


def test_a_list_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("karpenter_check.metrics.transport.MOST_BYTES", 100_000)
    endless = b'{"status":"success","data":[' + b'{"labels":{"job":"other"}},' * 10_000
    with OddGateway(200, endless) as gateway, pytest.raises(GatewayError, match="lists more than 256 MiB of metrics"):
        a_target(gateway.url).read()


def test_an_answer_that_stops_half_way_is_given_up() -> None:
    def begin(server: socket.socket) -> None:
        connection, _ = server.accept()
        connection.recv(1 << 16)
        connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"status":"success","data":[')
        stopped.append(connection)

    stopped: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=begin, args=(server,)).start()
        with pytest.raises(GatewayError, match=r"breaks off: nothing came within 0\.2 s"):
            a_target(f"http://127.0.0.1:{server.getsockname()[1]}", timeout=0.2).read()
    stopped[0].close()


@pytest.mark.parametrize(
    ("credentials", "message"),
    [
        (Credentials(ca_file=Path("/no/ca.pem")), "the CA file /no/ca.pem cannot be used: No such file or directory"),
        (Credentials(client_certificate_file=Path("/no/c.pem")), "the client certificate /no/c.pem cannot be used: No such file or directory"),
    ],
)  # fmt: skip
def test_files_that_cannot_be_used_are_named(credentials: Credentials, message: str) -> None:
    with pytest.raises(GatewayError) as refused:
        a_target("https://127.0.0.1:1", credentials=credentials)

    assert str(refused.value) == message


def test_secrets_are_in_no_text_of_credentials() -> None:
    assert SECRET not in repr(Credentials("u", SECRET, SECRET))
