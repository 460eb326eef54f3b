"""What a rule says: findings, how bad they are, and how sure."""

import hashlib
import shlex
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

import msgspec

from karpenter_check.snapshot.clip import clip
from karpenter_check.snapshot.event import Event
from karpenter_check.snapshot.manifest import Location
from karpenter_check.snapshot.metadata import Ref

__all__ = [
    "Blame",
    "Confidence",
    "EventEvidence",
    "Evidence",
    "Finding",
    "Fix",
    "Impact",
    "Location",
    "Occurrence",
    "Ref",
    "Severity",
    "clip",
    "fingerprint",
    "verification",
]  # fmt: skip


class Severity(StrEnum):
    """How much harm, worst first."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFO = "info"

    @property
    def rank(self) -> int:
        """0 for critical, to 4 for info."""
        return list(Severity).index(self)

    def lowered(self, steps: int) -> "Severity":
        """So many levels less severe, info at the least."""
        return list(Severity)[min(self.rank + steps, len(Severity) - 1)]

    def at_least(self, other: "Severity") -> bool:
        """Whether it is as severe as the other, or more."""
        return self.rank <= other.rank


class Confidence(StrEnum):
    """How it is known: from the state of objects, with events or inference, or also from what no snapshot shows."""

    CERTAIN = "certain"
    LIKELY = "likely"
    POSSIBLE = "possible"


class _Value(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A part of a finding, as its JSON shows it."""


class EventEvidence(_Value, frozen=True):
    """An event that bears a finding out, its message cut."""

    reason: str
    message: str
    count: int
    last_seen: datetime | None


class Evidence(_Value, frozen=True):
    """A field of an object with its value and, for a node's labels and taints, who wrote it; or an event."""

    object: Ref | None = None
    path: str = ""
    value: str = ""
    written_by: str = ""
    event: EventEvidence | None = None
    location: Location | None = None
    """Where a manifest has the field."""

    @classmethod
    def of_event(cls, event: Event, count: int | None = None) -> "Evidence":
        """An event; `count` where several alike stand for one."""
        times = count if count is not None else event.times
        return cls(event=EventEvidence(event.reason, clip(event.message), times, event.last_seen))


class Impact(_Value, frozen=True):
    """What it costs; what a rule does not know stays out."""

    nodes: int | None = None
    pods: int | None = None
    nodeclaims: int | None = msgspec.field(name="nodeClaims", default=None)
    cpu: str | None = None
    memory: str | None = None
    share: float | None = None
    """Part of a node's allocatable, the largest over its resources, 0 to 1."""


class Fix(_Value, frozen=True):
    """A step to take: `stop` the harm, `fix` the cause, `or` another way to that, `verify`; a command, or words where no command does it."""

    step: str
    command: str = ""
    text: str = ""
    risk: str = ""


def verification(rule: str, *, nodepool: str = "", namespace: str = "") -> Fix:
    """The step that sees whether a rule still finds something, in one NodePool or one namespace."""
    scope = (f" --nodepool {shlex.quote(nodepool)}" if nodepool else "") + (f" -n {shlex.quote(namespace)}" if namespace else "")
    return Fix("verify", f"karpenter-check scan --select {rule}{scope}")


class Occurrence(_Value, frozen=True):
    """One place where a finding holds. `uid`, `node` or `target`, and `reason` tell occurrences apart; metrics count them."""

    object: Ref
    uid: str = ""
    node: str = ""
    reason: str = ""
    since: datetime | None = None
    target: str = ""
    """Where it should be, if that is no node yet."""
    crossed: datetime | None = None
    """When it became a finding, as far as that can be told: its beginning and the rule's threshold."""
    began: datetime | None = None
    """The same by times that never move, so that it is never later than it was; too early at worst."""


class Blame(msgspec.Struct, frozen=True):
    """What a finding holds responsible. A finding on that object (and NodePool, if one is named) is its cause."""

    object: Ref
    nodepool: str = ""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing wrong, for one owner, one NodePool and one cause, however many pods or nodes show it."""

    object: Ref
    owner: Ref
    message: str
    cause: str
    """The rule's stable word for what causes it; part of the fingerprint."""
    nodepool: str = ""
    severity: Severity | None = None
    """Where it is not the rule's own."""
    confidence: Confidence = Confidence.CERTAIN
    why: str = ""
    cost: str = ""
    impact: Impact = Impact()
    evidence: tuple[Evidence, ...] = ()
    occurrences: tuple[Occurrence, ...] = ()
    since: datetime | None = None
    fix: tuple[Fix, ...] = ()
    blames: tuple[Blame, ...] = ()
    location: Location | None = None
    """The very place in a manifest, where a rule knows one; `scan` knows where objects stand."""


def fingerprint(rule: str, finding: Finding) -> str:
    """`v1:` and 16 hex digits over rule, owner, NodePool and cause: no pod, node, number or time, so that it survives churn."""
    identity = (rule, finding.owner.kind, finding.owner.namespace, finding.owner.name, finding.nodepool, finding.cause)
    return f"v1:{hashlib.sha256(msgspec.json.encode(identity)).hexdigest()[:16]}"


def earliest(times: Iterable[datetime | None]) -> datetime | None:
    """The earliest of the times that are known."""
    return min((time for time in times if time), default=None)
