import socket
from contextlib import suppress
from email.utils import format_datetime
from functools import partial
from pathlib import Path
from threading import Event, Thread

import pytest

from karpenter_check.collect import api as api_module
from karpenter_check.collect.access import connect
from karpenter_check.collect.answer import Answer
from karpenter_check.collect.refusal import CannotScan
from karpenter_check.collect.retry import pause_after, retry_after
from tests.collect.replay import Replay, Reply, taken_at


def encodings(replay: Replay) -> list[str | None]:
    return [request.headers["accept-encoding"] for request in replay.requests]


def test_on_this_machine_nothing_is_packed(tmp_path: Path) -> None:
    with Replay("healthy") as replay:
        connect(replay.kubeconfig(tmp_path)).get("/version")
    assert encodings(replay) == ["identity"]


def test_over_a_line_answers_are_packed(tmp_path: Path) -> None:
    with Replay("healthy") as replay:
        kubeconfig = replay.kubeconfig(tmp_path, server="http://blue.invalid", cluster={"proxy-url": replay.url})
        connect(kubeconfig).get("/version")
    assert encodings(replay) == ["gzip"]


def test_a_slow_line_behind_a_loopback_address_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_module, "_TELLING", 1000)
    monkeypatch.setattr(api_module, "_SLOW_LINE", 1_000_000_000_000)
    with Replay("healthy") as replay:
        api = connect(replay.kubeconfig(tmp_path))
        for path in ("/version", "/api/v1/pods", "/version"):
            api.get(path)
    assert encodings(replay) == ["identity", "identity", "gzip"]


def test_a_server_that_has_a_bad_moment_is_asked_again(tmp_path: Path) -> None:
    with Replay("healthy") as replay:
        replay.answer("/version", Reply(503, b""), page=1)
        replay.answer("/version", Reply(429, b"", {"Retry-After": "0"}), page=2)
        assert connect(replay.kubeconfig(tmp_path)).get("/version").status == 200
    assert len(replay.requests) == 3


def test_a_server_that_wants_more_time_than_is_left_is_not_waited_for(tmp_path: Path) -> None:
    with Replay("healthy") as replay:
        replay.answer_always("/version", Reply(429, b"", {"Retry-After": "3600"}))
        answer = connect(replay.kubeconfig(tmp_path)).get("/version")
    assert answer.complaint == "HTTP 429 (asks to wait 3600 s, more than --timeout leaves)"
    assert len(replay.requests) == 1


@pytest.mark.parametrize("status", [400, 403, 404, 409, 410, 422, 501])
def test_a_refusal_is_taken_at_its_word(tmp_path: Path, status: int) -> None:
    with Replay("healthy") as replay:
        replay.answer_always("/version", Reply(status, b""))
        assert connect(replay.kubeconfig(tmp_path)).get("/version").status == status
    assert len(replay.requests) == 1


def test_pauses_double_and_none_is_like_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("karpenter_check.collect.retry.FIRST_PAUSE", 1.0)
    pauses = [pause_after(tries) for tries in (1, 2, 3, 1, 2, 3)]
    assert all(low <= pause <= high for pause, (low, high) in zip(pauses, [(0.5, 1.5), (1, 3), (2, 6)] * 2, strict=True))
    assert len(set(pauses)) == 6


def test_a_retry_after_is_waited_for_and_a_little_longer_but_never_less_than_the_own_pause() -> None:
    answer = Answer(429, {"Retry-After": "7"}, b"")
    assert all(7 <= pause_after(1, answer) < 7.01 for _ in range(20))
    assert pause_after(1, Answer(429, {"Retry-After": "0"}, b"")) > 0


@pytest.mark.parametrize(("given", "seconds"), [("0", 0.0), ("7", 7.0), (format_datetime(taken_at("healthy"), usegmt=True), 0.0)])
def test_retry_after_is_read_in_seconds_or_as_a_date(given: str, seconds: float) -> None:
    assert retry_after(Answer(429, {"Retry-After": given}, b"")) == seconds


@pytest.mark.parametrize("given", ["soon", "", "-5", "1.5", "nan", "Wed, 21 Oct 99999 07:28:00 GMT"])
def test_a_retry_after_that_says_nothing_counts_as_none(given: str) -> None:
    assert 0 < pause_after(1, Answer(429, {"Retry-After": given}, b"")) < 0.01


def test_a_server_that_drips_headers_is_waited_for_only_so_long(tmp_path: Path) -> None:
    def drip(server: socket.socket) -> None:
        with suppress(OSError):
            while True:
                connection, _ = server.accept()
                connection.sendall(b"HTTP/1.1 200 OK\r\n")
                drips.append(connection)

    drips: list[socket.socket] = []
    over = Event()

    def keep_dripping() -> None:
        while not over.wait(0.02):
            for connection in drips:
                with suppress(OSError):
                    connection.sendall(b"x-drip: 1\r\n")

    with Replay("healthy") as replay, socket.create_server(("127.0.0.1", 0)) as server:
        host = f"http://127.0.0.1:{server.getsockname()[1]}"
        for work in (partial(drip, server), keep_dripping):
            Thread(target=work, daemon=True).start()
        api = connect(replay.kubeconfig(tmp_path, server=host), request_timeout=0.2)
        with pytest.raises(CannotScan, match=r"no whole answer came within 0\.2 s; .* \(asked 2 times\)"):
            api.get("/apis")
        over.set()
        server.shutdown(socket.SHUT_RDWR)
    for connection in drips:
        connection.close()
