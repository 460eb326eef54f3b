"""NodePools that may buy without end."""

import shlex
from collections.abc import Iterator

from karpenter_check.finding import Evidence, Finding, Fix, Impact, Ref, Severity, verification
from karpenter_check.rule import rule
from karpenter_check.snapshot import Kind, NodePool, Snapshot
from karpenter_check.snapshot.counted import plural
from karpenter_check.snapshot.quantity import amounts, shown

_MANAGED_BY = "app.kubernetes.io/managed-by"


@rule(severity=Severity.LOW, needs={Kind.NODEPOOL}, since="0.1.0", judges_ages=False, of_manifests=True)
def nodepool_without_limits(snapshot: Snapshot) -> Iterator[Finding]:
    """Nothing bounds what a NodePool may buy."""
    for nodepool in snapshot.nodepools:
        if not (nodepool.spec.limits or nodepool.static or nodepool.metadata.deletion_timestamp or _built_in(nodepool)):
            yield _finding(nodepool)


def _built_in(nodepool: NodePool) -> bool:
    """Whether it is one of EKS Auto Mode's own, which nobody can edit."""
    return nodepool.metadata.labels.get(_MANAGED_BY) == "eks"


def _finding(nodepool: NodePool) -> Finding:
    ref = Ref("NodePool", nodepool.name, "karpenter.sh/v1")
    has = amounts(nodepool.status.resources)
    nodes = has["nodes"] // 1000 if "nodes" in has else None
    now = [f"{shown(name, has[name])} {name}" for name in ("cpu", "memory") if name in has]
    return Finding(
        object=ref,
        owner=ref,
        nodepool=nodepool.name,
        cause="no-limits",
        message=f"nothing bounds what {nodepool.name} may buy: it has no limits",
        why="Karpenter buys for every pod that waits; spec.limits is all that stops it when pods multiply, or do not fit what was bought for them",
        cost=f"it has {plural(nodes, 'node')} now" + (f": {', '.join(now)}" if now else "") if nodes is not None else "",
        impact=Impact(nodes=nodes),
        evidence=(Evidence(ref, "spec.limits", "not set"),),
        fix=(
            Fix(
                "fix", f"kubectl edit nodepool {shlex.quote(nodepool.name)}",
                "set spec.limits, as of cpu and memory, to the most that it should ever have, with room for nodes that are being replaced",
                "pods wait once a limit is reached; a change of limits drifts no node",
            ),
            verification("nodepool-without-limits", nodepool=nodepool.name),
        ),
    )  # fmt: skip
