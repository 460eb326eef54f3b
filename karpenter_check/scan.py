"""scan(snapshot, rules) -> Report: what was found, what was not checked, and why."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from traceback import extract_tb
from typing import Any

from karpenter_check.finding import Finding, Location, Ref, Severity, fingerprint
from karpenter_check.rule import AnyRule, NotProven, Stage
from karpenter_check.snapshot import NO_TIME, Kind, Snapshot, Status
from karpenter_check.snapshot.coverage import LOOSE_MANIFESTS
from karpenter_check.snapshot.objects import metadata_of
from karpenter_check.suppression.ignore import Ignore, IgnoreProblem, IgnoreUse


class Outcome(StrEnum):
    """How a rule ended."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"
    ERROR = "error"


@dataclass(frozen=True)
class RuleRun:
    """One rule's end. `reason` says why it was skipped, how it crashed, or what it did not see."""

    rule: AnyRule
    outcome: Outcome
    reason: str = ""
    missing: tuple[Kind, ...] = ()
    """The kinds that it needs and that were not seen."""
    unprovable: bool = False
    """Whether it was skipped because no snapshot of this cluster could prove anything; nothing was missing."""
    lacks_only_optional: bool = False
    """Whether all that was not, or not wholly, seen of what it needs is of optional kinds."""

    lacks_a_cluster: bool = False
    """Whether it was skipped, or did not see all, because the input is manifests: however they are read, they tell no more."""

    @property
    def is_gap(self) -> bool:
        """Whether a whole snapshot would have let it be evaluated; without optional kinds it is whole, too."""
        return not (self.unprovable or self.lacks_only_optional or self.lacks_a_cluster)


@dataclass(frozen=True)
class Result:
    """A finding with all that scan adds to it."""

    rule: AnyRule
    finding: Finding
    fingerprint: str
    caused_by: tuple[str, ...] = ()
    """Fingerprints of the findings that explain this one."""
    overridden: Severity | None = None
    """The severity that the configuration gives all findings of its rule."""
    ignored: Ignore | None = None
    """Why it is suppressed."""
    location: Location | None = None
    """Where the field, or the object, that it is about stands in a manifest; None where the input was a cluster."""

    @property
    def severity(self) -> Severity:
        """The configured severity, else the finding's own, else its rule's."""
        return self.overridden or self.finding.severity or self.rule.severity


@dataclass(frozen=True)
class Report:
    """Everything that a scan has to say. Results are sorted: worst first, then by rule, owner and NodePool."""

    snapshot: Snapshot
    runs: tuple[RuleRun, ...] = ()
    results: tuple[Result, ...] = ()
    hidden: int = 0
    """Findings that a filter keeps from being shown."""
    suppressed: tuple[Result, ...] = ()
    """Findings that an ignore matches, sorted alike; nothing counts them but their own number."""
    ignores: tuple[IgnoreUse, ...] = ()
    ignore_problems: tuple[IgnoreProblem, ...] = ()
    """Ignores that do not count."""

    @property
    def incomplete(self) -> bool:
        """Whether something was not seen or not judged: a rule without its input, a crash, a list that failed, an unreadable object.

        What is missing of optional kinds does not count.
        """
        unseen = any(coverage.not_had for kind, coverage in self.snapshot.coverage.items() if not kind.optional)
        unread = any(not error.optional for error in self.snapshot.errors)
        return unseen or unread or self.lacks_input or any(run.reason and run.is_gap for run in self.runs)

    @property
    def nothing_checked(self) -> bool:
        """Whether not one rule came to an end: then there was no scan."""
        return bool(self.runs) and all(run.outcome in {Outcome.SKIPPED, Outcome.ERROR} for run in self.runs)

    @property
    def lacks_input(self) -> bool:
        """Whether some rule could not be evaluated though a whole snapshot would have let it. Optional kinds need not be in one."""
        return any(run.outcome in {Outcome.SKIPPED, Outcome.ERROR} and run.is_gap for run in self.runs)


