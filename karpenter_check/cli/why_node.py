"""One node's answer: collect, ask, write."""

import shlex
from dataclasses import dataclass, replace

from msgspec.structs import replace as with_fields

from karpenter_check import __version__
from karpenter_check.cli.exits import Exit
from karpenter_check.cli.input import ClusterAccess, Refused, Source
from karpenter_check.cli.output import use_color, width, write_stdout
from karpenter_check.cli.said import Said
from karpenter_check.finding import Fix
from karpenter_check.reports.why_node import render_why_node, render_why_node_json
from karpenter_check.snapshot import Kind, Snapshot
from karpenter_check.why.node import NodeAnswer
from karpenter_check.why.node import why_node as answered
from karpenter_check.why.node_gone import GoneNode
from karpenter_check.why.subject import NotFound


@dataclass(frozen=True, kw_only=True)
class Options:
    """What `karpenter-check why node` was called with."""

    name: str
    source: Source
    form: str
    color: str
    width: int | None
    quiet: bool


def why_node(options: Options) -> None:
    """Write the answer to standard output. Raises click.ClickException where there is none."""
    options.source.check()
    snapshot = options.source.snapshot(Said(-1 if options.quiet else 0))
    answer = _answer(snapshot, options)
    if options.form == "json":
        write_stdout(render_why_node_json(snapshot, answer, __version__))
    else:
        write_stdout(render_why_node(snapshot, answer, width=width(options.width), color=use_color(options.color)))


def _answer(snapshot: Snapshot, options: Options) -> NodeAnswer | GoneNode:
    """Nodes or NodeClaims must have been seen; what the rest would add is told as unseen."""
    if not any(snapshot.nodes or snapshot.nodeclaims or snapshot.covered(kind).sufficient for kind in (Kind.NODE, Kind.NODECLAIM)):
        seen = " and ".join(f"{kind} is {snapshot.covered(kind)}" for kind in (Kind.NODE, Kind.NODECLAIM))
        raise Refused(f"there is no answer without Nodes and NodeClaims: {seen}", Exit.CANNOT_SCAN)
    try:
        answer = answered(snapshot, options.name)
    except NotFound as unknown:
        raise Refused(str(unknown), Exit.USAGE) from unknown
    if isinstance(answer, GoneNode):
        return answer
    return replace(answer, fix=tuple(_addressed(step, options.source.access) for step in answer.fix))


def _addressed(step: Fix, access: ClusterAccess) -> Fix:
    """The step with its command made for the cluster that was looked at: copied as it is, it must not meet another one."""
    where = [
        *(["--kubeconfig", str(access.kubeconfig)] if access.kubeconfig else []),
        *(["--context", access.context] if access.context else []),
    ]
    if not where or not step.command.startswith("kubectl "):
        return step
    return with_fields(step, command=f"kubectl {shlex.join(where)} {step.command.removeprefix('kubectl ')}")
