"""Text from a cluster is hostile: it is printed as text, and cut with a count."""

import unicodedata
from dataclasses import replace

import msgspec
import pytest

from karpenter_check.finding import EventEvidence, Evidence, Finding, Occurrence, Ref, Severity, clip
from karpenter_check.reports import Format, render
from karpenter_check.reports.printable import printable
from karpenter_check.rules.node_ttl_death import node_ttl_death
from karpenter_check.scan import Outcome, Report, Result, RuleRun
from karpenter_check.snapshot import CollectionError
from tests.build import a_healthy_cluster

EVIL = "[red]x[/red] \x1b[31mred\x1b[0m \x9b31m \r\nnext\u2028line \u202egnp.exe\u202c \x07 [link=http://evil]y[/link]"


def a_report_full_of(text: str) -> Report:
    ref = Ref("Pod", text, "v1", text)
    finding = Finding(
        object=ref, owner=ref, nodepool=text, message=text, cause="c", severity=Severity.CRITICAL, why=text, cost=text,
        evidence=(Evidence(ref, "path", text, text), Evidence(event=EventEvidence(text, text, 3, None))),
        occurrences=(Occurrence(ref), Occurrence(Ref("Node", text))),
    )  # fmt: skip
    snapshot = replace(
        a_healthy_cluster(), cluster=text, kubernetes_version=text, errors=(CollectionError(text, text, "Pod", text),)
    )
    return Report(snapshot, (RuleRun(node_ttl_death, Outcome.ERROR, text),), (Result(node_ttl_death, finding, "v1:0"),))


@pytest.mark.parametrize("width", [80, 160])
def test_the_table_shows_it_as_text(width: int) -> None:
    text = render(a_report_full_of(EVIL), Format.TABLE, version="1", width=width, every_story=True)

    assert [character for character in text if character != "\n" and unicodedata.category(character) in {"Cc", "Cf", "Zl"}] == []
    assert "[red]x[/red]" in text
    assert r"\x1b[31mred" in text


@pytest.mark.parametrize("form", [Format.JSON, Format.JSONL])
def test_json_keeps_it_whole_but_written_as_escapes(form: Format) -> None:
    text = render(a_report_full_of(EVIL), form, version="1")

    assert [character for character in text if character != "\n" and unicodedata.category(character) in {"Cc", "Cf", "Zl"}] == []
    first = msgspec.json.decode(text if form is Format.JSON else text.splitlines()[0])
    finding = first["findings"][0] if form is Format.JSON else first
    assert finding["message"] == EVIL


def test_jsonl_stays_one_finding_a_line() -> None:
    lines = render(a_report_full_of(EVIL), Format.JSONL, version="1").splitlines()

    assert [msgspec.json.decode(line)["type"] for line in lines] == ["finding", "run"]


def test_a_long_text_is_cut_with_a_count() -> None:
    assert clip("x" * 76_000, 10) == "xxxxxxxxxx… (+75990 characters)"


def test_a_text_that_fits_is_not_cut() -> None:
    assert clip("short") == "short"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("web-1", "web-1"),
        ("größe …", "größe …"),
        ("a\tb\nc\r", r"a\tb\nc\r"),
        ("\x00\x1b\x7f\x9b", r"\x00\x1b\x7f\x9b"),
        ("\u200b\u202e\u2066\ufeff", r"\u200b\u202e\u2066\ufeff"),
        ("\U000e0041", r"\U000e0041"),
    ],
)
def test_what_cannot_be_seen_is_written_as_an_escape(text: str, shown: str) -> None:
    assert printable(text) == shown
