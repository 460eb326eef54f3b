"""One pod's answer: collect, ask, write."""

from dataclasses import dataclass

from karpenter_check import __version__
from karpenter_check.cli.answer import AnswerOptions
from karpenter_check.cli.exits import Exit
from karpenter_check.cli.input import Refused
from karpenter_check.reports.why_pod import render_why_pod, render_why_pod_json
from karpenter_check.snapshot import Kind, Snapshot
from karpenter_check.why.pod import PodAnswer
from karpenter_check.why.pod import why_pod as answered
from karpenter_check.why.subject import NotFound


@dataclass(frozen=True, kw_only=True)
class Options(AnswerOptions):
    """What `karpenter-check why pod` was called with."""

    namespace: str | None


def why_pod(options: Options) -> None:
    """Write the answer to standard output. Raises click.ClickException where there is none."""
    snapshot = options.snapshot()
    answer = _answer(snapshot, options)
    options.write(
        lambda width, color: render_why_pod(snapshot, answer, width=width, color=color),
        lambda: render_why_pod_json(snapshot, answer, __version__),
    )


def _answer(snapshot: Snapshot, options: Options) -> PodAnswer:
    for kind in (Kind.POD, Kind.NODEPOOL):
        coverage = snapshot.covered(kind)
        if not coverage.sufficient:
            raise Refused(f"there is no answer without {kind}s: {coverage}", Exit.CANNOT_SCAN)
    try:
        return answered(snapshot, options.name, options.namespace)
    except NotFound as unknown:
        raise Refused(str(unknown), Exit.USAGE) from unknown