def scan(
    snapshot: Snapshot,
    rules: Iterable[AnyRule],
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    severities: Mapping[str, Severity] | None = None,
    ignores: Sequence[Ignore] = (),
    ignore_problems: Sequence[IgnoreProblem] = (),
) -> Report:
    """Judge the snapshot by the rules. `settings` gives keyword arguments by slug, `severities` what findings of a rule have.

    A rule whose kinds were not seen is skipped; one that crashes is an error, and of its findings none counts.
    A finding that an ignore matches is suppressed; what it explains is not.
    """
    runs, found = [], []
    overridden = severities or {}
    for rule in sorted(rules, key=lambda entry: entry.slug):
        run, findings = _run(rule, snapshot, (settings or {}).get(rule.slug, {}))
        runs.append(run)
        found += [
            Result(
                rule,
                finding,
                fingerprint(rule.slug, finding),
                overridden=overridden.get(rule.slug),
                location=finding.location or snapshot.location_of(finding.object) or snapshot.location_of(finding.owner),
            )
            for finding in findings
        ]
    linked = _linked(sorted(found, key=_order))
    results, uses = _ignored(snapshot, linked, runs, ignores)
    return Report(
        snapshot,
        tuple(runs),
        tuple(result for result in results if not result.ignored),
        suppressed=tuple(result for result in results if result.ignored),
        ignores=uses,
        ignore_problems=tuple(ignore_problems),
    )


def _ignored(
    snapshot: Snapshot, results: Sequence[Result], runs: Sequence[RuleRun], ignores: Sequence[Ignore]
) -> tuple[Sequence[Result], tuple[IgnoreUse, ...]]:
    """The results with the first ignore that matches each and holds, and what became of each ignore."""
    if not ignores:
        return results, ()
    objects, matched = metadata_of(snapshot), dict.fromkeys(range(len(ignores)), 0)
    marked = []
    for result in results:
        because = None
        for place, ignore in enumerate(ignores):
            if ignore.matches(result.rule.slug, result.finding, objects):
                matched[place] += 1
                if because is None and not ignore.expired(snapshot.taken_at):
                    because = ignore
        marked.append(replace(result, ignored=because))
    ended = {run.rule.slug: run.outcome in {Outcome.PASSED, Outcome.FAILED} and not run.reason for run in runs}
    uses = []
    for place, ignore in enumerate(ignores):
        concerned = [whole for slug, whole in ended.items() if ignore.concerns(slug)]
        uses.append(IgnoreUse(ignore, matched[place], ignore.expired(snapshot.taken_at), bool(concerned) and all(concerned)))
    return marked, tuple(uses)


def _order(result: Result) -> tuple[object, ...]:
    finding = result.finding
    owner = finding.owner
    return (result.severity.rank, result.rule.slug, owner.namespace, owner.name, owner.kind, finding.nodepool, finding.cause)


