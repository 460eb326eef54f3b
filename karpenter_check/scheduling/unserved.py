"""Pods that wait and that no NodePool buys a node for, and the NodePools that would take them but for their own state."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from karpenter_check.scheduling.ignored import ignored
from karpenter_check.scheduling.last_word import karpenters_last_word
from karpenter_check.scheduling.node import foreign_nodes, label_mismatch, repelled
from karpenter_check.scheduling.nodepool import BeingDeleted, LimitReached, NotReady, Static, remaining
from karpenter_check.scheduling.placement import fits_a_node
from karpenter_check.scheduling.verdict import Answer, Verdict, verdicts
from karpenter_check.snapshot import GRACE, Kind, Pod, Snapshot
from karpenter_check.snapshot.event import Event
from karpenter_check.snapshot.once import once
from karpenter_check.snapshot.pod import PodShape
from karpenter_check.snapshot.quantity import Milli, amounts

NEEDED = frozenset({Kind.NODE, Kind.POD, Kind.NODEPOOL, Kind.DAEMONSET, Kind.NODECLAIM})
"""The kinds without which nothing is known of pods that wait."""
_FRESH = timedelta(minutes=15)
"""How old Karpenter's last word may be: it repeats it every five minutes as long as the pod waits."""
_LIMITED = re.compile(
    r'(?:exceed limits|limits have been exhausted) for nodepool:? (?:\\?"(?P<quoted>[^"\\]+)\\?"|\(NodePool=(?P<named>[^)]+)\))',
    re.IGNORECASE,
)
"""Of each version, `for nodepool: "x"` to 1.2, `for nodepool "x"` to 1.4, then `for nodepool (NodePool=x)`.

Karpenter looks at limits before it looks at labels and taints, so that this is said of pods, too, which the NodePool would not take
(`provisioning/scheduling/scheduler.go:addToNewNodeClaim`, 1.13).
"""


@dataclass(frozen=True, eq=False)
class Case:
    """What the NodePools answer to one shape of pod, and the nodes."""

    snapshot: Snapshot
    pod: Pod
    """The first of that shape."""
    verdicts: Sequence[Verdict]

    @cached_property
    def fits(self) -> bool:
        """Whether Karpenter would place it on a node that is there."""
        return fits_a_node(self.snapshot, self.pod)

    @cached_property
    def stranger(self) -> str:
        """A node that is not Karpenter's and that admits it, by labels and taints; else empty."""
        shape = self.pod.shape
        foreign = (node for node in foreign_nodes(self.snapshot) if not any(repelled(shape, node)))
        return next((node.name for node in foreign if not label_mismatch(shape.node_selector, shape.node_affinity, node)), "")

    @cached_property
    def refused(self) -> bool:
        """Whether every NodePool refuses it."""
        return all(entry.answer is Answer.REFUSES for entry in self.verdicts)

    @cached_property
    def own(self) -> Sequence[Verdict]:
        """Those of NodePools that have nothing against the pod, but are themselves in no state to buy."""
        return [
            entry
            for entry in self.verdicts
            if entry.answer is Answer.REFUSES and all(hindrance.cause.startswith("nodepool:") for hindrance in entry.hindrances)
        ]


@dataclass(frozen=True, eq=False)
class Unserved:
    """A pod that waits."""

    pod: Pod
    since: datetime
    case: Case
    said: Event | None
    """Karpenter's last word on it, where that is a refusal, and fresh."""

    @cached_property
    def _at_fault(self) -> Sequence[Verdict]:
        """Those of NodePools whose own state, which can be mended, is all that keeps it waiting.

        None where some NodePool that has nothing against it finds no instance type either: that may hold of the others, too.
        A pod that asks for more than a whole limit is no fault of the limit, nor is a limit of nothing, which somebody set as a switch.
        """
        told = _limits_told(self.said) & tight(self.case.snapshot)
        open_to_it = [entry for entry in self.case.verdicts if entry.answer is not Answer.REFUSES]
        if any(entry.nodepool not in told for entry in open_to_it):
            return ()
        return [*(entry for entry in self.case.own if not any(map(_hopeless, entry.hindrances))), *open_to_it]

    @property
    def blamed(self) -> Sequence[str]:
        """The NodePools that would take it but for a state that can be mended."""
        return [entry.nodepool for entry in self._at_fault]

    @property
    def stranded_by(self) -> Sequence[str]:
        """The NodePools that would take it if they were Ready and stayed; static ones buy nothing for pods anyway."""
        return [
            entry.nodepool
            for entry in self._at_fault
            if any(isinstance(hindrance, NotReady | BeingDeleted) for hindrance in entry.hindrances)
            and not any(isinstance(hindrance, Static) for hindrance in entry.hindrances)
        ]

    @property
    def limited_by(self) -> Mapping[str, tuple[LimitReached, ...]]:
        """The NodePools whose limits alone keep it waiting: which limits, where that is proven, and none where only Karpenter says so."""
        found = {
            entry.nodepool: tuple(hindrance for hindrance in entry.hindrances if isinstance(hindrance, LimitReached))
            for entry in self._at_fault
        }
        return {
            entry.nodepool: found[entry.nodepool] for entry in self._at_fault if len(found[entry.nodepool]) == len(entry.hindrances)
        }


