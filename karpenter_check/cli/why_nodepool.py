"""One NodePool's answer: collect, ask, write."""

from karpenter_check import __version__
from karpenter_check.cli.answer import AnswerOptions
from karpenter_check.cli.exits import Exit
from karpenter_check.cli.input import Refused
from karpenter_check.reports.why_nodepool import render_why_nodepool
from karpenter_check.reports.why_nodepool_json import render_why_nodepool_json
from karpenter_check.snapshot import Kind, Snapshot
from karpenter_check.why.nodepool import NodePoolAnswer
from karpenter_check.why.nodepool import why_nodepool as answered
from karpenter_check.why.subject import NotFound


def why_nodepool(options: AnswerOptions) -> None:
    """Write the answer to standard output. Raises click.ClickException where there is none."""
    snapshot = options.snapshot()
    answer = _answer(snapshot, options)
    options.write(
        lambda width, color: render_why_nodepool(snapshot, answer, width=width, color=color),
        lambda: render_why_nodepool_json(snapshot, answer, __version__),
    )


def _answer(snapshot: Snapshot, options: AnswerOptions) -> NodePoolAnswer:
    """The NodePool is enough, as from a manifest; what the rest would add is told as unseen."""
    coverage = snapshot.covered(Kind.NODEPOOL)
    if not (snapshot.nodepools or coverage.sufficient):
        raise Refused(f"there is no answer without NodePools: {coverage}", Exit.CANNOT_SCAN)
    try:
        return answered(snapshot, options.name)
    except NotFound as unknown:
        raise Refused(str(unknown), Exit.USAGE) from unknown
