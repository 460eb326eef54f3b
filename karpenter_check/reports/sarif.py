"""SARIF 2.1.0, for code scanning: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import msgspec

from karpenter_check.finding import Severity
from karpenter_check.reports.document import finding_document, run_document
from karpenter_check.reports.printable import printable_json
from karpenter_check.reports.summary import not_checked
from karpenter_check.rule import AnyRule
from karpenter_check.scan import Outcome, Report, Result

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_HOME = "https://github.com/karpenter-check/karpenter-check"
_LEVELS = {
    Severity.CRITICAL: "error", Severity.HIGH: "error", Severity.MEDIUM: "warning", Severity.LOW: "note", Severity.INFO: "note",
}  # fmt: skip
_LINK = re.compile(r"\[(?=[^\]]*\]\()")


def render_sarif(report: Report, version: str) -> str:
    """One run with a result for each finding; suppressed ones carry their `suppressions`, what was not checked is a notification.

    An object of a live cluster stands in no file, and code scanning wants one: it is given a path that stays the same, `cluster/NAMESPACE/KIND/NAME.yaml`.
    """
    rules = [run.rule for run in report.runs]
    places = {rule.slug: place for place, rule in enumerate(rules)}
    driver = {
        "name": "karpenter-check",
        "semanticVersion": version,
        "informationUri": _HOME,
        "rules": [_rule(rule) for rule in rules],
    }
    category = f"{quote(report.snapshot.cluster, safe='')}/" if report.snapshot.cluster else ""
    run: dict[str, Any] = {
        "tool": {"driver": driver},
        "automationDetails": {"id": f"karpenter-check/{category}"},
        "invocations": [_invocation(report)],
        "results": [_result(result, places) for result in (*report.results, *report.suppressed)],
        "columnKind": "unicodeCodePoints",
        "properties": msgspec.to_builtins(run_document(report, version)),
    }
    text = msgspec.json.encode({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]})
    return printable_json(msgspec.json.format(text, indent=2).decode()) + "\n"


def _rule(rule: AnyRule) -> dict[str, Any]:
    return {
        "id": rule.slug,
        "shortDescription": {"text": _plain(rule.summary)},
        "help": {"text": f"{_plain(rule.summary)} {rule.docs_url}"},
        "helpUri": rule.docs_url,
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
        "properties": {"tags": ["karpenter", "kubernetes"], "severity": str(rule.severity)},
    }


def _result(result: Result, places: dict[str, int]) -> dict[str, Any]:
    finding = result.finding
    document = msgspec.to_builtins(finding_document(result))
    made: dict[str, Any] = {
        "ruleId": result.rule.slug,
        "ruleIndex": places[result.rule.slug],
        "level": _LEVELS[result.severity],
        "message": {"text": _plain(f"{finding.message}; {finding.why}" if finding.why else finding.message)},
        "locations": [_location(result)],
        "partialFingerprints": {"karpenterCheck/v1": result.fingerprint},
        "properties": {
            name: document[name]
            for name in ("severity", "confidence", "object", "owner", "nodePool", "cost", "occurrences", "since", "fix", "causedBy")
        },
    }
    if ignored := result.ignored:
        made["suppressions"] = [{"kind": "external", "status": "accepted", "justification": ignored.reason}]
    return made


def _location(result: Result) -> dict[str, Any]:
    ref, found = result.finding.object, result.location
    if found and found.in_a_file:
        uri = quote(
            found.file, safe="/"
        )  # as it was named: relative to where the scan ran, which is the repository's root in a pipeline
        region = {"startLine": found.line, "startColumn": found.column}
    else:
        parts = ["cluster", *([ref.namespace] if ref.namespace else []), ref.kind.lower(), f"{ref.name}.yaml"]
        uri, region = "/".join(quote(part, safe="") for part in parts), {"startLine": 1}
    return {
        "physicalLocation": {"artifactLocation": {"uri": f"file://{uri}" if uri.startswith("/") else uri}, "region": region},
        "logicalLocations": [{"name": ref.name, "fullyQualifiedName": str(ref), "kind": "object"}],
    }


def _invocation(report: Report) -> dict[str, Any]:
    """How the scan went: a crash of a rule, and a scan of which nothing came, are no success; what was not seen is told."""
    crashed = {run.rule.slug for run in report.runs if run.outcome is Outcome.ERROR}
    return {
        "executionSuccessful": not (crashed or report.nothing_checked),
        "toolExecutionNotifications": list(_notifications(report, crashed)),
    }


def _notifications(report: Report, crashed: set[str]) -> Iterator[dict[str, Any]]:
    slugs = {run.rule.slug for run in report.runs}
    for what, why in not_checked(report):
        said: dict[str, Any] = {
            "level": "error" if what in crashed else "warning" if report.incomplete else "note",
            "message": {"text": _plain(f"not checked: {what}: {why}")},
        }
        yield {**said, "associatedRule": {"id": what}} if what in slugs else said


def _plain(text: str) -> str:
    """A message without embedded links, which a cluster's text might hold (SARIF 3.11.6)."""
    return _LINK.sub(r"\\[", text)
