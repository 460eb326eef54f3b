"""One node's answer: collect, ask, write."""

import shlex
from dataclasses import replace

from msgspec.structs import replace as with_fields

from karpenter_check import __version__
from karpenter_check.cli.answer import AnswerOptions
from karpenter_check.cli.exits import Exit
from karpenter_check.cli.input import ClusterAccess, Refused
from karpenter_check.finding import Fix
from karpenter_check.reports.why_node import render_why_node, render_why_node_json
from karpenter_check.snapshot import Kind, Snapshot
from karpenter_check.why.node import NodeAnswer
from karpenter_check.why.node import why_node as answered
from karpenter_check.why.node_gone import GoneNode
from karpenter_check.why.subject import NotFound


def why_node(options: AnswerOptions) -> None:
    """Write the answer to standard output. Raises click.ClickException where there is none."""
    snapshot = options.snapshot()
    answer = _answer(snapshot, options)
    options.write(
        lambda width, color: render_why_node(snapshot, answer, width=width, color=color),
        lambda: render_why_node_json(snapshot, answer, __version__),
    )


def _answer(snapshot: Snapshot, options: AnswerOptions) -> NodeAnswer | GoneNode:
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
