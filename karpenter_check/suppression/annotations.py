"""Ignores that stand on the objects themselves, as annotations."""

import re
from collections.abc import Iterator

from karpenter_check.snapshot import Ref, Snapshot
from karpenter_check.snapshot.metadata import Metadata
from karpenter_check.snapshot.objects import metadata_of
from karpenter_check.suppression.ignore import Ignore, IgnoreProblem
from karpenter_check.suppression.until import parse_until

IGNORE, REASON, UNTIL = "karpenter-check/ignore", "karpenter-check/ignore-reason", "karpenter-check/ignore-until"
_SLUGS = re.compile(r"[a-z0-9*?-]+(\s*,\s*[a-z0-9*?-]+)*")


def annotated_ignores(snapshot: Snapshot) -> tuple[tuple[Ignore, ...], tuple[IgnoreProblem, ...]]:
    """The ignores in the snapshot's annotations, and what is wrong with those that do not count: one without a reason, for instance.

    An ignore counts for findings on that object, or owned by it.
    """
    ignores: list[Ignore] = []
    problems: list[IgnoreProblem] = []
    for ref, metadata in metadata_of(snapshot).items():
        if metadata.annotations.ignore:
            try:
                ignores += _of(ref, metadata)
            except ValueError as error:
                problems.append(IgnoreProblem(f"{ref}, annotation {IGNORE}", f"does not count: {error}"))
    return tuple(ignores), tuple(problems)


def _of(ref: Ref, metadata: Metadata) -> Iterator[Ignore]:
    said = metadata.annotations
    if not _SLUGS.fullmatch(said.ignore.strip()):
        raise ValueError(f"{IGNORE} lists no rules, with commas between them")
    if not said.ignore_reason.strip():
        raise ValueError(f"there is no {REASON}")
    try:
        until = parse_until(said.ignore_until.strip()) if said.ignore_until.strip() else None
    except ValueError as error:
        raise ValueError(f"{UNTIL}: {error}") from error
    for slug in said.ignore.split(","):
        yield Ignore(
            slug.strip(), said.ignore_reason.strip(), until, ref.kind, ref.namespace, ref.name,
            source=f"{ref}, annotation {IGNORE}",
        )  # fmt: skip
