"""docs/testing.md tells of the recording `faults` what a scan finds in it, all of it and nothing else."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from karpenter_check.scan import Report

PAGE = Path(__file__).parent.parent.parent / "docs" / "testing.md"


def table() -> Iterator[tuple[str, str]]:
    """Rule and owner of each finding that the table tells of."""
    _, _, section = PAGE.read_text(encoding="utf-8").partition("### What the recordings show\n")
    for row in re.findall(r"^\| (\[.+?) \| ", section, re.MULTILINE):
        for told in row.split("<br>"):
            slug, _, owners = told.partition("): ")
            for owner in owners.split(", "):
                yield slug.removeprefix("[`").partition("`")[0], owner


def test_what_the_page_tells_of_faults_is_what_is_found(recorded: Callable[[str], Report]) -> None:
    found = {(result.rule.slug, str(result.finding.owner)) for result in recorded("faults").results}

    assert set(table()) == found


def test_nothing_is_told_twice() -> None:
    told = list(table())

    assert len(told) == len(set(told))
