"""Three lines for a chat message: how much was found, the worst of it, what was not checked."""

from karpenter_check.finding import clip
from karpenter_check.reports.printable import printable
from karpenter_check.reports.stories import stories_of
from karpenter_check.reports.summary import last_line, not_checked
from karpenter_check.reports.told import message
from karpenter_check.scan import Report
from karpenter_check.snapshot import NO_TIME

_LONG = 300
"""Characters of a line."""


def render_summary(report: Report) -> str:
    """Always three lines."""
    snapshot = report.snapshot
    when = "" if snapshot.taken_at == NO_TIME else f" at {snapshot.taken_at:%Y-%m-%d %H:%MZ}"
    lines = (
        f"karpenter-check {snapshot.cluster or 'of a cluster without a name'}{when}: {last_line(report)}",
        _worst(report),
        _unseen(report),
    )
    return "\n".join(printable(clip(line, _LONG)) for line in lines) + "\n"


def _worst(report: Report) -> str:
    roots = stories_of(report).roots
    if not roots:
        return "Nothing was checked." if report.nothing_checked else "Nothing was found by the rules that were checked."
    finding = roots[0].finding
    nodepool = f" in NodePool {finding.nodepool}" if finding.nodepool and finding.object.kind != "NodePool" else ""
    others = f" (and {len(roots) - 1} more causes)" if len(roots) > 2 else " (and 1 more cause)" if len(roots) > 1 else ""
    return f"Worst: {roots[0].severity} {roots[0].rule.slug}, {finding.object}{nodepool}: {message(roots[0])}{others}"


def _unseen(report: Report) -> str:
    missing = [what for what, _ in not_checked(report)]
    return f"Not checked: {', '.join(missing)}" if missing else "Everything was checked."
