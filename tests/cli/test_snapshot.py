"""`karpenter-check snapshot`, run as a user runs it: what is kept scans as the cluster did."""

import gzip
import json
import os
import re
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from karpenter_check.cli import group
from karpenter_check.cli.destination import destination
from karpenter_check.cli.output import write_bytes
from karpenter_check.collect import spool
from karpenter_check.metrics.catalogue import SCAN_DURATION
from tests.cli.terminal import Terminal
from tests.cli.test_scan import as_kubectl_prints
from tests.collect.bad_day import BadDay
from tests.collect.faults import FOREVER, Instead, Trouble
from tests.collect.replay import RECORDINGS, Replay, Reply, an_error, forbidden

EVENTS, PODS = "/api/v1/events", "/api/v1/pods"


def run(*arguments: str, kubeconfig: Path | None = None, input: bytes | None = None) -> Result:
    environment = {"COLUMNS": None, "KUBECONFIG": str(kubeconfig) if kubeconfig else None}
    return CliRunner().invoke(group, list(arguments), input=input, env=environment)


def report(form: str, *arguments: str, kubeconfig: Path | None = None) -> tuple[int, str]:
    """The exit code and the report, without how long the scan took."""
    result = run("scan", "-o", form, "-v", *arguments, kubeconfig=kubeconfig)
    return result.exit_code, re.sub(rf"(?m)^{SCAN_DURATION.full_name()}\S* .*$", "", result.stdout)


@pytest.fixture
def healthy() -> Iterator[Replay]:
    with Replay("healthy") as replay:
        yield replay


@pytest.mark.parametrize("name", ["cluster.json", "cluster.json.gz"])
@pytest.mark.parametrize("recording", ["healthy", "faults", "runaway"])
def test_a_scan_of_the_file_gives_the_report_of_the_cluster(recording: str, name: str, tmp_path: Path) -> None:
    file = tmp_path / name
    with Replay(recording) as replay:
        kubeconfig = replay.kubeconfig(tmp_path)
        written = run("snapshot", "-o", str(file), kubeconfig=kubeconfig)
        live = {form: report(form, kubeconfig=kubeconfig) for form in ("table", "json", "jsonl", "prometheus")}

    assert (written.exit_code, written.stdout) == (0, "")
    assert {form: report(form, "-f", str(file)) for form in live} == live
    assert "recorded" in live["table"][1]


def test_an_incomplete_scan_stays_as_incomplete_as_it_was(healthy: Replay, tmp_path: Path) -> None:
    healthy.answer_always(EVENTS, forbidden(EVENTS, "events"))
    healthy.answer_always("/apis/apps/v1/deployments", an_error("401"))
    bad = {"kind": "PodList", "metadata": {}, "items": [{"metadata": {"name": "p"}, "spec": {"nodeName": 7}}]}
    healthy.answer_always(PODS, Reply(200, json.dumps(bad).encode()))
    kubeconfig, file = healthy.kubeconfig(tmp_path), tmp_path / "cluster.json.gz"
    written = run("snapshot", "--strict", "-o", str(file), kubeconfig=kubeconfig)

    for form in ("table", "json", "jsonl", "prometheus"):
        live = report(form, "--strict", kubeconfig=kubeconfig)
        assert report(form, "--strict", "-f", str(file)) == live
        assert live[0] in {4, 10}
    assert written.exit_code == 4
    assert written.stderr.splitlines()[-1].partition("; ")[2] == (
        "not read: Deployment (failed), Event (forbidden); not wholly read: Pod (partial)"
    )


def test_what_was_not_had_is_warned_of_with_its_reason_and_what_came_of_it(tmp_path: Path) -> None:
    with BadDay("faults", [Trouble(PODS, 2, Instead(b"<html>"), FOREVER)]) as cluster:
        cluster.answer_always("/apis/apps/v1/deployments", an_error("401"))
        cluster.answer_always(EVENTS, forbidden(EVENTS, "events"))
        result = run("snapshot", "-q", "-o", str(tmp_path / "s.json"), kubeconfig=cluster.kubeconfig(tmp_path))

    warned = [line.removeprefix("karpenter-check: warning: ") for line in result.stderr.splitlines()]
    assert [re.sub(r"\(GET [^ ]*: ", "(", line)[:30] for line in warned] == [
        "Pod: failed (the answer is no ",
        "Deployment: failed (HTTP 401: ",
        'Event: forbidden (User "jane" ',
    ]
    assert warned[0].endswith("; 19 of it are in the file")
    assert result.exit_code == 0


