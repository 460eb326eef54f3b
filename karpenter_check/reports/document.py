"""The shape of the machine formats, `karpenter-check/v1`; docs/json.md has its schema."""

from datetime import datetime
from typing import Any

import msgspec

from karpenter_check.finding import Evidence, Fix, Impact, Location, Ref
from karpenter_check.scan import Report, Result, RuleRun
from karpenter_check.snapshot import NO_TIME, CollectionError
from karpenter_check.suppression.ignore import IgnoreUse

SCHEMA = "karpenter-check/v1"
EXAMPLES = 5
"""So many occurrences of a finding are shown; `occurrences` counts all."""


class _Part(msgspec.Struct, frozen=True, rename="camel"):
    """Every field is always there, so that a reader need not ask."""


class RunDocument(_Part, frozen=True):
    """What was scanned. Empty texts and null mean that it is not known."""

    taken_at: datetime | None
    cluster: str
    karpenter_version: str
    kubernetes_version: str
    version: str


class CoverageDocument(_Part, frozen=True):
    """What was seen of a kind."""

    status: str
    count: int
    reason: str


class RuleDocument(_Part, frozen=True):
    """How a rule ended."""

    rule: str
    status: str
    reason: str


class SuppressedDocument(_Part, frozen=True):
    """Why a finding is left be, until when, and where that is written."""

    reason: str
    until: datetime | None
    source: str


class IgnoreDocument(_Part, frozen=True):
    """An ignore, and what became of it."""

    source: str
    rule: str
    reason: str
    until: datetime | None
    matched: int
    complaint: str


class FindingDocument(_Part, frozen=True):
    """A finding."""

    rule: str
    severity: str
    confidence: str
    object: Ref
    owner: Ref
    node_pool: str | None
    message: str
    why: str
    cost: str
    impact: Impact
    evidence: tuple[Evidence, ...]
    occurrences: int
    examples: tuple[Ref, ...]
    since: datetime | None
    fix: tuple[Fix, ...]
    docs_url: str
    fingerprint: str
    caused_by: tuple[str, ...]
    suppressed: SuppressedDocument | None
    location: Location | None


class ReportDocument(_Part, frozen=True):
    """A report."""

    schema: str
    run: RunDocument
    coverage: dict[str, CoverageDocument]
    errors: tuple[CollectionError, ...]
    rules: tuple[RuleDocument, ...]
    findings: tuple[FindingDocument, ...]
    hidden: int
    ignores: tuple[IgnoreDocument, ...]


def _seconds(time: datetime | None) -> datetime | None:
    """A time as the API writes most of its own: whole seconds."""
    return time.replace(microsecond=0) if time else None


def run_document(report: Report, version: str) -> RunDocument:
    """What was scanned, by which version of this tool."""
    snapshot = report.snapshot
    taken_at = None if snapshot.taken_at == NO_TIME else _seconds(snapshot.taken_at)
    karpenter = str(snapshot.karpenter_version) if snapshot.karpenter_version else ""
    return RunDocument(taken_at, snapshot.cluster, karpenter, snapshot.kubernetes_version, version)


def _rule_document(run: RuleRun) -> RuleDocument:
    return RuleDocument(run.rule.slug, str(run.outcome), run.reason)


def _ignore_document(use: IgnoreUse) -> IgnoreDocument:
    ignore = use.ignore
    return IgnoreDocument(ignore.source, ignore.rule, ignore.reason, ignore.until, use.matched, use.complaint)


def finding_document(result: Result) -> FindingDocument:
    """One finding."""
    finding = result.finding
    examples = dict.fromkeys(occurrence.object for occurrence in finding.occurrences)
    return FindingDocument(
        rule=result.rule.slug,
        severity=str(result.severity),
        confidence=str(finding.confidence),
        object=finding.object,
        owner=finding.owner,
        node_pool=finding.nodepool or None,
        message=finding.message,
        why=finding.why,
        cost=finding.cost,
        impact=finding.impact,
        evidence=finding.evidence,
        occurrences=len(finding.occurrences),
        examples=tuple(examples)[:EXAMPLES],
        since=_seconds(finding.since),
        fix=finding.fix,
        docs_url=result.rule.docs_url,
        fingerprint=result.fingerprint,
        caused_by=result.caused_by,
        suppressed=SuppressedDocument(left_be.reason, left_be.until, left_be.source) if (left_be := result.ignored) else None,
        location=result.location,
    )


def report_document(report: Report, version: str) -> ReportDocument:
    """The whole report. The same snapshot gives the same document."""
    coverage = {
        str(kind): CoverageDocument(str(entry.status), entry.count, entry.reason)
        for kind, entry in report.snapshot.coverage.items()
    }
    return ReportDocument(
        schema=SCHEMA,
        run=run_document(report, version),
        coverage=coverage,
        errors=report.snapshot.errors,
        rules=tuple(_rule_document(run) for run in report.runs),
        findings=tuple(finding_document(result) for result in (*report.results, *report.suppressed)),
        hidden=report.hidden,
        ignores=(
            *(_ignore_document(use) for use in report.ignores),
            *(IgnoreDocument(problem.source, "", "", None, 0, problem.said) for problem in report.ignore_problems),
        ),
    )


def encoded(document: Any) -> str:
    """A document as one line of JSON."""
    return msgspec.json.encode(document).decode()
