"""Why something does not take a pod, as values that explain themselves."""

from dataclasses import dataclass
from typing import TypeAlias

from karpenter_check.scheduling.requirement import Requirement
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

    @property
    def key(self) -> str:
        """The label's key."""
        return self.asked.key

    @property
    def cause(self) -> str:
        """A stable word for it."""
        return f"label:{self.asked.key}"

    def __str__(self) -> str:
        return f"needs {self.asked}, which is not declared"


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