def test_with_complete_what_is_missing_all_the_same_is_warned_of(tmp_path: Path) -> None:
    dump = tmp_path / "dump.json"
    node = {"kind": "Node", "apiVersion": "v1", "metadata": {"name": "n1"}}
    dump.write_text(json.dumps({"kind": "List", "apiVersion": "v1", "items": [node]}))
    result = run("snapshot", "-f", str(dump), "--complete", "--at", "2026-11-21T08:00:00Z", "-o", str(tmp_path / "s.json"))

    warning, note = result.stderr.splitlines()
    assert warning == (
        "karpenter-check: warning: Pod: not-collected (none in the input, but there are nodes: did kubectl print an error?)"
    )
    assert re.sub("[0-9.]+ K?i?B", "N B", note.partition("s.json: ")[2]) == "1 object of 1 kind, N B; not read: Pod (not-collected)"


def test_a_cluster_without_karpenter_is_kept_and_both_exit_3(healthy: Replay, tmp_path: Path) -> None:
    groups = {"kind": "APIGroupList", "groups": [{"name": "apps", "versions": [{"version": "v1"}]}]}
    healthy.answer_always("/apis", Reply(200, json.dumps(groups).encode()))
    kubeconfig, file = healthy.kubeconfig(tmp_path), tmp_path / "cluster.json"
    written = run("snapshot", "-o", str(file), kubeconfig=kubeconfig)
    live, kept = run("scan", kubeconfig=kubeconfig), run("scan", "-f", str(file))

    assert (written.exit_code, live.exit_code, kept.exit_code) == (3, 3, 3)
    assert kept.stderr == live.stderr
    assert file.exists()


def test_an_input_with_the_alpha_api_alone_exits_3_and_so_does_its_file(tmp_path: Path) -> None:
    dump, file = tmp_path / "dump.json", tmp_path / "cluster.json"
    provisioner = {"kind": "Provisioner", "apiVersion": "karpenter.sh/v1alpha5", "metadata": {"name": "p"}}
    dump.write_text(json.dumps({"kind": "List", "apiVersion": "v1", "items": [provisioner]}))

    assert run("snapshot", "-f", str(dump), "-o", str(file)).exit_code == 3
    assert run("scan", "-f", str(file)).exit_code == 3


def test_what_kubectl_printed_can_be_kept_and_so_can_standard_input(tmp_path: Path) -> None:
    dump, file, piped = tmp_path / "dump.json", tmp_path / "a.json", tmp_path / "b.json"
    dump.write_bytes(as_kubectl_prints("faults"))
    from_file = run("snapshot", "-f", str(dump), "--complete", "-o", str(file))
    from_stdin = run("snapshot", "-f", "-", "--complete", "-o", str(piped), input=dump.read_bytes())

    assert (from_file.exit_code, from_stdin.exit_code) == (0, 0)
    assert file.read_bytes() == piped.read_bytes()
    assert len(file.read_bytes()) < len(dump.read_bytes()) / 2

    def findings(*arguments: str) -> list[tuple[str, str]]:
        document = json.loads(report("json", *arguments)[1])
        return [(entry["fingerprint"], entry["message"]) for entry in document["findings"]]

    assert findings("-f", str(file)) == findings("-f", str(dump), "--complete")


def test_a_snapshot_of_a_snapshot_is_the_same_file(tmp_path: Path) -> None:
    first, second = tmp_path / "first.json.gz", tmp_path / "second.json.gz"
    run("snapshot", "--demo", "-o", str(first))
    run("snapshot", "-f", str(first), "-o", str(second))

    assert second.read_bytes() == first.read_bytes()


