"""Taints and tolerations."""

import re
from collections.abc import Iterable, Iterator

from karpenter_check.scheduling.refusal import UntoleratedTaint
from karpenter_check.scheduling.requirement import atoi
from karpenter_check.snapshot.node import Taint
from karpenter_check.snapshot.pod_object import Toleration

PREFER_NO_SCHEDULE = Toleration(operator="Exists", effect="PreferNoSchedule")
_INTEGER = re.compile(r"0|-?[1-9][0-9]*")


def tolerates(toleration: Toleration, taint: Taint) -> bool:
    """Whether a toleration covers a taint (k8s.io/component-helpers `Toleration.ToleratesTaint`, v1.36)."""
    if toleration.effect not in {"", taint.effect} or toleration.key not in {"", taint.key}:
        return False
    match toleration.operator:
        case "" | "Equal":
            return toleration.value == taint.value
        case "Exists":
            return True
        case "Lt" | "Gt" if _INTEGER.fullmatch(toleration.value) and _INTEGER.fullmatch(taint.value):
            asked, has = atoi(toleration.value), atoi(taint.value)
            return asked is not None and has is not None and (has < asked if toleration.operator == "Lt" else has > asked)
        case _:
            return False


def untolerated(taints: Iterable[Taint], tolerations: Iterable[Toleration]) -> Iterator[UntoleratedTaint]:
    """The taints that no toleration covers, every effect included, as Karpenter counts them (`Taints.Tolerates`)."""
    held = tuple(tolerations)
    for taint in taints:
        if not any(tolerates(toleration, taint) for toleration in held):
            yield UntoleratedTaint(taint)
