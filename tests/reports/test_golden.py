"""Whole reports of the recordings, as people and programs get them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from karpenter_check.reports import Format, render
from karpenter_check.scan import Report

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("width", [80, 160])
@pytest.mark.parametrize("recording", ["faults", "runaway", "healthy"])
def test_the_table_of_a_recording(
    recording: str, width: int, recorded: Callable[[str], Report], golden: Callable[[Path, str], None]
) -> None:
    text = render(recorded(recording), Format.TABLE, version="1.2.3", width=width)

    golden(GOLDEN / f"{recording}-{width}.txt", text)


@pytest.mark.parametrize("form", [Format.JSON, Format.JSONL])
@pytest.mark.parametrize("recording", ["faults", "runaway", "healthy"])
def test_the_machine_formats_of_a_recording(
    recording: str, form: Format, recorded: Callable[[str], Report], golden: Callable[[Path, str], None]
) -> None:
    text = render(recorded(recording), form, version="1.2.3")

    golden(GOLDEN / f"{recording}.{form}", text)


@pytest.mark.parametrize("form", [Format.SARIF, Format.JUNIT, Format.GITHUB, Format.MARKDOWN, Format.HTML, Format.SUMMARY])
@pytest.mark.parametrize("recording", ["runaway", "healthy"])
def test_the_formats_of_pipelines(
    recording: str, form: Format, recorded: Callable[[str], Report], golden: Callable[[Path, str], None]
) -> None:
    text = render(recorded(recording), form, version="1.2.3")

    golden(GOLDEN / f"{recording}.{form}", text)


@pytest.mark.parametrize("width", [80, 100, 120, 160, 200])
@pytest.mark.parametrize("recording", ["faults", "runaway", "healthy"])
def test_nothing_but_a_command_is_wider_than_the_screen(recording: str, width: int, recorded: Callable[[str], Report]) -> None:
    text = render(recorded(recording), Format.TABLE, version="1.2.3", width=width, every_story=True)

    too_wide = [
        line
        for line in text.splitlines()
        if len(line) > width and not any(word in line for word in ("kubectl ", "karpenter-check scan"))
    ]
    assert too_wide == []


def test_every_story_is_told_when_asked_for(recorded: Callable[[str], Report], golden: Callable[[Path, str], None]) -> None:
    text = render(recorded("runaway"), Format.TABLE, version="1.2.3", width=100, every_story=True)

    golden(GOLDEN / "runaway-every-story.txt", text)


def test_colours_and_links_come_only_when_asked_for(recorded: Callable[[str], Report]) -> None:
    plain = render(recorded("faults"), Format.TABLE, version="1.2.3", width=160, links=True)
    colored = render(recorded("faults"), Format.TABLE, version="1.2.3", width=160, color=True)
    linked = render(recorded("faults"), Format.TABLE, version="1.2.3", width=160, color=True, links=True)

    assert "\x1b" not in plain
    assert ("\x1b[1;31mHIGH" in colored, "\x1b]8;" in colored) == (True, False)
    assert ("\x1b[1;31mHIGH" in linked, "\x1b]8;" in linked) == (True, True)
