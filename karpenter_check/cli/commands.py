"""The commands that a report tells people to type, meant for the cluster that was scanned."""

import shlex
from dataclasses import replace
from pathlib import Path

from msgspec.structs import replace as with_fields

from karpenter_check.finding import Fix, Location
from karpenter_check.scan import Report, Result

_OURS = ("karpenter-check scan", "karpenter-check why pod")


def addressed(report: Report, kubeconfig: Path | None, context: str | None, *, files: bool) -> Report:
    """The report with its commands made for that kubeconfig and context: copied as they are, they must not meet another cluster.

    Of a scan of loose `files`, what verifies it is a new look at new files, which no command of ours can take, unless it names them. The commands of a
    snapshot file are for the cluster that it was taken of, as if that had been scanned.
    """
    where = [*(["--kubeconfig", str(kubeconfig)] if kubeconfig else []), *(["--context", context] if context else [])]
    if not where and not files:
        return report

    def meant(fix: Fix, result: Result) -> Fix:
        if result.location and not where:
            return _in_the_file(fix, result.rule.slug, result.location)
        if files and fix.command.startswith(_OURS) and " -f " not in fix.command:
            return with_fields(fix, command="", text="take the input anew, and look at it again")
        for program in ("kubectl", *_OURS):
            if fix.command.startswith(f"{program} "):
                return (
                    with_fields(fix, command=f"{program} {shlex.join(where)}{fix.command.removeprefix(program)}") if where else fix
                )
        return fix

    return replace(
        report,
        results=tuple(
            replace(result, finding=with_fields(result.finding, fix=tuple(meant(fix, result) for fix in result.finding.fix)))
            for result in report.results
        ),
    )


def _in_the_file(fix: Fix, slug: str, location: Location) -> Fix:
    """A step for what is no object of a cluster yet: the file is what to edit, and what to look at again."""
    if fix.command.startswith(_OURS):
        file = shlex.quote(location.file) if location.in_a_file else "-"
        return with_fields(fix, command=f"karpenter-check scan -f {file} --select {slug}")
    if fix.command.startswith("kubectl "):
        there = f"edit {location}"
        return with_fields(fix, command="", text=f"{there}: {fix.text}" if fix.text else there)
    return fix
