"""What stands on standard error."""

import pytest

from karpenter_check.cli.said import Said


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