def _hopeless(hindrance: object) -> bool:
    """Whether it is a limit that no node would fit in, were the NodePool empty."""
    return isinstance(hindrance, LimitReached) and (hindrance.asked > hindrance.limit or not hindrance.limit)


def _limits_told(said: Event | None) -> frozenset[str]:
    """The NodePools whose limits Karpenter's event names."""
    return frozenset(found["quoted"] or found["named"] for found in _LIMITED.finditer(said.message)) if said else frozenset()


@once
def tight(snapshot: Snapshot) -> frozenset[str]:
    """The NodePools that have no room, within their limits, for one more of any node that they have; and those that have none.

    Karpenter says of a NodePool that its limits are exceeded as soon as what it is about to buy in the same round might come to that,
    counted at the largest (`provisioning/scheduling/scheduler.go:subtractMax`, 1.13): for minutes its word may be older than the truth.
    """
    claims: dict[str, list[Milli]] = defaultdict(list)
    for claim in snapshot.nodeclaims:
        claims[claim.nodepool].append({"nodes": 1000, **amounts(claim.status.capacity)})
    return frozenset(
        nodepool.name
        for nodepool in snapshot.nodepools
        if nodepool.spec.limits
        and not any(
            all(size.get(name, 0) <= limit - used for name, (limit, used) in remaining(nodepool).items())
            for size in claims[nodepool.name]
        )
    )


def unknown(snapshot: Snapshot) -> str:
    """Why nothing is known of pods that wait; empty where all is."""
    lacking = [f"{kind} is {snapshot.covered(kind)}" for kind in sorted(NEEDED) if not snapshot.covered(kind).sufficient]
    if not lacking and not snapshot.whole(Kind.NODEPOOL):
        lacking = [f"{Kind.NODEPOOL} is {snapshot.covered(Kind.NODEPOOL)}"]
    return "; ".join(lacking)


@once
def unserved(snapshot: Snapshot) -> Sequence[Unserved]:
    """The pods that have waited for `GRACE` or longer and that no NodePool buys for; none where that is not known."""
    if not snapshot.nodepools or unknown(snapshot):
        return ()  # a NodePool that could not be read may be the one that takes them
    cases: dict[PodShape, Case] = {}
    found = []
    for pod in snapshot.unbound_pods:
        since = _since(pod)
        if since is None or snapshot.taken_at - since < GRACE or ignored(snapshot, pod):
            continue
        if pod.shape not in cases:
            cases[pod.shape] = Case(snapshot, pod, verdicts(snapshot, pod.shape))
        case = cases[pod.shape]
        word = karpenters_last_word(snapshot, pod)
        if any(entry.answer is Answer.TAKES for entry in case.verdicts) or (word and word.reason == "Nominated"):
            continue  # it has a node, or will have one; if it never comes there, that is another matter
        said = word if word and word.last_seen and snapshot.taken_at - word.last_seen <= _FRESH else None
        if said or (case.refused and not case.fits and not _may_be_bought_for(snapshot, pod)):
            found.append(Unserved(pod, since, case, said))
    return found


@once
def stranded(snapshot: Snapshot) -> Mapping[str, Sequence[Unserved]]:
    """The pods that wait for each NodePool which is not Ready or is being deleted, by its name, longest waiting first."""
    grouped: dict[str, list[Unserved]] = defaultdict(list)
    for entry in _in_order(unserved(snapshot)):
        for nodepool in entry.stranded_by:
            grouped[nodepool].append(entry)
    return grouped


@once
def limited(snapshot: Snapshot) -> Mapping[str, Sequence[Unserved]]:
    """The pods that only its limits keep off each NodePool, by its name, longest waiting first."""
    grouped: dict[str, list[Unserved]] = defaultdict(list)
    for entry in _in_order(unserved(snapshot)):
        for nodepool in entry.limited_by:
            grouped[nodepool].append(entry)
    return grouped


def _in_order(pods: Sequence[Unserved]) -> Sequence[Unserved]:
    return sorted(pods, key=lambda entry: (entry.since, entry.pod.metadata.namespace, entry.pod.metadata.name))


def _may_be_bought_for(snapshot: Snapshot, pod: Pod) -> bool:
    """Whether, for all that is known without Karpenter's events, a NodeClaim that is not launched yet was made for the pod."""
    if snapshot.covered(Kind.EVENT).sufficient:
        return False
    coming = (claim for claim in snapshot.nodeclaims if not claim.status.provider_id and not claim.metadata.deletion_timestamp)
    return any(
        all(sized.get(name, 0) >= amount for name, amount in pod.shape.requests.items())
        for sized in (amounts(claim.spec.resources.requests) for claim in coming)
    )


def _since(pod: Pod) -> datetime | None:
    """Since when a pod waits that Karpenter could provision for; Fargate's scheduler brings its own nodes."""
    if not pod.unschedulable or not pod.active or pod.scheduler_name == "fargate-scheduler":
        return None
    return pod.unscheduled_since
