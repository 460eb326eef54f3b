"""Exit codes. They are stable; where several hold, the first of this list: 2, 1, 3, 10, 4, 5, 0."""

from enum import IntEnum

from karpenter_check.finding import Severity
from karpenter_check.scan import Report


class Exit(IntEnum):
    """What a scan ends with. click ends with 2 for wrong usage, before a scan."""

    CLEAN = 0
    CANNOT_SCAN = 1
    USAGE = 2
    NO_KARPENTER = 3
    INCOMPLETE = 4
    PUSH_FAILED = 5
    FINDINGS = 10


def exit_code(report: Report, *, fail_on: Severity | None, strict: bool, push_failed: bool = False) -> Exit:
    """The code of a scan that took place. `report` holds what counts: filters apply, `--min-severity` does not.

    `push_failed` is only of a push that was required.
    """
    if report.nothing_checked:
        return Exit.CANNOT_SCAN
    if fail_on and any(result.severity.at_least(fail_on) for result in report.results):
        return Exit.FINDINGS
    if strict and report.incomplete:
        return Exit.INCOMPLETE
    if push_failed:
        return Exit.PUSH_FAILED
    return Exit.CLEAN
