"""Where a report goes when standard output is full, closed, gone or no terminal: by the program itself, as a shell runs it."""

import os
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from stat import S_IMODE

import pytest

PROGRAM = Path(sys.executable).with_name("karpenter-check")
FULL = Path("/dev/full")
ESCAPE = "\x1b["


def shell(command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """What a shell makes of it; `$0` is the program."""
    ours = {key: value for key, value in os.environ.items() if key not in {"COLUMNS", "NO_COLOR", "FORCE_COLOR", "TERM"}}
    return subprocess.run(
        ["/bin/bash", "-c", command, str(PROGRAM)],
        env={**ours, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full to write to")
def test_a_full_disk_is_one_line() -> None:
    result = shell('"$0" scan --demo > /dev/full')

    assert result.returncode == 1
    assert result.stderr.splitlines()[-1] == "Error: standard output cannot be written: no space left on device"
    assert "Traceback" not in result.stderr


def test_a_closed_standard_output_changes_nothing_but_that_it_is_not_read() -> None:
    result = shell('"$0" scan --demo --fail-on high >&-')

    assert (result.returncode, "Traceback" in result.stderr) == (10, False)


def test_a_reader_that_goes_away_is_no_error() -> None:
    result = shell('"$0" scan --demo --fail-on high | true; exit "${PIPESTATUS[0]}"')

    assert (result.returncode, "Traceback" in result.stderr, "Error" in result.stderr) == (10, False, False)


def test_a_device_that_leads_to_a_file_stays_a_device(tmp_path: Path) -> None:
    file = tmp_path / "errors"
    result = shell(f'"$0" scan --demo -o json=/dev/stderr 2> {file}')

    assert (result.returncode, Path("/dev/stderr").is_symlink()) == (0, True)
    assert '"schema": "karpenter-check/v1"' in file.read_text()


def test_a_report_follows_a_link_and_a_file_keeps_its_permissions(tmp_path: Path) -> None:
    file, link = tmp_path / "report.json", tmp_path / "link.json"
    file.touch()
    file.chmod(0o604)
    link.symlink_to(file)
    result = shell(f'"$0" scan --demo -o json={link}')

    assert (result.returncode, link.is_symlink(), S_IMODE(file.stat().st_mode)) == (0, True, 0o604)
    assert '"schema": "karpenter-check/v1"' in file.read_text()


@pytest.mark.parametrize(
    ("environment", "colored"),
    [
        ({}, False),
        ({"FORCE_COLOR": "1"}, True),
        ({"FORCE_COLOR": "0"}, False),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        ({"FORCE_COLOR": "1", "TERM": "dumb"}, False),
    ],
)
def test_a_pipe_is_colored_where_the_environment_says_so(environment: dict[str, str], colored: bool) -> None:  # noqa: FBT001  a pytest parameter
    result = shell('"$0" scan --demo', **environment)

    assert (result.returncode, ESCAPE in result.stdout) == (0, colored)


def test_what_a_pipe_gets_is_the_same_each_time() -> None:
    first, second = (shell('"$0" scan --demo --color always') for _ in range(2))

    assert (first.stdout == second.stdout, ESCAPE in first.stdout) == (True, True)


def test_a_terminal_gets_links_to_the_rules_pages() -> None:
    terminal, ours = os.openpty()
    with os.fdopen(terminal, "rb", buffering=0) as reader:
        with os.fdopen(ours, "wb") as stdout:
            program = subprocess.Popen(
                [PROGRAM, "scan", "--demo"],
                env={"TERM": "xterm"},
                stdout=stdout,
                stdin=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        printed = b""
        with suppress(OSError):  # Linux says so that nobody writes any more
            while chunk := reader.read(65536):
                printed += chunk

    assert program.wait(timeout=60) == 0
    assert re.search(rb"\x1b]8;id=[^;]*;https://[^\x1b]*/docs/rules/node-ttl-death.md\x1b", printed)