def test_the_commands_of_a_kept_cluster_are_those_of_the_cluster_and_not_of_loose_files(tmp_path: Path) -> None:
    dump, file = tmp_path / "dump.json", tmp_path / "cluster.json"
    dump.write_bytes(as_kubectl_prints("faults"))
    run("snapshot", "-f", str(dump), "-o", str(file))

    def verifying(path: Path) -> set[str]:
        findings = json.loads(run("scan", "-f", str(path), "-o", "json").stdout)["findings"]
        steps = (step for finding in findings for step in finding["fix"] if step["step"] == "verify")
        return {" ".join(step.get("command", step.get("text", "")).split()[:2]) for step in steps}

    assert verifying(file) <= {"karpenter-check scan", "karpenter-check why", "kubectl get"}
    assert verifying(file) & {"karpenter-check scan", "karpenter-check why"}
    assert verifying(dump) == {"take the"}


def test_a_redacted_file_is_as_bad_as_the_cluster_and_names_nothing_of_it(tmp_path: Path) -> None:
    open_file, redacted = tmp_path / "open.json", tmp_path / "redacted.json"
    with Replay("faults") as replay:
        kubeconfig = replay.kubeconfig(tmp_path)
        run("snapshot", "-o", str(open_file), kubeconfig=kubeconfig)
        result = run("snapshot", "--redact", "-o", str(redacted), kubeconfig=kubeconfig)

    def rules(path: Path) -> list[Any]:
        document = json.loads(report("json", "-f", str(path))[1])
        return sorted((entry["rule"], entry["severity"], entry["occurrences"]) for entry in document["findings"])

    assert result.exit_code == 0
    assert rules(redacted) == rules(open_file)
    text = redacted.read_text()
    assert [name for name in ("recorded", "node-agent-heavy", "observability", "ghost-scheduled") if name in text] == []


def test_the_last_line_tells_what_was_written(tmp_path: Path) -> None:
    file = tmp_path / "cluster.json.gz"
    result = run("snapshot", "--demo", "-o", str(file))

    assert re.fullmatch(
        rf"karpenter-check: note: wrote {re.escape(str(file))}: [0-9],[0-9]{{3}} objects of 11 kinds, [0-9]+ KiB\n", result.stderr
    )
    assert run("snapshot", "--demo", "-q", "-o", str(file)).stderr == ""


def test_without_events_there_are_none_in_the_file() -> None:
    result = run("snapshot", "--demo", "--no-events", "--redact", "-o", "-")

    document = json.loads(result.stdout)
    assert "Event" not in document["lists"]
    assert document["coverage"]["Event"] == {"status": "not-collected", "reason": "--no-events"}
    assert "not read: Event (--no-events)" in result.stderr
    assert "warning" not in result.stderr


def test_standard_output_gets_the_file_unpacked() -> None:
    result = run("snapshot", "--demo", "-q", "-o", "-")

    assert json.loads(result.stdout)["schema"] == "karpenter-check/snapshot/v1"
    assert result.stderr == ""


def test_a_reader_of_standard_output_that_goes_away_is_told_with_exit_code_1() -> None:
    command = [sys.executable, "-m", "karpenter_check", "snapshot", "--demo", "-o", "-"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.read(10)
        process.stdout.close()
        assert process.stderr.read() == b"Error: standard output was not wholly written: its reader went away\n"
    assert process.returncode == 1


def test_a_closed_standard_output_is_told_with_exit_code_1() -> None:
    command = f"{sys.executable} -m karpenter_check snapshot --demo -o - >&-"
    process = subprocess.run(["/bin/sh", "-c", command], stderr=subprocess.PIPE, text=True, check=False)

    assert (process.returncode, process.stderr) == (1, "Error: standard output cannot be written: it is closed\n")


def test_a_terminal_is_not_written_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", Terminal())
    with pytest.raises(click.UsageError, match="standard output is a terminal"):
        destination(["-"])


def test_a_link_is_followed_and_a_file_keeps_its_permissions(tmp_path: Path) -> None:
    file, link, dangling = tmp_path / "folder" / "s.json", tmp_path / "link.json", tmp_path / "dangling.json"
    file.parent.mkdir()
    file.touch()
    file.chmod(0o640)
    link.symlink_to(file)
    dangling.symlink_to(file.parent / "new.json")
    codes = [run("snapshot", "--demo", "-o", str(path)).exit_code for path in (link, dangling)]

    assert codes == [0, 0]
    assert (link.is_symlink(), dangling.is_symlink()) == (True, True)
    assert {entry.name: (stat.S_IMODE(entry.stat().st_mode), entry.stat().st_size > 0) for entry in file.parent.iterdir()} == {
        "s.json": (0o640, True),
        "new.json": (0o600, True),
    }


def test_a_file_that_may_not_be_read_can_be_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "s.json"
    file.touch()
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode, **others: mode != os.R_OK and access(path, mode, **others))

    assert run("snapshot", "--demo", "-o", str(file)).exit_code == 0


