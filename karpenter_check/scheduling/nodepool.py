"""NodePools as Karpenter weighs them: their order, and what keeps one from buying anything, or enough, for anybody."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from karpenter_check.scheduling.requirement import Requirement
from karpenter_check.scheduling.template import NodeTemplate, nodepool_templates
from karpenter_check.scheduling.validation import Violation, violations
from karpenter_check.snapshot import NodePool, Ref, Snapshot
from karpenter_check.snapshot.clip import clip
from karpenter_check.snapshot.once import once
from karpenter_check.snapshot.pod_object import ContainerPort
from karpenter_check.snapshot.quantity import Milli, amounts, shown

OF_EVERY_INSTANCE = frozenset({
    "topology.kubernetes.io/zone", "node.kubernetes.io/instance-type", "kubernetes.io/arch", "kubernetes.io/os",
    "karpenter.sh/capacity-type", "karpenter.k8s.aws/instance-category", "karpenter.k8s.aws/instance-family",
    "karpenter.k8s.aws/instance-size", "karpenter.k8s.aws/instance-cpu", "karpenter.k8s.aws/instance-memory",
})  # fmt: skip
"""Labels that every instance has some value of: where a NodePool leaves none, there is nothing to buy."""


@dataclass(frozen=True)
class BeingDeleted:
    """The NodePool is being deleted."""

    cause: str = "nodepool:deleted"

    def __str__(self) -> str:
        return "is being deleted"


@dataclass(frozen=True)
class Static:
    """The NodePool keeps a fixed number of nodes, and buys none for pods."""

    replicas: int
    cause: str = "nodepool:static"

    def __str__(self) -> str:
        return f"is static ({self.replicas} replicas): it buys nothing for pods"


@dataclass(frozen=True)
class NotReady:
    """The NodePool's Ready condition is not True."""

    reason: str
    message: str
    cause: str = "nodepool:not-ready"

    def __str__(self) -> str:
        said = ": ".join(part for part in (self.reason, clip(self.message)) if part)
        return f"is not Ready ({said})" if said else "is not Ready"


@dataclass(frozen=True)
class Invalid:
    """Karpenter's own validation refuses the NodePool."""

    violation: Violation
    cause: str = "nodepool:invalid"

    def __str__(self) -> str:
        return f"is not valid: {self.violation.field}: {self.violation.reason}"


@dataclass(frozen=True)
class NothingToBuy:
    """Its requirements and labels leave no value of a label that every instance has."""

    requirement: Requirement
    cause: str = "nodepool:nothing-to-buy"

    def __str__(self) -> str:
        return f"can buy nothing: its requirements leave no {self.requirement.key}"


@dataclass(frozen=True)
class LimitReached:
    """What is left of a limit is less than the smallest node that would do; amounts in thousandths."""

    resource: str
    limit: int
    used: int
    asked: int
    cause: str = "nodepool:limit"

    def __str__(self) -> str:
        if self.resource == "nodes":
            return f"limit reached: {self.used // 1000} of {self.limit // 1000} nodes"
        limit, needed = shown(self.resource, self.limit), shown(self.resource, self.asked)
        if self.asked > self.limit:
            return f"limited to {limit} {self.resource}, {needed} needed"
        left = shown(self.resource, max(0, self.limit - self.used))
        return f"limit reached: {left} of {limit} {self.resource} left" + (f", {needed} needed" if self.asked else "")


@dataclass(frozen=True)
class HostPortTaken:
    """A DaemonSet that comes to every node of the NodePool holds a host port which the pod needs."""

    port: ContainerPort
    by: Ref
    cause: str = "host-port"

    def __str__(self) -> str:
        return f"host port {self.port.host_port}/{self.port.protocol} is held by {self.by}, which comes to each of its nodes"


Unavailable: TypeAlias = BeingDeleted | Static | NotReady | Invalid | NothingToBuy | LimitReached | HostPortTaken
"""Why a NodePool buys nothing, whatever the pod's labels and tolerations."""


@once
def in_order(snapshot: Snapshot) -> tuple[NodePool, ...]:
    """The NodePools as Karpenter tries them: the heaviest first, of equal ones the last name (`utils/nodepool:OrderByWeight`, 1.13)."""
    return tuple(sorted(snapshot.nodepools, key=lambda nodepool: (nodepool.spec.weight, nodepool.name), reverse=True))


def nothing_to_buy(template: NodeTemplate) -> Requirement | None:
    """The requirement that no instance can have: none is left of a label that every instance carries."""
    entries = template.requirements.by_key.items()
    return next((entry for key, entry in entries if key in OF_EVERY_INSTANCE and entry.operator == "DoesNotExist"), None)


def remaining(nodepool: NodePool) -> Mapping[str, tuple[int, int]]:
    """The limit and the use of each limited resource, in thousandths; `nodes` is their number.

    What it uses is the capacity of its nodes, whatever their pods ask (`provisioning/scheduling/scheduler.go:filterByRemainingResources`, 1.13).
    """
    used = amounts(nodepool.status.resources)
    return {name: (limit, used.get(name, 0)) for name, limit in amounts(nodepool.spec.limits).items()}


def limits_reached(nodepool: NodePool, asked: Milli) -> Iterator[LimitReached]:
    """The limits that keep it from buying a node which holds so much: a node has at least what its pods ask of it."""
    for name, (limit, used) in remaining(nodepool).items():
        needed = asked.get(name, 0)
        if needed > limit - used or (name in {"cpu", "memory", "nodes"} and limit <= used):
            yield LimitReached(name, limit, used, needed)


@once
def unavailable(snapshot: Snapshot) -> Mapping[str, tuple[Unavailable, ...]]:
    """What keeps each NodePool from buying anything at all, by its name; its limits apart."""
    return {
        nodepool.name: tuple(_unavailable(snapshot, nodepool, nodepool_templates(snapshot)[nodepool.name]))
        for nodepool in snapshot.nodepools
    }


def _unavailable(snapshot: Snapshot, nodepool: NodePool, template: NodeTemplate) -> Iterator[Unavailable]:
    if nodepool.metadata.deletion_timestamp:
        yield BeingDeleted()
    if nodepool.spec.replicas is not None:
        yield Static(nodepool.spec.replicas)
    readiness = nodepool.readiness
    if readiness and readiness.status != "True":
        yield NotReady(readiness.reason, readiness.message)
    for violation in violations(nodepool, snapshot.karpenter_version)[:1]:
        yield Invalid(violation)
    if empty := nothing_to_buy(template):
        yield NothingToBuy(empty)
