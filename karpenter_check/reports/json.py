"""The report as one JSON document."""

import msgspec

from karpenter_check.reports.document import encoded, report_document
from karpenter_check.reports.printable import printable_json
from karpenter_check.scan import Report


def render_json(report: Report, version: str) -> str:
    """One indented JSON document, `karpenter-check/v1`."""
    return printable_json(msgspec.json.format(encoded(report_document(report, version)), indent=2)) + "\n"
