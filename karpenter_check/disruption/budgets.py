"""How many nodes a NodePool's budgets let go at a time."""

from karpenter_check.snapshot import NodePool


def allowed_at_a_time(nodepool: NodePool, reason: str, nodes: int) -> int | None:
    """The nodes that may be disrupted at once for a reason, of `nodes`; None where a schedule or an odd value decides it.

    The smallest budget for the reason counts, and a percentage is rounded up (`apis/v1/nodepool.go:GetAllowedDisruptionsByReason`).
    """
    allowed = nodes
    for budget in nodepool.spec.disruption.budgets:
        if budget.reasons and reason not in budget.reasons:
            continue
        number = budget.nodes.removesuffix("%")
        if budget.schedule or not number.isdecimal():
            return None
        allowed = min(allowed, -(-nodes * int(number) // 100) if budget.nodes.endswith("%") else int(number))
    return allowed
