"""The rows of the table: one for each finding, but alike ones of low severity share one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from karpenter_check.finding import Severity
from karpenter_check.reports.printable import printable
from karpenter_check.reports.stories import Stories
from karpenter_check.reports.told import message
from karpenter_check.scan import Result

_ALIKE = 3
"""So many findings share a row."""


@dataclass(frozen=True)
class Row:
    """A finding, or several alike, as the table shows them."""

    depth: int
    """How deep below its root."""
    results: Sequence[Result]

    @property
    def object(self) -> str:
        """The object, or how many there are."""
        return _all_or_number([str(result.finding.object) for result in self.results], self.results[0].finding.object.kind)

    @property
    def nodepool(self) -> str:
        """The NodePool, or how many there are."""
        return _all_or_number([result.finding.nodepool for result in self.results], "NodePool")

    @property
    def message(self) -> str:
        """What was found, of several that of the first."""
        more = len(self.results) - 1
        first = printable(message(self.results[0]))
        return f"{first}; and {more} more" if more else first


def _all_or_number(texts: Sequence[str], kind: str) -> str:
    different = len(set(texts))
    return printable(texts[0]) if different == 1 else f"{different} {kind}{'es' if kind.endswith('s') else 's'}"


def rows(stories: Stories) -> Iterator[Row]:
    """The rows, each root's consequences below it.

    Three and more findings of one rule, severity and cause that are low at most, and of which nothing follows, stand where the first of them does.
    """
    alike: dict[tuple[str, ...], list[Result]] = {}
    for root in stories.roots:
        alike.setdefault(_likeness(stories, root), []).append(root)
    told: set[str] = set()
    for depth, result in stories.in_order():
        if result.fingerprint in told:
            continue
        same = [] if depth else alike[_likeness(stories, result)]
        shared = same if len(same) >= _ALIKE else [result]
        told.update(entry.fingerprint for entry in shared)
        yield Row(depth, shared)


def _likeness(stories: Stories, root: Result) -> tuple[str, ...]:
    """What is the same of roots that share a row."""
    if not Severity.LOW.at_least(root.severity) or stories.consequences(root):
        return (root.fingerprint,)
    return (root.rule.slug, root.severity, root.finding.object.kind, str(root.finding.cause))
