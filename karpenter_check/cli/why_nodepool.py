"""One NodePool's answer: collect, ask, write."""

from dataclasses import dataclass

from karpenter_check import __version__
from karpenter_check.cli.exits import Exit
from karpenter_check.cli.input import Refused, Source
from karpenter_check.cli.output import use_color, width, write_stdout
from karpenter_check.cli.said import Said
from karpenter_check.reports.why_nodepool import render_why_nodepool
from karpenter_check.reports.why_nodepool_json import render_why_nodepool_json
from karpenter_check.snapshot import Kind, Snapshot
from karpenter_check.why.nodepool import NodePoolAnswer
from karpenter_check.why.nodepool import why_nodepool as answered
from karpenter_check.why.subject import NotFound


@dataclass(frozen=True, kw_only=True)
class Options:
    """What `karpenter-check why nodepool` was called with."""

    name: str
    source: Source
    form: str
    color: str
    width: int | None
    quiet: bool


def why_nodepool(options: Options) -> None:
    """Write the answer to standard output. Raises click.ClickException where there is none."""
    options.source.check()
    snapshot = options.source.snapshot(Said(-1 if options.quiet else 0))
    answer = _answer(snapshot, options)
    if options.form == "json":
        write_stdout(render_why_nodepool_json(snapshot, answer, __version__))
    else:
        write_stdout(render_why_nodepool(snapshot, answer, width=width(options.width), color=use_color(options.color)))


def _answer(snapshot: Snapshot, options: Options) -> NodePoolAnswer:
    """The NodePool is enough, as from a manifest; what the rest would add is told as unseen."""
    coverage = snapshot.covered(Kind.NODEPOOL)
    if not (snapshot.nodepools or coverage.sufficient):
        raise Refused(f"there is no answer without NodePools: {coverage}", Exit.CANNOT_SCAN)
    try:
        return answered(snapshot, options.name)
    except NotFound as unknown:
        raise Refused(str(unknown), Exit.USAGE) from unknown
