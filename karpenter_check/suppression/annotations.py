"""Ignores that stand on the objects themselves, as annotations."""

import re
from collections.abc import Collection, Iterator

from karpenter_check.snapshot import Ref, Snapshot
from karpenter_check.snapshot.clip import clip
from karpenter_check.snapshot.metadata import Metadata
from karpenter_check.snapshot.objects import metadata_of
from karpenter_check.suppression.glob import fits
from karpenter_check.suppression.ignore import Ignore, IgnoreProblem
from karpenter_check.suppression.until import parse_until

IGNORE, REASON, UNTIL = "karpenter-check/ignore", "karpenter-check/ignore-reason", "karpenter-check/ignore-until"
_LONGEST = 300
"""Characters of what it says that are kept: whoever may write annotations should not fill reports."""
_SLUGS = re.compile(r"[a-z0-9*?-]+(\s*,\s*[a-z0-9*?-]+)*")


def annotated_ignores(snapshot: Snapshot, slugs: Collection[str]) -> tuple[tuple[Ignore, ...], tuple[IgnoreProblem, ...]]:
    """The ignores in the snapshot's annotations, and what is wrong with those that do not count: one without a reason, for instance.

    `slugs` are all the rules that there are. An ignore counts for findings on that object, or owned by it.
    """
    ignores: list[Ignore] = []
    problems: list[IgnoreProblem] = []
    for ref, metadata in metadata_of(snapshot).items():
        if metadata.annotations.ignore:
            try:
                ignores += list(_of(ref, metadata, slugs))
            except ValueError as error:
                problems.append(IgnoreProblem(f"{ref}, annotation {IGNORE}", f"does not count: {error}"))
    return tuple(ignores), tuple(problems)


def _of(ref: Ref, metadata: Metadata, slugs: Collection[str]) -> Iterator[Ignore]:
    said = metadata.annotations
    if not _SLUGS.fullmatch(said.ignore.strip()):
        raise ValueError(f"{IGNORE} lists no rules, with commas between them")
    if not said.ignore_reason.strip():
        raise ValueError(f"there is no {REASON}")
    try:
        until = parse_until(said.ignore_until.strip()) if said.ignore_until.strip() else None
    except ValueError as error:
        raise ValueError(f"{UNTIL}: {error}") from error
    for slug in map(str.strip, said.ignore.split(",")):
        if not any(fits(known, slug) for known in slugs):
            raise ValueError(f"there is no rule {clip(slug, _LONGEST)!r}")
        yield Ignore(
            clip(slug, _LONGEST), clip(said.ignore_reason.strip(), _LONGEST), until, ref.kind, ref.namespace, ref.name,
            source=f"{ref}, annotation {IGNORE}",
        )  # fmt: skip
