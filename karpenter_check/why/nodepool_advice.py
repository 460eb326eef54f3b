"""What to do about a NodePool with something wrong."""

import shlex
from collections.abc import Iterator, Mapping, Sequence

from karpenter_check.disruption.budgets import Unreadable
from karpenter_check.finding import Fix
from karpenter_check.scheduling.nodepool import Invalid, LimitReached, NothingToBuy, NotReady, Unavailable
from karpenter_check.snapshot import NodePool, Ref
from karpenter_check.snapshot.quantity import shown
from karpenter_check.why.nodepool_limits import Limit

_LIMITED = frozenset({"cpu", "memory", "nodes"})
"""What every node has some of: a limit of it that is used up lets nothing be bought."""


def advice(
    nodepool: NodePool,
    faults: Sequence[Unavailable],
    limits: Sequence[Limit],
    short_of: Mapping[Ref, tuple[LimitReached, ...]],
    unreadable: Sequence[Unreadable],
) -> Iterator[Fix]:
    """The ways out of what is certainly wrong, nothing else."""
    for fault in faults:
        yield from _of_fault(nodepool, fault)
    for one in unreadable:
        yield Fix("fix", text=f"mend {one.entry.path}, which Karpenter cannot read")
    for text in _raises(nodepool, limits, short_of).values():
        yield Fix("fix", text=text)


def _of_fault(nodepool: NodePool, fault: Unavailable) -> Iterator[Fix]:
    reference = nodepool.spec.template.spec.node_class_ref
    match fault:
        case NotReady():
            class_ready = next((entry for entry in nodepool.status.conditions if entry.type == "NodeClassReady"), None)
            if class_ready and class_ready.status == "False":
                said = class_ready.message or class_ready.reason
                text = f"make {reference.kind} {reference.name}, or name another in spec.template.spec.nodeClassRef: {said}"
                if class_ready.reason != "NodeClassNotFound":
                    text = f"make {reference.kind} {reference.name} Ready: {said}"
                yield Fix("fix", text=text)
            else:
                yield Fix(
                    "fix",
                    f"kubectl describe nodepool {shlex.quote(nodepool.name)}",
                    text="see its conditions, and mend what they name",
                )
        case Invalid(violation):
            yield Fix("fix", text=f"mend {violation.field}: {violation.reason}")
        case NothingToBuy(requirement):
            yield Fix("fix", text=f"mend its requirements, which leave no {requirement.key}")
        case _:
            return


def _raises(nodepool: NodePool, limits: Sequence[Limit], short_of: Mapping[Ref, tuple[LimitReached, ...]]) -> Mapping[str, str]:
    """What to say of each limit that is used up, or that leaves too little for pods that wait; a pod larger than a limit is no fault of it."""
    found = {
        of.resource: f"raise its limit of {of.resource}, {shown(of.resource, of.limit)}, or let workloads go: all of it is used"
        for of in limits
        if of.resource in _LIMITED and of.used is not None and of.limit <= of.used and not nodepool.static
    }
    for owner, reached in short_of.items():
        for entry in reached:
            if entry.asked <= entry.limit:
                least = shown(entry.resource, entry.used + entry.asked)
                found[entry.resource] = f"raise its limit of {entry.resource} to {least} or more, which {owner} needs at the least"
    return found
