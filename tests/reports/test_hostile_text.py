"""Text from a cluster is hostile: it is printed as text, and cut with a count."""

import re
import unicodedata
import xml.etree.ElementTree as ET
from dataclasses import replace

import msgspec
import pytest
from markdown_it import MarkdownIt

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


OF_PIPELINES = [Format.YAML, Format.SARIF, Format.JUNIT, Format.GITHUB, Format.MARKDOWN, Format.HTML, Format.SUMMARY]
ACTIVE = "<script>alert(1)</script> | `code` *bold* @team #1 :x: http://evil ![a](http://evil) &lt; ]]> \n::error::injected\ufffe"


@pytest.mark.parametrize("form", OF_PIPELINES)
@pytest.mark.parametrize("text", [EVIL, ACTIVE], ids=["unseen", "active"])
def test_the_formats_of_pipelines_hide_nothing(form: Format, text: str) -> None:
    written = render(a_report_full_of(text), form, version="1")

    assert [character for character in written if character != "\n" and unicodedata.category(character) in {"Cc", "Cf", "Zl"}] == []


def test_github_gets_one_command_a_line() -> None:
    lines = render(a_report_full_of(ACTIVE), Format.GITHUB, version="1").splitlines()

    assert [line for line in lines if not line.startswith(("::error title=", "::warning title=", "::notice title="))] == lines[-1:]
    assert lines[-1].startswith("nothing was checked")


def test_xml_holds_it_as_text() -> None:
    case = next(ET.fromstring(render(a_report_full_of(ACTIVE), Format.JUNIT, version="1")).iter("failure"))  # noqa: S314  of our own making

    assert case.get("message") == ACTIVE.replace("\n", "\\n").replace("\ufffe", "\ufffd")
    assert len(case) == 0


def test_markdown_holds_it_as_text() -> None:
    """Whatever a cluster says: no links but to rules' pages, no images, no HTML but the folding, no mentions."""
    written = render(a_report_full_of(ACTIVE + EVIL), Format.MARKDOWN, version="1")
    inner = [child for token in MarkdownIt("commonmark").enable("table").parse(written) for child in token.children or ()]
    links = {str(token.attrs["href"]) for token in inner if token.type == "link_open"}
    html = [token.content for token in MarkdownIt("commonmark").enable("table").parse(written) if token.type == "html_block"]

    assert links == {node_ttl_death.docs_url}
    assert {token.type for token in inner} <= {
        "text",
        "text_special",
        "softbreak",
        "strong_open",
        "strong_close",
        "link_open",
        "link_close",
        "code_inline",
    }
    assert all("<script" not in block and "<img" not in block for block in html)
    assert re.findall(r"@\w|(?<!&)#\d|https?://evil", written) == []


def test_html_holds_it_as_text() -> None:
    written = render(a_report_full_of(ACTIVE), Format.HTML, version="1")

    assert written.count("<script") == 1
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in written


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
