"""Why something does not take a pod, as values that explain themselves."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TypeAlias

from karpenter_check.scheduling.requirement import Requirement
from karpenter_check.scheduling.typo import probably_meant
from karpenter_check.snapshot.node import Taint


@dataclass(frozen=True)
class UntoleratedTaint:
    """A taint that the pod does not tolerate."""

    taint: Taint

    @property
    def key(self) -> str:
        """The taint's key."""
        return self.taint.key

    @property
    def cause(self) -> str:
        """A stable word for it."""
        return f"taint:{self.taint.key}"

    def __str__(self) -> str:
        return f"does not tolerate {self.taint}"


@dataclass(frozen=True)
class UndefinedLabel:
    """A label that the pod needs and the other side does not declare."""

    asked: Requirement
    declared: Collection[str] = field(default=(), compare=False, repr=False)
    """The keys that the other side does declare."""
    well_known: Collection[str] = field(default=(), compare=False, repr=False)
    """The keys that may stay undeclared."""

    @property
    def key(self) -> str:
        """The label's key."""
        return self.asked.key

    @property
    def cause(self) -> str:
        """A stable word for it."""
        return f"label:{self.asked.key}"

    @property
    def meant(self) -> str:
        """The key that it is probably a slip of; else empty."""
        return probably_meant(self.asked.key, self.declared, self.well_known)

    def __str__(self) -> str:
        return f"needs {self.asked}, which is not declared" + (f" (typo of {self.meant}?)" if self.meant else "")


@dataclass(frozen=True)
class NoOverlap:
    """A label on which the two sides have no value in common."""

    declared: Requirement
    asked: Requirement

    @property
    def key(self) -> str:
        """The label's key."""
        return self.asked.key

    @property
    def cause(self) -> str:
        """A stable word for it."""
        return f"label:{self.asked.key}"

    def __str__(self) -> str:
        return f"needs {self.asked}, against {self.declared}"


Refusal: TypeAlias = UntoleratedTaint | UndefinedLabel | NoOverlap
