"""Which findings are told as one story: a root, and what follows from it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from karpenter_check.scan import Report, Result


@dataclass(frozen=True)
class Stories:
    """The shown findings of a report, each below the one under which it is told."""

    roots: tuple[Result, ...]
    """The shown findings that no shown finding explains."""
    _effects: Mapping[str, Sequence[Result]]

    def consequences(self, cause: Result) -> Sequence[Result]:
        """The shown findings that this one explains at first hand."""
        return self._effects.get(cause.fingerprint, ())

    def in_order(self) -> Iterator[tuple[int, Result]]:
        """Every shown finding once, each below its cause, with how deep it stands there.

        Roots come by the worst that is told under them, so that the table reads worst first.
        """
        for story in sorted((list(self._walk(root, 0)) for root in self.roots), key=_worst):
            yield from story

    def _walk(self, result: Result, depth: int) -> Iterator[tuple[int, Result]]:
        yield depth, result
        for effect in self.consequences(result):
            yield from self._walk(effect, depth + 1)


def _worst(story: Sequence[tuple[int, Result]]) -> int:
    return min(result.severity.rank for _, result in story)


def stories_of(report: Report) -> Stories:
    """The stories of a report. A finding is told under the first shown one of those that explain it."""
    shown = {result.fingerprint for result in report.results}
    effects: dict[str, list[Result]] = {}
    for result in report.results:
        effects.setdefault(next((cause for cause in result.caused_by if cause in shown), ""), []).append(result)
    return Stories(tuple(effects.pop("", ())), effects)
