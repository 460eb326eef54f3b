"""Ctrl-C, SIGTERM and SIGHUP, sent to real processes."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.stuck import Stuck
from tests.collect.replay import Replay

LONG = 60
"""Seconds, not reached: whoever is stuck would stay longer, until a request's own time is over."""
WORDS = {signal.SIGINT: (130, "interrupted"), signal.SIGTERM: (143, "terminated"), signal.SIGHUP: (129, "hung up")}
EACH = pytest.mark.parametrize("number", list(WORDS), ids=["Ctrl-C", "SIGTERM", "SIGHUP"])


@contextmanager
def running(*arguments: str, program: str = "") -> Iterator["subprocess.Popen[str]"]:
    """A run with pipes; `program` is run before it, in the same process. It is killed if it does not end."""
    code = f"import sys; {program or 'pass'}\nfrom karpenter_check.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        with process:
            yield process
            process.kill()
    except BaseException:
        process.kill()
        raise


def ending(process: "subprocess.Popen[str]", *numbers: signal.Signals) -> tuple[int, str, str]:
    """How a process ends when it gets these signals: its code, and what it printed and said."""
    for number in numbers:
        process.send_signal(number)
    printed, said = process.communicate(timeout=LONG)
    return process.returncode, printed, said


@contextmanager
def a_silent_server(folder: Path) -> Iterator[tuple[socket.socket, Path]]:
    """A server that takes connections and never answers, and a kubeconfig for it."""
    with socket.create_server(("127.0.0.1", 0)) as server, Replay("healthy") as cluster:
        yield server, cluster.kubeconfig(folder, server=f"http://127.0.0.1:{server.getsockname()[1]}")


def is_asked(server: socket.socket) -> socket.socket:
    """The connection on which somebody waits for an answer."""
    connection, _ = server.accept()
    assert connection.recv(1)
    return connection


@EACH
def test_a_signal_ends_it_while_the_first_request_hangs(number: signal.Signals, tmp_path: Path) -> None:
    code, word = WORDS[number]
    with (
        a_silent_server(tmp_path) as (server, kubeconfig),
        running("scan", "--kubeconfig", str(kubeconfig), "--request-timeout", "10m") as process,
        is_asked(server),
    ):
        assert ending(process, number) == (code, "", f"{word} while asking the cluster\n")


@EACH
def test_a_signal_ends_it_while_a_page_hangs(number: signal.Signals, tmp_path: Path) -> None:
    code, word = WORDS[number]
    with (
        Stuck() as cluster,
        running("scan", "--kubeconfig", str(cluster.kubeconfig(tmp_path)), "--request-timeout", "10m") as process,
    ):
        assert cluster.asked.wait(LONG)
        assert ending(process, number) == (code, "", f"{word} while collecting Pod\n")


@EACH
def test_a_second_signal_changes_nothing(number: signal.Signals, tmp_path: Path) -> None:
    code, word = WORDS[number]
    with (
        a_silent_server(tmp_path) as (server, kubeconfig),
        running("scan", "--kubeconfig", str(kubeconfig), "--request-timeout", "10m") as process,
        is_asked(server),
    ):
        assert ending(process, number, number, number) == (code, "", f"{word} while asking the cluster\n")


@EACH
def test_a_signal_ends_it_while_it_reads_its_input(number: signal.Signals) -> None:
    code, word = WORDS[number]
    with running("scan", "-f", "-") as process:
        assert process.stdin
        # more than a pipe holds: once it is written, the scan is reading, and its own handlers are in place
        process.stdin.write(" " * 1_000_000)
        process.stdin.flush()
        assert ending(process, number) == (code, "", f"{word} while reading the input\n")


def marking(module: str, name: str) -> str:
    """A program that says on standard error, once, that a function is called."""
    return (
        f"import {module} as module; before = module.{name}; said = []\n"
        f"def marked(*a, **k):\n    said or said.append(sys.stderr.write('here\\n')); sys.stderr.flush(); return before(*a, **k)\n"
        f"module.{name} = marked"
    )


@EACH
def test_a_signal_ends_it_while_a_big_file_is_parsed(number: signal.Signals, tmp_path: Path) -> None:
    code, word = WORDS[number]
    big = tmp_path / "big.yaml"
    big.write_text("kind: List\nitems:\n" + "- {kind: Pod, apiVersion: v1, metadata: {name: p, labels: {a: b, c: d}}}\n" * 200_000)
    with running("scan", "-f", str(big), program=marking("karpenter_check.collect.yaml_documents", "_documents")) as process:
        assert process.stderr
        assert process.stderr.readline() == "here\n"
        assert ending(process, number) == (code, "", f"{word} while reading the input\n")


@EACH
def test_a_signal_ends_it_while_it_judges(number: signal.Signals) -> None:
    code, word = WORDS[number]
    endless = "import karpenter_check.scan as module\ndef endless(*a, **k):\n    sys.stderr.write('here\\n')\n    while True: pass\nmodule.scan = endless"
    with running("scan", "--demo", program=endless) as process:
        assert process.stderr
        assert process.stderr.readline() == "here\n"
        assert ending(process, number) == (code, "", f"{word} while judging\n")