def _run(rule: AnyRule, snapshot: Snapshot, settings: Mapping[str, Any]) -> tuple[RuleRun, Sequence[Finding]]:
    coverages, loose = [(kind, snapshot.covered(kind)) for kind in sorted(rule.needs)], snapshot.of_manifests
    if rule.of_manifests and any(coverage.loose for _, coverage in coverages):  # what is not in them is not there to be judged
        coverages = [(kind, coverage) for kind, coverage in coverages if coverage.status is not Status.NOT_COLLECTED]
    elif missing := [(kind, coverage) for kind, coverage in coverages if not coverage.sufficient]:
        reason = "; ".join(f"{kind}: {coverage}" for kind, coverage in missing)
        kinds = tuple(kind for kind, _ in missing)
        only_optional = all(kind.optional for kind in kinds)
        return RuleRun(rule, Outcome.SKIPPED, reason, kinds, lacks_only_optional=only_optional, lacks_a_cluster=loose), ()
    if rule.judges_ages and snapshot.taken_at == NO_TIME:
        reason = "nothing in the input carries a time, and it judges ages; --at TIME sets one"
        return RuleRun(rule, Outcome.SKIPPED, reason, lacks_a_cluster=loose), ()
    try:
        findings = tuple(rule(snapshot, **settings))
    except NotProven as unproven:
        return RuleRun(rule, Outcome.SKIPPED, f"not proven: {unproven}", unprovable=True), ()
    except Exception as error:  # noqa: BLE001  the one place where a crash becomes a value: a broken rule must not silence the others
        frame = extract_tb(error.__traceback__)[-1]
        return RuleRun(rule, Outcome.ERROR, f"{type(error).__name__}: {error} ({frame.name}, line {frame.lineno})"), ()
    partial = [(kind, coverage) for kind, coverage in coverages if coverage.status is not Status.COMPLETE]
    reason = "; ".join(f"{kind}: {coverage}" for kind, coverage in partial)
    only_optional = bool(partial) and all(kind.optional for kind, _ in partial)
    outcome = Outcome.FAILED if findings else Outcome.PASSED
    told_all = bool(partial) and all(coverage.reason == LOOSE_MANIFESTS for _, coverage in partial)
    return RuleRun(
        rule,
        outcome,
        reason,
        lacks_only_optional=only_optional,
        lacks_a_cluster=told_all,
    ), findings


_OF_NODEPOOLS = frozenset({Stage.CONTROLLER, Stage.NODEPOOL, Stage.BLOCKER})
"""Stages of what is wrong with a NodePool itself, whatever nodes show it."""


def _may_explain(cause: Result, effect: Result, blamed: Ref) -> bool:
    """Whether what one rule finds on an object that another blames is a cause of it at all."""
    if cause.rule is effect.rule or cause.rule.stage is Stage.HAZARD:
        return False
    if blamed.kind != "NodePool":
        return cause.rule.stage <= effect.rule.stage
    of_nodes = any(occurrence.object.kind in {"Node", "NodeClaim"} for occurrence in cause.finding.occurrences)
    return cause.rule.stage < effect.rule.stage and (cause.rule.stage in _OF_NODEPOOLS or not of_nodes)


def _linked(results: Sequence[Result]) -> tuple[Result, ...]:
    """The results with `caused_by` set: a finding is caused by those of no later stage on the objects that it blames.

    A finding is on its object, on its owner, and on every place where it holds. What explains another cause is not told twice.
    Everything about nodes is owned by their NodePool, so that what holds on some of them explains nothing of a NodePool that is blamed,
    and nothing of one stage does. A circle is not closed.
    """
    causes: dict[int, dict[int, None]] = defaultdict(dict)
    about: dict[Ref, list[int]] = defaultdict(list)
    for place, result in enumerate(results):
        finding = result.finding
        for ref in dict.fromkeys((finding.object, finding.owner, *(occurrence.object for occurrence in finding.occurrences))):
            about[ref].append(place)

    def explains(cause: int, effect: int) -> bool:
        """Whether the effect is what explains the cause, at first or at second hand."""
        seen, further = {cause}, [cause]
        while further and effect not in seen:
            new = causes[further.pop()].keys() - seen
            seen |= new
            further += new
        return effect in seen

    for effect, result in enumerate(results):
        for blame in result.finding.blames:
            for cause in about.get(blame.object, ()):
                other = results[cause]
                same = blame.nodepool in {"", other.finding.nodepool}
                if (
                    same
                    and _may_explain(other, result, blame.object)
                    and cause not in causes[effect]
                    and not explains(cause, effect)
                ):
                    causes[effect][cause] = None
    return tuple(
        replace(
            result,
            caused_by=tuple(
                results[cause].fingerprint
                for cause in causes[place]
                if not any(other != cause and explains(other, cause) for other in causes[place])
            ),
        )
        for place, result in enumerate(results)
    )
