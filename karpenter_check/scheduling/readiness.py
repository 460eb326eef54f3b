"""Why a NodePool or a node class is not Ready, and since when."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from karpenter_check.snapshot import GRACE, Kind, NodePool, Ref, Snapshot
from karpenter_check.snapshot.clip import clip
from karpenter_check.snapshot.metadata import Condition, condition
from karpenter_check.snapshot.nodepool import NodeClass, NodeClassRef

NODE_CLASS_READY, NODE_CLASS_NOT_FOUND = "NodeClassReady", "NodeClassNotFound"
_INFORMATIONAL = frozenset({"Ready", "NodeRegistrationHealthy"})
"""Conditions on which a NodePool's readiness does not depend (`apis/v1/nodepool_status.go:StatusConditions`, 1.13)."""
_PASSING = frozenset({"NodeClassReadinessUnknown"})
"""Reasons that are False though nobody knows yet (`nodepool/readiness/controller.go:setReadyCondition`, 1.13)."""
_FOLLOWING = frozenset({"DependenciesNotReady"})
"""Reasons that only follow from another condition (`aws:controllers/nodeclass/validation.go`, 1.14)."""
_NAMED = re.compile(r"(?P<type>[A-Za-z]+)=(?:True|False|Unknown)")


@dataclass(frozen=True)
class Unready:
    """An object whose Ready condition is not True."""

    ready: Condition
    failing: tuple[Condition, ...]
    """The conditions that do it; Ready itself where none is told."""
    since: datetime

    @property
    def definite(self) -> bool:
        """Whether something was found to be wrong: Unknown is what every edit and every start begins with."""
        return self.ready.status == "False" and any(
            entry.status == "False" and entry.reason not in _PASSING for entry in self.failing
        )

    def steps_down(self, snapshot: Snapshot, warn_after: timedelta, fail_after: timedelta) -> int | None:
        """By how much less severe it is than what has stood for `fail_after`; None where it is too young to be told at all."""
        age = snapshot.taken_at - self.since
        if age >= max(GRACE, fail_after):
            return 0
        return 2 if self.definite and age >= max(GRACE, warn_after) else None


def unready(conditions: Sequence[Condition]) -> Unready | None:
    """Why it is not Ready, or None where it is, or does not say: an object of a kind that no controller looks at has no conditions.

    Ready's message names the conditions that it depends on and that are not True, or that are of an older generation
    (operatorpkg, `status/condition_set.go:recomputeRootCondition`).
    """
    ready = condition(tuple(conditions), "Ready")
    if ready is None or ready.status == "True" or ready.last_transition_time is None:
        return None
    named = {found["type"] for found in _NAMED.finditer(ready.message)}
    untrue = [entry for entry in conditions if entry.status != "True" and entry.type not in _INFORMATIONAL]
    failing = [entry for entry in untrue if entry.type in named] or untrue
    roots = [entry for entry in failing if entry.reason not in _FOLLOWING] or failing or [ready]
    return Unready(ready, tuple(sorted(roots, key=lambda entry: (entry.status != "False", entry.type))), ready.last_transition_time)


def said(of: Condition) -> str:
    """`SubnetsReady is False (SubnetsNotFound: SubnetSelector did not match any Subnets)`."""
    words = ": ".join(part for part in (clip(of.reason), clip(of.message)) if part)
    return f"{of.type} is {of.status}" + (f" ({words})" if words else "")


def names_missing_class(snapshot: Snapshot, nodepool: NodePool) -> bool:
    """Whether the node class that a NodePool names is certainly not there.

    All node classes have to have been seen, and it has to be known that those of its kind were asked for: because there are
    others, or because Karpenter finds none either.
    """
    reference = nodepool.spec.template.spec.node_class_ref
    word = condition(nodepool.status.conditions, NODE_CLASS_READY)
    if not snapshot.whole(Kind.NODECLASS) or snapshot.nodeclass_of(nodepool) or word is None or word.status == "True":
        return False
    return word.reason == NODE_CLASS_NOT_FOUND or any(is_of_kind(entry, reference) for entry in snapshot.nodeclasses)


def is_of_kind(node_class: NodeClass, reference: NodeClassRef) -> bool:
    """Whether a node class is of the kind that a NodePool names."""
    return (node_class.api_version.partition("/")[0], node_class.kind) == (reference.api_group, reference.kind)


def node_class_ref(snapshot: Snapshot, reference: NodeClassRef) -> Ref:
    """The object that a NodePool names, there or not; without a version where none of its kind was seen and v1 names none."""
    seen = next((entry.api_version for entry in snapshot.nodeclasses if is_of_kind(entry, reference)), "")
    return Ref(reference.kind, reference.name, seen or reference.api_version or reference.group)
