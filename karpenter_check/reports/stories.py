"""Which findings are told as one story: a root, and what follows from it."""

from collections.abc import Iterator, Sequence

from karpenter_check.scan import Report, Result


def consequences(report: Report, cause: Result) -> tuple[Result, ...]:
    """The shown findings that this one explains at first hand."""
    return tuple(result for result in report.results if _told_under(report, result) == cause.fingerprint)


def _told_under(report: Report, result: Result) -> str:
    """The fingerprint of the shown finding under which this one is told; empty for a root."""
    shown = {other.fingerprint for other in report.results}
    return next((cause for cause in result.caused_by if cause in shown), "")


def roots(report: Report) -> tuple[Result, ...]:
    """The shown findings that no shown finding explains."""
    return tuple(result for result in report.results if not _told_under(report, result))


def in_order(report: Report) -> Iterator[tuple[int, Result]]:
    """Every shown finding once, each below its cause, with how deep it stands there.

    Roots come by the worst that is told under them, so that the table reads worst first.
    """

    def walk(result: Result, depth: int) -> Iterator[tuple[int, Result]]:
        yield depth, result
        for effect in consequences(report, result):
            yield from walk(effect, depth + 1)

    def worst(story: Sequence[tuple[int, Result]]) -> int:
        return min(result.severity.rank for _, result in story)

    for story in sorted((list(walk(root, 0)) for root in roots(report)), key=worst):
        yield from story