def test_a_folder_that_may_not_be_written_to_is_named_before_anything_is_read(
    healthy: Replay, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kubeconfig = healthy.kubeconfig(tmp_path)
    monkeypatch.setattr(os, "access", lambda *_: False)
    result = run("snapshot", "-o", str(tmp_path / "s.json"), kubeconfig=kubeconfig)

    assert (result.exit_code, healthy.requests) == (2, [])
    assert f"-o: the folder '{tmp_path}' may not be written to" in result.stderr


@pytest.mark.parametrize("output", ["json=s.json", "table", "yaml"])
def test_a_format_is_no_file(output: str) -> None:
    result = run("snapshot", "--demo", "-o", output)

    assert result.exit_code == 2
    assert f"-o: snapshot writes one format: name a file, such as cluster.json.gz, not {output!r}" in result.stderr
    assert not Path(output).exists()


def test_two_files_are_refused(tmp_path: Path) -> None:
    result = run("snapshot", "--demo", "-o", str(tmp_path / "a.json"), "-o", str(tmp_path / "b.json"))

    assert (result.exit_code, list(tmp_path.iterdir())) == (2, [])
    assert "a snapshot goes to one file: give it once" in result.stderr


def test_the_options_of_a_cluster_are_named_where_there_is_none(tmp_path: Path) -> None:
    result = run("snapshot", "--demo", "--context", "x", "-o", str(tmp_path / "s.json"))

    assert result.exit_code == 2
    assert "Error: --context is for a live cluster; -f and --demo read none" in result.stderr


def test_the_name_of_a_packed_file_may_be_in_capitals(tmp_path: Path) -> None:
    file = tmp_path / "S.JSON.GZ"
    run("snapshot", "--demo", "-o", str(file))

    assert file.read_bytes()[:2] == b"\x1f\x8b"


def test_only_its_owner_may_read_the_file_and_no_other_file_stays(tmp_path: Path) -> None:
    run("snapshot", "--demo", "-o", str(tmp_path / "cluster.json.gz"))

    (file,) = tmp_path.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_packed_file_has_no_time_and_no_name(tmp_path: Path) -> None:
    first, second = tmp_path / "a.json.gz", tmp_path / "b.json.gz"
    for file in (first, second):
        run("snapshot", "--demo", "-o", str(file))

    assert first.read_bytes() == second.read_bytes()
    assert first.read_bytes()[3:8] == b"\x00\x00\x00\x00\x00", "no flags, no time"


def test_a_device_is_written_to_as_it_is() -> None:
    assert run("snapshot", "--demo", "-o", "/dev/null").exit_code == 0
    assert Path("/dev/null").is_char_device()


@pytest.mark.parametrize(
    ("output", "said"),
    [
        (None, "say where to write, with -o FILE or -o FILE.gz; -o - is standard output"),
        ("folder", "is a folder; name a file in it"),
        ("new/", "is a folder; name a file in it"),
        ("a.json/", "is a folder; name a file in it"),
        ("no/such/cluster.json", "there is no folder"),
        ("file/cluster.json", "there is no folder"),
    ],
)
def test_where_nothing_can_be_written_it_says_so_before_it_reads_anything(
    output: str | None, said: str, healthy: Replay, tmp_path: Path
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    result = run("snapshot", *(["-o", f"{tmp_path}/{output}"] if output else []), kubeconfig=healthy.kubeconfig(tmp_path))

    assert result.exit_code == 2
    assert said in result.stderr
    assert healthy.requests == []


def test_a_name_without_a_letter_is_no_file() -> None:
    result = run("snapshot", "--demo", "-o", "")

    assert result.exit_code == 2
    assert "-o: the name of the file is empty" in result.stderr


@pytest.mark.parametrize("length", [254, 300], ids=["too long with what is added", "too long"])
def test_what_cannot_be_written_is_told_with_exit_code_1(length: int, tmp_path: Path) -> None:
    result = run("snapshot", "--demo", "-o", str(tmp_path / ("x" * length)))

    assert (result.exit_code, result.stdout) == (1, "")
    assert "Could not open file" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told_with_exit_code_1() -> None:
    result = run("snapshot", "--demo", "-o", "/dev/full")

    assert result.exit_code == 1
    assert "No space left on device" in result.stderr


def test_a_full_disk_behind_standard_output_is_told_with_exit_code_1() -> None:
    command = [sys.executable, "-m", "karpenter_check", "snapshot", "--demo", "-o", "-"]
    with Path("/dev/full").open("wb") as full:
        process = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)

    assert (process.returncode, process.stderr) == (1, "Error: standard output cannot be written: No space left on device\n")


def test_a_disk_that_is_full_on_the_way_is_told_with_exit_code_1_and_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "TemporaryFile", partial(open, "/dev/full", "wb"))
    monkeypatch.setattr(tempfile, "tempdir", "/var/full")
    result = run("snapshot", "--demo", "-o", "-")

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "Error: the objects cannot be kept on disk on their way: /var/full: no space left; set TMPDIR to a folder with room\n"
    )