@EACH
def test_a_signal_ends_it_where_python_is_not_asked(number: signal.Signals) -> None:
    code, word = WORDS[number]
    # a C function that takes no notice of signals, as the one that resolves a name
    stuck = (
        "import ctypes, karpenter_check.scan as module\n"
        "def stuck(*a, **k):\n"
        "    libc, lock = ctypes.CDLL(None), ctypes.create_string_buffer(64)\n"
        "    libc.pthread_mutex_init(lock, None); libc.pthread_mutex_lock(lock); sys.stderr.write('here\\n')\n"
        "    libc.pthread_mutex_lock(lock)\n"
        "module.scan = stuck"
    )
    with running("scan", "--demo", program=stuck) as process:
        assert process.stderr
        assert process.stderr.readline() == "here\n"
        assert ending(process, number) == (code, "", f"{word} while judging\n")


@EACH
def test_a_signal_takes_a_plugin_of_the_kubeconfig_along(number: signal.Signals, tmp_path: Path) -> None:
    code, word = WORDS[number]
    told = tmp_path / "told"
    os.mkfifo(told)
    plugin = tmp_path / "plugin"
    plugin.write_text(f"#!/bin/sh\nsleep 600 > {told}\n")
    plugin.chmod(0o755)
    user = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": str(plugin), "interactiveMode": "Never"}}
    with Replay("healthy") as cluster:
        kubeconfig = cluster.kubeconfig(tmp_path, user=user)
        with running("scan", "--kubeconfig", str(kubeconfig), "--request-timeout", "10m") as process, told.open() as pipe:
            assert ending(process, number) == (code, "", f"{word} while asking the cluster\n")
            assert pipe.read() == ""  # the plugin and its child are gone, or this would not end


@EACH
def test_a_signal_takes_a_plugin_along_that_is_just_being_started(number: signal.Signals, tmp_path: Path) -> None:
    code, word = WORDS[number]
    told = tmp_path / "told"
    os.mkfifo(told)
    plugin = tmp_path / "plugin"
    plugin.write_text(f"#!/bin/sh\nsleep 600 > {told}\n")
    plugin.chmod(0o755)
    user = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": str(plugin), "interactiveMode": "Never"}}
    at_once = (
        "import os, subprocess\n"
        "class Popen(subprocess.Popen):\n"
        "    def __init__(self, *a, **k):\n"
        f"        super().__init__(*a, **k); os.kill(os.getpid(), {int(number)})\n"
        "subprocess.Popen = Popen"
    )
    with Replay("healthy") as cluster:
        kubeconfig = cluster.kubeconfig(tmp_path, user=user)
        with running("scan", "--kubeconfig", str(kubeconfig), "--request-timeout", "10m", program=at_once) as process:
            output, said = process.communicate(timeout=60)

    assert (process.returncode, output, said) == (code, "", f"{word} while asking the cluster\n")
    pipe = os.open(told, os.O_RDONLY | os.O_NONBLOCK)
    assert os.read(pipe, 1) == b""  # from a plugin that still were there it would have to be waited for
    os.close(pipe)


@EACH
def test_a_signal_leaves_no_half_written_file(number: signal.Signals, tmp_path: Path) -> None:
    code, word = WORDS[number]
    slow = (
        "from pathlib import Path\n"
        "def named(path, target):\n    assert path.exists(); sys.stderr.write('here\\n')\n    while True: pass\n"
        "Path.replace = named"
    )
    with running("scan", "--demo", "-o", f"json={tmp_path / 'report.json'}", program=slow) as process:
        assert process.stderr
        assert process.stderr.readline() == "here\n"
        assert ending(process, number) == (code, "", f"{word}\n")
    assert list(tmp_path.iterdir()) == []


def test_after_nohup_a_terminal_that_goes_away_ends_nothing(tmp_path: Path) -> None:
    ignoring = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)"
    with (
        Stuck() as cluster,
        running("snapshot", "--kubeconfig", str(cluster.kubeconfig(tmp_path)), "-q", "-o", "-", program=ignoring) as process,
    ):
        assert cluster.asked.wait(LONG)
        process.send_signal(signal.SIGHUP)
        cluster.left.set()
        printed, said = process.communicate(timeout=LONG)

    assert (process.returncode, printed[:10], said) == (0, '{"schema":', "")


@EACH
def test_a_signal_while_the_snapshot_is_written_says_that_nothing_was(number: signal.Signals, tmp_path: Path) -> None:
    code, word = WORDS[number]
    slow = (
        "import karpenter_check.collect.snapshot_file as module\n"
        "def endless(*a):\n    yield b'{'; sys.stderr.write('here\\n')\n    while True: pass\n"
        "module.snapshot_file = endless"
    )
    with running("snapshot", "--demo", "-o", str(tmp_path / "s.json"), program=slow) as process:
        assert process.stderr
        assert process.stderr.readline() == "here\n"
        assert ending(process, number) == (code, "", f"{word} while writing the snapshot; nothing was written\n")
    assert list(tmp_path.iterdir()) == []
