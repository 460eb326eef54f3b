"""What a rule is: a function over a snapshot that yields findings, and what its file's name makes of it."""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Concatenate, Generic, ParamSpec, TypeAlias

from karpenter_check.finding import Finding, Severity
from karpenter_check.snapshot import Kind, Snapshot

Settings = ParamSpec("Settings")
DOCS = "https://github.com/karpenter-check/karpenter-check/blob/main/docs/rules"


class Stage(IntEnum):
    """How near to the root of things a rule looks: what it finds explains findings of later stages, and never of earlier ones."""

    CONTROLLER = 1
    NODEPOOL = 2
    """NodePools and node classes."""
    NODECLAIM = 3
    DAEMONSET = 4
    POD = 5
    BLOCKER = 6
    """What somebody wrote that keeps nodes: budgets, PodDisruptionBudgets, annotations."""
    DISRUPTION = 7
    """Nodes that do not go."""
    EXPIRY = 8
    HAZARD = 9
    """What may do harm some day, or does a little all the time. It explains nothing."""


class NotProven(Exception):
    """A rule raises it, before its first finding, where the snapshot cannot prove anything either way; the message says why."""


@dataclass(frozen=True)
class Rule(Generic[Settings]):
    """A rule; calling it judges a snapshot. Its keyword-only parameters are its settings."""

    function: Callable[Concatenate[Snapshot, Settings], Iterator[Finding]]
    severity: Severity
    needs: frozenset[Kind]
    since: str
    judges_ages: bool = True
    """Whether it compares times with the snapshot's; then it needs one."""
    stage: Stage = Stage.HAZARD
    of_manifests: bool = False
    """Whether loose manifests are enough: it concludes from what an object says, and never from what is not there.

    Of several kinds that it needs, one is enough then.
    """

    @property
    def slug(self) -> str:
        """The one name: of its function, file, tests, page and metrics label."""
        return self.function.__name__.replace("_", "-")

    @property
    def summary(self) -> str:
        """The first line of its docstring: a sentence about the world."""
        return (inspect.getdoc(self.function) or "").partition("\n")[0]

    @property
    def docs_url(self) -> str:
        """Where its page is."""
        return f"{DOCS}/{self.slug}.md"

    @property
    def settings(self) -> dict[str, Any]:
        """Its settings and their defaults."""
        parameters = inspect.signature(self.function).parameters.values()
        return {parameter.name: parameter.default for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY}

    def __call__(self, snapshot: Snapshot, *args: Settings.args, **kwargs: Settings.kwargs) -> Iterator[Finding]:
        """What it finds in the snapshot."""
        return self.function(snapshot, *args, **kwargs)


AnyRule: TypeAlias = Rule[Any]


def rule(
    *,
    severity: Severity,
    needs: set[Kind],
    since: str,
    judges_ages: bool = True,
    stage: Stage = Stage.HAZARD,
    of_manifests: bool = False,
) -> Callable[[Callable[Concatenate[Snapshot, Settings], Iterator[Finding]]], Rule[Settings]]:
    """Make a function a rule: its severity where a finding sets no other, the kinds that it must have seen, the version that brought it.

    A rule that looks at no time at all says `judges_ages=False`, and one whose findings explain others at which stage it stands.
    One that judges each object by what it says alone says `of_manifests=True`.
    """

    def decorate(function: Callable[Concatenate[Snapshot, Settings], Iterator[Finding]]) -> Rule[Settings]:
        return Rule(function, severity, frozenset(needs), since, judges_ages, stage, of_manifests)

    return decorate