@pytest.mark.parametrize("command", ["scan", "snapshot"])
def test_an_input_that_cannot_be_looked_at_is_told_as_what_it_is(command: str, tmp_path: Path) -> None:
    name = "x" * 300
    result = run(command, "-f", name, "-o", "json" if command == "scan" else str(tmp_path / "s.json"))

    assert (result.exit_code, result.stderr) == (
        2,
        f"Error: {name}: file name too long; -f takes a file, a folder or - for standard input\n",
    )


def test_the_place_where_a_scan_writes_to_is_not_taken_from_the_environment() -> None:
    result = CliRunner().invoke(group, ["snapshot", "--demo"], env={"KARPENTER_CHECK_OUTPUT": "json"})

    assert result.exit_code == 2
    assert "say where to write" in result.stderr


@pytest.mark.parametrize("name", ["cluster.json", "cluster.json.gz"])
@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit, MemoryError])
def test_what_is_interrupted_leaves_what_was_there(name: str, end: type[BaseException], tmp_path: Path) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"x" * 3_000_000
        raise end

    file = tmp_path / name
    with pytest.raises(end):
        write_bytes(pieces(), file)
    assert list(tmp_path.iterdir()) == []

    file.write_bytes(b"before")
    with pytest.raises(end):
        write_bytes(pieces(), file)
    assert {entry.name: entry.read_bytes() for entry in tmp_path.iterdir()} == {name: b"before"}


def test_the_number_of_bytes_is_that_of_the_file(tmp_path: Path) -> None:
    plain, packed = tmp_path / "a.json", tmp_path / "a.json.gz"

    assert (write_bytes([b"abc", b"d"], plain), plain.read_bytes()) == (4, b"abcd")
    assert write_bytes([b"abc", b"d"], packed) == packed.stat().st_size
    assert gzip.decompress(packed.read_bytes()) == b"abcd"


def test_a_scan_is_incomplete_where_its_snapshot_was(tmp_path: Path) -> None:
    file = tmp_path / "cluster.json"
    result = run("snapshot", "-f", str(RECORDINGS / "healthy" / "pods.json.gz"), "--strict", "-o", str(file))

    assert result.exit_code == 4
    assert file.exists()
    assert "objects of 1 kind," in result.stderr
