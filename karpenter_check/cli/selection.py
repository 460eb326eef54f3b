"""Which findings are shown and counted. What is collected and judged is always the whole cluster."""

from dataclasses import dataclass, replace

from karpenter_check.finding import Severity
from karpenter_check.scan import Report, Result
from karpenter_check.snapshot import Kind, Snapshot, Status
from karpenter_check.snapshot.objects import metadata_of
from karpenter_check.snapshot.selector import LabelSelector


@dataclass(frozen=True)
class Selection:
    """Namespaces, labels and NodePools; none of a sort means all. A finding must satisfy every sort that is given."""

    namespaces: frozenset[str] = frozenset()
    selector: LabelSelector | None = None
    nodepools: frozenset[str] = frozenset()

    def apply(self, report: Report) -> Report:
        """The report with the findings that satisfy it; the others are counted as hidden."""
        if not (self.namespaces or self.selector or self.nodepools):
            return report
        kept = tuple(result for result in report.results if self._admits(result, report.snapshot))
        suppressed = tuple(result for result in report.suppressed if self._admits(result, report.snapshot))
        return replace(report, results=kept, suppressed=suppressed, hidden=report.hidden + len(report.results) - len(kept))

    def unknown(self, snapshot: Snapshot) -> list[str]:
        """What is asked for and not in the snapshot, in words: a name that is misspelt hides everything. Nothing of what was not seen."""
        workloads = (snapshot.daemonsets, snapshot.deployments, snapshot.statefulsets)
        namespaces = {pod.metadata.namespace for pod in snapshot.pods}
        namespaces |= {entry.metadata.namespace for entries in workloads for entry in entries}
        nodepools = {*snapshot.nodepools_by_name, *snapshot.nodes_of_nodepool}
        seen = {kind for kind in Kind if snapshot.covered(kind).status is Status.COMPLETE}
        unknown = []
        if seen >= {Kind.POD, Kind.DAEMONSET, Kind.DEPLOYMENT, Kind.STATEFULSET}:
            unknown += [f"nothing here is in namespace {name!r}" for name in sorted(self.namespaces - namespaces)]
        if Kind.NODEPOOL in seen:
            there = ", ".join(sorted(nodepools)) or "none"
            unknown += [f"there is no NodePool {name!r} here; there are: {there}" for name in sorted(self.nodepools - nodepools)]
        return unknown

    def _admits(self, result: Result, snapshot: Snapshot) -> bool:
        finding = result.finding
        objects = metadata_of(snapshot) if self.selector else {}
        nodes = (snapshot.nodes_by_name.get(occurrence.node) for occurrence in finding.occurrences)
        nodepools = {finding.nodepool} if finding.nodepool else {node.nodepool for node in nodes if node}
        concerned = {finding.object, finding.owner, *(occurrence.object for occurrence in finding.occurrences)}
        return (
            (not self.namespaces or any(ref.namespace in self.namespaces for ref in concerned if ref.namespace))
            and (not self.nodepools or bool(nodepools & self.nodepools))
            and (not self.selector or any(self.selector.matches(entry.labels) for ref in concerned if (entry := objects.get(ref))))
        )


def at_least(report: Report, minimum: Severity) -> Report:
    """The report with the findings that are at least so severe; the others are counted as hidden."""
    kept = tuple(result for result in report.results if result.severity.at_least(minimum))
    suppressed = tuple(result for result in report.suppressed if result.severity.at_least(minimum))
    return replace(report, results=kept, suppressed=suppressed, hidden=report.hidden + len(report.results) - len(kept))
