"""`--state`: what a scan remembers in a file."""

import gzip
import os
from errno import ENOSPC
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from karpenter_check.cli import group
from karpenter_check.snapshot.last_run import decoded
from tests.build import Thing, a_daemonset, a_node, a_nodeclaim, a_nodepool, a_pod, ago
from tests.metrics.snapshot_files import a_snapshot_file

AGENT = a_daemonset("agent", tolerations=[], selector={"heavy": "yes"})
COUNTED = 'karpenter_check_nodepool_daemonset_mismatches_total{nodepool="default"} 1.0'
ANEW = "karpenter-check: note: no earlier run is remembered: what stands now is where counters begin"


def scan(folder: Path, *, uncounted: bool, state: str = "state.json", cluster: str = "prod") -> Result:
    """One of two scans ten minutes apart; between them a pod comes that Karpenter does not count."""
    pods = [a_pod("agent-1", on="n1", of=AGENT, age="5m")] if uncounted else []
    things: list[Thing] = [a_nodepool(), a_node("n1", labels={"heavy": "yes"}), a_nodeclaim("default-aaaaa"), AGENT, *pods]
    file = a_snapshot_file(folder / "cluster.json", *things, at=ago("0s" if uncounted else "10m"), cluster=cluster)
    arguments = ("-f", str(file), "--state", str(folder / state), "-o", "prometheus", "--fail-on", "none")
    return CliRunner().invoke(group, ["scan", *arguments], env={"COLUMNS": None})


@pytest.mark.parametrize("state", ["state.json", "state.json.gz"])
def test_counters_go_on_from_the_file(tmp_path: Path, state: str) -> None:
    first = scan(tmp_path, uncounted=False, state=state)
    second = scan(tmp_path, uncounted=True, state=state)

    assert (ANEW in first.stderr, ANEW in second.stderr) == (True, False)
    assert COUNTED in second.stdout.splitlines()
    assert 'karpenter_check_memory_info{detail="object",source="state"} 1.0' in second.stdout.splitlines()


def test_only_its_owner_may_read_the_file(tmp_path: Path) -> None:
    scan(tmp_path, uncounted=False)

    assert (tmp_path / "state.json").stat().st_mode & 0o777 == 0o600
    assert decoded((tmp_path / "state.json").read_bytes()).cluster == "prod"


@pytest.mark.parametrize(
    ("written", "why"),
    [
        (b"not json", "JSON is malformed: invalid character (byte 4)"),
        (b'{"schema":"karpenter-check/state/v9"}', "its schema is 'karpenter-check/state/v9', not 'karpenter-check/state/v1'"),
    ],
)
def test_a_file_that_is_not_known_is_put_aside(tmp_path: Path, written: bytes, why: str) -> None:
    state, aside = tmp_path / "state.json", tmp_path / "state.json.refused"
    state.write_bytes(written)
    result = scan(tmp_path, uncounted=True)

    assert result.exit_code == 0
    assert f"karpenter-check: warning: what {state} remembers is not used: {why}; it is {aside} now" in result.stderr
    assert ANEW in result.stderr
    assert (aside.read_bytes(), decoded(state.read_bytes()).cluster) == (written, "prod")


@pytest.mark.parametrize(
    "written",
    [b"\x1f\x8b\x08\x00broken", gzip.compress(b"{}")[:-4], gzip.compress(b'{"schema":"\xff\xfe"}'), gzip.compress(b"[" * 100_000)],
    ids=["no gzip", "cut", "no UTF-8", "deep"],
)
def test_a_packed_file_that_is_broken_is_put_aside(tmp_path: Path, written: bytes) -> None:
    (tmp_path / "state.json.gz").write_bytes(written)
    result = scan(tmp_path, uncounted=True, state="state.json.gz")

    assert (result.exit_code, "remembers is not used: " in result.stderr) == (0, True)
    assert (tmp_path / "state.json.gz.refused").read_bytes() == written
    assert COUNTED in scan_later(tmp_path).stdout.splitlines()


def scan_later(folder: Path) -> Result:
    """From the packed file, a scan of a second node on which the pod has come since."""
    things: list[Thing] = [a_nodepool(), AGENT]
    for number, age in ((1, "5m"), (2, "-2m")):
        things += [a_node(f"n{number}", labels={"heavy": "yes"}), a_nodeclaim(f"default-aaaa{number}", node=f"n{number}")]
        things.append(a_pod(f"agent-{number}", on=f"n{number}", of=AGENT, age=age))
    file = a_snapshot_file(folder / "cluster.json", *things, at=ago("-5m"))
    arguments = ("-f", str(file), "--state", str(folder / "state.json.gz"), "-o", "prometheus", "--fail-on", "none")
    return CliRunner().invoke(group, ["scan", *arguments], env={"COLUMNS": None})


def test_what_is_no_file_is_left_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(os.devnull)
    result = scan(tmp_path, uncounted=True, state="link")

    assert (result.exit_code, (tmp_path / "link").is_symlink()) == (1, True)
    assert Path(os.devnull).is_char_device()


def test_the_memory_of_another_cluster_is_put_aside(tmp_path: Path) -> None:
    scan(tmp_path, uncounted=False, cluster="other")
    result = scan(tmp_path, uncounted=True)

    assert "remembers is not used: it is of cluster other; " in result.stderr
    assert COUNTED not in result.stdout.splitlines()


def test_a_cluster_whose_name_is_missing_once_is_the_same(tmp_path: Path) -> None:
    scan(tmp_path, uncounted=False)
    result = scan(tmp_path, uncounted=True, cluster="")

    assert COUNTED in result.stdout.splitlines()
    assert decoded((tmp_path / "state.json").read_bytes()).cluster == "prod"


def test_a_file_that_cannot_be_written_is_told_and_costs_no_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: Path, __: Path) -> None:
        raise OSError(ENOSPC, os.strerror(ENOSPC))

    monkeypatch.setattr(Path, "replace", full)
    result = scan(tmp_path, uncounted=True)

    assert (result.exit_code, result.stdout.startswith("# HELP")) == (0, True)
    assert (
        f"what was counted cannot be kept in {tmp_path}/state.json, so that it may count again: No space left on device"
        in result.stderr
    )
    assert [file.name for file in tmp_path.iterdir()] == ["cluster.json"]


def test_a_state_that_is_a_folder_is_wrong_usage(tmp_path: Path) -> None:
    (tmp_path / "state.json").mkdir()

    assert scan(tmp_path, uncounted=True).exit_code == 2
