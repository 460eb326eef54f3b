"""What stands on standard error."""

import sys

import pytest

from karpenter_check.cli.said import Said
from karpenter_check.snapshot import Kind


@pytest.mark.parametrize(
    ("verbosity", "said"),
    [
        (-1, "karpenter-check: warning: w\n"),
        (0, "karpenter-check: warning: w\nkarpenter-check: note: n\n"),
        (1, "karpenter-check: warning: w\nkarpenter-check: note: n\nkarpenter-check: d\n"),
    ],
)
def test_verbosity_decides_what_is_said(verbosity: int, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    speaker = Said(verbosity)
    speaker.warning("w")
    speaker.note("n")
    speaker.detail("d")

    assert capsys.readouterr().err == said


def test_hostile_text_is_one_line_of_text_cut_with_a_count(capsys: pytest.CaptureFixture[str]) -> None:
    Said(0).warning("\x1b[31mred\n\u202e" + "x" * 76_000)

    said = capsys.readouterr().err
    assert said.startswith(r"karpenter-check: warning: \x1b[31mred\n\u202exxx")
    assert said.endswith("x… (+75528 characters)\n")
    assert said.count("\n") == 1


def test_progress_is_drawn_over_itself_on_a_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    speaker = Said(0)
    speaker.progress(Kind.DAEMONSET, 500, 1200)
    speaker.progress(Kind.POD, 7, None)

    assert capsys.readouterr().err == f"\rcollecting DaemonSet: 500 of 1700\r{'collecting Pod: 7':33}"


def test_progress_is_wiped_before_anything_else_is_said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    speaker = Said(0)
    speaker.progress(Kind.POD, 7, None)
    speaker.note("done")

    assert capsys.readouterr().err == f"\rcollecting Pod: 7\r{' ' * 17}\rkarpenter-check: note: done\n"


@pytest.mark.parametrize("verbosity", [-1, 0])
def test_progress_is_silent_off_a_terminal(verbosity: int, capsys: pytest.CaptureFixture[str]) -> None:
    Said(verbosity).progress(Kind.POD, 7, 3)

    assert capsys.readouterr().err == ""
