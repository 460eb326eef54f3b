"""Docs say what is so: links lead somewhere, commands parse, and what is made from code is as the code makes it."""

import re
import shlex
from pathlib import Path

import click
import pytest

from karpenter_check.cli import group
from karpenter_check.cli.exits import Exit
from tests.anchors import anchors
from tests.command_line import parse
from tests.make_picture import COMMAND, PICTURE, picture

ROOT = Path(__file__).parent.parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_relative_links_lead_somewhere(page: Path) -> None:
    prose = re.sub(r"^ *```.*?^ *```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        path, _, anchor = target.partition("#")
        if "://" in target:
            continue
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(target)

    assert broken == []


def our_commands(page: Path) -> list[list[str]]:
    """The arguments of every `karpenter-check …` in the page's console blocks and inline code."""
    text = page.read_text()
    blocks = "\n".join(re.findall(r"^```console\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    lines = re.findall(r"^\$ (.*)$", blocks, re.MULTILINE) + re.findall(r"`(karpenter-check [a-z][^`]*)`", text)
    found = []
    for line in lines:
        for part in re.split(r"&&|\||>", line):
            words = shlex.split(part, comments=True) if part.count("'") % 2 == 0 and part.count('"') % 2 == 0 else []
            words = words[1:] if words[:1] == ["kubectl"] and words[1:2] == ["karpenter-check"] else words
            if words and words[0].endswith("karpenter-check"):
                found.append(words[1:])
    return found


@pytest.mark.parametrize("page", [page for page in PAGES if our_commands(page)], ids=name)
def test_commands_in_the_docs_parse(page: Path) -> None:
    for arguments in our_commands(page):
        if any("…" in argument or argument.isupper() for argument in arguments):
            continue
        parse(arguments)


def test_a_wrong_command_would_be_seen() -> None:
    with pytest.raises(click.UsageError):
        parse(["scan", "--no-such-option"])


def test_the_exit_codes_are_those_of_the_code() -> None:
    table = re.findall(r"^\| ([0-9]+) \|", (ROOT / "docs" / "exit-codes.md").read_text(), re.MULTILINE)

    assert sorted(map(int, table)) == sorted(Exit)


def test_every_exit_code_of_the_help_is_one() -> None:
    help_text = " ".join(str(group.get_command(click.Context(group), "scan").help).split())  # type: ignore[union-attr]  # the command is there
    codes = re.findall(r"(?:codes: |, )([0-9]+) ", help_text)

    assert sorted(map(int, codes)) == sorted(Exit)


def test_the_picture_is_what_the_scan_prints() -> None:
    assert PICTURE.read_text() == picture(), "run python -m tests.make_picture"


def test_the_command_in_the_picture_is_one() -> None:
    parse(shlex.split(COMMAND)[1:])


def test_nothing_refers_to_what_is_not_in_the_repository() -> None:
    strangers = re.compile(r"\.\./shared|/work/|/root/")
    files = [
        path
        for folder in ("karpenter_check", "docs", "tests", ".ci")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".py", ".md", ""} and path.is_file()
    ]

    assert [
        name(path) for path in files if path != Path(__file__).resolve() and strangers.search(path.read_text(errors="replace"))
    ] == []
