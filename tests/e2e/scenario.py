"""Scenarios: what somebody does to a cluster, and what a scan must say of it."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.e2e.outcome import Outcome
from tests.e2e.stage import Stage

Play = Callable[[Stage], Outcome]


@dataclass(frozen=True)
class Scenario:
    """One scenario; `name` is its namespace's and NodePool's too."""

    name: str
    injected: str
    """What is done to the cluster, as the table in docs/testing.md tells it."""
    play: Play
    karpenter: tuple[str, ...]
    """The minor versions of Karpenter that it holds for; empty: all."""

    def holds_for(self, karpenter: str) -> bool:
        """Whether that minor version of Karpenter shows it."""
        return not self.karpenter or karpenter in self.karpenter


SCENARIOS: dict[str, Scenario] = {}
"""By name, in the order of their definition."""


def scenario(injected: str, *, karpenter: tuple[str, ...] = ()) -> Callable[[Play], Play]:
    """Make a function a scenario of its own name, with hyphens."""

    def note(play: Play) -> Play:
        name = play.__name__.replace("_", "-")
        assert name not in SCENARIOS, f"two scenarios are called {name}"
        SCENARIOS[name] = Scenario(name, injected, play, karpenter)
        return play

    return note
