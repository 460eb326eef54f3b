"""The last words of a report: how much was found, and what was not checked."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from karpenter_check.admission.versions import NEWEST
from karpenter_check.finding import Severity
from karpenter_check.scan import Outcome, Report, RuleRun
from karpenter_check.snapshot import NO_TIME, Coverage, Kind, Status
from karpenter_check.snapshot.coverage import LOOSE_MANIFESTS

_SHORT = 80
"""Characters of a reason that is worth its place."""


def title(report: Report, version: str) -> str:
    """What was scanned, when, and by which version."""
    snapshot = report.snapshot
    parts = [f"karpenter-check {version}"]
    if snapshot.cluster:
        parts.append(f"cluster {snapshot.cluster}")
    parts.append("at an unknown time" if snapshot.taken_at == NO_TIME else f"at {snapshot.taken_at:%Y-%m-%d %H:%M:%SZ}")
    if snapshot.kubernetes_version:
        parts.append(f"Kubernetes {snapshot.kubernetes_version}")
    elif snapshot.cluster:  # of a cluster it is looked for; a dump or manifests need not tell it
        parts.append("Kubernetes of unknown version")
    unknown = (
        f"of unknown version, manifests judged as of {NEWEST}"
        if snapshot.of_manifests
        else "of unknown version, judged as 1.2 to 1.13"
    )
    parts.append(f"Karpenter {snapshot.karpenter_version or unknown}")
    return ", ".join(parts)


def counts(report: Report) -> dict[Severity, int]:
    """Shown findings by severity, worst first, zeros too."""
    return {severity: sum(result.severity is severity for result in report.results) for severity in Severity}


def not_checked(report: Report) -> Iterator[tuple[str, str]]:
    """What was not judged, or not wholly, and why: kinds with the rules that need them, other rules, then single objects."""
    if report.snapshot.of_manifests:
        yield from _not_checked_of_manifests(report)
        return
    without: dict[str, list[str]] = {}
    for run in report.runs:
        for kind in run.missing:
            without.setdefault(kind, []).append(run.rule.slug)
    yield from _gaps(report, without)
    if unread := dict(_optional_gaps(report)):
        rules = sorted({rule for kind in unread for rule in without.get(kind, ())})
        yield "optional kinds not read", "; ".join(_joined(unread)) + _so_not_judged(rules)
    for run in report.runs:
        if run.outcome in {Outcome.SKIPPED, Outcome.ERROR} and not run.missing:
            yield run.rule.slug, f"{'crashed: ' if run.outcome is Outcome.ERROR else ''}{run.reason}"
    yield from _unread(report)


def _unread(report: Report) -> Iterator[tuple[str, str]]:
    """Single objects and files that could not be read."""
    for error in report.snapshot.errors:
        if name := f"{error.kind} {error.name}".strip():
            yield name, f"{error.message} ({error.source})" if error.source else error.message
        else:
            yield error.source, error.message.removeprefix(f"{error.source}: ")


def _not_checked_of_manifests(report: Report) -> Iterator[tuple[str, str]]:
    """What could not be read first; then what is lacking of kinds that are there; at the end the rules that need a cluster, by their number: no manifest would help them."""
    yield from _unread(report)
    for kind, coverage in report.snapshot.coverage.items():
        if coverage.loose and coverage.reason != LOOSE_MANIFESTS:
            yield str(kind), str(coverage)
    left_out = [run for run in report.runs if run.outcome in {Outcome.SKIPPED, Outcome.ERROR}]
    for run in left_out:
        if run.outcome is Outcome.ERROR or not (run.missing or run.lacks_a_cluster):
            yield run.rule.slug, f"{'crashed: ' if run.outcome is Outcome.ERROR else ''}{run.reason}"
    for reason, runs in _by_reason(run for run in left_out if run.lacks_a_cluster).items():
        number = f"{len(runs)} rule{'s' * (len(runs) != 1)}"
        yield number, reason or "need to know what is in the cluster, and manifests do not tell"


def _by_reason(runs: Iterable[RuleRun]) -> Mapping[str, Sequence[RuleRun]]:
    """The rules without a cluster, those together that lack kinds, and those that lack something else, by what that is."""
    found: dict[str, list[RuleRun]] = {}
    for run in runs:
        found.setdefault("" if run.missing else run.reason, []).append(run)
    return found


def _gaps(report: Report, without: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, str]]:
    """Kinds that are not, or not wholly, there, those of one reason together. What manifests lack is told of what is not in them at all."""
    alike: dict[str, list[Kind]] = {}
    for kind, coverage in report.snapshot.coverage.items():
        if coverage.status is not Status.COMPLETE and not kind.optional:
            alike.setdefault(str(coverage), []).append(kind)
    told: set[str] = set()
    for reason, kinds in alike.items():
        rules = {rule for kind in kinds for rule in without.get(kind, ())}
        if report.snapshot.coverage[kinds[0]].loose:
            rules -= told
        told |= rules
        yield ", ".join(kinds), reason + _so_not_judged(sorted(rules))


def _optional_gaps(report: Report) -> Iterator[tuple[Kind, Coverage]]:
    for kind, coverage in report.snapshot.coverage.items():
        if kind.optional and coverage.status is not Status.COMPLETE:
            yield kind, coverage


def _joined(gaps: Mapping[Kind, Coverage]) -> Iterator[str]:
    """The kinds of one status in a few words: why stands beside it if it is the same for all, and short; else the JSON has it."""
    for status in dict.fromkeys(coverage.status for coverage in gaps.values()):
        kinds = [kind for kind, coverage in gaps.items() if coverage.status is status]
        reasons = {gaps[kind].reason for kind in kinds}
        shown = f"{status} ({reason})" if len(reasons) == 1 and 0 < len(reason := min(reasons)) <= _SHORT else str(status)
        yield f"{', '.join(kinds)}: {shown}"


def _so_not_judged(rules: Sequence[str]) -> str:
    return f"; so not judged: {', '.join(rules)}" if rules else ""


def complaints(report: Report) -> Iterator[str]:
    """The ignores that are of no use any more, or never were."""
    for use in report.ignores:
        if use.complaint:
            yield f"{use.ignore.source} ({use.ignore.rule}: {use.ignore.reason}): {use.complaint}"
    for problem in report.ignore_problems:
        yield f"{problem.source}: {problem.said}"


def last_line(report: Report) -> str:
    """`1 critical, 2 high; 6 of 6 rules checked`: what there is, and what is not known."""
    found = ", ".join(f"{number} {severity}" for severity, number in counts(report).items() if number) or "no findings"
    left_out = sum(run.outcome in {Outcome.SKIPPED, Outcome.ERROR} for run in report.runs)
    if report.nothing_checked:
        found = "nothing was checked"
    rules = f"{len(report.runs) - left_out} of {len(report.runs)} rules checked"
    incomplete = sum(
        coverage.status is not Status.COMPLETE for kind, coverage in report.snapshot.coverage.items() if not kind.optional
    )
    parts = [found, rules]
    if report.suppressed:
        parts.append(f"{len(report.suppressed)} suppressed")
    if report.hidden:
        parts.append(f"{report.hidden} hidden by filters")
    if incomplete:
        parts.append(f"{incomplete} kind{'s' * (incomplete != 1)} not wholly seen")
    if report.snapshot.errors:
        parts.append(f"{len(report.snapshot.errors)} object{'s' * (len(report.snapshot.errors) != 1)} not read")
    return "; ".join(parts)
