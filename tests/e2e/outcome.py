"""What a scenario expects of the scans, and what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from karpenter_check.finding import Ref
from karpenter_check.rules import every_rule
from tests.e2e.scans import Told


@dataclass(frozen=True)
class Found:
    """A finding that a scenario expects."""

    rule: str
    object: Ref
    """What it is about, or its owner: nodes come and go under names that nobody knows beforehand."""
    cause: str
    says: str = ""
    """What its words must hold: the culprit."""
    at_first: str = ""
    """What they may hold instead while it comes about, as with three of five nodes."""
    nodepool: str | None = None
    """None: the NodePool of the scenario's name."""
    caused_by: str = ""
    """The rule whose finding explains it."""

    def is_told_by(self, one: Told, report: Sequence[Told], nodepool: str) -> bool:
        """Whether a finding of the report is this one with its cause, for a scenario of that NodePool."""
        causes = {other.rule for other in report if other.fingerprint in one.caused_by}
        explained = not self.caused_by or self.caused_by in causes
        return self.is_meant_by(one, nodepool) and self.says in one.text and explained

    def is_meant_by(self, one: Told, nodepool: str) -> bool:
        """Whether a finding is this one, whatever explains it: what does may have a threshold that is seconds away."""
        return (
            (one.rule, one.nodepool) == (self.rule, nodepool if self.nodepool is None else self.nodepool)
            and self.object in {one.object, one.owner}
            and one.has_cause(self.cause)
            and (self.says in one.text or (bool(self.at_first) and self.at_first in one.text))
        )

    def __str__(self) -> str:
        return f"{self.rule} ({self.cause})"


@dataclass(frozen=True)
class Outcome:
    """What came of a scenario; a row of the table in docs/testing.md."""

    found: tuple[str, ...] = ()
    missed: tuple[str, ...] = ()
    false: tuple[str, ...] = ()
    no_rule_yet: tuple[str, ...] = ()


def judged(expected: Sequence[Found], reports: Sequence[Sequence[Told]], nodepool: str, no_rule_yet: Sequence[str] = ()) -> Outcome:
    """What the reports, of one scenario's findings each, make of what is expected.

    It is found if any of them tells it, and false is what any of them tells that is not expected, in its latest words.
    A rule that is expected not to be written yet, and is, counts as missed.
    """
    written = {rule.slug for rule in every_rule()}
    told = [(one, report) for report in reports for one in report]
    found = [entry for entry in expected if any(entry.is_told_by(*some, nodepool) for some in told)]
    false = [one for one, _ in told if not any(entry.is_meant_by(one, nodepool) for entry in expected)]
    return Outcome(
        found=tuple(map(str, found)),
        missed=(*(str(entry) for entry in expected if entry not in found), *(slug for slug in no_rule_yet if slug in written)),
        false=tuple(map(str, {one.fingerprint: one for one in false}.values())),
        no_rule_yet=tuple(slug for slug in no_rule_yet if slug not in written),
    )
