"""`karpenter-check scan --dry-run`: what a scan would see."""

from collections.abc import Sequence
from typing import NamedTuple

from karpenter_check.cli.exits import Exit
from karpenter_check.cli.input import ClusterAccess, Refused, without_karpenter
from karpenter_check.cli.output import write
from karpenter_check.cli.said import one_line
from karpenter_check.collect.preflight import Look, Preflight, preflight
from karpenter_check.collect.refusal import CannotScan
from karpenter_check.metrics.gateway import Gateway
from karpenter_check.metrics.transport import GatewayError
from karpenter_check.snapshot import Status


class Check(NamedTuple):
    """A line of a dry run: what was looked at, whether a scan can count on it, and what there is to say."""

    subject: str
    good: bool
    text: str
    optional: bool = False
    """Whether a scan is complete without it."""

    @property
    def mark(self) -> str:
        """What stands before it."""
        return "ok" if self.good else "--" if self.optional else "NO"


def dry_run(
    access: ClusterAccess, *, strict: bool, events: bool = True, push_target: Check | None = None, push_required: bool = False
) -> Exit:
    """Print a line for each kind and for the push target, if there is one; return the exit code. Raises Refused where a scan would."""
    targets = [push_target] if push_target else []
    try:
        looked = preflight(access.connect(), events=events)
    except CannotScan as refusal:
        _print(targets)
        raise Refused(str(refusal), Exit.CANNOT_SCAN) from refusal
    kinds = [_check(look) for look in looked.looks]
    write(f"{one_line(_heading(looked))}\n", None)
    _print([*kinds, *targets])
    if looked.nodepools.status is Status.ABSENT:
        raise without_karpenter(looked.nodepools.reason)
    if looked.refusal:
        raise Refused(looked.refusal, Exit.CANNOT_SCAN)
    if strict and not all(check.good or check.optional for check in kinds):
        return Exit.INCOMPLETE
    return Exit.PUSH_FAILED if push_required and not all(check.good for check in targets) else Exit.CLEAN


def push_check(gateway: Gateway) -> Check:
    """Whether a Pushgateway lets itself be read. Nothing is pushed to it."""
    try:
        gateway.read()
    except GatewayError as error:
        return Check("push target", False, str(error))
    return Check("push target", True, f"{gateway.shown} answers")


def _heading(looked: Preflight) -> str:
    kubernetes = f", Kubernetes {looked.kubernetes_version}" if looked.kubernetes_version else ""
    return f"{f'cluster {looked.cluster}' if looked.cluster else 'this cluster'} at {looked.host}{kubernetes}; nothing is judged"


def _check(look: Look) -> Check:
    where = ", ".join(look.served)
    if look.status is Status.COMPLETE:
        return Check(look.kind, True, f"{where}" if where else "no NodePool names one")
    if look.kind.optional:
        return Check(look.kind, False, f"optional; {look.status}: {look.reason}", optional=True)
    prefix = f"{where}: " if where and look.status is not Status.ABSENT else ""
    return Check(look.kind, False, f"{look.status}: {prefix}{look.reason}")


def _print(checks: Sequence[Check]) -> None:
    wide = max((len(check.subject) for check in checks), default=0)
    lines = [one_line(f"{check.mark}  {check.subject:{wide}}  {check.text}") for check in checks]
    write("".join(f"{line}\n" for line in lines), None)
