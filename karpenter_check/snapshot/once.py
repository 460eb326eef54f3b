"""What is computed of a snapshot once, kept by it and gone with it."""

from collections.abc import Callable
from functools import wraps
from typing import TypeVar

from karpenter_check.snapshot.snapshot import Snapshot

Value = TypeVar("Value")


def once(function: Callable[[Snapshot], Value]) -> Callable[[Snapshot], Value]:
    """A function of a snapshot that answers the second question of the same snapshot from memory. Nobody may change the answer."""

    @wraps(function)
    def remembered(snapshot: Snapshot) -> Value:
        if function not in snapshot.derived:
            snapshot.derived[function] = function(snapshot)
        value: Value = snapshot.derived[function]
        return value

    return remembered
