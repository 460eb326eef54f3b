"""JUnit's XML, for pipelines that show tests: a suite for each rule, a case for each finding."""

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from typing import NamedTuple

from karpenter_check.reports.printable import printable
from karpenter_check.reports.told import causes, message, reasons, steps
from karpenter_check.scan import Outcome, Report, Result, RuleRun
from karpenter_check.snapshot import NO_TIME

_NO_XML = re.compile("[\ufffe\uffff]")
"""Characters that can be seen and that XML 1.0 does not have (https://www.w3.org/TR/xml/#charsets)."""


class _Case(NamedTuple):
    """A test case; without an outcome it has passed."""

    name: str
    outcome: str = ""
    """`failure`, `error` or `skipped`."""
    kind: str = ""
    message: str = ""
    text: str = ""


def render_junit(report: Report, version: str) -> str:
    """One XML document. A finding is a `failure`, a suppressed one and a rule that was not judged are `skipped`, a crash and what was not read an `error`.

    A rule that found nothing has one case, which has passed.
    """
    suites = ET.Element("testsuites", name=f"karpenter-check {version}")
    found: dict[str, list[Result]] = {run.rule.slug: [] for run in report.runs}
    for result in (*report.results, *report.suppressed):
        found[result.rule.slug].append(result)
    for run in report.runs:
        _suite(suites, report, run.rule.slug, list(_of_rule(report, run, found[run.rule.slug])), url=run.rule.docs_url)
    if cases := list(_of_collection(report)):
        _suite(suites, report, "collection", cases)
    totals = {name: sum(int(suite.attrib[name]) for suite in suites) for name in ("tests", "failures", "errors")}
    suites.attrib.update({name: str(total) for name, total in totals.items()})
    ET.indent(suites)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(suites, encoding="unicode") + "\n"


def _suite(suites: ET.Element, report: Report, name: str, cases: list[_Case], *, url: str = "") -> None:
    suite = ET.SubElement(suites, "testsuite", name=name, tests=str(len(cases)))
    for attribute, outcome in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.attrib[attribute] = str(sum(case.outcome == outcome for case in cases))
    if report.snapshot.taken_at != NO_TIME:
        suite.attrib["timestamp"] = f"{report.snapshot.taken_at:%Y-%m-%dT%H:%M:%S}"
    if report.snapshot.cluster:
        suite.attrib["hostname"] = _text(report.snapshot.cluster)
    if url:
        suite.attrib["url"] = url
    names: dict[str, int] = {}
    for case in cases:
        names[case.name] = again = names.get(case.name, 0) + 1
        numbered = case.name if again == 1 else f"{case.name} ({again})"
        element = ET.SubElement(suite, "testcase", classname=f"karpenter-check.{name}", name=_text(numbered))
        if case.outcome:
            ended = ET.SubElement(element, case.outcome, type=case.kind, message=_text(case.message))
            ended.text = "\n".join(_text(line) for line in case.text.split("\n"))


def _of_rule(report: Report, run: RuleRun, results: list[Result]) -> Iterator[_Case]:
    slug = run.rule.slug
    if run.outcome is Outcome.SKIPPED:
        yield _Case(slug, "skipped", "not-checked", run.reason)
    elif run.outcome is Outcome.ERROR:
        yield _Case(slug, "error", "crashed", run.reason)
    elif run.outcome is Outcome.FAILED and not results:
        yield _Case(slug, "skipped", "hidden", "filters hide what it found")
    elif not results:
        yield (
            _Case(slug, "skipped", "partly-checked", f"nothing found in what was seen; {run.reason}") if run.reason else _Case(slug)
        )
    for result in results:
        finding = result.finding
        name = f"{finding.object}{f' in NodePool {finding.nodepool}' if finding.nodepool else ''}"
        pieces = (*causes(report, result), *reasons(report, result), *steps(finding.fix))
        lines = [f"{piece.label}: {piece.text}".removeprefix(": ") for piece in pieces]
        text = "\n".join(line.replace("\n", " ") for line in [*lines, f"fingerprint: {result.fingerprint}"])
        if result.ignored:
            yield _Case(name, "skipped", "suppressed", f"suppressed: {result.ignored.reason}", f"{message(result)}\n{text}")
        else:
            yield _Case(name, "failure", str(result.severity), message(result), text)


def _of_collection(report: Report) -> Iterator[_Case]:
    """What was not read: kinds, then single objects and files. Optional kinds are skipped."""
    for kind, coverage in report.snapshot.coverage.items():
        if coverage.not_had:
            yield _Case(str(kind), "skipped" if kind.optional else "error", str(coverage.status), str(coverage))
    for error in report.snapshot.errors:
        name = f"{error.kind} {error.name}".strip() or error.source
        yield _Case(name, "skipped" if error.optional else "error", "not-read", error.message, error.source)


def _text(text: str) -> str:
    return _NO_XML.sub("\ufffd", printable(text))
