"""One HTML file: no network, a filter, and a good print. Everything that is not ours is text of elements or of attributes."""

import xml.etree.ElementTree as ET
from base64 import b64encode
from collections.abc import Iterable
from hashlib import sha256
from importlib.resources import files

from karpenter_check.reports.printable import printable
from karpenter_check.reports.summary import complaints, counts, last_line, not_checked, title
from karpenter_check.reports.told import causes, message, reasons, steps
from karpenter_check.scan import Report, Result


def render_html(report: Report, version: str) -> str:
    """The whole report as one page."""
    style, script = (files(__package__).joinpath(name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    page = ET.Element("html", lang="en")
    head = ET.SubElement(page, "head")
    ET.SubElement(head, "meta", charset="utf-8")
    policy = f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; base-uri 'none'; form-action 'none'"
    ET.SubElement(head, "meta", {"http-equiv": "Content-Security-Policy", "content": policy})
    ET.SubElement(head, "meta", name="viewport", content="width=device-width, initial-scale=1")
    _add(head, "title", f"karpenter-check {report.snapshot.cluster}".strip())
    ET.SubElement(head, "style").text = style
    body = ET.SubElement(page, "body")
    _add(body, "h1", title(report, version))
    _add(body, "p", last_line(report), {"class": "last-line"})
    _filter(body, report)
    _findings(body, report)
    for named, lines in (("Not checked", (f"{what}: {why}" for what, why in not_checked(report))), ("Ignores", complaints(report))):
        _listed(body, named, lines)
    ET.SubElement(body, "script").text = script
    return "<!doctype html>\n" + ET.tostring(page, encoding="unicode", method="html") + "\n"


def _hash(text: str) -> str:
    """What the page's own policy lets run: this and nothing else."""
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"


def _add(parent: ET.Element, tag: str, text: str, attributes: "dict[str, str] | None" = None) -> ET.Element:
    element = ET.SubElement(parent, tag, attributes or {})
    element.text = printable(text)
    return element


def _filter(body: ET.Element, report: Report) -> None:
    """A field for words and a box for each severity; without scripts they are not shown, and everything is."""
    controls = ET.SubElement(body, "form", {"id": "filter", "hidden": ""})
    field = _add(controls, "label", "Filter ")
    ET.SubElement(field, "input", {"id": "words", "type": "search", "placeholder": "rule, object, NodePool, words"})
    chosen = {str(severity): number for severity, number in counts(report).items()} | {"suppressed": len(report.suppressed)}
    for name, number in chosen.items():
        if number:
            label = ET.SubElement(controls, "label", {"class": name})
            box = ET.SubElement(label, "input", {"type": "checkbox", "value": name, "checked": ""})
            box.tail = f" {name} {number}"
    ET.SubElement(controls, "output", {"id": "shown"})


def _findings(body: ET.Element, report: Report) -> None:
    table = ET.SubElement(body, "table")
    headings = ET.SubElement(ET.SubElement(table, "thead"), "tr")
    for heading in ("Severity", "Rule", "Object", "NodePool", "What"):
        _add(headings, "th", heading)
    rows = ET.SubElement(table, "tbody", {"id": "findings"})
    for result in (*report.results, *report.suppressed):
        _row(rows, report, result)


def _row(rows: ET.Element, report: Report, result: Result) -> None:
    finding = result.finding
    severity = "suppressed" if result.ignored else str(result.severity)
    row = ET.SubElement(rows, "tr", {"class": severity, "data-severity": severity, "data-fingerprint": result.fingerprint})
    _add(row, "td", severity, {"class": "severity"})
    # a link is of our own making; nothing of a cluster goes into it
    _add(ET.SubElement(row, "td"), "a", result.rule.slug, {"href": result.rule.docs_url, "rel": "noreferrer"})
    _add(row, "td", str(finding.object))
    _add(row, "td", finding.nodepool)
    details = ET.SubElement(ET.SubElement(row, "td"), "details")
    _add(details, "summary", message(result))
    terms = ET.SubElement(details, "dl")
    if result.ignored:
        _add(terms, "dt", "suppressed")
        _add(terms, "dd", f"{result.ignored.reason} ({result.severity}; {result.ignored.source})")
    for piece in (*causes(report, result), *reasons(report, result), *steps(finding.fix)):
        if piece.label:
            _add(terms, "dt", piece.label)
        place = ET.SubElement(terms, "dd")
        _add(place, "code" if piece.command else "span", piece.text)


def _listed(body: ET.Element, heading: str, lines: Iterable[str]) -> None:
    if texts := list(lines):
        _add(body, "h2", heading)
        places = ET.SubElement(body, "ul")
        for text in texts:
            _add(places, "li", text)
