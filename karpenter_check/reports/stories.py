"""Which findings are told as one story: a root, and what follows from it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from karpenter_check.scan import Report, Result


@dataclass(frozen=True)
class Stories:
    """The shown findings of a report, each below the one under which it is told."""

    roots: tuple[Result, ...]
    """The shown findings that no shown finding explains: the worst first, by all that is told under them, and of equal ones what hits most nodes and pods."""
    _effects: Mapping[str, Sequence[Result]]

    def consequences(self, cause: Result) -> Sequence[Result]:
        """The shown findings that this one explains at first hand."""
        return self._effects.get(cause.fingerprint, ())

    def in_order(self) -> Iterator[tuple[int, Result]]:
        """Every shown finding once, each below its cause, with how deep it stands there."""
        for root in self.roots:
            yield from _walk(self._effects, root, 0)

    def fingerprints(self, roots: Iterable[Result]) -> frozenset[str]:
        """The roots' fingerprints, and those of all that is told under them."""
        return frozenset(result.fingerprint for root in roots for _, result in _walk(self._effects, root, 0))


def _walk(effects: Mapping[str, Sequence[Result]], result: Result, depth: int) -> Iterator[tuple[int, Result]]:
    yield depth, result
    for effect in effects.get(result.fingerprint, ()):
        yield from _walk(effects, effect, depth + 1)


def _urgency(story: Sequence[tuple[int, Result]]) -> tuple[int, int, int]:
    """How a story sorts: its worst severity, then the nodes and the pods that it hits, as the finding with the most of them counts them."""
    findings = [result.finding for _, result in story]
    nodes = max(max(finding.impact.nodes or 0, finding.impact.nodeclaims or 0) for finding in findings)
    return min(result.severity.rank for _, result in story), -nodes, -max(finding.impact.pods or 0 for finding in findings)


def stories_of(report: Report) -> Stories:
    """The stories of a report. A finding is told under the first shown one of those that explain it."""
    shown = {result.fingerprint for result in report.results}
    effects: dict[str, list[Result]] = {}
    for result in report.results:
        effects.setdefault(next((cause for cause in result.caused_by if cause in shown), ""), []).append(result)
    roots = effects.pop("", [])
    return Stories(tuple(sorted(roots, key=lambda root: _urgency(list(_walk(effects, root, 0))))), effects)
