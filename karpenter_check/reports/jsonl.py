"""The report as lines for log shippers: one finding a line, and a last line that says what was and was not checked."""

from karpenter_check.reports.document import encoded, report_document
from karpenter_check.reports.printable import printable_json
from karpenter_check.scan import Report


def render_jsonl(report: Report, version: str) -> str:
    """`{"schema":…,"type":"finding","run":{…},…the finding}` a line, and at the end `{"type":"run",…}` with coverage and rules."""
    document = report_document(report, version)
    run = encoded(document.run)
    head = f'{{"schema":"{document.schema}","type":'
    lines = [f'{head}"finding","run":{run},{encoded(finding)[1:]}' for finding in document.findings]
    parts = (("run", document.run), ("coverage", document.coverage), ("errors", document.errors), ("rules", document.rules))
    rest = ",".join(f'"{name}":{encoded(part)}' for name, part in parts)
    suppressed = sum(finding.suppressed is not None for finding in document.findings)
    counts = f'"findings":{len(document.findings) - suppressed},"suppressed":{suppressed},"hidden":{document.hidden}'
    lines.append(f'{head}"run",{rest},"ignores":{encoded(document.ignores)},{counts}}}')
    return printable_json("\n".join(lines)) + "\n"
